//! What the README shows is what the command prints.

use std::path::Path;

use hyperlapse::report::{self, CaseSummary, Detail};
use hyperlapse::{LimitOptions, SeedFile};

/// The text block that follows the marker.
fn shown(marker: &str) -> String {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once(&format!("<!-- report: {marker} -->\n```text\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_report_in_the_readme_is_the_one_that_is_printed() {
    let suite = conversation_load::suite();
    let case = suite.case("concurrent-users", None, &[]).unwrap();
    let load = case.scenario.workload().describe();
    let detail = Detail { memory: false, coloured: false };
    let printed = report::run(&suite.run(&case, 0), case.scenario.about(), &load, detail);
    assert_eq!(shown("concurrent-users"), printed);
}

#[test]
fn the_summary_in_the_readme_is_the_one_that_is_printed() {
    let suite = conversation_load::suite();
    let mut summaries = Vec::new();
    for (scenario, _) in suite.scenarios().iter().filter(|(_, by_default)| *by_default) {
        let case = suite.case(scenario.name(), None, &[]).unwrap();
        let mut summary = CaseSummary::default();
        summary.add(&suite.run(&case, 0), None);
        summaries.push(summary);
    }
    let summaries: Vec<&CaseSummary> = summaries.iter().collect();
    let printed = report::summary(&summaries, "conversation", "", None, false);
    assert_eq!(shown("summary"), printed);
}

#[test]
fn the_breaking_point_in_the_readme_is_the_one_that_is_printed() {
    let suite = conversation_load::suite();
    let case = suite.case("queue-limit", None, &[]).unwrap();
    let limit = suite.limit(&case, &LimitOptions::default()).unwrap();
    assert_eq!(shown("limit"), report::limit(&limit, case.scenario.about(), None, false));
}

/// The Rust block that follows the marker.
fn example(marker: &str) -> String {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once(&format!("<!-- example: {marker} -->\n```rust\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_example_in_the_readme_is_the_one_that_is_tested() {
    assert!(include_str!("readme_example.rs").ends_with(&example("permits")));
}

/// A crate of its own with the README's first example, and nothing else.
#[test]
#[ignore = "compiles the framework once more: `.ci/run` does it"]
fn the_first_example_finds_its_race_on_the_first_run_and_replays_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("first");
    std::fs::create_dir_all(root.join("src")).unwrap();
    std::fs::create_dir_all(root.join("tests")).unwrap();
    let here = env!("CARGO_MANIFEST_DIR");
    let manifest = format!(
        "[package]\nname = \"first\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dev-dependencies]\n\
         hyperlapse = {{ path = \"{here}/sim/hyperlapse\" }}\ntokio = {{ version = \"1\", features = [\"sync\"] }}\n\n\
         [workspace]\n"
    );
    std::fs::write(root.join("Cargo.toml"), manifest).unwrap();
    std::fs::copy(format!("{here}/Cargo.lock"), root.join("Cargo.lock")).unwrap();
    std::fs::write(root.join("src/lib.rs"), "").unwrap();
    std::fs::write(root.join("tests/seats.rs"), example("seats")).unwrap();
    let target = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/stranger"));
    let _ = std::fs::remove_dir_all(target.join("hyperlapse"));
    let test = |variables: &[(&str, &str)]| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["test", "--quiet"]).current_dir(&root).env("RUST_BACKTRACE", "0");
        // As a stranger has it: no flags. The guide's crate shares what is compiled.
        cargo.env("RUSTFLAGS", "").env("CARGO_TARGET_DIR", target);
        let output = cargo.envs(variables.iter().copied()).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), told, String::from_utf8(output.stderr).unwrap())
    };
    let (held, told, complaints) = test(&[]);
    assert!(!held && told.contains("fails with seed"), "{told}\n{complaints}");
    assert!(told.contains(&shown("seats")), "{told}");
    let (_, line) = told.rsplit_once("HYPERLAPSE_REPLAY=").unwrap();
    let (file, rest) = line.split_once(' ').unwrap();
    assert!(
        rest.starts_with(
            "cargo test -p first --test seats -- --exact the_last_seat_is_sold_once\n"
        )
    );
    let (held, told, _) = test(&[("HYPERLAPSE_REPLAY", file)]);
    assert!(!held && told.contains("it has come back: the same failure by the same"), "{told}");
    // Put right, it holds, the kept failure first.
    let seats = example("seats");
    let (before, after) = seats.split_once("        if *self.sold.lock().await >= 1 {").unwrap();
    let after = after.replace("*self.sold.lock().await += 1;", "*sold += 1;");
    let right = format!(
        "{before}        let mut sold = self.sold.lock().await;\n        if *sold >= 1 {{{after}"
    );
    std::fs::write(root.join("tests/seats.rs"), right).unwrap();
    let (held, told, complaints) = test(&[]);
    assert!(held, "{told}\n{complaints}");
}

#[test]
fn the_story_in_the_readme_is_the_one_that_is_told() {
    if cfg!(not(tokio_unstable)) {
        // What was bent with tokio's hooks cannot be bent again without them.
        return;
    }
    let suite = conversation_load::suite();
    let seed_file = SeedFile::read("seeds/zoo-check-then-act.toml".as_ref()).unwrap();
    let case = suite.replay_case(&seed_file).unwrap();
    let finished = suite.run(&case, seed_file.seed);
    let told = suite.explain(&case, &finished, &finished.verdict.failures[0]);
    assert_eq!(shown("explanation"), without_lines(&report::explanation(&told, false)));
}

/// The lines of a bot move when it is edited.
fn without_lines(text: &str) -> String {
    let mut parts = text.split(".rs:");
    let mut plain = parts.next().unwrap().to_owned();
    for part in parts {
        plain += ".rs:[line]";
        plain += part.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    plain
}
