//! The zoo: every broken bot is found, and a bot without their mistakes is not.

use std::fmt::Write as _;

use hyperlapse::decision::StrategyChoice;
use hyperlapse::{Case, Finished, Suite};

use conversation_load::bot::System;
use conversation_load::zoo::MEMBERS;

fn run(suite: &Suite<System>, scenario: &str, system: &str, seed: u64) -> (Case, Finished) {
    let case = suite.case(scenario, Some(system), &[]).unwrap();
    let finished = suite.run(&case, seed);
    (case, finished)
}

#[test]
fn the_handmade_bot_without_a_mistake_holds_every_scenario() {
    let suite = conversation_load::suite();
    for (scenario, _) in suite.scenarios() {
        for seed in 0..5 {
            let (_, finished) = run(&suite, scenario.name(), "handmade", seed);
            assert_eq!(finished.verdict.failures, [], "{} with seed {seed}", scenario.name());
        }
    }
}

/// Which scenarios of plain load find which member, with their first seed.
#[test]
fn what_plain_load_finds() {
    let suite = conversation_load::suite();
    let mut table = String::new();
    for member in MEMBERS.iter().filter(|member| member.name != "handmade") {
        writeln!(table, "{}: {}", member.name, member.about).unwrap();
        for (scenario, _) in suite.scenarios().iter().filter(|(s, _)| s.name() != "storm") {
            let (_, finished) = run(&suite, scenario.name(), member.name, 0);
            if let Some(failure) = finished.verdict.failures.first() {
                let (kind, name, message) = (failure.kind.text(), &failure.name, &failure.message);
                writeln!(table, "  {}: {kind} {name}: {message}", scenario.name()).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// One scenario that knows nothing of any member finds them all; several only when the order of tasks is
/// bent or users are cancelled.
#[test]
fn every_member_is_found_by_the_storm() {
    const SEEDS: u64 = 1_000;
    let suite = conversation_load::suite();
    let mut table = format!("{:<16}{:>24}{:>24}\n", "", "plain scheduling", "random decisions");
    for member in MEMBERS {
        let found = |strategy: StrategyChoice| {
            let mut case = suite.case("storm", Some(member.name), &[]).unwrap();
            case.strategy = Some(strategy);
            let fails = |seed: &u64| !suite.run(&case, *seed).verdict.passed();
            let failing: Vec<u64> = (0..SEEDS).filter(fails).collect();
            let text = match failing.first() {
                None => "-".to_owned(),
                Some(first) => format!("{} seeds, first {first}", failing.len()),
            };
            (failing.len(), text)
        };
        let (_, plain) = found(StrategyChoice::None);
        let (bent, random) = found(StrategyChoice::Random);
        // Without tokio's hooks only users are bent, which finds most of them and not all.
        let found_without_hooks = ["off-by-one", "leak-on-panic", "lost-grant", "head-of-line"];
        if cfg!(tokio_unstable) {
            assert_eq!(bent > 0, member.name != "handmade", "{}: {random}", member.name);
        } else if found_without_hooks.contains(&member.name) {
            assert!(bent > 0, "{} is not found", member.name);
        }
        writeln!(table, "{:<16}{plain:>24}{random:>24}", member.name).unwrap();
    }
    if cfg!(tokio_unstable) {
        insta::assert_snapshot!(table);
    }
}
