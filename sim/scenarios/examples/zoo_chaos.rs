//! Which scenario of what may fail finds which gateway of the zoo, as Markdown: how many runs come up to the first that
//! fails where the gateway without a mistake passes, and by which property.
//!
//! `cargo run --release -p conversation-load --example zoo_chaos -- 100`

use std::collections::BTreeSet;

use conversation_load::zoo::GATEWAYS;
use hyperlapse::FailureKind;

fn main() {
    let most =
        std::env::args().nth(1).map_or(100, |seeds| seeds.parse().expect("a number of seeds"));
    let suite = conversation_load::suite();
    let mut used = BTreeSet::new();
    println!(
        "| scenario |{}",
        GATEWAYS.iter().map(|g| format!(" {} |", g.name)).collect::<String>()
    );
    println!("| --- |{}", " ---: |".repeat(GATEWAYS.len()));
    for scenario in conversation_load::chaos() {
        let healthy = suite.case(scenario, None, &[]).expect("the suite has it");
        let mut passes = vec![None; most as usize];
        let mut row = format!("| {scenario} |");
        for broken in GATEWAYS {
            let case = suite.case(scenario, Some(broken.name), &[]).expect("the suite has it");
            let found = (0..most).find_map(|seed| {
                let mut failures = suite.run(&case, seed).verdict.failures.into_iter();
                let failure = failures.find(|failure| failure.kind == FailureKind::Property)?;
                let passes = passes[seed as usize]
                    .get_or_insert_with(|| suite.run(&healthy, seed).verdict.passed());
                passes.then_some((seed, failure.name))
            });
            row += &match found {
                Some((seed, property)) => {
                    let cell = format!(" {} |", seed + 1);
                    used.insert((broken.name, property));
                    cell
                }
                None => " - |".to_owned(),
            };
        }
        println!("{row}");
    }
    println!();
    for (gateway, property) in used {
        println!("- `{gateway}`: {property}");
    }
}
