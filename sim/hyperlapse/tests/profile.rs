//! Where the time of a run goes, against what its scenario makes of it.

use std::time::Duration;

use hyperlapse::{ConstantUsers, Record, RunOptions, Scenario, Sim};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

async fn work(sim: Sim) {
    sim.drive(|user| async move {
        let mut operation = user.operation();
        user.sleep(ms(10)).await;
        operation.accepted();
        let takes = user.step("work", ms(20)).await.expect("no fault of this scenario is an error");
        user.sleep(takes).await;
        operation.completed();
    })
    .await;
}

fn profiled(scenario: &Scenario) -> Record {
    let options = |profile| RunOptions { profile, ..RunOptions::seed(1) };
    let plain = hyperlapse::run(scenario, options(false), work);
    let record = hyperlapse::run(scenario, options(true), work);
    assert_eq!(record.fingerprint, plain.fingerprint, "looking changes nothing of a run");
    assert_eq!(plain.profile, None, "only who asks for it pays for it");
    record
}

#[test]
fn users_time_is_told_by_kind_and_adds_up_to_their_stay() {
    let load = ConstantUsers::new(4, ms(1_000)).pause(ms(70));
    let scenario = Scenario::builder("kinds", load).kind("a", 3).kind("b", 1).build().unwrap();
    let profile = profiled(&scenario).profile.unwrap();
    for (kind, users) in [("a", 3), ("b", 1)] {
        let of = profile.users[kind];
        // Ten rounds of 10 ms, 20 ms and 70 ms.
        let expected = [users * 100, users * 200, users * 700].map(|ms| ms * 1_000_000);
        assert_eq!([of.waiting_ns, of.operating_ns, of.idle_ns], expected, "{kind}");
        assert_eq!(of.held_up_ns, 0);
    }
}

#[test]
fn what_faults_hold_up_is_counted() {
    let text = "
        name = 'stalls'
        script = 'work'
        workload = { kind = 'per-user-iterations', users = 5, iterations = 10 }

        [[faults]]
        kind = 'stall'
        site = 'work'
        rate = 1.0
        times = 4
    ";
    let suite = hyperlapse::Suite::new("profile", "1.0.0")
        .system("nothing", "no system at all", |_| ())
        .script("work", "waits and works", &[], |sim, ()| work(sim))
        .scenario("stalls.toml", text);
    let case = suite.case("stalls", None, &[]).unwrap();
    let profile = suite.profile(&case, 3).record.profile.unwrap();
    let of = profile.users["users"];
    assert!(of.held_up_ns > 0, "every visit is a stall: {of:?}");
    // 50 operations of 20 ms, and what they were held up.
    assert_eq!(of.operating_ns, 50 * 20_000_000 + of.held_up_ns);
}

#[cfg(tokio_unstable)]
#[test]
fn tasks_are_counted_by_where_they_were_spawned() {
    async fn spawning(sim: Sim) {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            operation.accepted();
            let task = tokio::spawn(async {
                tokio::time::sleep(ms(5)).await;
                tokio::time::sleep(ms(5)).await;
            });
            task.await.unwrap();
            operation.completed();
        })
        .await;
    }
    let scenario =
        Scenario::builder("tasks", hyperlapse::PerUserIterations::new(3, 4)).build().unwrap();
    let options = RunOptions { profile: true, ..RunOptions::seed(0) };
    let record = hyperlapse::run(&scenario, options, spawning);
    let tasks = record.profile.unwrap().tasks;
    let (place, own) = tasks.iter().find(|(place, _)| place.contains("profile.rs")).unwrap();
    assert!(place.contains("hyperlapse/tests/profile.rs:"), "{place}");
    // Twelve tasks: polled first, then after each of two sleeps.
    assert_eq!((own.tasks, own.polls, own.wakes), (12, 36, 24));
    let users = &tasks["virtual users"];
    // Three users: polled first, then once after each of their four tasks.
    assert_eq!((users.tasks, users.polls, users.wakes), (3, 15, 12));
    assert!(own.cpu_ns > 0 && users.cpu_ns > 0, "the host's clock was looked at");
}
