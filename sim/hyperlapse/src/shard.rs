//! A part of a sweep: shard `3/8` has every eighth run, from the third on.
//!
//! The runs of a sweep are numbered case by case and, within a case, seed by seed. Dealt out like cards, dear cases and
//! cheap ones are spread over all shards, and each run belongs to exactly one: the shards sum to the whole.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Which part of a sweep: `3/8` is the third of eight.
///
/// ```
/// use hyperlapse::Shard;
///
/// let shard: Shard = "3/8".parse().unwrap();
/// assert_eq!(shard.runs(20).collect::<Vec<_>>(), [2, 10, 18]);
/// assert_eq!(shard.to_string(), "3/8");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    /// From 1.
    number: u32,
    of: u32,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// The shard of this number, from 1, of so many; `None` where there is no such shard.
    pub const fn new(number: u32, of: u32) -> Option<Self> {
        match number >= 1 && number <= of {
            true => Some(Self { number, of }),
            false => None,
        }
    }

    /// Which it is, from 1.
    pub const fn number(self) -> u32 {
        self.number
    }

    /// Of how many.
    pub const fn of(self) -> u32 {
        self.of
    }

    /// Whether there is no other.
    pub const fn is_whole(self) -> bool {
        self.of == 1
    }

    /// How many of so many runs are its.
    pub const fn count(self, runs: u64) -> u64 {
        let (before, of) = (self.number as u64 - 1, self.of as u64);
        runs.saturating_sub(before).div_ceil(of)
    }

    /// The number of its n-th run, from 0.
    pub const fn run(self, n: u64) -> u64 {
        self.number as u64 - 1 + n * self.of as u64
    }

    /// The numbers of its runs, of so many.
    pub fn runs(self, runs: u64) -> impl Iterator<Item = u64> {
        (0..self.count(runs)).map(move |n| self.run(n))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// What is expected of a shard as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// It is no number of a number.
    #[error("expected the form K/N, such as 3/8 for the third of eight")]
    Form,
    /// There is no such one.
    #[error("expected a shard from 1/{of} to {of}/{of}")]
    Number {
        /// Of how many.
        of: u32,
    },
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let (number, of) = text.split_once('/').ok_or(ShardError::Form)?;
        let whole = |text: &str| text.trim().parse::<u32>().map_err(|_| ShardError::Form);
        let (number, of) = (whole(number)?, whole(of)?);
        match of {
            0 => Err(ShardError::Form),
            of => Self::new(number, of).ok_or(ShardError::Number { of }),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = ShardError;

    fn try_from(text: String) -> Result<Self, ShardError> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_run_belongs_to_exactly_one_shard(runs in 0u64..2_000, of in 1u32..300) {
            let mut owners = vec![0; runs as usize];
            let mut sizes = Vec::new();
            for number in 1..=of {
                let shard = Shard::new(number, of).unwrap();
                let its: Vec<u64> = shard.runs(runs).collect();
                prop_assert_eq!(its.len() as u64, shard.count(runs));
                prop_assert!(its.is_sorted());
                its.iter().for_each(|run| owners[*run as usize] += 1);
                sizes.push(its.len());
            }
            prop_assert!(owners.iter().all(|owners| *owners == 1));
            // None has more than one run more than another.
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            prop_assert!(most - least <= 1);
        }

        #[test]
        fn a_shard_is_read_as_it_is_printed(number in 1u32.., more in 0u32..1_000) {
            let shard = Shard::new(number, number.saturating_add(more)).unwrap();
            prop_assert_eq!(shard.to_string().parse(), Ok(shard));
        }

        #[test]
        fn any_text_is_a_shard_or_an_error(text in any::<String>(), like in "[0-9 /+-]{0,12}") {
            for text in [text, like] {
                if let Ok(shard) = text.parse::<Shard>() {
                    prop_assert!((1..=shard.of()).contains(&shard.number()));
                }
            }
        }
    }

    #[test]
    fn what_is_no_shard_says_what_was_expected() {
        let told = ["", "3", "0/8", "9/8", "1/0", "1/-2", "a/b", "1/2/3", "1/4294967296"];
        let told = told.map(|text| format!("{text:<12} {}", text.parse::<Shard>().unwrap_err()));
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn there_may_be_more_shards_than_runs() {
        let counts = [1, 2, 3].map(|number| Shard::new(number, 3).unwrap().count(2));
        assert_eq!(counts, [1, 1, 0]);
        assert_eq!(Shard::WHOLE.runs(3).collect::<Vec<_>>(), [0, 1, 2]);
    }
}
