//! A mistake in the gateway of this run.

use conversation_manager::gateway::planted::{self, Planted};

/// The gateways of this thread have the mistake until it is dropped. A run has its thread for itself.
pub(super) struct Mistake(());

impl Mistake {
    pub(super) fn plant(mistake: Planted) -> Self {
        planted::set(Some(mistake));
        Self(())
    }
}

impl Drop for Mistake {
    fn drop(&mut self) {
        planted::set(None);
    }
}
