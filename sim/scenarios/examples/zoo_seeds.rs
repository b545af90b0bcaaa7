//! Makes the seed files of the zoo anew, after the events of its scenarios have changed: each member is looked for,
//! shrunk, and written to `seeds/zoo-MEMBER.toml`. Prints what it took, as Markdown.
//!
//! `cargo run --release -p conversation-load --example zoo_seeds -- seeds`; behind the folder the names of some members, or
//! nothing for all.

use std::path::{Path, PathBuf};
use std::time::Instant;

use conversation_load::bot::System;
use conversation_load::zoo::{BrokenGateway, GATEWAYS, MEMBERS};
use hyperlapse::{Build, Case, Effort, Failure, FailureKind, RunOptions, SeedFile, Suite};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder: PathBuf = arguments.next().unwrap_or_else(|| "seeds".to_owned()).into();
    let wanted: Vec<String> = arguments.collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let suite = conversation_load::suite();
    println!(
        "| member | found in | failure | decisions | users | iterations | events | runs | time |"
    );
    println!("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for member in MEMBERS.iter().filter(|member| member.name != "handmade") {
        if is_wanted(member.name) {
            keep(&suite, member.name, &folder, by_the_storms(&suite, member.name));
        }
    }
    for gateway in GATEWAYS.iter().filter(|gateway| is_wanted(gateway.name)) {
        keep(&suite, gateway.name, &folder, by_its_scenario(&suite, gateway));
    }
}

/// A run that fails, and how.
struct Found {
    case: Case,
    seed: u64,
    failure: Failure,
}

/// The first failure of a storm.
fn by_the_storms(suite: &Suite<System>, member: &str) -> Option<Found> {
    (0..1_000).find_map(|seed| {
        ["storm", "storm-drain"].iter().find_map(|scenario| {
            let case = suite.case(scenario, Some(member), &[]).expect("the suite has it");
            let failure = suite.run(&case, seed).verdict.failures.into_iter().next()?;
            Some(Found { case, seed, failure })
        })
    })
}

/// The first property that does not hold, where the gateway without the mistake passes.
fn by_its_scenario(suite: &Suite<System>, gateway: &BrokenGateway) -> Option<Found> {
    let case = suite.case(gateway.scenario, Some(gateway.name), &[]).expect("the suite has it");
    let healthy = suite.case(gateway.scenario, None, &[]).expect("the suite has it");
    (0..1_000).find_map(|seed| {
        let failures = suite.run(&case, seed).verdict.failures;
        let failure = failures.into_iter().find(|f| f.kind == FailureKind::Property)?;
        let passes = suite.run(&healthy, seed).verdict.passed();
        passes.then(|| Found { case: case.clone(), seed, failure })
    })
}

/// Shrinks it, writes its seed file, prints its line.
fn keep(suite: &Suite<System>, member: &str, folder: &Path, found: Option<Found>) {
    let Some(Found { case, seed, failure }) = found else {
        println!("| {member} | not found |");
        return;
    };
    let began = Instant::now();
    let options = RunOptions::seed(seed);
    let shrunk = suite
        .shrink(&case, options, Some(&failure), Effort::default(), &mut |_| {})
        .unwrap_or_else(|why| panic!("{member}: {why}"));
    let took = began.elapsed();
    let build = Build::of_source(suite.name(), suite.version());
    let file = SeedFile::of(&shrunk.case, &shrunk.finished, build).expect("it fails");
    let file = SeedFile { failure: shrunk.failure.clone(), ..file };
    let name = format!("zoo-{member}.toml");
    // Those of before are what this is to replace.
    let _ = std::fs::remove_file(folder.join(&name));
    file.write_as(folder, &name, "cargo run --release --").expect("the folder can be written");
    let ((before, after), scenario) = (shrunk.sizes, case.scenario.name());
    println!(
        "| {member} | {scenario}, seed {seed} | {} | {} -> {} | {} -> {} | {} -> {} | {} -> {} | {} | {:.2} s |",
        shrunk.failure.name,
        before.decisions,
        after.decisions,
        before.users,
        after.users,
        before.iterations,
        after.iterations,
        before.events,
        after.events,
        shrunk.runs,
        took.as_secs_f64()
    );
}
