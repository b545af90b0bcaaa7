//! Deterministic simulation and load testing for services on stock tokio.
//!
//! (map: written below when modules settle)

pub mod alloc;
mod build_info;
#[cfg(feature = "cli")]
mod cli;
mod event;
mod input;
mod metrics;
mod plan;
mod property;
mod random;
mod record;
mod replay;
pub mod report;
mod scenario;
mod seed_file;
mod suite;
#[cfg(feature = "cli")]
mod sweep;
mod threshold;
pub mod units;
mod verdict;
mod workload;
mod world;

pub use alloc::CountingAllocator;
pub use build_info::Build;
#[cfg(feature = "cli")]
pub use cli::exit;
pub use event::{Actor, Event, EventKind, Fingerprint, Keep, TAIL, Text};
pub use input::{InputError, Source};
pub use metrics::{LatencyRecord, Memory, Metrics, OperationMetrics, Series};
pub use plan::Plan;
pub use property::{Property, PropertyKind, PropertyRecord, Violation};
pub use random::{RandomExt, StreamRng, Streams};
pub use record::{FORMAT, Host, MAX_PANICS, MAX_WAITING, Outcome, Panic, Profile, Record, Waiting};
pub use replay::{Replayed, compare as compare_replay};
pub use scenario::overrides::Override;
pub use scenario::{Scenario, ScenarioBuilder, UserKind};
pub use seed_file::{Expect, MAX_SEED, SEED_FILE_FORMAT, SeedFile};
pub use suite::{Case, Entry, Finished, Suite};
pub use threshold::{
    Judgement, Standing, Threshold, ThresholdError, catalogue as threshold_metrics,
};
pub use verdict::{Failure, FailureKind, Verdict};
pub use workload::{
    AllAtOnce, Bursts, Closed, Distribution, InvalidField, PerUserIterations, Repeat, Wave,
    Workload, models as workload_models,
};
pub use world::{Drive, InjectedPanic, Operation, RunOptions, Sim, User, run};
