//! The zoo: every broken bot is found, and a bot without their mistakes is not.

use std::fmt::Write as _;

use hyperlapse::decision::StrategyChoice;
use hyperlapse::{Case, Effort, Finished, RunOptions, Suite};

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
        // Those that say which system they are about need a store, or a host that can be broken.
        if scenario.system().is_some() {
            continue;
        }
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
        for (scenario, _) in suite
            .scenarios()
            .iter()
            .filter(|(s, _)| !s.name().starts_with("storm") && s.system().is_none())
        {
            let (_, finished) = run(&suite, scenario.name(), member.name, 0);
            if let Some(failure) = finished.verdict.failures.first() {
                let (kind, name, message) = (failure.kind.text(), &failure.name, &failure.message);
                writeln!(table, "  {}: {kind} {name}: {message}", scenario.name()).unwrap();
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// Two storms that know nothing of any member find them all, and what they find is shrunk to what it takes.
#[test]
fn every_member_is_found_by_the_storms_and_shrunk_to_what_it_takes() {
    if cfg!(not(tokio_unstable)) {
        // Only users are bent then: some are not found.
        return;
    }
    let suite = conversation_load::suite();
    let mut table = format!(
        "{:<20} {:<21} {:<26} {:>9} {:>5} {:>6}\n",
        "member", "found in", "failure", "decisions", "users", "events"
    );
    for member in MEMBERS.iter().filter(|member| member.name != "handmade") {
        let (case, seed) = first_failing(&suite, member.name)
            .unwrap_or_else(|| panic!("{} is not found in 1,000 seeds", member.name));
        let options = RunOptions::seed(seed);
        let shrunk = suite.shrink(&case, options, None, Effort::default(), &mut |_| {});
        let shrunk = shrunk.unwrap_or_else(|why| panic!("{}: {why}", member.name));
        let (_, size) = shrunk.sizes;
        assert!(
            shrunk.minimal && size.decisions <= 5 && size.users <= 3,
            "{}: {size:?}",
            member.name
        );
        let found = format!("{}, seed {seed}", case.scenario.name());
        let name = &shrunk.failure.name;
        let (decisions, users, events) = (size.decisions, size.users, size.events);
        writeln!(
            table,
            "{:<20} {found:<21} {name:<26} {decisions:>9} {users:>5} {events:>6}",
            member.name
        )
        .unwrap();
    }
    insta::assert_snapshot!(table);
}

/// The first seed with which a storm fails.
fn first_failing(suite: &Suite<System>, system: &str) -> Option<(Case, u64)> {
    (0..1_000).find_map(|seed| {
        ["storm", "storm-drain"].into_iter().find_map(|scenario| {
            let (case, finished) = run(suite, scenario, system, seed);
            (!finished.verdict.passed()).then_some((case, seed))
        })
    })
}

#[test]
fn the_healthy_bots_hold_the_storms_under_every_strategy() {
    let suite = conversation_load::suite();
    for system in ["manager", "handmade"] {
        for scenario in ["storm", "storm-drain"] {
            for strategy in ["none", "random", "pct", "starve"] {
                let mut case = suite.case(scenario, Some(system), &[]).unwrap();
                case.strategy = StrategyChoice::named(strategy);
                for seed in 0..150 {
                    let failures = suite.run(&case, seed).verdict.failures;
                    assert_eq!(failures, [], "{scenario} on {system}, {strategy}, seed {seed}");
                }
            }
        }
    }
}
