//! What failed, in plain words, with the line that replays it: the first thing that is read.

use serde::Serialize;

use super::super::results::{CaseResults, Results};
use super::super::summary::replay_line;
use crate::threshold::Standing;
use crate::units::{count, plural, seconds};
use crate::verdict::FailureKind;

/// A case that failed.
#[derive(Debug, Serialize)]
pub(super) struct Broken {
    id: String,
    title: String,
    reasons: Vec<Reason>,
    /// The line that replays the first seed that failed.
    replay: Option<String>,
    /// Where its story stands.
    told: Option<String>,
}

#[derive(Debug, Serialize)]
struct Reason {
    what: &'static str,
    name: String,
    message: String,
    /// In how many seeds of a sweep.
    seeds: String,
}

/// The line under PASS or FAIL, and the one below it.
pub(super) fn headline(results: &Results) -> (String, String) {
    let runs: u64 = results.cases.iter().map(|case| case.runs.len() as u64).sum();
    let all = || results.cases.iter().flat_map(|case| &case.runs);
    let noun = results.cases.first().map_or("operation", |case| case.case.scenario.operation());
    let completed = all().map(|run| run.completed).sum();
    let virtual_ns = all().map(|run| run.virtual_ns).sum();
    let seeds = match results.single() {
        true => format!("seed {}", results.seeds.start),
        false => format!("seeds {}..{}", results.seeds.start, results.seeds.end),
    };
    let subline = format!(
        "{} completed over {} of {}, {seeds}",
        plural(completed, noun),
        seconds(virtual_ns),
        results.clock.time()
    );
    let failed = results.cases.iter().filter(|case| !case.passed()).count() as u64;
    let headline = match &results.cases[..] {
        [case] => of_one(case, results.single()),
        cases if failed == 0 => format!("All {} hold", plural(cases.len() as u64, "scenario")),
        cases => {
            let of = plural(cases.len() as u64, "scenario");
            format!("{} of {of} {}", count(failed), if failed == 1 { "fails" } else { "fail" })
        }
    };
    let runs =
        if results.single() { String::new() } else { format!(", in {}", plural(runs, "run")) };
    let shard = results.shard().map_or(String::new(), |shard| format!(", shard {shard}"));
    (headline, subline + &runs + &shard)
}

fn of_one(case: &CaseResults, single: bool) -> String {
    let name = format!("{} on {}", case.case.scenario.name(), case.case.system);
    let runs = plural(case.runs.len() as u64, "seed");
    let failed = case.runs.iter().filter(|run| !run.passed).count() as u64;
    match (case.passed(), single) {
        (true, true) => format!("{name} holds"),
        (true, false) => format!("{name} holds in {runs}"),
        (false, true) => format!("{name} fails"),
        (false, false) if failed == 0 => format!("{name} fails over the whole sweep"),
        (false, false) => format!("{name} fails in {} of {runs}", count(failed)),
    }
}

/// Every case that failed, in their order.
pub(super) fn broken(results: &Results) -> Vec<Broken> {
    let cases = results.cases.iter().enumerate().filter(|(_, case)| !case.passed());
    cases.map(|(number, case)| of_case(results, number, case)).collect()
}

fn of_case(results: &Results, number: usize, case: &CaseResults) -> Broken {
    let missing = case.summary.missing().into_iter().map(|message| Reason {
        what: "Never in the whole sweep:",
        name: String::new(),
        message,
        seeds: String::new(),
    });
    let over_seeds = case.summary.over_seeds().into_iter();
    let over_seeds = over_seeds.filter(|judged| judged.standing == Standing::Broken);
    let over_seeds = over_seeds.map(|judged| Reason {
        what: "A threshold over all seeds does not hold:",
        name: judged.threshold,
        message: format!("Measured: {}", judged.measured),
        seeds: judged.seed.map_or(String::new(), |seed| format!("decided by seed {seed}")),
    });
    let groups = case.summary.failures.iter().map(|((kind, name), group)| Reason {
        what: what(*kind),
        name: name.clone(),
        message: match kind {
            FailureKind::Threshold => format!("Measured: {}", group.message),
            _ => group.message.clone(),
        },
        seeds: match results.single() {
            true => String::new(),
            false => {
                let of = plural(case.runs.len() as u64, "seed");
                format!("in {} of {of}, first in seed {}", count(group.seeds), group.first_seed)
            }
        },
    });
    let first = case.runs.iter().find_map(|run| run.seed_file.as_ref());
    let is_its = |story: &&super::story::Numbered<'_>| story.is_of(&case.case);
    Broken {
        id: super::id(number),
        title: format!("{} on {}", case.case.scenario.name(), case.case.system),
        reasons: missing.chain(over_seeds).chain(groups).collect(),
        replay: first.map(|file| replay_line(&results.command, file)),
        told: super::story::numbered(results).iter().find(is_its).map(|story| story.id()),
    }
}

const fn what(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Panic => "A task panicked:",
        FailureKind::Deadline => "It did not end in time:",
        FailureKind::Livelock => "Virtual time stood still:",
        FailureKind::Hang => "A task did not return:",
        FailureKind::Crash => "The process died:",
        FailureKind::Property => "A property is broken:",
        FailureKind::Threshold => "A threshold does not hold:",
        FailureKind::Fault => "A fault did not strike:",
        FailureKind::Interrupted => "Somebody ended it:",
    }
}
