//! One run, for a terminal of 80 columns.

use super::measured;
use super::page::{LABEL, Page, WIDTH};
use super::style::{Style, wrap};
use crate::clock::Clock;
use crate::decision::DecisionKind;
use crate::record::{Outcome, Record};
use crate::suite::Finished;
use crate::threshold::Standing;
use crate::units::{count, plural};
use crate::verdict::FailureKind;

/// What of a run is shown beside what every build prints alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Heap bytes, which are those of one build.
    pub memory: bool,
    /// Colours.
    pub coloured: bool,
}

/// The report of one run. `workload` is the line that describes its load.
pub fn run(finished: &Finished, about: &str, workload: &str, detail: Detail) -> String {
    let (record, verdict) = (&finished.record, &finished.verdict);
    let style = Style { coloured: detail.coloured };
    let mut page = Page::default();

    let clock = match record.clock {
        Clock::Virtual => "",
        Clock::Real => ", real clock",
    };
    let title = format!("{}  on {}, seed {}{clock}", record.scenario, record.system, record.seed);
    page.text = format!("{}  {}\n", style.verdict(verdict.passed()), style.strong(&title));
    for line in wrap(about, WIDTH - 2).iter().filter(|line| !line.is_empty()) {
        page.text.push_str(&format!("  {line}\n"));
    }
    for (path, value) in &record.set {
        page.line("set", &format!("{path} = {value}"));
    }
    page.prose("load", workload);
    measured::of_load(&mut page, record);
    if detail.memory {
        measured::of_memory(&mut page, record);
    }
    if let Some(spent) = &record.host.spent {
        measured::of_process(&mut page, record, spent);
    }
    // Where nobody came by there is nothing to say, but for the failure that it may be.
    for (fault, of) in record.faults.iter().filter(|(_, of)| of.visits != Some(0)) {
        let visits = of.visits.map(|visits| format!(" in {}", plural(visits, "visit")));
        let times = plural(of.struck, "time");
        page.line("fault", &format!("{fault}: {times}{}", visits.unwrap_or_default()));
    }
    if DecisionKind::BENDS.iter().any(|kind| record.decisions_by_kind.contains_key(kind.text())) {
        decisions(&mut page, record);
    }
    if record.asked_clock + record.asked_random > 0 {
        let (clock, random) = (record.asked_clock, record.asked_random);
        let asked = [("for the time", clock), ("for random bytes", random)];
        let asked = asked.iter().filter(|(_, n)| *n > 0);
        let asked: Vec<String> =
            asked.map(|(what, n)| format!("{what} {}", plural(*n, "time"))).collect();
        let asked = asked.join(", ");
        page.prose("host", &format!("asked {asked}; answered from the seed"));
    }
    properties(&mut page, record, style);
    thresholds(&mut page, finished, style, detail);
    if let Outcome::Aborted { .. } = record.outcome {
        page.prose("aborted", &record.outcome.failure().unwrap_or_default());
    }
    for failure in &verdict.failures {
        // Those of thresholds and properties stand in their lines already.
        if !matches!(failure.kind, FailureKind::Property | FailureKind::Threshold) {
            let text = format!("{}: {}", failure.name, failure.message);
            page.prose(failure.kind.text(), &text);
        }
    }
    page.text
}

fn decisions(page: &mut Page, record: &Record) {
    let of = |kind: &DecisionKind| record.decisions_by_kind.get(kind.text()).copied().unwrap_or(0);
    // Faults stand in lines of their own.
    let cells: Vec<String> = DecisionKind::BENDS
        .iter()
        .filter(|kind| of(kind) > 0)
        .map(|kind| format!("{} {}", count(of(kind)), kind.text()))
        .collect();
    page.cells("decisions", &cells);
}

fn properties(page: &mut Page, record: &Record, style: Style) {
    let mut label = "properties";
    for (name, property) in &record.properties {
        match record.broken(property) {
            None if property.broken().is_some() => {
                page.line(label, &format!("--    {name} (not judged: the run did not end)"));
            }
            None => {
                page.line(
                    label,
                    &format!(
                        "{}    {name} ({})",
                        style.good("ok"),
                        plural(property.checked, "check")
                    ),
                );
            }
            Some(why) => {
                page.line(label, &format!("{}  {name}", style.bad("FAIL")));
                for line in wrap(&why, WIDTH - LABEL - 8) {
                    page.line("", &format!("      {line}"));
                }
            }
        }
        label = "";
    }
}

fn thresholds(page: &mut Page, finished: &Finished, style: Style, detail: Detail) {
    let mut label = "thresholds";
    for judgement in &finished.verdict.thresholds {
        let mark = match judgement.standing {
            Standing::Held => style.good("ok  "),
            Standing::Near => style.near("NEAR"),
            Standing::Broken => style.bad("FAIL"),
            Standing::NotJudged => "--  ".to_owned(),
        };
        let hidden = !detail.memory && judgement.threshold.starts_with("memory.");
        let measured = if hidden { "" } else { &judgement.measured };
        let line = format!("{mark}  {:<36}  {measured}", judgement.threshold);
        let length =
            LABEL + 8 + judgement.threshold.chars().count().max(36) + 2 + measured.chars().count();
        if length <= WIDTH {
            page.line(label, &line);
        } else {
            page.line(label, &format!("{mark}  {}", judgement.threshold));
            for line in wrap(measured, WIDTH - LABEL - 8) {
                page.line("", &format!("      {line}"));
            }
        }
        label = "";
    }
}
