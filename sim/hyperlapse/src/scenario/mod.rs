//! Scenarios: what is run against a system and what must come of it, as data.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`file`] | reads a scenario file, every error with its place |
//! | [`load`] | reads its workloads |
//! | [`schema`] | a JSON Schema of such files, for editors |
//! | [`settings`] | the suite's own tables in it |
//! | [`overrides`] | `--set path=value` |

pub(crate) mod file;
mod load;
pub(crate) mod overrides;
pub(crate) mod schema;
pub(crate) mod settings;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::decision::{DecisionKind, Fault, StrategyChoice};
use crate::input::{InputError, Source};
use crate::metrics::{Metric, ViewSpec};
use crate::threshold::Threshold;
use crate::workload::Workload;
pub(crate) use settings::Settings;

/// A kind of user, with the share of all users that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserKind {
    /// Its name: the value of `kind` in thresholds and reports.
    pub name: String,
    /// Its weight among all kinds.
    pub weight: u32,
}

/// With what a time series begins where its scenario does not say: what tokio's timers resolve.
pub(crate) const SERIES_STEP: Duration = Duration::from_millis(1);

/// A scenario that was read and validated. Cheap to clone.
///
/// From code; a suite reads its own from files.
///
/// ```
/// use hyperlapse::{AllAtOnce, Scenario};
///
/// let scenario = Scenario::builder("front", AllAtOnce::users(50))
///     .operation("query")
///     .threshold("response.p95 < 5s")
///     .build()
///     .unwrap();
/// assert_eq!(scenario.name(), "front");
/// ```
#[derive(Debug, Clone)]
pub struct Scenario(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: String,
    about: String,
    script: String,
    system: Option<String>,
    operation: String,
    workload: Box<dyn Workload>,
    kinds: Vec<UserKind>,
    metrics: Vec<Metric>,
    thresholds: Vec<Threshold>,
    deadline: Option<Duration>,
    series_step: Duration,
    strategy: StrategyChoice,
    decisions: Vec<DecisionKind>,
    faults: Vec<Fault>,
    settings: Settings,
}

impl Scenario {
    /// A scenario of this name with this workload.
    pub fn builder(name: impl Into<String>, workload: impl Workload + 'static) -> ScenarioBuilder {
        ScenarioBuilder::new(name.into(), Box::new(workload))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What it is for, in a line.
    pub fn about(&self) -> &str {
        &self.0.about
    }

    /// The script of the suite that its users follow.
    pub fn script(&self) -> &str {
        &self.0.script
    }

    /// The system that it runs against unless another is asked for.
    pub fn system(&self) -> Option<&str> {
        self.0.system.as_deref()
    }

    /// What one operation is called, in the singular.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// Its workload.
    pub fn workload(&self) -> &dyn Workload {
        &*self.0.workload
    }

    /// Its kinds of users; empty when they are all alike.
    pub fn kinds(&self) -> &[UserKind] {
        &self.0.kinds
    }

    /// The metrics of the user's own that its users may record.
    pub fn metrics(&self) -> &[Metric] {
        &self.0.metrics
    }

    /// What its runs must measure.
    pub fn thresholds(&self) -> &[Threshold] {
        &self.0.thresholds
    }

    /// The virtual deadline that it sets; without one a run fails when nothing happens for an hour (and 30
    /// times the longest pause).
    pub fn deadline(&self) -> Option<Duration> {
        self.0.deadline
    }

    /// The step with which its time series begins.
    pub fn series_step(&self) -> Duration {
        self.0.series_step
    }

    /// What bends its runs unless another strategy is asked for.
    pub fn strategy(&self) -> &StrategyChoice {
        &self.0.strategy
    }

    /// The kinds of decision that its users can bear.
    pub fn decisions(&self) -> &[DecisionKind] {
        &self.0.decisions
    }

    /// The faults that may strike in its runs.
    pub fn faults(&self) -> &[Fault] {
        &self.0.faults
    }

    /// The suite's own settings: those of the users of this kind, or of the scenario.
    ///
    /// # Panics
    /// When the suite never registered a table of type `T`: that is a bug of the suite.
    pub fn settings<T: Any + Send + Sync>(&self, kind: Option<usize>) -> &T {
        self.0.settings.get(kind)
    }

    /// What its thresholds ask for beyond the metrics of the whole run.
    pub(crate) fn views(&self) -> Vec<ViewSpec> {
        let place = |name: &str| {
            let place = self.kinds().iter().position(|kind| kind.name == name);
            place.and_then(|place| u16::try_from(place).ok())
        };
        let mut views: Vec<ViewSpec> = Vec::new();
        for (index, threshold) in self.thresholds().iter().enumerate() {
            let Some(view) = threshold.view(index, place) else { continue };
            // Two thresholds may be about the same.
            if view.abort.is_some() || views.iter().all(|other| other.name != view.name) {
                views.push(view);
            }
        }
        views
    }
}

/// Builds a [`Scenario`] in code; what is wrong with it is said by [`ScenarioBuilder::build`].
#[derive(Debug)]
pub struct ScenarioBuilder {
    inner: Inner,
    metrics: Vec<Metric>,
    thresholds: Vec<String>,
}

impl ScenarioBuilder {
    fn new(name: String, workload: Box<dyn Workload>) -> Self {
        let inner = Inner {
            name,
            about: String::new(),
            script: String::new(),
            system: None,
            operation: "operation".to_owned(),
            workload,
            kinds: Vec::new(),
            metrics: Vec::new(),
            thresholds: Vec::new(),
            deadline: None,
            series_step: SERIES_STEP,
            strategy: StrategyChoice::None,
            decisions: DecisionKind::BENDS.to_vec(),
            faults: Vec::new(),
            settings: Settings::default(),
        };
        Self { inner, metrics: Vec::new(), thresholds: Vec::new() }
    }

    /// What it is for, in a line.
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.inner.about = about.into();
        self
    }

    /// What one operation is called, in the singular: `query`.
    pub fn operation(mut self, noun: impl Into<String>) -> Self {
        self.inner.operation = noun.into();
        self
    }

    /// A kind of user with its weight. The first makes users differ at all.
    pub fn kind(mut self, name: impl Into<String>, weight: u32) -> Self {
        self.inner.kinds.push(UserKind { name: name.into(), weight });
        self
    }

    /// A metric of the user's own, which its users may then record and thresholds may name.
    pub fn metric(mut self, metric: &Metric) -> Self {
        self.metrics.push(*metric);
        self
    }

    /// The step with which the time series begins, a millisecond unless it says otherwise. It grows with the load:
    /// a series has at most 500 points.
    pub fn series_step(mut self, step: Duration) -> Self {
        self.inner.series_step = step;
        self
    }

    /// Something that a run must measure, such as `response.p95 < 5s`.
    pub fn threshold(mut self, threshold: impl Into<String>) -> Self {
        self.thresholds.push(threshold.into());
        self
    }

    /// The virtual deadline of a run.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.inner.deadline = Some(deadline);
        self
    }

    /// Settings that the scenario's code asks for by their type.
    pub fn settings<T: Any + Send + Sync>(mut self, settings: T) -> Self {
        self.inner.settings.insert(Arc::new(settings));
        self
    }

    /// A fault that may strike in its runs. A run in which it never does fails,
    /// unless the fault is [optional](Fault::optional).
    pub fn fault(mut self, fault: Fault) -> Self {
        self.inner.faults.push(fault);
        self
    }

    /// The kinds of decision that its users can bear; all of them unless it says otherwise.
    pub fn decisions(mut self, kinds: impl IntoIterator<Item = DecisionKind>) -> Self {
        self.inner.decisions = kinds.into_iter().collect();
        self
    }

    /// The scenario.
    ///
    /// # Errors
    /// When the workload, a metric, a threshold, the mix of kinds or the step of the series cannot be run as it is.
    pub fn build(mut self) -> Result<Scenario, InputError> {
        let name = self.inner.name.clone();
        let invalid = |error: InputError| error.context(format_args!("scenario `{name}`"));
        file::check_name(&name)?;
        self.inner.workload.validate().map_err(|e| invalid(InputError::new(e.to_string())))?;
        load::check_kinds(&*self.inner.workload, &self.inner.kinds).map_err(&invalid)?;
        if let Some(kind) = self.inner.kinds.iter().find(|kind| kind.weight == 0) {
            let message = format!("users of kind `{}` have a weight of 0", kind.name);
            return Err(invalid(InputError::new(message)));
        }
        if self.inner.series_step.is_zero() {
            return Err(invalid(InputError::new("a time series with steps of no length")));
        }
        for metric in &self.metrics {
            let declared = metric.declare(&mut self.inner.metrics);
            declared.map_err(|error| invalid(InputError::new(error.to_string())))?;
        }
        for text in &self.thresholds {
            let source = Source::new("threshold", text.as_str());
            let threshold =
                file::threshold(text, &source, 0, &self.inner.kinds, &self.inner.metrics)
                    .map_err(&invalid)?;
            self.inner.thresholds.push(threshold);
        }
        Ok(Scenario(Arc::new(self.inner)))
    }
}
