//! What is told of a test that does not hold: the message of its panic.

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::Path;

use super::place::Place;
use crate::input::InputError;
use crate::report::{self, Detail};
use crate::suite::{Case, Finished};
use crate::units;

/// Why a test does not hold.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum NotHeld {
    /// It cannot be run as it is: its options, a variable of the environment, or one of its seed files is wrong.
    #[error("this test cannot be run\n{0}")]
    Unusable(#[from] InputError),
    /// A run failed.
    #[error("{0}")]
    Failed(Box<Untrue>),
    /// A seed file that is to fail does not.
    #[error("{0}")]
    NotReproduced(String),
    /// Each seed holds, and all of them together do not: a threshold over seeds is broken, or in [`SWEEP`](crate::SWEEP) runs or
    /// more something never happened that must in some of them.
    #[error(
        "{test}: of {scenario} each seed holds, and all {seeds} together do not\n  {}",
        broken.join("\n  ")
    )]
    OverTheSweep {
        /// The test.
        test: String,
        /// The scenario.
        scenario: String,
        /// How many were played.
        seeds: u64,
        /// What does not hold, and what was seen instead.
        broken: Vec<String>,
    },
}

impl From<Found> for NotHeld {
    fn from(found: Found) -> Self {
        NotHeld::Failed(Box::new(Untrue { finished: found.finished, text: found.text }))
    }
}

/// A run that failed.
#[derive(Debug, Clone)]
pub struct Untrue {
    /// What was measured and said of it, as it was found.
    pub finished: Finished,
    text: String,
}

impl fmt::Display for Untrue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim_end())
    }
}

/// A failure that is being told, part by part.
pub(super) struct Found {
    finished: Finished,
    name: String,
    text: String,
    report: String,
}

/// The report of one run.
pub(super) fn report(case: &Case, finished: &Finished) -> String {
    let load = case.scenario.workload().describe();
    let detail = Detail { memory: false, coloured: false };
    report::run(finished, case.scenario.about(), &load, detail)
}

impl Found {
    pub(super) fn of(place: &Place, case: &Case, finished: &Finished) -> Self {
        let report = report(case, finished);
        let name = place.name.clone();
        Self { finished: finished.clone(), name, text: String::new(), report }
    }

    /// It was found by this sweep.
    pub(super) fn found(mut self, seeds: &Range<u64>) -> Self {
        let seed = self.finished.record.seed;
        let before = match seed - seeds.start {
            0 => String::new(),
            held => format!(", after {} that held", units::plural(held, "seed")),
        };
        let what = self.what();
        self.text =
            format!("{} fails with seed {seed}{before}\n{what}\n\n{}", self.name, self.report);
        self
    }

    /// A seed file told it again.
    pub(super) fn replayed(mut self, path: &Path, explained: String) -> Self {
        let path = path.display();
        let what = self.what();
        self.text =
            format!("{} fails by {path}\n{what}\n\n{explained}\n{}\n", self.name, self.report);
        self
    }

    /// What failed, in one line however long: `#[should_panic(expected = "…")]` looks for it, and does not know where lines are
    /// broken.
    fn what(&self) -> String {
        let failure = self.finished.verdict.failures.first().expect("it did not pass");
        let message: Vec<&str> = failure.message.split_whitespace().collect();
        format!("{}: {}", failure.name, message.join(" "))
    }

    /// Its seed file is there.
    pub(super) fn written(mut self, path: &Path, line: &str) -> Self {
        self.text.push_str(&format!("  seed file      {}\n", path.display()));
        self.text.push_str(
            "                 it is played first from now on; in the folder `seeds` of the\n",
        );
        self.text.push_str("                 package it is for ever\n");
        self.text.push_str(&format!("  replay         {line}\n\n"));
        self
    }

    /// What there is to know of this build.
    pub(super) fn noted(mut self, limits: &str) -> Self {
        for line in report::wrap(&format!("note: {limits}"), 78) {
            self.text.push_str(&format!("  {line}\n"));
        }
        self.text.push('\n');
        self
    }

    /// Its seed file could not be written; it is not lost even so.
    pub(super) fn not_written(mut self, error: &io::Error, text: &str) -> Self {
        self.text.push_str(&format!(
            "\nits seed file cannot be written: {error}; this is it:\n\n{text}"
        ));
        self
    }

    /// Why it fails.
    pub(super) fn told(mut self, story: String) -> Self {
        self.text.push_str(&story);
        self
    }
}
