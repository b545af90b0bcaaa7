//! The same seed comes to the same bytes, whatever else the process does with SQLite meanwhile.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hyperlapse::disk::{Crash, Disk, DiskOptions, DiskStats, FaultRates, Latency};
use hyperlapse::{Distribution, RandomExt, Streams};
use rusqlite::Connection;

use crate::script::{DURABLE, check, disk, open, play, transaction};

/// What a run has come to.
#[derive(Debug, PartialEq)]
struct Seen {
    fingerprints: Vec<u64>,
    random: Vec<i64>,
    crash: Crash,
    stats: DiskStats,
}

/// A run with everything in it that the seed decides: salts, `random()`, latency, faults, a crash.
fn run(seed: u64) -> Seen {
    let latency = Latency {
        write: Distribution::Exponential(Duration::from_micros(20)),
        sync: Distribution::log_normal(Duration::from_millis(2), 0.5),
        ..Latency::default()
    };
    let faults = FaultRates { write_error: 0.01, sync_error: 0.01, ..FaultRates::default() };
    let (disk, _mounted) = disk(seed, DiskOptions { latency, faults, ..DiskOptions::default() });
    let (mut fingerprints, mut random) = (Vec::new(), Vec::new());
    let mut kept = 0;
    for round in 0..3 {
        let Ok(mut database) = open(&disk, DURABLE) else { continue };
        for _ in 0..4 {
            if transaction(&mut database, kept).is_err() {
                break;
            }
            kept += 1;
            fingerprints.push(disk.fingerprint());
            random.extend(database.query_row("SELECT random()", [], |row| row.get::<_, i64>(0)));
        }
        drop(database);
        disk.power_cut_after(round * 3);
        fingerprints.push(disk.fingerprint());
        let _ = play(&disk, DURABLE, kept);
        disk.crash();
        disk.change(|options| options.faults = FaultRates::default()).unwrap();
        kept = check(&disk, DURABLE, kept).unwrap();
        fingerprints.push(disk.fingerprint());
    }
    let crash = disk.last_crash().unwrap();
    Seen { fingerprints, random, crash, stats: disk.stats() }
}

#[test]
fn a_seed_repeats_itself_and_another_one_does_not() {
    let first = run(1);
    assert!(first.fingerprints.len() > 6 && first.random.len() > 3, "{first:?}");
    assert_eq!(first, run(1));
    assert_ne!(first.fingerprints, run(2).fingerprints);
    assert_ne!(first.random, run(2).random);
}

#[test]
fn runs_on_threads_at_once_beside_other_users_of_sqlite_come_to_what_they_come_to_alone() {
    let alone: Vec<Seen> = (0..8).map(run).collect();
    let others = Arc::new(());
    thread::scope(|scope| {
        // Somebody without simulated disks, who draws for as long as there are runs, however they end.
        let watched = Arc::downgrade(&others);
        let other = scope.spawn(move || {
            let database = Connection::open_in_memory().unwrap();
            let draw = || database.query_row("SELECT random()", [], |row| row.get::<_, i64>(0));
            let mut drawn = Vec::new();
            while watched.strong_count() > 0 {
                drawn.push(draw().unwrap());
            }
            drawn
        });
        let runs: Vec<_> = (0..4)
            .map(|_| {
                let running = Arc::clone(&others);
                scope.spawn(move || {
                    let seen: Vec<Seen> = (0..8).rev().map(run).collect();
                    drop(running);
                    seen
                })
            })
            .collect();
        drop(others);
        for run in runs {
            let mut seen = run.join().unwrap();
            seen.reverse();
            assert_eq!(seen, alone);
        }
        let drawn = other.join().unwrap();
        let ours = |random: &i64| alone.iter().any(|seen| seen.random.contains(random));
        assert!(!drawn.iter().any(ours), "the host's own draws are not a simulation's");
        assert!(drawn.len() > 4 && drawn.windows(2).all(|two| two[0] != two[1]));
    });
}

#[test]
#[ignore = "started by the next test, in a process of its own"]
fn sqlite_first() {
    let database = Connection::open_in_memory().unwrap();
    let _: i64 = database.query_row("SELECT random()", [], |row| row.get(0)).unwrap();
    assert_eq!(run(1), run(1));
}

/// Its mutexes can be replaced only before that: here it is done before `main`.
#[test]
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn sqlite_may_have_been_used_before_a_disk_is_mounted() {
    let mut itself = std::process::Command::new(std::env::current_exe().unwrap());
    let output = itself.args(["--exact", "determinism::sqlite_first", "--ignored"]).output();
    let output = output.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[test]
fn what_the_seed_decides_of_a_disk_stays_across_releases() {
    let disk = Disk::new("server", &Streams::new(7), DiskOptions::default()).unwrap();
    let mut draw = Streams::new(7).stream("contents");
    let mut told = Vec::new();
    for round in 0..20 {
        for name in ["a", "b", "c/d"] {
            let file = disk.create(name).unwrap();
            let bytes: Vec<u8> = (0..draw.below(5_000)).map(|_| draw.below(256) as u8).collect();
            file.write_at(draw.below(3_000), &bytes).unwrap();
            if draw.chance(1, 6) {
                file.sync().unwrap();
            }
        }
        if round % 7 == 6 {
            disk.sync_directory(if round % 2 == 0 { "" } else { "c" }).unwrap();
        }
        if round % 5 == 4 {
            let crash = disk.crash();
            told.push(format!("{:016x} {crash:?}", disk.fingerprint()));
        }
    }
    insta::assert_snapshot!(told.join("\n"), @"
    b3c0a45da85c1658 Crash { kept: 0, torn: 0, lost: 0, names_undone: 1 }
    f66d52c8f2f773ae Crash { kept: 0, torn: 0, lost: 10, names_undone: 0 }
    fd27fa4b4410bf11 Crash { kept: 1, torn: 3, lost: 9, names_undone: 0 }
    b3148b69992241d9 Crash { kept: 0, torn: 3, lost: 7, names_undone: 0 }
    ");
}
