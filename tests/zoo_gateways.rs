//! The gateways of the zoo: each mistake is found by a scenario of what may fail, and it is the mistake that is found.
#![cfg(tokio_unstable)]

use std::fmt::Write as _;
use std::path::Path;

use conversation_load::zoo::GATEWAYS;
use hyperlapse::{Effort, Failure, FailureKind, RunOptions, SeedFile};

/// So many runs come up to the first that fails, at most.
const FOUND_WITHIN: u64 = 20;

/// What was promised and seen not to hold. Of the load that is left after shrinking, thresholds on how much there was say
/// nothing, and neither do properties that nobody came to check.
fn broken_promises(failures: Vec<Failure>) -> Vec<Failure> {
    let is_promise = |f: &Failure| f.kind != FailureKind::Threshold && f.message != "never checked";
    failures.into_iter().filter(is_promise).collect()
}

#[test]
fn every_mistake_is_found_by_its_scenario_where_the_gateway_without_it_passes() {
    let suite = conversation_load::suite();
    let mut table = String::new();
    for broken in GATEWAYS {
        let case = suite.case(broken.scenario, Some(broken.name), &[]).unwrap();
        let healthy = suite.case(broken.scenario, None, &[]).unwrap();
        assert_eq!(healthy.system, "gateway");
        let found = (0..FOUND_WITHIN).find_map(|seed| {
            let failures = suite.run(&case, seed).verdict.failures;
            let failure = failures.into_iter().find(|f| f.kind == FailureKind::Property)?;
            assert_eq!(suite.run(&healthy, seed).verdict.failures, [], "seed {seed}");
            Some((seed, failure))
        });
        let Some((seed, failure)) = found else {
            panic!("{} is not found in {FOUND_WITHIN} seeds of {}", broken.name, broken.scenario);
        };
        writeln!(table, "{}: {}, seed {seed}", broken.name, broken.scenario).unwrap();
        writeln!(table, "  {}: {}", failure.name, failure.message).unwrap();
    }
    insta::assert_snapshot!(table);
}

/// What is kept of each is what its mistake takes, and nothing that any gateway would fail at.
#[test]
fn the_gateway_without_the_mistake_passes_what_is_kept_of_each() {
    let suite = conversation_load::suite();
    for broken in GATEWAYS {
        let name = format!("seeds/zoo-{}.toml", broken.name);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&name);
        let seed_file = SeedFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert!(seed_file.decisions.len() <= 5, "{name}: {:?}", seed_file.decisions);
        let mut case = suite.replay_case(&seed_file).unwrap();
        assert_eq!(case.system, broken.name);
        let kept = suite.run(&case, seed_file.seed).verdict.failures;
        assert!(kept.iter().any(|failure| failure.name == seed_file.failure.name), "{name}");
        case.system = "gateway".to_owned();
        let failures = suite.run(&case, seed_file.seed).verdict.failures;
        let promises = broken_promises(failures);
        assert_eq!(promises, [], "{name} on the gateway without the mistake");
    }
}

/// Shrunk from the whole run, and held against the gateway without the mistake at each step.
#[test]
fn what_is_shrunk_of_a_broken_gateway_is_passed_by_the_healthy_one() {
    let suite = conversation_load::suite();
    let broken = GATEWAYS.iter().find(|g| g.name == "gateway-unchecked-token").unwrap();
    let case = suite.case(broken.scenario, Some(broken.name), &[]).unwrap();
    let options = RunOptions::seed(0);
    let shrunk = suite.shrink(&case, options, None, Effort::default(), &mut |_| {}).unwrap();
    let (before, after) = shrunk.sizes;
    assert!(before.decisions > 50 && after.decisions == 0, "{before:?} {after:?}");
    assert!(after.users <= 1 && after.iterations <= 1, "{after:?}");
    let mut case = shrunk.case;
    case.system = "gateway".to_owned();
    assert_eq!(broken_promises(suite.run(&case, 0).verdict.failures), []);
}
