//! The end of a `run`: every scenario in a line, and what it came to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[cfg(feature = "cli")]
use super::results::Results;
use super::seen::Seen;
use super::style::{Style, wrap};
use crate::clock::Clock;
use crate::scenario::Scenario;
#[cfg(feature = "cli")]
use crate::suite::Case;
use crate::suite::Finished;
use crate::threshold::{OverSeeds, Standing, SweepJudgement};
use crate::units::{count, plural, seconds};
use crate::verdict::FailureKind;

/// Runs of one case, folded.
#[derive(Debug, Default)]
pub struct CaseSummary {
    pub(super) scenario: String,
    pub(super) system: String,
    pub(super) runs: u64,
    pub(super) failed: u64,
    pub(super) completed: u64,
    pub(super) refused: u64,
    /// The least and the greatest p95 of all runs.
    pub(super) p95_ns: Option<(u64, u64)>,
    pub(super) virtual_ns: u64,
    clock: Clock,
    pub(super) failures: BTreeMap<(FailureKind, String), FailureGroup>,
    pub(super) seen: Seen,
    over_seeds: Vec<OverSeeds>,
    /// Whether there are other runs elsewhere: what is judged over all of them is not judged here.
    pub(super) is_part: bool,
}

/// Runs that failed alike.
#[derive(Debug)]
pub(super) struct FailureGroup {
    pub(super) seeds: u64,
    pub(super) first_seed: u64,
    pub(super) message: String,
    pub(super) seed_file: Option<PathBuf>,
}

impl CaseSummary {
    /// Of the runs of this scenario, with its thresholds over seeds. Without one (`default`) there are none of those.
    pub fn of(scenario: &Scenario) -> Self {
        let over_seeds = scenario.thresholds().iter().filter_map(OverSeeds::of).collect();
        Self { over_seeds, ..Self::default() }
    }

    /// Adds a run. Runs come in the order of their seeds.
    pub fn add(&mut self, finished: &Finished, seed_file: Option<PathBuf>) {
        let (record, verdict) = (&finished.record, &finished.verdict);
        self.scenario.clone_from(&record.scenario);
        self.system.clone_from(&record.system);
        self.clock = record.clock;
        self.runs += 1;
        self.failed += u64::from(!verdict.passed());
        self.completed += record.metrics.operations.completed;
        self.refused += record.metrics.operations.refused_total();
        self.virtual_ns += record.virtual_ns;
        if record.metrics.operations.response.count > 0 {
            let p95 = record.metrics.operations.response.p95_ns;
            let (low, high) = self.p95_ns.unwrap_or((p95, p95));
            self.p95_ns = Some((low.min(p95), high.max(p95)));
        }
        self.seen.add(record);
        let over = verdict.thresholds.iter().filter(|judgement| judgement.over_seeds);
        for (threshold, judgement) in self.over_seeds.iter_mut().zip(over) {
            threshold.add(record, judgement);
        }
        let mut told = BTreeSet::new();
        for failure in &verdict.failures {
            // Six users may panic at one line in one run.
            let news = u64::from(told.insert((failure.kind, &failure.name)));
            self.failures
                .entry((failure.kind, failure.name.clone()))
                .and_modify(|group| group.seeds += news)
                .or_insert_with(|| FailureGroup {
                    seeds: 1,
                    first_seed: record.seed,
                    message: failure.message.clone(),
                    seed_file: seed_file.clone(),
                });
        }
    }

    /// Whether every run held, what must happen in some run of a sweep did, and thresholds over seeds hold; of a shard,
    /// whether its own runs held.
    pub fn passed(&self) -> bool {
        let broken = |judgement: &SweepJudgement| judgement.standing == Standing::Broken;
        self.failed == 0 && self.missing().is_empty() && !self.over_seeds().iter().any(broken)
    }

    /// The scenario's name; empty before the first run.
    pub fn scenario(&self) -> &str {
        &self.scenario
    }

    /// The system's name; empty before the first run.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// How many runs there were.
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// How many of them failed.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// What must happen in some run of a sweep, and did not; of a shard that is not known.
    pub fn missing(&self) -> Vec<String> {
        if self.is_part { Vec::new() } else { self.seen.missing() }
    }

    /// What no run by itself breaks, and all of them together do.
    pub(crate) fn broken_over_the_sweep(&self) -> Vec<String> {
        let judgements = self.over_seeds().into_iter();
        let broken = judgements.filter(|judgement| judgement.standing == Standing::Broken);
        let told = broken.map(|one| format!("{}: {}", one.threshold, one.measured));
        self.missing().into_iter().chain(told).collect()
    }

    /// The thresholds that are judged over all runs, and so not of a shard.
    pub fn over_seeds(&self) -> Vec<SweepJudgement> {
        let judged = self.over_seeds.iter().map(OverSeeds::judge);
        let judged = judged.map(|judgement| match self.is_part {
            false => judgement,
            true => SweepJudgement {
                measured: "judged over all shards, by `merge`".to_owned(),
                standing: Standing::NotJudged,
                value: None,
                bound: None,
                seed: None,
                ..judgement
            },
        });
        judged.collect()
    }
}

/// The table of all cases, and under it the failures grouped by what failed.
pub fn summary(
    cases: &[&CaseSummary],
    operation: &str,
    command: &str,
    wall_ns: Option<u64>,
    coloured: bool,
) -> String {
    let style = Style { coloured };
    let sweep = cases.iter().any(|case| case.runs > 1);
    // Those of one command go by one clock.
    let clock = cases.first().map_or(Clock::Virtual, |case| case.clock);
    let mut rows = vec![vec![
        "scenario".to_owned(),
        "system".to_owned(),
        if sweep { "seeds".to_owned() } else { String::new() },
        if sweep { "failed".to_owned() } else { String::new() },
        "completed".to_owned(),
        "refused".to_owned(),
        "p95".to_owned(),
        clock.text().to_owned(),
    ]];
    for case in cases {
        let p95 = match case.p95_ns {
            None => "-".to_owned(),
            Some((low, high)) if low == high => seconds(low),
            Some((low, high)) => span(&seconds(low), &seconds(high)),
        };
        rows.push(vec![
            case.scenario.clone(),
            case.system.clone(),
            if sweep { count(case.runs) } else { String::new() },
            if sweep { count(case.failed) } else { String::new() },
            count(case.completed),
            count(case.refused),
            p95,
            seconds(case.virtual_ns),
        ]);
    }
    let mut text = table(&rows, |row| match row {
        0 => "    ".to_owned(),
        row => style.verdict(cases[row - 1].passed()),
    });
    text.push('\n');
    for case in cases.iter().filter(|case| case.runs > 1) {
        case.seen.table(&format!("{} on {}", case.scenario, case.system), &mut text, style);
    }
    for case in cases {
        thresholds(case, &mut text, style);
    }
    text.push_str(&failures(cases, command, style));

    let failed = cases.iter().filter(|case| !case.passed()).count() as u64;
    let runs: u64 = cases.iter().map(|case| case.runs).sum();
    let completed: u64 = cases.iter().map(|case| case.completed).sum();
    let virtual_ns: u64 = cases.iter().map(|case| case.virtual_ns).sum();
    let scenarios = plural(cases.len() as u64, "scenario");
    let in_runs = match runs > cases.len() as u64 {
        true => format!(" in {}", plural(runs, "run")),
        false => String::new(),
    };
    let passed = count(cases.len() as u64 - failed);
    let line = format!("{scenarios}{in_runs}: {passed} passed, {} failed", count(failed));
    let line = if failed == 0 { style.good(&line) } else { style.bad(&line) };
    let wall = wall_ns.map_or(String::new(), |wall| format!(", in {} of wall time", seconds(wall)));
    text.push_str(&format!(
        "{line}\n{} over {} of {}{wall}\n",
        plural(completed, operation),
        seconds(virtual_ns),
        clock.time()
    ));
    text
}

/// The thresholds that a sweep is judged by as a whole.
fn thresholds(case: &CaseSummary, text: &mut String, style: Style) {
    let judgements = case.over_seeds();
    if judgements.is_empty() {
        return;
    }
    let title = format!("{} on {}, over {}", case.scenario, case.system, plural(case.runs, "seed"));
    text.push_str(&format!("{}\n", style.strong(&title)));
    for judgement in judgements {
        let mark = match judgement.standing {
            Standing::Broken => style.bad("FAIL"),
            Standing::NotJudged => "--  ".to_owned(),
            Standing::Held => style.good("ok  "),
            Standing::Near => style.near("NEAR"),
        };
        text.push_str(&format!("  {mark}  {}\n", judgement.threshold));
        for line in wrap(&judgement.measured, 72) {
            text.push_str(&format!("        {line}\n"));
        }
    }
    text.push('\n');
}

/// The line that replays a seed file, to paste.
pub(crate) fn replay_line(command: &str, seed_file: &Path) -> String {
    crate::seed_file::replay_line(command, &pasteable(seed_file))
}

/// The line that runs a seed of a case, to paste.
#[cfg(feature = "cli")]
pub(super) fn run_line(results: &Results, case: &Case, seed: u64) -> String {
    let command = &results.command;
    // A scenario that the suite does not bring is known by its file.
    let scenario = match case.text {
        Some(_) => &case.source.name,
        None => case.scenario.name(),
    };
    let (scenario, system) = (quoted(scenario), quoted(&case.system));
    let mut line = format!("{command} run {scenario} --system {system} --seed {seed}");
    if results.clock == Clock::Real {
        line.push_str(" --clock real");
    }
    for set in &case.set {
        line.push_str(&format!(" --set {}", quoted(&set.to_string())));
    }
    if let Some(strategy) = &case.strategy {
        line.push_str(&format!(" --strategy {}", strategy.name()));
    }
    line
}

/// A path as a shell takes it.
pub(crate) fn pasteable(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Two quantities as one, the unit once where both have the same: `0.012-0.040 s`.
pub(super) fn span(low: &str, high: &str) -> String {
    match (low.rsplit_once(' '), high.rsplit_once(' ')) {
        (Some((number, unit)), Some((_, same))) if unit == same && !number.contains(' ') => {
            format!("{number}-{high}")
        }
        _ if low == high => low.to_owned(),
        _ => format!("{low} - {high}"),
    }
}

/// What failed, case by case; each with the line that replays its first seed, once.
fn failures(cases: &[&CaseSummary], command: &str, style: Style) -> String {
    let mut text = String::new();
    for case in cases.iter().filter(|case| !case.passed()) {
        let title = format!("{} on {} fails", case.scenario, case.system);
        text.push_str(&format!("{}\n", style.bad(&title)));
        for missing in case.missing() {
            text.push_str(&format!("  {:<KIND$}{missing}\n", "sweep"));
        }
        let over_seeds = case.over_seeds();
        for broken in over_seeds.iter().filter(|j| j.standing == Standing::Broken) {
            // What it measured stands above.
            for (i, line) in wrap(&broken.threshold, 80 - 2 - KIND).iter().enumerate() {
                let kind = if i == 0 { "sweep" } else { "" };
                text.push_str(&format!("  {kind:<KIND$}{line}\n"));
            }
        }
        let mut replayed = None;
        for ((kind, name), group) in &case.failures {
            let what = format!("{name}: {}", group.message);
            for (i, line) in wrap(&what, 80 - 2 - KIND).iter().enumerate() {
                let kind = if i == 0 { kind.text() } else { "" };
                text.push_str(&format!("  {kind:<KIND$}{line}\n"));
            }
            if case.runs > 1 {
                let of = plural(case.runs, "seed");
                let (seeds, first) = (count(group.seeds), group.first_seed);
                text.push_str(&format!(
                    "  {:<KIND$}in {seeds} of {of}, first in seed {first}\n",
                    ""
                ));
            }
            if let Some(file) = group.seed_file.as_ref().filter(|file| replayed != Some(*file)) {
                replayed = Some(file);
                text.push_str(&format!("  {:<KIND$}{}\n", "replay", replay_line(command, file)));
            }
        }
        text.push('\n');
    }
    text
}

/// Room for the kind of a failure.
const KIND: usize = 11;

/// Columns as wide as their widest cell; numbers to the right. Columns without a heading are left out.
fn table(rows: &[Vec<String>], lead: impl Fn(usize) -> String) -> String {
    let shown: Vec<usize> =
        (0..rows[0].len()).filter(|column| !rows[0][*column].is_empty()).collect();
    let widths: Vec<usize> = shown
        .iter()
        .map(|column| rows.iter().map(|row| row[*column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = lead(number);
        for (column, width) in shown.iter().zip(&widths) {
            line.push_str("  ");
            let cell = &row[*column];
            // Names to the left, figures to the right.
            match column {
                0 | 1 => line.push_str(&format!("{cell:<width$}")),
                _ => line.push_str(&format!("{cell:>width$}")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
