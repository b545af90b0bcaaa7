//! What the README shows is what the command prints.

use hyperlapse::report::{self, CaseSummary, Detail};

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
    let printed = report::summary(&summaries, "conversation", "", None, false);
    assert_eq!(shown("summary"), printed);
}

#[test]
fn the_example_in_the_readme_is_the_one_that_is_tested() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```rust\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();
    assert!(include_str!("readme_example.rs").ends_with(shown));
}
