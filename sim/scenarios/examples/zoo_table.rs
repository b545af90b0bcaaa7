//! How many seeds it takes to find each member of the zoo: the table in `docs/zoo.md`.
//!
//! For each member the median, over disjoint sweeps of 1,000 seeds of both storms, of how many runs come up to
//! the first that fails: under plain scheduling, under each strategy, and with each kind of decision alone
//! (what finds what). `cargo run --release -p conversation-load --example zoo_table` prints it as Markdown;
//! `-- SWEEPS` takes another number of sweeps than 20.

use conversation_load::zoo::MEMBERS;
use hyperlapse::decision::{DecisionKind, StrategyChoice};
use hyperlapse::{Case, Suite};

/// Seeds in one sweep.
const SEEDS: u64 = 1_000;
/// What a member is looked for with.
const STORMS: [&str; 2] = ["storm", "storm-drain"];

fn main() {
    let sweeps = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(20);
    let suite = conversation_load::suite();
    let strategies = ["none", "random", "pct", "starve", "mixed"];
    let mut columns: Vec<(String, Column)> = strategies
        .iter()
        .map(|name| (name.to_string(), Column { strategy: name, only: None }))
        .collect();
    for kind in DecisionKind::BENDS.iter().filter(|kind| **kind != DecisionKind::Select) {
        columns.push((kind.text().to_owned(), Column { strategy: "random", only: Some(*kind) }));
    }
    let heads: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    println!("| member | {} |", heads.join(" | "));
    println!("| --- |{}", " ---: |".repeat(columns.len()));
    for member in MEMBERS {
        let cells: Vec<String> = columns
            .iter()
            .map(|(_, column)| match median(&suite, member.name, column, sweeps) {
                Some(runs) => runs.to_string(),
                None => "-".to_owned(),
            })
            .collect();
        println!("| {} | {} |", member.name, cells.join(" | "));
    }
}

struct Column {
    strategy: &'static str,
    /// The one kind of decision that may be taken.
    only: Option<DecisionKind>,
}

/// The median number of runs up to the first that fails; `None` where most sweeps end without one.
fn median<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    system: &str,
    column: &Column,
    sweeps: u64,
) -> Option<u64> {
    let cases: Vec<Case> = STORMS
        .iter()
        .map(|scenario| {
            let set: Vec<_> = column
                .only
                .iter()
                .map(|kind| format!("decisions=[\"{}\"]", kind.text()).parse().expect("it is one"))
                .collect();
            let mut case = suite.case(scenario, Some(system), &set).expect("the suite has it");
            case.strategy = StrategyChoice::named(column.strategy);
            case
        })
        .collect();
    let first = |sweep: u64| {
        // The storms take turns.
        let mut runs = 0;
        for seed in sweep * SEEDS..(sweep + 1) * SEEDS {
            for case in &cases {
                runs += 1;
                if !suite.run(case, seed).verdict.passed() {
                    return runs;
                }
            }
        }
        u64::MAX
    };
    let mut firsts: Vec<u64> = (0..sweeps).map(first).collect();
    firsts.sort_unstable();
    Some(firsts[firsts.len() / 2]).filter(|runs| *runs < u64::MAX)
}
