//! `run` and `plan`.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::args::{PlanArgs, RunArgs, WhichShard};
use super::output::{EVENTS, OfRuns, Outputs};
use super::real::CtrlC;
use super::shard::Order;
use super::shard::file::{Head, Options, ShardFile};
use super::telling::{Done, Telling};
use super::waiting::Waiting;
use super::{Stop, Terminal, exit};
use crate::build_info::Build;
use crate::clock::Clock;
use crate::decision::StrategyChoice;
use crate::event::Keep;
use crate::guard::Finding;
use crate::input::{InputError, Source};
use crate::report::{self, Kept, OneRun, Results};
use crate::scenario::overrides::Override;
use crate::seed_file::SeedFile;
use crate::shard::Shard;
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
    let order = Order::new(cases.len(), seeds)
        .ok_or_else(|| InputError::new("--seeds: these are more runs than can be counted"))?;
    let shard = match args.shard {
        None => Shard::WHOLE,
        Some(WhichShard::Given(shard)) => shard,
        Some(WhichShard::Auto) => super::shard::variables::shard(|name| std::env::var_os(name))?,
    };
    let jobs = match args.jobs {
        // Two of them would measure each other.
        _ if args.clock == Clock::Real => 1,
        Some(jobs) => jobs.get(),
        None => std::thread::available_parallelism().map_or(1, |cores| cores.get()),
    };
    let runs = shard.count(order.runs());
    if let Some(path) = &args.save_latencies {
        super::latencies::check(path, runs)?;
    }
    let outputs = Outputs::open(&args.told, args.clock, &cases, runs)?;
    let command = terminal.command.clone();
    let on_ctrl_c = (args.clock == Clock::Real).then(CtrlC::ends_runs);
    let interrupt = on_ctrl_c.as_ref().map(CtrlC::interrupt);
    let sweep = Sweep { suite, args, cases: &cases, order, shard, jobs, command, interrupt };
    sweep.run(outputs, terminal)
}

/// All cases with all seeds, or a shard of these runs.
struct Sweep<'a, S> {
    suite: &'a Suite<S>,
    args: &'a RunArgs,
    cases: &'a [Case],
    order: Order,
    shard: Shard,
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

impl<S: Clone + Send + 'static> Sweep<'_, S> {
    /// Runs everything, prints one report as it goes on, and writes the others.
    fn run(&self, outputs: Outputs, terminal: &mut Terminal<'_>) -> Result<u8, Stop> {
        let began = Instant::now();
        let Outputs { of_runs, of_all } = outputs;
        let build = Build::of_source(self.suite.name(), self.suite.version());
        let mut results = Results::new(build, &self.command, self.cases, self.order.seeds.clone())
            .part(self.shard);
        results.clock = self.args.clock;
        let mut shard_file = match self.args.shard.is_some() {
            true => Some(ShardFile::open(&self.args.out, &self.head())?),
            false => None,
        };
        let guarded = self.args.check_determinism;
        let mut telling = Telling::new(&self.args.told, self.cases, results, of_all, guarded);
        telling.begin(terminal)?;
        self.each(&of_runs, |case, done| {
            if let Some(file) = &mut shard_file {
                file.run(&done)?;
            }
            if let Some(path) = &self.args.save_latencies {
                super::latencies::save(path, &done.finished.record)?;
            }
            telling.run(case, done, terminal)
        })?;
        let options = self.options(0);
        telling.runs_are_over(Some(units::nanos(began.elapsed())), terminal)?;
        if !self.args.no_shrink {
            let found = telling.take_found();
            found.shrink(self.suite, &options, &self.command, |told| {
                if let Some(file) = &mut shard_file {
                    file.explained(&told);
                }
                telling.explained(told.explained, terminal)
            })?;
        }
        // Before reports: what cannot be written of them, `merge` can.
        let shard_file = shard_file.map(ShardFile::close).transpose()?;
        if telling.needs_medians() {
            self.keep_medians(telling.results());
        }
        telling.end(&of_runs, self.suite, &options, terminal)?;
        if let Some(path) = self.args.save_latencies.as_ref().filter(|_| telling.is_text()) {
            terminal.print(&format!("\nlatencies saved to {}\n", path.display()))?;
        }
        if let Some(path) = shard_file.filter(|_| telling.is_text()) {
            terminal.print(&format!("\nshard {} for `merge`  {}\n", self.shard, path.display()))?;
        }
        telling.code(terminal)
    }

    /// What the file of a shard says first.
    fn head(&self) -> Head {
        let RunArgs { isolate, hang_after, check_determinism, no_shrink, .. } = *self.args;
        let hang_after_ms = hang_after.as_millis() as u64;
        let options = Options { isolate, hang_after_ms, check_determinism, no_shrink };
        let build = Build::of_binary(self.suite.name(), self.suite.version());
        let strategy = self.args.strategy.as_ref();
        let seeds = self.order.seeds.clone();
        Head::new(self.shard, build, seeds, self.cases, strategy, options)
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
        let count = self.shard.count(self.order.runs());
        let waiting = Waiting::new(count, self.cases.len() as u64, self.args.clock);
        let mut stop = None;
        let at = |index: usize| self.order.at(self.shard.run(index as u64));
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
        Ok(Done { case, finished, seed_file, findings, cancelled, printed })
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
