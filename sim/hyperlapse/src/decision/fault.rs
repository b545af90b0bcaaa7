//! Faults that a scenario asks for: what strikes, where, how often, when, whom.
//!
//! A fault is data. It strikes at a *site*, a place that the script (or the system) names and passes through
//! [`crate::User::step`] or [`crate::Sim::step`]. Whether it strikes there is drawn from a stream of that very
//! visit, so that one user less or one fault more leaves all others as they were; that it struck is a
//! decision like any other: logged, replayed, cut down.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use super::{DecisionKind, Kinds, Point, Strategy};
use crate::random::{RandomExt, Streams};
use crate::units;

/// A fault that a scenario asks for. In a file:
///
/// ```toml
/// [[faults]]
/// kind = "panic"               # panic, stall, abandon, slow or error; of a network lose, cut, crash and slow;
///                              # of a disk slow, error, full, lie and crash
/// site = "turn"                # where it may strike
/// rate = 0.01                  # the share of visits that it strikes at
/// between = ["1s", "3s"]       # in this window of virtual time; always when left out
/// users = "casual"             # users of this kind; all when left out
/// at_most = 3                  # times in one run; no bound when left out
/// times = 100                  # stall: how many times longer the step takes
/// by = "50ms"                  # slow: how long the user takes before it goes on; cut, crash: how long it lasts
/// error = "out of connections" # error: what the step comes back with
/// optional = true              # need not strike in every run; swarm testing may switch it off
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// What strikes.
    pub kind: DecisionKind,
    /// The site where it may strike.
    pub site: String,
    /// The share of visits that it strikes at, from 0 to 1.
    pub rate: f64,
    /// The window of virtual time in which it may strike.
    pub between: Option<(Duration, Duration)>,
    /// The kind of users that it may strike.
    pub users: Option<String>,
    /// How often it strikes in one run at most.
    pub at_most: Option<u64>,
    /// How much: times longer (stall), milliseconds (slow), nothing otherwise.
    pub amount: u32,
    /// What an error says.
    pub error: String,
    /// Whether a run in which it never struck is all right.
    pub optional: bool,
}

impl Fault {
    /// A fault of this kind at this site with this rate, with the defaults of a file.
    ///
    /// # Panics
    /// When `kind` is not one of [`DecisionKind::FAULTS`], or the rate is not from 0 to 1.
    pub fn new(kind: DecisionKind, site: impl Into<String>, rate: f64) -> Self {
        assert!(DecisionKind::FAULTS.contains(&kind), "{} is not a fault", kind.text());
        assert!((0.0..=1.0).contains(&rate), "the rate of a fault is {rate}: expected 0 to 1");
        let amount = match kind {
            DecisionKind::Stall => TIMES,
            DecisionKind::Slow => BY_MS,
            DecisionKind::Cut | DecisionKind::Crash => LASTS_MS,
            _ => 0,
        };
        Self {
            kind,
            site: site.into(),
            rate,
            between: None,
            users: None,
            at_most: None,
            amount,
            error: ERROR.to_owned(),
            optional: false,
        }
    }

    /// Need not strike in every run.
    pub fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// Its name in reports: `panic at turn`.
    pub fn name(&self) -> String {
        format!("{} at {}", self.kind.text(), self.site)
    }
}

/// A step that stalls takes so many times longer.
const TIMES: u32 = 100;
/// A slow consumer takes so many milliseconds.
const BY_MS: u32 = 50;
/// A cut, and a host that is down, last so many milliseconds.
const LASTS_MS: u32 = 1_000;
/// What a dependency says when it fails.
const ERROR: &str = "injected error";

/// A fault: what may strike, where, how often and whom.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Table {
    /// What strikes.
    #[serde(deserialize_with = "kind")]
    #[schemars(with = "String", extend("enum" = KINDS))]
    kind: DecisionKind,
    /// The site where it may strike, such as a step of the script.
    #[schemars(extend("pattern" = "^[^ /@]+$"))]
    site: String,
    /// The share of visits that it strikes at, above 0 and at most 1.
    #[schemars(extend("exclusiveMinimum" = 0, "maximum" = 1))]
    rate: f64,
    /// The window of virtual time in which it may strike: from, to. Always where it is left out.
    between: Option<(Time, Time)>,
    /// The kind of users that it may strike; all where it is left out.
    users: Option<String>,
    /// How often it strikes in one run at most.
    #[schemars(extend("minimum" = 1))]
    at_most: Option<u64>,
    /// Of a stall: how many times longer the step takes; 100 where it is left out.
    #[schemars(extend("minimum" = 2))]
    times: Option<u32>,
    /// Of a slow: how long the user takes before it goes on; 50ms where it is left out. Of a cut and a crash: how long it
    /// lasts; 1s where it is left out.
    by: Option<Time>,
    /// Of an error: what the step comes back with.
    error: Option<String>,
    /// Whether a run in which it never strikes is all right.
    #[serde(default)]
    optional: bool,
}

/// The words for what may strike.
const KINDS: [&str; DecisionKind::FAULTS.len()] = {
    let mut words = [""; DecisionKind::FAULTS.len()];
    let mut i = 0;
    while i < words.len() {
        words[i] = DecisionKind::FAULTS[i].text();
        i += 1;
    }
    words
};

fn kind<'de, D: serde::Deserializer<'de>>(from: D) -> Result<DecisionKind, D::Error> {
    let word = String::deserialize(from)?;
    let known = DecisionKind::FAULTS.iter().find(|kind| kind.text() == word);
    known.copied().ok_or_else(|| serde::de::Error::unknown_variant(&word, &KINDS))
}

#[derive(Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(transparent)]
struct Time(
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    Duration,
);

impl JsonSchema for Fault {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "fault".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Table::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Fault {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Table::deserialize(from)?.check().map_err(serde::de::Error::custom)
    }
}

impl Table {
    fn check(self) -> Result<Fault, String> {
        use DecisionKind::{Crash, Cut, Slow};
        let kind = self.kind;
        if self.site.is_empty() || self.site.contains([' ', '/', '@']) {
            return Err("site is the name of a place: expected a word such as \"turn\"".to_owned());
        }
        if !(self.rate > 0.0 && self.rate <= 1.0) {
            return Err(format!("rate is {}: expected a share above 0, at most 1", self.rate));
        }
        let of_kind = |what: &str, given: bool, of: DecisionKind| match given && kind != of {
            true => Err(format!("{what} is for a {}, this is a {}", of.text(), kind.text())),
            false => Ok(()),
        };
        of_kind("times", self.times.is_some(), DecisionKind::Stall)?;
        if self.by.is_some() && !matches!(kind, Slow | Cut | Crash) {
            let text = kind.text();
            return Err(format!("by is for a slow, a cut and a crash, this is a {text}"));
        }
        of_kind("error", self.error.is_some(), DecisionKind::Error)?;
        if self.at_most == Some(0) {
            return Err("at_most is 0: expected at least 1".to_owned());
        }
        if self.times.is_some_and(|times| times < 2) {
            return Err("times is less than 2: nothing would take longer".to_owned());
        }
        let mut fault = Fault::new(kind, both_ways(self.site), self.rate);
        if let Some((Time(from), Time(to))) = self.between {
            if from >= to {
                return Err("between is empty: expected an earlier and a later time".to_owned());
            }
            fault.between = Some((from, to));
        }
        if let Some(times) = self.times {
            fault.amount = times;
        }
        if let Some(Time(by)) = self.by {
            let ms = u32::try_from(by.as_millis()).unwrap_or(u32::MAX);
            if ms == 0 {
                return Err("by is below a millisecond, the resolution of timers".to_owned());
            }
            fault.amount = ms;
        }
        fault.users = self.users;
        fault.at_most = self.at_most;
        fault.error = self.error.unwrap_or(fault.error);
        fault.optional = self.optional;
        Ok(fault)
    }
}

/// A way in both directions has one name, whichever of its ends comes first.
fn both_ways(site: String) -> String {
    match site.split_once("--") {
        Some((one, other)) if one > other => format!("{other}--{one}"),
        _ => site,
    }
}

/// Draws at each visit of a site whether a fault strikes. See the [module](self).
pub(super) struct Faults {
    streams: Streams,
    /// Each with its number in the scenario and how often it struck.
    faults: Vec<(usize, Fault, u64)>,
}

impl Faults {
    /// `None` when there is nothing to draw. With `swarm`, each seed switches optional faults on or off.
    pub(super) fn new(streams: &Streams, faults: &[Fault], swarm: bool) -> Option<Self> {
        let numbered = faults.iter().cloned().enumerate();
        let on = |(number, fault): &(usize, Fault)| {
            let mut draw = streams.stream(format_args!("faults/{number}"));
            !(swarm && fault.optional) || draw.chance(2, 3)
        };
        let faults: Vec<_> = numbered.filter(on).map(|(n, fault)| (n, fault, 0)).collect();
        (!faults.is_empty()).then_some(Self { streams: *streams, faults })
    }
}

impl Strategy for Faults {
    fn decide(&mut self, point: &Point<'_>) -> Option<u32> {
        let (_, site) = point.task.rsplit_once('/')?;
        for (number, fault, struck) in &mut self.faults {
            let within = |(from, to): (Duration, Duration)| {
                (units::nanos(from)..units::nanos(to)).contains(&point.at_ns)
            };
            let may = fault.kind == point.kind
                && fault.site == site
                && fault.between.is_none_or(within)
                && fault.users.as_deref().is_none_or(|kind| point.user_kind == Some(kind))
                && fault.at_most.is_none_or(|most| *struck < most);
            let name = format_args!("faults/{number}/{}/{}", point.task, point.nth);
            if may && self.streams.stream(name).unit() <= fault.rate {
                *struck += 1;
                return Some(fault.amount);
            }
        }
        None
    }

    fn kinds(&self) -> Kinds {
        self.faults.iter().map(|(_, fault, _)| &fault.kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn visits(fault: Fault, of: impl Fn(u64) -> (u64, Option<&'static str>)) -> Vec<u64> {
        let mut faults =
            Faults::new(&Streams::new(1), std::slice::from_ref(&fault), false).unwrap();
        let ready = BTreeSet::new();
        let struck = |nth: &u64| {
            let ((at_ns, user_kind), task) = (of(*nth), format!("user-{nth}@0/turn").into());
            let point =
                Point { kind: fault.kind, task: &task, nth: 0, at_ns, user_kind, ready: &ready };
            faults.decide(&point).is_some()
        };
        (0..1_000).filter(struck).collect()
    }

    #[test]
    fn a_fault_strikes_at_its_rate_in_its_window_for_its_users_and_no_more_often_than_it_may() {
        let fault = Fault::new(DecisionKind::Panic, "turn", 0.1);
        let struck = visits(fault.clone(), |_| (0, None));
        assert!((60..140).contains(&struck.len()), "{} of 1,000", struck.len());

        let second = Duration::from_secs(1);
        let window = Fault { between: Some((second, 2 * second)), ..fault.clone() };
        let in_window = visits(window, |nth| (nth * 10_000_000, None));
        let expected: Vec<u64> =
            struck.iter().copied().filter(|nth| (100..200).contains(nth)).collect();
        assert_eq!(in_window, expected, "the window takes visits away and changes no other");

        let users = Fault { users: Some("slow".to_owned()), ..fault.clone() };
        assert!(visits(users.clone(), |_| (0, Some("fast"))).is_empty());
        assert_eq!(visits(users, |_| (0, Some("slow"))), struck);

        let bounded = Fault { at_most: Some(3), ..fault };
        assert_eq!(visits(bounded, |_| (0, None)), struck[..3]);
    }
}
