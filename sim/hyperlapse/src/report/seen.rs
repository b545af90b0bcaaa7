//! What a whole sweep saw of each property and each fault: how often, in how many runs, where first.

use std::collections::BTreeMap;

use super::style::Style;
use crate::property::SWEEP;
use crate::record::Record;
use crate::units::{count, plural};

/// The properties and faults of one case, over its runs.
#[derive(Debug, Default)]
pub(super) struct Seen {
    runs: u64,
    properties: BTreeMap<String, Property>,
    faults: BTreeMap<String, Fault>,
}

#[derive(Debug, Default)]
struct Property {
    checked: u64,
    /// Runs that checked it at all.
    reached: u64,
    /// Runs in which it held at least once.
    held: u64,
    broken: u64,
    first_broken: Option<u64>,
    over_the_sweep: bool,
}

#[derive(Debug, Default)]
struct Fault {
    struck: u64,
    in_runs: u64,
    visits: u64,
    asked_for: bool,
}

/// What a sweep saw of one property, or of one fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct SeenRow<'a> {
    pub(super) name: &'a str,
    /// Checks, or strikes.
    pub(super) times: u64,
    /// In so many runs.
    pub(super) runs: u64,
    /// In how many runs it was broken, and in which seed first; a fault breaks nothing.
    pub(super) broken: Option<(u64, Option<u64>)>,
}

impl Seen {
    pub(super) fn add(&mut self, record: &Record) {
        self.runs += 1;
        for (name, of_run) in &record.properties {
            let property = self.properties.entry(name.clone()).or_default();
            property.checked += of_run.checked;
            property.reached += u64::from(of_run.checked > 0);
            property.held += u64::from(of_run.held > 0);
            property.over_the_sweep = of_run.over_the_sweep;
            if record.broken(of_run).is_some() {
                property.broken += 1;
                property.first_broken.get_or_insert(record.seed);
            }
        }
        for (name, of_run) in &record.faults {
            let fault = self.faults.entry(name.clone()).or_default();
            fault.struck += of_run.struck;
            fault.in_runs += u64::from(of_run.struck > 0);
            fault.visits += of_run.visits.unwrap_or(0);
            fault.asked_for |= of_run.visits.is_some();
        }
    }

    /// What must happen in some run of a sweep, and did not.
    pub(super) fn missing(&self) -> Vec<String> {
        if self.runs < SWEEP {
            return Vec::new();
        }
        let never = |property: &&Property| {
            property.over_the_sweep && property.held == 0 && property.broken == 0
        };
        let properties = self.properties.iter().filter(|(_, p)| never(p));
        let faults = self.faults.iter().filter(|(_, fault)| fault.asked_for && fault.struck == 0);
        let runs = plural(self.runs, "run");
        properties
            .map(|(name, property)| match property.reached {
                0 => format!("{name}: never checked in {runs}"),
                _ => format!("{name}: never held in {runs}"),
            })
            .chain(faults.map(|(name, fault)| {
                format!("{name}: never struck in {} of its site", plural(fault.visits, "visit"))
            }))
            .collect()
    }

    /// The properties, then the faults.
    pub(super) fn rows(&self) -> impl Iterator<Item = SeenRow<'_>> {
        let properties = self.properties.iter().map(|(name, property)| SeenRow {
            name,
            times: property.checked,
            // A `sometimes` counts where it was seen, all others where they were looked at.
            runs: if property.over_the_sweep { property.held } else { property.reached },
            broken: Some((property.broken, property.first_broken)),
        });
        let faults = self.faults.iter().map(|(name, fault)| SeenRow {
            name,
            times: fault.struck,
            runs: fault.in_runs,
            broken: None,
        });
        properties.chain(faults)
    }

    /// The table, for a sweep.
    pub(super) fn table(&self, title: &str, text: &mut String, style: Style) {
        if self.properties.is_empty() && self.faults.is_empty() {
            return;
        }
        let heading =
            format!("{title:<38} {:>11} {:>9} {:>8} {:>9}", "checks", "in runs", "broken", "first");
        text.push_str(&style.strong(heading.trim_end()));
        text.push('\n');
        for row in self.rows() {
            let (times, runs) = (count(row.times), count(row.runs));
            match row.broken {
                None => text.push_str(&format!("  fault {:<30} {times:>11} {runs:>9}\n", row.name)),
                Some((broken, first)) => {
                    let (broken, first) = (count(broken), first.map_or(String::new(), count));
                    let line =
                        format!("  {:<36} {times:>11} {runs:>9} {broken:>8} {first:>9}", row.name);
                    text.push_str(line.trim_end());
                    text.push('\n');
                }
            }
        }
        text.push('\n');
    }
}
