//! A worker behind a semaphore: never more than three jobs at once, nobody waits too long, and a job that is dropped half-way
//! gives its permit back.
//! `cargo run --example semaphore` prints a report, `cargo test --example semaphore` runs the test.

use std::sync::Arc;
use std::time::Duration;

use hyperlapse::check::{self, CAPACITY_RESTORED, Ledger, NEVER_ABOVE};
use hyperlapse::{ConstantUsers, Sim, User};
use tokio::sync::Semaphore;

/// Does three jobs at once; the others wait for their turn.
struct Worker(Semaphore);

impl Worker {
    async fn run<T>(&self, job: impl Future<Output = T>) -> T {
        let _permit = self.0.acquire().await.expect("nobody closes it");
        job.await
    }
}

/// Ten users for a minute, who ask again a while after their job is done and sometimes go away in the middle of it.
#[hyperlapse::test(
    main,
    workload = ConstantUsers::new(10, Duration::from_secs(60)).pause(Duration::from_millis(200)),
    decisions = ["yield", "postpone", "cancel", "timeout"],
    thresholds = ["queue_wait.p95 < 400ms", "throughput > 10/s"],
    seeds = 64
)]
async fn three_jobs_at_once_and_no_permit_is_lost(sim: Sim) {
    let worker = Arc::new(Worker(Semaphore::new(3)));
    sim.drive_with(&(Arc::clone(&worker), Ledger::new(&sim)), ask).await;
    check::capacity_restored(&sim, &CAPACITY_RESTORED, 3, || worker.0.try_acquire().ok());
}

async fn ask(user: User, (worker, at_work): (Arc<Worker>, Ledger<u32>)) {
    let (mut operation, asked) = (user.operation(), user.sim().now());
    let job = worker.run(async {
        operation.accepted_after(user.sim().now() - asked);
        let _at_work = at_work.holds(user.id());
        check::never_above(user.sim(), &NEVER_ABOVE, &at_work, 3);
        user.sleep(Duration::from_millis(100)).await;
    });
    if user.cancellable("job", job).await.is_some() {
        operation.completed();
    }
}
