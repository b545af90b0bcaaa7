//! A suite: systems, scripts and scenarios of one project, under one command.
//!
//! A *system* is what is tested, made anew for every run; a suite may have several behind one handle
//! type (the real one, a rewrite, broken ones that must stay found). A *script* is code: what users do
//! and what is checked. A *scenario* is data that names a script. All are registered here by name, so
//! that files and the command line can name them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::decision::StrategyChoice;
use crate::event::Keep;
use crate::input::{InputError, Source};
use crate::isolate::{self, Again};
use crate::metrics::Metric;
use crate::property::Property;
use crate::record::Record;
use crate::scenario::Scenario;
use crate::scenario::file::{self, Vocabulary};
use crate::scenario::overrides::{self, Override};
use crate::scenario::schema;
use crate::scenario::settings::SettingsTable;
use crate::verdict::Verdict;
use crate::workload::Workload;
use crate::world::{self, RunOptions, Sim};

type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;
type MakeSystem<S> = Arc<dyn Fn(&Sim) -> S + Send + Sync>;
type Body<S> = Arc<dyn Fn(Sim, S) -> BoxFuture + Send + Sync>;

/// A name with its line for `list`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What files and the command line call it.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
}

/// Systems, scripts and scenarios of one project. See [`Suite::main`].
///
/// `S` is the handle on the system under test that users get: cheap to clone.
///
/// ```
/// use std::sync::Arc;
///
/// use hyperlapse::{Property, Sim, Suite};
/// use tokio::sync::Semaphore;
///
/// const ALL_BACK: Property = Property::eventually("all back", "every permit is given back");
///
/// async fn borrow(sim: Sim, permits: Arc<Semaphore>) {
///     let shared = permits.clone();
///     sim.drive(move |user| {
///         let permits = shared.clone();
///         async move {
///             let mut operation = user.operation();
///             let _permit = permits.acquire().await.unwrap();
///             operation.accepted();
///             operation.completed();
///         }
///     })
///     .await;
///     sim.check(&ALL_BACK, permits.available_permits() == 2);
/// }
///
/// let suite = Suite::new("permits", "0.1.0")
///     .system("semaphore", "tokio's semaphore", |_| Arc::new(Semaphore::new(2)))
///     .script("borrow", "takes a permit and gives it back", &[ALL_BACK], borrow)
///     .scenario("crowd.toml", r#"
///         name = "crowd"
///         script = "borrow"
///         workload = { kind = "all-at-once", users = 20 }
///         thresholds = ["completions == 20"]
///     "#);
/// let case = suite.case("crowd", None, &[]).unwrap();
/// assert!(suite.run(&case, 7).verdict.passed());
/// ```
pub struct Suite<S> {
    name: &'static str,
    version: &'static str,
    systems: Vec<(Entry, MakeSystem<S>)>,
    /// By the name of a broken system, that of the one that it would be without its mistake.
    healthy: BTreeMap<&'static str, &'static str>,
    scripts: Vec<(Entry, &'static [Property], Body<S>)>,
    vocabulary: Vocabulary,
    scenarios: Vec<Shipped>,
    // Only the command asks.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    calibrates: Option<&'static str>,
    /// How this executable is started again for a run of its own process.
    again: Again,
}

impl<S> std::fmt::Debug for Suite<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Suite").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A scenario that the suite brings.
struct Shipped {
    source: Source,
    by_default: bool,
}

/// A scenario against a system, ready to be run with any seed.
#[derive(Debug, Clone)]
pub struct Case {
    /// The scenario, with what was set.
    pub scenario: Scenario,
    /// The name of the system.
    pub system: String,
    /// What was set, with whole paths.
    pub set: Vec<Override>,
    /// What bends its runs, instead of what the scenario says.
    pub strategy: Option<StrategyChoice>,
    /// The text of the scenario before anything was set, when it is not one that the suite brings.
    pub text: Option<Arc<str>>,
    /// The scenario before anything was set.
    pub(crate) source: Source,
    /// The text of the scenario with what was set.
    pub(crate) effective: Arc<str>,
}

impl Case {
    /// What bends its runs.
    pub fn strategy(&self) -> &StrategyChoice {
        self.strategy.as_ref().unwrap_or(self.scenario.strategy())
    }
}

/// A run with its verdict.
#[derive(Debug, Clone)]
pub struct Finished {
    /// What was measured.
    pub record: Record,
    /// What is said of it.
    pub verdict: Verdict,
}

impl<S: Clone + Send + 'static> Suite<S> {
    /// An empty suite. The name is that of the command, the version goes into reports and seed files.
    pub fn new(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version,
            systems: Vec::new(),
            healthy: BTreeMap::new(),
            scripts: Vec::new(),
            vocabulary: Vocabulary::default(),
            scenarios: Vec::new(),
            calibrates: None,
            again: Again::default(),
        }
    }

    /// A suite in a test binary, with this test in it.
    pub(crate) fn in_test(self, name: &str) -> Self {
        Self { again: Again::Test(name.to_owned()), ..self }
    }

    /// A suite of a test binary with a test for each scenario.
    #[cfg(feature = "harness")]
    pub(crate) fn in_harness(self) -> Self {
        Self { again: Again::EachScenario, ..self }
    }

    /// The workload of scenarios that have none.
    pub(crate) fn workload(mut self, workload: Arc<dyn Workload>) -> Self {
        self.vocabulary.workload = Some(workload);
        self
    }

    /// A table of the suite's own in scenario files, read as `T`. Register it before any scenario.
    ///
    /// `T` should deny unknown fields and have defaults; code gets it by [`Sim::settings`] and
    /// [`User::settings`](crate::User::settings). Its [schema](JsonSchema) is what editors complete and check the
    /// table by, and where `init` takes its keys from.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use hyperlapse::{Suite, schemars::JsonSchema, units};
    /// use serde::{Deserialize, Serialize};
    ///
    /// /// The limits of the pool.
    /// #[derive(Serialize, Deserialize, JsonSchema)]
    /// #[schemars(crate = "hyperlapse::schemars")]
    /// #[serde(deny_unknown_fields, default)]
    /// struct Pool {
    ///     /// How many permits there are.
    ///     permits: usize,
    ///     /// How long one may be held.
    ///     #[serde(with = "units::duration")]
    ///     #[schemars(schema_with = "units::duration::json_schema")]
    ///     hold: Duration,
    /// }
    ///
    /// impl Default for Pool {
    ///     fn default() -> Self {
    ///         Self { permits: 2, hold: Duration::from_secs(1) }
    ///     }
    /// }
    ///
    /// let suite = Suite::<()>::new("pool", "0.1.0").settings::<Pool>("pool");
    /// assert_eq!(suite.schema()["properties"]["pool"]["properties"]["hold"]["default"], "1s");
    /// ```
    pub fn settings<T>(mut self, table: &'static str) -> Self
    where
        T: DeserializeOwned + JsonSchema + Send + Sync + 'static,
    {
        self.vocabulary.tables.push(SettingsTable::new::<T>(table));
        self
    }

    /// As [`Suite::settings`], for a table that says what is promised, as thresholds do: shrinking a failure leaves it alone. A
    /// promise that is made smaller until it is broken would explain nothing.
    pub fn promises<T>(mut self, table: &'static str) -> Self
    where
        T: DeserializeOwned + JsonSchema + Send + Sync + 'static,
    {
        self.vocabulary.promises.push(table);
        self.settings::<T>(table)
    }

    /// The tables that say what is promised.
    pub(crate) fn promised(&self) -> &[&'static str] {
        &self.vocabulary.promises
    }

    /// A file that scenarios of the suite may name, such as a recording of arrivals. Register it before any scenario.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.vocabulary.files.push(Source::new(name, text));
        self
    }

    /// Metrics of the project's own, which its scripts may record and thresholds may name. Register them before
    /// any scenario.
    ///
    /// # Panics
    /// When one has the name of another metric: that is a bug of the suite.
    pub fn metrics(mut self, metrics: &[Metric]) -> Self {
        for metric in metrics {
            if let Err(error) = metric.declare(&mut self.vocabulary.metrics) {
                panic!("{error}");
            }
        }
        self
    }

    /// A system to test; the first one is that of scenarios that name none. `make` is called for each
    /// run, within it: in virtual time and on its runtime.
    pub fn system(
        mut self,
        name: &'static str,
        about: &'static str,
        make: impl Fn(&Sim) -> S + Send + Sync + 'static,
    ) -> Self {
        self.vocabulary.systems.push(name);
        self.systems.push((Entry { name, about }, Arc::new(make)));
        self
    }

    /// Says that one system is another with a mistake in it. What is found of it is [shrunk](Suite::shrink) to a run that
    /// the other passes: else the search may end where any system fails, with limits or times that nothing could keep.
    ///
    /// # Panics
    /// When the suite has no such systems: that is a bug of the suite.
    pub fn broken(mut self, broken: &'static str, healthy: &'static str) -> Self {
        for name in [broken, healthy] {
            assert!(self.vocabulary.systems.contains(&name), "there is no system `{name}`");
        }
        self.healthy.insert(broken, healthy);
        self
    }

    /// What a broken system would be without its mistake.
    pub(crate) fn healthy(&self, system: &str) -> Option<&'static str> {
        self.healthy.get(system).copied()
    }

    /// What users do and what is checked, with the properties that it promises to check.
    pub fn script<F, Fut>(
        mut self,
        name: &'static str,
        about: &'static str,
        properties: &'static [Property],
        body: F,
    ) -> Self
    where
        F: Fn(Sim, S) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.vocabulary.scripts.push(name);
        let body: Body<S> = Arc::new(move |sim, system| Box::pin(body(sim, system)));
        self.scripts.push((Entry { name, about }, properties, body));
        self
    }

    /// A scenario that a bare `run` includes: the name and the text of its file.
    pub fn scenario(self, file: &str, text: &str) -> Self {
        self.shipped(file, text, true)
    }

    /// A scenario that is run when it is named.
    pub fn scenario_on_demand(self, file: &str, text: &str) -> Self {
        self.shipped(file, text, false)
    }

    fn shipped(mut self, file: &str, text: &str, by_default: bool) -> Self {
        self.scenarios.push(Shipped { source: Source::new(file, text), by_default });
        self
    }

    /// The scenario that `calibrate` takes when none is named.
    pub fn calibrate_with(self, scenario: &'static str) -> Self {
        Self { calibrates: Some(scenario), ..self }
    }

    #[cfg(feature = "cli")]
    pub(crate) fn calibrates(&self) -> Option<&str> {
        self.calibrates
    }

    /// The command's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The command's version.
    pub fn version(&self) -> &'static str {
        self.version
    }

    /// All systems.
    pub fn systems(&self) -> impl Iterator<Item = Entry> {
        self.systems.iter().map(|(entry, _)| *entry)
    }

    /// All scripts, with the properties that they check.
    pub fn scripts(&self) -> impl Iterator<Item = (Entry, &'static [Property])> {
        self.scripts.iter().map(|(entry, properties, _)| (*entry, *properties))
    }

    /// The names of the suite's own tables.
    #[cfg(feature = "cli")]
    pub(crate) fn tables(&self) -> impl Iterator<Item = &'static str> {
        self.vocabulary.tables.iter().map(|table| table.name)
    }

    /// All scenarios that the suite brings; and whether a bare `run` includes them.
    ///
    /// # Panics
    /// When a scenario that the suite brings cannot be read: that is a bug of the suite.
    pub fn scenarios(&self) -> Vec<(Scenario, bool)> {
        let read = |shipped: &Shipped| match file::read(&shipped.source, &self.vocabulary) {
            Ok(scenario) => (scenario, shipped.by_default),
            Err(error) => panic!("a scenario of the suite itself is wrong\n{error}"),
        };
        self.scenarios.iter().map(read).collect()
    }

    /// A JSON Schema (draft 2020-12) of this suite's scenario files, for editors.
    pub fn schema(&self) -> serde_json::Value {
        let scripts: Vec<Entry> = self.scripts().map(|(entry, _)| entry).collect();
        let systems: Vec<Entry> = self.systems().collect();
        schema::schema(self.name, &scripts, &systems, &self.vocabulary)
    }

    /// A scenario of the suite by its name, against `system` or its own, with settings changed.
    ///
    /// # Errors
    /// When there is no such scenario or system, or something cannot be set.
    pub fn case(
        &self,
        name: &str,
        system: Option<&str>,
        set: &[Override],
    ) -> Result<Case, InputError> {
        let scenarios = self.scenarios();
        let found = scenarios.iter().position(|(scenario, _)| scenario.name() == name);
        let Some(index) = found else {
            let known = scenarios.iter().map(|(scenario, _)| scenario.name());
            let error = InputError::new(format!("there is no scenario `{name}`"));
            return Err(error.nearest(name, known));
        };
        self.case_of(&self.scenarios[index].source, None, system, set)
    }

    /// A scenario from a text that the suite does not bring.
    ///
    /// # Errors
    /// When the text cannot be read, there is no such system, or something cannot be set.
    pub fn case_from(
        &self,
        source: &Source,
        system: Option<&str>,
        set: &[Override],
    ) -> Result<Case, InputError> {
        self.case_of(source, Some(Arc::clone(&source.text)), system, set)
    }

    fn case_of(
        &self,
        original: &Source,
        text: Option<Arc<str>>,
        system: Option<&str>,
        set: &[Override],
    ) -> Result<Case, InputError> {
        let mut scenario = file::read(original, &self.vocabulary)?;
        let mut source = original.clone();
        let mut whole: Vec<Override> = Vec::new();
        for change in set {
            let path;
            let root_keys = self.vocabulary.root_keys();
            (source, path) = overrides::apply(&source, change, &whole, &root_keys)?;
            // Read after each change, so that an error is that of the change.
            scenario = file::read(&source, &self.vocabulary)?;
            let change = Override { path, value: change.value.clone() };
            // A seed file keeps what was set without its order: it must not matter.
            if let Some(other) = whole.iter().find(|other| other.overlaps(&change)) {
                let message = format!("--set {other} and --set {change} set the same thing");
                return Err(InputError::new(message).help("leave one of them out"));
            }
            whole.push(change);
        }
        let system = system.or(scenario.system()).or(self.vocabulary.systems.first().copied());
        let Some(system) = system else {
            return Err(InputError::new("this suite has no systems to test"));
        };
        if !self.vocabulary.systems.contains(&system) {
            let error = InputError::new(format!("there is no system `{system}`"));
            return Err(error.nearest(system, self.vocabulary.systems.iter().copied()));
        }
        Ok(Case {
            system: system.to_owned(),
            scenario,
            set: whole,
            strategy: None,
            text,
            source: original.clone(),
            effective: source.text,
        })
    }

    /// The text of the case's scenario with what was set.
    pub(crate) fn effective(&self, case: &Case) -> Source {
        Source::new(Arc::clone(&case.source.name), Arc::clone(&case.effective))
    }

    /// Every key that may stand at the top of a scenario file.
    pub(crate) fn root_keys(&self) -> Vec<&str> {
        self.vocabulary.root_keys()
    }

    /// The same case with this set instead of what is.
    pub(crate) fn vary(&self, case: &Case, set: &[Override]) -> Result<Case, InputError> {
        let set = overrides::in_order(set.to_vec());
        self.case_of(&case.source, case.text.clone(), Some(&case.system), &set)
    }

    /// Runs a case with a seed.
    pub fn run(&self, case: &Case, seed: u64) -> Finished {
        self.run_with(case, RunOptions::seed(seed))
    }

    /// Runs a case with every event kept.
    pub fn trace(&self, case: &Case, seed: u64) -> Finished {
        self.run_with(case, RunOptions { keep: Keep::All, ..RunOptions::seed(seed) })
    }

    /// Runs a case and finds out where its time goes. In this process, whatever the options of the case are.
    pub fn profile(&self, case: &Case, seed: u64) -> Finished {
        self.run_here(case, RunOptions { profile: true, ..RunOptions::seed(seed) })
    }

    pub(crate) fn run_with(&self, case: &Case, options: RunOptions) -> Finished {
        if options.isolate {
            return isolate::run(case, options, &self.again);
        }
        self.run_here(case, options)
    }

    /// Runs a case in this process.
    pub(crate) fn run_here(&self, case: &Case, options: RunOptions) -> Finished {
        let (_, make) = self
            .systems
            .iter()
            .find(|(entry, _)| entry.name == case.system)
            .expect("the system of a case was checked when the case was made");
        let (_, properties, body) = self
            .scripts
            .iter()
            .find(|(entry, ..)| entry.name == case.scenario.script())
            .expect("the script of a scenario was checked when it was read");
        let (make, body) = (Arc::clone(make), Arc::clone(body));
        let options = RunOptions {
            strategy: case.strategy().clone(),
            system: case.system.clone(),
            set: case.set.iter().map(|set| (set.path.clone(), set.value.clone())).collect(),
            properties: properties.to_vec(),
            ..options
        };
        let record = world::run(&case.scenario, options, move |sim| async move {
            let system = make(&sim);
            body(sim.clone(), system.clone()).await;
            // While the system lives: what it failed to free is counted with it.
            sim.mark_after();
            drop(system);
        });
        let verdict = Verdict::of(&record, case.scenario.thresholds());
        Finished { record, verdict }
    }
}
