//! What has to be folded for a threshold while the run goes on, because the metrics of the whole run do not say it.

use super::metric::{As, Counted, Measure, OwnForm, Times};
use super::trend::{self, Source};
use super::{Bound, Threshold};
use crate::exact::{Comparison, Exact};
use crate::metrics::{Abort, Amount, Filter, Number, Of, Stat, Timed, ViewSpec};
use crate::units;

impl Threshold {
    /// What is to be folded for it, as the `index`-th threshold of a scenario; `None` where the metrics of the
    /// run answer it. `place_of_kind` gives the place of a kind of user.
    pub(crate) fn view(
        &self,
        index: usize,
        place_of_kind: impl Fn(&str) -> Option<u16>,
    ) -> Option<ViewSpec> {
        let of = match self.over {
            _ if self.trend => match trend::source(self.metric.measure)? {
                Source::Memory => return None,
                Source::Rate(column) | Source::Time(column) => Of::Points(column),
            },
            Some(width_ns) => Of::Windows(self.number()?, width_ns),
            None if self.after > 0 || self.aborts || self.is_of_a_part() => {
                Of::Whole(self.number()?)
            }
            None => return None,
        };
        let tags = self.metric.tags().map(|tag| (tag.key.clone(), tag.value.clone()));
        Some(ViewSpec {
            name: self.view_name(),
            filter: Filter {
                kind: self.metric.kind().and_then(|kind| place_of_kind(&kind.value)),
                tags: tags.collect(),
                reason: self.metric.reason().map(str::to_owned),
            },
            after_ns: self.after,
            of,
            unit: self.metric.measure.unit(),
            abort: self.aborts.then(|| (index, self.abort())),
        })
    }

    /// What the view of it is called in the record.
    pub(super) fn view_name(&self) -> String {
        let time = |ns| units::text(std::time::Duration::from_nanos(ns));
        let mut name = self.metric.to_string();
        if self.trend {
            name.push_str(" trend");
        }
        if let Some(width) = self.over {
            name.push_str(&format!(" over {}", time(width)));
        }
        if self.after > 0 {
            name.push_str(&format!(" after {}", time(self.after)));
        }
        name
    }

    /// Whether its selectors name operations that the metrics of the run do not hold apart.
    pub(super) fn is_of_a_part(&self) -> bool {
        let tags = self.metric.tags().count();
        match (self.metric.kind(), self.metric.measure) {
            // Samples are held apart by tag alone.
            (Some(_), Measure::Own(..)) => true,
            (Some(_), _) => tags > 0,
            (None, _) => tags > 1,
        }
    }

    fn number(&self) -> Option<Number> {
        Some(match self.metric.measure {
            Measure::Times(times, stat) => {
                let timed = match times {
                    Times::Response => Timed::Response,
                    Times::Service => Timed::Service,
                    Times::QueueWait => Timed::QueueWait,
                    Times::StartDelay => Timed::StartDelay,
                };
                Number::Times(timed, stat)
            }
            Measure::Count(counted, form) => {
                let amount = match counted {
                    Counted::Starts => Amount::Requested,
                    Counted::Accepted => Amount::Accepted,
                    Counted::Refused => Amount::Refused,
                    Counted::Completions => Amount::Completed,
                    Counted::Failures => Amount::Failed,
                    Counted::Abandoned => Amount::Abandoned,
                    Counted::Cancelled => Amount::Cancelled,
                    Counted::Dropped => Amount::Dropped,
                    Counted::Interrupted => Amount::Interrupted,
                    Counted::Iterations => return None,
                };
                match form {
                    As::Total => Number::Sum(amount),
                    As::Rate => Number::Rate(amount),
                    As::Share => Number::Share(amount, Amount::Requested),
                }
            }
            // Of a part of the run: of the operations that came to an end in it.
            Measure::CompletionRate => Number::Share(Amount::Completed, Amount::Ended),
            Measure::Throughput => Number::Rate(Amount::Completed),
            Measure::Own(metric, form) => match form {
                OwnForm::Total => Number::Sum(Amount::Added(metric.name())),
                OwnForm::Rate => Number::Rate(Amount::Added(metric.name())),
                OwnForm::Share => {
                    Number::Share(Amount::Yes(metric.name()), Amount::Asked(metric.name()))
                }
                OwnForm::Stat(stat) => Number::Times(Timed::Own(metric.name()), stat),
                OwnForm::Last | OwnForm::Lowest | OwnForm::Highest => return None,
            },
            Measure::Duration | Measure::Memory(_) | Measure::Io(_) => return None,
        })
    }

    /// When it is broken for good. The parser has made sure that it can be.
    fn abort(&self) -> Abort {
        let Bound::Value(bound, _) = self.bound else {
            unreachable!("what ends a run is held against a number");
        };
        if self.over.is_some() {
            return Abort::Window(self.comparison, bound);
        }
        let whole =
            |value: i128| u64::try_from(value).unwrap_or(if value < 0 { 0 } else { u64::MAX });
        let (floor, is_whole) = (bound.floor(), bound == Exact::whole(bound.floor()));
        let least = matches!(
            self.metric.measure,
            Measure::Times(_, Stat::Min) | Measure::Own(_, OwnForm::Stat(Stat::Min))
        );
        match (self.comparison, least) {
            (Comparison::Less, _) if is_whole => Abort::Above(whole((floor - 1).max(0))),
            (Comparison::Greater, _) => Abort::Below(whole(floor + 1)),
            (Comparison::GreaterOrEqual, _) | (Comparison::Equal, true) if is_whole => {
                Abort::Below(whole(floor))
            }
            (Comparison::GreaterOrEqual, _) | (Comparison::Equal, true) => {
                Abort::Below(whole(floor + 1))
            }
            _ => Abort::Above(whole(floor)),
        }
    }
}
