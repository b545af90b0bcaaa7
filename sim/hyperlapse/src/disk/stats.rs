//! What a disk has done, and what its last crash left.

use std::time::Duration;

use super::DiskOpKind;

/// What a crash left of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crash {
    /// Unsynced writes and changes of length that were there afterwards.
    pub kept: u64,
    /// Those that were there in part.
    pub torn: u64,
    /// Those that were not.
    pub lost: u64,
    /// Creations and deletions that had not happened afterwards.
    pub names_undone: u64,
}

/// What a disk has done: operations by kind, bytes, and the faults that struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DiskStats {
    /// Files that were opened.
    pub opens: u64,
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Changes of length.
    pub truncates: u64,
    /// Syncs of files.
    pub syncs: u64,
    /// Syncs of directories.
    pub directory_syncs: u64,
    /// Deletions.
    pub deletes: u64,
    /// Bytes that reads gave.
    pub bytes_read: u64,
    /// Bytes that writes took.
    pub bytes_written: u64,
    /// Bytes that syncs made durable.
    pub bytes_synced: u64,
    /// Operations that a fault made fail.
    pub errors: u64,
    /// Operations that found no room.
    pub refused_for_room: u64,
    /// Syncs that lied.
    pub lies: u64,
    /// Bits that flipped.
    pub rotten_bits: u64,
    /// Operations that a fault slowed down.
    pub slowed: u64,
    /// Times that the host lost its power or crashed.
    pub crashes: u64,
    /// What all operations took, in virtual time.
    pub busy: Duration,
}

impl DiskStats {
    /// Operations of all kinds.
    pub fn operations(&self) -> u64 {
        DiskOpKind::ALL.iter().map(|kind| self.of(*kind)).sum()
    }

    /// Operations of one kind.
    pub fn of(&self, kind: DiskOpKind) -> u64 {
        let mut copy = *self;
        *copy.of_mut(kind)
    }

    pub(super) fn of_mut(&mut self, kind: DiskOpKind) -> &mut u64 {
        match kind {
            DiskOpKind::Open => &mut self.opens,
            DiskOpKind::Read => &mut self.reads,
            DiskOpKind::Write => &mut self.writes,
            DiskOpKind::Truncate => &mut self.truncates,
            DiskOpKind::Sync => &mut self.syncs,
            DiskOpKind::SyncDirectory => &mut self.directory_syncs,
            DiskOpKind::Delete => &mut self.deletes,
        }
    }
}
