//! What the README shows is what the command prints.

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

#[test]
fn the_example_in_the_readme_is_the_one_that_is_tested() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```rust\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    assert!(include_str!("readme_example.rs").ends_with(shown));
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
