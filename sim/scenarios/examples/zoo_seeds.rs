//! Makes the seed files of the zoo anew, after the events of a storm have changed: each member is looked for,
//! shrunk, and written to `seeds/zoo-MEMBER.toml`. Prints what it took, as Markdown.
//!
//! `cargo run --release -p conversation-load --example zoo_seeds -- seeds`

use std::path::PathBuf;
use std::time::Instant;

use conversation_load::zoo::MEMBERS;
use hyperlapse::{Build, Effort, RunOptions, SeedFile};

fn main() {
    let folder: PathBuf = std::env::args().nth(1).unwrap_or_else(|| "seeds".to_owned()).into();
    let suite = conversation_load::suite();
    println!(
        "| member | found in | failure | decisions | users | iterations | events | runs | time |"
    );
    println!("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    for member in MEMBERS.iter().filter(|member| member.name != "handmade") {
        let found = (0..1_000).find_map(|seed| {
            ["storm", "storm-drain"].iter().find_map(|scenario| {
                let case = suite.case(scenario, Some(member.name), &[]).expect("the suite has it");
                (!suite.run(&case, seed).verdict.passed()).then_some((case, seed))
            })
        });
        let Some((case, seed)) = found else {
            println!("| {} | not found |", member.name);
            continue;
        };
        let began = Instant::now();
        let options = RunOptions::seed(seed);
        let shrunk = suite
            .shrink(&case, options, None, Effort::default(), &mut |_| {})
            .unwrap_or_else(|why| panic!("{}: {why}", member.name));
        let took = began.elapsed();
        let build = Build::of_source(suite.name(), suite.version());
        let file = SeedFile::of(&shrunk.case, &shrunk.finished, build).expect("it fails");
        let file = SeedFile { failure: shrunk.failure.clone(), ..file };
        let name = format!("zoo-{}.toml", member.name);
        // Those of before are what this is to replace.
        let _ = std::fs::remove_file(folder.join(&name));
        file.write_as(&folder, &name, "cargo run --release --").expect("the folder can be written");
        let ((before, after), scenario) = (shrunk.sizes, case.scenario.name());
        println!(
            "| {} | {scenario}, seed {seed} | {} | {} -> {} | {} -> {} | {} -> {} | {} -> {} | {} | {:.2} s |",
            member.name,
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
}
