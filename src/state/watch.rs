//! Those who want to hear of something once: the end of a conversation, or of all of them.
//!
//! Each is a node in one of many short lists in one slab, so a conversation that nobody watches pays for two
//! words, and any number of futures can watch the same one.

use slab::Slab;

use super::State;
use super::effects::{Effects, Signal};
use super::list::{Key, Link, List, Node};
use crate::clock::Timestamp;
use crate::refusal::Expiry;

pub(super) struct Watcher<W> {
    pub(super) signal: W,
    link: Link,
}

impl<W> Node<0> for Watcher<W> {
    fn link(&self) -> &Link {
        &self.link
    }
    fn link_mut(&mut self) -> &mut Link {
        &mut self.link
    }
}

impl<W: Signal> State<W> {
    /// How the manager ended the conversation, if it did; else registers to be told. `key` is what an earlier
    /// call registered.
    pub(crate) fn poll_expired(
        &mut self,
        now: Timestamp,
        slot: Key,
        key: &mut Option<Key>,
        signal: &W,
        fx: &mut Effects<W>,
    ) -> Option<Expiry> {
        self.settle(now, fx);
        let found = &mut self.slots[slot as usize];
        if found.expired.is_some() {
            *key = None;
        } else {
            watch(&mut self.watchers, &mut found.watchers, key, signal, fx);
        }
        found.expired
    }

    /// Whether an earlier [`Self::poll_expired`] has said all there is to say: the conversation goes on, and the
    /// same signal is registered. Then there is no need to know the time: whoever settles what is due gives
    /// the signal.
    pub(crate) fn still_watches(&self, slot: Key, key: Key, signal: &W) -> bool {
        self.slots[slot as usize].expired.is_none()
            && self.watchers[key as usize].signal.tells_same(signal)
    }

    /// Takes back what [`Self::poll_expired`] registered, to be dropped outside of the lock.
    pub(crate) fn unwatch(&mut self, slot: Key, key: Key) -> Option<W> {
        let found = &mut self.slots[slot as usize];
        if found.expired.is_some() {
            return None;
        }
        found.watchers.unlink(&mut self.watchers, key);
        Some(self.watchers.remove(key as usize).signal)
    }
}

/// Puts `signal` in the list, or in the place of the one that an earlier call put there.
pub(super) fn watch<W: Signal>(
    watchers: &mut Slab<Watcher<W>>,
    list: &mut List<0>,
    key: &mut Option<Key>,
    signal: &W,
    fx: &mut Effects<W>,
) {
    match *key {
        Some(key) => {
            let known = &mut watchers[key as usize].signal;
            if !known.tells_same(signal) {
                fx.retire.push(std::mem::replace(known, signal.clone()));
            }
        }
        None => {
            let new = watchers.insert(Watcher { signal: signal.clone(), link: Link::NONE }) as Key;
            list.push_back(watchers, new);
            *key = Some(new);
        }
    }
}
