//! Holds a threshold against the record of one run.

use serde::{Deserialize, Serialize};

use super::metric::{As, Measure, OwnForm};
use super::trend::{self, Source};
use super::{Bound, Threshold};
use crate::exact::{Comparison, Exact, Quantity};
use crate::metrics::{Stat, View, WindowValue, WindowsRecord};
use crate::record::{Outcome, Record};
use crate::unit::Unit;
use crate::units::{count, plural, seconds};

/// How a threshold stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It holds.
    Held,
    /// It holds, and a tenth more would break it.
    Near,
    /// It does not hold, or could not be measured.
    Broken,
    /// Not of this run alone: over all runs of a sweep, or the run was aborted before it could hold.
    NotJudged,
}

/// A threshold with what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The threshold as it was written.
    pub threshold: String,
    /// What was measured, in words.
    pub measured: String,
    /// Whether that is good enough.
    pub standing: Standing,
    /// What was measured, exactly: of windows that which decides. `None` where nothing was.
    pub value: Option<Quantity>,
    /// What it is held against; `None` where that could not be measured.
    pub bound: Option<Quantity>,
    /// Whether it is judged over all runs of a sweep, and not in this one.
    pub over_seeds: bool,
}

/// What was found, before it is judged.
struct Found {
    value: Option<Exact>,
    bound: Option<Exact>,
    unit: Unit,
    words: String,
}

impl Found {
    fn nothing(why: impl Into<String>, bound: Option<Exact>, unit: Unit) -> Self {
        Self { value: None, bound, unit, words: why.into() }
    }
}

impl Threshold {
    /// Judges the run.
    pub fn judge(&self, record: &Record) -> Judgement {
        let found = self.find(record);
        let mut standing = match (found.value, found.bound) {
            (Some(value), Some(bound)) => self.standing(value, bound, found.unit),
            _ => Standing::Broken,
        };
        let mut words = found.words;
        if self.seeds.is_some() {
            standing = Standing::NotJudged;
        } else if standing == Standing::Broken && self.was_cut_short(record, found.value) {
            standing = Standing::NotJudged;
            words = format!("{words}; not judged: the run was aborted");
        }
        Judgement {
            threshold: self.text.clone(),
            measured: words,
            standing,
            value: found.value.map(|value| value.quantity(found.unit)),
            bound: found.bound.map(|bound| bound.quantity(found.unit)),
            over_seeds: self.seeds.is_some(),
        }
    }

    /// The bound, where it is a number.
    fn fixed_bound(&self) -> (Option<Exact>, Unit) {
        match self.bound {
            Bound::Value(bound, unit) => (Some(bound), unit),
            Bound::OfMedian(_) => (None, self.metric.measure.unit()),
        }
    }

    fn find(&self, record: &Record) -> Found {
        let (bound, unit) = self.fixed_bound();
        if let Some(why) = self.metric.names_nobody(record) {
            return Found::nothing(why, bound, unit);
        }
        if self.trend {
            return self.find_trend(record, bound, unit);
        }
        if self.over.is_some() {
            return match record.metrics.views.get(&self.view_name()) {
                Some(View::Windows(windows)) => self.find_window(windows, bound, unit),
                _ => Found::nothing("not measured in this run", bound, unit),
            };
        }
        match self.number_of(record) {
            Ok(value) => Found { value: Some(value), bound, unit, words: value.show(unit) },
            Err(why) => Found::nothing(why, bound, unit),
        }
    }

    fn find_trend(&self, record: &Record, bound: Option<Exact>, unit: Unit) -> Found {
        let points = match self.points(record) {
            Ok(points) => points,
            Err(why) => return Found::nothing(why, bound, unit),
        };
        if points.len() < trend::FEWEST {
            let full = plural(points.len() as u64, "full step");
            let why =
                format!("{full} of the time series: at least {} say something", trend::FEWEST);
            return Found::nothing(why, bound, unit);
        }
        let (growth, median) = trend::growth(&points);
        let step_ns = record.metrics.series.step_ns.max(1);
        let own_unit = self.metric.measure.unit();
        let scale = match trend::source(self.metric.measure) {
            Some(Source::Rate(_)) => Exact::over(1_000_000_000, step_ns.into()),
            _ => Exact::whole(1),
        };
        let relative = unit != own_unit;
        if relative && !median.is_positive() {
            return Found::nothing("the median is 0: nothing to compare with", bound, unit);
        }
        let value = if relative { growth.divided_by(median) } else { growth.times(scale) };
        let (steps, step) = (plural(points.len() as u64, "step"), seconds(step_ns));
        let median = median.times(scale).show(own_unit);
        let words = format!("{} over {steps} of {step}; median {median}", value.show(unit));
        Found { value: Some(value), bound, unit, words }
    }

    fn find_window(&self, windows: &WindowsRecord, bound: Option<Exact>, unit: Unit) -> Found {
        let (Some(lowest), Some(highest), Some(median)) =
            (&windows.lowest, &windows.highest, windows.median)
        else {
            let why = match windows.empty {
                0 => "no full window".to_owned(),
                1 => "nothing was measured in the only window".to_owned(),
                empty => format!("nothing was measured in any of {} windows", count(empty)),
            };
            return Found::nothing(why, bound, unit);
        };
        let median = median.exact();
        let bound = match self.bound {
            Bound::Value(bound, _) => bound,
            Bound::OfMedian(_) if !median.is_positive() => {
                return Found::nothing("nothing was measured in the median window", None, unit);
            }
            Bound::OfMedian(share) => median.times(share),
        };
        // The window that is nearest to breaking it, or breaks it most.
        let breaks = |window: &&WindowValue| !self.comparison.holds(window.value.exact(), bound);
        let worst = match self.comparison {
            Comparison::Less | Comparison::LessOrEqual => highest,
            Comparison::Greater | Comparison::GreaterOrEqual => lowest,
            Comparison::Equal if breaks(&lowest) => lowest,
            Comparison::Equal => highest,
            Comparison::NotEqual => windows.values.iter().find(breaks).unwrap_or(lowest),
        };
        let value = worst.value.exact();
        let mut words = match windows.windows {
            1 => format!("{} in the only window", value.show(unit)),
            n => format!("{} in the worst of {}", value.show(unit), plural(n, "window")),
        };
        if !self.comparison.holds(value, bound) {
            words = format!("{words}, up to {}", seconds(worst.first_end_ns));
        }
        if windows.windows > 1 {
            words = format!("{words}; median {}", median.show(unit));
        }
        if windows.empty > 0 {
            words = format!("{words}; {} without any", plural(windows.empty, "window"));
        }
        Found { value: Some(value), bound: Some(bound), unit, words }
    }

    pub(super) fn standing(&self, value: Exact, bound: Exact, unit: Unit) -> Standing {
        if !self.comparison.holds(value, bound) {
            return Standing::Broken;
        }
        let (more, less) = (Exact::over(11, 10), Exact::over(9, 10));
        let negative = value < Exact::ZERO;
        let (a_tenth_worse, lower) = match self.comparison {
            Comparison::Less | Comparison::LessOrEqual => {
                (if negative { less } else { more }, false)
            }
            Comparison::Greater | Comparison::GreaterOrEqual => {
                (if negative { more } else { less }, true)
            }
            Comparison::Equal | Comparison::NotEqual => return Standing::Held,
        };
        // A share cannot exceed the whole and a steady window cannot exceed its median: what is as
        // good as it can be is not near to anything.
        let relative = matches!(self.bound, Bound::OfMedian(_)) || (unit == Unit::Share && lower);
        match relative || self.comparison.holds(value.times(a_tenth_worse), bound) {
            true => Standing::Held,
            false => Standing::Near,
        }
    }

    /// Whether it does not hold for no other reason than that another threshold ended the run.
    fn was_cut_short(&self, record: &Record, value: Option<Exact>) -> bool {
        let Outcome::Aborted { threshold, .. } = &record.outcome else { return false };
        if *threshold == self.text {
            return false;
        }
        let Some(value) = value else { return true };
        let grows = match self.metric.measure {
            _ if self.over.is_some() || self.trend => false,
            Measure::Count(_, As::Total) | Measure::Times(_, Stat::Count) => true,
            Measure::Duration | Measure::CompletionRate | Measure::Io(_) => true,
            Measure::Own(_, OwnForm::Total | OwnForm::Stat(Stat::Count)) => true,
            _ => false,
        };
        let short = match (self.comparison, self.fixed_bound().0) {
            (Comparison::Greater | Comparison::GreaterOrEqual, _) => true,
            (Comparison::Equal, Some(bound)) => value < bound,
            _ => false,
        };
        grows && short
    }
}
