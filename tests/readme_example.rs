//! The example of the README: `readme.rs` holds the two to the same text.

use std::sync::Arc;
use std::time::Duration;

use hyperlapse::{AllAtOnce, RunOptions, Scenario, Verdict};
use tokio::sync::Semaphore;

#[test]
fn five_users_share_two_permits() {
    let scenario = Scenario::builder("permits", AllAtOnce::users(5))
        .threshold("response.max <= 300ms")
        .threshold("completions == 5")
        .build()
        .unwrap();
    let record = hyperlapse::run(&scenario, RunOptions::seed(7), |sim| async move {
        let permits = Arc::new(Semaphore::new(2));
        sim.drive(move |user| {
            let permits = permits.clone();
            async move {
                let mut operation = user.operation();
                let _permit = permits.acquire().await.unwrap();
                operation.accepted();
                user.sleep(Duration::from_millis(100)).await;
                operation.completed();
            }
        })
        .await;
    });
    let verdict = Verdict::of(&record, scenario.thresholds());
    assert!(verdict.passed(), "{:?}", verdict.failures);
}
