//! Those who wait: first come first served among those who may start.
//!
//! Each user has a queue of their own. The head of every queue whose user is below their own limit stands in
//! `eligible`, ordered by ticket, so a free slot finds who is next in O(log n), and a user at their own
//! limit, who is not in it, holds up nobody. A grant makes the conversation in the waiter's name at once; what
//! the waiter sees later, or does not live to see, is a slot that it owns.

use std::time::Duration;

use super::effects::{Effects, Outcome, Signal, Transition};
use super::list::{Key, Link, Node};
use super::users::Name;
use super::{Grant, State};
use crate::clock::Timestamp;
use crate::refusal::Refused;
use crate::request::Place;

/// The place in the order of arrival.
pub(crate) type Ticket = u64;

pub(super) struct Waiter<W> {
    ticket: Ticket,
    since: Timestamp,
    until: Timestamp,
    place: Place,
    link: Link,
    state: Waiting<W>,
}

enum Waiting<W> {
    /// In the queue of the user.
    Queued { user: Key, signal: W },
    /// Out of it, with a conversation that now is the waiter's.
    Granted(Grant),
    /// Out of it, with nothing.
    Refused(Refused),
}

impl<W> Node<0> for Waiter<W> {
    fn link(&self) -> &Link {
        &self.link
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

/// What became of a request that is willing to wait.
pub(crate) enum Entered {
    Granted(Grant),
    Refused(Refused),
    /// It waits in this place, until then.
    Waits {
        place: Key,
        until: Timestamp,
    },
}

/// What a waiter finds when it looks.
pub(crate) enum Wait {
    Granted(Grant),
    Refused(Refused),
    Pending,
}

impl<W: Signal> State<W> {
    /// Starts a conversation now, or waits for at most `within` for a slot.
    pub(crate) fn start(
        &mut self,
        now: Timestamp,
        name: Name<'_>,
        place: &Place,
        within: Option<u64>,
        signal: &W,
        fx: &mut Effects<W>,
    ) -> Entered {
        self.settle(now, fx);
        let refused = match self.admit(name, place, fx) {
            Ok(grant) => return Entered::Granted(grant),
            Err(Refused::GlobalLimit { .. } | Refused::UserLimit { .. }) => {
                if self.waiting >= self.limits.max_waiting {
                    Refused::QueueFull { waiting: self.waiting, limit: self.limits.max_waiting }
                } else if within == Some(0) {
                    Refused::TimedOut { waited: Duration::ZERO }
                } else {
                    let until = within.map_or(Timestamp::MAX, |within| self.now.plus(within));
                    return Entered::Waits {
                        place: self.enqueue(name, place.clone(), until, signal.clone(), fx),
                        until,
                    };
                }
            }
            Err(refused) => refused,
        };
        Entered::Refused(self.refuse(name.user, refused, fx))
    }

    fn enqueue(
        &mut self,
        name: Name<'_>,
        place: Place,
        until: Timestamp,
        signal: W,
        fx: &mut Effects<W>,
    ) -> Key {
        let user = self.users.key_of(name);
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let state = Waiting::Queued { user, signal };
        let waiter = Waiter { ticket, since: self.now, until, place, link: Link::NONE, state };
        let key = self.waiters.insert(waiter) as Key;
        self.users[user].queue.push_back(&mut self.waiters, key);
        self.requalify(user);
        if until < Timestamp::MAX {
            self.impatient.insert((until, ticket, key));
            self.due = self.due.min(until.plus(1));
        }
        self.waiting += 1;
        self.peak_waiting = self.peak_waiting.max(self.waiting);
        fx.note(|| Transition::Queued { user: name.user.clone(), waiting: self.waiting });
        key
    }

    /// Looks after a waiter; registers to be told if it still waits. Unless it does, the place is gone.
    pub(crate) fn poll_wait(
        &mut self,
        now: Timestamp,
        place: Key,
        signal: &W,
        fx: &mut Effects<W>,
    ) -> Wait {
        self.settle(now, fx);
        let waiter = &mut self.waiters[place as usize];
        if let Waiting::Queued { signal: known, .. } = &mut waiter.state {
            if self.now < waiter.until {
                if !known.tells_same(signal) {
                    fx.retire.push(std::mem::replace(known, signal.clone()));
                }
                return Wait::Pending;
            }
            // At the very deadline a slot that is free still counts (settling has seen to it); none was.
            let retired = self.time_out(place, fx);
            fx.retire.push(retired);
        }
        match self.waiters.remove(place as usize).state {
            Waiting::Granted(grant) => Wait::Granted(grant),
            Waiting::Refused(refused) => Wait::Refused(refused),
            Waiting::Queued { .. } => unreachable!("it has just been refused"),
        }
    }

    /// The waiter is gone. What it waited for passes on to the next.
    pub(crate) fn cancel_wait(&mut self, now: Timestamp, place: Key, fx: &mut Effects<W>) {
        self.settle(now, fx);
        match self.waiters[place as usize].state {
            Waiting::Queued { user, .. } => {
                self.cancelled_waits += 1;
                let waited = self.now.saturating_since(self.waiters[place as usize].since);
                fx.note(|| Transition::WaitCancelled {
                    user: self.users[user].name.clone(),
                    waited,
                });
                let signal = self.leave_queue(place, Waiting::Refused(Refused::ShuttingDown));
                fx.retire.extend(signal);
                self.users.forget_if_gone(user);
                self.waiters.remove(place as usize);
            }
            Waiting::Granted(grant) => {
                self.waiters.remove(place as usize);
                // An `Err` means that the conversation had expired unseen: nothing is left to give back.
                let _ = self.finish(now, grant.slot, Outcome::Abandoned, fx);
            }
            Waiting::Refused(_) => drop(self.waiters.remove(place as usize)),
        }
    }

    /// Gives free slots to those who are next.
    #[inline]
    pub(super) fn pump(&mut self, fx: &mut Effects<W>) {
        if !self.eligible.is_empty() {
            self.grant_free_slots(fx);
        }
    }

    #[cold]
    fn grant_free_slots(&mut self, fx: &mut Effects<W>) {
        while (self.active as usize) < self.limits.max_concurrent {
            let Some((_, user)) = self.eligible.pop_first() else {
                break;
            };
            let Some(key) = self.users[user].queue.front() else {
                continue;
            };
            let waiter = &mut self.waiters[key as usize];
            let waited = self.now.saturating_since(waiter.since);
            let place = std::mem::take(&mut waiter.place);
            let grant = self.open(user, place, waited, fx);
            fx.wake.extend(self.leave_queue(key, Waiting::Granted(grant)));
        }
    }

    /// Refuses a waiter whose deadline has come; how to tell it is left to the caller.
    pub(super) fn time_out(&mut self, key: Key, fx: &mut Effects<W>) -> W {
        let waited = self.now.saturating_since(self.waiters[key as usize].since);
        self.refuse_waiter(key, Refused::TimedOut { waited }, fx)
    }

    pub(super) fn refuse_waiter(&mut self, key: Key, refused: Refused, fx: &mut Effects<W>) -> W {
        let Waiting::Queued { user, .. } = self.waiters[key as usize].state else {
            unreachable!("only those who wait are refused");
        };
        let name = self.users[user].name.clone();
        let refused = self.refuse(&name, refused, fx);
        let signal = self.leave_queue(key, Waiting::Refused(refused));
        self.users.forget_if_gone(user);
        signal.expect("it was queued")
    }

    /// Refuses all who wait, first come first. Returns how many.
    pub(super) fn refuse_all(&mut self, fx: &mut Effects<W>) -> u64 {
        let queued = |(key, waiter): (usize, &Waiter<W>)| {
            matches!(waiter.state, Waiting::Queued { .. }).then_some((waiter.ticket, key as Key))
        };
        let mut queued: Vec<_> = self.waiters.iter().filter_map(queued).collect();
        queued.sort_unstable();
        for &(_, key) in &queued {
            let signal = self.refuse_waiter(key, Refused::ShuttingDown, fx);
            fx.wake.push(signal);
        }
        queued.len() as u64
    }

    /// Takes a waiter out of the queue of its user and puts it into the state given. Returns how to tell it.
    fn leave_queue(&mut self, key: Key, state: Waiting<W>) -> Option<W> {
        let waiter = &mut self.waiters[key as usize];
        let (ticket, until) = (waiter.ticket, waiter.until);
        let Waiting::Queued { user, signal } = std::mem::replace(&mut waiter.state, state) else {
            return None;
        };
        self.users[user].queue.unlink(&mut self.waiters, key);
        self.eligible.remove(&ticket);
        self.requalify(user);
        if until < Timestamp::MAX {
            self.impatient.remove(&(until, ticket, key));
        }
        self.waiting -= 1;
        Some(signal)
    }

    /// Puts the head of the user's queue among the eligible, or takes it out, as the user's count says.
    #[inline]
    pub(super) fn requalify(&mut self, user: Key) {
        let entry = &self.users[user];
        let Some(head) = entry.queue.front() else {
            return;
        };
        let ticket = self.waiters[head as usize].ticket;
        if (entry.active as usize) < self.limits.max_per_user {
            self.eligible.insert(ticket, user);
        } else {
            self.eligible.remove(&ticket);
        }
    }

    /// [`Self::requalify`] for everyone, after the limits have changed.
    pub(super) fn requalify_all(&mut self) {
        self.eligible.clear();
        for (key, user) in self.users.iter() {
            if let Some(head) = user.queue.front()
                && (user.active as usize) < self.limits.max_per_user
            {
                self.eligible.insert(self.waiters[head as usize].ticket, key);
            }
        }
    }
}
