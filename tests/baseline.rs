//! The kept baseline: what every scenario of a bare `run` measures on seed 0, as a file that a review can read.
//!
//! When a scenario or the manager changes on purpose it is written anew by
//! `cargo run --release -- run --report baseline=baselines/suite.json`.

use hyperlapse::compare::{ComparedRun, Comparison, Runs, Tolerances};
use hyperlapse::report::compare::{Told, comparison};

const KEPT: &str = "baselines/suite.json";

fn now() -> Vec<ComparedRun> {
    let suite = conversation_load::suite();
    let scenarios = suite.scenarios();
    let by_default = scenarios.iter().filter(|(_, by_default)| *by_default);
    let run = |name: &str| ComparedRun::of(&suite.run(&suite.case(name, None, &[]).unwrap(), 0));
    by_default.map(|(scenario, _)| run(scenario.name())).collect()
}

#[test]
fn nothing_has_moved_since_the_kept_baseline() {
    let kept = Runs::read(KEPT.as_ref()).unwrap_or_else(|error| panic!("{error}"));
    let new = Runs::new("now", None, now()).unwrap();
    let moved = Comparison::of(&kept, &new, &Tolerances::default()).unwrap();
    let same = moved.one_sided.is_empty() && moved.cases.iter().all(|case| case.is_same());
    assert!(
        same,
        "{}\nIf that is on purpose: cargo run --release -- run --report baseline={KEPT}",
        comparison(&moved, Told::default())
    );
}

#[test]
fn a_bot_that_is_slower_or_refuses_more_is_told_beside_the_baseline() {
    let suite = conversation_load::suite();
    let kept = Runs::read(KEPT.as_ref()).unwrap();
    let set = ["manager.max_concurrent=15".parse().unwrap()];
    let run = |name| ComparedRun::of(&suite.run(&suite.case(name, None, &set).unwrap(), 0));
    let new = Runs::new("now", None, vec![run("queue"), run("concurrent-users")]).unwrap();
    let mut tolerances = Tolerances::default();
    tolerances.add("response.p95=5%").unwrap();
    let moved = Comparison::of(&kept, &new, &tolerances).unwrap();
    let worse: Vec<_> = moved
        .cases
        .iter()
        .flat_map(|case| {
            let name = &case.base.scenario;
            let failures = case.failures.iter().filter(|of| of.worse).map(|of| of.name.clone());
            let metrics = case
                .metrics
                .iter()
                .filter(|metric| metric.standing == hyperlapse::compare::Standing::Regression);
            let metrics = metrics.map(|metric| metric.name.clone());
            failures.chain(metrics).map(move |what| format!("{name}: {what}")).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        worse,
        [
            "concurrent-users: completions == 20",
            "concurrent-users: starts.refused == 30",
            "concurrent-users: starts.refused{reason=global limit} == 30",
            "queue: response.p95",
        ]
    );
}
