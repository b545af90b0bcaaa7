//! Who talks or waits, and how much: one entry per user, gone as soon as they do neither.
//!
//! Names are found through a hash table of keys. The hash is computed by the caller, before the lock, and
//! kept in the entry, so that neither growing the table nor leaving it hashes a name again. The table is
//! never iterated: nothing that can be observed depends on its order.

use std::ops::{Index, IndexMut};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use slab::Slab;

use super::list::{Key, List};
use crate::request::UserId;

/// A user's name with its hash.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    pub(crate) user: &'a UserId,
    pub(crate) hash: u64,
}

/// A user who talks or waits.
pub(crate) struct User {
    pub(crate) name: UserId,
    hash: u64,
    /// Active conversations.
    pub(crate) active: u32,
    /// Their waiting requests, first come first.
    pub(crate) queue: List<0>,
}

pub(crate) struct Users {
    keys: HashTable<Key>,
    entries: Slab<User>,
}

impl Users {
    pub(crate) fn new() -> Self {
        Self { keys: HashTable::new(), entries: Slab::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The key of the user, who is added if they neither talk nor wait yet.
    #[inline]
    pub(crate) fn key_of(&mut self, name: Name<'_>) -> Key {
        let entries = &mut self.entries;
        let entry = self.keys.entry(
            name.hash,
            |&key| entries[key as usize].name == *name.user,
            |&key| entries[key as usize].hash,
        );
        match entry {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(place) => {
                let user = User {
                    name: name.user.clone(),
                    hash: name.hash,
                    active: 0,
                    queue: List::EMPTY,
                };
                let key = entries.insert(user) as Key;
                place.insert(key);
                key
            }
        }
    }

    /// Forgets the user if they neither talk nor wait.
    #[inline]
    pub(crate) fn forget_if_gone(&mut self, key: Key) {
        let user = &self.entries[key as usize];
        if user.active == 0 && user.queue.is_empty() {
            if let Ok(found) = self.keys.find_entry(user.hash, |&other| other == key) {
                found.remove();
            }
            self.entries.remove(key as usize);
        }
    }

    /// All users, in the order of their keys, which depends on nothing but the calls before.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &User)> {
        self.entries.iter().map(|(key, user)| (key as Key, user))
    }
}

impl Index<Key> for Users {
    type Output = User;

    #[inline]
    fn index(&self, key: Key) -> &User {
        &self.entries[key as usize]
    }
}

impl IndexMut<Key> for Users {
    #[inline]
    fn index_mut(&mut self, key: Key) -> &mut User {
        &mut self.entries[key as usize]
    }
}
