//! What was measured of a run: operations, iterations, what users did, metrics of the user's own.

use super::page::Page;
use crate::clock::Clock;
use crate::metrics::{
    CustomMetric, CustomValue, Iterations, LatencyRecord, MetricUnit, OperationMetrics, Series,
    TimeSpent,
};
use crate::record::{Record, Spent};
use crate::units::{bytes, count, milli, plural, plural_of, seconds};

/// The load, from all of it to its parts.
pub(super) fn of_load(page: &mut Page, record: &Record) {
    let metrics = &record.metrics;
    operations(page, &plural_of(&record.operation), &metrics.operations, record);
    iterations(page, &metrics.iterations);
    time_spent(page, &metrics.time);
    for (which, operations) in metrics.kinds.iter().chain(&metrics.tags) {
        some(page, which, operations);
    }
    for (name, metric) in &metrics.custom {
        custom(page, name, metric, metrics.duration_ns);
    }
    over_time(page, &metrics.series);
}

fn operations(page: &mut Page, noun: &str, of: &OperationMetrics, record: &Record) {
    if of.requested == 0 {
        return page.line(noun, "none was asked for");
    }
    let mut cells = vec![
        format!("{} asked", count(of.requested)),
        format!("{} accepted", count(of.accepted)),
        format!("{} refused", count(of.refused_total())),
        match of.accepted {
            0 => format!("{} completed", count(of.completed)),
            accepted => {
                let share = u128::from(of.completed) * 100_000 / u128::from(accepted);
                format!("{} completed ({} %)", count(of.completed), milli(share as u64))
            }
        },
    ];
    let more =
        [("failed", of.failed_total()), ("abandoned", of.abandoned), ("cancelled", of.cancelled)];
    cells.extend(
        more.iter().filter(|(_, n)| *n > 0).map(|(what, n)| format!("{} {what}", count(*n))),
    );
    page.cells(noun, &cells);
    reasons(page, "refused", &of.refused);
    reasons(page, "failed", &of.failed);
    latency(page, "response", &of.response, "nothing completed");
    if of.service != of.response {
        latency(page, "service", &of.service, "nothing completed");
    }
    latency(page, "queue wait", &of.queue_wait, "nobody queued");
    let metrics = &record.metrics;
    let duration = seconds(metrics.duration_ns);
    match metrics.throughput_milli() {
        None => page.line("throughput", "the load took no time"),
        Some(rate) => {
            let what = format!("{} /s   {} in {duration}", milli(rate), count(of.completed));
            page.line("throughput", &what);
        }
    }
}

fn reasons(page: &mut Page, label: &str, counts: &std::collections::BTreeMap<String, u64>) {
    if !counts.is_empty() {
        let cells: Vec<String> =
            counts.iter().map(|(reason, n)| format!("{} {reason}", count(*n))).collect();
        page.cells(label, &cells);
    }
}

fn latency(page: &mut Page, label: &str, of: &LatencyRecord, nothing: &str) {
    if of.count == 0 {
        return page.line(label, nothing);
    }
    page.cells(
        label,
        &[
            format!("p50 {}", seconds(of.p50_ns)),
            format!("p95 {}", seconds(of.p95_ns)),
            format!("p99 {}", seconds(of.p99_ns)),
        ],
    );
    page.cells(
        "",
        &[
            format!("min {}", seconds(of.min_ns)),
            format!("mean {}", seconds(of.mean_ns)),
            format!("max {}", seconds(of.max_ns)),
            format!("count {}", count(of.count)),
        ],
    );
}

/// The operations of one kind of user, or with one tag.
fn some(page: &mut Page, which: &str, of: &OperationMetrics) {
    let mut cells = vec![format!("{} completed", count(of.completed))];
    if of.refused_total() > 0 {
        cells.push(format!("{} refused", count(of.refused_total())));
    }
    if of.response.count > 0 {
        cells.push(format!("mean {}", seconds(of.response.mean_ns)));
        cells.push(format!("p95 {}", seconds(of.response.p95_ns)));
    }
    page.cells(which, &cells);
}

/// Completions over the load as a row of bars, when there is enough of it to see.
fn over_time(page: &mut Page, series: &Series) {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const COLUMNS: usize = 60;
    /// What is shorter is told by its figures.
    const LONG_NS: u64 = 8_000_000_000;
    let points = &series.completed;
    let long_ns = (points.len() as u64).saturating_mul(series.step_ns);
    if points.len() < 8 || long_ns < LONG_NS || points.iter().all(|n| *n == 0) {
        return;
    }
    let per_column = points.len().div_ceil(COLUMNS);
    let sums: Vec<u64> = points.chunks_exact(per_column).map(|chunk| chunk.iter().sum()).collect();
    let top = sums.iter().copied().max().unwrap_or(0).max(1);
    let bar = |sum: &u64| if *sum == 0 { ' ' } else { BARS[(*sum * 7).div_ceil(top) as usize] };
    page.line("over time", &sums.iter().map(bar).collect::<String>());
    let step = seconds(series.step_ns * per_column as u64);
    page.line("", &format!("completed in each {step}, at most {}", count(top)));
}

/// Only what an operation does not tell: who came late, or not at all, or was cut off.
fn iterations(page: &mut Page, of: &Iterations) {
    if of.interrupted + of.dropped + of.start_delay.count == 0 {
        return;
    }
    let mut cells = vec![format!("{} begun", count(of.started))];
    let more = [
        (of.start_delay.count, "late"),
        (of.dropped, "dropped: no user was free"),
        (of.interrupted, "interrupted"),
    ];
    let more = more.iter().filter(|(n, _)| *n > 0);
    cells.extend(more.map(|(n, what)| format!("{} {what}", count(*n))));
    page.cells("iterations", &cells);
    if of.start_delay.count > 0 {
        latency(page, "start delay", &of.start_delay, "nobody was late");
    }
}

fn time_spent(page: &mut Page, of: &TimeSpent) {
    let parts = [
        (of.operating_ns, "in operations"),
        (of.waiting_ns, "waiting to be accepted"),
        (of.idle_ns, "between operations"),
    ];
    let all: u128 = parts.iter().map(|(ns, _)| u128::from(*ns)).sum();
    let share = |ns: u64| milli((u128::from(ns) * 100_000 / all) as u64);
    let parts = parts.iter().filter(|(ns, _)| *ns > 0);
    // That users did one thing all the time is what their operations say already.
    if parts.clone().count() < 2 {
        return;
    }
    let cells: Vec<String> = parts.map(|(ns, what)| format!("{} % {what}", share(*ns))).collect();
    page.cells("users' time", &cells);
}

/// A metric of the user's own, and below it what it came to with each tag.
fn custom(page: &mut Page, name: &str, metric: &CustomMetric, duration_ns: u64) {
    let Some(mut cells) = values(&metric.all, metric.unit) else { return };
    if let (CustomValue::Counter { total }, 1..) = (&metric.all, duration_ns) {
        let rate = u128::from(*total) * 1_000_000_000_000 / u128::from(duration_ns);
        let rate = u64::try_from(rate).unwrap_or(u64::MAX);
        cells.push(match metric.unit {
            MetricUnit::Count => format!("{} /s", milli(rate)),
            MetricUnit::Bytes => format!("{} /s", bytes((rate / 1_000) as i64)),
            MetricUnit::Time => format!("{} in each second", seconds(rate / 1_000)),
        });
    }
    page.cells(name, &cells);
    for (tag, value) in &metric.by_tag {
        if let Some(mut cells) = values(value, metric.unit) {
            cells[0].insert_str(0, &format!("{tag}: "));
            page.cells("", &cells);
        }
    }
}

/// `None` when it was never sampled.
fn values(value: &CustomValue, unit: MetricUnit) -> Option<Vec<String>> {
    let show = |n: i64| match unit {
        MetricUnit::Time if n < 0 => format!("-{}", seconds(n.unsigned_abs())),
        MetricUnit::Time => seconds(n.unsigned_abs()),
        MetricUnit::Bytes => bytes(n),
        MetricUnit::Count if n < 0 => format!("-{}", count(n.unsigned_abs())),
        MetricUnit::Count => count(n.unsigned_abs()),
    };
    let of = |n: u64| show(i64::try_from(n).unwrap_or(i64::MAX));
    value.is_sampled().then(|| match value {
        CustomValue::Counter { total } => vec![of(*total)],
        CustomValue::Gauge { last, min, max } => vec![
            format!("last {}", show(*last)),
            format!("min {}", show(*min)),
            format!("max {}", show(*max)),
        ],
        CustomValue::Rate { yes, total } => {
            let share = u128::from(*yes) * 100_000 / u128::from(*total);
            vec![
                format!("{} %", milli(share as u64)),
                format!("{} of {}", count(*yes), count(*total)),
            ]
        }
        CustomValue::Trend(trend) => vec![
            format!("mean {}", of(trend.mean)),
            format!("p95 {}", of(trend.p95)),
            format!("max {}", of(trend.max)),
            plural(trend.count, "time"),
        ],
    })
}

/// What the process under test took, and what a run on the real clock is.
pub(super) fn of_process(page: &mut Page, record: &Record, spent: &Spent) {
    let known = |ns: Option<u64>| ns.map_or_else(|| "not told".to_owned(), seconds);
    let mut cells = vec![
        format!("CPU {}", known(spent.cpu_ns())),
        format!("user {}", known(spent.cpu_user_ns)),
        format!("system {}", known(spent.cpu_system_ns)),
    ];
    let completed = record.metrics.operations.completed;
    if let Some(each) = spent.cpu_ns().and_then(|ns| ns.checked_div(completed)) {
        cells.push(format!("{} for each completed {}", seconds(each), record.operation));
    }
    let peak = spent.peak_rss_bytes.and_then(|bytes| i64::try_from(bytes).ok());
    cells.push(format!("peak RSS {}", peak.map_or_else(|| "not told".to_owned(), bytes)));
    cells.push(match spent.other_process {
        true => "of the system's own process".to_owned(),
        false => "of this process, users included".to_owned(),
    });
    page.cells("process", &cells);
    let late =
        [("p50", spent.timers.p50_ns), ("p99", spent.timers.p99_ns), ("max", spent.timers.max_ns)];
    page.cells("timers late", &late.map(|(which, ns)| format!("{which} {}", seconds(ns))));
    page.prose(
        "clock",
        "real: nothing here is reproducible. Another run comes to other figures, and its seed \
         repeats what users do but not when",
    );
}

/// Heap bytes; on the real clock resident memory.
pub(super) fn of_memory(page: &mut Page, record: &Record) {
    match &record.memory {
        None if record.clock == Clock::Real => {
            page.line("memory", "not measured: the platform does not tell");
        }
        None => page.line("memory", "not measured: CountingAllocator is not installed"),
        Some(memory) => page.cells(
            if record.clock == Clock::Real { "resident" } else { "memory" },
            &[
                format!("before {}", bytes(memory.before)),
                format!("after {}", bytes(memory.after)),
                format!("peak {}", bytes(memory.peak)),
                format!("growth {}", bytes(memory.growth)),
            ],
        ),
    }
}
