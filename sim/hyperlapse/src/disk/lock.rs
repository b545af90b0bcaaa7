//! SQLite's locks on one file: many may read, one may prepare to write, one alone writes.
//!
//! The five levels and who excludes whom are those of *File Locking And Concurrency In SQLite Version 3*. Nobody
//! waits here: who cannot have a lock is told so, and SQLite's busy handler does the rest.

use std::collections::BTreeMap;

use crate::alloc;

/// How far a handle has locked a file; its numbers are SQLite's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    None,
    Shared,
    Reserved,
    Pending,
    Exclusive,
}

impl Level {
    pub(super) fn from_sqlite(level: i32) -> Self {
        match level {
            i32::MIN..=0 => Level::None,
            1 => Level::Shared,
            2 => Level::Reserved,
            3 => Level::Pending,
            4.. => Level::Exclusive,
        }
    }
}

/// Who has locked a file, and how far. Handles that have not are not in it.
#[derive(Debug, Clone, Default)]
pub(super) struct Locks {
    held: BTreeMap<u64, Level>,
}

impl Locks {
    fn highest_of_others(&self, handle: u64) -> Level {
        let others = self.held.iter().filter(|(of, _)| **of != handle);
        others.map(|(_, level)| *level).max().unwrap_or(Level::None)
    }

    /// Raises the lock of a handle; `false` where another's excludes that. On the way to an exclusive lock it may
    /// be left pending: no new reader then comes in.
    pub(super) fn raise(&mut self, handle: u64, wanted: Level) -> bool {
        let _uncounted = alloc::uncounted();
        let have = self.held.get(&handle).copied().unwrap_or(Level::None);
        if have >= wanted {
            return true;
        }
        let others = self.highest_of_others(handle);
        let free = match wanted {
            Level::None => true,
            Level::Shared => others < Level::Pending,
            Level::Reserved | Level::Pending => others < Level::Reserved,
            Level::Exclusive => others < Level::Shared,
        };
        if free {
            self.held.insert(handle, wanted);
        } else if wanted == Level::Exclusive && others < Level::Reserved {
            self.held.insert(handle, Level::Pending);
        }
        free
    }

    /// Lowers the lock of a handle to shared or none.
    pub(super) fn lower(&mut self, handle: u64, to: Level) {
        let _uncounted = alloc::uncounted();
        match to {
            Level::None => self.held.remove(&handle),
            level => self.held.get(&handle).filter(|have| **have > level).is_some().then(|| {
                self.held.insert(handle, level);
                level
            }),
        };
    }

    /// Whether somebody else prepares to write, or writes.
    pub(super) fn reserved(&self) -> bool {
        self.held.values().any(|level| *level >= Level::Reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_prepares_while_others_read_and_writes_alone() {
        let mut locks = Locks::default();
        assert!(locks.raise(1, Level::Shared) && locks.raise(2, Level::Shared));
        assert!(locks.raise(1, Level::Reserved));
        assert!(!locks.raise(2, Level::Reserved));
        assert!(locks.raise(3, Level::Shared), "readers still come in");
        assert!(!locks.raise(1, Level::Exclusive));
        assert!(!locks.raise(4, Level::Shared), "none come in while somebody waits to write");
        locks.lower(2, Level::None);
        locks.lower(3, Level::None);
        assert!(locks.raise(1, Level::Exclusive));
        locks.lower(1, Level::Shared);
        assert!(!locks.reserved() && locks.raise(4, Level::Shared));
    }
}
