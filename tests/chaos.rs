//! The gateway of production while its network, disk, host and clock fail: every scenario of chaos over some seeds, on every
//! change. `CHAOS_SEEDS` is how many; a nightly run has ten thousand of each.
#![cfg(tokio_unstable)]

use std::collections::BTreeMap;

use hyperlapse::Outcome;

fn seeds() -> u64 {
    let said = std::env::var("CHAOS_SEEDS").ok();
    said.map_or(12, |seeds| seeds.parse().expect("CHAOS_SEEDS is a number of seeds"))
}

/// Half of the scenarios, for two threads.
fn holds(half: usize) {
    let suite = conversation_load::suite();
    for name in conversation_load::chaos().skip(half).step_by(2) {
        let case = suite.case(name, None, &[]).unwrap();
        let mut struck = BTreeMap::<String, u64>::new();
        for seed in 0..seeds() {
            let finished = suite.run(&case, seed);
            let (record, verdict) = (&finished.record, &finished.verdict);
            assert_eq!(record.outcome, Outcome::Finished, "{name}, seed {seed}");
            assert!(verdict.passed(), "{name}, seed {seed}: {:?}", verdict.failures);
            for (fault, of) in &record.faults {
                *struck.entry(fault.clone()).or_default() += of.struck;
            }
        }
        for (fault, times) in struck {
            assert!(times > 0, "{name}: {fault} never struck");
        }
    }
}

#[test]
fn what_was_promised_holds_whatever_fails() {
    holds(0);
}

#[test]
fn what_was_promised_holds_whatever_else_fails() {
    holds(1);
}

#[test]
fn chaos_repeats_itself() {
    let suite = conversation_load::suite();
    for name in conversation_load::chaos() {
        let case = suite.case(name, None, &[]).unwrap();
        let fingerprint = || suite.run(&case, 7).record.fingerprint;
        assert_eq!(fingerprint(), fingerprint(), "{name}");
    }
}

#[test]
fn a_store_whose_syncs_lie_is_caught() {
    let suite = conversation_load::suite();
    let lies = r#"faults=[{kind="lie",site="server.sync",rate=1.0},{kind="crash",site="server",rate=0.02,at_most=3,between=["0s","10s"]}]"#;
    let case = suite.case("crash-loop", None, &[lies.parse().unwrap()]).unwrap();
    let caught = (0..10).find(|seed| {
        let failures = suite.run(&case, *seed).verdict.failures;
        failures.iter().any(|failure| failure.name == "nothing acknowledged is lost")
    });
    assert!(caught.is_some(), "disks that keep nothing were not found out in ten seeds");
}

#[test]
fn clients_without_jitter_come_back_together_and_those_with_it_do_not() {
    let suite = conversation_load::suite();
    // What the one promises, the other breaks.
    for (name, together) in [("retries-without-jitter", true), ("retries-with-jitter", false)] {
        let asked = r#"thresholds=["retried_at_once.max >= 20"]"#.parse().unwrap();
        let case = suite.case(name, None, &[asked]).unwrap();
        for seed in 0..5 {
            assert_eq!(suite.run(&case, seed).verdict.passed(), together, "{name}, seed {seed}");
        }
    }
}
