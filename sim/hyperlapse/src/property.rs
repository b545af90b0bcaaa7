//! Properties: what must hold of a run, named, counted and reported.
//!
//! A property is declared once, as a constant, and checked wherever the scenario can see it. Declaring
//! matters: a property that was declared and never reached is reported as such, for a check that no run
//! comes by proves nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How the checks of a property add up to a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PropertyKind {
    /// Holds at every check, and is checked at least once.
    Always,
    /// Holds at one check at least: the run came to where it was meant to come.
    Sometimes,
    /// Holds at the last check of the run, whatever came before.
    Eventually,
    /// Is never so, at any check, and is checked at least once.
    Never,
    /// Holds again within so much virtual time whenever it did not.
    EventuallyWithin {
        /// The time, in nanoseconds.
        within_ns: u64,
    },
}

/// A property that a scenario promises to check.
///
/// ```
/// use hyperlapse::Property;
///
/// pub const EMPTY: Property = Property::eventually("pool empty", "everything is given back");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    pub(crate) kind: PropertyKind,
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) over_the_sweep: bool,
}

impl Property {
    /// Must hold at every check. `about` is the one line that `list` shows.
    pub const fn always(name: &'static str, about: &'static str) -> Self {
        Self::new(PropertyKind::Always, name, about)
    }

    /// Must hold at one check of the run at least.
    pub const fn sometimes(name: &'static str, about: &'static str) -> Self {
        Self::new(PropertyKind::Sometimes, name, about)
    }

    /// Must hold at the last check of the run.
    pub const fn eventually(name: &'static str, about: &'static str) -> Self {
        Self::new(PropertyKind::Eventually, name, about)
    }

    /// Must not be so at any check: what is checked is what must not happen.
    pub const fn never(name: &'static str, about: &'static str) -> Self {
        Self::new(PropertyKind::Never, name, about)
    }

    /// Must hold again within this much virtual time whenever a check finds that it does not, and at the end of
    /// the run unless it has not been broken for that long. It is seen at checks alone: check it often.
    pub const fn eventually_within(
        name: &'static str,
        within: Duration,
        about: &'static str,
    ) -> Self {
        let within_ns = within.as_nanos() as u64;
        Self::new(PropertyKind::EventuallyWithin { within_ns }, name, about)
    }

    /// It need not be checked (a `sometimes`: hold) in each run, but in one at least of a sweep of [`SWEEP`] or
    /// more.
    pub const fn over_the_sweep(self) -> Self {
        Self { over_the_sweep: true, ..self }
    }

    const fn new(kind: PropertyKind, name: &'static str, about: &'static str) -> Self {
        Self { kind, name, about, over_the_sweep: false }
    }

    /// Its name, by which reports and seed files know it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it promises, in a line.
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// How its checks are judged.
    pub const fn kind(&self) -> PropertyKind {
        self.kind
    }
}

/// A sweep of fewer runs says nothing of what must happen at least once in it.
pub const SWEEP: u64 = 100;

/// What a run saw of one property.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PropertyRecord {
    /// How it is judged.
    pub kind: PropertyKind,
    /// How often it was checked.
    pub checked: u64,
    /// How often it held.
    pub held: u64,
    /// Whether it held at the last check.
    pub held_last: bool,
    /// Whether a run in which it is never seen is all right, if there are others.
    pub over_the_sweep: bool,
    /// The first check (for `eventually`: the last) that failed.
    pub violation: Option<Violation>,
    /// Of `eventually within`: since when it does not hold.
    #[serde(skip)]
    broken_since: Option<Violation>,
}

/// One check that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Virtual time, in nanoseconds.
    pub at_ns: u64,
    /// What was seen.
    pub detail: String,
}

impl PropertyRecord {
    fn new(property: &Property) -> Self {
        Self {
            kind: property.kind,
            checked: 0,
            held: 0,
            held_last: false,
            over_the_sweep: property.over_the_sweep,
            violation: None,
            broken_since: None,
        }
    }

    /// Of `eventually within`: whether it has been broken for too long by now, which is then a violation.
    fn overdue(&mut self, at_ns: u64) -> bool {
        let PropertyKind::EventuallyWithin { within_ns } = self.kind else { return false };
        // On the real clock a check may be counted after one that was made later.
        let late = |since: &&Violation| at_ns.saturating_sub(since.at_ns) > within_ns;
        let Some(since) = self.broken_since.as_ref().filter(late) else { return false };
        if self.violation.is_some() {
            return false;
        }
        self.violation = Some(since.clone());
        true
    }

    fn expect_kind(&self, property: &Property) -> Result<(), Box<WrongKind>> {
        let (here, elsewhere) = (property.kind, self.kind);
        if here == elsewhere {
            Ok(())
        } else {
            Err(Box::new(WrongKind { name: property.name, here, elsewhere }))
        }
    }

    /// Why the run breaks the property, if it does.
    pub fn broken(&self) -> Option<String> {
        let at = |violation: &Violation| {
            let when = crate::units::seconds(violation.at_ns);
            match violation.detail.as_str() {
                "" => format!("at {when}"),
                detail => format!("at {when}: {detail}"),
            }
        };
        match self.kind {
            PropertyKind::Sometimes if self.over_the_sweep => None,
            _ if self.checked == 0 && self.over_the_sweep => None,
            _ if self.checked == 0 => Some("never checked".to_owned()),
            PropertyKind::Always | PropertyKind::Never if self.held < self.checked => {
                self.violation.as_ref().map(at)
            }
            PropertyKind::EventuallyWithin { within_ns } => self.violation.as_ref().map(|since| {
                let within = crate::units::seconds(within_ns);
                format!("for more than {within} from {}", at(since).trim_start_matches("at "))
            }),
            PropertyKind::Sometimes if self.held == 0 => {
                Some(format!("never held in {}", crate::units::plural(self.checked, "check")))
            }
            PropertyKind::Eventually if !self.held_last => self.violation.as_ref().map(at),
            _ => None,
        }
    }
}

/// A property of one name that is checked as two kinds: a bug of the scenario.
#[derive(Debug, thiserror::Error)]
#[error("the property `{name}` is checked as {here:?} here and as {elsewhere:?} elsewhere")]
pub(crate) struct WrongKind {
    name: &'static str,
    here: PropertyKind,
    elsewhere: PropertyKind,
}

/// The checks of one run: a handful, looked through in the order of their declaration.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    /// Beside the records, and not in them: looked through at every check.
    names: Vec<&'static str>,
    records: Vec<PropertyRecord>,
}

impl Properties {
    pub(crate) fn declare(&mut self, properties: &[Property]) {
        for property in properties {
            self.entry(property);
        }
    }

    fn entry(&mut self, property: &Property) -> &mut PropertyRecord {
        // Comparing where the names lie finds a constant's without reading them; names that are equal
        // and lie elsewhere are found by their letters, so the outcome does not depend on where.
        let place = self.names.iter().position(|name| std::ptr::eq(*name, property.name));
        let place = place.unwrap_or_else(|| self.place_by_letters(property));
        &mut self.records[place]
    }

    #[cold]
    fn place_by_letters(&mut self, property: &Property) -> usize {
        let place = self.names.iter().position(|name| *name == property.name);
        place.unwrap_or_else(|| {
            // Nothing of what is recorded counts as the run's memory.
            let _uncounted = crate::alloc::uncounted();
            self.names.push(property.name);
            self.records.push(PropertyRecord::new(property));
            self.names.len() - 1
        })
    }

    /// Counts one check that holds: the way that nearly all of them go.
    ///
    /// # Errors
    /// When it is checked as another kind elsewhere.
    // In a box: as it is, nine words were copied for each check that holds, and waited for each other.
    pub(crate) fn holds(&mut self, property: &Property, at_ns: u64) -> Result<(), Box<WrongKind>> {
        let record = self.entry(property);
        record.expect_kind(property)?;
        record.checked += 1;
        record.held += 1;
        record.held_last = true;
        if record.broken_since.is_some() {
            record.overdue(at_ns);
            record.broken_since = None;
        }
        Ok(())
    }

    /// Counts one check that does not hold; gives the violation when this is the violation that the record keeps.
    ///
    /// # Errors
    /// When it is checked as another kind elsewhere.
    pub(crate) fn fails(
        &mut self,
        property: &Property,
        at_ns: u64,
        detail: &str,
    ) -> Result<bool, Box<WrongKind>> {
        let record = self.entry(property);
        record.expect_kind(property)?;
        record.checked += 1;
        record.held_last = false;
        let keep = match record.kind {
            PropertyKind::Always | PropertyKind::Never => record.violation.is_none(),
            PropertyKind::Eventually => true,
            PropertyKind::Sometimes => false,
            PropertyKind::EventuallyWithin { .. } => {
                let now = || Violation { at_ns, detail: detail.to_owned() };
                record.broken_since.get_or_insert_with(now);
                return Ok(record.overdue(at_ns));
            }
        };
        if keep {
            record.violation = Some(Violation { at_ns, detail: detail.to_owned() });
        }
        // Of an `eventually` only the judgement at the end is news; a check on the way is not.
        Ok(keep && record.kind != PropertyKind::Eventually)
    }

    /// The records of a run that ended then.
    pub(crate) fn into_records(mut self, at_ns: u64) -> BTreeMap<String, PropertyRecord> {
        for record in &mut self.records {
            record.overdue(at_ns);
        }
        let names = self.names.into_iter().map(str::to_owned);
        names.zip(self.records).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(property: Property, checks: &[bool]) -> Option<String> {
        let mut properties = Properties::default();
        properties.declare(&[property]);
        for (i, holds) in checks.iter().enumerate() {
            match holds {
                true => properties.holds(&property, i as u64 * 1_000_000).unwrap(),
                false => {
                    let detail = format!("check {i}");
                    properties.fails(&property, i as u64 * 1_000_000, &detail).unwrap();
                }
            }
        }
        properties
            .into_records(checks.len() as u64 * 1_000_000)
            .remove(property.name)
            .unwrap()
            .broken()
    }

    #[test]
    fn kinds_differ_in_how_checks_add_up() {
        let (always, sometimes, eventually) = (
            Property::always("p", ""),
            Property::sometimes("p", ""),
            Property::eventually("p", ""),
        );
        assert_eq!(judged(always, &[true, true]), None);
        assert_eq!(judged(always, &[true, false, true]).unwrap(), "at 0.001 s: check 1");
        assert_eq!(judged(sometimes, &[false, true, false]), None);
        assert_eq!(judged(sometimes, &[false]).unwrap(), "never held in 1 check");
        assert_eq!(judged(eventually, &[false, true]), None);
        assert_eq!(judged(eventually, &[true, false]).unwrap(), "at 0.001 s: check 1");
    }

    #[test]
    fn what_must_come_back_in_time_is_broken_when_it_comes_late_or_not_at_all() {
        let within = Property::eventually_within("p", Duration::from_millis(2), "");
        assert_eq!(judged(within, &[true, false, false, true, false]), None);
        let late = judged(within, &[true, false, false, false, false, true]).unwrap();
        assert_eq!(late, "for more than 0.002 s from 0.001 s: check 1");
        assert!(judged(within, &[false, true, false, false, false]).is_some(), "at the end");
    }

    #[test]
    fn a_sometimes_of_the_sweep_says_nothing_in_one_run() {
        let always = Property::always("p", "").over_the_sweep();
        assert_eq!(judged(always, &[]), None);
        assert!(judged(always, &[true, false]).is_some(), "a violation is one in any run");
        let sometimes = Property::sometimes("p", "").over_the_sweep();
        assert_eq!(judged(sometimes, &[false]), None);
        assert_eq!(judged(sometimes, &[]), None);
    }

    #[test]
    fn a_declared_property_that_is_never_reached_is_broken() {
        for property in [Property::always("p", ""), Property::sometimes("p", "")] {
            assert_eq!(judged(property, &[]).unwrap(), "never checked");
        }
    }
}
