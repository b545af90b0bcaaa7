//! Times that were measured, as a distribution: what `run --save-latencies` writes, and what a scenario reads again.
//!
//! A file is CSV with the header `metric,ns,count`: so many times of so long, in nanoseconds, of each metric the shortest
//! first. A sample is one of its times, each as likely as it was often; the mean is exactly theirs. Times of a run stand there as
//! HdrHistogram's buckets have them, by the highest that a bucket holds: none is off by more than a thousandth.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::recorded_arrivals::{cells, lines};
use crate::input::{InputError, Source};
use crate::metrics::{CustomValue, LatencyRecord, MetricUnit, Metrics, OperationMetrics};
use crate::random::{RandomExt, StreamRng};
use crate::units;

/// The metric of a file that is meant where none is named.
pub(super) const RESPONSE: &str = "response";
const HEADER: &str = "metric,ns,count";
/// A hundred years, as anywhere in a scenario.
const LONGEST_NS: u64 = 100 * 365 * 24 * 3_600 * 1_000_000_000;

/// Times that were measured. Cheap to clone.
///
/// ```
/// use std::time::Duration;
///
/// use hyperlapse::{Distribution, Measured, Source, Streams};
///
/// let file = Source::new("turns.csv", "metric,ns,count\nresponse,2000000,3\nresponse,10000000,1\n");
/// let turns = Distribution::from(Measured::read(&file, "response").unwrap());
/// assert_eq!(turns.mean(), Duration::from_millis(4));
/// let sample = turns.sample(&mut Streams::new(7).stream("turn"));
/// assert!([2, 10].map(Duration::from_millis).contains(&sample));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    file: Arc<str>,
    metric: Arc<str>,
    /// Each time with how many there are up to and with it.
    times: Arc<[(u64, u64)]>,
    mean_ns: u64,
}

impl Measured {
    /// The times of `metric` in a file that `--save-latencies` has written, or that is written like one.
    ///
    /// # Errors
    /// When it is none, or does not have them.
    pub fn read(source: &Source, metric: &str) -> Result<Self, InputError> {
        let mut known: Vec<String> = Vec::new();
        let mut times: Vec<(u64, u64)> = Vec::new();
        let mut last: Option<(String, u64)> = None;
        let mut sum_ns = 0u128;
        let mut rows = lines(&source.text);
        let (begins, header) = rows.next().unwrap_or_default();
        if header.trim() != HEADER {
            return Err(InputError::new(format!("{} has no times", source.name))
                .at(source, begins..begins + header.len())
                .label(format!("expected the header {HEADER}")));
        }
        for (begins, line) in rows {
            let row = Row::read(source, begins, line)?;
            let rises = match &last {
                Some((name, ns)) if *name == row.metric => row.ns > *ns,
                _ => !known.contains(&row.metric),
            };
            if !rises {
                return Err(InputError::new(format!("`{}` is not in its order", row.metric))
                    .at(source, begins..begins + line.len())
                    .label("expected the times of a metric together, the shortest first"));
            }
            if known.last() != Some(&row.metric) {
                known.push(row.metric.clone());
            }
            if row.metric == metric {
                let before = times.last().map_or(0, |(_, count)| *count);
                let Some(count) = before.checked_add(row.count) else {
                    return Err(InputError::new("these are more times than can be counted")
                        .at(source, begins..begins + line.len()));
                };
                times.push((row.ns, count));
                sum_ns += u128::from(row.ns) * u128::from(row.count);
            }
            last = Some((row.metric, row.ns));
        }
        let Some((_, count)) = times.last() else {
            let error = InputError::new(format!("{} has no times of `{metric}`", source.name));
            return Err(error.nearest(metric, known.iter().map(String::as_str)));
        };
        let mean_ns = (sum_ns / u128::from(*count)) as u64;
        let (file, metric) = (Arc::clone(&source.name), metric.into());
        Ok(Self { file, metric, times: times.into(), mean_ns })
    }

    /// The file, as the scenario calls it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The metric.
    pub fn metric(&self) -> &str {
        &self.metric
    }

    pub(super) fn sample(&self, rng: &mut StreamRng) -> Duration {
        let (_, count) = self.times[self.times.len() - 1];
        // The inverse of the distribution: the time of a rank, each as likely as any other.
        let rank = rng.below(count);
        let place = self.times.partition_point(|(_, upto)| *upto <= rank);
        Duration::from_nanos(self.times[place].0)
    }

    pub(super) fn mean(&self) -> Duration {
        Duration::from_nanos(self.mean_ns)
    }

    pub(super) fn describe(&self) -> String {
        let mean = units::seconds(self.mean_ns);
        format!("{mean} on average (measured: {} of {})", self.metric, self.file)
    }
}

struct Row {
    metric: String,
    ns: u64,
    count: u64,
}

impl Row {
    fn read(source: &Source, begins: usize, line: &str) -> Result<Self, InputError> {
        let found = cells(source, begins, line)?;
        let whole = begins..begins + line.len();
        let [metric, ns, count] = <[_; 3]>::try_from(found).map_err(|found| {
            InputError::new(format!("this line has {}", units::plural(found.len() as u64, "cell")))
                .at(source, whole)
                .label(format!("expected three: {HEADER}"))
        })?;
        let number = |(text, span): (String, std::ops::Range<usize>), from, upto, expected| {
            let number = text.parse().ok().filter(|n: &u64| (from..=upto).contains(n));
            number.ok_or_else(|| {
                InputError::new(format!("`{text}` is not {expected}")).at(source, span)
            })
        };
        Ok(Self {
            metric: metric.0,
            ns: number(ns, 0, LONGEST_NS, "a time in whole nanoseconds, up to 100 years")?,
            count: number(count, 1, u64::MAX, "how often it was: a whole number from 1")?,
        })
    }
}

/// What stands in such a file of these metrics: of all operations, of each kind and tag, and of the trends of times of the
/// project's own.
pub(crate) fn csv(metrics: &Metrics) -> String {
    let mut text = format!("{HEADER}\n");
    operations(&mut text, "", &metrics.operations);
    for (kind, of) in &metrics.kinds {
        operations(&mut text, &format!("{{kind={kind}}}"), of);
    }
    for (tag, of) in &metrics.tags {
        operations(&mut text, &format!("{{{tag}}}"), of);
    }
    times(&mut text, "start_delay", &metrics.iterations.start_delay);
    for (name, metric) in &metrics.custom {
        if metric.unit != MetricUnit::Time {
            continue;
        }
        trend(&mut text, name, &metric.all);
        for (tag, value) in &metric.by_tag {
            trend(&mut text, &format!("{name}{{{tag}}}"), value);
        }
    }
    text
}

fn operations(text: &mut String, of: &str, metrics: &OperationMetrics) {
    times(text, &format!("response{of}"), &metrics.response);
    if metrics.service != metrics.response {
        times(text, &format!("service{of}"), &metrics.service);
    }
    times(text, &format!("queue_wait{of}"), &metrics.queue_wait);
}

fn times(text: &mut String, metric: &str, of: &LatencyRecord) {
    buckets(text, metric, &of.buckets, of.min_ns, of.max_ns);
}

fn trend(text: &mut String, metric: &str, value: &CustomValue) {
    if let CustomValue::Trend(trend) = value {
        buckets(text, metric, &trend.buckets, trend.min, trend.max);
    }
}

fn buckets(text: &mut String, metric: &str, buckets: &[(u64, u64)], min: u64, max: u64) {
    let plain = !metric.contains([',', '"', '\n']);
    let metric =
        if plain { metric.to_owned() } else { format!("\"{}\"", metric.replace('"', "\"\"")) };
    for (ns, count) in buckets {
        // As percentiles are told: never outside of what was measured.
        let ns = (*ns).clamp(min, max);
        writeln!(text, "{metric},{ns},{count}").expect("a string takes any text");
    }
}

type Open = Rc<dyn Fn(&str) -> Result<Source, InputError>>;

thread_local! {
    /// How the scenario that is being read finds its files. Its distributions stand in tables that only the suite knows, and
    /// `serde` has no other way to tell them.
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
    /// What is wrong with such a file: `serde` carries words, and no place in another text.
    static MALFORMED: RefCell<Option<InputError>> = const { RefCell::new(None) };
}

/// Reads a scenario, whose distributions may name files that `open` finds.
pub(crate) fn reading<T>(
    open: impl Fn(&str) -> Result<Source, InputError> + 'static,
    read: impl FnOnce() -> Result<T, InputError>,
) -> Result<T, InputError> {
    struct Before(Option<Open>);
    impl Drop for Before {
        fn drop(&mut self) {
            OPEN.set(self.0.take());
        }
    }
    let _before = Before(OPEN.replace(Some(Rc::new(open))));
    MALFORMED.take();
    read().map_err(|error| MALFORMED.take().unwrap_or(error))
}

/// The times of a file that the scenario names which is being read; outside of one it stands in the current folder.
pub(super) fn named(file: &str, metric: &str) -> Result<Measured, String> {
    let open = OPEN.with_borrow(Clone::clone);
    let source = match open {
        Some(open) => open(file),
        None => Source::read(file.as_ref()),
    };
    let source = source.map_err(|error| error.message().to_owned())?;
    match Measured::read(&source, metric) {
        // A scenario writes what it has read: by the same name.
        Ok(measured) => Ok(Measured { file: file.into(), ..measured }),
        Err(error) => {
            let message = error.message().to_owned();
            if error.has_place() {
                MALFORMED.set(Some(error));
            }
            Err(message)
        }
    }
}
