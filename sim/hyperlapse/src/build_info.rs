//! What this build is, for seed files and reports.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

/// What ran something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The suite and its version.
    pub suite: String,
    /// The version of hyperlapse.
    pub hyperlapse: String,
    /// Whether tokio was built with `--cfg tokio_unstable`; without it `select!` is not seeded.
    pub tokio_unstable: bool,
    /// XXH3-64 of the executable; empty where it cannot be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub binary: String,
}

impl Build {
    /// This build, as far as its source says: the same in debug and in release.
    pub fn of_source(suite: &str, version: &str) -> Self {
        Self {
            suite: format!("{suite} {version}"),
            hyperlapse: env!("CARGO_PKG_VERSION").to_owned(),
            tokio_unstable: cfg!(tokio_unstable),
            binary: String::new(),
        }
    }

    /// This very executable. Reads it once per process: a few milliseconds.
    pub fn of_binary(suite: &str, version: &str) -> Self {
        static BINARY: OnceLock<String> = OnceLock::new();
        let binary = BINARY.get_or_init(|| {
            let bytes = std::env::current_exe().and_then(std::fs::read);
            bytes.map_or_else(
                |_| String::new(),
                |bytes| format!("{:016x}", XxHash3_64::oneshot(&bytes)),
            )
        });
        Self { binary: binary.clone(), ..Self::of_source(suite, version) }
    }

    /// What is switched off in this build, if anything.
    pub fn limits(&self) -> Option<&'static str> {
        (!self.tokio_unstable).then_some(
            "built without --cfg tokio_unstable: `select!` is not seeded, tasks that the system spawns are not named, and only the users' own polls count towards a livelock",
        )
    }
}
