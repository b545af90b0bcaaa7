//! `run` and `plan`.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::{PlanArgs, RunArgs};
use super::output::{EVENTS, OfRuns, Outputs};
use super::real::CtrlC;
use super::shrink::Found;
use super::waiting::Waiting;
use super::{Stop, Terminal, exit};
use crate::build_info::Build;
use crate::clock::Clock;
use crate::decision::StrategyChoice;
use crate::event::Keep;
use crate::guard::{Finding, HostSource};
use crate::input::{InputError, Source};
use crate::report::{self, Detail, Growing, Kept, Make, OneRun, Results};
use crate::scenario::overrides::Override;
use crate::seed_file::SeedFile;
use crate::suite::{Case, Finished, Suite};
use crate::sweep;
use crate::units;
use crate::world::{Interrupt, Reached, RunOptions};

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

/// The case that a name or a path stands for.
pub(super) fn case<S: Clone + Send + 'static>(
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
    crate::isolate::check(args.isolate)?;
    let mut cases = cases(suite, &args.scenarios, args.system.as_deref(), &args.set)?;
    for case in &mut cases {
        case.strategy = args.strategy.clone();
    }
    if args.clock == Clock::Real {
        super::real::check(args, &cases)?;
    }
    let seeds = args.seeds.clone().unwrap_or_else(|| {
        let seed = args.seed.unwrap_or(0);
        seed..seed + 1
    });
    if (seeds.end - seeds.start).checked_mul(cases.len() as u64).is_none() {
        return Err(InputError::new("--seeds: these are more runs than can be counted").into());
    }
    let jobs = match args.jobs {
        // Two of them would measure each other.
        _ if args.clock == Clock::Real => 1,
        Some(jobs) => jobs.get(),
        None => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
    };
    let runs = (seeds.end - seeds.start) * cases.len() as u64;
    if let Some(path) = &args.save_latencies {
        super::latencies::check(path, runs)?;
    }
    let outputs = Outputs::open(args, &cases, runs)?;
    let command = terminal.command.clone();
    let on_ctrl_c = (args.clock == Clock::Real).then(CtrlC::ends_runs);
    let interrupt = on_ctrl_c.as_ref().map(CtrlC::interrupt);
    let sweep = Sweep { suite, args, cases: &cases, seeds, jobs, command, interrupt };
    sweep.run(outputs, terminal)
}

/// All cases with all seeds.
struct Sweep<'a, S> {
    suite: &'a Suite<S>,
    args: &'a RunArgs,
    cases: &'a [Case],
    seeds: Range<u64>,
    jobs: usize,
    command: String,
    /// On the real clock: what ends a run early.
    interrupt: Option<Interrupt>,
}

/// A run that is over.
struct Played {
    /// What was run: under `cancel-each` the schedule that failed.
    case: Case,
    finished: Finished,
    /// What it depends on besides its seed, where that was looked for.
    findings: Vec<Finding>,
    /// Under `cancel-each`: at how many polls, and how many of those runs failed.
    cancelled: Option<(u64, u64)>,
}

/// The same, with its seed file if it failed, and what is printed of it where that is a report of one run.
struct Done {
    case: Case,
    finished: Finished,
    failed: Option<Failed>,
    findings: Vec<Finding>,
    cancelled: Option<(u64, u64)>,
    printed: Option<String>,
}

/// A run that failed: how it is played again, and its seed file.
pub(super) struct Failed {
    pub(super) case: Case,
    pub(super) seed_file: PathBuf,
}

impl<S: Clone + Send + 'static> Sweep<'_, S> {
    /// Runs everything, prints one report as it goes on, and writes the others.
    fn run(&self, outputs: Outputs, terminal: &mut Terminal<'_>) -> Result<u8, Stop> {
        let began = Instant::now();
        let Outputs { of_runs, mut of_all } = outputs;
        let (format, is_text) = (self.args.format.make, self.args.format.name == "text");
        let detail = Detail { memory: true, coloured: terminal.coloured() };
        let build = Build::of_source(self.suite.name(), self.suite.version());
        let mut results = Results::new(build, &self.command, self.cases, self.seeds.clone());
        results.clock = self.args.clock;
        let mut found = Found::default();
        let mut guard = Guard::default();
        if let Make::AsTheyEnd(Growing { head, .. }) = format {
            terminal.print(&head(&results))?;
        }
        of_all.begin(&results)?;
        self.each(&of_runs, |case, done| {
            let Done { case: of, finished, failed, findings, cancelled, printed } = done;
            guard.add(&self.cases[case], &finished, &findings);
            if let Some((points, failed)) = cancelled {
                let (all_points, all_failed) = results.cancelled.unwrap_or((0, 0));
                results.cancelled = Some((all_points + points, all_failed + failed));
            }
            let seed_file = failed.as_ref().map(|failed| failed.seed_file.as_path());
            let run = OneRun { case: &of, finished: &finished, seed_file };
            let text = match format {
                Make::AsTheyEnd(_) if is_text => report::text_of_run(&results, run, detail),
                Make::AsTheyEnd(Growing { run: text, .. }) => text(&results, &run),
                Make::EachRun { .. } | Make::Whole(_) => printed.unwrap_or_default(),
            };
            terminal.print(&text)?;
            if let Some(path) = &self.args.save_latencies {
                super::latencies::save(path, &finished.record)?;
            }
            of_all.run(&results, &run)?;
            results.add(case, run);
            found.add(case, &finished, failed);
            Ok(())
        })?;
        // Those that an interrupt has left out have nothing to tell.
        results.cases.retain(|case| !case.runs.is_empty());
        if is_text {
            let wall_ns = Some(units::nanos(began.elapsed()));
            terminal.print(&report::end(&results, wall_ns, detail))?;
        }
        if !self.args.no_shrink {
            let options = self.options(0);
            found.shrink(self.suite, &options, &self.command, |explained| {
                if is_text {
                    let text = report::shrunk(&explained, &self.command, detail.coloured);
                    terminal.print(&format!("\n{text}"))?;
                }
                results.explanations.push(explained);
                Ok(())
            })?;
        }
        if of_all.needs_kept() || matches!(format, Make::Whole(_)) {
            self.keep_medians(&mut results);
        }
        match format {
            Make::AsTheyEnd(_) if is_text => {}
            Make::AsTheyEnd(Growing { tail, .. }) => terminal.print(&tail(&results))?,
            Make::Whole(make) => terminal.print(&make(&results))?,
            Make::EachRun { .. } => {}
        }
        let written = of_all.end(&of_runs, self.suite, &results, &self.options(0))?;
        if is_text && !written.is_empty() {
            terminal.print(&format!("\n{written}"))?;
        }
        if let Some(path) = self.args.save_latencies.as_ref().filter(|_| is_text) {
            terminal.print(&format!("\nlatencies saved to {}\n", path.display()))?;
        }
        if self.args.check_determinism && is_text {
            terminal.print(&guard.text())?;
        } else if self.args.check_determinism {
            // Programs go by the exit code; what differs is for people.
            super::complain(format_args!("{}", guard.text().trim_end()));
        }
        Ok(code(results.passed()).max(guard.code()))
    }

    /// Keeps the median run of each case, which is known only at the end: by running its seed again.
    fn keep_medians(&self, results: &mut Results) {
        for case in &mut results.cases {
            let Some(median) = case.median().filter(|run| !case.kept.contains_key(&run.seed))
            else {
                continue;
            };
            let seed_file = median.seed_file.clone();
            let played = self.play(&case.case, self.options(median.seed));
            // A system that does not repeat itself has no such run any more.
            if played.finished.record.fingerprint == median.fingerprint {
                case.keep(Kept { case: played.case, finished: played.finished, seed_file });
            }
        }
    }

    /// Runs everything and hands it over in order, with the number of its case.
    fn each(
        &self,
        of_runs: &OfRuns,
        mut take: impl FnMut(usize, Done) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let seeds = self.seeds.end - self.seeds.start;
        let count = self.cases.len() as u64 * seeds;
        let waiting = Waiting::new(count, self.cases.len() as u64, self.args.clock);
        let mut stop = None;
        let at = |index: usize| {
            let case = (index as u64 / seeds) as usize;
            (case, self.seeds.start + index as u64 % seeds)
        };
        let work = |index: usize| {
            let (case, seed) = at(index);
            let (reached, _running) = waiting.run(&self.cases[case], seed);
            self.one(case, seed, reached, of_runs)
        };
        sweep::in_order(count as usize, self.jobs, work, |index, done| {
            let taken = done.and_then(|done| waiting.suspend(|| take(at(index).0, done)));
            match taken {
                Ok(()) if self.is_interrupted() => ControlFlow::Break(()),
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    stop = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        drop(waiting);
        stop.map_or(Ok(()), Err)
    }

    fn options(&self, seed: u64) -> RunOptions {
        let (hang_after, isolate) = (self.args.hang_after, self.args.isolate);
        let clock = self.args.clock;
        // A run on the real clock cannot be played again with its events kept.
        let keep = match clock == Clock::Real && self.args.wants_events() {
            true => Keep::Last(EVENTS),
            false => Keep::default(),
        };
        let interrupt = self.interrupt.clone();
        RunOptions { hang_after, isolate, clock, keep, interrupt, ..RunOptions::seed(seed) }
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.as_ref().is_some_and(Interrupt::is_asked_for)
    }

    /// One run. If it fails its seed file is written before anything else happens.
    fn one(
        &self,
        number: usize,
        seed: u64,
        reached: Option<Reached>,
        of_runs: &OfRuns,
    ) -> Result<Done, Stop> {
        let options = RunOptions { reached, ..self.options(seed) };
        let Played { case, finished, findings, cancelled } =
            self.play(&self.cases[number], options.clone());
        // No file could play a run on the real clock again.
        let seed_file = match finished.verdict.passed() || self.args.clock == Clock::Real {
            true => None,
            false => Some(self.write_seed_file(&case, &finished)?),
        };
        let run = OneRun { case: &case, finished: &finished, seed_file: seed_file.as_deref() };
        let printed = of_runs.write(self.suite, number, run, &options)?;
        let failed = seed_file.map(|seed_file| Failed { case: case.clone(), seed_file });
        Ok(Done { case, finished, failed, findings, cancelled, printed })
    }

    /// Runs a seed of a case, and what else was asked for with it.
    fn play(&self, case: &Case, options: RunOptions) -> Played {
        let played = |case, finished| Played { case, finished, findings: vec![], cancelled: None };
        match case.strategy() {
            _ if self.args.check_determinism => {
                let (finished, findings) = self.suite.check_determinism(case, options);
                Played { findings, ..played(case.clone(), finished) }
            }
            StrategyChoice::CancelEach => {
                let each = self.suite.cancel_each(case, options);
                let (case, finished) = each.first;
                Played { cancelled: Some((each.points, each.failed)), ..played(case, finished) }
            }
            _ => played(case.clone(), self.suite.run_with(case, options)),
        }
    }

    fn write_seed_file(&self, case: &Case, finished: &Finished) -> Result<PathBuf, Stop> {
        let build = Build::of_binary(self.suite.name(), self.suite.version());
        let seed_file =
            SeedFile::of(case, finished, build).expect("a run that failed has a failure");
        seed_file.write(&self.args.out, &self.command).map_err(|error| {
            // Not lost, even so.
            super::complain(format_args!("{}", seed_file.text(&self.command)));
            Stop::Io(format!("write a seed file into {}", self.args.out.display()), error)
        })
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
