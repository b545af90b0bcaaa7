//! Runs as they stand in a file: the JSON of `run`, or a [baseline](super::baseline). Of either, a comparison keeps the
//! same: who ran with which seed, the fingerprint, the verdict, and what was measured as named numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::baseline::BASELINE_FORMAT;
use super::measured::{self, Measured};
use crate::build_info::Build;
use crate::event::Fingerprint;
use crate::input::{InputError, Source};
use crate::metrics::{Memory, Metrics};
use crate::record::{FORMAT, Host};
use crate::suite::Finished;
use crate::verdict::Failure;

/// One run, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RunInFile")]
pub struct ComparedRun {
    /// The scenario's name.
    pub scenario: String,
    /// The system's name.
    pub system: String,
    /// The seed.
    pub seed: u64,
    /// What was set: path and value.
    pub set: BTreeMap<String, String>,
    /// Hash of all events.
    pub fingerprint: Fingerprint,
    /// Whether all held.
    pub verdict: Word,
    /// What did not.
    pub failures: Vec<Failure>,
    /// What was measured, by the name that a threshold uses.
    pub measured: Measured,
}

/// A verdict in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// All held.
    Pass,
    /// Something did not.
    Fail,
}

/// A run as either kind of file has it.
#[derive(Deserialize)]
struct RunInFile {
    scenario: String,
    system: String,
    seed: u64,
    #[serde(default)]
    set: BTreeMap<String, String>,
    fingerprint: Fingerprint,
    verdict: Word,
    failures: Vec<Failure>,
    measured: Option<Measured>,
    metrics: Option<Metrics>,
    memory: Option<Memory>,
    host: Option<Host>,
}

impl TryFrom<RunInFile> for ComparedRun {
    type Error = &'static str;

    fn try_from(run: RunInFile) -> Result<Self, &'static str> {
        let measured = match (run.measured, run.metrics) {
            (Some(measured), _) => measured,
            (None, Some(metrics)) => {
                let mut measured = measured::of_metrics(&metrics);
                measured.extend(measured::of_machine(run.memory.as_ref(), run.host.as_ref()));
                measured
            }
            (None, None) => return Err("missing field `metrics`"),
        };
        Ok(Self {
            scenario: run.scenario,
            system: run.system,
            seed: run.seed,
            set: run.set,
            fingerprint: run.fingerprint,
            verdict: run.verdict,
            failures: run.failures,
            measured,
        })
    }
}

impl ComparedRun {
    /// What there is to compare of a run, without what belongs to its build or its machine.
    pub fn of(finished: &Finished) -> Self {
        let (record, verdict) = (&finished.record, &finished.verdict);
        Self {
            scenario: record.scenario.clone(),
            system: record.system.clone(),
            seed: record.seed,
            set: record.set.iter().cloned().collect(),
            fingerprint: record.fingerprint,
            verdict: if verdict.passed() { Word::Pass } else { Word::Fail },
            failures: verdict.failures.clone(),
            measured: measured::of_metrics(&record.metrics),
        }
    }

    /// What makes runs of one case: the scenario, the system, and what was set.
    pub(super) fn case(&self) -> Case {
        Case { scenario: self.scenario.clone(), system: self.system.clone(), set: self.set.clone() }
    }
}

/// A scenario against a system, with what was set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Case {
    /// The scenario's name.
    pub scenario: String,
    /// The system's name.
    pub system: String,
    /// What was set: path and value.
    pub set: BTreeMap<String, String>,
}

/// The runs of one side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runs {
    /// What reports call it: the file.
    pub name: String,
    /// What ran it, where that is known.
    pub build: Option<Build>,
    /// All runs, in the order of the file. No case has a seed twice.
    runs: Vec<ComparedRun>,
}

/// A file, before what is in it has been looked at together.
#[derive(Deserialize)]
struct InFile {
    #[serde(default)]
    format: Option<Version<FORMAT>>,
    #[serde(default)]
    baseline: Option<Version<BASELINE_FORMAT>>,
    build: Option<Build>,
    runs: Option<Vec<ComparedRun>>,
}

/// The version that this build reads. Another is an error at its place.
struct Version<const READ: u32>;

impl<'de, const READ: u32> Deserialize<'de> for Version<READ> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u32::deserialize(from)? {
            format if format == READ => Ok(Self),
            format => Err(de::Error::custom(format_args!(
                "this file has format {format}: this build reads format {READ}"
            ))),
        }
    }
}

impl Runs {
    /// Runs that were just made, by the name that reports give them.
    ///
    /// # Errors
    /// When there are none, or two of one case with one seed.
    pub fn new(
        name: impl Into<String>,
        build: Option<Build>,
        runs: Vec<ComparedRun>,
    ) -> Result<Self, InputError> {
        let name = name.into();
        if runs.is_empty() {
            return Err(InputError::new(format!("there are no runs in {name}")));
        }
        let mut seen = BTreeSet::new();
        for run in &runs {
            if !seen.insert((run.case(), run.seed)) {
                let ComparedRun { scenario, system, seed, .. } = run;
                let what = format!("{scenario} on {system}, seed {seed}, stands twice in {name}");
                return Err(InputError::new(what).help("each run is compared once"));
            }
        }
        Ok(Self { name, build, runs })
    }

    /// Reads a file: the JSON of `run`, or a baseline.
    ///
    /// # Errors
    /// When it cannot be read, is neither, or is of a format that this build does not read.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        Self::parse(&Source::read(path)?)
    }

    /// What [`read`](Self::read) makes of the text of a file.
    ///
    /// # Errors
    /// As `read`.
    pub fn parse(source: &Source) -> Result<Self, InputError> {
        let neither = || {
            InputError::new("this is neither the JSON of `run` nor a baseline")
                .at(source, 0..0)
                .label("expected an object with `format` or `baseline` in it")
                .help("`run --format json` prints the one, `run --format baseline` the other")
        };
        if !source.text.trim_start().starts_with('{') {
            return Err(neither());
        }
        let mut json = serde_json::Deserializer::from_str(&source.text);
        let file: InFile = serde_path_to_error::deserialize(&mut json)
            .map_err(|error| InputError::json(source, error.inner(), &error.path().to_string()))?;
        json.end().map_err(|error| InputError::json(source, &error, "."))?;
        if file.format.is_none() && file.baseline.is_none() {
            return Err(neither());
        }
        let Some(runs) = file.runs else {
            return Err(InputError::new("`runs` is missing").at(source, 0..0));
        };
        Self::new(&*source.name, file.build, runs)
            .map_err(|error| if error.has_place() { error } else { error.at(source, 0..0) })
    }

    /// All runs.
    pub fn runs(&self) -> &[ComparedRun] {
        &self.runs
    }

    /// The runs of each case, by seed.
    pub(super) fn cases(&self) -> BTreeMap<Case, BTreeMap<u64, &ComparedRun>> {
        let mut cases: BTreeMap<Case, BTreeMap<u64, &ComparedRun>> = BTreeMap::new();
        for run in &self.runs {
            cases.entry(run.case()).or_default().insert(run.seed, run);
        }
        cases
    }
}
