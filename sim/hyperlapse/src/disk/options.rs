//! How a disk behaves. Everything can be changed while a run goes on: [`super::Disk::change`].

use std::time::Duration;

use super::DiskError;
use crate::workload::Distribution;

/// How a disk behaves: by default it is fast, has room and is honest, and a crash tears sectors.
#[derive(Debug, Clone, PartialEq)]
pub struct DiskOptions {
    /// The unit in which writes are torn, in bytes: a power of two from 512 to 65,536. 512 by default.
    pub sector: u32,
    /// How badly a crash tears a write.
    pub tearing: Tearing,
    /// Whether overwriting bytes leaves those beside them in the same sector alone: SQLite's default. Without it
    /// SQLite is told, and pads what it writes.
    pub powersafe_overwrite: bool,
    /// How long operations take.
    pub latency: Latency,
    /// The bytes of all files together; no bound by default.
    pub capacity: Option<u64>,
    /// Whether nothing can be written any more.
    pub read_only: bool,
    /// How often operations fail by themselves.
    pub faults: FaultRates,
}

impl Default for DiskOptions {
    fn default() -> Self {
        Self {
            sector: 512,
            tearing: Tearing::default(),
            powersafe_overwrite: true,
            latency: Latency::default(),
            capacity: None,
            read_only: false,
            faults: FaultRates::default(),
        }
    }
}

impl DiskOptions {
    pub(super) fn validate(&self) -> Result<(), DiskError> {
        if !self.sector.is_power_of_two() || !(512..=65_536).contains(&self.sector) {
            return Err(DiskError::Invalid {
                field: "the sector",
                value: format!("{} bytes", self.sector),
                expected: "a power of two from 512 to 65,536",
            });
        }
        for (field, distribution) in [
            ("the latency of reads", &self.latency.read),
            ("the latency of writes", &self.latency.write),
            ("the latency of syncs", &self.latency.sync),
        ] {
            distribution.validate(field).map_err(|invalid| DiskError::Invalid {
                field,
                value: invalid.why.trim_start_matches("is ").to_owned(),
                expected: "a distribution that can be sampled",
            })?;
        }
        for (field, rate) in self.faults.named() {
            if !(0.0..=1.0).contains(&rate) {
                let (value, expected) = (rate.to_string(), "a share from 0 to 1");
                return Err(DiskError::Invalid { field, value, expected });
            }
        }
        Ok(())
    }
}

/// How badly a crash tears writes that were not synced. Each holds what the one before it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Tearing {
    /// A write survives whole or not at all.
    Whole,
    /// Each of its sectors survives or does not.
    Sectors,
    /// A sector may end, or begin, with what was there before.
    #[default]
    Bytes,
    /// A sector may hold anything.
    Garbage,
}

/// How long operations take. Nothing by default.
///
/// Only the disk's own time is meant: an operation that waits for another is not known here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Latency {
    /// Of a read.
    pub read: Distribution,
    /// Of a write, a truncation, a deletion or an open: a page cache takes them.
    pub write: Distribution,
    /// Of a sync, of a file or of a directory.
    pub sync: Distribution,
    /// How many bytes a sync writes in a second; no bound by default.
    pub sync_bytes_per_second: Option<u64>,
}

impl Latency {
    /// How long a sync takes for the bytes that it makes durable.
    pub(super) fn transfer(&self, bytes: u64) -> Duration {
        let Some(rate) = self.sync_bytes_per_second.filter(|rate| *rate > 0) else {
            return Duration::ZERO;
        };
        let ns = u128::from(bytes) * 1_000_000_000 / u128::from(rate);
        Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX))
    }
}

/// How often operations fail by themselves: the share of each kind, from 0 to 1, drawn from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FaultRates {
    /// Reads that fail.
    pub read_error: f64,
    /// Reads whose bytes have rotted: one bit flips, for good.
    pub read_rot: f64,
    /// Writes that fail.
    pub write_error: f64,
    /// Syncs that fail, of files and of directories.
    pub sync_error: f64,
    /// Syncs that say they are done, and are not.
    pub sync_lie: f64,
}

impl FaultRates {
    fn named(&self) -> [(&'static str, f64); 5] {
        [
            ("the rate of failing reads", self.read_error),
            ("the rate of rotten reads", self.read_rot),
            ("the rate of failing writes", self.write_error),
            ("the rate of failing syncs", self.sync_error),
            ("the rate of lying syncs", self.sync_lie),
        ]
    }
}
