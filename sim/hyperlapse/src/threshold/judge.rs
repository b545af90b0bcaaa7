//! Holds a threshold against a record.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::metric::{Measure, MemoryPart, Stat};
use super::{Bound, Comparison, Exact, Threshold};
use crate::metrics::{LatencyRecord, OperationMetrics};
use crate::record::Record;
use crate::units;

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
}

/// What a metric came to.
enum Measured {
    Value(Exact),
    Nothing(&'static str),
}

impl Threshold {
    /// Judges the run.
    pub fn judge(&self, record: &Record) -> Judgement {
        let (measured, standing) = match self.over {
            None => self.judge_value(self.measure(record)),
            Some(width) => self.judge_windows(record, units::nanos(width)),
        };
        Judgement { threshold: self.text.clone(), measured, standing }
    }

    fn judge_value(&self, measured: Measured) -> (String, Standing) {
        let value = match measured {
            Measured::Nothing(why) => return (why.to_owned(), Standing::Broken),
            Measured::Value(value) => value,
        };
        let Bound::Value(bound) = self.bound else {
            unreachable!("the parser takes a share of the median after `over` only");
        };
        (value.show(self.metric.measure.unit()), self.standing(value, bound))
    }

    fn judge_windows(&self, record: &Record, width_ns: u64) -> (String, Standing) {
        let counts = record.metrics.windows.get(&width_ns).map_or(&[][..], |counts| counts);
        if counts.is_empty() {
            return ("no full window".to_owned(), Standing::Broken);
        }
        let rate =
            |count: u64| Exact::over(i128::from(count) * 1_000_000_000, i128::from(width_ns));
        let mut sorted = counts.to_vec();
        sorted.sort_unstable();
        // The lower median, so that it is a count that was seen.
        let median = sorted[(sorted.len() - 1) / 2];
        if median == 0 && matches!(self.bound, Bound::OfMedian(_)) {
            return ("nothing completed in the median window".to_owned(), Standing::Broken);
        }
        let bound = match self.bound {
            Bound::Value(bound) => bound,
            Bound::OfMedian(share) => rate(median).times(share),
        };
        // The window that is nearest to breaking it, or breaks it most.
        let worst = match self.comparison {
            Comparison::Less | Comparison::LessOrEqual => sorted[sorted.len() - 1],
            Comparison::Greater | Comparison::GreaterOrEqual => sorted[0],
            Comparison::Equal | Comparison::NotEqual => {
                let breaks = |count: &&u64| self.standing(rate(**count), bound) == Standing::Broken;
                *sorted.iter().find(breaks).unwrap_or(&median)
            }
        };
        let unit = self.metric.measure.unit();
        let measured = format!(
            "{} in the worst of {}, median {}",
            rate(worst).show(unit),
            units::plural(counts.len() as u64, "window"),
            rate(median).show(unit)
        );
        (measured, self.standing(rate(worst), bound))
    }

    fn standing(&self, value: Exact, bound: Exact) -> Standing {
        let holds = |value: Exact| {
            let order = value.compare(bound);
            match self.comparison {
                Comparison::Less => order == Ordering::Less,
                Comparison::LessOrEqual => order != Ordering::Greater,
                Comparison::Greater => order == Ordering::Greater,
                Comparison::GreaterOrEqual => order != Ordering::Less,
                Comparison::Equal => order == Ordering::Equal,
                Comparison::NotEqual => order != Ordering::Equal,
            }
        };
        if !holds(value) {
            return Standing::Broken;
        }
        let a_tenth_worse = match self.comparison {
            Comparison::Less | Comparison::LessOrEqual => Exact::over(11, 10),
            Comparison::Greater | Comparison::GreaterOrEqual => Exact::over(9, 10),
            Comparison::Equal | Comparison::NotEqual => return Standing::Held,
        };
        // A share cannot exceed the whole and a steady window cannot exceed its median: what is as
        // good as it can be is not near to anything.
        let relative = matches!(self.bound, Bound::OfMedian(_))
            || self.metric.measure == Measure::CompletionRate;
        if relative || holds(value.times(a_tenth_worse)) { Standing::Held } else { Standing::Near }
    }

    fn measure(&self, record: &Record) -> Measured {
        let metrics = &record.metrics;
        let of = match &self.metric.kind {
            None => &metrics.operations,
            Some((kind, _)) => match metrics.kinds.get(kind) {
                Some(operations) => operations,
                None => return Measured::Nothing("no users of this kind"),
            },
        };
        let count = |n: u64| Measured::Value(Exact::whole(n));
        match self.metric.measure {
            Measure::Response(stat) => latency(&of.response, stat, "nothing completed"),
            Measure::QueueWait(stat) => latency(&of.queue_wait, stat, "nothing queued"),
            Measure::Starts => count(of.requested),
            Measure::Accepted => count(of.accepted),
            Measure::Refused => count(self.by_reason(&of.refused)),
            Measure::Failures => count(self.by_reason(&of.failed)),
            Measure::Completions => count(of.completed),
            Measure::Abandoned => count(of.abandoned),
            Measure::Cancelled => count(of.cancelled),
            Measure::CompletionRate => completion_rate(of),
            Measure::Throughput => match i128::from(metrics.duration_ns) {
                0 => Measured::Nothing("the load took no time"),
                ns => Measured::Value(Exact::over(i128::from(of.completed) * 1_000_000_000, ns)),
            },
            Measure::Duration => count(metrics.duration_ns),
            Measure::Memory(part) => match &record.memory {
                None => Measured::Nothing("not measured: CountingAllocator is not installed"),
                Some(memory) => Measured::Value(Exact::whole(match part {
                    MemoryPart::Before => memory.before,
                    MemoryPart::After => memory.after,
                    MemoryPart::Peak => memory.peak,
                    MemoryPart::Growth => memory.growth,
                })),
            },
        }
    }

    fn by_reason(&self, counts: &std::collections::BTreeMap<String, u64>) -> u64 {
        match &self.metric.reason {
            None => counts.values().sum(),
            Some(reason) => counts.get(reason).copied().unwrap_or(0),
        }
    }
}

fn completion_rate(of: &OperationMetrics) -> Measured {
    match i128::from(of.accepted) {
        0 => Measured::Nothing("nothing was accepted"),
        accepted => Measured::Value(Exact::over(i128::from(of.completed), accepted)),
    }
}

fn latency(of: &LatencyRecord, stat: Stat, nothing: &'static str) -> Measured {
    if stat == Stat::Count {
        return Measured::Value(Exact::whole(of.count));
    }
    if of.count == 0 {
        return Measured::Nothing(nothing);
    }
    Measured::Value(Exact::whole(match stat {
        Stat::Count => unreachable!("counts are answered above"),
        Stat::Min => of.min_ns,
        Stat::Max => of.max_ns,
        Stat::Mean => of.mean_ns,
        Stat::Percentile(thousandths) => of.percentile_ns(thousandths),
    }))
}
