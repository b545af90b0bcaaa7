//! Reads a scenario file. Every error has its place in the text and says what was expected there.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::load;
use super::settings::{Settings, SettingsTable};
use super::{Inner, SERIES_STEP, Scenario, UserKind};
use crate::decision::{DecisionKind, Fault, StrategyChoice};
use crate::input::{InputError, Source};
use crate::metrics::Metric;
use crate::threshold::Threshold;
use crate::workload::{Workload, measured};

/// Keys of the framework at the top of a scenario file.
pub(super) const KEYS: &[&str] = &[
    "name",
    "about",
    "script",
    "system",
    "operation",
    "deadline",
    "series_step",
    "strategy",
    "decisions",
    "faults",
    "thresholds",
    "workload",
    "mix",
];

/// What a suite knows: what a scenario file may name.
#[derive(Debug, Default, Clone)]
pub(crate) struct Vocabulary {
    pub(crate) scripts: Vec<&'static str>,
    pub(crate) systems: Vec<&'static str>,
    /// Which of the tables say what is promised.
    pub(crate) promises: Vec<&'static str>,
    pub(crate) tables: Vec<SettingsTable>,
    /// Files that scenarios may name, beside those of the disk.
    pub(crate) files: Vec<Source>,
    pub(crate) metrics: Vec<Metric>,
    /// The workload of scenarios that have none: one made in code.
    pub(crate) workload: Option<Arc<dyn Workload>>,
}

impl std::fmt::Debug for SettingsTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Vocabulary {
    /// Every key that may stand at the top.
    pub(crate) fn root_keys(&self) -> Vec<&str> {
        KEYS.iter().copied().chain(self.tables.iter().map(|table| table.name)).collect()
    }
}

/// A table whose entries are taken out one after the other, so that what is left over is unknown.
pub(super) struct Reader<'a, 'i> {
    pub(super) source: &'a Source,
    what: &'static str,
    pub(super) span: Range<usize>,
    pub(super) entries: DeTable<'i>,
}

impl<'a, 'i> Reader<'a, 'i> {
    pub(super) fn new(source: &'a Source, what: &'static str, table: Spanned<DeTable<'i>>) -> Self {
        Self { source, what, span: table.span(), entries: table.into_inner() }
    }

    pub(super) fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'i>>> {
        self.entries.remove(key)
    }

    pub(super) fn read<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>, InputError> {
        let source = self.source;
        self.take(key).map(|value| read_value(source, value)).transpose()
    }

    pub(super) fn require<T: DeserializeOwned>(&mut self, key: &str) -> Result<T, InputError> {
        match self.read(key)? {
            Some(value) => Ok(value),
            None => Err(self.missing(key)),
        }
    }

    pub(super) fn missing(&self, key: &str) -> InputError {
        // A table's span is its header; the file's own is everything: point at its beginning.
        let span = if self.what == "scenario" { 0..0 } else { self.span.clone() };
        InputError::new(format!("this {} has no `{key}`", self.what)).at(self.source, span)
    }

    /// Whatever is left is unknown.
    fn finish(self, known: &[&str]) -> Result<(), InputError> {
        let Some((key, _)) = self.entries.iter().next() else { return Ok(()) };
        let word: &str = key.get_ref();
        Err(InputError::new(format!("unknown key `{word}` in this {}", self.what))
            .at(self.source, key.span())
            .nearest(word, known.iter().copied()))
    }
}

pub(super) fn read_value<T: DeserializeOwned>(
    source: &Source,
    value: Spanned<DeValue<'_>>,
) -> Result<T, InputError> {
    let span = value.span();
    T::deserialize(ValueDeserializer::from(value))
        .map_err(|e| InputError::toml_part(source, &e, span))
}

#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Time(#[serde(with = "crate::units::duration")] pub(super) Duration);

/// Reads a scenario.
pub(crate) fn read(source: &Source, vocabulary: &Vocabulary) -> Result<Scenario, InputError> {
    let (beside, files) = (source.clone(), vocabulary.files.clone());
    measured::reading(move |name| beside.open(name, &files), || read_all(source, vocabulary))
}

fn read_all(source: &Source, vocabulary: &Vocabulary) -> Result<Scenario, InputError> {
    let text: Arc<str> = Arc::clone(&source.text);
    let table = DeTable::parse(&text).map_err(|error| InputError::toml(source, &error))?;
    let mut root = Reader::new(source, "scenario", table);

    let name = name(&mut root)?;
    let about = root.read("about")?.unwrap_or_default();
    let script = word(&mut root, "script", &vocabulary.scripts)?;
    let Some(script) = script else {
        return Err(root.missing("script").nearest("", vocabulary.scripts.iter().copied()));
    };
    let system = word(&mut root, "system", &vocabulary.systems)?;
    let operation = root.read("operation")?.unwrap_or_else(|| "operation".to_owned());
    let deadline = time_above_zero(&mut root, "deadline")?;
    let series_step = time_above_zero(&mut root, "series_step")?.unwrap_or(SERIES_STEP);
    let strategy = word(&mut root, "strategy", &StrategyChoice::NAMES)?;
    let strategy = strategy.and_then(|name| StrategyChoice::named(&name)).unwrap_or_default();
    let decisions = decisions(&mut root)?;
    let (kinds, mut kind_tables) = mix(&mut root, vocabulary)?;
    let workload = load::read(&mut root, vocabulary, &kinds)?;
    let faults = faults(&mut root, &kinds)?;
    let thresholds = thresholds(&mut root, &kinds, &vocabulary.metrics)?;
    let settings = settings(&mut root, vocabulary, &mut kind_tables)?;
    root.finish(&vocabulary.root_keys())?;

    Ok(Scenario(Arc::new(Inner {
        name,
        about,
        script,
        system,
        operation,
        workload,
        kinds,
        metrics: vocabulary.metrics.clone(),
        thresholds,
        deadline,
        series_step,
        strategy,
        decisions,
        faults,
        settings,
    })))
}

/// The scenario's name: it becomes part of file names.
fn name(root: &mut Reader<'_, '_>) -> Result<String, InputError> {
    let Some(value) = root.take("name") else { return Err(root.missing("name")) };
    let span = value.span();
    let name: String = read_value(root.source, value)?;
    check_name(&name).map_err(|error| error.at(root.source, span))?;
    Ok(name)
}

/// Whether a scenario can have this name.
pub(crate) fn check_name(name: &str) -> Result<(), InputError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(fits) {
        true => Ok(()),
        false => {
            Err(InputError::new(format!("`{}` is no name for a scenario", name.escape_debug()))
                .label("expected letters, digits and - _ . after a letter or digit"))
        }
    }
}

/// A string that must be one of those known.
fn word(
    root: &mut Reader<'_, '_>,
    key: &str,
    known: &[&str],
) -> Result<Option<String>, InputError> {
    let Some(value) = root.take(key) else { return Ok(None) };
    let span = value.span();
    let word: String = read_value(root.source, value)?;
    if known.contains(&word.as_str()) {
        return Ok(Some(word));
    }
    Err(InputError::new(format!("unknown {key} `{word}`"))
        .at(root.source, span)
        .nearest(&word, known.iter().copied()))
}

/// The kinds of decision that the scenario's users can bear; all of them when it does not say.
fn decisions(root: &mut Reader<'_, '_>) -> Result<Vec<DecisionKind>, InputError> {
    let source = root.source;
    let Some(value) = root.take("decisions") else { return Ok(DecisionKind::BENDS.to_vec()) };
    let words: Vec<Spanned<String>> = read_value(source, value)?;
    let kind = |word: Spanned<String>| {
        let found = DecisionKind::BENDS.iter().copied().find(|kind| kind.text() == word.get_ref());
        found.ok_or_else(|| {
            InputError::new(format!("unknown kind of decision `{}`", word.get_ref()))
                .at(source, word.span())
                .nearest(word.get_ref(), DecisionKind::BENDS.iter().map(|kind| kind.text()))
        })
    };
    words.into_iter().map(kind).collect()
}

/// `[[faults]]`: what may strike.
fn faults(root: &mut Reader<'_, '_>, kinds: &[UserKind]) -> Result<Vec<Fault>, InputError> {
    let source = root.source;
    let Some(value) = root.take("faults") else { return Ok(Vec::new()) };
    let span = value.span();
    let DeValue::Array(entries) = value.into_inner() else {
        return Err(InputError::new("`faults` is not a list of tables")
            .at(source, span)
            .label("expected [[faults]] once for each fault"));
    };
    let mut faults: Vec<Fault> = Vec::new();
    for entry in entries {
        let entry = as_table(source, "faults", entry)?;
        let span = entry.span.clone();
        let fault: Fault = read_table(source, entry)?;
        if let Some(kind) = fault.users.as_ref().filter(|u| kinds.iter().all(|k| k.name != **u)) {
            return Err(InputError::new(format!("no users are of kind `{kind}`"))
                .at(source, span)
                .nearest(kind, kinds.iter().map(|kind| kind.name.as_str())));
        }
        if faults.iter().any(|other| other.name() == fault.name()) {
            return Err(
                InputError::new(format!("`{}` stands here twice", fault.name())).at(source, span)
            );
        }
        faults.push(fault);
    }
    Ok(faults)
}

/// Reads a table as one value. What its type says of the table as a whole begins with the key that it is about.
fn read_table<T: DeserializeOwned>(
    source: &Source,
    table: Reader<'_, '_>,
) -> Result<T, InputError> {
    let Reader { span, entries, .. } = table;
    let spans = spans(&entries);
    let value = Spanned::new(span.clone(), DeValue::Table(entries));
    T::deserialize(ValueDeserializer::from(value))
        .map_err(|error| at_its_key(source, &error, &span, &spans))
}

/// Where each entry of a table stands.
pub(super) fn spans(entries: &DeTable<'_>) -> Vec<(String, Range<usize>)> {
    entries.iter().map(|(key, value)| (key.get_ref().to_string(), value.span())).collect()
}

/// The error of a table, at the entry whose key its message begins with if it has no place of its own.
pub(super) fn at_its_key(
    source: &Source,
    error: &toml::de::Error,
    span: &Range<usize>,
    spans: &[(String, Range<usize>)],
) -> InputError {
    let told = InputError::toml_part(source, error, span.clone());
    let about = error.message().split([' ', '`']).find(|word| !word.is_empty());
    let own = spans.iter().find(|(key, _)| Some(key.as_str()) == about);
    match own.filter(|_| error.span().is_none_or(|at| at == *span)) {
        Some((_, place)) => told.at(source, place.clone()),
        None => told,
    }
}

pub(super) fn time_above_zero(
    root: &mut Reader<'_, '_>,
    key: &str,
) -> Result<Option<Duration>, InputError> {
    let Some(value) = root.take(key) else { return Ok(None) };
    let span = value.span();
    let time = read_value::<Time>(root.source, value)?.0;
    if time.is_zero() {
        return Err(InputError::new(format!("`{key}` is 0: expected a time above it"))
            .at(root.source, span));
    }
    Ok(Some(time))
}

pub(super) fn as_table<'a, 'i>(
    source: &'a Source,
    what: &'static str,
    value: Spanned<DeValue<'i>>,
) -> Result<Reader<'a, 'i>, InputError> {
    let span = value.span();
    match value.into_inner() {
        DeValue::Table(table) => Ok(Reader::new(source, what, Spanned::new(span, table))),
        other => Err(InputError::new(format!("`{what}` is {}", a(other.type_str())))
            .at(source, span)
            .label("expected a table")),
    }
}

fn a(noun: &str) -> String {
    let an = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if an { "an" } else { "a" })
}

type KindTables<'i> = Vec<DeTable<'i>>;

/// `[[mix]]`: kinds of users, each with its weight and its own form of the suite's tables.
fn mix<'i>(
    root: &mut Reader<'_, 'i>,
    vocabulary: &Vocabulary,
) -> Result<(Vec<UserKind>, KindTables<'i>), InputError> {
    let source = root.source;
    let Some(value) = root.take("mix") else { return Ok((Vec::new(), Vec::new())) };
    let span = value.span();
    let DeValue::Array(entries) = value.into_inner() else {
        return Err(InputError::new("`mix` is not a list of tables")
            .at(source, span)
            .label("expected [[mix]] once for each kind of user"));
    };
    let (mut kinds, mut tables) = (Vec::<UserKind>::new(), Vec::new());
    for entry in entries {
        let mut entry = as_table(source, "mix", entry)?;
        let at = entry.span.clone();
        let kind_span = entry.entries.get("kind").map(Spanned::span);
        let name: String = entry.require("kind")?;
        let weight_span = entry.entries.get("weight").map(Spanned::span);
        let weight: u32 = entry.require("weight")?;
        if weight == 0 {
            return Err(InputError::new(format!("users of kind `{name}` have a weight of 0"))
                .at(source, weight_span.unwrap_or(at))
                .label("expected at least 1"));
        }
        if kinds.iter().any(|kind| kind.name == name) {
            return Err(InputError::new(format!("the kind `{name}` stands here twice"))
                .at(source, kind_span.unwrap_or(at)));
        }
        let mut own = DeTable::new();
        for table in &vocabulary.tables {
            if let Some((key, value)) = entry.entries.remove_entry(table.name) {
                own.insert(key, value);
            }
        }
        let known: Vec<&str> = ["kind", "weight"]
            .into_iter()
            .chain(vocabulary.tables.iter().map(|t| t.name))
            .collect();
        entry.finish(&known)?;
        kinds.push(UserKind { name, weight });
        tables.push(own);
    }
    Ok((kinds, tables))
}

fn thresholds(
    root: &mut Reader<'_, '_>,
    kinds: &[UserKind],
    metrics: &[Metric],
) -> Result<Vec<Threshold>, InputError> {
    let source = root.source;
    let Some(value) = root.take("thresholds") else { return Ok(Vec::new()) };
    let span = value.span();
    let DeValue::Array(entries) = value.into_inner() else {
        return Err(InputError::new("`thresholds` is not a list")
            .at(source, span)
            .label("expected a list such as [\"response.p95 < 5s\"]"));
    };
    let mut thresholds = Vec::new();
    for entry in entries {
        let span = entry.span();
        let text: String = read_value(source, entry)?;
        // Behind the opening quote; with escapes in the string the column is near rather than exact.
        thresholds.push(threshold(&text, source, span.start + 1, kinds, metrics)?);
    }
    Ok(thresholds)
}

/// Reads one threshold and checks the kind of user that it names.
pub(super) fn threshold(
    text: &str,
    source: &Source,
    offset: usize,
    kinds: &[UserKind],
    metrics: &[Metric],
) -> Result<Threshold, InputError> {
    let threshold = Threshold::parse(text, metrics).map_err(|e| e.in_source(source, offset))?;
    if let Some((name, span)) = threshold.kind()
        && !kinds.iter().any(|kind| kind.name == name)
    {
        let span = span.start + offset..span.end + offset;
        let error = InputError::new(format!("no users are of kind `{name}`")).at(source, span);
        if kinds.is_empty() {
            return Err(
                error.help("kinds of users are given by [[mix]], which this scenario has not")
            );
        }
        return Err(error.nearest(name, kinds.iter().map(|kind| kind.name.as_str())));
    }
    Ok(threshold)
}

/// The suite's own tables: each as the scenario has it, and once more for each kind of user with the
/// entries of that kind laid over it.
fn settings(
    root: &mut Reader<'_, '_>,
    vocabulary: &Vocabulary,
    kind_tables: &mut KindTables<'_>,
) -> Result<Settings, InputError> {
    let source = root.source;
    let mut settings = Settings::default();
    for table in &vocabulary.tables {
        let base = match root.take(table.name) {
            Some(value) => as_table(source, table.name, value)?,
            None => Reader::new(source, table.name, Spanned::new(0..0, DeTable::new())),
        };
        let read = |entries: DeTable<'_>, span: Range<usize>| {
            let spans = spans(&entries);
            let value = Spanned::new(span.clone(), DeValue::Table(entries));
            (table.read)(ValueDeserializer::from(value)).map_err(|error| {
                let told = at_its_key(source, &error, &span, &spans);
                told.context(format_args!("in [{}]", table.name))
            })
        };
        let mut values = vec![read(base.entries.clone(), base.span.clone())?];
        for own in kind_tables.iter_mut() {
            let mut merged = base.entries.clone();
            let mut span = base.span.clone();
            if let Some(value) = own.remove(table.name) {
                let own = as_table(source, table.name, value)?;
                span = own.span;
                for (key, value) in own.entries {
                    merged.remove(&**key.get_ref());
                    merged.insert(key, value);
                }
            }
            values.push(read(merged, span)?);
        }
        settings.insert_kinds(values);
    }
    Ok(settings)
}
