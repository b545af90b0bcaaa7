//! What is told of runs as they end, and once they are over: by `run`, which plays them, and by `merge`, which reads them.

use std::path::PathBuf;

use super::args::ReportArgs;
use super::guard::Guard;
use super::output::{OfAll, OfRuns};
use super::shrink::Found;
use super::{Stop, Terminal, exit};
use crate::guard::Finding;
use crate::report::{self, Detail, Explained, Growing, Make, OneRun, Results};
use crate::suite::{Case, Finished, Suite};
use crate::world::RunOptions;

/// A run that is over, with its seed file if it failed.
pub(super) struct Done {
    /// What was run: under `cancel-each` the schedule that failed.
    pub(super) case: Case,
    pub(super) finished: Finished,
    pub(super) seed_file: Option<PathBuf>,
    /// What it depends on besides its seed, where that was looked for.
    pub(super) findings: Vec<Finding>,
    /// Under `cancel-each`: at how many polls, and how many of those runs failed.
    pub(super) cancelled: Option<(u64, u64)>,
    /// What is printed of it where that is a report of one run.
    pub(super) printed: Option<String>,
}

/// A run that failed: how it is played again, and its seed file.
pub(super) struct Failed {
    pub(super) case: Case,
    pub(super) seed_file: PathBuf,
}

/// The reports of a command, in the making.
pub(super) struct Telling<'a> {
    args: &'a ReportArgs,
    cases: &'a [Case],
    results: Results,
    of_all: Option<OfAll>,
    detail: Detail,
    found: Found,
    /// Where runs are checked for determinism.
    guard: Option<Guard>,
}

impl<'a> Telling<'a> {
    pub(super) fn new(
        args: &'a ReportArgs,
        cases: &'a [Case],
        results: Results,
        of_all: OfAll,
        guarded: bool,
    ) -> Self {
        let detail = Detail { memory: true, coloured: false };
        let (of_all, guard) = (Some(of_all), guarded.then(Guard::default));
        Self { args, cases, results, of_all, detail, found: Found::default(), guard }
    }

    pub(super) fn is_text(&self) -> bool {
        self.args.format.name == "text"
    }

    pub(super) fn results(&mut self) -> &mut Results {
        &mut self.results
    }

    fn of_all(&mut self) -> &mut OfAll {
        self.of_all.as_mut().expect("it is taken at the end")
    }

    /// Before the first run.
    pub(super) fn begin(&mut self, terminal: &mut Terminal<'_>) -> Result<(), Stop> {
        self.detail.coloured = terminal.coloured();
        if let Make::AsTheyEnd(Growing { head, .. }) = self.args.format.make {
            terminal.print(&head(&self.results))?;
        }
        let Self { of_all, results, .. } = self;
        of_all.iter_mut().try_for_each(|of_all| of_all.begin(results))
    }

    /// A run of the case of this number, in order.
    pub(super) fn run(
        &mut self,
        case: usize,
        done: Done,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Stop> {
        let Done { case: of, finished, seed_file, findings, cancelled, printed } = done;
        if let Some(guard) = &mut self.guard {
            guard.add(&self.cases[case], &finished, &findings);
        }
        if let Some((points, failed)) = cancelled {
            let (all_points, all_failed) = self.results.cancelled.unwrap_or((0, 0));
            self.results.cancelled = Some((all_points + points, all_failed + failed));
        }
        let run = OneRun { case: &of, finished: &finished, seed_file: seed_file.as_deref() };
        let text = match self.args.format.make {
            Make::AsTheyEnd(_) if self.is_text() => {
                report::text_of_run(&self.results, run, self.detail)
            }
            Make::AsTheyEnd(Growing { run: text, .. }) => text(&self.results, &run),
            Make::EachRun { .. } | Make::Whole(_) => printed.unwrap_or_default(),
        };
        terminal.print(&text)?;
        let Self { of_all, results, .. } = self;
        of_all.iter_mut().try_for_each(|of_all| of_all.run(results, &run))?;
        results.add(case, run);
        let failed = seed_file.map(|seed_file| Failed { case: of, seed_file });
        self.found.add(case, &finished, failed);
        Ok(())
    }

    /// Behind the last run.
    pub(super) fn runs_are_over(
        &mut self,
        wall_ns: Option<u64>,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Stop> {
        // Those that an interrupt has left out, and those that other shards have, have nothing to tell.
        self.results.cases.retain(|case| !case.runs.is_empty());
        if self.is_text() {
            terminal.print(&report::end(&self.results, wall_ns, self.detail))?;
        }
        Ok(())
    }

    /// The failures that differ, to be explained.
    pub(super) fn take_found(&mut self) -> Found {
        std::mem::take(&mut self.found)
    }

    /// One of them was explained.
    pub(super) fn explained(
        &mut self,
        explained: Explained,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Stop> {
        if self.is_text() {
            let text = report::shrunk(&explained, &self.results.command, self.detail.coloured);
            terminal.print(&format!("\n{text}"))?;
        }
        self.results.explanations.push(explained);
        Ok(())
    }

    /// Whether a report tells of the median runs.
    pub(super) fn needs_medians(&mut self) -> bool {
        matches!(self.args.format.make, Make::Whole(_)) || self.of_all().needs_kept()
    }

    /// Once everything is known: writes the reports that are not written yet.
    pub(super) fn end<S: Clone + Send + 'static>(
        &mut self,
        of_runs: &OfRuns,
        suite: &Suite<S>,
        options: &RunOptions,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Stop> {
        match self.args.format.make {
            Make::AsTheyEnd(_) if self.is_text() => {}
            Make::AsTheyEnd(Growing { tail, .. }) => terminal.print(&tail(&self.results))?,
            Make::Whole(make) => terminal.print(&make(&self.results))?,
            Make::EachRun { .. } => {}
        }
        let of_all = self.of_all.take().expect("there is one end");
        let written = of_all.end(of_runs, suite, &self.results, options)?;
        if self.is_text() && !written.is_empty() {
            terminal.print(&format!("\n{written}"))?;
        }
        Ok(())
    }

    /// What the command exits with; tells first what the guard found.
    pub(super) fn code(self, terminal: &mut Terminal<'_>) -> Result<u8, Stop> {
        let code = if self.results.passed() { exit::HELD } else { exit::FAILED };
        let is_text = self.is_text();
        let Some(guard) = self.guard else { return Ok(code) };
        match is_text {
            true => terminal.print(&guard.text())?,
            // Programs go by the exit code; what differs is for people.
            false => super::complain(format_args!("{}", guard.text().trim_end())),
        }
        Ok(code.max(guard.code()))
    }
}
