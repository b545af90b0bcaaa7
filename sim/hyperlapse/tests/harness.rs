//! A suite made of data, as a test binary: `cargo test --test harness` runs each of its scenarios.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use hyperlapse::{Property, Sim, Suite};
use tokio::sync::Semaphore;

const ALL_BACK: Property = Property::eventually("all back", "every permit is given back");

async fn borrow(sim: Sim, permits: Arc<Semaphore>) {
    let shared = Arc::clone(&permits);
    sim.drive(move |user| {
        let permits = Arc::clone(&shared);
        async move {
            let mut operation = user.operation();
            let _permit = permits.acquire().await.unwrap();
            operation.accepted();
            user.sleep(Duration::from_millis(10)).await;
            operation.completed();
        }
    })
    .await;
    sim.check(&ALL_BACK, permits.available_permits() == 2);
}

fn suite() -> Suite<Arc<Semaphore>> {
    Suite::new("permits", "0.1.0")
        .system("semaphore", "two permits of tokio", |_| Arc::new(Semaphore::new(2)))
        .system("closed", "nobody is let in", |_| {
            let permits = Semaphore::new(2);
            permits.close();
            Arc::new(permits)
        })
        .script("borrow", "takes a permit and gives it back", &[ALL_BACK], borrow)
        .scenario(
            "crowd.toml",
            r#"
            name = "crowd"
            script = "borrow"
            strategy = "random"
            decisions = ["yield", "postpone"]
            workload = { kind = "all-at-once", users = 20 }
            thresholds = ["completions == 20"]
        "#,
        )
        .scenario_on_demand(
            "closed.toml",
            r#"
            name = "closed"
            system = "closed"
            script = "borrow"
            workload = { kind = "all-at-once", users = 2 }
        "#,
        )
}

fn main() -> ExitCode {
    suite().tests(0..50)
}
