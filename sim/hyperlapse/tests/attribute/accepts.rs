//! What may stand in the brackets.

use std::sync::Arc;
use std::time::Duration;

use hyperlapse::{AllAtOnce, Property, Sim};
use tokio::sync::{Mutex, Semaphore};

const ALL_BACK: Property = Property::eventually("all back", "every permit is given back");

#[hyperlapse::test]
async fn nothing_at_all(sim: Sim) {
    let _ = sim;
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[hyperlapse::test(seeds = 3)]
async fn no_argument() {
    tokio::task::yield_now().await;
}

/// The example of the attribute's documentation.
#[hyperlapse::test(seeds = 100)]
async fn no_count_is_lost(_sim: Sim) {
    let count = Arc::new(Mutex::new(0));
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let count = Arc::clone(&count);
            tokio::spawn(async move { *count.lock().await += 1 })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*count.lock().await, 10);
}

#[hyperlapse::test(seeds = 5..8, strategy = "none", deadline = "1m 30s")]
async fn a_result(_sim: Sim) -> Result<(), std::io::Error> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    Ok(())
}

#[hyperlapse::test(
    seeds = 20,
    workload = AllAtOnce::users(5),
    strategy = "mixed",
    decisions = ["yield", "postpone", "cancel"],
    thresholds = ["response.max <= 300ms", "starts == 5"],
    properties = [ALL_BACK],
    deadline = Duration::from_secs(60),
)]
async fn users_in_code(sim: Sim) {
    borrow(sim).await;
}

#[hyperlapse::test(seeds = 20, workload = "kind = 'all-at-once', users = 5", thresholds = ["completions == 5"])]
async fn users_as_text(sim: Sim) {
    borrow(sim).await;
}

#[hyperlapse::test(
    seeds = 20,
    crate = hyperlapse,
    scenario = r#"
        [workload]
        kind = "constant-users"
        users = 3
        duration = "10s"

        [[faults]]
        kind = "slow"
        site = "work"
        rate = 0.5
        by = "20ms"
    "#
)]
async fn faults_as_text(sim: Sim) {
    borrow(sim).await;
}

#[hyperlapse::test(seeds = 2, isolate)]
async fn a_process_of_its_own(sim: Sim) {
    static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let before = RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(before, 0, "no run sees what another has left in the process");
    borrow(sim).await;
}

#[hyperlapse::test(seeds = 4)]
#[should_panic(expected = "boom 3")]
async fn a_panic_in_a_spawned_task_fails_it(sim: Sim) {
    let seed = sim.seed();
    tokio::spawn(async move { assert!(seed != 3, "boom {seed}") }).await.ok();
}

async fn borrow(sim: Sim) {
    let permits = Arc::new(Semaphore::new(2));
    let held = Arc::new(Mutex::new(0_u32));
    let shared = permits.clone();
    sim.drive(move |user| {
        let (permits, held) = (shared.clone(), held.clone());
        async move {
            let mut operation = user.operation();
            let _permit = permits.acquire().await.unwrap();
            operation.accepted();
            *held.lock().await += 1;
            let work = user.step("work", Duration::from_millis(100)).await.unwrap();
            user.sleep(work).await;
            *held.lock().await -= 1;
            operation.completed();
        }
    })
    .await;
    sim.check(&ALL_BACK, permits.available_permits() == 2);
}
