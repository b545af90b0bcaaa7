//! The suite's own tables in scenario files.

use std::borrow::Cow;
use std::time::Duration;

use conversation_manager::{InvalidLimits, Limits};
use hyperlapse::net::NetworkOptions;
use hyperlapse::schemars::{JsonSchema, Schema, SchemaGenerator};
use hyperlapse::{Distribution, units};
use serde::{Deserialize, Serialize};

/// `[manager]`: limits of the system under test. The load suite's defaults are twice those of
/// production, with shorter times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "LimitsTable")]
pub struct ManagerSettings(pub Limits);

impl JsonSchema for ManagerSettings {
    fn schema_name() -> Cow<'static, str> {
        LimitsTable::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        LimitsTable::json_schema(generator)
    }
}

/// Limits of the system under test: twice those of production, with shorter times.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
struct LimitsTable {
    /// How many conversations may be active at a time.
    #[schemars(extend("minimum" = 1))]
    max_concurrent: usize,
    /// How many of them may be one user's.
    #[schemars(extend("minimum" = 1))]
    max_per_user: usize,
    /// How long a conversation may be quiet before it is ended.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    idle_timeout: Duration,
    /// How long a conversation may last, however active it is.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    max_duration: Duration,
    /// How many users may wait for a slot.
    max_waiting: usize,
}

impl Default for LimitsTable {
    fn default() -> Self {
        Self {
            max_concurrent: 20,
            max_per_user: 5,
            idle_timeout: Duration::from_secs(60),
            max_duration: Duration::from_secs(120),
            max_waiting: 1_000,
        }
    }
}

impl TryFrom<LimitsTable> for ManagerSettings {
    type Error = InvalidLimits;

    fn try_from(table: LimitsTable) -> Result<Self, InvalidLimits> {
        let limits = Limits {
            max_concurrent: table.max_concurrent,
            max_per_user: table.max_per_user,
            idle_timeout: table.idle_timeout,
            max_duration: table.max_duration,
            max_waiting: table.max_waiting,
        };
        limits.validate()?;
        Ok(Self(limits))
    }
}

/// `[conversation]`: what a user does in one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct ConversationSettings {
    /// How many turns it has.
    pub steps: u32,
    /// How long the bot works on each.
    pub step: Distribution,
    /// Whether the user waits for a slot, or tries once.
    pub queue: bool,
    /// Which model answers. Where one is named, turns are measured one by one, with it as their tag.
    pub model: Option<String>,
}

impl Default for ConversationSettings {
    fn default() -> Self {
        let step = Distribution::Constant(Duration::from_millis(50));
        Self { steps: 2, step, queue: false, model: None }
    }
}

/// `[visit]`: a user who comes by now and then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct VisitSettings {
    /// How often the user shows that somebody is there, after starting.
    pub touches: u32,
    /// Time between two touches, and before the end.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub every: Duration,
    /// Whether the user ends the conversation, or stays until the bot does.
    pub ends: bool,
}

impl Default for VisitSettings {
    fn default() -> Self {
        Self { touches: 0, every: Duration::from_secs(20), ends: true }
    }
}

/// `[storm]`: what else happens while users come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct StormSettings {
    /// How many users share a name.
    pub share: u32,
    /// How often the limit is changed, at instants that the seed draws.
    pub resizes: u32,
    /// Whether the bot shuts down in the midst of it.
    pub drains: bool,
    /// Within how long all of it happens.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub within: Duration,
}

impl Default for StormSettings {
    fn default() -> Self {
        Self { share: 3, resizes: 0, drains: false, within: Duration::from_millis(60) }
    }
}

/// `[network]`: what lies between the users and a system on a host of its own.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(transparent)]
pub struct NetworkSettings(pub NetworkOptions);

/// `[client]`: how users ask a system on a host of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct ClientSettings {
    /// Whether what was not answered is asked again, and how the time in between is chosen.
    pub retry: Retry,
    /// The time before the second try; twice that before the third, up to sixteen times.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub backoff: Duration,
    /// A try that is not answered within this time, and what it was promised to take, is given up.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub timeout: Duration,
    /// Within this time there is an answer or an error.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub deadline: Duration,
}

/// How a client tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// Not at all.
    Never,
    /// After exactly the backoff: all who failed together come again together.
    WithoutJitter,
    /// After a time that is drawn below the backoff.
    WithJitter,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            retry: Retry::WithJitter,
            backoff: Duration::from_millis(100),
            timeout: Duration::from_secs(5),
            deadline: Duration::from_secs(30),
        }
    }
}

/// `[drain]`: a shutdown in the middle of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct DrainSettings {
    /// When it begins, in virtual time.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub after: Duration,
    /// How long conversations may go on before they are ended.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub within: Duration,
}

impl Default for DrainSettings {
    fn default() -> Self {
        Self { after: Duration::from_secs(1), within: Duration::from_secs(1) }
    }
}

/// `[chaos]`: users of a gateway whose network, disk and host fail, and what is promised all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct ChaosSettings {
    /// How long a start waits for a slot.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub waits: Duration,
    /// The share of conversations whose user goes away in the midst of something, without a word.
    #[schemars(extend("minimum" = 0, "maximum" = 1))]
    pub walks_away: f64,
    /// The share of conversations whose user ends it while the bot is still answering.
    #[schemars(extend("minimum" = 0, "maximum" = 1))]
    pub hangs_up: f64,
    /// Whether the gateway is shut down in the midst of it, as `[drain]` says, and started again.
    pub restarts: bool,
}

/// `[promises]`: when a gateway under `[chaos]` has to be well again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct PromiseSettings {
    /// When all faults are over, in virtual time: then everything is held against what was promised.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub calm_after: Duration,
    /// Within this time after that a newcomer is served.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub recovers_within: Duration,
}

impl Default for PromiseSettings {
    fn default() -> Self {
        Self { calm_after: Duration::from_secs(10), recovers_within: Duration::from_secs(5) }
    }
}

impl Default for ChaosSettings {
    fn default() -> Self {
        Self { waits: Duration::from_secs(2), walks_away: 0.0, hangs_up: 0.0, restarts: false }
    }
}

/// `[wall_clock]`: what happens to the time of day of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields, default)]
pub struct WallClockSettings {
    /// When it is set to another time.
    pub jumps: Vec<Jump>,
}

/// A jump of the wall clock: forward or back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(crate = "hyperlapse::schemars")]
#[serde(deny_unknown_fields)]
pub struct Jump {
    /// When, in virtual time.
    #[serde(with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub at: Duration,
    /// How far forward.
    #[serde(default, with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub forward: Duration,
    /// How far back.
    #[serde(default, with = "units::duration")]
    #[schemars(schema_with = "units::duration::json_schema")]
    pub back: Duration,
}
