//! How much worse a metric may become.
//!
//! ```text
//! --tolerance 5%                        every metric that has a worse side, but those of a build or a machine
//! --tolerance response.p95=5%           one metric, relative to what it was
//! --tolerance queue_wait.p95=10ms       by an amount of its unit
//! --tolerance "response.max=5% or 10ms" whichever is more
//! --tolerance completion_rate=1pp       a share, by percentage points
//! --tolerance starts.refused=any        never a regression
//! ```
//!
//! The same in a file, for all scenarios and for one:
//!
//! ```toml
//! [tolerance]
//! default = "5% or 10ms"
//! "response.p95" = "10%"
//!
//! [scenario.queue]
//! "queue_wait.p95" = "20ms"
//! ```
//!
//! What names a metric goes before a default, what names a scenario before what names none, and what is given later
//! before what is given earlier. A metric of which neither side is worse may move so far both ways.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::measured::{self, Direction};
use super::runs::Runs;
use crate::exact::Exact;
use crate::input::{InputError, Source};
use crate::threshold;
use crate::unit::Unit;

/// All tolerances of a comparison. None by default: then only verdicts are judged.
#[derive(Debug, Clone, Default)]
pub struct Tolerances {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    scenario: Option<String>,
    /// `None` is the default.
    metric: Option<String>,
    allowance: Allowance,
    place: Place,
}

/// Where a rule stands: its name and how much it allows.
#[derive(Debug, Clone)]
struct Place {
    source: Source,
    name: Range<usize>,
    amount: Range<usize>,
}

/// How much worse is still all right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowance {
    /// As it was written.
    pub(super) text: String,
    any: bool,
    /// In thousandths of a percent of what it was.
    relative: Option<i128>,
    absolute: Option<(Unit, i128)>,
}

impl Allowance {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut this =
            Self { text: text.trim().to_owned(), any: false, relative: None, absolute: None };
        if this.text == "any" {
            this.any = true;
            return Ok(this);
        }
        for part in text.split(" or ").map(str::trim) {
            let points = part.strip_suffix("pp").map(|number| format!("{number}%"));
            let amount = threshold::amount(points.as_deref().unwrap_or(part));
            let (exact, unit) =
                amount.ok_or("expected a tolerance such as `5%`, `10ms` or `any`")?;
            let value = exact.times(Exact::whole(measured::finer(unit))).floor();
            let twice = match (unit, points) {
                (Unit::Share, None) => this.relative.replace(value).is_some(),
                _ => this.absolute.replace((unit, value)).is_some(),
            };
            if twice {
                return Err("expected at most one share and one amount");
            }
        }
        Ok(this)
    }

    /// How many of `unit` it is, for a metric that was at `base`; `None` when it allows anything.
    pub(super) fn of(&self, unit: Unit, base: i64) -> Option<i128> {
        if self.any {
            return None;
        }
        let relative = self.relative.map(|share| share * i128::from(base).abs() / 100_000);
        let absolute = self.absolute.filter(|(of, _)| *of == unit).map(|(_, amount)| amount);
        Some(relative.unwrap_or(0).max(absolute.unwrap_or(0)))
    }

    /// The unit of its amount, when that is not `unit`.
    fn wrong_unit(&self, unit: Unit) -> Option<Unit> {
        self.absolute.map(|(of, _)| of).filter(|of| *of != unit)
    }

    /// Whether it says something of this unit at all.
    fn speaks_of(&self, unit: Unit) -> bool {
        self.any || self.relative.is_some() || self.wrong_unit(unit).is_none()
    }
}

impl Tolerances {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Adds one from the command line: `METRIC=HOWMUCH`, or `HOWMUCH` for all.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn add(&mut self, text: &str) -> Result<(), InputError> {
        let source = Source::new(format!("--tolerance {text}"), text);
        // A selector has an equals sign of its own.
        let outside = text.rfind('}').map_or(0, |brace| brace + 1);
        let (metric, at) = match text[outside..].rfind('=') {
            Some(equals) => (Some(text[..outside + equals].trim()), outside + equals + 1),
            None if outside > 0 => {
                return Err(InputError::new("how much?")
                    .at(&source, text.len()..text.len())
                    .label("expected `=` and a tolerance such as `5%` or `10ms`"));
            }
            None => (None, 0),
        };
        let name = 0..metric.map_or(0, str::len);
        self.rule(None, metric, &text[at..], Place { source, name, amount: at..text.len() })
    }

    /// Adds those of a file.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub fn add_file(&mut self, source: &Source) -> Result<(), InputError> {
        let root =
            DeTable::parse(&source.text).map_err(|error| InputError::toml(source, &error))?;
        for (key, value) in root.get_ref() {
            let DeValue::Table(table) = value.get_ref() else {
                return Err(unknown_table(key.get_ref(), source, key.span()));
            };
            match &**key.get_ref() {
                "tolerance" => self.table(None, table, source)?,
                "scenario" => {
                    for (name, of) in table {
                        let DeValue::Table(of) = of.get_ref() else {
                            return Err(InputError::new("a scenario has a table of tolerances")
                                .at(source, of.span())
                                .label(format!("expected `[scenario.{}]`", name.get_ref())));
                        };
                        self.table(Some(name.get_ref()), of, source)?;
                    }
                }
                other => return Err(unknown_table(other, source, key.span())),
            }
        }
        Ok(())
    }

    fn table(
        &mut self,
        scenario: Option<&str>,
        table: &DeTable<'_>,
        source: &Source,
    ) -> Result<(), InputError> {
        for (key, value) in table {
            let name = key.get_ref();
            let DeValue::String(text) = value.get_ref() else {
                let error = InputError::new(format!("`{name}` is not a tolerance"));
                let error = error.at(source, value.span());
                return Err(match value.get_ref() {
                    DeValue::Table(_) => error.label("expected a text such as \"5%\"").help(
                        "a name with a dot in it stands in quotes: \"response.p95\" = \"5%\"",
                    ),
                    _ => error.label("expected a text such as \"5%\", \"10ms\" or \"any\""),
                });
            };
            let metric = (*name != "default").then_some(&**name);
            let source = source.clone();
            let place = Place { source, name: key.span(), amount: value.span() };
            self.rule(scenario, metric, text, place)?;
        }
        Ok(())
    }

    fn rule(
        &mut self,
        scenario: Option<&str>,
        metric: Option<&str>,
        text: &str,
        place: Place,
    ) -> Result<(), InputError> {
        let allowance = Allowance::parse(text).map_err(|expected| {
            InputError::new(format!("`{}` is not a tolerance", text.trim()))
                .at(&place.source, place.amount.clone())
                .label(expected)
        })?;
        if let Some(metric) = metric {
            if metric.is_empty() {
                let whole = 0..place.amount.end;
                return Err(InputError::new("which metric?").at(&place.source, whole));
            }
            if let Some(unit) = measured::known_unit(metric) {
                check_unit(metric, unit, &allowance, &place)?;
            }
        }
        let (scenario, metric) = (scenario.map(str::to_owned), metric.map(str::to_owned));
        self.rules.push(Rule { scenario, metric, allowance, place });
        Ok(())
    }

    /// Whether every name is one that can be measured, and its amount one of its unit.
    pub(super) fn check(&self, sides: &[&Runs]) -> Result<(), InputError> {
        let runs = || sides.iter().flat_map(|side| side.runs());
        for rule in &self.rules {
            let Some(metric) = &rule.metric else { continue };
            // Of a scenario that did not run nothing is known; `Comparison::unused` tells of it.
            let of_rule = |name: &str| rule.scenario.as_ref().is_none_or(|of| of == name);
            let measured = runs()
                .filter(|run| of_rule(&run.scenario))
                .find_map(|run| run.measured.get(metric));
            match measured {
                Some(quantity) => {
                    check_unit(metric, quantity.unit(), &rule.allowance, &rule.place)?;
                }
                None if measured::known_unit(metric).is_some() => {}
                None if rule.scenario.is_some() && !runs().any(|run| of_rule(&run.scenario)) => {}
                None => {
                    let mut known: Vec<&str> = runs()
                        .filter(|run| of_rule(&run.scenario))
                        .flat_map(|run| run.measured.keys().map(String::as_str))
                        .collect();
                    known.sort_unstable();
                    known.dedup();
                    let near = crate::input::near(metric, &known);
                    let error = InputError::new(format!("no run has measured `{metric}`"))
                        .at(&rule.place.source, rule.place.name.clone());
                    return Err(match near {
                        Some(near) => error.help(format!("did you mean `{near}`?")),
                        None => error.help("`list` shows the metrics"),
                    });
                }
            }
        }
        Ok(())
    }

    /// Scenarios that have tolerances and no runs.
    pub(super) fn unused(&self, sides: &[&Runs]) -> Vec<String> {
        let ran = |name: &String| {
            sides.iter().flat_map(|side| side.runs()).any(|run| run.scenario == *name)
        };
        let mut unused: Vec<String> = self
            .rules
            .iter()
            .filter_map(|rule| rule.scenario.clone())
            .filter(|s| !ran(s))
            .collect();
        unused.sort();
        unused.dedup();
        unused
    }

    /// What holds for a metric of a scenario, and whether it was named.
    pub(super) fn of(
        &self,
        scenario: &str,
        metric: &str,
        unit: Unit,
    ) -> Option<(&Allowance, bool)> {
        let by_default = !measured::is_informational(metric)
            && measured::direction(metric) != Direction::Neither;
        let fits = |rule: &&Rule| {
            let of_scenario = rule.scenario.as_deref().is_none_or(|of| of == scenario);
            of_scenario
                && match &rule.metric {
                    Some(name) => name == metric,
                    None => by_default && rule.allowance.speaks_of(unit),
                }
        };
        let rules = self.rules.iter().filter(fits);
        let rule = rules.max_by_key(|rule| (rule.metric.is_some(), rule.scenario.is_some()))?;
        Some((&rule.allowance, rule.metric.is_some()))
    }
}

fn check_unit(
    metric: &str,
    unit: Unit,
    allowance: &Allowance,
    place: &Place,
) -> Result<(), InputError> {
    match allowance.wrong_unit(unit) {
        None => Ok(()),
        Some(_) => {
            let expected = match unit {
                Unit::Share => "percentage points such as `1pp`",
                _ => unit.expected(),
            };
            Err(InputError::new(format!("`{}` is not an amount of `{metric}`", allowance.text))
                .at(&place.source, place.amount.clone())
                .label(format!("expected {expected}, or a share such as `5%`")))
        }
    }
}

fn unknown_table(name: &str, source: &Source, span: Range<usize>) -> InputError {
    InputError::new(format!("unknown table `{name}`"))
        .at(source, span)
        .label("expected `[tolerance]` or `[scenario.NAME]`")
}

#[cfg(test)]
mod tests {
    use super::super::measured::Measurement;
    use super::*;

    fn tolerances(texts: &[&str]) -> Tolerances {
        let mut tolerances = Tolerances::default();
        for text in texts {
            tolerances.add(text).unwrap();
        }
        tolerances
    }

    fn allowed(tolerances: &Tolerances, metric: &str, base: Measurement) -> Option<i128> {
        let (allowance, _) = tolerances.of("queue", metric, base.unit())?;
        allowance.of(base.unit(), base.value())
    }

    #[test]
    fn shares_and_amounts_are_what_they_say() {
        let of = |text: &str, base| allowed(&tolerances(&[text]), "response.p95", base);
        let base = Measurement::Ns(200_000_000);
        assert_eq!(of("5%", base), Some(10_000_000));
        assert_eq!(of("response.p95=30ms", base), Some(30_000_000));
        assert_eq!(of("response.p95=5% or 30ms", base), Some(30_000_000));
        assert_eq!(of("response.p95=50% or 30ms", base), Some(100_000_000));
        assert_eq!(of("response.p95=any", base), None);
        assert_eq!(of("response.p99=5%", base), None);
        let rate = tolerances(&["completion_rate=1.5pp", "throughput=2/s"]);
        assert_eq!(
            allowed(&rate, "completion_rate", Measurement::MilliPercent(99_000)),
            Some(1_500)
        );
        assert_eq!(allowed(&rate, "throughput", Measurement::MilliPerSecond(9_000)), Some(2_000));
    }

    #[test]
    fn what_is_more_particular_goes_first_and_then_what_is_later() {
        let mut all = tolerances(&["5%", "response.p95=20%", "10%"]);
        let text = "[scenario.queue]\n\"response.p95\" = \"30%\"\ndefault = \"40%\"\n";
        all.add_file(&Source::new("compare.toml", text)).unwrap();
        let base = Measurement::Ns(100);
        assert_eq!(allowed(&all, "response.p95", base), Some(30));
        assert_eq!(allowed(&all, "response.p50", base), Some(40));
        let other = |metric: &str| {
            all.of("bursts", metric, Unit::Nanoseconds).unwrap().0.of(Unit::Nanoseconds, 100)
        };
        assert_eq!((other("response.p95"), other("response.p50")), (Some(20), Some(10)));
    }

    #[test]
    fn a_default_says_nothing_of_builds_machines_and_what_has_no_worse_side() {
        let all = tolerances(&["5%"]);
        for name in ["memory.peak", "host.wall", "starts", "duration", "tokens"] {
            assert!(all.of("queue", name, Unit::Count).is_none(), "{name}");
        }
        let named = tolerances(&["memory.peak=5%"]);
        assert!(named.of("queue", "memory.peak", Unit::Bytes).is_some());
        // An amount of time says nothing of counts.
        assert!(tolerances(&["10ms"]).of("queue", "failures", Unit::Count).is_none());
    }

    #[test]
    fn slips_are_told_at_their_place() {
        let told = |text: &str| Tolerances::default().add(text).unwrap_err().to_string();
        insta::assert_snapshot!(
            [
                "x",
                "response.p95=5MB",
                "response{kind=quick}.p95",
                "=5%",
                "response.p95=5% or 6%",
                ""
            ]
            .map(told)
            .join("\n\n")
        );
    }
}
