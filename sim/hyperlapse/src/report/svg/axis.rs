//! Where a value stands, which round values are named, and in which words.
//!
//! Ticks are 1, 2 or 5 times a power of ten; of time, what a clock has above that: 15 s, 30 s, minutes, hours.

use crate::units;

/// What the numbers of an axis are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit<'a> {
    /// Things.
    Count,
    /// Virtual nanoseconds.
    Time,
    /// Thousandths of things per second.
    Rate,
    /// Bytes.
    Bytes,
    /// Thousandths of a percent.
    Share,
    /// The n-th of these names: runs of a history, baselines.
    #[allow(dead_code, reason = "for histories")]
    Names(&'a [String]),
}

/// A range of values with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Axis<'a> {
    pub(super) unit: Unit<'a>,
    pub(super) from: i64,
    pub(super) to: i64,
}

impl<'a> Axis<'a> {
    /// From `from` to `to`, as they are. An empty range is made one that can be drawn.
    pub(crate) fn new(unit: Unit<'a>, from: i64, to: i64) -> Self {
        Self { unit, from, to: to.max(from + 1) }
    }

    /// From 0 to the first tick that none of the values is above.
    pub(crate) fn up_to(unit: Unit<'a>, values: impl IntoIterator<Item = i64>) -> Self {
        Self::around(unit, values.into_iter().chain([0]))
    }

    /// From the last tick below all values to the first one above, for values that lie far from 0.
    pub(crate) fn around(unit: Unit<'a>, values: impl IntoIterator<Item = i64>) -> Self {
        let mut range: Option<(i64, i64)> = None;
        for value in values {
            let (low, high) = range.unwrap_or((value, value));
            range = Some((low.min(value), high.max(value)));
        }
        let (low, high) = range.unwrap_or((0, 1));
        let step = step(unit, high - low, VALUES);
        let from = low.div_euclid(step) * step;
        let to = high.div_euclid(step) * step;
        let to = if to < high { to + step } else { to };
        Self { unit, from, to: to.max(from + step) }
    }

    /// The round values in it, `most` at most (one more where both ends are round).
    pub(super) fn ticks(&self, most: i64) -> Vec<i64> {
        let step = step(self.unit, self.to - self.from, most);
        let first = -(-self.from).div_euclid(step) * step;
        (0..).map(|n| first + n * step).take_while(|tick| *tick <= self.to).collect()
    }

    /// A tick in words. All ticks of an axis have one unit and no more decimals than they need.
    pub(super) fn word(&self, tick: i64, most: i64) -> String {
        let step = step(self.unit, self.to - self.from, most);
        if tick == 0 && !matches!(self.unit, Unit::Names(_)) {
            return "0".to_owned();
        }
        match self.unit {
            Unit::Time => time_tick(tick, step, self.to),
            Unit::Count => short_count(tick),
            Unit::Rate => match step % 1_000 {
                0 => short_count(tick / 1_000),
                _ => decimal(tick, 1_000, step),
            },
            Unit::Share => format!("{} %", decimal(tick, 1_000, step)),
            Unit::Bytes => byte_tick(tick, step),
            Unit::Names(names) => {
                usize::try_from(tick).ok().and_then(|n| names.get(n)).cloned().unwrap_or_default()
            }
        }
    }

    /// A value in full, for whoever points at it.
    pub(super) fn tell(&self, value: i64) -> String {
        tell(self.unit, value)
    }
}

/// A value with its unit, as reports print it.
pub(super) fn tell(unit: Unit<'_>, value: i64) -> String {
    let unsigned = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    match unit {
        Unit::Count => format!("{sign}{}", units::count(unsigned)),
        Unit::Time => format!("{sign}{}", units::seconds(unsigned)),
        Unit::Rate => format!("{sign}{} /s", units::milli(unsigned)),
        Unit::Share => format!("{sign}{} %", units::milli(unsigned)),
        Unit::Bytes => units::bytes(value),
        Unit::Names(names) => {
            usize::try_from(value).ok().and_then(|n| names.get(n)).cloned().unwrap_or_default()
        }
    }
}

/// How many ticks the values have, and time.
pub(super) const VALUES: i64 = 4;
pub(super) const TIMES: i64 = 5;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Between two ticks, so that at most `most` steps fill the span.
fn step(unit: Unit<'_>, span: i64, most: i64) -> i64 {
    let least = (span.max(1) + most - 1) / most;
    if unit == Unit::Time && least > 10 * SECOND {
        let clock = [
            15 * SECOND,
            30 * SECOND,
            MINUTE,
            2 * MINUTE,
            5 * MINUTE,
            10 * MINUTE,
            15 * MINUTE,
            30 * MINUTE,
            HOUR,
            2 * HOUR,
            3 * HOUR,
            6 * HOUR,
            12 * HOUR,
        ];
        let fits = clock.into_iter().find(|step| *step >= least);
        return fits.unwrap_or_else(|| DAY * round((least + DAY - 1) / DAY));
    }
    round(least)
}

/// The first of 1, 2, 5, 10, 20, 50, … that is not less.
fn round(least: i64) -> i64 {
    let mut power = 1i64;
    loop {
        for digit in [1, 2, 5] {
            if digit * power >= least {
                return digit * power;
            }
        }
        // What has no room for another digit is near enough.
        match power.checked_mul(10) {
            Some(next) if next <= i64::MAX / 10 => power = next,
            _ => return least,
        }
    }
}

/// `tick / unit` with as many decimals as a multiple of `step` can have.
fn decimal(tick: i64, unit: i64, step: i64) -> String {
    let mut decimals = 0;
    let mut one = unit;
    while step % one != 0 && one % 10 == 0 {
        one /= 10;
        decimals += 1;
    }
    let sign = if tick < 0 { "-" } else { "" };
    let shown = tick.unsigned_abs() / one.unsigned_abs();
    let per = 10u64.pow(decimals);
    match decimals {
        0 => format!("{sign}{shown}"),
        _ => {
            format!("{sign}{}.{:0width$}", shown / per, shown % per, width = decimals as usize)
        }
    }
}

fn time_tick(tick: i64, step: i64, to: i64) -> String {
    let units = [
        (DAY, "d"),
        (HOUR, "h"),
        (MINUTE, "min"),
        (SECOND, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    // The largest unit of which steps are whole; seconds also with decimals, once there is a whole one.
    let whole = units.into_iter().find(|(unit, _)| step % unit == 0);
    let (unit, name) = whole.unwrap_or((1, "ns"));
    let (unit, name) = if unit < SECOND && to >= SECOND { (SECOND, "s") } else { (unit, name) };
    format!("{} {name}", decimal(tick, unit, step))
}

fn byte_tick(tick: i64, step: i64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB"), (1, "B")];
    // A tenth of a unit is still short.
    let fits =
        units.into_iter().find(|(unit, _)| step % (unit / 10).max(1) == 0 && step * 10 >= *unit);
    let (unit, name) = fits.unwrap_or((1, "B"));
    format!("{} {name}", decimal(tick, unit, step))
}

fn short_count(n: i64) -> String {
    let sign = if n < 0 { "-" } else { "" };
    let n = n.unsigned_abs();
    let with = |unit: u64, name: &str| {
        let hundredths = n % unit * 100 / unit;
        let fraction = match hundredths {
            0 => String::new(),
            _ => format!(".{hundredths:02}").trim_end_matches('0').to_owned(),
        };
        format!("{sign}{}{fraction}{name}", n / unit)
    };
    match n {
        0..10_000 => format!("{sign}{}", units::count(n)),
        10_000..1_000_000 => with(1_000, "k"),
        1_000_000..1_000_000_000 => with(1_000_000, "M"),
        _ => with(1_000_000_000, "G"),
    }
}

/// From values to places, in tenths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) start: i64,
    pub(super) end: i64,
}

impl Scale {
    pub(super) fn at(&self, value: i64) -> i64 {
        let (from, to) = (i128::from(self.from), i128::from(self.to));
        let value = i128::from(value).clamp(from, to);
        let length = i128::from(self.end - self.start);
        let (above, span) = ((value - from) * length, to - from);
        // To the nearest, away from zero.
        let half = if above < 0 { -span / 2 } else { span / 2 };
        self.start + ((above + half) / span) as i64
    }
}
