//! `run --check-determinism`: what the guard found in a sweep.

use super::exit;
use crate::guard::{Finding, HostSource};
use crate::report;
use crate::suite::{Case, Finished};
use crate::units;

/// What the guard found in a sweep: each dependence once for each case, by its first seed.
#[derive(Default)]
pub(super) struct Guard {
    told: Vec<(String, Option<HostSource>, String)>,
    checked: u64,
    fails: bool,
}

impl Guard {
    pub(super) fn add(&mut self, case: &Case, finished: &Finished, findings: &[Finding]) {
        self.checked += 1;
        let of = format!("{} on {}", case.scenario.name(), case.system);
        for finding in findings {
            self.fails |= !finding.is_note();
            if self.told.iter().any(|(name, moved, _)| *name == of && *moved == finding.moved) {
                continue;
            }
            let mark = if finding.is_note() { "note" } else { "NONDETERMINISM" };
            let text = format!("{mark}  {of}, seed {}: {finding}", finished.record.seed);
            let lines = text.lines().map(|line| report::wrap(line, 80).join("\n    "));
            let text = lines.collect::<Vec<_>>().join("\n") + "\n";
            self.told.push((of.clone(), finding.moved, text));
        }
    }

    pub(super) fn text(&self) -> String {
        if self.told.is_empty() {
            let runs = units::plural(self.checked, "run");
            return format!(
                "\ndeterministic: {runs} came to the same events again, and with another HashMap order, other \
                 random\nbytes, another clock and another order of select!\n"
            );
        }
        self.told.iter().map(|(_, _, text)| format!("\n{text}")).collect()
    }

    pub(super) fn code(&self) -> u8 {
        if self.fails { exit::NONDETERMINISM } else { exit::HELD }
    }
}
