//! What every report of a comparison says alike: titles, cells, and the sentences around them.

use crate::compare::{
    Case, CaseComparison, Comparison, Evidence, FailureChange, History, MetricChange, Side,
    Standing, Step, Trend, is_informational, show, show_change,
};
use crate::report::summary::span;
use crate::unit::Unit;
use crate::units::{count, milli, plural};

/// What a case comes to, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Worse,
    Moved,
    Same,
}

impl Mark {
    pub(super) fn of(case: &CaseComparison) -> Self {
        if case.regressed() {
            return Mark::Worse;
        }
        let changed = case.failures.iter().any(|failure| failure.better);
        let told = case.metrics.iter().any(is_told) || !case.one_sided.is_empty();
        if changed || told { Mark::Moved } else { Mark::Same }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Mark::Worse => "FAIL",
            Mark::Moved => "MOVED",
            Mark::Same => "SAME",
        }
    }
}

/// Whether a metric has a line of its own where not all of them are told.
pub(super) fn is_told(metric: &MetricChange) -> bool {
    match metric.standing {
        Standing::Regression => true,
        Standing::Same | Standing::WithinSpread => false,
        // What a tolerance names is told; else they stand in a line of their own.
        _ => !is_informational(&metric.name) || metric.tolerance.is_some(),
    }
}

pub(super) fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Regression => "FAIL",
        Standing::Worse => "worse",
        Standing::Better => "better",
        Standing::Moved => "moved",
        Standing::WithinSpread => "spread",
        Standing::Same => "same",
    }
}

/// `manager with workload.users=70`.
fn side(case: &Case) -> String {
    let set: Vec<String> = case.set.iter().map(|(path, value)| format!("{path}={value}")).collect();
    let set = if set.is_empty() { String::new() } else { format!(" with {}", set.join(", ")) };
    format!("{}{set}", case.system)
}

/// `queue on manager`, with what was set.
pub(super) fn case(case: &Case) -> String {
    format!("{} on {}", case.scenario, side(case))
}

/// Scenario, system where it is the same, and seeds.
pub(super) fn title(of: &CaseComparison) -> String {
    let seeds = match (of.pairs, of.base_seeds, of.new_seeds) {
        (Some(1), base, new) => {
            format!("seed {}", if base.count == 1 { base.first } else { new.first })
        }
        (Some(pairs), ..) => format!("{} in pairs", plural(pairs, "seed")),
        (None, base, new) if (base.count, new.count) == (1, 1) => {
            format!("seed {} against seed {}", base.first, new.first)
        }
        (None, base, new) => {
            format!("{} against {} others", plural(base.count, "seed"), count(new.count))
        }
    };
    match of.base == of.new {
        true => format!("{}, {seeds}", case(&of.base)),
        false => format!("{}, {seeds}", of.base.scenario),
    }
}

/// Where the two sides are not the same system or setting: which they are.
pub(super) fn sides(of: &CaseComparison) -> Option<String> {
    (of.base != of.new).then(|| format!("{}, now {}", side(&of.base), side(&of.new)))
}

/// Why nothing is told of a case.
pub(super) fn why_same(of: &CaseComparison) -> String {
    if of.is_same() {
        let what = match of.pairs {
            Some(1) | None => "the same run".to_owned(),
            Some(pairs) => format!("the same {}", plural(pairs, "run")),
        };
        return format!("{what}, event by event");
    }
    let within = of.metrics.iter().any(|metric| metric.standing == Standing::WithinSpread);
    if within {
        "no more than seeds differ".to_owned()
    } else {
        "other events, the same figures".to_owned()
    }
}

/// Where something differs though the events are the same, it was measured otherwise.
pub(super) fn measured_otherwise(of: &CaseComparison) -> Option<&'static str> {
    let moved = |metric: &MetricChange| {
        metric.standing != Standing::Same && !is_informational(&metric.name)
    };
    (of.pairs == Some(of.same_runs) && of.metrics.iter().any(moved))
        .then_some("the events are the same: what differs was measured or judged in another way")
}

/// What became of a promise: `now fails`, and the rest of the sentence.
pub(super) fn failure(of: &FailureChange, case: &CaseComparison) -> (&'static str, String) {
    let what = format!("{} {}", of.kind.text(), of.name);
    let (base_runs, new_runs) = match case.pairs {
        Some(pairs) => (pairs, pairs),
        None => (case.base_seeds.count, case.new_seeds.count),
    };
    let label = match (of.base, of.new) {
        (0, _) => "now fails",
        (_, 0) => "now holds",
        _ if of.worse => "fails more",
        _ if of.better => "fails less",
        _ => "still fails",
    };
    let mut text = what;
    if of.new > 0 {
        text.push_str(&format!(": {}", of.message));
    }
    if (base_runs, new_runs) != (1, 1) {
        let of_new = format!("{} of {}", count(of.new), plural(new_runs, "seed"));
        let of_base = match base_runs == new_runs {
            true => count(of.base),
            false => format!("{} of {}", count(of.base), count(base_runs)),
        };
        let first =
            if of.new > 0 { format!(", first in seed {}", of.first_seed) } else { String::new() };
        text.push_str(&format!("; in {of_new}, before in {of_base}{first}"));
    }
    (label, text)
}

/// `+11.8 %` of what it was; nothing where it was nothing.
pub(super) fn percent(change: i64, base: i64) -> String {
    if base == 0 || change == 0 {
        return String::new();
    }
    let (change, base) = (i128::from(change), i128::from(base).abs());
    let thousandths = change.unsigned_abs() * 100_000 / base.unsigned_abs();
    let sign = if change < 0 { "-" } else { "+" };
    match thousandths {
        0..50 => format!("{sign}<0.1 %"),
        _ => format!("{sign}{} %", milli(u64::try_from(thousandths).unwrap_or(u64::MAX - 50))),
    }
}

/// The cells of a metric: what it was, what it is, by how much it moved.
pub(super) fn cells(of: &MetricChange) -> [String; 4] {
    // Of a share, percent would be a share of a share.
    let percent = match of.unit {
        Unit::Share => String::new(),
        _ => percent(of.change, of.base.median),
    };
    let change = match of.change {
        0 => "-".to_owned(),
        change => show_change(of.unit, change),
    };
    [show(of.unit, of.base.median), show(of.unit, of.new.median), change, percent]
}

/// What the seeds say, where there are several.
pub(super) fn seeds(of: &MetricChange) -> Option<String> {
    if (of.base.seeds, of.new.seeds) == (1, 1) {
        return None;
    }
    let range = |low, high| {
        let (low, high) = (show(of.unit, low), show(of.unit, high));
        if low == high { low } else { span(&low, &high) }
    };
    let (before, now) = (range(of.base.min, of.base.max), range(of.new.min, of.new.max));
    let (said, ppm) = match of.evidence {
        Evidence::Pairs { up: 0, down: 0, .. } => return None,
        Evidence::Pairs { up, down, same, chance_ppm } => {
            let (way, n) = if up >= down { ("up", up) } else { ("down", down) };
            (format!("{way} in {} of {}", count(n), count(up + down + same)), chance_ppm)
        }
        Evidence::Ranks { apart: true, chance_ppm } => ("apart".to_owned(), chance_ppm),
        Evidence::Ranks { apart: false, chance_ppm } => ("overlapping".to_owned(), chance_ppm),
    };
    Some(format!("{before}, now {now}; {said}{}", ppm.map(chance).unwrap_or_default()))
}

/// The chance that it is none, in four decimals.
fn chance(ppm: u64) -> String {
    match ppm {
        0..100 => ", p < 0.0001".to_owned(),
        1_000_000.. => ", p = 1".to_owned(),
        _ => format!(", p = 0.{:04}", ppm / 100),
    }
}

/// What belongs to a build or a machine: told beside the rest, in a line each.
pub(super) fn beside(of: &CaseComparison, host: bool) -> Vec<(&'static str, Vec<String>)> {
    let of_group = |group: &'static str| {
        let prefix = format!("{group}.");
        let cells = of.metrics.iter().filter_map(|metric| {
            let name = metric.name.strip_prefix(&prefix)?;
            let [base, new, _, percent] = cells(metric);
            let changed = metric.change != 0 && !is_told(metric);
            changed.then(|| match percent.is_empty() {
                true => format!("{name} {base} -> {new}"),
                false => format!("{name} {base} -> {new} ({percent})"),
            })
        });
        (group, cells.collect::<Vec<_>>())
    };
    let groups = [Some(of_group("memory")), host.then(|| of_group("host"))];
    groups.into_iter().flatten().filter(|(_, cells)| !cells.is_empty()).collect()
}

/// How many metrics are not told, and why.
pub(super) fn untold(of: &CaseComparison) -> Option<String> {
    let rest = of.metrics.iter().filter(|m| !is_informational(&m.name) && !is_told(m));
    let (within, same): (Vec<_>, Vec<_>) = rest.partition(|m| m.standing == Standing::WithinSpread);
    let within = match within.len() as u64 {
        0 => None,
        n => Some(format!("{} moved no more than seeds differ", plural(n, "metric"))),
    };
    let same = match same.len() as u64 {
        0 => None,
        1 => Some("1 is as it was".to_owned()),
        n => Some(format!("{} are as they were", count(n))),
    };
    let both: Vec<String> = [within, same].into_iter().flatten().collect();
    (!both.is_empty()).then(|| both.join(", "))
}

/// What only one side has, of a case.
pub(super) fn one_sided(of: &CaseComparison) -> Vec<(&'static str, String)> {
    of.one_sided
        .iter()
        .map(|metric| {
            let value = show(metric.unit, metric.values.median);
            match metric.side {
                Side::Base if metric.missed => {
                    ("FAIL", format!("{}: {value}, now not measured", metric.name))
                }
                Side::Base => ("gone", format!("{}: {value}", metric.name)),
                Side::New => ("new", format!("{}: {value}", metric.name)),
            }
        })
        .collect()
}

/// What only one side has, of all: a word, and which cases.
pub(super) fn one_sided_cases(of: &Comparison) -> Vec<(&'static str, String)> {
    let of_side = |side: Side| {
        let cases = of.one_sided.iter().filter(|(of, _)| *of == side);
        cases.map(|(_, name)| case(name)).collect::<Vec<_>>().join(", ")
    };
    let mut lines = vec![
        ("gone", of_side(Side::Base)),
        ("new", of_side(Side::New)),
        (
            "unused",
            of.without_runs
                .iter()
                .map(|of| format!("tolerances for {of}"))
                .collect::<Vec<_>>()
                .join(", "),
        ),
    ];
    lines.retain(|(_, cases)| !cases.is_empty());
    lines
}

/// The last line: how many of what.
pub(super) fn sum(of: &Comparison) -> String {
    let with = |mark| of.cases.iter().filter(|case| Mark::of(case) == mark).count() as u64;
    let (worse, moved, same) = (with(Mark::Worse), with(Mark::Moved), with(Mark::Same));
    let mut parts = vec![match worse {
        0 => "none regressed".to_owned(),
        _ => format!("{} regressed", count(worse)),
    }];
    if moved > 0 {
        parts.push(format!("{} moved", count(moved)));
    }
    if same > 0 {
        parts.push(format!("{} as before", count(same)));
    }
    format!("{} compared: {}", plural(of.cases.len() as u64, "scenario"), parts.join(", "))
}

/// What is not judged, if that is so.
pub(super) fn unjudged(of: &Comparison) -> Option<&'static str> {
    (!of.with_tolerances).then_some("no tolerance was given: only new failures are regressions")
}

/// Medians as bars, at most so many of the newest; a file without it is a gap.
pub(super) fn sparkline(of: &Trend, most: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (least, top) = (of.medians().min().unwrap_or(0), of.medians().max().unwrap_or(0));
    let from = of.points.len().saturating_sub(most);
    let bar = |point: &Option<crate::compare::Spread>| match point {
        None => ' ',
        Some(_) if least == top => BARS[0],
        Some(spread) => {
            let above = i128::from(spread.median) - i128::from(least);
            let span = i128::from(top) - i128::from(least);
            BARS[(above * 7 / span) as usize]
        }
    };
    of.points[from..].iter().map(bar).collect()
}

/// First, last, least and most.
pub(super) fn trend(of: &Trend) -> [String; 4] {
    let show = |value: Option<i64>| value.map_or("-".to_owned(), |value| show(of.unit, value));
    [
        show(of.medians().next()),
        show(of.medians().last()),
        show(of.medians().min()),
        show(of.medians().max()),
    ]
}

/// A step, in words.
pub(super) fn step(of: &Trend, step: &Step, history: &History) -> String {
    let percent = match (of.unit, percent(step.change, step.from)) {
        (Unit::Share, _) => String::new(),
        (_, percent) if percent.is_empty() => String::new(),
        (_, percent) => format!(" ({percent})"),
    };
    let judged = match step.standing {
        Standing::Moved => String::new(),
        Standing::Regression => ", worse than it may".to_owned(),
        other => format!(", {}", standing(other)),
    };
    format!(
        "{}{percent} in {}{judged}",
        show_change(of.unit, step.change),
        history.files[step.file]
    )
}
