//! The file of a shard: JSON, one object a line.
//!
//! The first line says what was run and by which build, the last how many runs there were and which failures were
//! explained, with a hash of all lines before it; each line between is a run, its record whole. So a file that was cut
//! off, or changed, is found out before anything of it is believed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::hash::Hasher;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use twox_hash::XxHash3_64;

use super::super::Stop;
use super::super::output::{cannot_write, temporary};
use super::super::shrink::Told;
use super::super::telling::Done;
use crate::build_info::Build;
use crate::decision::{Decision, Schedule, StrategyChoice};
use crate::guard::Finding;
use crate::input::{InputError, Source};
use crate::record::Record;
use crate::scenario::overrides::Override;
use crate::shard::Shard;
use crate::suite::{Case, Finished, Suite};
use crate::verdict::Verdict;

/// Version of these files. Goes up with every change that a reader could stumble over.
pub(super) const SHARD_FORMAT: u32 = 1;

/// The first line: what was run, the same in all shards but for the shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Head {
    // First: by it a shard is told from other files.
    pub(in super::super) shard: Shard,
    pub(super) format: u32,
    pub(super) build: Build,
    pub(in super::super) seeds: Range<u64>,
    pub(super) cases: Vec<CaseHead>,
    /// What bends the runs instead of what their scenarios say.
    pub(super) strategy: Option<String>,
    pub(in super::super) options: Options,
}

/// What was asked for beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Options {
    pub(in super::super) isolate: bool,
    pub(in super::super) hang_after_ms: u64,
    pub(in super::super) check_determinism: bool,
    pub(in super::super) no_shrink: bool,
}

impl Head {
    pub(in super::super) fn new(
        shard: Shard,
        build: Build,
        seeds: Range<u64>,
        cases: &[Case],
        strategy: Option<&StrategyChoice>,
        options: Options,
    ) -> Self {
        let cases = cases.iter().map(CaseHead::of).collect();
        let strategy = strategy.map(|strategy| strategy.name().to_owned());
        Self { shard, format: SHARD_FORMAT, build, seeds, cases, strategy, options }
    }

    /// What was run, again.
    ///
    /// # Errors
    /// When this suite has no such scenario, system, setting or strategy, or a file that a scenario names is not here.
    pub(super) fn cases<S: Clone + Send + 'static>(
        &self,
        suite: &Suite<S>,
    ) -> Result<Vec<Case>, InputError> {
        let named = |name: &String| {
            StrategyChoice::named(name)
                .ok_or_else(|| InputError::new(format!("unknown strategy `{name}`")))
        };
        let strategy = self.strategy.as_ref().map(named).transpose()?;
        let again = |head: &CaseHead| {
            let case = Case { strategy: strategy.clone(), ..head.case(suite)? };
            match CaseHead::of(&case) == *head {
                true => Ok(case),
                // The same build reads the same text alike: it was changed by hand.
                false => {
                    let message = format!("{} is another scenario than it says", head.scenario);
                    Err(InputError::new(message))
                }
            }
        };
        self.cases.iter().map(again).collect()
    }
}

/// A scenario against a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseHead {
    pub(super) scenario: String,
    pub(super) system: String,
    pub(super) set: Vec<(String, String)>,
    /// The path and the text of a scenario that the suite does not bring.
    pub(super) file: Option<(String, String)>,
    /// XXH3-64 of the text with what was set.
    pub(super) text_hash: String,
}

impl CaseHead {
    pub(super) fn of(case: &Case) -> Self {
        let file = case.text.as_ref().map(|text| (case.source.name.to_string(), text.to_string()));
        Self {
            scenario: case.scenario.name().to_owned(),
            system: case.system.clone(),
            set: case.set.iter().map(|set| (set.path.clone(), set.value.clone())).collect(),
            file,
            text_hash: hex(XxHash3_64::oneshot(case.effective.as_bytes())),
        }
    }

    fn case<S: Clone + Send + 'static>(&self, suite: &Suite<S>) -> Result<Case, InputError> {
        let set = self.set.iter().cloned().map(|(path, value)| Override { path, value });
        let set: Vec<Override> = set.collect();
        match &self.file {
            None => suite.case(&self.scenario, Some(&self.system), &set),
            Some((file, text)) => {
                let source = Source::new(&**file, &**text).of_file(Path::new(file));
                suite.case_from(&source, Some(&self.system), &set)
            }
        }
    }
}

/// Any line but the first.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line<'a> {
    Run(Box<Run<'a>>),
    End(End<'a>),
}

/// A run, with everything that reports are made from. Events are not among that: a trace plays its run again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Run<'a> {
    record: Cow<'a, Record>,
    /// What a record leaves out of its JSON.
    response: Cow<'a, [Vec<(u64, u64)>]>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    /// Under `cancel-each`: the schedule that the record is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schedule: Option<(Vec<Decision>, Option<BTreeSet<String>>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seed_file: Option<Cow<'a, Path>>,
    #[serde(default, skip_serializing_if = "<[Finding]>::is_empty")]
    findings: Cow<'a, [Finding]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancelled: Option<(u64, u64)>,
}

impl<'a> Run<'a> {
    fn of(done: &'a Done) -> Self {
        let record = &done.finished.record;
        let schedule = match done.case.strategy() {
            StrategyChoice::Replay(Schedule { decisions, only }) => {
                Some((decisions.clone(), only.clone()))
            }
            _ => None,
        };
        Self {
            record: Cow::Borrowed(record),
            response: Cow::Borrowed(&record.metrics.series.response),
            replayed: record.replayed,
            schedule,
            seed_file: done.seed_file.as_deref().map(Cow::Borrowed),
            findings: Cow::Borrowed(&done.findings),
            cancelled: done.cancelled,
        }
    }

    /// What `run` had in its hands, judged anew.
    pub(super) fn done(self, case: &Case) -> Done {
        let mut record = self.record.into_owned();
        record.metrics.series.response = self.response.into_owned();
        record.replayed = self.replayed;
        let mut case = case.clone();
        if let Some((decisions, only)) = self.schedule {
            case.strategy = Some(StrategyChoice::Replay(Schedule { decisions, only }));
        }
        let verdict = Verdict::of(&record, case.scenario.thresholds());
        Done {
            case,
            finished: Finished { record, verdict },
            seed_file: self.seed_file.map(Cow::into_owned),
            findings: self.findings.into_owned(),
            cancelled: self.cancelled,
            printed: None,
        }
    }
}

/// The last line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End<'a> {
    pub(super) runs: u64,
    /// Failures that were shrunk and explained: those of this shard that differ, by their first seeds.
    pub(super) explanations: Cow<'a, [Told]>,
    /// XXH3-64 of all lines before this one.
    pub(super) hash: String,
}

pub(super) fn hex(hash: u64) -> String {
    format!("{hash:016x}")
}

/// The file of a shard while its runs go on. It appears under its name when it is whole.
pub(in super::super) struct ShardFile {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
    hash: XxHash3_64,
    runs: u64,
    explanations: Vec<Told>,
}

impl ShardFile {
    /// Opens the file of a shard in this folder.
    pub(in super::super) fn open(folder: &Path, head: &Head) -> Result<Self, Stop> {
        let path = folder.join(name(head.shard));
        let file = temporary(&path).map_err(|error| cannot_write(&path, error))?;
        let (file, hash) = (BufWriter::new(file), XxHash3_64::with_seed(0));
        let mut this = Self { path, file, hash, runs: 0, explanations: Vec::new() };
        this.line(head)?;
        Ok(this)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), Stop> {
        let mut text = serde_json::to_vec(line).expect("a shard is plain data with text keys");
        text.push(b'\n');
        self.hash.write(&text);
        self.file.write_all(&text).map_err(|error| cannot_write(&self.path, error))
    }

    /// The next of its runs.
    pub(in super::super) fn run(&mut self, done: &Done) -> Result<(), Stop> {
        self.runs += 1;
        self.line(&Line::Run(Box::new(Run::of(done))))
    }

    /// A failure that was explained.
    pub(in super::super) fn explained(&mut self, told: &Told) {
        self.explanations.push(told.clone());
    }

    /// Ends it. Gives its path.
    pub(in super::super) fn close(mut self) -> Result<PathBuf, Stop> {
        let explanations = std::mem::take(&mut self.explanations);
        let end = End {
            runs: self.runs,
            explanations: Cow::Owned(explanations),
            hash: hex(self.hash.finish()),
        };
        self.line(&Line::End(end))?;
        let cannot = |error| cannot_write(&self.path, error);
        let file = self.file.into_inner().map_err(|error| cannot(error.into_error()))?;
        file.persist(&self.path).map_err(|error| cannot(error.error))?;
        Ok(self.path)
    }
}

/// What its file is called.
fn name(shard: Shard) -> String {
    format!("shard-{}-of-{}.jsonl", shard.number(), shard.of())
}

/// Whether a file of this name may be one of a shard.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with("shard-") && name.ends_with(".jsonl")
}
