//! A scenario simulated beside the same on the real clock: how far the simulation can be trusted for a system.
//!
//! Every figure that both runs have is compared. It agrees when the two lie within a tenth of the real one or, for a time,
//! within two milliseconds, which is what tokio's timers and a moment's wait for a core come to. What is one operation's
//! (the slowest) or measured otherwise (memory) is told and not judged.

use serde::{Serialize, Serializer};

use crate::metrics::{LatencyRecord, OperationMetrics};
use crate::record::{Outcome, Record, Spent};

/// A time that differs by no more agrees.
pub const AGREES_NS: u64 = 2_000_000;
/// What differs by no more, in percent of the real figure, agrees.
pub const AGREES_PERCENT: u64 = 10;

/// What came of a calibration. See [`Calibration::of`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Calibration {
    /// Figures that both runs have, in the order of a report.
    pub figures: Vec<Figure>,
    /// What kept one of the runs from its end, if something did: then nothing can be trusted.
    pub cut_off: Option<String>,
    /// What the process under test took on the real clock.
    pub spent: Spent,
    /// How long the load took on the real clock, in nanoseconds.
    pub real_ns: u64,
    /// Cores of the host.
    pub cores: u64,
}

/// A figure of both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What it is, as a report calls it: `response p95`.
    pub name: String,
    /// What it is counted in.
    pub unit: FigureUnit,
    /// In virtual time.
    pub simulated: i64,
    /// On the real clock.
    pub real: i64,
    /// `simulated` less `real`.
    pub difference: i64,
    /// The difference in thousandths of a percent of the real one; none where that is 0.
    pub milli_percent: Option<i64>,
    /// Whether the simulation can be trusted with it.
    pub trusted: Trusted,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FigureUnit {
    /// Nanoseconds.
    Nanoseconds,
    /// So many.
    Count,
    /// Thousandths of one a second.
    MilliPerSecond,
    /// Bytes.
    Bytes,
}

/// Whether a figure of a simulation can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trusted {
    /// Both agree.
    Yes,
    /// They do not.
    No,
    /// It is told and not judged, for this reason.
    NotJudged(&'static str),
}

impl Serialize for Trusted {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(match self {
            Trusted::Yes => "yes",
            Trusted::No => "no",
            Trusted::NotJudged(_) => "not_judged",
        })
    }
}

/// Why the slowest operation is not judged.
pub(crate) const ONE_OPERATION: &str = "max is that of one operation: the host's worst moment";
/// Why memory is not judged.
pub(crate) const OTHER_MEMORY: &str =
    "memory is heap bytes of the run there, resident memory of the process here";

impl Calibration {
    /// Compares a run in virtual time with one of the same case on the real clock, on a host with so many cores.
    pub fn of(simulated: &Record, real: &Record, cores: u64) -> Self {
        let mut table = Table(Vec::new());
        let of = |record: &Record| record.metrics.throughput_milli().unwrap_or(0);
        table.add("throughput", FigureUnit::MilliPerSecond, of(simulated), of(real));
        let (all, real_all) = (&simulated.metrics.operations, &real.metrics.operations);
        for ((name, simulated), (_, real)) in counts(all).into_iter().zip(counts(real_all)) {
            table.add(name, FigureUnit::Count, simulated, real);
        }
        table.times("response", &all.response, &real_all.response);
        if all.service != all.response || real_all.service != real_all.response {
            table.times("service", &all.service, &real_all.service);
        }
        table.times("queue wait", &all.queue_wait, &real_all.queue_wait);
        table.add("events", FigureUnit::Count, simulated.events, real.events);
        if let (Some(simulated), Some(real)) = (&simulated.memory, &real.memory) {
            let why = Trusted::NotJudged(OTHER_MEMORY);
            table.push("memory growth", FigureUnit::Bytes, simulated.growth, real.growth, why);
            let above = |of: &crate::Memory| of.peak - of.before;
            table.push("memory peak", FigureUnit::Bytes, above(simulated), above(real), why);
        }
        let cut_off = |record: &Record| match record.outcome {
            Outcome::Finished => None,
            _ => record.outcome.failure_by(record.clock),
        };
        Self {
            figures: table.0,
            cut_off: cut_off(simulated).or_else(|| cut_off(real)),
            spent: real.host.spent.unwrap_or_default(),
            real_ns: real.metrics.duration_ns,
            cores,
        }
    }

    /// Whether every figure that is judged agrees, and both runs came to their end.
    pub fn holds(&self) -> bool {
        self.cut_off.is_none() && self.figures.iter().all(|figure| figure.trusted != Trusted::No)
    }

    /// Processor time in thousandths of all cores over the load, where the platform tells.
    pub fn processor_milli(&self) -> Option<u64> {
        let available = u128::from(self.real_ns) * u128::from(self.cores);
        let share = u128::from(self.spent.cpu_ns()?) * 1_000;
        u64::try_from(share.checked_div(available)?).ok()
    }
}

fn counts(of: &OperationMetrics) -> [(&'static str, u64); 5] {
    [
        ("asked", of.requested),
        ("accepted", of.accepted),
        ("refused", of.refused_total()),
        ("completed", of.completed),
        ("failed", of.failed_total()),
    ]
}

struct Table(Vec<Figure>);

impl Table {
    fn times(&mut self, of: &str, simulated: &LatencyRecord, real: &LatencyRecord) {
        // Nobody had such a time: there is nothing to compare.
        if simulated.count + real.count == 0 {
            return;
        }
        self.add(&format!("{of} count"), FigureUnit::Count, simulated.count, real.count);
        let each = [("p50", 50_000), ("p90", 90_000), ("p95", 95_000), ("p99", 99_000)];
        for (name, thousandths) in each {
            let of_one = |times: &LatencyRecord| times.percentile_ns(thousandths);
            let name = format!("{of} {name}");
            self.add(&name, FigureUnit::Nanoseconds, of_one(simulated), of_one(real));
        }
        let (max, real_max) = (whole(simulated.max_ns), whole(real.max_ns));
        let trusted = Trusted::NotJudged(ONE_OPERATION);
        self.push(&format!("{of} max"), FigureUnit::Nanoseconds, max, real_max, trusted);
    }

    fn add(&mut self, name: &str, unit: FigureUnit, simulated: u64, real: u64) {
        let trusted = match agree(unit, simulated, real) {
            true => Trusted::Yes,
            false => Trusted::No,
        };
        self.push(name, unit, whole(simulated), whole(real), trusted);
    }

    fn push(&mut self, name: &str, unit: FigureUnit, simulated: i64, real: i64, trusted: Trusted) {
        let difference = simulated.saturating_sub(real);
        let percent = (i128::from(difference) * 100_000).checked_div(i128::from(real).abs());
        let milli_percent = percent.and_then(|percent| i64::try_from(percent).ok());
        let name = name.to_owned();
        self.0.push(Figure { name, unit, simulated, real, difference, milli_percent, trusted });
    }
}

fn agree(unit: FigureUnit, simulated: u64, real: u64) -> bool {
    let apart = simulated.abs_diff(real);
    let near = u128::from(apart) * 100 <= u128::from(real) * u128::from(AGREES_PERCENT);
    near || (unit == FigureUnit::Nanoseconds && apart <= AGREES_NS)
}

fn whole(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_agree_within_a_tenth_and_times_within_two_milliseconds() {
        let times = |a: u64, b: u64| agree(FigureUnit::Nanoseconds, a * 1_000_000, b * 1_000_000);
        assert!(times(0, 0) && times(0, 2) && times(4, 2) && times(90, 100) && times(110, 100));
        assert!(!times(0, 3) && !times(89, 100) && !times(111, 100));
        let counts = |a, b| agree(FigureUnit::Count, a, b);
        assert!(counts(0, 0) && counts(9, 10) && counts(11, 10));
        assert!(!counts(0, 1) && !counts(1, 0) && !counts(8, 10));
    }
}
