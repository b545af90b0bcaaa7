//! JUnit XML, for what shows test results: a suite for each scenario and system, a case for each run.
//!
//! The time of a case is virtual, so that the same runs give the same bytes. Its output has the line that runs the
//! seed again, or replays its failure.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::reporter::{Make, Reporter};
use super::results::{CaseResults, Results, RunLine};
use super::summary::{replay_line, run_line};

/// For continuous integration.
pub(super) const REPORTER: Reporter = Reporter {
    name: "junit",
    about: "JUnit XML, for continuous integration: a test case for each run",
    extension: "xml",
    make: Make::Whole(junit),
};

fn junit(results: &Results) -> String {
    let mut report = Report::new(&results.build.suite);
    report.add_test_suites(results.cases.iter().map(|case| suite(results, case)));
    let mut text = report.to_string().expect("texts take what is written");
    text.push('\n');
    text
}

fn suite(results: &Results, case: &CaseResults) -> TestSuite {
    let (scenario, system) = (case.case.scenario.name(), &case.case.system);
    let mut suite = TestSuite::new(format!("{scenario} on {system}"));
    for set in &case.case.set {
        suite.add_property((set.path.as_str(), set.value.as_str()));
    }
    if let Some(shard) = results.shard() {
        suite.add_property(("shard", shard.to_string().as_str()));
    }
    let total: u64 = case.runs.iter().map(|run| run.virtual_ns).sum();
    suite.set_time(Duration::from_nanos(total));
    let class = format!("{scenario}.{system}");
    suite.add_test_cases(case.runs.iter().map(|run| test_case(results, case, run, &class)));
    for missing in case.summary.broken_over_the_sweep() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("sweep").set_message(&missing);
        let mut test_case = TestCase::new("sweep", status);
        test_case.set_classname(&class);
        suite.add_test_case(test_case);
    }
    suite
}

fn test_case(results: &Results, case: &CaseResults, run: &RunLine, class: &str) -> TestCase {
    let mut test_case = TestCase::new(format!("seed {}", run.seed), status(run));
    test_case.set_classname(class).set_time(Duration::from_nanos(run.virtual_ns));
    let line = match &run.seed_file {
        Some(file) => replay_line(&results.command, file),
        None => run_line(results, &case.case, run.seed),
    };
    test_case.set_system_out(line);
    test_case
}

fn status(run: &RunLine) -> TestCaseStatus {
    if run.passed {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    let Some(first) = run.failures.first() else {
        // Of very many failing runs not all are told.
        status.set_message("it failed; its replay tells why");
        return status;
    };
    status.set_type(first.kind.text()).set_message(format!("{}: {}", first.name, first.message));
    let all = run.failures.iter();
    let all = all.map(|one| format!("{} {}: {}", one.kind.text(), one.name, one.message));
    status.set_description(all.collect::<Vec<_>>().join("\n"));
    status
}
