//! The manager as a state machine: no clock, no lock, no runtime.
//!
//! Every operation takes the time as an argument, settles what is due by then, decides, and returns what
//! is left to do as [`Effects`]. [`Shared`](crate::shared::Shared) puts a clock and a lock around it; a model
//! checker or a simulation can do the same with its own.
//!
//! The rooms: this file has the conversations and their slots; `queue` those who wait; `expiry` what time
//! does, and shutdown; `watch` those who want to hear of an end; `look` what there is to see; `users` the count
//! per user; `list` the orders that all of them stand in.
//!
//! Invariants, after every operation:
//! - a slot is free only if nobody who may start waits;
//! - `by_touch` is ordered by last touch and `by_start` by start: as the timeouts are the same for all, so
//!   are the deadlines, and the front is the next to expire;
//! - nothing is due before `due`;
//! - a slot is freed by its one owner (a handle, or a granted place in the queue), so its key needs no
//!   generation: a conversation that expired keeps its slot as a tombstone until the owner has seen it.

pub(crate) mod effects;
mod expiry;
mod list;
mod look;
mod queue;
mod users;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use slab::Slab;

use crate::clock::{Timestamp, saturating_nanos};
use crate::limits::Limits;
use crate::refusal::{Ended, Expiry, Refused};
use crate::request::{ConversationId, Place, UserId};
use crate::stats::{Endings, Refusals};

use effects::{Effects, Outcome, Signal, Transition};
pub(crate) use expiry::Drive;
use expiry::Driver;
pub(crate) use list::Key;
use list::{Link, List, Node};
pub(crate) use queue::{Entered, Wait};
use queue::{Ticket, Waiter};
pub(crate) use users::Name;
use users::Users;
use watch::Watcher;

/// The list of conversations by their last touch.
const TOUCH: usize = 0;
/// The list of conversations by their start.
const START: usize = 1;

pub(crate) struct State<W> {
    limits: Limits,
    /// The two timeouts of `limits`, in nanoseconds.
    idle_timeout: u64,
    max_duration: u64,
    /// The time of the last operation. Callers read their clocks before they have the lock, so one may come
    /// with an earlier time than the one before it; time stands still for that one.
    now: Timestamp,
    /// Nothing is due before.
    due: Timestamp,
    slots: Slab<Slot>,
    by_touch: List<TOUCH>,
    by_start: List<START>,
    active: u32,
    peak_active: u32,
    users: Users,
    waiters: Slab<Waiter<W>>,
    /// The first waiter of each user who is below their own limit, by ticket.
    eligible: BTreeMap<Ticket, Key>,
    /// Waiters with a deadline: the next to time out is the first.
    impatient: BTreeSet<(Timestamp, Ticket, Key)>,
    waiting: usize,
    peak_waiting: usize,
    next_ticket: u64,
    /// Those who want to hear of something once: the end of a conversation, or of all of them.
    watchers: Slab<Watcher<W>>,
    drains: List<0>,
    drivers: Slab<Driver<W>>,
    /// The earliest time at which a driver looks again; the origin if there is no driver to wake.
    armed: Timestamp,
    closing: bool,
    started_total: u64,
    refused: Refusals,
    ended: Endings,
    cancelled_waits: u64,
}

/// A conversation, or the tombstone of one that expired.
struct Slot {
    id: ConversationId,
    started: Timestamp,
    touched: Timestamp,
    links: [Link; 2],
    watchers: List<0>,
    place: Place,
    /// Valid while the conversation is active.
    user: Key,
    expired: Option<Expiry>,
}

impl Node<TOUCH> for Slot {
    fn link(&self) -> &Link {
        &self.links[TOUCH]
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.links[TOUCH]
    }
}

impl Node<START> for Slot {
    fn link(&self) -> &Link {
        &self.links[START]
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.links[START]
    }
}

/// A slot that now belongs to whoever holds this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) slot: Key,
    pub(crate) id: ConversationId,
    pub(crate) started: Timestamp,
    pub(crate) waited: Duration,
}

impl<W: Signal> State<W> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            idle_timeout: saturating_nanos(limits.idle_timeout),
            max_duration: saturating_nanos(limits.max_duration),
            now: Timestamp::ZERO,
            due: Timestamp::MAX,
            slots: Slab::new(),
            by_touch: List::EMPTY,
            by_start: List::EMPTY,
            active: 0,
            peak_active: 0,
            users: Users::new(),
            waiters: Slab::new(),
            eligible: BTreeMap::new(),
            impatient: BTreeSet::new(),
            waiting: 0,
            peak_waiting: 0,
            next_ticket: 0,
            watchers: Slab::new(),
            drains: List::EMPTY,
            drivers: Slab::new(),
            armed: Timestamp::ZERO,
            closing: false,
            started_total: 0,
            refused: Refusals::default(),
            ended: Endings::default(),
            cancelled_waits: 0,
        }
    }

    /// Starts a conversation now or says why not.
    #[inline]
    pub(crate) fn try_start(
        &mut self,
        now: Timestamp,
        name: Name<'_>,
        place: &Place,
        fx: &mut Effects<W>,
    ) -> Result<Grant, Refused> {
        self.settle(now, fx);
        self.admit(name, place, fx).map_err(|refused| self.refuse(name.user, refused, fx))
    }

    /// As [`Self::try_start`], without settling and without counting a refusal.
    #[inline]
    fn admit(
        &mut self,
        name: Name<'_>,
        place: &Place,
        fx: &mut Effects<W>,
    ) -> Result<Grant, Refused> {
        if self.closing {
            return Err(Refused::ShuttingDown);
        }
        if self.active as usize >= self.limits.max_concurrent {
            return Err(Refused::GlobalLimit {
                active: self.active as usize,
                limit: self.limits.max_concurrent,
            });
        }
        let user = self.users.key_of(name);
        let active = self.users[user].active as usize;
        if active >= self.limits.max_per_user {
            let limit = self.limits.max_per_user;
            return Err(Refused::UserLimit { user: name.user.clone(), active, limit });
        }
        Ok(self.open(user, place.clone(), Duration::ZERO, fx))
    }

    /// Counts a refusal.
    #[cold]
    fn refuse(&mut self, user: &UserId, refused: Refused, fx: &mut Effects<W>) -> Refused {
        let count = &mut self.refused;
        *match refused {
            Refused::GlobalLimit { .. } => &mut count.global_limit,
            Refused::UserLimit { .. } => &mut count.user_limit,
            Refused::QueueFull { .. } => &mut count.queue_full,
            Refused::TimedOut { .. } => &mut count.timed_out,
            Refused::ShuttingDown => &mut count.shutting_down,
        } += 1;
        fx.note(|| Transition::Refused { user: user.clone(), refused: refused.clone() });
        refused
    }

    /// Gives a slot to the user. The caller has checked that there is one.
    #[inline]
    fn open(&mut self, user: Key, place: Place, waited: Duration, fx: &mut Effects<W>) -> Grant {
        let now = self.now;
        self.started_total += 1;
        let id = ConversationId(self.started_total);
        let slot = Slot {
            id,
            started: now,
            touched: now,
            links: [Link::NONE; 2],
            watchers: List::EMPTY,
            place,
            user,
            expired: None,
        };
        let slot = self.slots.insert(slot) as Key;
        self.by_touch.push_back(&mut self.slots, slot);
        self.by_start.push_back(&mut self.slots, slot);
        self.users[user].active += 1;
        self.active += 1;
        self.peak_active = self.peak_active.max(self.active);
        let deadline = now.plus(self.idle_timeout.min(self.max_duration));
        self.due = self.due.min(deadline);
        if deadline < self.armed {
            self.wake_drivers(fx);
        }
        fx.note(|| Transition::Started { id, user: self.users[user].name.clone(), waited });
        Grant { slot, id, started: now, waited }
    }

    /// Moves the idle deadline of a conversation, unless it has been reached.
    #[inline]
    pub(crate) fn touch(
        &mut self,
        now: Timestamp,
        slot: Key,
        fx: &mut Effects<W>,
    ) -> Result<(), Ended> {
        self.settle(now, fx);
        let found = &mut self.slots[slot as usize];
        let id = found.id;
        if let Some(how) = found.expired {
            return Err(Ended { id, how });
        }
        found.touched = self.now;
        self.by_touch.move_to_back(&mut self.slots, slot);
        fx.note(|| Transition::Touched { id });
        Ok(())
    }

    /// Ends a conversation in the name of its owner, who gives the slot back even if it had expired.
    #[inline]
    pub(crate) fn finish(
        &mut self,
        now: Timestamp,
        slot: Key,
        outcome: Outcome,
        fx: &mut Effects<W>,
    ) -> Result<(), Ended> {
        self.settle(now, fx);
        let found = &self.slots[slot as usize];
        let result = match found.expired {
            Some(how) => Err(Ended { id: found.id, how }),
            None => {
                *match outcome {
                    Outcome::Completed => &mut self.ended.completed,
                    Outcome::Failed(_) => &mut self.ended.failed,
                    Outcome::Abandoned => &mut self.ended.abandoned,
                } += 1;
                fx.note(|| Transition::Ended {
                    id: found.id,
                    user: self.users[found.user].name.clone(),
                    outcome,
                    lasted: self.now.saturating_since(found.started),
                });
                self.close(slot, fx);
                Ok(())
            }
        };
        // There are watchers left only if someone forgot (`mem::forget`) the future that watched.
        let mut watchers = self.slots.remove(slot as usize).watchers;
        while let Some(key) = watchers.front() {
            watchers.unlink(&mut self.watchers, key);
            fx.retire.push(self.watchers.remove(key as usize).signal);
        }
        self.pump(fx);
        result
    }

    /// Takes an active conversation out of all counts. Its slot stays; who may start now is not looked for.
    #[inline]
    fn close(&mut self, slot: Key, fx: &mut Effects<W>) {
        self.by_touch.unlink(&mut self.slots, slot);
        self.by_start.unlink(&mut self.slots, slot);
        let user = self.slots[slot as usize].user;
        self.users[user].active -= 1;
        self.active -= 1;
        self.requalify(user);
        self.users.forget_if_gone(user);
        if self.closing && self.active == 0 {
            self.announce_empty(fx);
        }
    }

    /// Ends a conversation in the name of the manager.
    fn expire(&mut self, slot: Key, how: Expiry, fx: &mut Effects<W>) {
        *match how {
            Expiry::Idle => &mut self.ended.expired_idle,
            Expiry::MaxDuration => &mut self.ended.expired_duration,
            Expiry::ShutDown => &mut self.ended.expired_shutdown,
        } += 1;
        let found = &mut self.slots[slot as usize];
        found.expired = Some(how);
        let mut watchers = std::mem::replace(&mut found.watchers, List::EMPTY);
        let (id, user, lasted) = (found.id, found.user, self.now.saturating_since(found.started));
        while let Some(key) = watchers.front() {
            watchers.unlink(&mut self.watchers, key);
            fx.wake.push(self.watchers.remove(key as usize).signal);
        }
        fx.note(|| Transition::Expired { id, user: self.users[user].name.clone(), how, lasted });
        self.close(slot, fx);
    }
}
