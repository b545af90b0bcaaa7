//! What reports are made from: all runs of a `run`, folded as they end.
//!
//! A sweep of a hundred thousand seeds must not keep a hundred thousand records. Of each run a [`RunLine`] stays
//! (some hundred bytes); whole records stay of a few: the first seed of each case, the one with the slowest
//! p95, the one in the middle, and the first that failed.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::reporter::OneRun;
use super::summary::CaseSummary;
use crate::build_info::Build;
use crate::clock::Clock;
use crate::event::Fingerprint;
use crate::explain::Explanation;
use crate::seed_file::SeedFile;
use crate::shard::Shard;
use crate::shrink::{Shrunk, Size};
use crate::suite::{Case, Finished, Suite};
use crate::verdict::Failure;

/// So many failing runs of a case are kept whole.
pub const KEPT_FAILING: usize = 10;

/// Of so many failing runs of a case the failures are kept; of more it stands only that they failed.
pub const TOLD_FAILING: usize = 1_000;

/// All runs of a `run`, in order: what reports are made from.
///
/// The command makes it; a test that wants a report makes its own.
///
/// ```
/// use hyperlapse::report::{Make, OneRun, Results, reporter};
/// use hyperlapse::{Build, Sim, Suite};
///
/// # async fn rest(sim: Sim, _: ()) {
/// #     sim.drive(|user| async move {
/// #         let mut operation = user.operation();
/// #         operation.accepted();
/// #         operation.completed();
/// #     })
/// #     .await;
/// # }
/// # let suite = Suite::new("rest", "0.1.0")
/// #     .system("nothing", "does nothing", |_| ())
/// #     .script("rest", "asks for nothing", &[], rest)
/// #     .scenario("crowd.toml", "
/// #         name = \"crowd\"
/// #         script = \"rest\"
/// #         workload = { kind = \"all-at-once\", users = 20 }
/// #     ");
/// let case = suite.case("crowd", None, &[]).unwrap();
/// let build = Build::of_source(suite.name(), suite.version());
/// let mut results = Results::new(build, "cargo test", &[case.clone()], 0..3);
/// for seed in 0..3 {
///     let finished = suite.run(&case, seed);
///     results.add(0, OneRun { case: &case, finished: &finished, seed_file: None });
/// }
/// let Make::Whole(markdown) = reporter("markdown").unwrap().make else { unreachable!() };
/// assert!(markdown(&results).starts_with("### ✅ 1 scenario: all held"));
/// ```
#[derive(Debug)]
pub struct Results {
    /// What ran them.
    pub build: Build,
    /// How the command was called, for lines to paste.
    pub command: String,
    /// The clock that they went by.
    pub clock: Clock,
    /// The seeds of each case, also where these are a shard of its runs.
    pub seeds: Range<u64>,
    /// Which part of all runs these are. What only all of them can be judged by is not judged of a part.
    shard: Shard,
    /// Each scenario against its system.
    pub cases: Vec<CaseResults>,
    /// Failures that were shrunk and explained.
    pub explanations: Vec<Explained>,
    /// Under `cancel-each`: at how many polls, and how many of those runs failed.
    pub cancelled: Option<(u64, u64)>,
}

/// The runs of a case.
#[derive(Debug)]
pub struct CaseResults {
    /// What was run.
    pub case: Case,
    /// Its place among all cases. Only the command asks.
    #[cfg_attr(not(feature = "cli"), allow(dead_code))]
    pub(crate) number: usize,
    /// Its runs, folded.
    pub summary: CaseSummary,
    /// A line for each run, in order.
    pub runs: Vec<RunLine>,
    /// Runs that are kept whole, by their seeds.
    pub kept: BTreeMap<u64, Kept>,
    /// Index of the run with the slowest p95.
    slowest: usize,
    /// The first seeds that failed.
    failing: Vec<u64>,
    failed: usize,
}

/// What stays of every run. Times are virtual nanoseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// The seed.
    pub seed: u64,
    /// Hash of its events.
    pub fingerprint: Fingerprint,
    /// Whether everything held.
    pub passed: bool,
    /// What went wrong, the gravest first; empty beyond the first [`TOLD_FAILING`] runs that failed.
    pub failures: Vec<Failure>,
    /// The seed file of a run that failed.
    pub seed_file: Option<PathBuf>,
    /// How long it took.
    pub virtual_ns: u64,
    /// Operations asked for.
    pub requested: u64,
    /// Operations that the system accepted.
    pub accepted: u64,
    /// Operations that it refused.
    pub refused: u64,
    /// Operations that succeeded.
    pub completed: u64,
    /// Median response time; 0 where nothing completed, as for those below.
    pub p50_ns: u64,
    /// 95th percentile of the response time.
    pub p95_ns: u64,
    /// 99th percentile of the response time.
    pub p99_ns: u64,
    /// Slowest response.
    pub max_ns: u64,
    /// Completions per second in thousandths; `None` where the load took no time.
    pub throughput_milli: Option<u64>,
    /// Growth of the heap in bytes, where it was measured.
    pub memory_growth: Option<i64>,
}

/// A run that is kept whole.
#[derive(Debug, Clone)]
pub struct Kept {
    /// What was run: of a run under `cancel-each`, the schedule that failed.
    pub case: Case,
    /// What came of it.
    pub finished: Finished,
    /// Its seed file, if it failed.
    pub seed_file: Option<PathBuf>,
}

impl Kept {
    /// As reports of one run take it.
    pub fn as_run(&self) -> OneRun<'_> {
        let Self { case, finished, seed_file } = self;
        OneRun { case, finished, seed_file: seed_file.as_deref() }
    }
}

/// A failure that was shrunk and explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The scenario.
    pub scenario: String,
    /// The system.
    pub system: String,
    /// The seed that failed.
    pub seed: u64,
    /// What is set in the smaller run.
    pub set: Vec<(String, String)>,
    /// How large it was, and how large it is.
    pub sizes: (Size, Size),
    /// How many runs the search took.
    pub runs: u64,
    /// Whether nothing more can be left out; otherwise the search ended at its bound.
    pub minimal: bool,
    /// Why it fails.
    pub explanation: Explanation,
    /// The smaller seed file.
    pub seed_file: PathBuf,
}

impl Explained {
    /// Explains a failure that was shrunk, and keeps its seed file, which `write` writes.
    ///
    /// # Errors
    /// What `write` says.
    pub(crate) fn kept<S: Clone + Send + 'static>(
        suite: &Suite<S>,
        shrunk: &Shrunk,
        write: impl FnOnce(&SeedFile) -> io::Result<PathBuf>,
    ) -> io::Result<Self> {
        let Shrunk { case, finished, failure, .. } = shrunk;
        let build = Build::of_binary(suite.name(), suite.version());
        let seed_file = write(&SeedFile::of_failure(case, finished, failure, build))?;
        let record = &finished.record;
        Ok(Self {
            scenario: record.scenario.clone(),
            system: record.system.clone(),
            seed: record.seed,
            set: record.set.clone(),
            sizes: shrunk.sizes,
            runs: shrunk.runs,
            minimal: shrunk.minimal,
            explanation: suite.explain(case, finished, failure),
            seed_file,
        })
    }
}

impl Results {
    /// Of these cases with these seeds, none of which has run yet.
    pub fn new(build: Build, command: &str, cases: &[Case], seeds: Range<u64>) -> Self {
        let cases = cases.iter().enumerate().map(|(number, case)| CaseResults {
            case: case.clone(),
            number,
            summary: CaseSummary::of(&case.scenario),
            runs: Vec::new(),
            kept: BTreeMap::new(),
            slowest: 0,
            failing: Vec::new(),
            failed: 0,
        });
        Self {
            build,
            command: command.to_owned(),
            clock: Clock::Virtual,
            seeds,
            shard: Shard::WHOLE,
            cases: cases.collect(),
            explanations: Vec::new(),
            cancelled: None,
        }
    }

    /// The same of a shard of the runs.
    pub fn part(mut self, shard: Shard) -> Self {
        self.shard = shard;
        for case in &mut self.cases {
            case.summary.is_part = !shard.is_whole();
        }
        self
    }

    /// Which part of all runs these are; `None` where they are all.
    pub fn shard(&self) -> Option<Shard> {
        (!self.shard.is_whole()).then_some(self.shard)
    }

    /// What is said of a part of all runs.
    pub(super) fn of_part(&self) -> Option<String> {
        let shard = self.shard()?;
        Some(format!(
            "shard {shard} of the runs: what is judged over all of them is judged by `merge`"
        ))
    }

    /// Adds a run of the case of this number. Runs come in the order of their cases, and of their seeds.
    pub fn add(&mut self, case: usize, run: OneRun<'_>) {
        self.cases[case].add(run);
    }

    /// Whether each case has one run, which is told whole, and not a sweep.
    pub fn single(&self) -> bool {
        self.seeds.end - self.seeds.start == 1
    }

    /// Whether no run has been added yet.
    pub fn is_empty(&self) -> bool {
        self.cases.iter().all(|case| case.runs.is_empty())
    }

    /// Whether every case held.
    pub fn passed(&self) -> bool {
        self.cases.iter().all(CaseResults::passed)
    }
}

impl CaseResults {
    fn add(&mut self, run: OneRun<'_>) {
        let OneRun { finished, seed_file, .. } = run;
        let seed = finished.record.seed;
        self.summary.add(finished, seed_file.map(PathBuf::from));
        let line = RunLine::of(run, self.failed < TOLD_FAILING);
        if !line.passed {
            self.failed += 1;
            if self.failing.len() < KEPT_FAILING {
                self.failing.push(seed);
            }
        }
        let index = self.runs.len();
        self.runs.push(line);
        if self.runs[index].p95_ns > self.runs[self.slowest].p95_ns {
            let before = self.runs[std::mem::replace(&mut self.slowest, index)].seed;
            if !self.is_kept(before) {
                self.kept.remove(&before);
            }
        }
        if self.is_kept(seed) {
            self.keep(Kept {
                case: run.case.clone(),
                finished: finished.clone(),
                seed_file: seed_file.map(PathBuf::from),
            });
        }
    }

    /// Whether the run with this seed is the first, the slowest, or one of the first that failed.
    fn is_kept(&self, seed: u64) -> bool {
        [0, self.slowest].iter().any(|index| self.runs[*index].seed == seed)
            || self.failing.contains(&seed)
    }

    /// Keeps a run whole: one that was added and let go, and was run again.
    pub fn keep(&mut self, kept: Kept) {
        self.kept.insert(kept.finished.record.seed, kept);
    }

    /// The run with the slowest p95, the first of those that are equally slow.
    pub fn slowest(&self) -> Option<&RunLine> {
        self.runs.get(self.slowest)
    }

    /// The run whose p95 stands in the middle; of two in the middle the faster.
    pub fn median(&self) -> Option<&RunLine> {
        let mut runs: Vec<&RunLine> = self.runs.iter().collect();
        runs.sort_by_key(|run| (run.p95_ns, run.seed));
        runs.get(runs.len().saturating_sub(1) / 2).copied()
    }

    /// Whether every run held, what must happen in some run of a sweep did, and thresholds over seeds hold; of a shard,
    /// whether its own runs held.
    pub fn passed(&self) -> bool {
        self.summary.passed()
    }
}

impl RunLine {
    fn of(run: OneRun<'_>, told: bool) -> Self {
        let (record, verdict) = (&run.finished.record, &run.finished.verdict);
        let operations = &record.metrics.operations;
        Self {
            seed: record.seed,
            fingerprint: record.fingerprint,
            passed: verdict.passed(),
            failures: if told { verdict.failures.clone() } else { Vec::new() },
            seed_file: run.seed_file.map(PathBuf::from),
            virtual_ns: record.virtual_ns,
            requested: operations.requested,
            accepted: operations.accepted,
            refused: operations.refused_total(),
            completed: operations.completed,
            p50_ns: operations.response.p50_ns,
            p95_ns: operations.response.p95_ns,
            p99_ns: operations.response.p99_ns,
            max_ns: operations.response.max_ns,
            throughput_milli: record.metrics.throughput_milli(),
            memory_growth: record.memory.as_ref().map(|memory| memory.growth),
        }
    }
}
