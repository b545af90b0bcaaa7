//! A test that is being run: seed files first, then seeds, until one fails.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

use super::found::{self, Found, NotHeld};
use super::place::{self, Place};
use super::variables::Variables;
use super::{EFFORT, Held};
use crate::build_info::Build;
use crate::decision::StrategyChoice;
use crate::input::{InputError, Source};
use crate::isolate;
use crate::replay::compare;
use crate::report::{self, CaseSummary, Explained};
use crate::seed_file::{Expect, SeedFile};
use crate::shrink::NotShrunk;
use crate::suite::{Case, Finished, Suite};
use crate::sweep;
use crate::verdict::FailureKind;
use crate::world::RunOptions;

/// A test that is being run.
pub(super) struct Running<'a, S> {
    pub(super) place: Place,
    pub(super) suite: &'a Suite<S>,
    pub(super) case: Case,
    pub(super) seeds: Range<u64>,
    /// Whether it has seed files alone.
    pub(super) on_demand: bool,
    pub(super) isolate: bool,
    pub(super) out: Option<PathBuf>,
}

impl<S: Clone + Send + 'static> Running<'_, S> {
    /// What came of it.
    ///
    /// # Errors
    /// The first failure, or why the test cannot be run.
    pub(super) fn all(self) -> Result<Held, NotHeld> {
        self.with_variables(|asked| asked.all())
    }

    /// The same with the report of its first seed.
    ///
    /// # Errors
    /// As [`Running::all`].
    pub(super) fn shown(self) -> Result<(String, Held), NotHeld> {
        self.with_variables(|asked| {
            let held = asked.all()?;
            Ok((asked.report(asked.seeds().start), held))
        })
    }

    fn with_variables<T>(
        mut self,
        run: impl FnOnce(&Asked<'_, S>) -> Result<T, NotHeld>,
    ) -> Result<T, NotHeld> {
        let variables = Variables::of_process()?;
        if std::env::var_os(isolate::REPLY).is_some() {
            // This process is there for one run, and for whoever reads its reply.
            let served = isolate::serve(self.suite);
            if let Err(error) = &served {
                eprintln!("{error}");
            }
            std::process::exit(i32::from(served.is_err()));
        }
        if variables.strategy.is_some() {
            self.case.strategy = variables.strategy.clone();
        }
        run(&Asked { running: &self, variables })
    }
}

/// The same with what the environment asks for.
struct Asked<'a, S> {
    running: &'a Running<'a, S>,
    variables: Variables,
}

impl<S: Clone + Send + 'static> Asked<'_, S> {
    fn all(&self) -> Result<Held, NotHeld> {
        let mut held = Held { seed_files: 0, seeds: 0 };
        if let Some(path) = &self.variables.replay {
            let (source, seed_file) = place::read(path)?;
            if !self.running.place.has(&seed_file) {
                let of = format!("{} on {}", seed_file.scenario, seed_file.system);
                let message = format!("{} is of another test: {of}", path.display());
                let place = &self.running.place;
                let ours = format!("this one is {} on {}", place.scenario(), place.system);
                return Err(InputError::new(message).help(ours).into());
            }
            self.replay(path, &source, &seed_file)?;
            return Ok(Held { seed_files: 1, ..held });
        }
        if self.variables.seed.is_none() {
            for (path, source, seed_file) in self.running.place.seed_files(&self.out())? {
                self.replay(&path, &source, &seed_file)?;
                held.seed_files += 1;
            }
        }
        if !self.running.on_demand {
            held.seeds = self.sweep()?;
        }
        Ok(held)
    }

    fn out(&self) -> PathBuf {
        let asked = self.variables.out.as_deref().or(self.running.out.as_deref());
        self.running.place.found(asked)
    }

    fn options(&self, seed: u64) -> RunOptions {
        let isolate = self.running.isolate || self.variables.isolate;
        let defaults = RunOptions::seed(seed);
        let hang_after = self.variables.hang_after.unwrap_or(defaults.hang_after);
        RunOptions { isolate, hang_after, ..defaults }
    }

    /// A seed file again.
    fn replay(&self, path: &Path, source: &Source, seed_file: &SeedFile) -> Result<(), NotHeld> {
        let in_file = |error: InputError| error.context(format_args!("in {}", source.name));
        let case = self.running.suite.replay_case(seed_file).map_err(in_file)?;
        let options = self.options(seed_file.seed);
        let crash = seed_file.failure.kind == FailureKind::Crash;
        let options = RunOptions { isolate: options.isolate || crash, ..options };
        let finished = self.running.suite.run_with(&case, options);
        let replayed = compare(seed_file, &finished);
        if replayed.as_expected(seed_file.expect) {
            return Ok(());
        }
        let build = Build::of_binary(self.running.suite.name(), self.running.suite.version());
        let explained = replayed.explain(seed_file, &finished, &build);
        let found = Found::of(&self.running.place, &self.running.case, &finished);
        if finished.verdict.passed() {
            return Err(NotHeld::NotReproduced(format!("{}: {explained}", path.display())));
        }
        let found = found.replayed(path, explained);
        let failure = finished.verdict.failures.first().expect("it did not pass");
        let story = self.running.suite.explain(&case, &finished, failure);
        Err(found.told(report::explanation(&story, false)).into())
    }

    fn seeds(&self) -> Range<u64> {
        match (self.variables.seed, &self.variables.seeds) {
            (Some(seed), _) => seed..seed + 1,
            (None, Some(seeds)) => seeds.clone(),
            (None, None) => self.running.seeds.clone(),
        }
    }

    fn report(&self, seed: u64) -> String {
        let case = &self.running.case;
        found::report(case, &self.running.suite.run_with(case, self.options(seed)))
    }

    /// All seeds, until one fails; how many held.
    fn sweep(&self) -> Result<u64, NotHeld> {
        let seeds = self.seeds();
        let count = seeds.end - seeds.start;
        let play = |index: usize| {
            let options = self.options(seeds.start + index as u64);
            let (case, finished) = match self.running.case.strategy() {
                StrategyChoice::CancelEach => {
                    self.running.suite.cancel_each(&self.running.case, options).first
                }
                _ => (
                    self.running.case.clone(),
                    self.running.suite.run_with(&self.running.case, options),
                ),
            };
            // Not lost, whatever comes after.
            let written = (!finished.verdict.passed()).then(|| self.write(&case, &finished));
            (case, finished, written)
        };
        let mut failed = None;
        let mut summary = CaseSummary::of(&self.running.case.scenario);
        let jobs = self.variables.jobs.map_or(1, |jobs| jobs.get());
        sweep::in_order(count as usize, jobs, play, |_, (case, finished, written)| match written {
            None => {
                summary.add(&finished, None);
                ControlFlow::Continue(())
            }
            Some(written) => {
                failed = Some((case, finished, written));
                ControlFlow::Break(())
            }
        });
        let Some((case, finished, written)) = failed else {
            let broken = summary.broken_over_the_sweep();
            return match broken.is_empty() {
                true => Ok(count),
                false => {
                    let test = self.running.place.name.clone();
                    let scenario = self.running.place.scenario().to_owned();
                    Err(NotHeld::OverTheSweep { test, scenario, seeds: count, broken })
                }
            };
        };
        let found = Found::of(&self.running.place, &case, &finished).found(&seeds);
        let path = match written {
            Ok(path) => path,
            Err((error, text)) => return Err(found.not_written(&error, &text).into()),
        };
        let found = found.written(&path, &self.running.place.replay(&path));
        let build = Build::of_source(self.running.suite.name(), self.running.suite.version());
        let found = build.limits().into_iter().fold(found, Found::noted);
        Err(found.told(self.story(&case, &finished, &path)).into())
    }

    /// Writes a seed file: where it is, or its text, if it cannot be written.
    fn write(&self, case: &Case, finished: &Finished) -> Result<PathBuf, (std::io::Error, String)> {
        let build = Build::of_binary(self.running.suite.name(), self.running.suite.version());
        let seed_file =
            SeedFile::of(case, finished, build).expect("a run that failed has a failure");
        // Of a test it is expected that it passes.
        let seed_file = SeedFile { expect: Expect::Pass, ..seed_file };
        let command = self.running.place.replay_command();
        let name = self.running.place.file_name(&seed_file);
        let written = seed_file.write_as(&self.out(), &name, &command);
        written.map_err(|error| (error, seed_file.text(&command)))
    }

    /// The failure made small, and why it fails; why it was not made small, if so.
    fn story(&self, case: &Case, finished: &Finished, path: &Path) -> String {
        let failure = finished.verdict.failures.first().expect("a run that failed has a failure");
        let explain = || {
            let story = self.running.suite.explain(case, finished, failure);
            report::explanation(&story, false)
        };
        if self.variables.no_shrink {
            return explain();
        }
        let options = self.options(finished.record.seed);
        match self.running.suite.shrink(case, options, Some(failure), EFFORT, &mut |_| {}) {
            // As small as it was found.
            Ok(shrunk) if shrunk.sizes.0 == shrunk.sizes.1 => {
                let story = self.running.suite.explain(&shrunk.case, &shrunk.finished, failure);
                report::explanation(&story, false)
            }
            Ok(shrunk) => {
                let command = self.running.place.replay_command();
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let kept = Explained::kept(self.running.suite, &shrunk, |seed_file| {
                    let seed_file = SeedFile { expect: Expect::Pass, ..seed_file.clone() };
                    seed_file.write_as(&self.out(), &format!("{stem}-shrunk.toml"), &command)
                });
                match kept {
                    Ok(explained) => report::shrunk(&explained, &command, false),
                    Err(error) => format!("the smaller seed file cannot be written: {error}\n"),
                }
            }
            Err(NotShrunk::NothingToShrink) => explain(),
            Err(why @ NotShrunk::Hangs(_)) => format!("not shrunk: {why}\n"),
            Err(why) => format!("not shrunk: {why}\n\n{}", explain()),
        }
    }
}
