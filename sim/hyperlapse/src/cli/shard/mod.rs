//! Shards: a sweep that is run in parts, on machines that know nothing of each other.
//!
//! `run --shard 3/8` runs its part and writes every record of it into a file; `merge` reads the files of all shards and
//! goes on as `run` does once its runs are over. What is judged over all runs is judged there.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`variables`] | which shard this is, by the variables of common systems |
//! | [`file`] | what stands in the file of a shard, and its writer |
//! | [`read`] | reading the files of all shards, and whether they make one sweep |

pub(super) mod file;
pub(super) mod read;
pub(super) mod variables;

use std::ops::Range;

/// All runs of a command: case by case and, within a case, seed by seed. Their numbers are what shards divide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Order {
    cases: usize,
    pub(super) seeds: Range<u64>,
}

impl Order {
    /// Of so many cases with these seeds; `None` where these are more runs than can be counted.
    pub(super) fn new(cases: usize, seeds: Range<u64>) -> Option<Self> {
        let each = seeds.end.checked_sub(seeds.start)?;
        each.checked_mul(cases as u64).map(|_| Self { cases, seeds })
    }

    /// How many runs there are.
    pub(super) fn runs(&self) -> u64 {
        self.cases as u64 * (self.seeds.end - self.seeds.start)
    }

    /// The case and the seed of a run, by its number.
    pub(super) fn at(&self, run: u64) -> (usize, u64) {
        let each = self.seeds.end - self.seeds.start;
        ((run / each) as usize, self.seeds.start + run % each)
    }
}
