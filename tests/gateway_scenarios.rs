//! The load suite on the gateway of production: a host of its own, SQLite on a simulated disk, users over HTTP.
#![cfg(tokio_unstable)]

use hyperlapse::{Outcome, Record, Verdict};

fn run(scenario: &str, set: &[&str], seed: u64) -> (Record, Verdict) {
    let suite = conversation_load::suite();
    let set: Vec<_> = set.iter().map(|set| set.parse().unwrap()).collect();
    let case = suite.case(scenario, Some("gateway"), &set).unwrap();
    let finished = suite.run(&case, seed);
    (finished.record, finished.verdict)
}

/// All of the guide's, sustained at a tenth of its length.
const SCENARIOS: [(&str, &[&str]); 10] = [
    ("concurrent-users", &[]),
    ("sustained", &["workload.duration=30s", "thresholds=[]"]),
    ("bursts", &[]),
    ("mixed", &[]),
    ("global-limit", &[]),
    ("user-limit", &[]),
    ("rapid-cycles", &[]),
    ("queue", &[]),
    ("idle-users", &[]),
    ("drain", &[]),
];

#[test]
fn every_scenario_of_the_suite_holds_on_the_gateway_and_repeats_itself() {
    for (scenario, set) in SCENARIOS {
        let (record, verdict) = run(scenario, set, 3);
        assert!(verdict.passed(), "{scenario}: {:?}", verdict.failures);
        assert_eq!(record.outcome, Outcome::Finished, "{scenario}");
        assert_eq!(run(scenario, set, 3).0.fingerprint, record.fingerprint, "{scenario}");
    }
}

#[test]
fn a_crash_in_the_midst_loses_nothing_that_was_acknowledged_and_no_conversation() {
    let crashes = r#"faults=[{kind="crash",site="server",rate=0.01,at_most=2,by="1s"}]"#;
    let set = ["workload.duration=10s", r#"thresholds=["completion_rate == 100%"]"#, crashes];
    let mut struck = 0;
    for seed in 0..10 {
        let (record, verdict) = run("sustained", &set, seed);
        // What each conversation remembers in the end is compared with what its user was told is stored.
        assert!(verdict.passed(), "seed {seed}: {:?}", verdict.failures);
        assert!(record.metrics.operations.completed > 100);
        struck += record.faults["crash at server"].struck;
        assert_eq!(run("sustained", &set, seed).0.fingerprint, record.fingerprint, "seed {seed}");
    }
    assert!(struck >= 10, "{struck} crashes");
}

#[test]
fn distance_is_time() {
    let fast = run("concurrent-users", &["network.latency=1ms"], 0).0;
    let slow = run("concurrent-users", &["network.latency=20ms"], 0).0;
    let max = |record: &Record| record.metrics.operations.response.max_ns / 1_000_000;
    // A connection, a start, two turns, what was said (two pages) and the end: seven times there and back.
    assert_eq!((max(&fast), max(&slow)), (100 + 7 * 2, 100 + 7 * 40));
}
