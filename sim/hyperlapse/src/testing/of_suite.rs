//! A suite as one test: what the attribute comes to on a function that gives one.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::place::{self, Place};
use super::running::Running;
use super::variables::Variables;
use super::{Held, NotHeld, SEEDS, Seeds};
use crate::environment;
use crate::input::InputError;
use crate::suite::Suite;

/// A test that plays the scenarios of a [`Suite`] on many seeds: that of a [kit](crate::kit), or one of your own. What the
/// attribute `#[hyperlapse::test]` comes to on a function that gives a suite.
///
/// The scenarios are those that a bare `run` includes, each with what bends it as its file says; of the others only seed files are
/// played. Seed files, variables of the environment, shrinking and what is told are as with [`Test`](super::Test); what one test has
/// found lies in a folder of its own, for one scenario can be that of many tests. Those in `seeds` are played by each test that has
/// their scenario and plays it on their system.
///
/// ```
/// use std::sync::Arc;
///
/// use hyperlapse::SuiteTest;
/// use hyperlapse::kit::{self, limiter::{Job, Limiter}};
/// use tokio::sync::Semaphore;
///
/// #[derive(Clone)]
/// struct Permits(Arc<Semaphore>);
///
/// impl Limiter for Permits {
///     async fn run(&self, job: Job) -> Result<(), String> {
///         let _permit = self.0.acquire().await.map_err(|error| error.to_string())?;
///         job.await;
///         Ok(())
///     }
/// }
///
/// # fn main() {
/// // In a `#[test]` function of this name.
/// SuiteTest::new("permits_are_given_back")
///     .seeds(0..200)
///     .run(kit::limiter::suite(|limit| Permits(Arc::new(Semaphore::new(limit)))));
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a test does nothing until it is run"]
pub struct SuiteTest {
    place: Place,
    seeds: Range<u64>,
    strategy: Option<String>,
    isolate: bool,
    out: Option<PathBuf>,
}

impl SuiteTest {
    /// A test of this name, which is that of its function within the test binary, modules included: `pools::none_is_lost`.
    pub fn new(name: impl Into<String>) -> Self {
        let place = Place::of(name.into());
        Self { place, seeds: 0..SEEDS, strategy: None, isolate: false, out: None }
    }

    /// For the attribute: the path of a function with its crate, and the package as it was when it was compiled.
    #[doc(hidden)]
    pub fn at(path: &str, package: &str, folder: &str) -> Self {
        let name = path.split_once("::").map_or(path, |(_, name)| name);
        let mut test = Self::new(name);
        test.place.compiled_in(package, Path::new(folder));
        test
    }

    /// The seeds of each scenario; the first 256 unless it says otherwise.
    ///
    /// # Panics
    /// When there are none: such a test could not fail.
    #[track_caller]
    pub fn seeds(mut self, seeds: impl Into<Seeds>) -> Self {
        self.seeds = seeds.into().0;
        assert!(!self.seeds.is_empty(), "a test without seeds: it could not fail");
        self
    }

    /// What bends the runs instead of what their scenarios say: a name that `--strategy` takes.
    pub fn strategy(mut self, name: impl Into<String>) -> Self {
        self.strategy = Some(name.into());
        self
    }

    /// Whether each run has a process of its own: for systems with global state, and for those that crash. That process
    /// starts the test's function again, which should run one test and no more: the first of them answers.
    pub fn isolate(mut self, isolate: bool) -> Self {
        self.isolate = isolate;
        self
    }

    /// Where the folder of its seed files lies, instead of `target/hyperlapse`.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out = Some(folder.into());
        self
    }

    /// Runs it.
    ///
    /// # Panics
    /// When it does not hold: a run fails, with what failed, why, and the line that replays it; a seed file does not do what it says;
    /// all seeds together do not hold; the test is not one that can be run. When a scenario that the suite brings cannot be read.
    #[track_caller]
    pub fn run<S: Clone + Send + 'static>(self, suite: Suite<S>) {
        let name = self.place.name.clone();
        match self.check(suite) {
            Ok(held) => println!("{name}: {held}"),
            Err(not_held) => panic!("{not_held}"),
        }
    }

    /// Runs it, and gives what came of it.
    ///
    /// # Errors
    /// Why it does not hold: see [`NotHeld`].
    ///
    /// # Panics
    /// When a scenario that the suite brings cannot be read.
    pub fn check<S: Clone + Send + 'static>(self, suite: Suite<S>) -> Result<Held, NotHeld> {
        let suite = suite.in_test(&self.place.name);
        let strategy = self.strategy.as_deref().map(environment::strategy).transpose();
        let strategy = strategy.map_err(|expected| {
            InputError::new(format!("{} has no such strategy", self.place.name)).help(expected)
        })?;
        let mut scenarios = suite.scenarios();
        if !scenarios.iter().any(|(_, by_default)| *by_default) {
            return Err(InputError::new("this suite has no scenario that a test would play").into());
        }
        if let Some(path) = Variables::of_process()?.replay {
            let (_, seed_file) = place::read(&path)?;
            let known: Vec<String> =
                scenarios.iter().map(|(scenario, _)| scenario.name().to_owned()).collect();
            scenarios.retain(|(scenario, _)| *scenario.name() == seed_file.scenario);
            if scenarios.is_empty() {
                let of = format!("{} on {}", seed_file.scenario, seed_file.system);
                let message = format!("{} is of another test: {of}", path.display());
                let ours = format!("this one has {}", known.join(", "));
                return Err(InputError::new(message).help(ours).into());
            }
        }
        let mut all = Held { seed_files: 0, seeds: 0 };
        for (scenario, by_default) in scenarios {
            let mut case = suite.case(scenario.name(), None, &[])?;
            if strategy.is_some() {
                case.strategy.clone_from(&strategy);
            }
            let system = suite.systems().find(|entry| entry.name == case.system);
            let system = system.expect("the system of a case was checked when the case was made");
            let place = self.place.clone().playing(scenario.name(), system.name);
            let (seeds, on_demand) = (self.seeds.clone(), !by_default);
            let (isolate, out) = (self.isolate, self.out.clone());
            let held =
                Running { place, suite: &suite, case, seeds, on_demand, isolate, out }.all()?;
            all.seed_files += held.seed_files;
            all.seeds += held.seeds;
        }
        Ok(all)
    }
}
