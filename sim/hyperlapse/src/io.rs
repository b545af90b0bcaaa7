//! What a run moved: operations and bytes of its disks, packets and bytes of its network.
//!
//! Disks and links count as they go; here is what they came to when the load was over. What is done while the system is
//! torn down afterwards, such as closing a database in good order, is not part of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What one run moved. Empty where it neither shows a disk (`Sim::show_disk`) nor has a network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoRecord {
    /// Disks by their host.
    pub disks: BTreeMap<String, DiskIo>,
    /// Links by their direction: `users->server`.
    pub links: BTreeMap<String, LinkIo>,
}

/// What one disk did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskIo {
    /// How often its time was taken (`Disk::take_elapsed`): once for each call of a store that is paced by it.
    pub calls: u64,
    /// All of it: files, and syncs of directories.
    pub all: FileIo,
    /// By file; under `unnamed` those that never had a name.
    pub files: BTreeMap<String, FileIo>,
}

/// Operations of a file, or of a whole disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileIo {
    /// Reads.
    pub reads: u64,
    /// Bytes that they gave.
    pub bytes_read: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes that they took.
    pub bytes_written: u64,
    /// Syncs, of a disk also those of directories.
    pub syncs: u64,
    /// Bytes that they made durable.
    pub bytes_synced: u64,
    /// Operations of other kinds: files opened, cut, deleted.
    pub others: u64,
    /// Virtual time that all of them took, in nanoseconds.
    pub busy_ns: u64,
}

/// What went one way between two hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkIo {
    /// Packets that arrived.
    pub packets: u64,
    /// Bytes in them, headers included.
    pub bytes: u64,
    /// How often one was lost; a segment of TCP comes later.
    pub lost: u64,
    /// How long those that arrived were under way, together, in nanoseconds.
    pub delayed_ns: u64,
}

impl IoRecord {
    /// All disks together; `None` where the run showed none.
    pub(crate) fn of_disks(&self) -> Option<FileIo> {
        (!self.disks.is_empty()).then(|| {
            self.disks.values().fold(FileIo::default(), |mut sum, disk| {
                let FileIo { reads, bytes_read, writes, bytes_written, .. } = disk.all;
                let FileIo { syncs, bytes_synced, others, busy_ns, .. } = disk.all;
                sum.reads += reads;
                sum.bytes_read += bytes_read;
                sum.writes += writes;
                sum.bytes_written += bytes_written;
                sum.syncs += syncs;
                sum.bytes_synced += bytes_synced;
                sum.others += others;
                sum.busy_ns = sum.busy_ns.saturating_add(busy_ns);
                sum
            })
        })
    }

    /// How often somebody waited for a disk.
    pub(crate) fn calls(&self) -> u64 {
        self.disks.values().map(|disk| disk.calls).sum()
    }

    /// All links together; `None` where the run had no network.
    pub(crate) fn of_links(&self) -> Option<LinkIo> {
        (!self.links.is_empty()).then(|| {
            self.links.values().fold(LinkIo::default(), |sum, link| LinkIo {
                packets: sum.packets + link.packets,
                bytes: sum.bytes + link.bytes,
                lost: sum.lost + link.lost,
                delayed_ns: sum.delayed_ns.saturating_add(link.delayed_ns),
            })
        })
    }
}
