//! Reads the workloads of a scenario file: `[workload]`, or `[[workload]]` once for each of several.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::UserKind;
use super::file::{Reader, Time, Vocabulary, as_table, at_its_key, read_value, spans};
use crate::input::{InputError, Source, list};
use crate::workload::{
    Arrivals, FileError, Intake, InvalidField, Load, MODELS, Model, Part, Rhythm, SideBySide,
    Workload,
};

/// Keys of every workload.
const KEYS: &[&str] = &["kind", "start", "of"];

/// What they mean, for a schema; `kind` is each model's own.
pub(super) fn keys(time: &Value) -> [(&'static str, Value); 2] {
    let mut start = time.clone();
    start["description"] =
        "When its load begins, after that of the scenario; 0s where it is left out.".into();
    let of =
        json!({ "type": "string", "description": "The kind of all of its users, one of [[mix]]." });
    [("start", start), ("of", of)]
}

/// The scenario's load.
pub(super) fn read(
    root: &mut Reader<'_, '_>,
    vocabulary: &Vocabulary,
    kinds: &[UserKind],
) -> Result<Box<dyn Workload>, InputError> {
    let source = root.source;
    let Some(value) = root.take("workload") else {
        if let Some(workload) = &vocabulary.workload {
            return Ok(Box::new(InCode(Arc::clone(workload))));
        }
        let help = format!("expected a table [workload] with a `kind` of {}", names());
        return Err(root.missing("workload").help(help));
    };
    let span = value.span();
    let tables = match value.into_inner() {
        DeValue::Array(tables) if !tables.is_empty() => tables,
        DeValue::Array(_) => {
            return Err(InputError::new("`workload` is an empty list").at(source, span));
        }
        one => {
            let one = Placed::read(source, Spanned::new(span, one), vocabulary, kinds)?;
            if one.start.is_zero() && one.of.is_none() {
                return Ok(one.workload);
            }
            let mut only = SideBySide::new();
            only.push(one.start, one.of, one.workload);
            return Ok(Box::new(only));
        }
    };
    let (mut all, mut controlled) = (SideBySide::new(), false);
    for table in tables {
        let span = table.span();
        let one = Placed::read(source, table, vocabulary, kinds)?;
        let is_controlled =
            one.workload.parts().iter().any(|part| matches!(part.load, Load::Controlled { .. }));
        if controlled && is_controlled {
            let message = "a second `controlled` workload: the script controls the number of one";
            return Err(InputError::new(message).at(source, span));
        }
        controlled |= is_controlled;
        all.push(one.start, one.of, one.workload);
    }
    Ok(Box::new(all))
}

/// A workload that was made in code, once for all scenarios that are read.
#[derive(Debug)]
struct InCode(Arc<dyn Workload>);

impl Workload for InCode {
    fn validate(&self) -> Result<(), InvalidField> {
        self.0.validate()
    }

    fn describe(&self) -> String {
        self.0.describe()
    }

    fn parts(&self) -> Vec<Part> {
        self.0.parts()
    }
}

fn names() -> String {
    let names: Vec<&str> = MODELS.iter().map(|model| model.name).collect();
    list(&names, "or")
}

/// A workload with its place among others.
struct Placed {
    start: Duration,
    of: Option<String>,
    workload: Box<dyn Workload>,
}

impl Placed {
    fn read(
        source: &Source,
        value: Spanned<DeValue<'_>>,
        vocabulary: &Vocabulary,
        kinds: &[UserKind],
    ) -> Result<Self, InputError> {
        let mut table = as_table(source, "workload", value)?;
        let model = model(&mut table)?;
        let start = table.read::<Time>("start")?.map_or(Duration::ZERO, |time| time.0);
        let of = of(&mut table, kinds)?;
        let span = table.span.clone();
        let places = spans(&table.entries);
        let own = Own::split(table.entries);
        let mut workload = own.model(source, model, &span)?;
        own.common(source, model, &mut *workload, &span)?;

        let place = |field: &str| {
            let at = places.iter().find(|(key, _)| key == field);
            at.map_or(span.clone(), |(_, span)| span.clone())
        };
        workload
            .validate()
            .map_err(|error| InputError::new(error.to_string()).at(source, place(error.field)))?;
        let open = |name: &str| source.open(name, &vocabulary.files);
        workload.read_files(&open).map_err(|error| match error {
            FileError::Unreadable(field, error) => error.at(source, place(field)),
            FileError::Malformed(error) => error,
        })?;
        check_kinds(&*workload, kinds).map_err(|error| error.at(source, place("kinds")))?;
        Ok(Self { start, of, workload })
    }
}

fn model(table: &mut Reader<'_, '_>) -> Result<&'static Model, InputError> {
    let Some(kind) = table.take("kind") else {
        return Err(table.missing("kind").help(format!("expected {}", names())));
    };
    let span = kind.span();
    let kind: String = read_value(table.source, kind)?;
    MODELS.iter().find(|model| model.name == kind).ok_or_else(|| {
        InputError::new(format!("unknown kind of workload `{kind}`"))
            .at(table.source, span)
            .nearest(&kind, MODELS.iter().map(|model| model.name))
    })
}

fn of(table: &mut Reader<'_, '_>, kinds: &[UserKind]) -> Result<Option<String>, InputError> {
    let Some(value) = table.take("of") else { return Ok(None) };
    let span = value.span();
    let name: String = read_value(table.source, value)?;
    match kinds.iter().any(|kind| kind.name == name) {
        true => Ok(Some(name)),
        false => Err(no_such_kind(&name, kinds).at(table.source, span)),
    }
}

fn no_such_kind(name: &str, kinds: &[UserKind]) -> InputError {
    let error = InputError::new(format!("no users are of kind `{name}`"));
    match kinds.is_empty() {
        true => error.help("kinds of users are given by [[mix]], which this scenario has not"),
        false => error.nearest(name, kinds.iter().map(|kind| kind.name.as_str())),
    }
}

/// Whether the scenario has the kinds that its workload speaks of.
pub(super) fn check_kinds(workload: &dyn Workload, kinds: &[UserKind]) -> Result<(), InputError> {
    let known = |name: &str| match kinds.iter().any(|kind| kind.name == name) {
        true => Ok(()),
        false => Err(no_such_kind(name, kinds)),
    };
    for part in workload.parts() {
        part.of.as_deref().map_or(Ok(()), known)?;
        if let Load::Open { arrivals: Arrivals::Listed(list), .. } = &part.load {
            list.iter().filter_map(|arrival| arrival.kind.as_deref()).try_for_each(known)?;
        }
    }
    Ok(())
}

/// The entries of a workload: those of its model, and those that it shares with others of its sort.
struct Own<'i> {
    model: DeTable<'i>,
    common: DeTable<'i>,
}

impl<'i> Own<'i> {
    fn split(entries: DeTable<'i>) -> Self {
        let is_common = |key: &str| Rhythm::KEYS.contains(&key) || Intake::KEYS.contains(&key);
        let (mut model, mut common) = (DeTable::new(), DeTable::new());
        for (key, value) in entries {
            let to = if is_common(key.get_ref()) { &mut common } else { &mut model };
            to.insert(key, value);
        }
        Self { model, common }
    }

    fn model(
        &self,
        source: &Source,
        model: &Model,
        span: &Range<usize>,
    ) -> Result<Box<dyn Workload>, InputError> {
        let value = Spanned::new(span.clone(), DeValue::Table(self.model.clone()));
        (model.read)(ValueDeserializer::from(value)).map_err(|error| {
            let unknown = error.message().trim_start().starts_with("unknown field `");
            let told = InputError::toml_part(source, &error, span.clone());
            if !unknown {
                return told;
            }
            // It knows its own keys only.
            let word = error.message().split('`').nth(1).unwrap_or_default();
            let own = error.message().split('`').skip(3).step_by(2);
            let known = own.chain(KEYS.iter().copied());
            told.nearest(
                word,
                known.chain(Rhythm::KEYS.iter().copied()).chain(Intake::KEYS.iter().copied()),
            )
        })
    }

    /// Reads what the workload has in common with others of its sort.
    fn common(
        self,
        source: &Source,
        model: &Model,
        workload: &mut dyn Workload,
        span: &Range<usize>,
    ) -> Result<(), InputError> {
        let keys: &[&str] = match (workload.rhythm().is_some(), workload.intake().is_some()) {
            (true, _) => Rhythm::KEYS,
            (_, true) => Intake::KEYS,
            _ => &[],
        };
        if let Some((key, _)) =
            self.common.iter().find(|(key, _)| !keys.contains(&&**key.get_ref()))
        {
            let name = model.name;
            let message = format!("`{}` is not a setting of {name}", key.get_ref());
            return Err(InputError::new(message).at(source, key.span()));
        }
        if let Some(rhythm) = workload.rhythm() {
            *rhythm = whole(source, self.common, span)?;
        } else if let Some(intake) = workload.intake() {
            *intake = whole(source, self.common, span)?;
        }
        Ok(())
    }
}

fn whole<T: DeserializeOwned>(
    source: &Source,
    entries: DeTable<'_>,
    span: &Range<usize>,
) -> Result<T, InputError> {
    let places = spans(&entries);
    let value = Spanned::new(span.clone(), DeValue::Table(entries));
    T::deserialize(ValueDeserializer::from(value))
        .map_err(|error| at_its_key(source, &error, span, &places))
}
