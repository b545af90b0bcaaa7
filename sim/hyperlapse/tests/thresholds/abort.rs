//! A threshold that ends its run.

use std::time::Duration;

use hyperlapse::{
    EventKind, FailureKind, Keep, Outcome, Property, RandomExt, Rate, RunOptions, SeedFile, Sim,
    Standing, Suite, exit,
};

use crate::bot;

#[test]
fn a_count_ends_the_run_at_the_very_event_that_breaks_it() {
    let scenario = bot::with(&[
        "failures <= 2 else abort",
        "completions > 100000",
        "completions == 100000",
        "starts.refused == 0",
        "response.p95 < 10ms",
        "completion_rate == 100%",
        "response{model=none}.p95 < 1s",
    ]);
    let options = RunOptions { keep: Keep::All, ..RunOptions::seed(0) };
    let record = hyperlapse::run(&scenario, options, bot::body);
    let verdict = hyperlapse::Verdict::of(&record, scenario.thresholds());
    let Outcome::Aborted { threshold, at_ns } = &record.outcome else {
        panic!("{:?}", record.outcome)
    };
    assert_eq!(threshold, "failures <= 2 else abort");
    assert_eq!((record.virtual_ns, record.metrics.duration_ns), (*at_ns, *at_ns));
    assert!(*at_ns < 120_000_000_000, "{at_ns}");
    assert_eq!(record.metrics.operations.failed_total(), 3);
    let [.., failed, aborted] = &record.kept_events[..] else { panic!("no events") };
    assert_eq!(failed.kind, EventKind::Failed("model error".into()));
    assert_eq!(aborted.kind, EventKind::Aborted(threshold.clone().into()));
    assert_eq!((failed.at_ns, aborted.at_ns), (*at_ns, *at_ns));

    // What was only cut short is not judged: the others are, on what there was.
    let standings: Vec<Standing> = verdict.thresholds.iter().map(|j| j.standing).collect();
    let (broken, not_judged) = (Standing::Broken, Standing::NotJudged);
    assert_eq!(standings, [broken, not_judged, not_judged, broken, broken, not_judged, not_judged]);
    let failures: Vec<_> = verdict.failures.iter().map(|f| (f.kind, f.name.as_str())).collect();
    assert_eq!(
        failures,
        [
            (FailureKind::Threshold, "failures <= 2 else abort"),
            (FailureKind::Threshold, "starts.refused == 0"),
            (FailureKind::Threshold, "response.p95 < 10ms"),
        ]
    );
    insta::assert_debug_snapshot!(
        verdict.thresholds.iter().map(|j| (&j.threshold, &j.measured)).collect::<Vec<_>>()
    );
}

#[test]
fn a_window_ends_the_run_when_it_ends_even_if_nothing_happens_then() {
    // Nobody does anything for a long time: the window that ends in that time has nothing in it.
    let load = hyperlapse::AllAtOnce::users(2);
    let scenario = hyperlapse::Scenario::builder("quiet", load)
        .threshold("throughput over 5s > 0/s else abort")
        .build()
        .unwrap();
    let record = hyperlapse::run(&scenario, RunOptions::seed(0), |sim| async move {
        sim.sleep(std::time::Duration::from_millis(300)).await;
        sim.drive(|user| async move {
            for seconds in [1, 3_600] {
                let mut operation = user.operation();
                operation.accepted();
                user.sleep(std::time::Duration::from_secs(seconds)).await;
                operation.completed();
            }
        })
        .await;
    });
    // The completions at 1 s fall into hop 2 of 0.5 s: windows up to 6 s have them, that up to 6.5 s has not.
    let threshold = "throughput over 5s > 0/s else abort".to_owned();
    assert_eq!(record.outcome, Outcome::Aborted { threshold, at_ns: 6_800_000_000 });
}

#[test]
fn extremes_end_the_run_and_what_holds_does_not() {
    let (record, verdict) = bot::run(&bot::with(&["response.max < 1s else abort"]), 0);
    assert!(matches!(record.outcome, Outcome::Aborted { .. }), "{:?}", record.outcome);
    assert!(record.metrics.operations.response.max_ns >= 1_000_000_000);
    assert_eq!(verdict.failures.len(), 1, "{:?}", verdict.failures);

    let (record, verdict) = bot::run(
        &bot::with(&[
            "response.max < 1h else abort",
            "response.min > 1ms else abort",
            "response.p95 over 10s after 15s < 1h else abort",
            "tokens < 1000000 else abort",
            "failures{reason=model error, plan=paid} <= 1000 else abort",
        ]),
        0,
    );
    assert_eq!(record.outcome, Outcome::Finished);
    assert!(verdict.passed(), "{:?}", verdict.failures);
    // What may end a run changes nothing in one that it does not end.
    let (plain, _) = bot::run(&bot::with(&[]), 0);
    assert_eq!(record.fingerprint, plain.fingerprint);
}

#[test]
fn what_an_open_model_could_not_do_ends_the_run_at_once() {
    // Ten arrivals a second of 150 ms each for one user: that after 100 ms finds nobody free.
    let load = || {
        hyperlapse::ConstantArrivalRate::new(Rate::per_second(10), Duration::from_millis(4_900))
            .max_users(1)
    };
    let end = |load: hyperlapse::ConstantArrivalRate, threshold: &str| {
        let scenario =
            hyperlapse::Scenario::builder("open", load).threshold(threshold).build().unwrap();
        let record = hyperlapse::run(&scenario, RunOptions::seed(0), |sim| async move {
            sim.drive(|user| async move {
                let mut operation = user.operation();
                operation.accepted();
                user.sleep(Duration::from_millis(150)).await;
                operation.completed();
            })
            .await;
        });
        match record.outcome {
            Outcome::Aborted { at_ns, .. } => Some(Duration::from_nanos(at_ns)),
            _ => None,
        }
    };
    let at = |ms| Some(Duration::from_millis(ms));
    assert_eq!(end(load(), "dropped == 0 else abort"), at(100));
    // The fifth late one (500 ms) begins after five before it: 250 ms late.
    let late = |threshold| end(load().backlog(100), threshold);
    assert_eq!(late("start_delay.max < 250ms else abort"), at(750));
    assert_eq!(late("start_delay.max < 1h else abort"), None);
    assert_eq!(late("dropped == 0 else abort"), None);
    let stopped = load().graceful_stop(Duration::ZERO);
    assert_eq!(end(stopped.clone(), "interrupted == 0 else abort"), at(4_900));
    assert_eq!(end(stopped, "interrupted <= 1 else abort"), None);
}

/// One user in ten is unlucky.
async fn unlucky(sim: Sim, (): ()) {
    sim.drive(|user| async move {
        let mut operation = user.operation();
        operation.accepted();
        user.sleep(Duration::from_millis(100)).await;
        match user.rng("luck").chance(1, 10) {
            true => operation.failed("bad luck"),
            false => operation.completed(),
        }
    })
    .await;
    sim.check(&DONE, true);
}

const DONE: Property = Property::eventually("done", "the body comes to its end");

fn suite() -> Suite<()> {
    Suite::new("unlucky", "0.1.0")
        .system("luck", "there is nothing else to test", |_| ())
        .script("draw", "some fail", &[DONE], unlucky)
        .scenario(
            "draws.toml",
            r#"
            name = "draws"
            script = "draw"
            workload = { kind = "per-user-iterations", users = 8, iterations = 20 }
            thresholds = ["failures == 0 else abort", "completions == 160"]
            "#,
        )
}

fn run(args: &[&str]) -> (u8, String) {
    let mut text = Vec::new();
    let args = [&["unlucky"], args].concat();
    let code = suite().main_with(args.into_iter().map(Into::into), &mut text);
    let text = String::from_utf8(text).unwrap();
    let told = |line: &&str| !line.contains("wall time") && !line.starts_with("note: ");
    (code, text.lines().filter(told).collect::<Vec<_>>().join("\n"))
}

#[test]
fn an_aborted_run_is_told_shrunk_explained_and_replayed_like_any_other_failure() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let (code, text) = run(&["run", "draws", "--seed", "3", "--out", out]);
    assert_eq!(code, exit::FAILED);
    let file = folder.path().join("draws-luck-seed-3.toml");
    let (again, replayed) = run(&["replay", file.to_str().unwrap()]);
    assert_eq!(again, exit::FAILED);
    assert!(replayed.contains("reproduced: the same failure by the same"), "{replayed}");
    let shrunk = folder.path().join("draws-luck-seed-3-shrunk.toml");
    let seed_file = SeedFile::read(&shrunk).unwrap();
    let case = suite().replay_case(&seed_file).unwrap();
    let finished = suite().run(&case, seed_file.seed);
    assert_eq!(finished.record.fingerprint, seed_file.fingerprint);
    assert!(matches!(finished.record.outcome, Outcome::Aborted { .. }));
    assert_eq!(finished.record.metrics.operations.requested, 1, "one unlucky draw is enough");

    let told = text.replace(out, "[out]");
    let told = told.lines().filter(|line| !line.trim_start().starts_with("memory "));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"));
}
