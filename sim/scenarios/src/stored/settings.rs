//! `[database]`: what turns cost that read and write a database.

use hyperlapse::Distribution;
use hyperlapse::disk::{DiskOptions, Latency};
use hyperlapse::schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[database]`: the disk under the store of a system that has one, and how much is said. By default the disk takes no time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSettings {
    /// How long the disk takes for a read.
    pub read: Distribution,
    /// How long it takes for a write, which it caches.
    pub write: Distribution,
    /// How long it takes for a sync, beside the bytes that become durable by it.
    pub sync: Distribution,
    /// How many bytes become durable in a second; 0 for no bound.
    pub sync_bytes_per_second: u64,
    /// How many bytes a message has, at least.
    pub message_bytes: usize,
}

impl DatabaseSettings {
    /// The disk that this describes.
    pub fn disk(&self) -> DiskOptions {
        let rate = self.sync_bytes_per_second;
        let latency = Latency {
            read: self.read.clone(),
            write: self.write.clone(),
            sync: self.sync.clone(),
            sync_bytes_per_second: (rate > 0).then_some(rate),
        };
        DiskOptions { latency, ..DiskOptions::default() }
    }
}
