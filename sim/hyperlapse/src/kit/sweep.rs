//! Many seeds of a suite in an ordinary test, and what the first that fails comes to.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{ControlFlow, Range};
use std::thread;

use crate::report::{self, CaseSummary};
use crate::shrink::{Effort, Shrunk};
use crate::suite::{Case, Finished, Suite};
use crate::sweep::in_order;
use crate::units;
use crate::verdict::{Failure, FailureKind};
use crate::world::RunOptions;

/// A failure that a sweep found. Its text, also that of `{:?}` for the `unwrap` of a test, is the report.
#[derive(Clone)]
pub struct Found {
    /// The scenario that failed.
    pub scenario: String,
    /// The system that failed.
    pub system: String,
    /// The first seed that failed.
    pub seed: u64,
    /// Runs up to that one.
    pub runs: u64,
    /// What failed in it.
    pub failure: Failure,
    /// The smallest run with that failure; `None` where it cannot be shrunk.
    pub shrunk: Option<Box<Shrunk>>,
    /// Why it failed, step by step; where it could not be shrunk, why not.
    pub told: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, system, seed, failure, .. } = self;
        let runs = units::plural(self.runs, "run");
        writeln!(f, "{scenario} on {system} fails in seed {seed}, after {runs}:")?;
        writeln!(f, "{} {}: {}", failure.kind.text(), failure.name, failure.message)?;
        if let Some(shrunk) = &self.shrunk {
            let (before, after) = shrunk.sizes;
            writeln!(
                f,
                "shrunk to {} of {}, {} of {}",
                units::plural(after.decisions as u64, "decision"),
                units::count(before.decisions as u64),
                units::plural(after.users as u64, "user"),
                units::count(before.users as u64),
            )?;
        }
        write!(f, "\n{}", self.told)
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Found {}

/// What a sweep saw that found nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Runs.
    pub runs: u64,
    /// How often each property was checked.
    pub checks: BTreeMap<String, u64>,
}

/// Runs the scenarios that the suite has for a bare `run`, each with each of these seeds, on all cores, until one
/// fails.
///
/// It reads no variables and keeps no seed file: for a test that does see [`SuiteTest`](crate::SuiteTest).
///
/// What all runs together break is a failure, too: a threshold over seeds, and in a sweep of [`SWEEP`](crate::SWEEP) or more a property that
/// no run has checked, for such a test would prove nothing.
///
/// # Errors
/// The failure of the first seed that fails, shrunk and explained; that takes some seconds at most.
///
/// # Panics
/// When a scenario of the suite cannot be read: that is a bug of the suite.
pub fn sweep<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    seeds: Range<u64>,
) -> Result<Swept, Box<Found>> {
    let mut swept = Swept::default();
    for (scenario, by_default) in suite.scenarios() {
        if by_default {
            let case = suite.case(scenario.name(), None, &[]);
            let case = case.unwrap_or_else(|error| panic!("{error}"));
            sweep_case(suite, &case, seeds.clone(), &mut swept)?;
        }
    }
    Ok(swept)
}

fn sweep_case<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    case: &Case,
    seeds: Range<u64>,
    swept: &mut Swept,
) -> Result<(), Box<Found>> {
    let count = usize::try_from(seeds.end.saturating_sub(seeds.start)).unwrap_or(usize::MAX);
    let jobs = thread::available_parallelism().map_or(1, usize::from);
    let mut checks = BTreeMap::new();
    let mut summary = CaseSummary::of(&case.scenario);
    let mut failed: Option<Finished> = None;
    let mut runs = 0;
    let run = |nth: usize| suite.run(case, seeds.start + nth as u64);
    in_order(count, jobs, run, |_, finished| {
        runs += 1;
        for (name, property) in &finished.record.properties {
            *checks.entry(name.clone()).or_insert(0) += property.checked;
        }
        if finished.verdict.passed() {
            summary.add(&finished, None);
            return ControlFlow::Continue(());
        }
        failed = Some(finished);
        ControlFlow::Break(())
    });
    swept.runs += runs;
    if let Some(finished) = failed {
        return Err(Box::new(found(suite, case, finished, runs)));
    }
    if let Some(broken) = summary.broken_over_the_sweep().into_iter().next() {
        let (name, message) = broken.split_once(": ").expect("a name and what was seen");
        let kind = match checks.contains_key(name) {
            true => FailureKind::Property,
            false if message.starts_with("never struck") => FailureKind::Fault,
            false => FailureKind::Threshold,
        };
        return Err(Box::new(Found {
            scenario: case.scenario.name().to_owned(),
            system: case.system.clone(),
            seed: seeds.start,
            runs,
            failure: Failure { kind, name: name.to_owned(), message: message.to_owned() },
            shrunk: None,
            told: "Each run holds by itself; all of them together do not.\n".to_owned(),
        }));
    }
    for (name, checked) in checks {
        *swept.checks.entry(name).or_insert(0) += checked;
    }
    Ok(())
}

fn found<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    case: &Case,
    finished: Finished,
    runs: u64,
) -> Found {
    let seed = finished.record.seed;
    let failure = finished.verdict.failures[0].clone();
    let options = RunOptions::seed(seed);
    let shrunk = suite.shrink(case, options, Some(&failure), Effort::default(), &mut |_| {});
    let (shrunk, told) = match shrunk {
        Ok(shrunk) => {
            let why = suite.explain(&shrunk.case, &shrunk.finished, &shrunk.failure);
            (Some(Box::new(shrunk)), report::explanation(&why, false))
        }
        Err(why) => (None, format!("It was not shrunk: {why}.\n")),
    };
    Found {
        scenario: case.scenario.name().to_owned(),
        system: case.system.clone(),
        seed,
        runs,
        failure,
        shrunk,
        told,
    }
}
