//! Properties: what must hold of a run, named, counted and reported.
//!
//! A property is declared once, as a constant, and checked wherever the scenario can see it. Declaring
//! matters: a property that was declared and never reached is reported as such, for a check that no run
//! comes by proves nothing.

use std::collections::BTreeMap;

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
}

impl Property {
    /// Must hold at every check. `about` is the one line that `list` shows.
    pub const fn always(name: &'static str, about: &'static str) -> Self {
        Self { kind: PropertyKind::Always, name, about }
    }

    /// Must hold at one check of the run at least.
    pub const fn sometimes(name: &'static str, about: &'static str) -> Self {
        Self { kind: PropertyKind::Sometimes, name, about }
    }

    /// Must hold at the last check of the run.
    pub const fn eventually(name: &'static str, about: &'static str) -> Self {
        Self { kind: PropertyKind::Eventually, name, about }
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
    /// The first check (for `eventually`: the last) that failed.
    pub violation: Option<Violation>,
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
    fn new(kind: PropertyKind) -> Self {
        Self { kind, checked: 0, held: 0, held_last: false, violation: None }
    }

    fn expect_kind(&self, property: &Property) -> Result<(), WrongKind> {
        let (here, elsewhere) = (property.kind, self.kind);
        if here == elsewhere {
            Ok(())
        } else {
            Err(WrongKind { name: property.name, here, elsewhere })
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
            _ if self.checked == 0 => Some("never checked".to_owned()),
            PropertyKind::Always if self.held < self.checked => self.violation.as_ref().map(at),
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
pub(crate) struct Properties(Vec<(&'static str, PropertyRecord)>);

impl Properties {
    pub(crate) fn declare(&mut self, properties: &[Property]) {
        for property in properties {
            self.entry(property);
        }
    }

    fn entry(&mut self, property: &Property) -> &mut PropertyRecord {
        // Comparing where the names lie finds a constant's without reading them; names that are equal
        // and lie elsewhere are found by their letters, so the outcome does not depend on where.
        let at_the_same_place = |name: &str| std::ptr::eq(name, property.name);
        let place = self.0.iter().position(|(name, _)| at_the_same_place(name));
        let place = place.or_else(|| self.0.iter().position(|(name, _)| *name == property.name));
        let place = place.unwrap_or_else(|| {
            self.0.push((property.name, PropertyRecord::new(property.kind)));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    /// Counts one check that holds: the way that nearly all of them go.
    ///
    /// # Errors
    /// When it is checked as another kind elsewhere.
    pub(crate) fn holds(&mut self, property: &Property) -> Result<(), WrongKind> {
        let record = self.entry(property);
        record.expect_kind(property)?;
        record.checked += 1;
        record.held += 1;
        record.held_last = true;
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
    ) -> Result<bool, WrongKind> {
        let record = self.entry(property);
        record.expect_kind(property)?;
        record.checked += 1;
        record.held_last = false;
        let keep = match record.kind {
            PropertyKind::Always => record.violation.is_none(),
            PropertyKind::Eventually => true,
            PropertyKind::Sometimes => false,
        };
        if keep {
            record.violation = Some(Violation { at_ns, detail: detail.to_owned() });
        }
        // Of an `eventually` only the judgement at the end is news; a check on the way is not.
        Ok(keep && record.kind == PropertyKind::Always)
    }

    pub(crate) fn into_records(self) -> BTreeMap<String, PropertyRecord> {
        self.0.into_iter().map(|(name, record)| (name.to_owned(), record)).collect()
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
                true => properties.holds(&property).unwrap(),
                false => {
                    let detail = format!("check {i}");
                    properties.fails(&property, i as u64 * 1_000_000, &detail).unwrap();
                }
            }
        }
        properties.into_records().remove(property.name).unwrap().broken()
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
    fn a_declared_property_that_is_never_reached_is_broken() {
        for property in [Property::always("p", ""), Property::sometimes("p", "")] {
            assert_eq!(judged(property, &[]).unwrap(), "never checked");
        }
    }
}
