//! The setting that is varied: where it stands, what it is measured in, its values as text and as whole numbers.
//!
//! The search counts in a smallest step: 1 of a whole number, a thousandth of a rate, a millionth of a decimal number, a
//! millisecond of a time (timers have no finer one; a microsecond or a nanosecond where somebody wrote less).

use std::ops::Range;
use std::time::Duration;

use serde_spanned::Spanned;
use toml::Value;
use toml::de::{DeTable, DeValue};

use super::ladder::HIGHEST;
use crate::input::{InputError, Source, list};
use crate::scenario::overrides;
use crate::units;

/// What a setting is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Count,
    /// In millionths.
    Decimal,
    /// In a step of so many nanoseconds.
    Time(u64),
    /// In thousandths, per this.
    Rate(char),
}

/// A value in the smallest step that its unit has anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quantity {
    pub(super) unit: Unit,
    pub(super) number: u64,
}

impl Quantity {
    /// `20`, `0.5`, `250ms`, `10/s`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let of = |unit, number| Some(Self { unit, number }).filter(|q| q.number <= HIGHEST);
        if let Some((number, per)) = text.split_once('/') {
            let per = ['s', 'm', 'h'].into_iter().find(|name| per.trim() == name.to_string())?;
            return of(Unit::Rate(per), decimal(number.trim(), 3)?);
        }
        if let Some(number) = decimal(text, 0) {
            return of(Unit::Count, number);
        }
        if let Some(number) = decimal(text, 6) {
            return of(Unit::Decimal, number);
        }
        let ns = units::nanos(units::duration::parse(text).ok()?);
        of(Unit::Time(1), ns)
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Integer(n) => Self::parse(&n.to_string()),
            Value::Float(n) => {
                let number = decimal(&n.to_string(), 6)?;
                Some(Self { unit: Unit::Decimal, number })
            }
            Value::String(text) => {
                Self::parse(text).filter(|q| matches!(q.unit, Unit::Time(_) | Unit::Rate(_)))
            }
            _ => None,
        }
    }

    /// The same in another unit of its sort, if it can be said in it.
    fn in_unit(self, unit: Unit) -> Option<u64> {
        let number = match (self.unit, unit) {
            (Unit::Count, Unit::Decimal) => self.number.checked_mul(1_000_000)?,
            (Unit::Count, Unit::Count) | (Unit::Decimal, Unit::Decimal) => self.number,
            (Unit::Time(ns), Unit::Time(step)) => exact(self.number.checked_mul(ns)?, step)?,
            (Unit::Rate(own), Unit::Rate(per)) => {
                exact(self.number.checked_mul(seconds(per))?, seconds(own))?
            }
            _ => return None,
        };
        (number <= HIGHEST).then_some(number)
    }
}

fn exact(number: u64, by: u64) -> Option<u64> {
    number.is_multiple_of(by).then(|| number / by)
}

fn seconds(per: char) -> u64 {
    match per {
        's' => 1,
        'm' => 60,
        _ => 3_600,
    }
}

/// A decimal number as a whole number of its last place.
pub(super) fn decimal(text: &str, places: usize) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || part.len() > places {
        return None;
    }
    format!("{whole}{part:0<places$}").parse().ok()
}

/// A whole number of a decimal number's last place as text, without zeros at its end.
fn fraction(number: u64, one: u64) -> String {
    let places = one.ilog10() as usize;
    let part = format!("{:0>places$}", number % one);
    match part.trim_end_matches('0') {
        "" => (number / one).to_string(),
        part => format!("{}.{part}", number / one),
    }
}

impl Unit {
    /// A value as people write it, which `--set` takes.
    pub(super) fn text(self, number: u64) -> String {
        match self {
            Unit::Count => number.to_string(),
            Unit::Decimal => fraction(number, 1_000_000),
            Unit::Time(step) => units::text(Duration::from_nanos(number.saturating_mul(step))),
            Unit::Rate(per) => format!("{}/{per}", fraction(number, 1_000)),
        }
    }

    /// A value as `--set` takes it.
    pub(super) fn toml(self, number: u64) -> String {
        let text = self.text(number);
        match self {
            // A whole number is none with decimals.
            Unit::Decimal if !text.contains('.') => text + ".0",
            _ => text,
        }
    }

    /// One in which whole numbers count, for programs.
    pub(super) fn name(self) -> String {
        match self {
            Unit::Count => "1".to_owned(),
            Unit::Decimal => "0.000001".to_owned(),
            Unit::Time(1_000_000) => "ms".to_owned(),
            Unit::Time(1_000) => "us".to_owned(),
            Unit::Time(_) => "ns".to_owned(),
            Unit::Rate(per) => format!("0.001/{per}"),
        }
    }

    fn expected(self) -> String {
        match self {
            Unit::Count => "expected a whole number".to_owned(),
            Unit::Decimal => "expected a number with at most six decimals".to_owned(),
            Unit::Time(_) => "expected a time such as `50ms` or `1m 30s`".to_owned(),
            Unit::Rate(per) => {
                format!("expected a rate such as `10/{per}`, with at most three decimals")
            }
        }
    }

    fn is_as(self, other: Unit) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }
}

/// A setting of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Setting {
    /// Its whole path.
    pub(super) path: String,
    pub(super) unit: Unit,
    /// What the scenario says; nothing where it leaves it out.
    pub(super) own: Option<u64>,
}

impl Setting {
    /// What it is called in a report: the last part of its path.
    pub(super) fn noun(path: &str) -> &str {
        let mut from = path.len();
        for part in path.rsplit('.') {
            from -= part.len();
            if part.parse::<usize>().is_err() {
                break;
            }
            from = from.saturating_sub(1);
        }
        &path[from..]
    }

    /// The setting under this path, or the load of the workload. `given` are values of it that somebody wrote elsewhere:
    /// they decide what it is measured in where the scenario leaves it out.
    pub(super) fn find(
        source: &Source,
        path: Option<&str>,
        root_keys: &[&str],
        given: &[(&str, &str)],
    ) -> Result<Self, InputError> {
        let path = match path {
            Some(path) => overrides::whole_path(source, path, root_keys)
                .map_err(|error| error.context(format_args!("--vary {path}")))?,
            None => load(source)?,
        };
        let value = value(source, &path);
        let mut of_given = Vec::new();
        for (option, text) in given {
            let quantity = Quantity::parse(text).ok_or_else(|| {
                InputError::new(format!("{option} {text}: this is no value of `{path}`"))
                    .label("expected a number, a time such as `50ms`, or a rate such as `10/s`")
            })?;
            of_given.push(quantity);
        }
        let own = match &value {
            Some(value) => Some(Quantity::of(value).ok_or_else(|| not_numeric(source, &path))?),
            None => None,
        };
        let Some(mut unit) = own.or(of_given.first().copied()).map(|quantity| quantity.unit) else {
            return Err(InputError::new(format!("the scenario leaves `{path}` out"))
                .help("say where to begin, with --from"));
        };
        if let Unit::Time(_) = unit {
            let fits =
                |step: &u64| own.iter().chain(&of_given).all(|q| q.number.is_multiple_of(*step));
            unit = Unit::Time([1_000_000, 1_000].into_iter().find(fits).unwrap_or(1));
        }
        let own = own.and_then(|own| own.in_unit(unit));
        Ok(Self { path, unit, own })
    }

    /// A value of this setting that somebody wrote after this option.
    pub(super) fn read(&self, option: &str, text: &str) -> Result<u64, InputError> {
        let error = || {
            InputError::new(format!("{option} {text}: this is no value of `{}`", self.path))
                .label(self.unit.expected())
        };
        let quantity = Quantity::parse(text).ok_or_else(error)?;
        let number = quantity.in_unit(self.unit).ok_or_else(|| match self.unit {
            unit if !quantity.unit.is_as(unit) => error(),
            _ => {
                error().help("it is not a whole number of the steps in which the scenario gives it")
            }
        })?;
        if number == 0 {
            return Err(InputError::new(format!("{option} {text}: expected a value above 0")));
        }
        Ok(number)
    }
}

fn not_numeric(source: &Source, path: &str) -> InputError {
    let error = InputError::new(format!("`{path}` cannot be raised"));
    let error = match place(source, path) {
        Some(span) => error.at(source, span),
        None => error,
    };
    error.label("expected a number, a time such as \"50ms\", or a rate such as \"10/s\"")
}

/// The value under a path.
fn value(source: &Source, path: &str) -> Option<Value> {
    let mut value = Value::Table(source.text.parse().ok()?);
    for part in path.split('.') {
        value = match value {
            Value::Table(mut table) => table.remove(part)?,
            Value::Array(entries) => entries.into_iter().nth(part.parse().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

/// Where the value under a path stands.
fn place(source: &Source, path: &str) -> Option<Range<usize>> {
    let root = DeTable::parse(&source.text).ok()?;
    let mut value = Spanned::new(root.span(), DeValue::Table(root.into_inner()));
    for part in path.split('.') {
        value = match value.into_inner() {
            DeValue::Table(mut table) => table.remove(part)?,
            DeValue::Array(entries) => entries.into_iter().nth(part.parse().ok()?)?,
            _ => return None,
        };
    }
    Some(value.span())
}

/// What is raised where nobody says what: the rate of the workload, or its users.
fn load(source: &Source) -> Result<String, InputError> {
    let root: toml::Table = source.text.parse().unwrap_or_default();
    let parts: Vec<(String, &Value)> = match root.get("workload") {
        Some(Value::Array(parts)) => {
            parts.iter().enumerate().map(|(i, part)| (format!("workload.{i}"), part)).collect()
        }
        Some(workload) => vec![("workload".to_owned(), workload)],
        None => Vec::new(),
    };
    let own = |(path, part): &(String, &Value)| {
        let key = ["rate", "users"].into_iter().find(|key| part.get(key).is_some())?;
        Some(format!("{path}.{key}"))
    };
    let found: Vec<String> = parts.iter().filter_map(own).collect();
    if let [path] = &found[..] {
        return Ok(path.clone());
    }
    let (message, mut known) = match found.is_empty() {
        true => ("its workload has neither a `rate` nor `users`", Vec::new()),
        false => ("its workload has several parts", found),
    };
    if known.is_empty() {
        for (path, part) in &parts {
            numbers(path, part, &mut known);
        }
    }
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    Err(InputError::new(format!("what should be raised? {message}"))
        .help(format!("say --vary with {}", list(&known, "or"))))
}

/// Every setting below `path` that can be raised.
fn numbers(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Table(table) => {
            table.iter().for_each(|(key, value)| numbers(&format!("{path}.{key}"), value, found));
        }
        Value::Array(entries) => {
            let entries = entries.iter().enumerate();
            entries.for_each(|(i, entry)| numbers(&format!("{path}.{i}"), entry, found));
        }
        value if Quantity::of(value).is_some() => found.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
name = \"x\"
[workload]
kind = \"closed\"
users = 10
duration = \"5m\"
pause = \"50ms\"
step = { uniform = [\"500us\", \"2ms\"] }
[open]
rate = \"2.5/s\"
share = 0.025
";

    fn find(path: Option<&str>, given: &[(&str, &str)]) -> Result<Setting, String> {
        let source = Source::new("x.toml", FILE);
        Setting::find(&source, path, &["name"], given).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_whole_numbers_of_a_step_and_come_back_as_text() {
        let seen = |path: &str| {
            let found = find(Some(path), &[]).unwrap();
            let own = found.own.unwrap();
            (found.path, found.unit.name(), own, found.unit.toml(own), found.unit.text(own * 2))
        };
        insta::assert_debug_snapshot!(
            ["users", "pause", "workload.step.uniform.0", "rate", "share"].map(seen)
        , @r#"
        [
            (
                "workload.users",
                "1",
                10,
                "10",
                "20",
            ),
            (
                "workload.pause",
                "ms",
                50,
                "50ms",
                "100ms",
            ),
            (
                "workload.step.uniform.0",
                "us",
                500,
                "500us",
                "1ms",
            ),
            (
                "open.rate",
                "0.001/s",
                2500,
                "2.5/s",
                "5/s",
            ),
            (
                "open.share",
                "0.000001",
                25000,
                "0.025",
                "0.05",
            ),
        ]
        "#);
    }

    #[test]
    fn what_others_write_is_read_in_the_unit_of_the_setting() {
        let rate = find(Some("rate"), &[]).unwrap();
        assert_eq!(rate.read("--from", "10/s"), Ok(10_000));
        assert_eq!(rate.read("--from", "30/m"), Ok(500));
        let pause = find(Some("pause"), &[("--from", "1500us")]).unwrap();
        assert_eq!((pause.unit, pause.own), (Unit::Time(1_000), Some(50_000)));
        assert_eq!(pause.read("--from", "1500us"), Ok(1_500));
        assert_eq!(find(Some("open.share"), &[]).unwrap().read("--to", "1"), Ok(1_000_000));
        let left_out = find(Some("workload.spread"), &[("--from", "1s")]).unwrap();
        assert_eq!((left_out.unit, left_out.own), (Unit::Time(1_000_000), None));
        assert_eq!(find(None, &[]).unwrap().path, "workload.users");
    }

    #[test]
    fn what_cannot_be_raised_is_said_with_what_was_expected() {
        let rate = find(Some("rate"), &[]).unwrap();
        let errors = [
            find(Some("usrs"), &[]).unwrap_err(),
            find(Some("kind"), &[]).unwrap_err(),
            find(Some("workload.spread"), &[]).unwrap_err(),
            find(Some("users"), &[("--from", "many")]).unwrap_err(),
            rate.read("--from", "10").unwrap_err().to_string(),
            rate.read("--from", "1/m").unwrap_err().to_string(),
            rate.read("--to", "0/s").unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(errors.join("\n\n"));
    }

    #[test]
    fn a_workload_without_one_load_of_its_own_asks_which_is_meant() {
        let error = |text: &str| {
            Setting::find(&Source::new("x.toml", text), None, &[], &[]).unwrap_err().to_string()
        };
        let parts = "[[workload]]\nrate = \"1/s\"\n[[workload]]\nusers = 3\n";
        let stages = "[workload]\nkind = \"x\"\nstages = [{ duration = \"10s\", target = 20 }]\n";
        insta::assert_snapshot!([error(parts), error(stages)].join("\n\n"));
    }

    #[test]
    fn a_setting_is_called_by_the_last_part_of_its_path() {
        for (path, noun) in [
            ("workload.users", "users"),
            ("workload.0.users", "users"),
            ("step.uniform.1", "uniform.1"),
            ("deadline", "deadline"),
        ] {
            assert_eq!(Setting::noun(path), noun);
        }
    }
}
