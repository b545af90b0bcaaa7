//! Times that were measured, as a distribution: what `run --save-latencies` writes, and what a scenario reads again.
//!
//! A file is CSV with the header `metric,ns,count`: so many times of so long, in nanoseconds, of each metric the shortest
//! first. A sample is one of its times, each as likely as it was often; the mean is exactly theirs. Times of a run stand there as
//! HdrHistogram's buckets have them, by the highest that a bucket holds: none is off by more than a thousandth.

use std::cell::RefCell;
#[cfg(feature = "cli")]
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::recorded_arrivals::{cells, lines};
use crate::input::{InputError, Source};
#[cfg(feature = "cli")]
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
#[cfg(feature = "cli")]
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

#[cfg(feature = "cli")]
fn operations(text: &mut String, of: &str, metrics: &OperationMetrics) {
    times(text, &format!("response{of}"), &metrics.response);
    if metrics.service != metrics.response {
        times(text, &format!("service{of}"), &metrics.service);
    }
    times(text, &format!("queue_wait{of}"), &metrics.queue_wait);
}

#[cfg(feature = "cli")]
fn times(text: &mut String, metric: &str, of: &LatencyRecord) {
    buckets(text, metric, &of.buckets, of.min_ns, of.max_ns);
}

#[cfg(feature = "cli")]
fn trend(text: &mut String, metric: &str, value: &CustomValue) {
    if let CustomValue::Trend(trend) = value {
        buckets(text, metric, &trend.buckets, trend.min, trend.max);
    }
}

#[cfg(feature = "cli")]
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
            let message = error.in_a_line();
            if error.has_place() {
                MALFORMED.set(Some(error));
            }
            Err(message)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Streams;
    use crate::metrics::Latencies;
    use crate::workload::Distribution;

    fn saved(latencies: &Latencies) -> Source {
        let mut text = format!("{HEADER}\n");
        times(&mut text, RESPONSE, &latencies.to_record());
        Source::new("latencies.csv", text)
    }

    proptest! {
        #[test]
        fn what_is_saved_is_read_again_to_the_last_nanosecond(
            values in prop::collection::vec(0u64..100_000_000_000, 1..300),
            thousandths in 1u32..=100_000,
            seed in 0u64..1_000,
        ) {
            let mut latencies = Latencies::default();
            values.iter().for_each(|value| latencies.record(*value));
            let record = latencies.to_record();
            let read = Measured::read(&saved(&latencies), RESPONSE).unwrap();

            let (mut before, mut all) = (0, Vec::new());
            for (ns, upto) in read.times.iter() {
                all.extend(std::iter::repeat_n(*ns, (upto - before) as usize));
                before = *upto;
            }
            prop_assert_eq!(all.len() as u64, record.count);
            let rank = (record.count * u64::from(thousandths)).div_ceil(100_000).max(1);
            prop_assert_eq!(all[rank as usize - 1], record.percentile_ns(thousandths));
            let sum: u128 = all.iter().map(|ns| u128::from(*ns)).sum();
            prop_assert_eq!(u128::from(read.mean_ns), sum / all.len() as u128);
            // Above the mean of the values by a thousandth at most: buckets are told by the highest that they hold.
            prop_assert!(read.mean_ns >= record.mean_ns);
            prop_assert!((read.mean_ns - record.mean_ns) * 1_000 <= record.mean_ns + 1_000);

            let distribution = Distribution::from(read.clone());
            let draw = || {
                let mut rng = Streams::new(seed).stream("measured");
                (0..50).map(|_| units::nanos(distribution.sample(&mut rng))).collect::<Vec<_>>()
            };
            let drawn = draw();
            prop_assert_eq!(&drawn, &draw());
            prop_assert!(drawn.iter().all(|ns| all.binary_search(ns).is_ok()));
        }
    }

    #[test]
    fn each_time_comes_as_often_as_it_was_measured() {
        let text =
            format!("{HEADER}\nresponse,1000000,90\nresponse,20000000,9\nresponse,300000000,1\n");
        let read = Measured::read(&Source::new("t.csv", text), RESPONSE).unwrap();
        assert_eq!(read.mean(), Duration::from_nanos(5_700_000));
        let mut rng = Streams::new(1).stream("measured");
        let samples: Vec<u128> = (0..100_000).map(|_| read.sample(&mut rng).as_millis()).collect();
        let of = |ms| samples.iter().filter(|sample| **sample == ms).count() as u64;
        assert!(of(1).abs_diff(90_000) < 500, "{}", of(1));
        assert!(of(20).abs_diff(9_000) < 500, "{}", of(20));
        assert!(of(300).abs_diff(1_000) < 200, "{}", of(300));
    }

    #[test]
    fn metrics_stand_side_by_side_and_a_name_with_a_comma_is_one() {
        let mut text = format!("{HEADER}\n");
        buckets(&mut text, "response", &[(5, 2)], 5, 5);
        buckets(&mut text, "a \"b\", c", &[(7, 1), (9, 3)], 7, 8);
        assert_eq!(
            text,
            "metric,ns,count\nresponse,5,2\n\"a \"\"b\"\", c\",7,1\n\"a \"\"b\"\", c\",8,3\n"
        );
        let read = Measured::read(&Source::new("t.csv", text), "a \"b\", c").unwrap();
        assert_eq!(*read.times, [(7, 1), (8, 4)]);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_at_its_place() {
        let long = "9".repeat(19);
        let texts = [
            "",
            "at,kind\n1,2\n",
            "metric,ns,count\n",
            "metric,ns,count\nresponse,5\n",
            "metric,ns,count\nresponse,5ms,1\n",
            "metric,ns,count\nresponse,-5,1\n",
            &format!("metric,ns,count\nresponse,{long},1\n"),
            "metric,ns,count\nresponse,5,0\n",
            "metric,ns,count\nresponse,7,1\nresponse,5,1\n",
            "metric,ns,count\nresponse,7,1\nresponse,7,1\n",
            "metric,ns,count\nresponse,7,1\nservice,7,1\nresponse,8,1\n",
            "metric,ns,count\nresponse,7,18446744073709551615\nresponse,8,1\n",
            "metric,ns,count\n\"response,7,1\n",
            "metric,ns,count\nrespnse,7,1\n",
            "metric,ns,count\nservice,7,1\nqueue_wait,8,1\n",
        ];
        let said = texts.map(|text| {
            let read = Measured::read(&Source::new("latencies.csv", text), RESPONSE);
            read.unwrap_err().to_string()
        });
        insta::assert_snapshot!(said.join("\n\n"));
    }
}
