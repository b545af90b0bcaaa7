//! A database in a run: its time is the run's.

use std::time::Duration;

use hyperlapse::disk::{Disk, DiskOptions, Latency};
use hyperlapse::{AllAtOnce, Distribution, Record, RunOptions, Scenario, Streams};
use rusqlite::Connection;
use std::sync::{Arc, Mutex};

use crate::script::{DURABLE, open, transaction};

fn run(seed: u64) -> (Record, Vec<String>, u64) {
    let scenario = Scenario::builder("kept", AllAtOnce::users(3)).build().unwrap();
    let seen = Arc::new(Mutex::new((Vec::new(), 0)));
    let told = Arc::clone(&seen);
    let record = hyperlapse::run(&scenario, RunOptions::seed(seed), move |sim| async move {
        let latency = Latency {
            sync: Distribution::Uniform(Duration::from_millis(5), Duration::from_millis(50)),
            ..Latency::default()
        };
        let options = DiskOptions { latency, ..DiskOptions::default() };
        let disk = Disk::new("server", &Streams::new(seed), options).unwrap();
        let _mounted = disk.mount().unwrap();
        let database = open(&disk, DURABLE).unwrap();
        disk.take_elapsed();
        let database = Arc::new(tokio::sync::Mutex::new((database, 0)));
        let shared = (database.clone(), disk.clone(), Arc::clone(&told));
        sim.drive(move |user| {
            let (database, disk, told) = shared.clone();
            async move {
                let mut operation = user.operation();
                operation.accepted();
                let mut database = database.lock().await;
                let (connection, n): &mut (Connection, u32) = &mut database;
                transaction(connection, *n).unwrap();
                *n += 1;
                // Only once the disk's time is over is it done.
                user.sleep(disk.take_elapsed()).await;
                let now = "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')";
                let now: String = connection.query_row(now, [], |row| row.get(0)).unwrap();
                told.lock().unwrap().0.push(now);
                operation.completed();
            }
        })
        .await;
        told.lock().unwrap().1 = disk.fingerprint();
    });
    let (times, fingerprint) = seen.lock().unwrap().clone();
    (record, times, fingerprint)
}

#[test]
fn the_time_of_a_disk_is_virtual_and_sqlite_tells_it() {
    let (record, times, fingerprint) = run(7);
    assert!(record.outcome == hyperlapse::Outcome::Finished, "{:?}", record.outcome);
    assert_eq!(times.len(), 3);
    assert!(times.iter().all(|time| time.starts_with("2030-01-01 00:00:00.")), "{times:?}");
    assert!(times.is_sorted() && times[0] != times[2], "{times:?}");
    assert!(record.metrics.duration_ns >= 15_000_000, "{}", record.metrics.duration_ns);

    let (again, same_times, same_bytes) = run(7);
    assert_eq!(
        (record.fingerprint, &times, fingerprint),
        (again.fingerprint, &same_times, same_bytes)
    );
    let (other, _, other_bytes) = run(8);
    assert_ne!(record.metrics.duration_ns, other.metrics.duration_ns);
    assert_ne!(fingerprint, other_bytes);
}
