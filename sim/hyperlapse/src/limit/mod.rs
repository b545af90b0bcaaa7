//! The breaking point: the most load for which a scenario's thresholds and properties hold.
//!
//! A setting (the workload's users or rate unless another is named) is raised until something breaks: doubled
//! while all holds, or halved while it breaks, and then bisected to the last load that holds. A load holds when it
//! holds on every seed; how far each seed holds by itself says how much of the answer is luck.
//!
//! The loads that are tried lie on a ladder that the tolerance fixes, so that the answer does not depend on where the
//! search begins; runs are deterministic, so it does not depend on how many go side by side. It costs about
//! `2 log2(point) x seeds` runs.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`setting`] | what is raised, and its values as text and numbers |
//! | [`ladder`] | the values that may be tried |
//! | [`search`] | which of them is tried next |
//! | [`observe`] | what counts as broken, what the curve shows |
//! | [`trial`] | runs what the search asks for |
//!
//! Load tests elsewhere leave this to a person with a ramp and a graph. Finding it by bisection is what network
//! equipment has been measured by since RFC 2544 (1999, section 26.1: the greatest rate at which no frame is lost);
//! here a trial repeats exactly, so that one trial at each load and seed is enough.

mod ladder;
mod observe;
mod search;
mod setting;
mod trial;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::input::InputError;
use crate::scenario::overrides::Override;
use crate::suite::{Case, Finished, Suite};
use crate::verdict::Failure;
use crate::world::RunOptions;
use setting::Setting;
use trial::Trial;

/// How a breaking point is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitOptions {
    /// The setting that is varied, as `--set` names it; the rate or the users of the workload when there is none.
    pub vary: Option<String>,
    /// The load to begin with, such as `20`, `10/s` or `50ms`; what the scenario says when there is none.
    pub from: Option<String>,
    /// The hardest load to try; without one 1,024 times the first (or that part of it, where the setting is lowered).
    pub to: Option<String>,
    /// How close the point is found: a value of the setting (`5`, `0.1/s`), or a share of the load (`2%`, at most 10%).
    /// Without one whole numbers are found exactly, others to 1%.
    pub tolerance: Option<String>,
    /// Whether less of the setting is more load: a pause, a limit of the system.
    pub lower: bool,
    /// Whether thresholds count that break because the load is another one: see [`Limit::ignored`].
    pub all_thresholds: bool,
    /// The load that must hold: see [`Limit::is_enough`].
    pub at_least: Option<String>,
    /// The seeds on which a load must hold.
    pub seeds: Range<u64>,
    /// Runs side by side. The result is the same with any number.
    pub jobs: usize,
    /// Whether each run has a process of its own.
    pub isolate: bool,
    /// Time on the host's clock without any sign of life after which a run is given up, and counts as broken.
    pub hang_after: Duration,
}

impl Default for LimitOptions {
    fn default() -> Self {
        Self {
            vary: None,
            from: None,
            to: None,
            tolerance: None,
            lower: false,
            all_thresholds: false,
            at_least: None,
            seeds: 0..5,
            jobs: std::thread::available_parallelism().map_or(1, |cores| cores.get()),
            isolate: false,
            hang_after: RunOptions::default().hang_after,
        }
    }
}

impl LimitOptions {
    fn run(&self, seed: u64) -> RunOptions {
        let Self { isolate, hang_after, .. } = *self;
        RunOptions { isolate, hang_after, ..RunOptions::seed(seed) }
    }
}

/// How far a search has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitProgress {
    /// Runs until now.
    pub runs: u64,
    /// What is known, in words.
    pub known: String,
}

/// A value of the setting that is varied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadValue {
    /// In units of [`Limit::unit`].
    pub value: u64,
    /// As people write it, and `--set` takes it.
    pub text: String,
}

/// The least and the greatest of several seeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The least.
    pub min: u64,
    /// The greatest.
    pub max: u64,
}

impl Spread {
    fn of(values: impl Iterator<Item = u64> + Clone) -> Option<Self> {
        Some(Self { min: values.clone().min()?, max: values.max()? })
    }
}

/// Something that broke at a load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// What, and what was measured in the first seed in which it broke.
    pub failure: Failure,
    /// The seeds in which it broke, in their order.
    pub seeds: Vec<u64>,
    /// What was measured with the same seed at the last load that held, of a threshold.
    pub held_at: Option<String>,
}

/// A load that was tried with every seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadPoint {
    /// The load.
    pub load: LoadValue,
    /// How many seeds.
    pub seeds: u64,
    /// How many of them held.
    pub held: u64,
    /// The 95th percentile of the response time; nothing where nothing completed.
    pub response_p95_ns: Option<Spread>,
    /// The 95th percentile of the time in a queue; nothing where nobody queued.
    pub queue_wait_p95_ns: Option<Spread>,
    /// Operations refused.
    pub refused: Option<Spread>,
    /// Arrivals that found no free user, in open models.
    pub dropped: Option<Spread>,
    /// Operations completed.
    pub completed: Option<Spread>,
    /// Completions per second of virtual time, in thousandths.
    pub throughput_milli: Option<Spread>,
    /// What broke, the first of the first seed that broke at the front.
    pub broken: Vec<Broken>,
}

/// How far one seed holds by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedLimit {
    /// The seed.
    pub seed: u64,
    /// The last load that holds; nothing where none does.
    pub holds: Option<LoadValue>,
    /// The next one, at which it breaks; nothing where none does.
    pub breaks: Option<LoadValue>,
    /// Loads that hold though they are more than that.
    pub holds_above: Vec<LoadValue>,
}

/// A threshold that was left out of account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// The threshold.
    pub threshold: String,
    /// Why.
    pub why: String,
}

/// A breaking point with the curve that leads to it. Plain data: the same for the same case, options and source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The scenario.
    pub scenario: String,
    /// The system.
    pub system: String,
    /// What was set beside what was varied: whole path and value.
    pub set: BTreeMap<String, String>,
    /// The whole path of the setting that was varied.
    pub setting: String,
    /// What its values count: `1`, `ms`, `0.001/s`, `0.000001`.
    pub unit: String,
    /// Whether it was lowered instead of raised.
    pub lowered: bool,
    /// Seeds: the first, and the one after the last.
    pub seeds: (u64, u64),
    /// Where the search began.
    pub from: LoadValue,
    /// The hardest load that it might have tried.
    pub to: LoadValue,
    /// The load that was asked to hold.
    pub at_least: Option<LoadValue>,
    /// The last load that holds on every seed; nothing where every load that was tried breaks.
    pub holds: Option<LoadValue>,
    /// The next one, at which it breaks; nothing where no load that was tried does.
    pub breaks: Option<LoadValue>,
    /// How far each seed holds by itself.
    pub of_seeds: Vec<SeedLimit>,
    /// Loads that break though they are less than the one that holds: the verdict does not go one way.
    pub breaks_below: Vec<LoadValue>,
    /// Loads that hold though they are more than the one that breaks: the verdict does not go one way.
    pub holds_above: Vec<LoadValue>,
    /// Thresholds that say nothing of how much is too much: those that ask for an exact value (`completions == 20`, which
    /// breaks with any other load) and those that ask for a least number, and those that are judged over a sweep (`worst of seeds`). Such as `failures == 0` do count. Nor does it
    /// count where nobody waited, what never happened yet (a fault, a `sometimes`).
    pub ignored: Vec<Ignored>,
    /// Every load that was tried with every seed, by its value.
    pub curve: Vec<LoadPoint>,
    /// Runs that it took.
    pub runs: u64,
}

impl Limit {
    /// What the setting is called in reports: `users` of `workload.users`.
    pub fn noun(&self) -> &str {
        Setting::noun(&self.setting)
    }

    /// Whether some load holds, and one as hard as was asked for, if one was.
    pub fn is_enough(&self) -> bool {
        let Some(holds) = &self.holds else { return false };
        self.at_least.as_ref().is_none_or(|least| match self.lowered {
            true => holds.value <= least.value,
            false => holds.value >= least.value,
        })
    }

    /// What broke at the first load that breaks: that which broke first, first.
    pub fn broken(&self) -> &[Broken] {
        let point = |load: &LoadValue| self.curve.iter().find(|point| point.load == *load);
        self.breaks.as_ref().and_then(point).map_or(&[], |point| &point.broken)
    }

    /// The run with which it broke first: what is set for it, its seed, and its failure.
    pub fn first_break(&self) -> Option<(Override, u64, &Failure)> {
        let (load, broken) = (self.breaks.as_ref()?, self.broken().first()?);
        let set = Override { path: self.setting.clone(), value: load.text.clone() };
        Some((set, *broken.seeds.first()?, &broken.failure))
    }

    /// The least and the most of [`Limit::of_seeds`], where every seed has a point.
    pub fn interval(&self) -> Option<(&LoadValue, &LoadValue)> {
        let points: Option<Vec<&LoadValue>> = self
            .of_seeds
            .iter()
            .map(|seed| seed.holds.as_ref().filter(|_| seed.breaks.is_some()))
            .collect();
        let points = points?;
        let least = points.iter().min_by_key(|load| load.value)?;
        let most = points.iter().max_by_key(|load| load.value)?;
        Some((least, most))
    }
}

impl<S: Clone + Send + 'static> Suite<S> {
    /// Searches the most load for which everything holds.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use hyperlapse::{LimitOptions, Sim, Suite};
    /// use tokio::sync::Semaphore;
    ///
    /// async fn borrow(sim: Sim, permits: Arc<Semaphore>) {
    ///     sim.drive(move |user| {
    ///         let permits = permits.clone();
    ///         async move {
    ///             let mut operation = user.operation();
    ///             let Ok(_permit) = permits.try_acquire() else { return operation.refused("busy") };
    ///             operation.accepted();
    ///             user.sleep(std::time::Duration::from_millis(10)).await;
    ///             operation.completed();
    ///         }
    ///     })
    ///     .await;
    /// }
    ///
    /// let suite = Suite::new("permits", "0.1.0")
    ///     .system("semaphore", "tokio's semaphore", |_| Arc::new(Semaphore::new(7)))
    ///     .script("borrow", "takes a permit and gives it back", &[], borrow)
    ///     .scenario("crowd.toml", r#"
    ///         name = "crowd"
    ///         script = "borrow"
    ///         workload = { kind = "all-at-once", users = 2 }
    ///         thresholds = ["starts.refused == 0", "completions == 2"]
    ///     "#);
    /// let case = suite.case("crowd", None, &[]).unwrap();
    /// let limit = suite.limit(&case, &LimitOptions::default()).unwrap();
    /// assert_eq!(limit.holds.unwrap().value, 7);
    /// ```
    ///
    /// # Errors
    /// When there is no such setting, it is not a number, a time or a rate, the scenario cannot be run with a value of it,
    /// or an option is not a value of it.
    pub fn limit(&self, case: &Case, options: &LimitOptions) -> Result<Limit, InputError> {
        self.limit_with(case, options, &mut |_| {})
    }

    /// The same, telling how far it has come.
    ///
    /// # Errors
    /// As [`Suite::limit`].
    pub fn limit_with(
        &self,
        case: &Case,
        options: &LimitOptions,
        tell: &mut dyn FnMut(LimitProgress),
    ) -> Result<Limit, InputError> {
        let mut trial = Trial::new(self, case, options, tell)?;
        trial.search()?;
        let points = trial.points_of_seeds()?;
        Ok(trial.limit(points))
    }

    /// Runs the first break again: the case with the load that breaks, and its run.
    ///
    /// # Errors
    /// When the limit is not one of this case.
    pub fn run_first_break(
        &self,
        case: &Case,
        limit: &Limit,
        options: &LimitOptions,
    ) -> Result<Option<(Case, Finished)>, InputError> {
        let Some((set, seed, _)) = limit.first_break() else { return Ok(None) };
        let case = self.with(case, set)?;
        let finished = self.run_with(&case, options.run(seed));
        Ok(Some((case, finished)))
    }

    /// The case with this set, instead of what it has there.
    fn with(&self, case: &Case, set: Override) -> Result<Case, InputError> {
        let mut all = case.set.clone();
        all.retain(|other| other.path != set.path);
        all.push(set);
        let varied = self.vary(case, &all)?;
        Ok(Case { strategy: case.strategy.clone(), ..varied })
    }
}
