//! Metrics of the user's own: counters, gauges, rates and trends, declared as constants.
//!
//! A metric is declared once, with its unit, so that a threshold on it is checked when the scenario is
//! read and a misspelt name is an error before anything runs. Samples of it are events: they stand in
//! traces, count for the fingerprint, and are folded as they come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::LatencyRecord;
use super::latency::Latencies;
use super::tags::TagTable;

/// What the numbers of a metric are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricUnit {
    /// Virtual nanoseconds.
    Time,
    /// Bytes.
    Bytes,
    /// Things, without a unit.
    Count,
}

/// How the samples of a metric add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricKind {
    /// Their sum.
    Counter,
    /// The last, with the lowest and the highest.
    Gauge,
    /// The share of those that were so.
    Rate,
    /// Their distribution: count, mean, percentiles.
    Trend,
}

impl MetricKind {
    /// `counter`, `gauge`, `rate` or `trend`.
    pub const fn text(self) -> &'static str {
        match self {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Rate => "rate",
            MetricKind::Trend => "trend",
        }
    }
}

/// A metric of the user's own. Its name is made of lower-case letters, digits and `_`; another does not compile.
///
/// ```
/// use hyperlapse::{Metric, MetricUnit};
///
/// const TOKENS: Metric = Metric::counter("tokens", "tokens that the model wrote");
/// const DEPTH: Metric = Metric::gauge("depth", "messages in the outbox");
/// const HIT: Metric = Metric::rate("cache_hit", "answers that came from the cache");
/// const TURN: Metric = Metric::trend("turn", "time of a turn");
/// const REPLY: Metric = Metric::trend("reply", "size of a reply").of(MetricUnit::Bytes);
/// assert_eq!(REPLY.unit(), MetricUnit::Bytes);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    name: &'static str,
    about: &'static str,
    kind: MetricKind,
    unit: MetricUnit,
}

impl Metric {
    /// Adds up. `about` is the one line that says what it is.
    pub const fn counter(name: &'static str, about: &'static str) -> Self {
        Self::new(MetricKind::Counter, MetricUnit::Count, name, about)
    }

    /// Goes up and down; the last value counts, the lowest and the highest are kept.
    pub const fn gauge(name: &'static str, about: &'static str) -> Self {
        Self::new(MetricKind::Gauge, MetricUnit::Count, name, about)
    }

    /// How often it is so, of all times that it was asked.
    pub const fn rate(name: &'static str, about: &'static str) -> Self {
        Self::new(MetricKind::Rate, MetricUnit::Count, name, about)
    }

    /// Many values of which the distribution matters: times, unless [`Metric::of`] says otherwise.
    pub const fn trend(name: &'static str, about: &'static str) -> Self {
        Self::new(MetricKind::Trend, MetricUnit::Time, name, about)
    }

    const fn new(
        kind: MetricKind,
        unit: MetricUnit,
        name: &'static str,
        about: &'static str,
    ) -> Self {
        let letters = name.as_bytes();
        assert!(!letters.is_empty(), "a metric without a name");
        let mut i = 0;
        while i < letters.len() {
            let letter = letters[i];
            assert!(
                letter.is_ascii_lowercase() || i > 0 && (letter.is_ascii_digit() || letter == b'_'),
                "the name of a metric is made of lower-case letters, digits and _, after a letter"
            );
            i += 1;
        }
        Self { name, about, kind, unit }
    }

    /// In this unit. A rate has none: it is a share whatever this says.
    pub const fn of(self, unit: MetricUnit) -> Self {
        Self { unit, ..self }
    }

    /// Its name, by which thresholds and reports know it.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it is, in a line.
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// How its samples add up.
    pub const fn kind(&self) -> MetricKind {
        self.kind
    }

    /// What its numbers are.
    pub const fn unit(&self) -> MetricUnit {
        self.unit
    }

    /// Whether the scenario declares it, as it is.
    pub(crate) fn is_among(&self, declared: &[Metric]) -> bool {
        // Comparing where the names lie finds a constant's without reading it.
        let here = declared.iter().find(|known| std::ptr::eq(known.name, self.name));
        let here = here.or_else(|| declared.iter().find(|known| known.name == self.name));
        here.is_some_and(|known| (known.kind, known.unit) == (self.kind, self.unit))
    }

    /// Declares it beside others.
    ///
    /// # Errors
    /// When its name means something else already.
    pub(crate) fn declare(&self, declared: &mut Vec<Metric>) -> Result<(), NameTaken> {
        let builtin =
            crate::threshold_metrics().any(|(known, _)| known.split('.').next() == Some(self.name));
        let other = declared.iter().any(|known| known.name == self.name);
        if self.is_among(declared) {
            return Ok(());
        }
        if builtin || other {
            return Err(NameTaken(self.name));
        }
        declared.push(*self);
        Ok(())
    }
}

/// A metric has the name of another.
#[derive(Debug, thiserror::Error)]
#[error("the metric `{0}` cannot be declared: the name is that of another metric")]
pub(crate) struct NameTaken(&'static str);

/// One sample of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sample {
    /// So much was added to a counter.
    Added(u64),
    /// A gauge stands at this.
    Stands(i64),
    /// Whether it was so, of a rate.
    Was(bool),
    /// One value of a trend of times, in nanoseconds.
    Took(u64),
    /// One value of a trend of bytes or counts.
    Value(u64),
}

/// What was sampled of a metric of the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomMetric {
    /// What its numbers are.
    pub unit: MetricUnit,
    /// All samples.
    pub all: CustomValue,
    /// The samples with each tag, by `key=value`.
    pub by_tag: BTreeMap<String, CustomValue>,
}

/// What samples came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CustomValue {
    /// Of a counter.
    Counter {
        /// The sum.
        total: u64,
    },
    /// Of a gauge; zeros when it never stood anywhere.
    Gauge {
        /// Where it stood last.
        last: i64,
        /// The lowest.
        min: i64,
        /// The highest.
        max: i64,
    },
    /// Of a rate.
    Rate {
        /// How often it was so.
        yes: u64,
        /// How often it was asked.
        total: u64,
    },
    /// Of a trend.
    Trend(TrendRecord),
}

impl CustomValue {
    /// Whether anything was ever recorded that leaves a trace: reports leave the others out.
    pub(crate) fn is_sampled(&self) -> bool {
        match self {
            Self::Counter { total } | Self::Rate { total, .. } => *total > 0,
            Self::Gauge { last, min, max } => (*last, *min, *max) != (0, 0, 0),
            Self::Trend(of) => of.count > 0,
        }
    }
}

/// The distribution of many values of one unit, as data; zeros when there were none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrendRecord {
    /// How many.
    pub count: u64,
    /// The lowest, exact.
    pub min: u64,
    /// The highest, exact.
    pub max: u64,
    /// The arithmetic mean, rounded down.
    pub mean: u64,
    /// The median.
    pub p50: u64,
    /// The 95th percentile.
    pub p95: u64,
    /// The 99th percentile.
    pub p99: u64,
    /// The histogram itself: `(highest value of the bucket, count)`, in order, empty buckets left out.
    pub buckets: Vec<(u64, u64)>,
}

impl TrendRecord {
    /// The percentile given in thousandths (`99_900` is p99.9), by nearest rank; 0 when there are none.
    pub fn percentile(&self, thousandths: u32) -> u64 {
        super::latency::percentile(self.count, self.min, self.max, &self.buckets, thousandths)
    }
}

impl From<LatencyRecord> for TrendRecord {
    fn from(times: LatencyRecord) -> Self {
        let LatencyRecord { count, min_ns, max_ns, mean_ns, p50_ns, p95_ns, p99_ns, buckets } =
            times;
        Self {
            count,
            min: min_ns,
            max: max_ns,
            mean: mean_ns,
            p50: p50_ns,
            p95: p95_ns,
            p99: p99_ns,
            buckets,
        }
    }
}

/// What a metric's samples have come to so far.
#[derive(Debug)]
enum Value {
    Counter(u64),
    Gauge(Option<(i64, i64, i64)>),
    Rate { yes: u64, total: u64 },
    Trend(Box<Latencies>),
}

impl Value {
    fn new(kind: MetricKind) -> Self {
        match kind {
            MetricKind::Counter => Value::Counter(0),
            MetricKind::Gauge => Value::Gauge(None),
            MetricKind::Rate => Value::Rate { yes: 0, total: 0 },
            MetricKind::Trend => Value::Trend(Box::default()),
        }
    }

    fn fold(&mut self, sample: Sample) {
        match (self, sample) {
            (Value::Counter(sum), Sample::Added(n)) => *sum = sum.saturating_add(n),
            (Value::Gauge(stands), Sample::Stands(n)) => {
                let (min, max) = stands.map_or((n, n), |(_, min, max)| (min.min(n), max.max(n)));
                *stands = Some((n, min, max));
            }
            (Value::Rate { yes, total }, Sample::Was(was)) => {
                *yes += u64::from(was);
                *total += 1;
            }
            (Value::Trend(values), Sample::Took(n) | Sample::Value(n)) => values.record(n),
            (value, sample) => unreachable!("{sample:?} was taken for {value:?}"),
        }
    }

    fn to_record(&self) -> CustomValue {
        match self {
            Value::Counter(total) => CustomValue::Counter { total: *total },
            Value::Gauge(stands) => {
                let (last, min, max) = stands.unwrap_or_default();
                CustomValue::Gauge { last, min, max }
            }
            Value::Rate { yes, total } => CustomValue::Rate { yes: *yes, total: *total },
            Value::Trend(values) => CustomValue::Trend(values.to_record().into()),
        }
    }
}

#[derive(Debug)]
struct Folded {
    metric: Metric,
    all: Value,
    /// By the place of the tag in the run.
    by_tag: Vec<Option<Value>>,
}

/// The metrics of one run: a handful, looked through in the order of their declaration.
#[derive(Debug)]
pub(super) struct CustomFold(Vec<Folded>);

impl CustomFold {
    pub(super) fn new(metrics: &[Metric]) -> Self {
        let fold = |metric: &Metric| Folded {
            metric: *metric,
            all: Value::new(metric.kind),
            by_tag: Vec::new(),
        };
        Self(metrics.iter().map(fold).collect())
    }

    /// Which of those declared the metric is, from 0; `None` when it is not declared.
    pub(super) fn fold(&mut self, name: &str, sample: Sample, tags: &[u16]) -> Option<usize> {
        // Comparing where the names lie finds a constant's without reading it.
        let at_the_same_place = |of: &Folded| std::ptr::eq(of.metric.name, name);
        let place = self.0.iter().position(at_the_same_place);
        let place = place.or_else(|| self.0.iter().position(|of| of.metric.name == name))?;
        let Folded { metric, all, by_tag } = &mut self.0[place];
        all.fold(sample);
        for tag in tags {
            let tag = usize::from(*tag);
            if tag >= by_tag.len() {
                by_tag.resize_with(tag + 1, || None);
            }
            by_tag[tag].get_or_insert_with(|| Value::new(metric.kind)).fold(sample);
        }
        Some(place)
    }

    pub(super) fn into_records(self, tags: &TagTable) -> BTreeMap<String, CustomMetric> {
        let record = |of: Folded| {
            let by_tag = tags.names().zip(&of.by_tag);
            let by_tag = by_tag
                .filter_map(|(tag, value)| Some((tag.to_owned(), value.as_ref()?.to_record())));
            let metric = CustomMetric {
                unit: of.metric.unit,
                all: of.all.to_record(),
                by_tag: by_tag.collect(),
            };
            (of.metric.name.to_owned(), metric)
        };
        self.0.into_iter().map(record).collect()
    }
}
