//! A load test of somebody else's system: the connection pool bb8, under users who sometimes give up.
//!
//! `cargo run --release --example pool` prints the report; `cargo test --example pool` runs it as a test.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bb8::{ManageConnection, Pool};
use hyperlapse::report::{self, Detail};
use hyperlapse::{ConstantUsers, Distribution, Finished, Property, RunOptions, Scenario, Verdict};

const NEVER_ABOVE_FOUR: Property =
    Property::always("never above four", "no more than four connections are in use");
const ALL_BACK: Property =
    Property::eventually("all back", "when all have left, no connection is in use");

/// Opens connections in ten virtual milliseconds.
struct Connections;

impl ManageConnection for Connections {
    type Connection = ();
    type Error = Infallible;

    async fn connect(&self) -> Result<(), Infallible> {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok(())
    }

    async fn is_valid(&self, _: &mut ()) -> Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, _: &mut ()) -> bool {
        false
    }
}

/// Ten users for a minute; each query takes 20 to 80 ms.
fn scenario() -> Scenario {
    let think = Distribution::Exponential(Duration::from_millis(100));
    Scenario::builder("pool", ConstantUsers::new(10, Duration::from_secs(60)).pause(think))
        .about("ten users share four connections of bb8 for a minute")
        .operation("query")
        .threshold("completion_rate == 100%")
        .threshold("queue_wait.p95 < 200ms")
        .threshold("throughput > 40/s")
        .build()
        .expect("the scenario is right")
}

fn run(scenario: &Scenario, seed: u64) -> Finished {
    let options = RunOptions { system: "bb8".to_owned(), ..RunOptions::seed(seed) };
    let record = hyperlapse::run(scenario, options, |sim| async move {
        // The pool measures with std's clock when it reaps; without a reaper it is all virtual.
        let pool = Pool::builder().max_size(4).max_lifetime(None).idle_timeout(None);
        let pool = pool.build(Connections).await.expect("connecting cannot fail");
        let in_use = Arc::new(AtomicU32::new(0));
        let users = Arc::clone(&in_use);
        sim.drive(move |user| query(user, pool.clone(), Arc::clone(&users))).await;
        sim.check(&ALL_BACK, in_use.load(Ordering::Relaxed) == 0);
    });
    let verdict = Verdict::of(&record, scenario.thresholds());
    Finished { record, verdict }
}

async fn query(user: hyperlapse::User, pool: Pool<Connections>, in_use: Arc<AtomicU32>) {
    let mut operation = user.operation();
    let asked = user.sim().now();
    let Ok(connection) = pool.get().await else { return operation.refused("timed out") };
    operation.accepted_after(user.sim().now() - asked);
    let now_in_use = in_use.fetch_add(1, Ordering::Relaxed) + 1;
    user.sim().check(&NEVER_ABOVE_FOUR, now_in_use <= 4);
    let work = Distribution::Uniform(Duration::from_millis(20), Duration::from_millis(80));
    user.sleep(work.sample(&mut user.rng("work"))).await;
    in_use.fetch_sub(1, Ordering::Relaxed);
    drop(connection);
    operation.completed();
}

fn main() {
    let scenario = scenario();
    let load = scenario.workload().describe();
    let detail = Detail { memory: false, coloured: false };
    print!("{}", report::run(&run(&scenario, 7), scenario.about(), &load, detail));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_holds_on_many_seeds_and_repeats_itself() {
        let scenario = scenario();
        for seed in 0..20 {
            let finished = run(&scenario, seed);
            assert_eq!(finished.verdict.failures, [], "seed {seed}");
        }
        assert_eq!(run(&scenario, 7).record.fingerprint, run(&scenario, 7).record.fingerprint);
        assert_ne!(run(&scenario, 7).record.fingerprint, run(&scenario, 8).record.fingerprint);
    }
}
