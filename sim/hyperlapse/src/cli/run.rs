//! `run` and `plan`.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{Format, PlanArgs, RunArgs};
use super::shrink::Found;
use super::{Stop, Terminal, exit};
use crate::build_info::Build;
use crate::decision::StrategyChoice;
use crate::guard::{Finding, HostSource};
use crate::input::{InputError, Source};
use crate::report::{self, CaseSummary, Detail};
use crate::scenario::overrides::Override;
use crate::seed_file::SeedFile;
use crate::suite::{Case, Finished, Suite};
use crate::sweep;
use crate::units;
use crate::world::RunOptions;

/// The cases that names and paths stand for.
fn cases<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    scenarios: &[String],
    system: Option<&str>,
    set: &[Override],
) -> Result<Vec<Case>, InputError> {
    if scenarios.is_empty() {
        let shipped = suite.scenarios();
        let by_default = shipped.iter().filter(|(_, by_default)| *by_default);
        return by_default.map(|(scenario, _)| suite.case(scenario.name(), system, set)).collect();
    }
    scenarios.iter().map(|name| case(suite, name, system, set)).collect()
}

fn case<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    name: &str,
    system: Option<&str>,
    set: &[Override],
) -> Result<Case, InputError> {
    // A path ends like one or has a separator in it; names of scenarios do neither.
    if !name.ends_with(".toml") && !name.contains(['/', '\\']) {
        return suite.case(name, system, set);
    }
    suite.case_from(&Source::read(Path::new(name))?, system, set)
}

pub(super) fn plan<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    args: &PlanArgs,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Stop> {
    let cases = cases(suite, &args.scenarios, args.system.as_deref(), &args.set)?;
    for (i, case) in cases.iter().enumerate() {
        let gap = if i == 0 { "" } else { "\n" };
        terminal.print(&format!("{gap}{}", report::plan(case, args.seed)))?;
    }
    Ok(exit::HELD)
}

pub(super) fn run<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    args: &RunArgs,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Stop> {
    super::isolate::check(args.isolate)?;
    let mut cases = cases(suite, &args.scenarios, args.system.as_deref(), &args.set)?;
    for case in &mut cases {
        case.strategy = args.strategy.clone();
    }
    let seeds = args.seeds.clone().unwrap_or_else(|| {
        let seed = args.seed.unwrap_or(0);
        seed..seed + 1
    });
    if (seeds.end - seeds.start).checked_mul(cases.len() as u64).is_none() {
        return Err(InputError::new("--seeds: these are more runs than can be counted").into());
    }
    let jobs = match args.jobs {
        Some(jobs) => jobs.get(),
        None => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
    };
    let sweep =
        Sweep { suite, args, cases: &cases, seeds, jobs, command: terminal.command.clone() };
    match args.format {
        Format::Text => sweep.text(terminal),
        Format::Json => sweep.json(terminal),
    }
}

/// All cases with all seeds.
struct Sweep<'a, S> {
    suite: &'a Suite<S>,
    args: &'a RunArgs,
    cases: &'a [Case],
    seeds: Range<u64>,
    jobs: usize,
    command: String,
}

/// A run that is over, with its seed file if it failed.
struct Done {
    finished: Finished,
    failed: Option<Failed>,
    /// What it depends on besides its seed, where that was looked for.
    findings: Vec<Finding>,
    /// Under `cancel-each`: at how many polls, and how many of those runs failed.
    cancelled: Option<(u64, u64)>,
}

/// A run that failed: how it is played again, and its seed file.
pub(super) struct Failed {
    pub(super) case: Case,
    pub(super) seed_file: PathBuf,
}

impl<S: Clone + Send + 'static> Sweep<'_, S> {
    fn text(&self, terminal: &mut Terminal<'_>) -> Result<u8, Stop> {
        let began = Instant::now();
        let coloured = terminal.coloured();
        let single = self.seeds.end - self.seeds.start == 1;
        let detail = Detail { memory: true, coloured };
        let mut summaries: Vec<CaseSummary> = Vec::new();
        let mut found = Found::default();
        let mut guard = Guard::default();
        let mut cancelled: Option<(u64, u64)> = None;
        self.each(|case, done| {
            guard.add(&self.cases[case], &done.finished, &done.findings);
            if summaries.len() == case {
                summaries.push(CaseSummary::default());
            }
            if let Some((points, failed)) = done.cancelled {
                let (all_points, all_failed) = cancelled.unwrap_or((0, 0));
                cancelled = Some((all_points + points, all_failed + failed));
            }
            let Done { finished, failed, .. } = done;
            let seed_file = failed.as_ref().map(|failed| failed.seed_file.clone());
            summaries[case].add(&finished, seed_file.clone());
            found.add(case, &finished, failed);
            if single {
                let scenario = &self.cases[case].scenario;
                let load = scenario.workload().describe();
                let mut text = report::run(&finished, scenario.about(), &load, detail);
                if let Some(file) = &seed_file {
                    text.push_str(&format!("  seed file      {}\n", file.display()));
                }
                terminal.print(&(text + "\n"))?;
            }
            Ok(())
        })?;
        let noun = self.cases.first().map_or("operation", |case| case.scenario.operation());
        let wall_ns = Some(units::nanos(began.elapsed()));
        let mut text = report::summary(&summaries, noun, &self.command, wall_ns, coloured);
        if let Some(limits) = Build::of_source(self.suite.name(), self.suite.version()).limits() {
            text.push_str(&format!("note: {limits}\n"));
        }
        if let Some((points, failed)) = cancelled {
            let points = units::plural(points, "poll");
            let failed = units::plural(failed, "run");
            text.push_str(&format!("cancelled at each of {points} in turn: {failed} failed\n"));
        }
        terminal.print(&text)?;
        if !self.args.no_shrink {
            let options = RunOptions { isolate: self.args.isolate, ..self.options(0) };
            found.shrink(self.suite, &options, &self.command, |shrunk| {
                terminal.print(&format!("\n{}", shrunk.text(coloured)))
            })?;
        }
        if self.args.check_determinism {
            terminal.print(&guard.text())?;
        }
        Ok(code(summaries.iter().all(CaseSummary::passed)).max(guard.code()))
    }

    fn json(&self, terminal: &mut Terminal<'_>) -> Result<u8, Stop> {
        let build = Build::of_source(self.suite.name(), self.suite.version());
        terminal.print(&report::json::head(&build))?;
        let (mut first, mut passed) = (true, true);
        let mut found = Found::default();
        let mut guard = Guard::default();
        self.each(|case, done| {
            guard.add(&self.cases[case], &done.finished, &done.findings);
            passed &= done.finished.verdict.passed();
            let seed_file = done.failed.as_ref().map(|failed| failed.seed_file.as_path());
            let text = report::json::run(&done.finished, seed_file, first);
            first = false;
            found.add(case, &done.finished, done.failed);
            terminal.print(&text)
        })?;
        let mut explanations = Vec::new();
        if !self.args.no_shrink {
            let options = RunOptions { isolate: self.args.isolate, ..self.options(0) };
            found.shrink(self.suite, &options, &self.command, |shrunk| {
                explanations.push(shrunk.json());
                Ok(())
            })?;
        }
        terminal.print(&report::json::tail(&explanations))?;
        if self.args.check_determinism {
            // Programs go by the exit code; what differs is for people.
            super::complain(format_args!("{}", guard.text().trim_end()));
        }
        Ok(code(passed).max(guard.code()))
    }

    /// Runs everything and hands it over in order, with the number of its case.
    fn each(&self, mut take: impl FnMut(usize, Done) -> Result<(), Stop>) -> Result<(), Stop> {
        let seeds = self.seeds.end - self.seeds.start;
        let count = self.cases.len() as u64 * seeds;
        let progress = progress(count, count > self.cases.len() as u64);
        let mut stop = None;
        let at = |index: usize| {
            let case = (index as u64 / seeds) as usize;
            (case, self.seeds.start + index as u64 % seeds)
        };
        let work = |index: usize| {
            let (case, seed) = at(index);
            let done = self.one(&self.cases[case], seed);
            progress.inc(1);
            done
        };
        sweep::in_order(count as usize, self.jobs, work, |index, done| {
            let taken = done.and_then(|done| progress.suspend(|| take(at(index).0, done)));
            match taken {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    stop = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        progress.finish_and_clear();
        stop.map_or(Ok(()), Err)
    }

    fn options(&self, seed: u64) -> RunOptions {
        RunOptions { hang_after: self.args.hang_after, ..RunOptions::seed(seed) }
    }

    /// One run. If it fails its seed file is written before anything else happens.
    fn one(&self, case: &Case, seed: u64) -> Result<Done, Stop> {
        let options = RunOptions { isolate: self.args.isolate, ..self.options(seed) };
        let (mut findings, mut cancelled) = (Vec::new(), None);
        let (case, finished) = match case.strategy() {
            _ if self.args.check_determinism => {
                let (finished, found) = self.suite.check_determinism(case, options);
                findings = found;
                (case.clone(), finished)
            }
            StrategyChoice::CancelEach => {
                let each = self.suite.cancel_each(case, options);
                cancelled = Some((each.points, each.failed));
                each.first
            }
            _ => (case.clone(), self.suite.run_with(case, options)),
        };
        if finished.verdict.passed() {
            return Ok(Done { finished, failed: None, findings, cancelled });
        }
        let build = Build::of_binary(self.suite.name(), self.suite.version());
        let seed_file =
            SeedFile::of(&case, &finished, build).expect("a run that failed has a failure");
        match seed_file.write(&self.args.out, &self.command) {
            Ok(seed_file) => {
                let failed = Some(Failed { case, seed_file });
                Ok(Done { finished, failed, findings, cancelled })
            }
            Err(error) => {
                // Not lost, even so.
                super::complain(format_args!("{}", seed_file.text(&self.command)));
                Err(Stop::Io(format!("write a seed file into {}", self.args.out.display()), error))
            }
        }
    }
}

/// What the guard found in a sweep: each dependence once for each case, by its first seed.
#[derive(Default)]
struct Guard {
    told: Vec<(String, Option<HostSource>, String)>,
    checked: u64,
    fails: bool,
}

impl Guard {
    fn add(&mut self, case: &Case, finished: &Finished, findings: &[Finding]) {
        self.checked += 1;
        let of = format!("{} on {}", case.scenario.name(), case.system);
        for finding in findings {
            self.fails |= !finding.is_note();
            if self.told.iter().any(|(name, moved, _)| *name == of && *moved == finding.moved) {
                continue;
            }
            let mark = if finding.is_note() { "note" } else { "NONDETERMINISM" };
            let text = format!("{mark}  {of}, seed {}: {finding}", finished.record.seed);
            let lines = text.lines().map(|line| report::wrap(line, 80).join("\n    "));
            let text = lines.collect::<Vec<_>>().join("\n") + "\n";
            self.told.push((of.clone(), finding.moved, text));
        }
    }

    fn text(&self) -> String {
        if self.told.is_empty() {
            let runs = units::plural(self.checked, "run");
            return format!(
                "\ndeterministic: {runs} came to the same events again, and with another HashMap order, other \
                 random\nbytes, another clock and another order of select!\n"
            );
        }
        self.told.iter().map(|(_, _, text)| format!("\n{text}")).collect()
    }

    fn code(&self) -> u8 {
        if self.fails { exit::NONDETERMINISM } else { exit::HELD }
    }
}

fn code(passed: bool) -> u8 {
    if passed { exit::HELD } else { exit::FAILED }
}

/// A bar for people; nothing where standard error is not a terminal, or there is little to wait for.
fn progress(runs: u64, shown: bool) -> ProgressBar {
    if !shown {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} runs, {elapsed}, {eta} left")
        .expect("the template is a constant that is right");
    ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr()).with_style(style)
}
