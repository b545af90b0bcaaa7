//! What all requests of a gateway share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::auth::Authenticator;
use super::live::Live;
use super::metrics::Metrics;
use super::options::GatewayOptions;
use super::problem::Problem;
use super::responder::Responder;
use super::tasks::Tasks;
use crate::manager::ConversationManager;
use crate::refusal::Refused;
use crate::store::{Store, StoreError, UnixMillis, WallClock};

/// The state of every handler and task.
pub(crate) type Shared = Arc<Service>;

pub(crate) struct Service {
    pub(crate) manager: ConversationManager,
    pub(crate) store: Store,
    pub(crate) wall: Arc<dyn WallClock>,
    pub(crate) responder: Arc<dyn Responder>,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) options: GatewayOptions,
    pub(crate) live: Live,
    pub(crate) metrics: Metrics,
    pub(crate) tasks: Tasks,
    pub(crate) draining: AtomicBool,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Service {
    pub(crate) fn now(&self) -> UnixMillis {
        self.wall.now()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// What a client is told of an error of the store; an operator sees it in the metrics and the log.
    pub(crate) fn store_failed(&self, error: &StoreError) -> Problem {
        self.metrics.store_error(error);
        tracing::warn!(%error, "the store has refused");
        Problem::of_store(error)
    }

    pub(crate) fn refused(&self, refused: &Refused) -> Problem {
        Problem::of_refusal(refused)
    }
}
