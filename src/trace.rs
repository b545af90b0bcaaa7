//! Every transition as a `tracing` event, target `conversation_manager`.
//!
//! Levels: `info` for what an operator does (resize, shutdown), `debug` for what happens to conversations and
//! requests, `trace` for touches. Events are emitted after the lock is released, so a slow subscriber holds up
//! nobody else, and events of operations on different threads can arrive in another order than they happened
//! in. With nobody listening, an operation pays for one check of the level.

use tracing::{Level, debug, enabled, info, trace};

use crate::state::effects::{Outcome, Transition};

const TARGET: &str = "conversation_manager";

/// Whether anybody listens to what happens to conversations.
#[inline]
pub(crate) fn conversations_are_heard() -> bool {
    enabled!(target: TARGET, Level::DEBUG)
}

/// Whether anybody listens to what an operator does.
pub(crate) fn operators_are_heard() -> bool {
    enabled!(target: TARGET, Level::INFO)
}

#[cold]
pub(crate) fn tell(log: Vec<Transition>) {
    for transition in log {
        match transition {
            Transition::Started { id, user, waited } => {
                debug!(target: TARGET, %id, %user, ?waited, "conversation started");
            }
            Transition::Queued { user, waiting } => {
                debug!(target: TARGET, %user, waiting, "request waits");
            }
            Transition::WaitCancelled { user, waited } => {
                debug!(target: TARGET, %user, ?waited, "request cancelled");
            }
            Transition::Refused { user, refused } => {
                debug!(target: TARGET, %user, reason = refused.reason(), "request refused: {refused}");
            }
            Transition::Touched { id } => {
                trace!(target: TARGET, %id, "conversation touched");
            }
            Transition::Ended { id, user, outcome, lasted } => match outcome {
                Outcome::Completed => {
                    debug!(target: TARGET, %id, %user, ?lasted, "conversation completed")
                }
                Outcome::Failed(reason) => {
                    debug!(target: TARGET, %id, %user, ?lasted, %reason, "conversation failed");
                }
                Outcome::Abandoned => {
                    debug!(target: TARGET, %id, %user, ?lasted, "conversation abandoned")
                }
            },
            Transition::Expired { id, user, how, lasted } => {
                debug!(target: TARGET, %id, %user, ?lasted, reason = how.reason(), "conversation expired");
            }
            Transition::Resized { limits } => {
                info!(
                    target: TARGET,
                    max_concurrent = limits.max_concurrent,
                    max_per_user = limits.max_per_user,
                    idle_timeout = ?limits.idle_timeout,
                    max_duration = ?limits.max_duration,
                    max_waiting = limits.max_waiting,
                    "limits changed"
                );
            }
            Transition::Closed { active, refused } => {
                info!(target: TARGET, active, refused, "shutting down: no more conversations start");
            }
        }
    }
}
