//! The wall clock of a run, as production takes one.

use conversation_manager::store::{UnixMillis, WallClock};
use hyperlapse::Sim;

use crate::settings::WallClockSettings;

/// The run's wall clock, as far as the scenario leaves it alone.
pub(crate) struct Wall(Sim);

impl Wall {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self(sim.clone())
    }

    pub(crate) fn millis(&self) -> UnixMillis {
        let since = self.0.wall_clock().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let WallClockSettings { jumps } = self.0.settings();
        let jumped = jumps.iter().filter(|jump| jump.at <= self.0.now());
        let by = jumped.map(|jump| jump.forward.as_millis() as i64 - jump.back.as_millis() as i64);
        UnixMillis(since.as_millis() as i64 + by.sum::<i64>())
    }
}

impl WallClock for Wall {
    fn now(&self) -> UnixMillis {
        self.millis()
    }
}
