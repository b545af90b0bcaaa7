//! Ends what is over its time.

use std::sync::{Arc, Weak};

use conversation_manager::{Limits, UserId};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::{Active, Mistake, Shared, State};
use crate::bot::Reason;

/// When a conversation ends by itself.
pub(super) fn deadline(limits: &Limits, conversation: &Active) -> Instant {
    (conversation.started + limits.max_duration).min(conversation.touched + limits.idle_timeout)
}

/// Why a conversation is due to end, if it is.
pub(super) fn due(limits: &Limits, conversation: &Active) -> Option<Reason> {
    let now = Instant::now();
    if now >= conversation.started + limits.max_duration {
        Some("max duration")
    } else if now >= conversation.touched + limits.idle_timeout {
        Some("idle")
    } else {
        None
    }
}

impl<M: Mistake> Shared<M> {
    /// Ends what is due, in the order of ids.
    pub(super) fn expire_due(&self, state: &mut State) {
        for Due { id, why, .. } in state.due() {
            debug!("a conversation is over its time: {why}");
            state.expired.insert(id, why);
            self.finish(state, id);
        }
    }
}

/// A conversation that is over its time.
struct Due {
    id: u64,
    user: UserId,
    why: Reason,
}

impl State {
    fn due(&self) -> Vec<Due> {
        let due = |(id, c): (&u64, &Active)| {
            due(&self.limits, c).map(|why| Due { id: *id, user: c.user.clone(), why })
        };
        self.active.iter().filter_map(due).collect()
    }
}

/// Ends conversations when they are due, until the bot is gone.
pub(super) async fn run<M: Mistake>(bot: Weak<Shared<M>>) {
    loop {
        let Some(shared) = bot.upgrade() else { return };
        let begun = Arc::clone(&shared.begun);
        let next = {
            let state = shared.lock();
            state.active.values().map(|c| deadline(&state.limits, c)).min()
        };
        drop(shared);
        match next {
            // What begins later is due later than what there is.
            None => begun.notified().await,
            Some(next) => sleep_until(next).await,
        }
        let Some(shared) = bot.upgrade() else { return };
        if M::EXPIRES_IN_ONE_GO {
            shared.expire_due(&mut shared.lock());
            continue;
        }
        let due = shared.lock().due();
        for Due { id, user, why } in due {
            // It is taken down what was said, before it is over.
            let _profile = shared.profiles.lock().await;
            let mut state = shared.lock();
            debug!("a conversation is over its time: {why}");
            state.active.remove(&id);
            state.expired.insert(id, why);
            shared.give_back(&mut state, &user);
        }
    }
}
