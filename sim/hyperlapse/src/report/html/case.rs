//! A scenario against a system: its figures, how it was judged, and tables of the rest.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::results::{CaseResults, Results, RunLine};
use super::super::svg::{Mark, Unit, histogram};
use super::Figure;
use super::over_time::{OverTime, memory, over_time};
use super::spread::{Spread, spread};
use super::story::{Story, stories};
use crate::decision::DecisionKind;
use crate::metrics::{CustomMetric, CustomValue, LatencyRecord, MetricUnit, OperationMetrics};
use crate::record::Record;
use crate::suite::Finished;
use crate::threshold::Standing;
use crate::units::{bytes, count, milli, plural, seconds};

/// What the template is given.
#[derive(Debug, Serialize)]
pub(super) struct Case<'a> {
    id: String,
    passed: bool,
    scenario: &'a str,
    system: &'a str,
    seeds: String,
    about: &'a str,
    load: String,
    set: Vec<String>,
    line: Line,
    figures: Vec<Figure>,
    stories: Vec<Story>,
    /// Of a sweep; then what follows is of one run.
    spread: Option<Spread>,
    seen: Vec<Seen>,
    /// Which run that is.
    whole: String,
    of_one: Vec<Figure>,
    /// Of a sweep: those over all its seeds.
    over_seeds: Vec<Threshold>,
    thresholds: Vec<Threshold>,
    properties: Vec<Property<'a>>,
    over_time: OverTime,
    distributions: Vec<String>,
    groups: Vec<Group<'a>>,
    tables: Vec<Table>,
    memory: Option<MemoryOfBuild>,
}

/// Its line in the table of contents.
#[derive(Debug, Serialize)]
struct Line {
    seeds: String,
    failed: String,
    completed: String,
    refused: String,
    p95: String,
    r#virtual: String,
}

#[derive(Debug, Serialize)]
struct Seen {
    name: String,
    times: String,
    runs: String,
    broken: String,
    bad: bool,
}

#[derive(Debug, Serialize)]
struct Threshold {
    class: &'static str,
    word: &'static str,
    threshold: String,
    measured: String,
    of_build: bool,
}

#[derive(Debug, Serialize)]
struct Property<'a> {
    passed: bool,
    name: &'a str,
    why: Option<String>,
    checks: String,
}

#[derive(Debug, Serialize)]
struct Group<'a> {
    name: &'a str,
    completed: String,
    refused: String,
    p50: String,
    p95: String,
    p99: String,
    max: String,
}

#[derive(Debug, Serialize)]
struct Table {
    name: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    value: String,
}

#[derive(Debug, Serialize)]
struct MemoryOfBuild {
    figures: Vec<Figure>,
    chart: Option<String>,
}

/// The case of this number.
pub(super) fn case(results: &Results, number: usize) -> Case<'_> {
    let of = &results.cases[number];
    let (case, scenario) = (&of.case, &of.case.scenario);
    let sweep = !results.single();
    // The first that failed says most.
    let failed = of.kept.values().find(|kept| !kept.finished.verdict.passed());
    let kept = failed.or_else(|| of.kept.values().next());
    let one = kept.map(|kept| &kept.finished);
    let record = one.map(|one| &one.record);
    let of_one = record.map_or_else(Vec::new, figures);
    let (figures, of_one) = if sweep { (of_sweep(of), of_one) } else { (of_one, Vec::new()) };
    let whole = record.map(|record| match failed {
        Some(_) => format!("Seed {}, the first that failed", record.seed),
        None => format!("Seed {}, the first", record.seed),
    });
    Case {
        id: super::id(number),
        passed: of.passed(),
        scenario: scenario.name(),
        system: &case.system,
        seeds: match sweep {
            true => plural(of.runs.len() as u64, "seed"),
            false => format!("seed {}", results.seeds.start),
        },
        about: scenario.about(),
        load: scenario.workload().describe(),
        set: case.set.iter().map(|set| format!("{} = {}", set.path, set.value)).collect(),
        line: line(of),
        figures,
        stories: stories(results, case),
        spread: sweep.then(|| spread(of)),
        seen: if sweep { seen(of) } else { Vec::new() },
        whole: whole.unwrap_or_default(),
        of_one,
        over_seeds: if sweep { over_seeds(of) } else { Vec::new() },
        thresholds: one.map_or_else(Vec::new, thresholds),
        properties: record.map_or_else(Vec::new, properties),
        over_time: record.map_or_else(OverTime::default, over_time),
        distributions: record.map_or_else(Vec::new, distributions),
        groups: record.map_or_else(Vec::new, groups),
        tables: record.map_or_else(Vec::new, tables),
        memory: record.and_then(memory_of_build),
    }
}

fn line(of: &CaseResults) -> Line {
    let sum = |of_run: &dyn Fn(&RunLine) -> u64| of.runs.iter().map(of_run).sum::<u64>();
    Line {
        seeds: count(of.runs.len() as u64),
        failed: count(sum(&|run| u64::from(!run.passed))),
        completed: count(sum(&|run| run.completed)),
        refused: count(sum(&|run| run.refused)),
        p95: p95(of),
        r#virtual: seconds(sum(&|run| run.virtual_ns)),
    }
}

/// That of the one run, or between which those of a sweep are.
fn p95(of: &CaseResults) -> String {
    let all = || of.runs.iter().filter(|run| run.completed > 0).map(|run| run.p95_ns);
    match (all().min(), all().max()) {
        (Some(low), Some(high)) if low == high => seconds(low),
        (Some(low), Some(high)) => super::super::summary::span(&seconds(low), &seconds(high)),
        _ => "-".to_owned(),
    }
}

fn figure(name: &'static str, value: String, more: impl Into<String>) -> Figure {
    Figure { name, value, more: more.into() }
}

fn of_sweep(of: &CaseResults) -> Vec<Figure> {
    let line = line(of);
    let failed = if line.failed == "0" {
        "none failed".to_owned()
    } else {
        format!("{} failed", line.failed)
    };
    vec![
        figure("seeds", line.seeds, failed),
        figure("completed", line.completed, "in all seeds"),
        figure("refused", line.refused, "in all seeds"),
        figure("response p95", line.p95, "least and most of a seed"),
        figure("virtual time", line.r#virtual, "in all seeds"),
    ]
}

fn figures(record: &Record) -> Vec<Figure> {
    let metrics = &record.metrics;
    let of = &metrics.operations;
    let reasons = |counts: &BTreeMap<String, u64>| {
        let reasons: Vec<_> =
            counts.iter().map(|(reason, n)| format!("{} {reason}", count(*n))).collect();
        reasons.join(", ")
    };
    let share = match of.accepted {
        0 => "none was accepted".to_owned(),
        accepted => {
            let share = u128::from(of.completed) * 100_000 / u128::from(accepted);
            format!("{} % of {} accepted", milli(share as u64), count(accepted))
        }
    };
    let mut figures = vec![
        figure("completed", count(of.completed), share),
        match of.refused_total() {
            0 => figure("refused", "0".to_owned(), format!("of {} asked", count(of.requested))),
            n => figure("refused", count(n), reasons(&of.refused)),
        },
    ];
    if of.failed_total() > 0 {
        figures.push(figure("failed", count(of.failed_total()), reasons(&of.failed)));
    }
    let more = [("abandoned", of.abandoned), ("cancelled", of.cancelled)];
    let more = more.into_iter().filter(|(_, n)| *n > 0);
    figures.extend(more.map(|(name, n)| figure(name, count(n), "")));
    if of.response.count > 0 {
        let times = &of.response;
        let more = format!("p50 {}, max {}", seconds(times.p50_ns), seconds(times.max_ns));
        figures.push(figure("response p95", seconds(times.p95_ns), more));
    }
    if let Some(rate) = metrics.throughput_milli() {
        let over = format!("over {}", seconds(metrics.duration_ns));
        figures.push(figure("throughput", format!("{} /s", milli(rate)), over));
    }
    let active = metrics.series.active.iter().copied().max().unwrap_or(0);
    let levels = || record.capacity.iter().map(|limit| limit.level);
    let limit = match (levels().min(), levels().max()) {
        (Some(low), Some(high)) if low == high => format!("the limit is {}", count(high)),
        (Some(low), Some(high)) => format!("the limit is {} to {}", count(low), count(high)),
        _ => String::new(),
    };
    figures.push(figure("most at one time", count(active), limit));
    if of.queue_wait.count > 0 {
        let more =
            format!("{} queued, max {}", count(of.queue_wait.count), seconds(of.queue_wait.max_ns));
        figures.push(figure("queue wait p95", seconds(of.queue_wait.p95_ns), more));
    }
    let iterations = &metrics.iterations;
    if iterations.dropped > 0 {
        figures.push(figure("dropped", count(iterations.dropped), "arrivals without a free user"));
    }
    if iterations.interrupted > 0 {
        figures.push(figure("interrupted", count(iterations.interrupted), "by the graceful stop"));
    }
    if iterations.start_delay.count > 0 {
        let delay = &iterations.start_delay;
        let more = format!("{} began late", plural(delay.count, "iteration"));
        figures.push(figure("start delay p95", seconds(delay.p95_ns), more));
    }
    figures
}

fn thresholds(of: &Finished) -> Vec<Threshold> {
    let thresholds = of.verdict.thresholds.iter();
    thresholds.map(|one| judged(&one.threshold, &one.measured, one.standing)).collect()
}

fn over_seeds(of: &CaseResults) -> Vec<Threshold> {
    let thresholds = of.summary.over_seeds().into_iter();
    thresholds.map(|one| judged(&one.threshold, &one.measured, one.standing)).collect()
}

fn judged(threshold: &str, measured: &str, standing: Standing) -> Threshold {
    let (class, word) = match standing {
        Standing::Held => ("good", "PASS"),
        Standing::Near => ("near", "NEAR"),
        Standing::Broken => ("bad", "FAIL"),
        Standing::NotJudged => ("quiet", "not judged"),
    };
    let of_build = threshold.starts_with("memory.");
    let (threshold, measured) = (threshold.to_owned(), measured.to_owned());
    Threshold { class, word, threshold, measured, of_build }
}

fn properties(record: &Record) -> Vec<Property<'_>> {
    let properties = record.properties.iter();
    properties
        .map(|(name, of)| {
            let why = of.broken();
            Property { passed: why.is_none(), name, why, checks: count(of.checked) }
        })
        .collect()
}

fn seen(of: &CaseResults) -> Vec<Seen> {
    let rows = of.summary.seen.rows();
    rows.map(|row| Seen {
        name: match row.broken {
            Some(_) => row.name.to_owned(),
            None => format!("fault {}", row.name),
        },
        times: count(row.times),
        runs: count(row.runs),
        broken: match row.broken {
            None => String::new(),
            Some((runs, None)) => count(runs),
            Some((runs, Some(first))) => format!("{}, first in seed {first}", count(runs)),
        },
        bad: row.broken.is_some_and(|(runs, _)| runs > 0),
    })
    .collect()
}

fn distributions(record: &Record) -> Vec<String> {
    let of = &record.metrics.operations;
    let mut charts = Vec::new();
    let mut add = |name: &str, of: &LatencyRecord| {
        if of.count == 0 {
            return;
        }
        let marks = [("p50", of.p50_ns), ("p95", of.p95_ns), ("p99", of.p99_ns)];
        let marks = marks.map(|(name, ns)| Mark { name, value: ns as i64 });
        let about = format!("{} of {}", plural(of.count, "measurement"), seconds(of.mean_ns));
        charts.push(histogram(name, &about, Unit::Time, &of.buckets, &marks));
    };
    add("Response times", &of.response);
    if of.service != of.response {
        add("Service times, from asking on", &of.service);
    }
    add("Queue waits", &of.queue_wait);
    add("Start delays", &record.metrics.iterations.start_delay);
    charts
}

fn groups<'a>(record: &'a Record) -> Vec<Group<'a>> {
    let metrics = &record.metrics;
    let time =
        |of: &LatencyRecord, ns: u64| if of.count == 0 { "-".to_owned() } else { seconds(ns) };
    let group = |(name, of): (&'a String, &'a OperationMetrics)| {
        let times = &of.response;
        Group {
            name,
            completed: count(of.completed),
            refused: count(of.refused_total()),
            p50: time(times, times.p50_ns),
            p95: time(times, times.p95_ns),
            p99: time(times, times.p99_ns),
            max: time(times, times.max_ns),
        }
    };
    metrics.kinds.iter().chain(&metrics.tags).map(group).collect()
}

fn tables(record: &Record) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut add = |name, rows: Vec<Row>| {
        if !rows.is_empty() {
            tables.push(Table { name, rows });
        }
    };
    let custom = record.metrics.custom.iter();
    add("Metrics of the scenario", custom.flat_map(|(name, of)| own(name, of)).collect());
    let faults = record.faults.iter().map(|(name, of)| Row {
        name: name.clone(),
        value: match of.visits {
            Some(visits) => format!("{} in {}", plural(of.struck, "time"), plural(visits, "visit")),
            None => plural(of.struck, "time"),
        },
    });
    add("Faults", faults.collect());
    let bends = DecisionKind::BENDS.iter().filter_map(|kind| {
        let times = *record.decisions_by_kind.get(kind.text())?;
        Some(Row { name: kind.text().to_owned(), value: plural(times, "time") })
    });
    add("Decisions", bends.collect());
    let panics = record.panics.iter().map(|panic| Row {
        name: format!("{}, {}", seconds(panic.at_ns), panic.actor),
        value: format!("{} at {}", panic.message, panic.location),
    });
    add("Panics", panics.collect());
    let time = &record.metrics.time;
    let all =
        u128::from(time.idle_ns) + u128::from(time.waiting_ns) + u128::from(time.operating_ns);
    let spent = [
        ("between operations", time.idle_ns),
        ("waiting to be accepted", time.waiting_ns),
        ("in an operation", time.operating_ns),
    ];
    let spent = spent.into_iter().filter(|(_, ns)| *ns > 0).map(|(name, ns)| {
        let share = u128::from(ns) * 100_000 / all.max(1);
        Row { name: name.to_owned(), value: format!("{} % ({})", milli(share as u64), seconds(ns)) }
    });
    add("What users spent their time with", spent.collect());
    tables
}

/// A metric of the user's own, and under it each of its tags; none of one that was never sampled.
fn own(name: &str, of: &CustomMetric) -> Vec<Row> {
    if !of.all.is_sampled() {
        return Vec::new();
    }
    let row = |name: String, value: &CustomValue| Row { name, value: told(value, of.unit) };
    let tags = of.by_tag.iter().map(|(tag, value)| row(format!("{name}{{{tag}}}"), value));
    std::iter::once(row(name.to_owned(), &of.all)).chain(tags).collect()
}

fn told(value: &CustomValue, unit: MetricUnit) -> String {
    let one = |n: i64| match unit {
        MetricUnit::Time if n < 0 => format!("-{}", seconds(n.unsigned_abs())),
        MetricUnit::Time => seconds(n.unsigned_abs()),
        MetricUnit::Bytes => bytes(n),
        MetricUnit::Count if n < 0 => format!("-{}", count(n.unsigned_abs())),
        MetricUnit::Count => count(n.unsigned_abs()),
    };
    let unsigned = |n: u64| one(i64::try_from(n).unwrap_or(i64::MAX));
    match value {
        CustomValue::Counter { total } => unsigned(*total),
        CustomValue::Gauge { last, min, max } => {
            format!("{} at the end, from {} to {}", one(*last), one(*min), one(*max))
        }
        CustomValue::Rate { yes, total } => {
            let share = u128::from(*yes) * 100_000 / u128::from(*total).max(1);
            format!("{} % ({} of {})", milli(share as u64), count(*yes), count(*total))
        }
        CustomValue::Trend(of) => format!(
            "p50 {}, p95 {}, p99 {}, max {}, {}",
            unsigned(of.p50),
            unsigned(of.p95),
            unsigned(of.p99),
            unsigned(of.max),
            plural(of.count, "value")
        ),
    }
}

fn memory_of_build(record: &Record) -> Option<MemoryOfBuild> {
    let of = record.memory.as_ref()?;
    let figures = vec![
        figure("before", bytes(of.before), ""),
        figure("after", bytes(of.after), ""),
        figure("peak", bytes(of.peak), ""),
        figure("growth", bytes(of.growth), ""),
        figure("allocations", count(of.allocations), ""),
    ];
    Some(MemoryOfBuild { figures, chart: memory(record) })
}
