//! Metrics of the user's own and tags, recorded by virtual users and by the run.

use std::time::Duration;

use super::sim::Sim;
use super::user::User;
use crate::event::{Actor, EventKind};
use crate::metrics::{Metric, MetricKind, MetricUnit, Sample};
use crate::units;

/// One value of a trend: a [`Duration`] of a trend of times, a number of one of bytes or counts.
pub trait Observation {
    /// The sample, if it is of this unit.
    fn sample(self, unit: MetricUnit) -> Option<Sample>;
}

impl Observation for Duration {
    fn sample(self, unit: MetricUnit) -> Option<Sample> {
        (unit == MetricUnit::Time).then(|| Sample::Took(units::nanos(self)))
    }
}

impl Observation for u64 {
    fn sample(self, unit: MetricUnit) -> Option<Sample> {
        (unit != MetricUnit::Time).then_some(Sample::Value(self))
    }
}

impl Observation for usize {
    fn sample(self, unit: MetricUnit) -> Option<Sample> {
        (self as u64).sample(unit)
    }
}

impl User {
    /// Adds `n` to a counter.
    ///
    /// # Panics
    /// When the metric is no counter, or the scenario does not declare it
    /// ([`ScenarioBuilder::metric`](crate::ScenarioBuilder::metric), [`Suite::metrics`](crate::Suite::metrics)).
    pub fn add(&self, metric: &Metric, n: u64) {
        self.sample(metric, MetricKind::Counter, Sample::Added(n));
    }

    /// Sets a gauge.
    ///
    /// # Panics
    /// When the metric is no gauge, or the scenario does not declare it.
    pub fn set(&self, metric: &Metric, value: i64) {
        self.sample(metric, MetricKind::Gauge, Sample::Stands(value));
    }

    /// Counts one time that it was asked, of a rate, and whether it was so.
    ///
    /// # Panics
    /// When the metric is no rate, or the scenario does not declare it.
    pub fn rate(&self, metric: &Metric, yes: bool) {
        self.sample(metric, MetricKind::Rate, Sample::Was(yes));
    }

    /// Takes one value of a trend: a [`Duration`], or a number of bytes or of things.
    ///
    /// # Panics
    /// When the metric is no trend of this unit, or the scenario does not declare it.
    pub fn observe(&self, metric: &Metric, value: impl Observation) {
        self.sample(metric, MetricKind::Trend, observed(metric, value));
    }

    fn sample(&self, metric: &Metric, kind: MetricKind, sample: Sample) {
        self.emit(sampled(self.sim(), metric, kind, sample));
    }

    /// The same user, whose operations, samples and notes have these tags from here on: each is a key with one of a
    /// few values. They are reported apart, by `key=value`, and thresholds can name them.
    ///
    /// ```
    /// # use hyperlapse::User;
    /// # async fn ask(user: User) {
    /// let user = user.tagged(&[("model", "small")]);
    /// let mut operation = user.operation();
    /// # operation.accepted();
    /// # operation.completed();
    /// # }
    /// ```
    ///
    /// # Panics
    /// When the run uses more than [`MAX_TAGS`](crate::MAX_TAGS) tags by then: values that are different each time
    /// belong into a note.
    pub fn tagged(&self, tags: &[(&str, &str)]) -> User {
        let found = self.sim().shared().with(|recorder| {
            // Nothing of the scenario's runs, and nothing panics, while the recorder is locked.
            Some(recorder.collector.tags.with(self.tags(), tags))
        });
        match found {
            Some(Ok(tags)) => self.with_tags(tags),
            Some(Err(too_many)) => panic!("{too_many}"),
            // The run is over.
            None => self.clone(),
        }
    }
}

impl Sim {
    /// Adds `n` to a counter. See [`User::add`].
    ///
    /// # Panics
    /// As [`User::add`].
    pub fn add(&self, metric: &Metric, n: u64) {
        self.sample(metric, MetricKind::Counter, Sample::Added(n));
    }

    /// Sets a gauge. See [`User::set`].
    ///
    /// # Panics
    /// As [`User::set`].
    pub fn set(&self, metric: &Metric, value: i64) {
        self.sample(metric, MetricKind::Gauge, Sample::Stands(value));
    }

    /// Counts one time that it was asked, of a rate, and whether it was so. See [`User::rate`].
    ///
    /// # Panics
    /// As [`User::rate`].
    pub fn rate(&self, metric: &Metric, yes: bool) {
        self.sample(metric, MetricKind::Rate, Sample::Was(yes));
    }

    /// Takes one value of a trend. See [`User::observe`].
    ///
    /// # Panics
    /// As [`User::observe`].
    pub fn observe(&self, metric: &Metric, value: impl Observation) {
        self.sample(metric, MetricKind::Trend, observed(metric, value));
    }

    fn sample(&self, metric: &Metric, kind: MetricKind, sample: Sample) {
        self.shared().emit(Actor::World, sampled(self, metric, kind, sample));
    }
}

fn observed(metric: &Metric, value: impl Observation) -> Sample {
    value.sample(metric.unit()).unwrap_or_else(|| {
        panic!(
            "a value of another unit was observed for `{}`: it is of {}",
            metric.name(),
            match metric.unit() {
                MetricUnit::Time => "times: a Duration",
                MetricUnit::Bytes => "bytes: a number",
                MetricUnit::Count => "counts: a number",
            }
        )
    })
}

fn sampled(sim: &Sim, metric: &Metric, kind: MetricKind, sample: Sample) -> EventKind {
    assert!(
        metric.kind() == kind,
        "`{}` is a {}, and was recorded as a {}",
        metric.name(),
        metric.kind().text(),
        kind.text()
    );
    assert!(
        metric.is_among(sim.scenario().metrics()),
        "the metric `{}` is not declared: a scenario names it by `.metric(&…)`, a suite by `.metrics(&[…])`",
        metric.name()
    );
    EventKind::Sample { metric: metric.name().into(), sample }
}
