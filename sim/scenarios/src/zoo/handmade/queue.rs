//! Waiting for a slot, in the order of asking.

use std::sync::Arc;

use conversation_manager::UserId;
use tokio::sync::{Notify, oneshot};
use tracing::debug;

use super::{Mistake, Shared, Slot, State};
use crate::bot::Reason;

/// Somebody who waits.
pub(super) struct Waiter {
    pub(super) ticket: u64,
    pub(super) user: UserId,
    pub(super) call: Call,
}

/// How somebody who waits hears that it is their turn.
pub(super) enum Call {
    /// The slot is theirs, or there will be none.
    Hand(oneshot::Sender<Result<Slot, Reason>>),
    /// There is a slot: whoever looks first has it.
    Look(Arc<Notify>),
}

/// Somebody's place in the queue. Giving it up passes on what was granted meanwhile.
pub(super) struct Place<'a, M: Mistake> {
    pub(super) bot: &'a Shared<M>,
    pub(super) ticket: u64,
    pub(super) user: UserId,
    pub(super) granted: oneshot::Receiver<Result<Slot, Reason>>,
    pub(super) look: Option<Arc<Notify>>,
}

impl<M: Mistake> Shared<M> {
    /// A place at the end of the queue.
    pub(super) fn queue<'a>(&'a self, state: &mut State, user: &UserId) -> Place<'a, M> {
        let (grant, granted) = oneshot::channel();
        let ticket = state.tickets;
        state.tickets += 1;
        let look = (!M::HANDS_OVER).then(Arc::<Notify>::default);
        let call = look.clone().map_or(Call::Hand(grant), Call::Look);
        debug!("{user} waits");
        state.queue.push_back(Waiter { ticket, user: user.clone(), call });
        Place { bot: self, ticket, user: user.clone(), granted, look }
    }

    /// Lets in everybody who may start, in the order of the queue.
    pub(super) fn admit(&self, state: &mut State) {
        let (mut place, mut told) = (0, 0);
        while place < state.queue.len() {
            let user = state.queue[place].user.clone();
            if Self::refusal(state, told, &user).is_some() {
                if !M::LETS_OTHERS_PASS {
                    break;
                }
                place += 1;
                continue;
            }
            let waiter = state.queue.remove(place).expect("the place is within the queue");
            match waiter.call {
                Call::Look(look) => {
                    debug!("{user} is told that there is a slot");
                    told += 1;
                    look.notify_one();
                }
                Call::Hand(grant) => {
                    debug!("{user} is granted a slot");
                    let slot = Self::begin(state, &user);
                    if grant.send(Ok(slot)).is_err() {
                        // Gone while it waited: it never was.
                        state.counts.started -= 1;
                        self.finish(state, slot.id);
                    }
                }
            }
        }
    }
}

impl<M: Mistake> Place<'_, M> {
    /// Waits for a slot.
    pub(super) async fn turn(&mut self) -> Result<Slot, Reason> {
        let Some(look) = self.look.clone() else {
            let granted = (&mut self.granted).await;
            return granted.expect("a waiter is answered before the bot is gone");
        };
        loop {
            look.notified().await;
            let mut state = self.bot.lock();
            match Shared::<M>::refusal(&state, 0, &self.user) {
                None => return Ok(Shared::<M>::begin(&mut state, &self.user)),
                Some(reason @ "shutting down") => return Err(reason),
                // Somebody was faster.
                Some(_) => debug!("{} finds the slot taken, and waits on", self.user),
            }
        }
    }
}

impl<M: Mistake> Drop for Place<'_, M> {
    fn drop(&mut self) {
        let mut state = self.bot.lock();
        if M::LEAVES_THE_QUEUE {
            state.queue.retain(|waiter| waiter.ticket != self.ticket);
        }
        // Empty when the grant was taken.
        let Ok(Ok(Slot { id, .. })) = self.granted.try_recv() else { return };
        debug!("{} is gone, and had been granted a slot", self.user);
        if !M::PASSES_A_GRANT_ON {
            return;
        }
        if !M::COUNTS_USERS_DOWN {
            state.active.remove(&id);
            state.free += 1;
            self.bot.admit(&mut state);
            return;
        }
        self.bot.finish(&mut state, id);
    }
}
