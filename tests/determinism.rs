//! Same scenario, seed and source: the same bytes, whatever runs beside and wherever it runs.

use std::fmt::Write as _;
use std::process::Command;

use hyperlapse::decision::StrategyChoice;
use hyperlapse::{Finished, report};
use serde_json::Value;

/// The runs of all scenarios as JSON, without what is the host's or one build's.
fn runs(seed: u64) -> Vec<String> {
    let suite = conversation_load::suite();
    let run = |name: &str| without_host(&suite.run(&suite.case(name, None, &[]).unwrap(), seed));
    suite.scenarios().iter().map(|(scenario, _)| run(scenario.name())).collect()
}

fn without_host(finished: &Finished) -> String {
    let mut run: Value = serde_json::from_str(&report::json::run(finished, None)).unwrap();
    let fields = run.as_object_mut().unwrap();
    assert!(fields.remove("host").is_some() && fields.remove("memory").is_some());
    run.to_string()
}

#[test]
fn the_same_seed_gives_the_same_bytes_twice_in_one_process() {
    assert_eq!(runs(7), runs(7));
}

#[test]
fn runs_side_by_side_do_not_see_each_other() {
    let alone = runs(7);
    let together: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| runs(7))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(together.iter().all(|runs| *runs == alone));
}

#[test]
fn a_bent_run_is_as_repeatable_as_a_plain_one() {
    let suite = conversation_load::suite();
    let mut bent = 0;
    for name in ["queue", "drain", "rapid-cycles", "panicking-users"] {
        let mut case = suite.case(name, None, &[]).unwrap();
        case.strategy = Some(StrategyChoice::Random);
        for seed in 0..4 {
            let first = suite.run(&case, seed);
            assert_eq!(first.verdict.failures, [], "{name} with seed {seed}");
            assert_eq!(
                without_host(&first),
                without_host(&suite.run(&case, seed)),
                "{name}, {seed}"
            );
            bent += usize::from(first.record.decisions_total > 0);
        }
    }
    assert!(bent > 8, "only {bent} of 16 runs were bent at all");
}

/// Heap bytes too are the same within one build.
#[test]
fn memory_is_exact_within_one_build() {
    let suite = conversation_load::suite();
    for name in ["concurrent-users", "sustained", "queue"] {
        let case = suite.case(name, None, &[]).unwrap();
        assert_eq!(suite.run(&case, 7).record.memory, suite.run(&case, 7).record.memory, "{name}");
    }
}

/// This test in another process, which prints what it gets.
#[test]
fn the_same_seed_gives_the_same_bytes_in_another_process() {
    const PRINT: &str = "HYPERLAPSE_TEST_PRINT";
    let here = runs(7).join("\n");
    if std::env::var_os(PRINT).is_some() {
        println!("<<<{here}>>>");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let name = "the_same_seed_gives_the_same_bytes_in_another_process";
    let output =
        Command::new(this).args([name, "--nocapture", "--exact"]).env(PRINT, "1").output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let there = output.split_once("<<<").and_then(|(_, rest)| rest.split_once(">>>")).unwrap().0;
    assert_eq!(here, there);
}

/// Kept as a snapshot, so that every machine must come to the same fingerprints. `.ci/run` holds the command of a release build
/// to that of a debug build.
#[test]
fn fingerprints_are_the_same_in_every_build() {
    let suite = conversation_load::suite();
    let mut table = String::new();
    for (scenario, _) in suite.scenarios() {
        // Without tokio's hooks fewer polls are asked about: a bent run is another one.
        if *scenario.strategy() != StrategyChoice::None {
            continue;
        }
        let finished = suite.run(&suite.case(scenario.name(), None, &[]).unwrap(), 7);
        let json = twox_hash::XxHash3_64::oneshot(without_host(&finished).as_bytes());
        let fingerprint = finished.record.fingerprint;
        writeln!(table, "{:<18} events {fingerprint}  record {json:016x}", scenario.name())
            .unwrap();
    }
    insta::assert_snapshot!(table);
}
