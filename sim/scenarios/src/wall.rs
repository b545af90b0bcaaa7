//! The wall clock of a run, as production takes one.

use conversation_manager::store::{UnixMillis, WallClock};
use hyperlapse::Sim;

/// The run's wall clock.
pub(crate) struct Wall(Sim);

impl Wall {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self(sim.clone())
    }

    pub(crate) fn millis(&self) -> UnixMillis {
        let since = self.0.wall_clock().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(since.as_millis() as i64)
    }
}

impl WallClock for Wall {
    fn now(&self) -> UnixMillis {
        self.millis()
    }
}
