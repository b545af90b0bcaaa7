//! Every report format of one passing, one failing and one swept scenario, as its reader gets it.
//!
//! The formats are those of the registry: one that is added is held here without a line. Heap bytes and what the
//! host measures are taken out of the runs before they are told, and what a library compresses is read back before
//! it is compared. Other tools' own rules for their formats are in `reports/rules.rs`.

#[path = "reports/rules.rs"]
mod rules;
#[path = "reports/schema.rs"]
mod schema;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use hyperlapse::report::{Explained, Kept, Make, OneRun, REPORTERS, Reporter, Results};
use hyperlapse::{Build, Case, Effort, Finished, Host, RunOptions, Source};
use serde_json::Value;

type Suite = hyperlapse::Suite<conversation_load::bot::System>;

/// The runs of a case, each with every event.
struct Told {
    case: Case,
    runs: Vec<(Finished, Option<PathBuf>)>,
    explained: Vec<Explained>,
}

impl Told {
    fn of(suite: &Suite, case: Case, seeds: std::ops::Range<u64>) -> Self {
        let runs = seeds.map(|seed| {
            let mut finished = suite.trace(&case, seed);
            finished.record.profile = suite.profile(&case, seed).record.profile;
            for task in
                finished.record.profile.iter_mut().flat_map(|profile| profile.tasks.values_mut())
            {
                // Of this build, and of this moment.
                task.allocations = 0;
                task.cpu_ns = task.polls * 1_000;
            }
            finished.record.memory = None;
            finished.record.host = Host::default();
            let name = format!("out/{}-{}-seed-{seed}.toml", case.scenario.name(), case.system);
            let seed_file = (!finished.verdict.passed()).then(|| PathBuf::from(name));
            (finished, seed_file)
        });
        Self { runs: runs.collect(), case, explained: Vec::new() }
    }

    /// Shrinks and explains the first failure.
    fn explain(mut self, suite: &Suite) -> Self {
        let (failed, seed_file) =
            self.runs.iter().find(|(run, _)| !run.verdict.passed()).expect("one fails");
        let seed = failed.record.seed;
        let options = RunOptions::seed(seed);
        let shrunk = suite
            .shrink(&self.case, options, None, Effort::default(), &mut |_| {})
            .expect("it can be shrunk");
        let record = &shrunk.finished.record;
        self.explained.push(Explained {
            scenario: record.scenario.clone(),
            system: record.system.clone(),
            seed,
            set: record.set.clone(),
            sizes: shrunk.sizes,
            runs: shrunk.runs,
            minimal: shrunk.minimal,
            explanation: suite.explain(&shrunk.case, &shrunk.finished, &shrunk.failure),
            seed_file: seed_file.clone().unwrap().with_extension("shrunk.toml"),
        });
        self
    }

    fn one(&self, number: usize) -> OneRun<'_> {
        let (finished, seed_file) = &self.runs[number];
        OneRun { case: &self.case, finished, seed_file: seed_file.as_deref() }
    }

    /// The report of one format, as one text: files of single runs one after the other.
    fn report(&self, reporter: &Reporter) -> String {
        let first = self.runs[0].0.record.seed;
        let seeds = first..first + self.runs.len() as u64;
        let build = Build::of_source("conversation-load", "0.1.0");
        // Without tokio's hooks the same is told, and that they are not there.
        let build = Build { tokio_unstable: true, ..build };
        let cases = std::slice::from_ref(&self.case);
        let mut results = Results::new(build, "conversation-load", cases, seeds);
        let mut text = String::new();
        if let Make::AsTheyEnd(growing) = reporter.make {
            text.push_str(&(growing.head)(&results));
        }
        for number in 0..self.runs.len() {
            let run = self.one(number);
            match reporter.make {
                Make::Whole(_) => {}
                Make::AsTheyEnd(growing) => text.push_str(&(growing.run)(&results, &run)),
                Make::EachRun { make, .. } => text.push_str(&make(&run)),
            }
            results.add(0, run);
        }
        let case = &mut results.cases[0];
        let median = case.median().expect("there are runs").seed;
        let one = self.one((median - first) as usize);
        case.keep(Kept {
            case: one.case.clone(),
            finished: one.finished.clone(),
            seed_file: one.seed_file.map(Path::to_owned),
        });
        results.explanations.clone_from(&self.explained);
        match reporter.make {
            Make::Whole(make) => make(&results),
            Make::AsTheyEnd(growing) => text + &(growing.tail)(&results),
            Make::EachRun { .. } => text,
        }
    }
}

fn case(suite: &Suite, system: &str) -> Case {
    let source = Source::new("share.toml", include_str!("reports/share.toml"));
    suite.case_from(&source, Some(system), &[]).expect("the scenario can be read")
}

/// One that passes, one that fails, and a sweep of which some fail.
fn told(suite: &Suite) -> [(&'static str, Told); 3] {
    let passing = Told::of(suite, case(suite, "manager"), 0..1);
    let failing = Told::of(suite, case(suite, "off-by-one"), 0..1).explain(suite);
    let sweep = Told::of(suite, case(suite, "manager"), 0..5);
    assert!(passing.runs[0].0.verdict.passed(), "{:?}", passing.runs[0].0.verdict.failures);
    let failed = sweep.runs.iter().filter(|(run, _)| !run.verdict.passed()).count();
    assert!(0 < failed && failed < 5, "{failed} of the sweep fail");
    [("pass", passing), ("fail", failing), ("sweep", sweep)]
}

/// A report as people can read it and any machine writes it.
fn readable(format: &str, report: &str) -> String {
    match format {
        "json" => {
            let mut report: Value = serde_json::from_str(report).expect("it is JSON");
            for run in report["runs"].as_array_mut().expect("runs are a list") {
                assert!(run.as_object_mut().unwrap().remove("host").is_some());
            }
            let mut text = String::new();
            indented(&report, 0, &mut text);
            text + "\n"
        }
        "hlog" => rules::read_interval_logs(report),
        // The rest is how a library draws them.
        "flame" | "flame-host" => {
            let frames =
                report.lines().filter(|line| line.contains("<title>") || line.contains("seed"));
            frames.map(|line| line.trim().to_owned() + "\n").collect()
        }
        // Heap bytes are taken out of the runs, and that they were not measured is not true.
        "text" => {
            let lines = report.split_inclusive('\n');
            lines.filter(|line| !line.starts_with("  memory ")).collect()
        }
        _ => report.to_owned(),
    }
}

/// JSON with a line for each key, and lists of numbers in one.
fn indented(value: &Value, depth: usize, text: &mut String) {
    let margin = "  ".repeat(depth);
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            text.push_str("{\n");
            for (key, value) in entries {
                let _ = write!(text, "{margin}  {key:?}: ");
                indented(value, depth + 1, text);
                text.push_str(",\n");
            }
            let _ = write!(text, "{margin}}}");
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            text.push_str("[\n");
            for item in items {
                let _ = write!(text, "{margin}  ");
                indented(item, depth + 1, text);
                text.push_str(",\n");
            }
            let _ = write!(text, "{margin}]");
        }
        value => text.push_str(&value.to_string()),
    }
}

#[test]
fn every_format_of_a_passing_a_failing_and_a_swept_scenario_reads_as_it_did() {
    let suite = conversation_load::suite();
    for (what, told) in told(&suite) {
        for reporter in REPORTERS {
            let report = told.report(reporter);
            let name = format!("{}-{what}", reporter.name);
            let of_tasks = matches!(reporter.name, "profile" | "flame-host");
            // Without tokio's hooks nobody tells of tasks.
            if cfg!(tokio_unstable) || !of_tasks {
                insta::assert_snapshot!(name, readable(reporter.name, &report));
            }
        }
    }
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    let suite = conversation_load::suite();
    let (first, second) = (told(&suite), told(&suite));
    for ((what, first), (_, second)) in first.iter().zip(&second) {
        for reporter in REPORTERS {
            assert!(
                first.report(reporter) == second.report(reporter),
                "{} of {what}",
                reporter.name
            );
        }
    }
}

#[test]
fn other_tools_read_what_is_written_for_them() {
    let suite = conversation_load::suite();
    for (what, told) in told(&suite) {
        for number in 0..told.runs.len() {
            let run = told.one(number);
            rules::csv(&of_run("csv", &run), run.finished);
            rules::percentiles(&of_run("hgrm", &run), run.finished);
            rules::interval_log(&of_run("hlog", &run), run.finished);
            rules::trace(&of_run("trace", &run), run.finished);
        }
        rules::junit(&told.report(hyperlapse::report::reporter("junit").unwrap()), what);
    }
}

#[test]
fn a_trace_of_a_bent_run_keeps_the_rules() {
    let suite = conversation_load::suite();
    for (scenario, system) in
        [("storm", "lost-grant"), ("panicking-users", "manager"), ("idle-users", "manager")]
    {
        let case = suite.case(scenario, Some(system), &[]).unwrap();
        for seed in 0..5 {
            let finished = suite.trace(&case, seed);
            let run = OneRun { case: &case, finished: &finished, seed_file: None };
            rules::trace(&of_run("trace", &run), &finished);
        }
    }
}

#[test]
fn a_trace_says_how_many_events_are_left_out() {
    let suite = conversation_load::suite();
    let case = suite.case("queue", None, &[]).unwrap();
    let mut finished = suite.trace(&case, 0);
    let all = finished.record.kept_events.len();
    // From the middle of conversations on.
    finished.record.kept_events.drain(..all / 2);
    let run = OneRun { case: &case, finished: &finished, seed_file: None };
    let text = of_run("trace", &run);
    rules::trace(&text, &finished);
    let trace: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(trace["otherData"]["events_left_out"], all / 2);
    assert!(text.contains("events came before and are left out"));
}

fn of_run(format: &str, run: &OneRun<'_>) -> String {
    match hyperlapse::report::reporter(format).expect("there is such a format").make {
        Make::EachRun { make, .. } => make(run),
        make => panic!("{format} is no report of one run: {make:?}"),
    }
}

#[test]
fn a_sweep_keeps_few_runs_whole_and_a_line_of_each() {
    let suite = conversation_load::suite();
    let case = case(&suite, "off-by-one");
    let build = Build::of_source("conversation-load", "0.1.0");
    let cases = std::slice::from_ref(&case);
    let mut results = Results::new(build, "conversation-load", cases, 0..60);
    for seed in 0..60 {
        let finished = suite.run(&case, seed);
        results.add(0, OneRun { case: &case, finished: &finished, seed_file: None });
    }
    let of = &results.cases[0];
    assert_eq!(of.runs.len(), 60);
    assert!(of.runs.iter().all(|run| !run.passed && !run.failures.is_empty()));
    let slowest = of.runs.iter().map(|run| run.p95_ns).max().unwrap();
    assert_eq!(of.slowest().unwrap().p95_ns, slowest);
    // The first ten that failed, the first among them, and the slowest.
    let kept: Vec<u64> = of.kept.keys().copied().collect();
    let mut expected: Vec<u64> = (0..10).chain([of.slowest().unwrap().seed]).collect();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(kept, expected);
    let faster = of.runs.iter().filter(|run| run.p95_ns < of.median().unwrap().p95_ns).count();
    assert!(faster <= 30, "{faster} of 60 are faster than the median");
}
