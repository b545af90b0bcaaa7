//! Workloads: who arrives when, how often they come back, how long they pause.
//!
//! A workload is data. It is validated when it is read, described in a line, and turned into [`Wave`]s
//! before the run begins; one driver (in `world::drive`) then plays the waves. Adding one is a file here
//! and a line in [`MODELS`].
//!
//! | module | `kind` | model |
//! | --- | --- | --- |
//! | [`all_at_once`] | `all-at-once` | n users at one instant, one iteration each |
//! | [`closed`] | `closed` | n users in a loop for a duration |
//! | [`bursts`] | `bursts` | n users at one instant, again and again |
//! | [`iterations`] | `per-user-iterations` | n users with m iterations each |
//! | [`mix`] | | kinds of users by exact weights, over any of them |
//! | [`distribution`] | | pauses: constant, uniform, exponential |

mod all_at_once;
mod bursts;
mod closed;
mod distribution;
mod iterations;
mod mix;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::de::DeserializeOwned;
use toml::de::ValueDeserializer;

pub use all_at_once::AllAtOnce;
pub use bursts::Bursts;
pub use closed::Closed;
pub use distribution::Distribution;
pub use iterations::PerUserIterations;
pub(crate) use mix::assign;

/// More users than this in one run is a slip of the finger, not a load.
const MAX_USERS: u64 = 10_000_000;

/// A model of load: [`AllAtOnce`], [`Closed`], [`Bursts`], [`PerUserIterations`].
pub trait Workload: fmt::Debug + Send + Sync {
    /// Whether it can be run.
    ///
    /// # Errors
    /// Names the field that is wrong, and why.
    fn validate(&self) -> Result<(), InvalidField>;

    /// What it does, in a line: `10 users in a loop for 5m, pausing 50ms`.
    fn describe(&self) -> String;

    /// The waves that the run will play.
    fn waves(&self) -> Vec<Wave>;
}

/// A field of a workload that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {why}")]
pub struct InvalidField {
    /// Its key in the scenario file.
    pub field: &'static str,
    /// What is wrong, and what was expected.
    pub why: String,
}

/// Users who arrive together and behave alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// When the first of them arrives, since the start of the load.
    pub at: Duration,
    /// Their numbers.
    pub users: Range<u32>,
    /// Over how long they arrive: each draws an offset below it. Zero: all at the same instant.
    pub spread: Duration,
    /// How often each of them iterates.
    pub repeat: Repeat,
    /// How long each of them pauses between two iterations.
    pub pause: Distribution,
}

/// How often a user iterates before it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// This often.
    Times(u64),
    /// As long as less than this has passed since its wave began; an iteration under way is finished.
    For(Duration),
}

/// How a workload is read from a scenario file.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) read: fn(ValueDeserializer<'_>) -> Result<Box<dyn Workload>, toml::de::Error>,
}

/// Every model that a scenario file can name.
pub(crate) const MODELS: &[Model] = &[
    Model { name: "all-at-once", about: all_at_once::ABOUT, read: read::<AllAtOnce> },
    Model { name: "closed", about: closed::ABOUT, read: read::<Closed> },
    Model { name: "bursts", about: bursts::ABOUT, read: read::<Bursts> },
    Model {
        name: "per-user-iterations",
        about: iterations::ABOUT,
        read: read::<PerUserIterations>,
    },
];

/// The models that a scenario file can name, with a line each.
pub fn models() -> impl Iterator<Item = (&'static str, &'static str)> {
    MODELS.iter().map(|model| (model.name, model.about))
}

fn read<W: Workload + DeserializeOwned + 'static>(
    from: ValueDeserializer<'_>,
) -> Result<Box<dyn Workload>, toml::de::Error> {
    Ok(Box::new(W::deserialize(from)?))
}

/// Checks a number of users.
fn users(field: &'static str, users: u64) -> Result<(), InvalidField> {
    match users {
        0 => Err(InvalidField { field, why: "is 0: expected at least one user".to_owned() }),
        MAX_USERS.. => Err(InvalidField {
            field,
            why: format!("is {users}: expected fewer than {MAX_USERS} users in one run"),
        }),
        _ => Ok(()),
    }
}

/// Checks that something happens at least once, or takes some time.
fn more_than_none(field: &'static str, is_none: bool, what: &str) -> Result<(), InvalidField> {
    if is_none {
        return Err(InvalidField { field, why: format!("is 0: expected {what}") });
    }
    Ok(())
}
