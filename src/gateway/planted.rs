//! Faults for a zoo: mistakes that pass a review, each at the place where it would be made.
//!
//! They are there for tests that prove that a simulation finds them, behind the feature `planted`. Without it
//! nobody can ask for one, and the compiler leaves nothing of them. With it a gateway is as right as without, until
//! `set` is called on the thread that it runs on; each place then costs a look at a thread-local.

use std::sync::Arc;
use std::time::Duration;

use super::progress::Progress;
use super::service::Shared;
use crate::conversation::Conversation;
use crate::store::{NewMessage, Role};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// A message is said to be accepted, and written down some milliseconds later.
    AcknowledgedEarly,
    /// Idempotency keys are not looked at.
    KeysForgotten,
    /// A start that waits for a slot goes on without its client; who then has the slot is nobody.
    SlotForNobody,
    /// A conversation that a restart takes in again takes a second slot.
    RecoveredTwice,
    /// What a reply has come to when its conversation ends is stored and served as the reply.
    HalfAReply,
    /// The messages of a conversation are given to whoever asks.
    TokenUnchecked,
}

#[cfg(feature = "planted")]
mod of_thread {
    use std::cell::Cell;

    use super::Planted;

    thread_local! {
        static PLANTED: Cell<Option<Planted>> = const { Cell::new(None) };
    }

    /// From here on every gateway that this thread polls has this mistake, or none.
    pub fn set(planted: Option<Planted>) {
        PLANTED.set(planted);
    }

    /// Whether this thread's gateways have it.
    pub(crate) fn is(planted: Planted) -> bool {
        PLANTED.get() == Some(planted)
    }
}

#[cfg(feature = "planted")]
pub(crate) use of_thread::is;
#[cfg(feature = "planted")]
pub use of_thread::set;

/// Never, without the feature.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is(_: Planted) -> bool {
    false
}

/// [`Planted::AcknowledgedEarly`]: the store hears of it later than the client. The turn goes on meanwhile.
pub(crate) async fn write_behind(shared: &Shared, conversation: i64) {
    const BEHIND_MS: u32 = 20;
    for _ in 0..BEHIND_MS {
        tokio::time::sleep(Duration::from_millis(1)).await;
        shared.live.touch_turn(conversation);
    }
}

/// [`Planted::SlotForNobody`] and [`Planted::RecoveredTwice`]: the slot is nobody's, and never given back.
pub(crate) fn lose(slot: Conversation) {
    std::mem::forget(slot);
}

/// [`Planted::HalfAReply`]: writes down what has been said so far.
pub(crate) async fn keep_half(shared: &Shared, conversation: i64, turn: &Arc<Progress>) {
    let (Some(asked), said) = (turn.accepted(), turn.reply()) else { return };
    if said.is_empty() {
        return;
    }
    let half = NewMessage {
        conversation,
        role: Role::Bot,
        text: said,
        key: None,
        reply_to: Some(asked),
        at: shared.now(),
    };
    // Whoever makes this mistake does not look whether it went well.
    let _ = shared.store.append(half).await;
}
