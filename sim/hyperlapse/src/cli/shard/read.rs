//! Reads the files of all shards, and holds them against each other: they must be those of one sweep by one build, each
//! of them whole and there once.
//!
//! Everything is checked before anything is told, in a first pass that looks at no more of a run than whose it is. The
//! second pass takes the runs in the order of the sweep, one of each file at a time: what is kept of them is what
//! `run` keeps.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::Hasher;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use twox_hash::XxHash3_64;

use super::super::shrink::Told;
use super::super::telling::Done;
use super::Order;
use super::file::{CaseHead, End, Head, Line, SHARD_FORMAT, hex, is_name};
use crate::build_info::Build;
use crate::input::{InputError, Source};
use crate::shard::Shard;
use crate::suite::{Case, Suite};
use crate::units::{count, plural};

/// All shards of a sweep, in order.
pub(in super::super) struct Shards {
    pub(in super::super) head: Head,
    pub(in super::super) cases: Vec<Case>,
    pub(in super::super) order: Order,
    /// Failures that shards have explained.
    pub(in super::super) explanations: Vec<Told>,
    /// The seed of each case whose run stands in the middle, by its p95.
    pub(in super::super) medians: Vec<u64>,
    paths: Vec<PathBuf>,
}

impl Shards {
    /// Checks the files of all shards.
    ///
    /// # Errors
    /// When a file cannot be read or is not as it was written, or they do not make one sweep.
    pub(in super::super) fn open<S: Clone + Send + 'static>(
        suite: &Suite<S>,
        named: &[PathBuf],
    ) -> Result<Self, InputError> {
        let mut found: BTreeMap<Shard, PathBuf> = BTreeMap::new();
        let mut first: Option<(PathBuf, Head)> = None;
        for path in paths(named)? {
            let head = LineReader::open(&path)?.head()?;
            let build = Build::of_binary(suite.name(), suite.version());
            if head.build != build {
                return Err(other_build(&path, &head.build, &build));
            }
            if let Some((of, first)) = &first
                && let Some(how) = differs(first, &head)
            {
                let (path, of) = (path.display(), of.display());
                let message = format!("{path} and {of} are of two sweeps");
                return Err(InputError::new(message).label(how));
            }
            if let Some(other) = found.insert(head.shard, path.clone()) {
                let (shard, other, path) = (head.shard, other.display(), path.display());
                let message = format!("shard {shard} is there twice: {other} and {path}");
                return Err(InputError::new(message).help("each shard is merged once"));
            }
            first.get_or_insert((path, head));
        }
        let (_, head) = first.expect("there is a path or an error");
        missing(head.shard.of(), &found)?;
        let cases = head.cases(suite)?;
        let order = Order::new(cases.len(), head.seeds.clone())
            .ok_or_else(|| InputError::new("a shard of more runs than can be counted"))?;
        let mut explanations = Vec::new();
        let mut p95 = vec![Vec::new(); cases.len()];
        for (shard, path) in &found {
            let mut lines = LineReader::open(path)?;
            lines.head()?;
            explanations.extend(lines.check(*shard, &order, &cases, &mut p95)?);
        }
        let medians = p95.into_iter().map(|mut runs| {
            runs.sort_unstable();
            let middle = runs.len().saturating_sub(1) / 2;
            runs.get(middle).map_or(head.seeds.start, |(_, seed)| *seed)
        });
        let (medians, paths) = (medians.collect(), found.into_values().collect());
        Ok(Self { head, cases, order, explanations, medians, paths })
    }

    /// The runs, in the order of the sweep, with the numbers of their cases.
    ///
    /// # Errors
    /// When a file is not any more what it was.
    pub(in super::super) fn runs(
        &self,
    ) -> Result<impl Iterator<Item = Result<(usize, Done), InputError>>, InputError> {
        let mut readers = Vec::new();
        for path in &self.paths {
            let mut lines = LineReader::open(path)?;
            lines.head()?;
            readers.push(lines);
        }
        let of = readers.len() as u64;
        Ok((0..self.order.runs()).map(move |run| {
            let (case, _) = self.order.at(run);
            let lines = &mut readers[(run % of) as usize];
            let source = lines.next()?.ok_or_else(|| lines.ends_early())?;
            match parse(&source)? {
                Line::Run(run) => Ok((case, run.done(&self.cases[case]))),
                Line::End(_) => Err(lines.ends_early()),
            }
        }))
    }
}

/// The files that are named, and those of the folders that are.
fn paths(named: &[PathBuf]) -> Result<Vec<PathBuf>, InputError> {
    let mut paths = Vec::new();
    for path in named {
        if !path.is_dir() {
            paths.push(path.clone());
            continue;
        }
        let name = path.display();
        let cannot = |error| InputError::new(format!("cannot read {name}: {error}"));
        let mut files = Vec::new();
        for entry in path.read_dir().map_err(cannot)? {
            let file = entry.map_err(cannot)?;
            if file.file_name().to_str().is_some_and(is_name) {
                files.push(file.path());
            }
        }
        if files.is_empty() {
            let message = format!("there is no shard-K-of-N.jsonl in the folder {name}");
            return Err(InputError::new(message).help("`run --shard K/N` writes one into --out"));
        }
        files.sort();
        paths.extend(files);
    }
    Ok(paths)
}

/// Whether each shard is there.
fn missing(of: u32, found: &BTreeMap<Shard, PathBuf>) -> Result<(), InputError> {
    const MOST: usize = 100;
    let missing = u64::from(of) - found.len() as u64;
    if missing == 0 {
        return Ok(());
    }
    let all = (1..=of).filter_map(|number| Shard::new(number, of));
    let which = all.filter(|shard| !found.contains_key(shard)).take(MOST);
    let which: Vec<String> = which.map(|shard| shard.number().to_string()).collect();
    let more = match missing - which.len() as u64 {
        0 => String::new(),
        more => format!(" and {} more", count(more)),
    };
    let again = "a shard that did not come to its end leaves no file: run it again";
    let (which, of) = (which.join(", "), count(of.into()));
    Err(match missing {
        1 => InputError::new(format!("shard {which} of {of} is missing")).help(again),
        _ => InputError::new(format!("{} of {of} shards are missing", count(missing)))
            .help(format!("missing are {which}{more}; {again}")),
    })
}

fn other_build(path: &Path, its: &Build, ours: &Build) -> InputError {
    let told = |build: &Build| {
        let Build { suite, hyperlapse, binary, tokio_unstable } = build;
        let flag = if *tokio_unstable { "with" } else { "without" };
        format!("{suite}, hyperlapse {hyperlapse}, {flag} tokio_unstable, executable {binary}")
    };
    InputError::new(format!("{} was run by another build", path.display()))
        .label(format!("it is of {};\nthis is {}", told(its), told(ours)))
        .help("build once, and give all shards and `merge` that executable")
}

/// How the sweep of a shard is another one than that of the first.
fn differs(first: &Head, other: &Head) -> Option<String> {
    let two = |what: &str, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
        Some(format!("{what}: {b}, and {a}"))
    };
    let seeds = |head: &Head| format!("{}..{}", head.seeds.start, head.seeds.end);
    let strategy = |head: &Head| head.strategy.clone().unwrap_or_else(|| "none given".to_owned());
    if first.shard.of() != other.shard.of() {
        return two("how many shards", &first.shard.of(), &other.shard.of());
    }
    if first.seeds != other.seeds {
        return two("--seeds", &seeds(first), &seeds(other));
    }
    if first.cases.len() != other.cases.len() {
        return two("how many scenarios", &first.cases.len(), &other.cases.len());
    }
    for (first, other) in first.cases.iter().zip(&other.cases) {
        let (a, b) = (name(first), name(other));
        if a != b {
            return two("scenarios", &a, &b);
        }
        if first != other {
            return Some(format!("the text of {a}"));
        }
    }
    if first.strategy != other.strategy {
        return two("--strategy", &strategy(first), &strategy(other));
    }
    let (a, b) = (first.options, other.options);
    if a.hang_after_ms != b.hang_after_ms {
        let ms = |ms: u64| format!("{} ms", count(ms));
        return two("--hang-after", &ms(a.hang_after_ms), &ms(b.hang_after_ms));
    }
    let switches = [
        ("--isolate", a.isolate, b.isolate),
        ("--check-determinism", a.check_determinism, b.check_determinism),
        ("--no-shrink", a.no_shrink, b.no_shrink),
    ];
    let word = |on| if on { "given" } else { "left out" };
    switches
        .iter()
        .find(|(_, a, b)| a != b)
        .and_then(|(name, a, b)| two(name, &word(*a), &word(*b)))
}

/// What a case is called.
fn name(case: &CaseHead) -> String {
    let set = case.set.iter().map(|(path, value)| format!(" with {path} = {value}"));
    format!("{} on {}{}", case.scenario, case.system, set.collect::<String>())
}

/// As much of a line as is looked at in the first pass.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Glance {
    Run(GlanceAtRun),
    End(End<'static>),
}

#[derive(Deserialize)]
struct GlanceAtRun {
    record: GlanceAtRecord,
}

#[derive(Deserialize)]
struct GlanceAtRecord {
    scenario: String,
    system: String,
    seed: u64,
    metrics: GlanceAtMetrics,
}

#[derive(Deserialize)]
struct GlanceAtMetrics {
    operations: GlanceAtOperations,
}

#[derive(Deserialize)]
struct GlanceAtOperations {
    response: GlanceAtTimes,
}

#[derive(Deserialize)]
struct GlanceAtTimes {
    p95_ns: u64,
}

/// A file, line by line.
struct LineReader {
    path: PathBuf,
    file: BufReader<File>,
    /// The number of the line that was read last, from 1.
    line: usize,
    /// Of all lines before that one.
    hash: XxHash3_64,
    last: Vec<u8>,
}

impl LineReader {
    fn open(path: &Path) -> Result<Self, InputError> {
        let name = path.display();
        let file = File::open(path)
            .map_err(|error| InputError::new(format!("cannot read {name}: {error}")))?;
        let (file, path, hash) = (BufReader::new(file), path.into(), XxHash3_64::with_seed(0));
        Ok(Self { path, file, line: 0, hash, last: Vec::new() })
    }

    /// The next line, if there is one.
    fn next(&mut self) -> Result<Option<Source>, InputError> {
        let name = self.path.display().to_string();
        self.hash.write(&self.last);
        self.last.clear();
        self.file
            .read_until(b'\n', &mut self.last)
            .map_err(|error| InputError::new(format!("cannot read {name}: {error}")))?;
        if self.last.is_empty() {
            return Ok(None);
        }
        self.line += 1;
        let text = self.last.strip_suffix(b"\n").unwrap_or(&self.last).to_vec();
        Source::of_bytes(&name, self.line, text).map(Some)
    }

    /// The first line.
    fn head(&mut self) -> Result<Head, InputError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let empty = || Source::new(&*self.path.display().to_string(), "");
        let nothing = empty();
        let source = self.next()?.unwrap_or(nothing);
        if !source.text.starts_with("{\"shard\":") {
            return Err(InputError::new("this is not the file of a shard")
                .at(&source, 0..0)
                .label("expected a line that begins with {\"shard\":")
                .help(
                    "`run --shard K/N` writes one; the JSON of `run` holds too little to be merged",
                ));
        }
        // The version first: of another version nothing else can be said.
        let Version { format } = parse(&source)?;
        if format != SHARD_FORMAT {
            let label = format!("expected {SHARD_FORMAT}, which is all that this build reads");
            return Err(InputError::new(format!("this shard has format {format}"))
                .at(&source, 0..source.text.len().min(30))
                .label(label));
        }
        parse(&source)
    }

    /// Checks the rest: all runs of this shard, in their order, and nothing else. Gives what was explained.
    fn check(
        mut self,
        shard: Shard,
        order: &Order,
        cases: &[Case],
        p95: &mut [Vec<(u64, u64)>],
    ) -> Result<Vec<Told>, InputError> {
        let runs = order.runs();
        let mut numbers = shard.runs(runs);
        let end = loop {
            let source = self.next()?.ok_or_else(|| self.ends_early())?;
            let GlanceAtRun { record } = match parse(&source)? {
                Glance::Run(run) => run,
                Glance::End(end) => break (source, end),
            };
            let expected = numbers.next().map(|run| order.at(run));
            let is_it = expected.is_some_and(|(case, seed)| {
                let case = &cases[case];
                let system = record.system == case.system;
                record.seed == seed && system && record.scenario == case.scenario.name()
            });
            if !is_it {
                let told = |scenario: &str, system: &str, seed| {
                    format!("seed {seed} of {scenario} on {system}")
                };
                let here = told(&record.scenario, &record.system, record.seed);
                let expected = expected.map(|(case, seed)| {
                    told(cases[case].scenario.name(), &cases[case].system, seed)
                });
                let expected = expected.unwrap_or_else(|| "the end of its runs".to_owned());
                return Err(InputError::new(format!("this is {here}"))
                    .at(&source, 0..0)
                    .label(format!("expected {expected}")));
            }
            let (case, seed) = expected.expect("it is the one that was expected");
            p95[case].push((record.metrics.operations.response.p95_ns, seed));
        };
        let (source, End { runs: told, explanations, hash }) = end;
        if numbers.next().is_some() || told != shard.count(runs) {
            let (its, all) = (self.line as u64 - 2, plural(shard.count(runs), "run"));
            let message = format!("the shard ends after {} of {all}", count(its));
            return Err(InputError::new(message).at(&source, 0..0));
        }
        if hash != hex(self.hash.finish()) {
            return Err(InputError::new("this shard is not as it was written")
                .at(&source, 0..0)
                .label("its lines do not have the hash that stands here")
                .help("copy it again, or run it again"));
        }
        if !self.last.ends_with(b"\n") || self.next()?.is_some() {
            return Err(InputError::new("this shard is not as it was written")
                .at(&source, source.text.len()..source.text.len())
                .label("expected the end of the file behind this line"));
        }
        Ok(explanations.into_owned())
    }

    /// The file ended where a line was to come.
    fn ends_early(&self) -> InputError {
        let name = self.path.display().to_string();
        let runs = plural((self.line as u64).saturating_sub(1), "run");
        InputError::new(format!("{name} ends after {runs}, before it is complete"))
            .help("copy it again, or run it again")
    }
}

/// What a line holds.
fn parse<T: DeserializeOwned>(source: &Source) -> Result<T, InputError> {
    let mut json = serde_json::Deserializer::from_str(&source.text);
    let parsed = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| InputError::json(source, error.inner(), &error.path().to_string()))?;
    json.end().map_err(|error| InputError::json(source, &error, "."))?;
    Ok(parsed)
}
