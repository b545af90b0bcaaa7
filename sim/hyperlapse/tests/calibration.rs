//! What `calibrate` prints of two runs, from records that are written here: the one in virtual time as it is, the one on
//! the real clock made of it.

use std::time::Duration;

use hyperlapse::{
    AGREES_NS, Build, Calibration, Clock, ConstantUsers, Host, LatencyRecord, Memory, Outcome,
    Record, RunOptions, Scenario, Spent, TimerLateness, Trusted, report,
};

const ABOUT: &str = "four users share two permits";

fn simulated() -> Record {
    let load = ConstantUsers::new(4, Duration::from_secs(30)).pause(Duration::from_millis(20));
    let scenario = Scenario::builder("permits", load).build().unwrap();
    let options = RunOptions { system: "semaphore".to_owned(), ..RunOptions::seed(3) };
    let mut record = hyperlapse::run(&scenario, options, |sim| async move {
        let permits = std::sync::Arc::new(tokio::sync::Semaphore::new(2));
        sim.drive(move |user| {
            let permits = permits.clone();
            async move {
                let mut operation = user.operation();
                let asked = user.sim().now();
                let _permit = permits.acquire().await.unwrap();
                operation.accepted_after(user.sim().now() - asked);
                user.sleep(Duration::from_millis(50)).await;
                operation.completed();
            }
        })
        .await;
    });
    record.host = Host::default();
    record.memory = Some(memory(1_000, 41_000, 66_000));
    record
}

fn memory(before: i64, after: i64, peak: i64) -> Memory {
    Memory { before, after, peak, growth: after - before, allocations: 0, series: vec![] }
}

fn later(times: &mut LatencyRecord, by: impl Fn(u64) -> u64) {
    for ns in [&mut times.min_ns, &mut times.max_ns, &mut times.mean_ns] {
        *ns = by(*ns);
    }
    for ns in [&mut times.p50_ns, &mut times.p95_ns, &mut times.p99_ns] {
        *ns = by(*ns);
    }
    times.buckets.iter_mut().for_each(|(ns, _)| *ns = by(*ns));
}

/// The same on the real clock, with times that are later by so much.
fn real(by: impl Fn(u64) -> u64) -> Record {
    let mut record = simulated();
    record.clock = Clock::Real;
    record.memory = Some(memory(20_000_000, 21_500_000, 22_000_000));
    let operations = &mut record.metrics.operations;
    later(&mut operations.response, &by);
    later(&mut operations.service, &by);
    later(&mut operations.queue_wait, &by);
    record.metrics.duration_ns += 900_000_000;
    record.events -= 40;
    let timers = TimerLateness { p50_ns: 1_100_000, p99_ns: 1_900_000, max_ns: 7_300_000 };
    record.host.spent = Some(Spent {
        cpu_user_ns: Some(1_200_000_000),
        cpu_system_ns: Some(300_000_000),
        peak_rss_bytes: Some(22_000_000),
        other_process: false,
        timers,
    });
    record
}

fn told(simulated: &Record, real: &Record) -> (Calibration, String) {
    let found = Calibration::of(simulated, real, 2);
    let text = report::calibration(&found, simulated, ABOUT, "4 users in a loop", false);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    (found, text)
}

#[test]
fn two_runs_that_agree() {
    let (found, text) = told(&simulated(), &real(|ns| ns + 1_500_000));
    assert!(found.holds());
    insta::assert_snapshot!(text);
}

#[test]
fn two_runs_that_do_not_agree_on_a_busy_host() {
    let mut simulated = simulated();
    simulated.set = vec![("workload.users".to_owned(), "4".to_owned())];
    let mut real = real(|ns| ns + ns / 4);
    real.metrics.operations.refused.insert("full".to_owned(), 3);
    real.metrics.operations.requested += 3;
    if let Some(spent) = &mut real.host.spent {
        spent.cpu_user_ns = Some(55_000_000_000);
        spent.other_process = true;
        spent.timers = TimerLateness { p99_ns: 13_560_000, max_ns: 31_400_000, ..spent.timers };
    }
    let (found, text) = told(&simulated, &real);
    assert!(!found.holds());
    insta::assert_snapshot!(text);
    let json = report::calibration_json(&found, &simulated, &real, &Build::of_source("test", "1"));
    let mut json: serde_json::Value = serde_json::from_str(&json).unwrap();
    for machine in ["build", "host"] {
        assert!(json.as_object_mut().unwrap().remove(machine).is_some());
    }
    insta::assert_snapshot!(format!("{json:#}"));
}

#[test]
fn a_run_that_was_cut_off_says_nothing() {
    let mut real = real(|ns| ns);
    real.outcome = Outcome::Interrupted { at_ns: 4_200_000_000 };
    let (found, text) = told(&simulated(), &real);
    assert!(!found.holds());
    insta::assert_snapshot!(text);
}

#[test]
fn a_time_agrees_to_two_milliseconds_and_not_to_one_nanosecond_more() {
    let p50 = |by: u64| {
        let mut real = real(|ns| ns);
        // A queue wait of which two milliseconds are more than a tenth.
        let mut simulated = simulated();
        later(&mut simulated.metrics.operations.queue_wait, |_| 1_000_000);
        later(&mut real.metrics.operations.queue_wait, |_| 1_000_000 + by);
        let found = Calibration::of(&simulated, &real, 2);
        found.figures.into_iter().find(|figure| figure.name == "queue wait p50").unwrap().trusted
    };
    assert_eq!((p50(AGREES_NS), p50(AGREES_NS + 1)), (Trusted::Yes, Trusted::No));
}
