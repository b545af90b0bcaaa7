//! The zoo: every broken bot is found, and a bot without their mistakes is not.

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

/// Which scenarios find which member with their first seed: a table that a reader can follow.
#[test]
fn every_member_is_found() {
    let suite = conversation_load::suite();
    let mut table = String::new();
    for member in MEMBERS.iter().filter(|member| member.name != "handmade") {
        let mut found = 0;
        table.push_str(&format!("{}: {}\n", member.name, member.about));
        for (scenario, _) in suite.scenarios() {
            let (_, finished) = run(&suite, scenario.name(), member.name, 0);
            if let Some(failure) = finished.verdict.failures.first() {
                found += 1;
                let (kind, name, message) = (failure.kind.text(), &failure.name, &failure.message);
                table.push_str(&format!("  {}: {kind} {name}: {message}\n", scenario.name()));
            }
        }
        assert!(found > 0, "no scenario finds {}", member.name);
    }
    insta::assert_snapshot!(table);
}
