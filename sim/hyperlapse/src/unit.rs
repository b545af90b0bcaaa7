//! What metrics are measured in, and how people write it.

use serde::{Deserialize, Serialize};

/// What a quantity is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Virtual time.
    Nanoseconds,
    /// Heap bytes.
    Bytes,
    /// A number of things.
    Count,
    /// A part of a whole, which is 1.
    Share,
    /// A number of things in each second of virtual time.
    PerSecond,
}

impl Unit {
    /// The suffixes that a number of this unit may have, with what they stand for in the base unit:
    /// numerator and denominator.
    pub(crate) fn suffixes(self) -> &'static [(&'static str, i128, i128)] {
        match self {
            Unit::Nanoseconds => &[
                ("ns", 1, 1),
                ("us", 1_000, 1),
                ("ms", 1_000_000, 1),
                ("s", 1_000_000_000, 1),
                ("m", 60_000_000_000, 1),
                ("h", 3_600_000_000_000, 1),
            ],
            Unit::Bytes => &[
                ("B", 1, 1),
                ("KB", 1_000, 1),
                ("MB", 1_000_000, 1),
                ("GB", 1_000_000_000, 1),
                ("KiB", 1 << 10, 1),
                ("MiB", 1 << 20, 1),
                ("GiB", 1 << 30, 1),
            ],
            Unit::Count => &[("", 1, 1)],
            Unit::Share => &[("%", 1, 100)],
            Unit::PerSecond => &[("/s", 1, 1), ("/m", 1, 60), ("/h", 1, 3_600)],
        }
    }

    /// What is expected where a number of this unit should stand.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Unit::Nanoseconds => "a time such as `200ms` or `5s`",
            Unit::Bytes => "a size such as `50MB` or `64KiB`",
            Unit::Count => "a whole number without a unit",
            Unit::Share => "a share such as `99.5%`",
            Unit::PerSecond => "a rate such as `1/s` or `30/m`",
        }
    }
}
