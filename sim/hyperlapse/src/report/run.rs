//! One run, for a terminal of 80 columns.

use super::style::{Style, wrap};
use crate::decision::DecisionKind;
use crate::metrics::{LatencyRecord, OperationMetrics, Series};
use crate::record::Record;
use crate::suite::Finished;
use crate::threshold::Standing;
use crate::units::{bytes, count, milli, plural, plural_of, seconds};
use crate::verdict::FailureKind;

/// What of a run is shown beside what every build prints alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Heap bytes, which are those of one build.
    pub memory: bool,
    /// Colours.
    pub coloured: bool,
}

const LABEL: usize = 15;
const WIDTH: usize = 80;

/// Lines with a label in front of the first.
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, label: &str, text: &str) {
        let line = format!("  {label:<LABEL$}{text}");
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// Words, broken where a line is full.
    fn prose(&mut self, label: &str, text: &str) {
        for (i, line) in wrap(text, WIDTH - LABEL - 2).iter().enumerate() {
            self.line(if i == 0 { label } else { "" }, line);
        }
    }

    /// Cells side by side, as many as fit, the rest below.
    fn cells(&mut self, label: &str, cells: &[String]) {
        let mut label = label;
        let mut line = String::new();
        for cell in cells {
            let fits = 2 + LABEL + line.chars().count() + 3 + cell.chars().count() <= WIDTH;
            if !line.is_empty() && !fits {
                self.line(label, &line);
                (label, line) = ("", String::new());
            }
            if !line.is_empty() {
                line.push_str("   ");
            }
            line.push_str(cell);
        }
        self.line(label, &line);
    }
}

/// The report of one run. `workload` is the line that describes its load.
pub fn run(finished: &Finished, about: &str, workload: &str, detail: Detail) -> String {
    let (record, verdict) = (&finished.record, &finished.verdict);
    let style = Style { coloured: detail.coloured };
    let mut page = Page { text: String::new() };

    let title = format!("{}  on {}, seed {}", record.scenario, record.system, record.seed);
    page.text = format!("{}  {}\n", style.verdict(verdict.passed()), style.strong(&title));
    for line in wrap(about, WIDTH - 2).iter().filter(|line| !line.is_empty()) {
        page.text.push_str(&format!("  {line}\n"));
    }
    for (path, value) in &record.set {
        page.line("set", &format!("{path} = {value}"));
    }
    page.prose("load", workload);
    operations(&mut page, &plural_of(&record.operation), &record.metrics.operations, record);
    for (kind, operations) in &record.metrics.kinds {
        kind_of_user(&mut page, kind, operations);
    }
    over_time(&mut page, &record.metrics.series);
    if detail.memory {
        memory(&mut page, record);
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
    for failure in &verdict.failures {
        // Those of thresholds and properties stand in their lines already.
        if !matches!(failure.kind, FailureKind::Property | FailureKind::Threshold) {
            let text = format!("{}: {}", failure.name, failure.message);
            page.prose(failure.kind.text(), &text);
        }
    }
    page.text
}

fn operations(page: &mut Page, noun: &str, of: &OperationMetrics, record: &Record) {
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

fn kind_of_user(page: &mut Page, kind: &str, of: &OperationMetrics) {
    let mut cells = vec![format!("{} completed", count(of.completed))];
    if of.refused_total() > 0 {
        cells.push(format!("{} refused", count(of.refused_total())));
    }
    if of.response.count > 0 {
        cells.push(format!("mean {}", seconds(of.response.mean_ns)));
        cells.push(format!("p95 {}", seconds(of.response.p95_ns)));
    }
    page.cells(kind, &cells);
}

/// Completions over the load as a row of bars, when there is enough of it to see.
fn over_time(page: &mut Page, series: &Series) {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const COLUMNS: usize = 60;
    let points = &series.completed;
    if points.len() < 8 {
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

fn memory(page: &mut Page, record: &Record) {
    match &record.memory {
        None => page.line("memory", "not measured: CountingAllocator is not installed"),
        Some(memory) => page.cells(
            "memory",
            &[
                format!("before {}", bytes(memory.before)),
                format!("after {}", bytes(memory.after)),
                format!("peak {}", bytes(memory.peak)),
                format!("growth {}", bytes(memory.growth)),
            ],
        ),
    }
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
        match property.broken() {
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
            page.line("", &format!("      {measured}"));
        }
        label = "";
    }
}
