//! What `compare` reads and a repository keeps: see [`crate::compare`].

use super::reporter::{Growing, Make, OneRun, Reporter};
use super::results::Results;
use crate::compare::{ComparedRun, baseline};

/// Named numbers, without heap bytes and host.
pub(super) const REPORTER: Reporter = Reporter {
    name: "baseline",
    about: "For `compare` and a repository: what was measured, a number on each line, without heap bytes and host",
    extension: "baseline.json",
    make: Make::AsTheyEnd(Growing { head, run, tail }),
};

fn head(results: &Results) -> String {
    baseline::head(&results.build)
}

fn run(results: &Results, run: &OneRun<'_>) -> String {
    baseline::run(&ComparedRun::of(run.finished), results.is_empty())
}

fn tail(_: &Results) -> String {
    baseline::TAIL.to_owned()
}
