//! What users who loop have in common: when they come, how they pause, when they must stop.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Distribution, InvalidField};
use crate::units;

/// How users loop. In a scenario file its keys stand beside those of the workload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rhythm {
    /// Time that a user waits after an iteration (think time).
    pub pause: Distribution,
    /// Time from the beginning of an iteration to that of the next; one that takes longer is followed at
    /// once (after its pause, where there is one).
    pub pacing: Distribution,
    /// Over how long the users arrive, each at an offset that the seed draws.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub spread: Duration,
    /// How long after the end of its load an iteration under way may go on before it is cut; it is never cut where this
    /// is left out.
    #[serde(with = "crate::units::duration::option")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub graceful_stop: Option<Duration>,
}

impl Rhythm {
    /// Its keys in a scenario file.
    pub(crate) const KEYS: &[&str] = &["pause", "pacing", "spread", "graceful_stop"];

    pub(super) fn validate(&self) -> Result<(), InvalidField> {
        self.pause.validate("pause")?;
        self.pacing.validate("pacing")
    }

    /// Words for a report, with a comma in front.
    pub(super) fn describe(&self) -> String {
        let mut text = self.pause.describe(", pausing ");
        text.push_str(&self.pacing.describe(", paced "));
        if !self.spread.is_zero() {
            text.push_str(&format!(", arriving over {}", units::text(self.spread)));
        }
        if let Some(stop) = self.graceful_stop {
            text.push_str(&format!(", cut {} after the end", units::text(stop)));
        }
        text
    }
}

/// The methods of a workload whose users loop.
macro_rules! looping {
    ($workload:ident) => {
        impl $workload {
            /// With this pause after each iteration.
            pub fn pause(mut self, pause: impl Into<$crate::workload::Distribution>) -> Self {
                self.rhythm.pause = pause.into();
                self
            }

            /// With this time from the beginning of an iteration to that of the next.
            pub fn pacing(mut self, pacing: impl Into<$crate::workload::Distribution>) -> Self {
                self.rhythm.pacing = pacing.into();
                self
            }

            /// Arriving over this long instead of at one instant.
            pub fn spread(mut self, spread: std::time::Duration) -> Self {
                self.rhythm.spread = spread;
                self
            }

            /// Iterations under way are cut this long after the end of the load.
            pub fn graceful_stop(mut self, after: std::time::Duration) -> Self {
                self.rhythm.graceful_stop = Some(after);
                self
            }
        }
    };
}
pub(super) use looping;
