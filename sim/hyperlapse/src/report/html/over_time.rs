//! Charts of one run over virtual time: all of them on one axis, from the start of the load to its end.

use serde::Serialize;

use super::super::svg::{Axis, Chart, POINTS, Rug, Series as Row, Unit, bars, lines, steps};
use crate::metrics::{CustomValue, MetricUnit, Metrics, Series};
use crate::record::Record;
use crate::units::{count, plural_of, seconds};

/// At most so many points of a rate.
const RATES: usize = 30;

/// The charts of a run.
#[derive(Debug, Default, Serialize)]
pub(super) struct OverTime {
    /// What a point stands for.
    step: String,
    pub(super) charts: Vec<String>,
}

/// A series in so few points that a chart can hold them.
struct Drawn<'a> {
    series: &'a Series,
    metrics: &'a Metrics,
    /// How many steps are joined to one.
    join: usize,
    width_ns: i64,
    to_ns: i64,
    rugs: Vec<Rug<'static>>,
}

type Points = Vec<(i64, i64)>;

impl<'a> Drawn<'a> {
    /// `None` when the load took no time, so that there is no axis to draw on.
    fn new(metrics: &'a Metrics, points: usize) -> Option<Self> {
        let series = &metrics.series;
        let join = series.active.len().div_ceil(points).max(1);
        let mut drawn = Self {
            series,
            metrics,
            join,
            width_ns: series.step_ns as i64 * join as i64,
            to_ns: metrics.duration_ns as i64,
            rugs: Vec::new(),
        };
        drawn.rugs = [
            ("faults", "near", &series.faults, false),
            ("decisions", "decision", &series.decisions, false),
            ("violations", "bad", &series.violations, true),
        ]
        .into_iter()
        .map(|(name, class, of, through)| {
            let spans = drawn.sums(of).into_iter().filter(|(_, times)| *times > 0);
            let spans = spans.map(|(at, times)| (at, at + drawn.width_ns, times as u64)).collect();
            Rug { name, class, spans, through }
        })
        .collect();
        (metrics.duration_ns > 0 && !series.active.is_empty()).then_some(drawn)
    }

    fn joined(&self, of: &[u64], both: impl Fn(u64, u64) -> u64) -> Points {
        let joined = of.chunks(self.join).enumerate();
        let value = |chunk: &[u64]| chunk.iter().copied().reduce(&both).unwrap_or(0);
        joined
            .map(|(n, chunk)| {
                (n as i64 * self.width_ns, i64::try_from(value(chunk)).unwrap_or(i64::MAX))
            })
            .collect()
    }

    fn sums(&self, of: &[u64]) -> Points {
        self.joined(of, u64::saturating_add)
    }

    fn most(&self, of: &[u64]) -> Points {
        self.joined(of, u64::max)
    }

    /// The most of each, in the middle of its step; nothing where it is 0: nothing was measured there.
    fn measured(&self, of: &[u64]) -> Points {
        let points = self.most(of).into_iter().filter(|(_, value)| *value > 0);
        points.map(|(at, value)| (self.middle(at), value)).collect()
    }

    /// The last step ends with the load.
    fn middle(&self, at: i64) -> i64 {
        at + self.width_ns.min(self.to_ns - at) / 2
    }

    /// How long the step from `at` is, for a rate. What ends with the load at the very beginning of a step would
    /// have an endless one: the last step counts for what is left of it only where that is half of it at least.
    fn length(&self, at: i64) -> i64 {
        let left = self.width_ns.min(self.to_ns - at);
        if left * 2 >= self.width_ns { left } else { self.width_ns }
    }

    /// Thousandths per second.
    fn rate(&self, of: &[u64]) -> Points {
        let rate = |(at, n): (i64, i64)| {
            let per = i128::from(n) * 1_000_000_000_000 / i128::from(self.length(at));
            (self.middle(at), i64::try_from(per).unwrap_or(i64::MAX))
        };
        self.sums(of).into_iter().map(rate).collect()
    }

    fn chart<'b>(&'b self, name: &'b str, about: &'b str, y: Axis<'b>) -> Chart<'b> {
        Chart { name, about, x: Axis::new(Unit::Time, 0, self.to_ns), y, rugs: &self.rugs }
    }
}

fn values(points: &[(i64, i64)]) -> impl Iterator<Item = i64> + '_ {
    points.iter().map(|(_, value)| *value)
}

fn top(points: &[(i64, i64)]) -> i64 {
    values(points).max().unwrap_or(0)
}

/// All charts of a run, but for that of its memory.
pub(super) fn over_time(record: &Record) -> OverTime {
    let Some(drawn) = Drawn::new(&record.metrics, POINTS) else { return OverTime::default() };
    let joined = match drawn.join {
        1 => format!("in steps of {}", seconds(drawn.width_ns as u64)),
        join => format!(
            "in steps of {}: counts are added up, of levels and percentiles the highest of {join} is shown",
            seconds(drawn.width_ns as u64)
        ),
    };
    let mut charts = vec![active(&drawn, record), starts(&drawn, record)];
    charts.extend(throughput(record));
    charts.extend(response(&drawn));
    charts.extend(queue(&drawn));
    charts.extend(users(&drawn));
    charts.extend(own(&drawn, record));
    OverTime { step: joined, charts }
}

fn active(drawn: &Drawn<'_>, record: &Record) -> String {
    let points = drawn.most(&drawn.series.active);
    let limit: Points =
        record.capacity.iter().map(|limit| (limit.at_ns as i64, limit.level as i64)).collect();
    // A limit far above would press the curve flat.
    let high = limit.iter().map(|(_, level)| *level).max().unwrap_or(0);
    let seen = high <= top(&points).max(1).saturating_mul(8);
    let (drawn_limit, name) = match (limit.last(), seen) {
        (None, _) => (&[][..], format!("Active {}", plural_of(&record.operation))),
        (Some(_), true) => {
            (&limit[..], format!("Active {} against the limit", plural_of(&record.operation)))
        }
        (Some((_, level)), false) => (
            &[][..],
            format!(
                "Active {}, far below the limit of {}",
                plural_of(&record.operation),
                count(*level as u64)
            ),
        ),
    };
    let about = format!("at most {} at one time", count(top(&points) as u64));
    let y = Axis::up_to(Unit::Count, values(&points).chain(values(drawn_limit)));
    let series = [Row { name: "active", class: "c0", points: &points }];
    steps(&drawn.chart(&name, &about, y), &series, drawn_limit)
}

fn starts(drawn: &Drawn<'_>, record: &Record) -> String {
    let Series { accepted, refused, dropped, .. } = drawn.series;
    let operations = &record.metrics.operations;
    let (accepted, refused, dropped) =
        (drawn.sums(accepted), drawn.sums(refused), drawn.sums(dropped));
    let mut series = vec![Row { name: "accepted", class: "c0", points: &accepted }];
    let mut name = "Starts".to_owned();
    if operations.refused_total() > 0 {
        series.push(Row { name: "refused", class: "c1", points: &refused });
        name = "Starts and refusals".to_owned();
    }
    if record.metrics.iterations.dropped > 0 {
        series.push(Row { name: "dropped", class: "quiet", points: &dropped });
        name.push_str(", arrivals that found no free user");
    }
    let sums = (0..accepted.len()).map(|n| series.iter().map(|row| row.points[n].1).sum::<i64>());
    let y = Axis::up_to(Unit::Count, sums);
    let about = format!(
        "{} accepted, {} refused",
        count(operations.accepted),
        count(operations.refused_total())
    );
    bars(&drawn.chart(&name, &about, y), &series, drawn.width_ns)
}

/// In few steps: a rate over some milliseconds says only when somebody happened to end.
fn throughput(record: &Record) -> Option<String> {
    let drawn = Drawn::new(&record.metrics, RATES)?;
    let points = drawn.rate(&drawn.series.completed);
    let y = Axis::up_to(Unit::Rate, values(&points));
    let name =
        format!("Throughput: completed per second, over {} each", seconds(drawn.width_ns as u64));
    let chart = drawn.chart(&name, "", y);
    Some(lines(&chart, &[Row { name: "throughput", class: "c3", points: &points }], None, None))
}

fn response(drawn: &Drawn<'_>) -> Option<String> {
    let series = drawn.series;
    let columns = [
        ("p50", "c0", &series.response_p50_ns),
        ("p95", "c1", &series.response_p95_ns),
        ("p99", "c2 dashed", &series.response_p99_ns),
        ("max", "quiet dotted", &series.response_max_ns),
    ];
    let points: Vec<Points> = columns.iter().map(|(.., of)| drawn.measured(of)).collect();
    let most = points.iter().flat_map(|points| values(points)).max()?;
    let rows: Vec<_> = columns
        .iter()
        .zip(&points)
        .map(|((name, class, _), points)| Row { name, class, points })
        .collect();
    let y = Axis::up_to(Unit::Time, [most]);
    let about = format!("at most {}", seconds(most as u64));
    Some(lines(&drawn.chart("Response time", &about, y), &rows, None, None))
}

fn queue(drawn: &Drawn<'_>) -> Vec<String> {
    let waiting = drawn.most(&drawn.series.waiting);
    let waits = drawn.measured(&drawn.series.queue_wait_p95_ns);
    if drawn.metrics.operations.queue_wait.count == 0 {
        return Vec::new();
    }
    let mut charts = Vec::new();
    let y = Axis::up_to(Unit::Count, values(&waiting));
    let chart = drawn.chart("Waiting to be accepted", "", y);
    charts.push(steps(&chart, &[Row { name: "waiting", class: "c4", points: &waiting }], &[]));
    if !waits.is_empty() {
        let y = Axis::up_to(Unit::Time, values(&waits));
        let chart = drawn.chart("Queue wait, p95", "", y);
        charts.push(lines(&chart, &[Row { name: "p95", class: "c4", points: &waits }], None, None));
    }
    charts
}

/// Only where their number tells something.
fn users(drawn: &Drawn<'_>) -> Option<String> {
    let points = drawn.most(&drawn.series.users);
    let first = points.first()?.1;
    let inner = &points[..points.len() - 1];
    inner.iter().any(|(_, users)| *users != first).then(|| {
        let y = Axis::up_to(Unit::Count, values(&points));
        let chart = drawn.chart("Virtual users", "", y);
        steps(&chart, &[Row { name: "users", class: "c5", points: &points }], &[])
    })
}

/// Metrics of the user's own.
fn own(drawn: &Drawn<'_>, record: &Record) -> Vec<String> {
    let column = |name: &str| drawn.series.custom.get(name);
    let mut charts = Vec::new();
    for (name, metric) in &record.metrics.custom {
        let unit = match metric.unit {
            MetricUnit::Time => Unit::Time,
            MetricUnit::Bytes => Unit::Bytes,
            _ => Unit::Count,
        };
        match &metric.all {
            CustomValue::Counter { .. } => {
                let Some(of) = column(name) else { continue };
                let points = drawn.sums(of);
                let title = format!("{name}, in each step");
                let y = Axis::up_to(unit, values(&points));
                let row = Row { name, class: "c3", points: &points };
                charts.push(bars(&drawn.chart(&title, "", y), &[row], drawn.width_ns));
            }
            CustomValue::Gauge { .. } => {
                let Some(of) = column(name) else { continue };
                let points = drawn.most(of);
                let y = Axis::up_to(unit, values(&points));
                let row = Row { name, class: "c3", points: &points };
                charts.push(steps(&drawn.chart(name, "", y), &[row], &[]));
            }
            CustomValue::Rate { .. } => {
                let total = column(&format!("{name}.total"));
                let (Some(yes), Some(total)) = (column(name), total) else { continue };
                let points: Points = drawn
                    .sums(yes)
                    .into_iter()
                    .zip(drawn.sums(total))
                    .filter(|(_, (_, total))| *total > 0)
                    .map(|((at, yes), (_, total))| {
                        (drawn.middle(at), (i128::from(yes) * 100_000 / i128::from(total)) as i64)
                    })
                    .collect();
                let title = format!("{name}, share");
                let row = Row { name, class: "c3", points: &points };
                let y = Axis::up_to(Unit::Share, [100_000]);
                charts.push(lines(&drawn.chart(&title, "", y), &[row], None, None));
            }
            CustomValue::Trend(_) => {
                let Some(of) = column(&format!("{name}.max")) else { continue };
                let points = drawn.measured(of);
                let title = format!("{name}, the most in each step");
                let y = Axis::up_to(unit, values(&points));
                let row = Row { name, class: "c3", points: &points };
                charts.push(lines(&drawn.chart(&title, "", y), &[row], None, None));
            }
        }
    }
    charts
}

/// Live heap bytes over the load, which are those of one build.
pub(super) fn memory(record: &Record) -> Option<String> {
    let drawn = Drawn::new(&record.metrics, POINTS)?;
    let live = &record.memory.as_ref()?.series;
    let chunks = live.chunks(drawn.join).enumerate();
    let points: Points = chunks
        .filter_map(|(n, chunk)| Some((drawn.middle(n as i64 * drawn.width_ns), *chunk.last()?)))
        .collect();
    if points.len() < 2 {
        return None;
    }
    let y = Axis::up_to(Unit::Bytes, values(&points));
    let chart = drawn.chart("Live heap", "", y);
    Some(lines(&chart, &[Row { name: "live", class: "c2", points: &points }], None, None))
}
