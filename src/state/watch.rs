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

    /// Takes back what [`Self::poll_expired`] registered.
    pub(crate) fn unwatch(&mut self, slot: Key, key: Key, fx: &mut Effects<W>) {
        let found = &mut self.slots[slot as usize];
        if found.expired.is_none() {
            found.watchers.unlink(&mut self.watchers, key);
            fx.retire.push(self.watchers.remove(key as usize).signal);
        }
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
