//! One number to take from times of many operations, by its name.

use std::fmt;

use super::{LatencyRecord, TrendRecord};

/// One number of many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stat {
    Count,
    Min,
    Max,
    Mean,
    /// In thousandths of a percent: `99_900` is p99.9.
    Percentile(u32),
}

impl Stat {
    /// `count`, `min`, `max`, `mean`, `p95`, `p99.9`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "count" => Some(Stat::Count),
            "min" => Some(Stat::Min),
            "max" => Some(Stat::Max),
            "mean" => Some(Stat::Mean),
            _ => percentile(name).map(Stat::Percentile),
        }
    }
}

impl LatencyRecord {
    /// This number of them; `None` where there are none to take it from.
    pub(crate) fn stat(&self, stat: Stat) -> Option<u64> {
        match stat {
            Stat::Count => Some(self.count),
            _ if self.count == 0 => None,
            Stat::Min => Some(self.min_ns),
            Stat::Max => Some(self.max_ns),
            Stat::Mean => Some(self.mean_ns),
            Stat::Percentile(thousandths) => Some(self.percentile_ns(thousandths)),
        }
    }
}

impl TrendRecord {
    /// This number of them; `None` where there are none to take it from.
    pub(crate) fn stat(&self, stat: Stat) -> Option<u64> {
        match stat {
            Stat::Count => Some(self.count),
            _ if self.count == 0 => None,
            Stat::Min => Some(self.min),
            Stat::Max => Some(self.max),
            Stat::Mean => Some(self.mean),
            Stat::Percentile(thousandths) => Some(self.percentile(thousandths)),
        }
    }
}

/// `p95`, `p99.9`, `p100`: thousandths of a percent.
fn percentile(stat: &str) -> Option<u32> {
    let digits = stat.strip_prefix('p')?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(part) || part.len() > 3 {
        return None;
    }
    let thousandths = whole
        .parse::<u32>()
        .ok()?
        .checked_mul(1_000)?
        .checked_add(format!("{part:0<3}").parse::<u32>().ok()?)?;
    (1..=100_000).contains(&thousandths).then_some(thousandths)
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stat::Count => f.write_str("count"),
            Stat::Min => f.write_str("min"),
            Stat::Max => f.write_str("max"),
            Stat::Mean => f.write_str("mean"),
            Stat::Percentile(thousandths) => {
                let part = format!("{:03}", thousandths % 1_000);
                match part.trim_end_matches('0') {
                    "" => write!(f, "p{}", thousandths / 1_000),
                    part => write!(f, "p{}.{part}", thousandths / 1_000),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_number_reads_back() {
        for name in ["count", "min", "max", "mean", "p1", "p50", "p99.9", "p99.999", "p100"] {
            assert_eq!(Stat::named(name).unwrap().to_string(), name);
        }
        for name in ["", "p", "p0", "p100.1", "p99.9999", "p4294967295", "95", "p9.5x"] {
            assert_eq!(Stat::named(name), None, "{name}");
        }
    }
}
