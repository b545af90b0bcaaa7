//! Breaking points of systems that are not well behaved: verdicts that go up and down, bounds on both sides, loads that
//! cannot be run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyperlapse::{InputError, Limit, LimitOptions, LoadValue, Sim, Suite, report};

/// Serves a start unless so many are there that it breaks.
type System = Arc<dyn Fn(u64) -> bool + Send + Sync>;

async fn crowd(sim: Sim, breaks: System) {
    let present = Arc::new(AtomicU64::new(0));
    let users = present.clone();
    sim.drive(move |user| {
        let (present, breaks) = (users.clone(), breaks.clone());
        async move {
            present.fetch_add(1, Ordering::Relaxed);
            let mut operation = user.operation();
            user.sleep(Duration::from_millis(10)).await;
            operation.accepted();
            if user.id() == 0 && breaks(present.load(Ordering::Relaxed)) {
                return operation.failed("too much");
            }
            operation.completed();
        }
    })
    .await;
}

fn suite(breaks: impl Fn(u64) -> bool + Send + Sync + 'static) -> Suite<System> {
    let system: System = Arc::new(breaks);
    Suite::new("crowds", "0.1.0")
        .system("crowd", "breaks at the loads that it is told", move |_| system.clone())
        .script("crowd", "users at once", &[], crowd)
        .scenario(
            "crowd.toml",
            r#"
                name = "crowd"
                script = "crowd"
                workload = { kind = "all-at-once", users = 10 }
                thresholds = ["failures == 0"]
            "#,
        )
        .scenario(
            "window.toml",
            r#"
                name = "window"
                script = "crowd"
                workload = { kind = "all-at-once", users = 100 }
                thresholds = ["failures == 0", "throughput > 4500/s"]
            "#,
        )
}

fn limit(suite: &Suite<System>, scenario: &str, options: LimitOptions) -> Limit {
    let case = suite.case(scenario, None, &[]).unwrap();
    suite.limit(&case, &options).unwrap()
}

fn from(load: u64) -> LimitOptions {
    LimitOptions { from: Some(load.to_string()), seeds: 0..1, ..LimitOptions::default() }
}

fn values(loads: &[LoadValue]) -> Vec<u64> {
    loads.iter().map(|load| load.value).collect()
}

#[test]
fn a_load_that_holds_above_one_that_breaks_is_told() {
    let suite = suite(|users| users == 50 || users > 51);
    let limit = limit(&suite, "crowd", from(10));
    assert_eq!(limit.holds.as_ref().unwrap().value, 49);
    assert_eq!(values(&limit.holds_above), [51]);
    insta::assert_snapshot!(report::limit(&limit, "", None, false));
}

#[test]
fn a_load_that_breaks_just_below_one_that_holds_is_the_point() {
    // The search from 20 ends at 40; its neighbour breaks.
    let suite = suite(|users| users == 39 || users > 40);
    let limit = limit(&suite, "crowd", from(20));
    assert_eq!(limit.holds.as_ref().unwrap().value, 38);
    assert_eq!(limit.breaks.as_ref().unwrap().value, 39);
    assert_eq!(values(&limit.holds_above), [40]);
}

#[test]
fn what_holds_between_too_little_and_too_much_is_found() {
    // Of 10 ms: more than 45 users for the throughput, at most 55.
    let suite = suite(|users| users > 55);
    for start in [1, 10, 50, 100, 700] {
        let limit = limit(&suite, "window", from(start));
        assert_eq!(limit.holds.as_ref().map(|load| load.value), Some(55), "from {start}");
        assert_eq!(limit.breaks.as_ref().map(|load| load.value), Some(56), "from {start}");
    }
}

#[test]
fn the_bound_of_a_search_is_a_load_that_can_be_run() {
    // 1,024 times this many users would be more than a run can have.
    let suite = suite(|_| false);
    let limit =
        limit(&suite, "crowd", LimitOptions { to: Some("20000".to_owned()), ..from(20_000) });
    assert_eq!(limit.holds.unwrap().value, 20_000);
    let case = suite.case("crowd", None, &[]).unwrap();
    let options = LimitOptions { to: Some("99000000".to_owned()), ..from(10) };
    insta::assert_snapshot!(suite.limit(&case, &options).unwrap_err());
}

#[test]
fn what_cannot_be_searched_is_said_before_anything_runs() {
    let suite = suite(|_| unreachable!("nothing runs"));
    let error = |options: LimitOptions, set: &[&str]| -> InputError {
        let set: Vec<_> = set.iter().map(|set| set.parse().unwrap()).collect();
        let case = suite.case("crowd", None, &set).unwrap();
        suite.limit(&case, &options).unwrap_err()
    };
    let vary = |path: &str| LimitOptions { vary: Some(path.to_owned()), ..LimitOptions::default() };
    let text = |text: &str| Some(text.to_owned());
    let errors = [
        error(vary("usrs"), &[]),
        error(vary("workload.usrs"), &[]),
        error(vary("workload.kind"), &[]),
        error(vary("thresholds"), &[]),
        error(vary("deadline"), &[]),
        error(LimitOptions { from: text("1m"), ..vary("workload.usrs") }, &[]),
        error(LimitOptions { from: text("many"), ..LimitOptions::default() }, &[]),
        error(LimitOptions { from: text("10/s"), ..LimitOptions::default() }, &[]),
        error(LimitOptions { from: text("0"), ..LimitOptions::default() }, &[]),
        error(LimitOptions { to: text("9"), ..LimitOptions::default() }, &[]),
        error(LimitOptions { to: text("11"), lower: true, ..LimitOptions::default() }, &[]),
        error(LimitOptions { tolerance: text("20%"), ..LimitOptions::default() }, &[]),
        error(LimitOptions { tolerance: text("5ms"), ..LimitOptions::default() }, &[]),
        error(LimitOptions { seeds: 3..3, ..LimitOptions::default() }, &[]),
    ];
    insta::assert_snapshot!(errors.map(|error| error.to_string()).join("\n\n"));
}

#[test]
fn a_threshold_over_a_sweep_is_said_to_be_left_out() {
    let suite = suite(|users| users > 20);
    let set = r#"thresholds=["failures == 0", "response.p95 worst of seeds < 1ms"]"#;
    let case = suite.case("crowd", None, &[set.parse().unwrap()]).unwrap();
    for all_thresholds in [false, true] {
        let limit = suite.limit(&case, &LimitOptions { all_thresholds, ..from(10) }).unwrap();
        assert_eq!(limit.holds.unwrap().value, 20);
        let ignored: Vec<_> = limit.ignored.iter().map(|one| &*one.threshold).collect();
        assert_eq!(ignored, ["response.p95 worst of seeds < 1ms"]);
    }
}
