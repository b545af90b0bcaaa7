//! A bug and its fix side by side: an export of which one may run at a time, and clients who go away in the middle of it.
//! `cargo run --example bug_and_fix` shows what is found of the bug, and that the fix holds; `cargo test --example bug_and_fix`
//! asserts both.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use hyperlapse::{AllAtOnce, Sim, Test};
use tokio::{sync::Mutex, time::sleep};

/// The bug: a client who goes away leaves the flag up, for ever.
async fn by_hand(running: Arc<AtomicBool>) -> bool {
    if running.swap(true, SeqCst) {
        return false;
    }
    sleep(Duration::from_millis(100)).await;
    running.store(false, SeqCst);
    true
}

/// The fix: a guard goes with its client.
async fn by_lock(running: Arc<Mutex<()>>) -> bool {
    let Ok(_running) = running.try_lock() else { return false };
    sleep(Duration::from_millis(100)).await;
    true
}

async fn clients_go_away<S, F>(sim: Sim, export: fn(Arc<S>) -> F)
where
    S: Default + Send + Sync + 'static,
    F: Future<Output = bool> + Send + 'static,
{
    let running = Arc::new(S::default());
    sim.drive_with(&running, move |user, running| async move {
        user.cancellable("export", export(running)).await;
    })
    .await;
    assert!(export(running).await, "nobody exports, and it says that somebody does");
}

#[hyperlapse::test(workload = AllAtOnce::users(3), decisions = ["cancel"])]
#[should_panic(expected = "nobody exports, and it says that somebody does")]
async fn the_bug(sim: Sim) {
    clients_go_away(sim, by_hand).await;
}

#[hyperlapse::test(workload = AllAtOnce::users(3), decisions = ["cancel"])]
async fn the_fix(sim: Sim) {
    clients_go_away(sim, by_lock).await;
}

fn main() {
    let test = |name| Test::new(name).workload(AllAtOnce::users(3)).decisions(["cancel"]);
    println!("{}\n", test("the_bug").check(|sim| clients_go_away(sim, by_hand)).unwrap_err());
    println!("the_fix: {}", test("the_fix").check(|sim| clients_go_away(sim, by_lock)).unwrap());
}
