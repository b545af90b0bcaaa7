//! The report formats: one file each in this folder, one line each in [`REPORTERS`].
//!
//! A reporter is a pure function from what was run to text: it opens no file, asks no clock and gives the same
//! text for the same runs. Where it goes is the command's business.

use std::path::Path;

use super::{Results, baseline, json, markdown, profile, text, trace};
#[cfg(feature = "cli")]
use super::{csv, flame, hgrm, hlog, html, junit};
use crate::suite::{Case, Finished};

/// A report format.
#[derive(Debug, Clone, Copy)]
pub struct Reporter {
    /// What the command line calls it.
    pub name: &'static str,
    /// Its line in the help.
    pub about: &'static str,
    /// What its files end in, without the dot.
    pub extension: &'static str,
    /// What makes it.
    pub make: Make,
}

/// What makes a report.
#[derive(Debug, Clone, Copy)]
pub enum Make {
    /// One file of everything, from what is kept of all runs.
    Whole(fn(&Results) -> String),
    /// One file that grows as runs end, in order: every run stands in it whole, and none is kept.
    AsTheyEnd(Growing),
    /// A file for each run.
    EachRun {
        /// The file.
        make: fn(&OneRun<'_>) -> String,
        /// What the run must have beyond what every run has.
        needs: Needs,
    },
}

/// What a report of one run tells of that not every run has: then the run is played again for it, since keeping events
/// costs heap that is not the system's, and looking at the host's clock costs time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing more.
    Nothing,
    /// [Every event](crate::Keep::All).
    Events,
    /// Where its time went.
    Profile,
}

/// The parts of a report that grows.
#[derive(Debug, Clone, Copy)]
pub struct Growing {
    /// What stands before the first run.
    pub head: fn(&Results) -> String,
    /// A run. The results are those of the runs before it.
    pub run: fn(&Results, &OneRun<'_>) -> String,
    /// What stands behind the last run.
    pub tail: fn(&Results) -> String,
}

/// A run that is over.
#[derive(Debug, Clone, Copy)]
pub struct OneRun<'a> {
    /// What was run.
    pub case: &'a Case,
    /// What came of it.
    pub finished: &'a Finished,
    /// Its seed file, if it failed.
    pub seed_file: Option<&'a Path>,
}

/// All formats, in the order of the help.
pub const REPORTERS: &[Reporter] = &[
    text::REPORTER,
    json::REPORTER,
    markdown::REPORTER,
    #[cfg(feature = "cli")]
    junit::REPORTER,
    #[cfg(feature = "cli")]
    csv::REPORTER,
    #[cfg(feature = "cli")]
    hgrm::REPORTER,
    #[cfg(feature = "cli")]
    hlog::REPORTER,
    trace::REPORTER,
    profile::REPORTER,
    #[cfg(feature = "cli")]
    flame::OF_USERS,
    #[cfg(feature = "cli")]
    flame::OF_TASKS,
    #[cfg(feature = "cli")]
    html::REPORTER,
    baseline::REPORTER,
];

/// The format of that name.
pub fn reporter(name: &str) -> Option<&'static Reporter> {
    REPORTERS.iter().find(|reporter| reporter.name == name)
}
