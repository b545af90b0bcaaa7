//! Simulations as ordinary tests: a body, played on many seeds, that fails with its story.
//!
//! [`Test`] is what the attribute `#[hyperlapse::test]` comes to. It makes a [`Suite`] of one script and one scenario, plays
//! the seed files that the test has first and then its seeds, and ends at the first failure: that is written down,
//! shrunk, explained, and told as the message of a panic.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`of_suite`] | a suite as one test |
//! | [`running`] | seed files first, then seeds, until one fails |
//! | [`harness`] | a suite made of data as a test binary |
//! | [`place`] | which package, which folders, the line that replays |
//! | [`variables`] | what the environment asks for |
//! | [`found`] | what is told of a failure |

mod found;
#[cfg(feature = "harness")]
mod harness;
mod of_suite;
mod place;
mod running;
mod variables;

use std::fmt::{self, Debug};
use std::future::Future;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::input::Source;
use crate::property::Property;
use crate::shrink::Effort;
use crate::suite::{Case, Suite};
use crate::units;
use crate::workload::{AllAtOnce, Workload};
use crate::world::Sim;
pub use found::{NotHeld, Untrue};
pub use of_suite::SuiteTest;
use place::Place;
use running::Running;

/// So many seeds are played where nothing else is said: what finds most races, in well under a second.
pub const SEEDS: u64 = 256;

/// A test has no time for a search that a command has: what is left over is found by `cargo test` again, from the smaller
/// file.
const EFFORT: Effort = Effort { runs: 5_000, events: 5_000_000 };

/// The name of the only script.
const SCRIPT: &str = "test";

/// A test that plays an async body on many seeds; what the attribute `#[hyperlapse::test]` comes to, for tests that are
/// made in code.
///
/// Played first are the seed files that the test has: those that are kept in the folder `seeds` of its package, and those that
/// earlier runs of it have left in `target/hyperlapse`. Then comes each of its [seeds](Test::seeds), bent by its
/// [strategy](Test::strategy), until one fails. That failure is written into `target/hyperlapse` before anything else,
/// shrunk, explained, and told with the line that replays it. To keep it for ever copy its file into `seeds`.
///
/// | variable | what it says |
/// | --- | --- |
/// | `HYPERLAPSE_SEED` | this seed and nothing else |
/// | `HYPERLAPSE_SEEDS` | these seeds: `0..10000`, or how many from 0 |
/// | `HYPERLAPSE_STRATEGY` | what bends them |
/// | `HYPERLAPSE_REPLAY` | this seed file and nothing else |
/// | `HYPERLAPSE_JOBS` | how many runs go side by side within each test; 1 without it |
/// | `HYPERLAPSE_OUT` | where seed files go instead of `target/hyperlapse` |
/// | `HYPERLAPSE_ISOLATE` | `true`: each run has a process of its own |
/// | `HYPERLAPSE_NO_SHRINK` | `true`: the failure is told as it was found |
/// | `HYPERLAPSE_HANG_AFTER` | how long a run may give no sign of life: `30s` |
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use hyperlapse::{AllAtOnce, Test};
/// use tokio::sync::Semaphore;
///
/// # fn main() {
/// // In a `#[test]` function of this name.
/// Test::new("permits_are_given_back")
///     .seeds(0..100)
///     .workload(AllAtOnce::users(5))
///     .threshold("completions == 5")
///     .run(|sim| async move {
///         let permits = Arc::new(Semaphore::new(2));
///         let shared = permits.clone();
///         sim.drive(move |user| {
///             let permits = shared.clone();
///             async move {
///                 let mut operation = user.operation();
///                 let _permit = permits.acquire().await.unwrap();
///                 operation.accepted();
///                 user.sleep(Duration::from_millis(100)).await;
///                 operation.completed();
///             }
///         })
///         .await;
///         assert_eq!(permits.available_permits(), 2);
///     });
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a test does nothing until it is run"]
pub struct Test {
    place: Place,
    seeds: Range<u64>,
    load: Load,
    scenario: String,
    strategy: String,
    deadline: Option<Duration>,
    decisions: Vec<String>,
    thresholds: Vec<String>,
    properties: &'static [Property],
    isolate: bool,
    out: Option<PathBuf>,
}

#[derive(Debug, Clone)]
enum Load {
    InCode(Arc<dyn Workload>),
    /// The entries of the table `workload` in a scenario file.
    Text(String),
    /// It stands in the scenario's text.
    InScenario,
}

/// What the body of a test may end with: nothing, or a `Result` of nothing.
#[diagnostic::on_unimplemented(
    message = "a test ends with `()` or a `Result<(), E>`, not with `{Self}`",
    label = "its body ends with `{Self}`"
)]
pub trait Ending {
    /// Panics if it is an error: within the run, which fails of it.
    fn unwrap_it(self);
}

impl Ending for () {
    fn unwrap_it(self) {}
}

impl<E: Debug> Ending for Result<(), E> {
    fn unwrap_it(self) {
        if let Err(error) = self {
            panic!("the test ended with an error: {error:?}");
        }
    }
}

/// What a test that held has played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Seed files.
    pub seed_files: u64,
    /// Seeds.
    pub seeds: u64,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seeds = units::plural(self.seeds, "seed");
        match self.seed_files {
            0 => write!(f, "{seeds} held"),
            files => write!(f, "{seeds} and {} held", units::plural(files, "seed file")),
        }
    }
}

impl Test {
    /// A test of this name, which is that of its function within the test binary, modules included: `pools::none_is_lost`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            place: Place::of(name.into()),
            seeds: 0..SEEDS,
            load: Load::InCode(Arc::new(AllAtOnce::users(1))),
            scenario: String::new(),
            strategy: "random".to_owned(),
            deadline: None,
            decisions: vec!["yield".to_owned(), "postpone".to_owned()],
            thresholds: Vec::new(),
            properties: &[],
            isolate: false,
            out: None,
        }
    }

    /// For the attribute: the path of a function with its crate, and the package as it was when it was compiled.
    #[doc(hidden)]
    pub fn at(path: &str, package: &str, folder: &str) -> Self {
        let name = path.split_once("::").map_or(path, |(_, name)| name);
        let mut test = Self::new(name);
        test.place.compiled_in(package, Path::new(folder));
        test
    }

    /// The seeds; the first 256 unless it says otherwise.
    ///
    /// # Panics
    /// When there are none: such a test could not fail.
    #[track_caller]
    pub fn seeds(mut self, seeds: impl Into<Seeds>) -> Self {
        self.seeds = seeds.into().0;
        assert!(!self.seeds.is_empty(), "a test without seeds: it could not fail");
        self
    }

    /// Who arrives when, for bodies that [drive](Sim::drive) users; one user without it.
    pub fn workload(mut self, workload: impl Workload + 'static) -> Self {
        self.load = Load::InCode(Arc::new(workload));
        self
    }

    /// The same as text: the entries of the table `workload` of a scenario file, such as `kind = "all-at-once", users = 5`.
    /// Its numbers are shrunk as well.
    pub fn workload_text(mut self, entries: impl Into<String>) -> Self {
        self.load = Load::Text(entries.into());
        self
    }

    /// More of a scenario file: faults, kinds of users, a workload. Everything but what this test has methods for. With the
    /// feature `network` the table `network` too, which the body makes its network of: `Network::new(&sim, hosts, sim.settings())`.
    pub fn scenario(mut self, text: impl Into<String>) -> Self {
        self.scenario = text.into();
        let table = self.scenario.parse::<toml::Table>();
        if table.is_ok_and(|table| table.contains_key("workload")) {
            self.load = Load::InScenario;
        }
        self
    }

    /// What bends the runs: a name that `--strategy` takes; `random` unless it says otherwise.
    pub fn strategy(mut self, name: impl Into<String>) -> Self {
        self.strategy = name.into();
        self
    }

    /// The kinds of decision that may bend them. Without it only the order of tasks is bent (`yield`, `postpone`), which every
    /// correct program bears; a system that is to bear cancelled operations is tested with `cancel` and `timeout` too.
    pub fn decisions<T: Into<String>>(mut self, kinds: impl IntoIterator<Item = T>) -> Self {
        self.decisions = kinds.into_iter().map(Into::into).collect();
        self
    }

    /// Virtual time in which a run must end.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Something that each run must measure, such as `response.p95 < 5s`.
    pub fn threshold(mut self, threshold: impl Into<String>) -> Self {
        self.thresholds.push(threshold.into());
        self
    }

    /// Properties that each run must check.
    pub fn properties(mut self, properties: &'static [Property]) -> Self {
        self.properties = properties;
        self
    }

    /// Whether each run has a process of its own: for systems with global state, and for those that crash. That process
    /// starts the test's function again, which should run one test and no more: the first of them answers.
    pub fn isolate(mut self, isolate: bool) -> Self {
        self.isolate = isolate;
        self
    }

    /// Where its seed files go, and are found again, instead of `target/hyperlapse`.
    pub fn out(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out = Some(folder.into());
        self
    }

    /// Runs it.
    ///
    /// # Panics
    /// When it does not hold: a run fails, with what failed, why, and the line that replays it; a seed file does not do what it says;
    /// all seeds together do not hold; the test is not one that can be run.
    #[track_caller]
    pub fn run<F, Fut>(self, body: F)
    where
        F: Fn(Sim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Ending> + Send + 'static,
    {
        let name = self.place.name.clone();
        match self.check(body) {
            Ok(held) => println!("{name}: {held}"),
            Err(not_held) => panic!("{not_held}"),
        }
    }

    /// Runs it, and gives what came of it.
    ///
    /// # Errors
    /// Why it does not hold: see [`NotHeld`].
    pub fn check<F, Fut>(self, body: F) -> Result<Held, NotHeld>
    where
        F: Fn(Sim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Ending> + Send + 'static,
    {
        self.with(body, |running| running.all())
    }

    /// Runs it as a program does, for the `fn main` of an example: prints the report of its first seed and what held, or the
    /// failure. The attribute's option `main` comes to this.
    ///
    /// The exit code is 1 when it does not hold, and 2 when it cannot be run.
    pub fn main<F, Fut>(self, body: F) -> ExitCode
    where
        F: Fn(Sim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Ending> + Send + 'static,
    {
        match self.with(body, |running| running.shown()) {
            Ok((report, held)) => {
                println!("{report}\n{held}");
                ExitCode::SUCCESS
            }
            Err(unusable @ NotHeld::Unusable(_)) => {
                eprintln!("{unusable}");
                ExitCode::from(2)
            }
            Err(not_held) => {
                println!("{not_held}");
                ExitCode::FAILURE
            }
        }
    }

    /// What comes of it when it is run like this.
    fn with<F, Fut, T>(
        self,
        body: F,
        run: impl FnOnce(Running<'_, ()>) -> Result<T, NotHeld>,
    ) -> Result<T, NotHeld>
    where
        F: Fn(Sim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Ending> + Send + 'static,
    {
        let suite = self.suite(body);
        let case = suite.case_from(&self.source(), None, &[])?;
        // One that the suite brings: its text is code, and no business of seed files.
        let case = Case { text: None, ..case };
        let Self { place, seeds, isolate, out, .. } = self;
        run(Running { place, suite: &suite, case, seeds, on_demand: false, isolate, out })
    }

    fn suite<F, Fut>(&self, body: F) -> Suite<()>
    where
        F: Fn(Sim) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Ending> + Send + 'static,
    {
        let script = move |sim, ()| {
            let ended = body(sim);
            async move { ended.await.unwrap_it() }
        };
        let suite = Suite::new("cargo-test", "")
            .system(self.place.system, "what this test tests", |_| ())
            .script(SCRIPT, "the body of the test", self.properties, script)
            .in_test(&self.place.name);
        #[cfg(feature = "network")]
        let suite = suite.settings::<crate::net::NetworkOptions>("network");
        let suite = match &self.load {
            Load::InCode(workload) => suite.workload(Arc::clone(workload)),
            Load::Text(_) | Load::InScenario => suite,
        };
        suite.scenario_on_demand(&format!("the test {}", self.place.name), &self.source().text)
    }

    /// The scenario as a file would have it.
    fn source(&self) -> Source {
        let mut head = toml::Table::new();
        let list = |of: &[String]| of.iter().cloned().map(toml::Value::String).collect::<Vec<_>>();
        head.insert("name".to_owned(), self.place.scenario().into());
        head.insert("script".to_owned(), SCRIPT.into());
        head.insert("strategy".to_owned(), self.strategy.clone().into());
        head.insert("decisions".to_owned(), list(&self.decisions).into());
        if !self.thresholds.is_empty() {
            head.insert("thresholds".to_owned(), list(&self.thresholds).into());
        }
        if let Some(deadline) = self.deadline {
            head.insert("deadline".to_owned(), units::text(deadline).into());
        }
        let mut text = head.to_string();
        if let Load::Text(entries) = &self.load {
            text.push_str(&format!("workload = {{ {entries} }}\n"));
        }
        text.push_str(&self.scenario);
        Source::new(format!("the test {}", self.place.name), text)
    }
}

/// The seeds of a test: a range, or how many from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds(Range<u64>);

impl From<u64> for Seeds {
    fn from(count: u64) -> Self {
        Self(0..count)
    }
}

impl From<Range<u64>> for Seeds {
    fn from(range: Range<u64>) -> Self {
        Self(range)
    }
}
