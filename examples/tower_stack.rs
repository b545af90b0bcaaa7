//! A tower stack (concurrency limit, retry, timeout) in front of a service that fails and hangs as the scenario says. What it
//! promises are thresholds: with the timeout around the retries they do not hold.
//! `cargo run --example tower_stack` prints a report, `cargo test --example tower_stack` runs the test.

use std::future::{Ready, ready};
use std::time::Duration;

use hyperlapse::{PerUserIterations, Sim, User};
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, retry::Policy};

/// So many attempts are left.
#[derive(Clone)]
struct Attempts(u32);

impl<R: Clone, T> Policy<R, T, BoxError> for Attempts {
    type Future = Ready<()>;
    fn retry(&mut self, _: &mut R, result: &mut Result<T, BoxError>) -> Option<Ready<()>> {
        self.0 -= 1;
        (result.is_err() && self.0 > 0).then(|| ready(()))
    }

    fn clone_request(&mut self, request: &R) -> Option<R> {
        Some(request.clone())
    }
}

/// An answer takes 20 ms.
async fn flaky(sim: Sim) -> Result<(), BoxError> {
    let takes = sim.step("shop", Duration::from_millis(20)).await?;
    sim.sleep(takes).await;
    Ok(())
}

async fn ask(user: User, stack: impl Service<Sim, Error = BoxError>) {
    let mut operation = user.operation();
    operation.accepted();
    match stack.oneshot(user.sim().clone()).await {
        Ok(_) => operation.completed(),
        Err(error) => operation.failed(error.to_string()),
    }
}

#[hyperlapse::test(
    main,
    workload = PerUserIterations::new(8, 25),
    scenario = r#"faults = [
        { kind = "error", site = "shop", rate = 0.1 },
        { kind = "stall", site = "shop", rate = 0.1 },
    ]"#,
    thresholds = ["completion_rate > 95%", "response.max < 600ms"]
)]
async fn errors_and_hangs_are_retried_in_time(sim: Sim) {
    let stack = ServiceBuilder::new()
        .concurrency_limit(4)
        .retry(Attempts(3))
        .timeout(Duration::from_millis(100))
        .service_fn(flaky);
    sim.drive_with(&stack, ask).await;
}
