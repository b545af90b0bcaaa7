//! Names and contents: what everybody reads now, and what of it is durable.
//!
//! A file has its bytes as they read and as a crash would leave them at best, and between the two the list of what
//! changed since the last sync, in order. A sync replays the list onto the durable bytes, so it costs what was
//! written and not what the file holds. A name has the files that it stood for since its directory was synced.
//!
//! What is on a disk takes no memory: whatever allocates or frees here is not counted as the run's heap, down to the
//! last drop.

use std::collections::{BTreeMap, BTreeSet};

use super::Crash;
use super::crash::{self, Tear};
use super::lock::Locks;
use crate::alloc;
use crate::random::{RandomExt, StreamRng};

/// More unsynced bytes of one file are not kept: a kernel writes the oldest back by itself, and so does this.
const UNSYNCED_BYTES: usize = 64 << 20;

/// The files of one disk.
#[derive(Debug, Default)]
pub(super) struct Files {
    names: BTreeMap<String, Name>,
    files: BTreeMap<u64, File>,
    next: u64,
}

/// What a name stands for.
#[derive(Debug, Default)]
struct Name {
    durable: Option<u64>,
    /// What it has stood for since its directory was synced.
    since: Vec<Option<u64>>,
}

impl Name {
    fn now(&self) -> Option<u64> {
        self.since.last().copied().unwrap_or(self.durable)
    }

    fn mentions(&self) -> impl Iterator<Item = u64> {
        self.since.iter().copied().chain([self.durable]).flatten()
    }
}

/// One file, whatever its name.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) now: Vec<u8>,
    pub(super) durable: Vec<u8>,
    pub(super) unsynced: Vec<Change>,
    written: Written,
    pub(super) locks: Locks,
    handles: u32,
    named: bool,
}

/// Something that happened to a file and is not durable.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) what: What,
    /// Whether a sync has failed since: it reads as it was written and will never be durable.
    pub(super) forgotten: bool,
}

#[derive(Debug)]
pub(super) enum What {
    Write { offset: usize, length: usize },
    Length(usize),
}

impl What {
    fn size(&self) -> usize {
        match self {
            What::Write { length, .. } => *length,
            What::Length(_) => 0,
        }
    }
}

/// The bytes of unsynced writes, one behind the other: a database syncs after a few pages, and a box for each of them took a
/// twentieth of its simulation.
#[derive(Debug, Default)]
struct Written(Vec<u8>);

impl Written {
    /// What is kept for the next writes, once all of these are durable.
    const SPARE: usize = 1 << 20;

    fn forget(&mut self, bytes: usize) {
        self.0.drain(..bytes);
        if self.0.is_empty() {
            self.0.shrink_to(Self::SPARE);
        }
    }
}

/// Writes into an image; what lies between its end and `offset` reads as zeros.
pub(super) fn write(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    image[offset..end].copy_from_slice(bytes);
}

impl File {
    /// Writes. The caller has made sure that the end is an address.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let _uncounted = alloc::uncounted();
        if bytes.is_empty() {
            return;
        }
        write(&mut self.now, offset, bytes);
        self.written.0.extend_from_slice(bytes);
        self.changed(What::Write { offset, length: bytes.len() });
    }

    pub(super) fn set_length(&mut self, length: usize) {
        let _uncounted = alloc::uncounted();
        if length != self.now.len() {
            self.now.resize(length, 0);
            self.changed(What::Length(length));
        }
    }

    fn changed(&mut self, what: What) {
        self.unsynced.push(Change { what, forgotten: false });
        if self.written.0.len() > UNSYNCED_BYTES {
            let half = self.unsynced.len().div_ceil(2);
            self.write_back(half);
        }
    }

    /// Makes all of it durable; how many bytes that were.
    pub(super) fn sync(&mut self) -> u64 {
        let _uncounted = alloc::uncounted();
        let bytes = self.unsynced_bytes();
        self.write_back(self.unsynced.len());
        bytes
    }

    fn write_back(&mut self, changes: usize) {
        let mut at = 0;
        for change in self.unsynced.drain(..changes) {
            let from = at;
            at += change.what.size();
            match change.what {
                _ if change.forgotten => {}
                What::Write { offset, .. } => {
                    write(&mut self.durable, offset, &self.written.0[from..at]);
                }
                What::Length(length) => self.durable.resize(length, 0),
            }
        }
        self.written.forget(at);
    }

    /// What is not durable, in order, each write with its bytes.
    pub(super) fn changes(&self) -> impl Iterator<Item = (&Change, &[u8])> {
        let mut rest = self.written.0.as_slice();
        self.unsynced.iter().map(move |change| {
            let (bytes, others) = rest.split_at(change.what.size());
            rest = others;
            (change, bytes)
        })
    }

    /// The bytes that a sync would make durable.
    pub(super) fn unsynced_bytes(&self) -> u64 {
        let remembered = self.unsynced.iter().filter(|change| !change.forgotten);
        remembered.map(|change| change.what.size() as u64).sum()
    }

    /// What was not synced until now never will be.
    pub(super) fn forget_unsynced(&mut self) {
        self.unsynced.iter_mut().for_each(|change| change.forgotten = true);
    }

    /// Flips a bit wherever the file holds it.
    pub(super) fn rot(&mut self, at: usize, bit: u8) {
        for image in [&mut self.now, &mut self.durable] {
            if let Some(byte) = image.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        let mut rest = self.written.0.as_mut_slice();
        for change in &self.unsynced {
            let (bytes, others) = rest.split_at_mut(change.what.size());
            rest = others;
            if let What::Write { offset, .. } = change.what
                && let Some(byte) = at.checked_sub(offset).and_then(|at| bytes.get_mut(at))
            {
                *byte ^= 1 << bit;
            }
        }
    }
}

impl Files {
    pub(super) fn get(&self, id: u64) -> Option<&File> {
        self.files.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut File> {
        self.files.get_mut(&id)
    }

    /// The file that a name stands for.
    pub(super) fn named(&self, name: &str) -> Option<u64> {
        self.names.get(name)?.now()
    }

    /// A new, empty file of this name, or of none. The caller has made sure that the name is free.
    pub(super) fn create(&mut self, name: Option<&str>) -> u64 {
        let _uncounted = alloc::uncounted();
        let id = self.next;
        self.next += 1;
        self.files.insert(id, File { named: name.is_some(), ..File::default() });
        if let Some(name) = name {
            self.names.entry(name.to_owned()).or_default().since.push(Some(id));
        }
        id
    }

    /// Takes a name from its file; `false` where it stands for none.
    pub(super) fn delete(&mut self, name: &str) -> bool {
        let _uncounted = alloc::uncounted();
        let Some(stands) = self.names.get_mut(name) else { return false };
        let Some(id) = stands.now() else { return false };
        stands.since.push(None);
        if let Some(file) = self.files.get_mut(&id) {
            file.named = false;
        }
        self.sweep();
        true
    }

    pub(super) fn opened(&mut self, id: u64) {
        if let Some(file) = self.files.get_mut(&id) {
            file.handles += 1;
        }
    }

    pub(super) fn closed(&mut self, id: u64) {
        let _uncounted = alloc::uncounted();
        if let Some(file) = self.files.get_mut(&id) {
            file.handles = file.handles.saturating_sub(1);
        }
        self.sweep();
    }

    /// Makes the names of a directory durable.
    pub(super) fn sync_directory(&mut self, directory: &str) {
        let _uncounted = alloc::uncounted();
        for (name, stands) in &mut self.names {
            if directory_of(name) == directory {
                stands.durable = stands.now();
                stands.since.clear();
            }
        }
        self.sweep();
    }

    /// Drops files that nobody can reach, now or after a crash.
    fn sweep(&mut self) {
        self.names.retain(|_, stands| stands.mentions().next().is_some());
        let named: BTreeSet<u64> = self.names.values().flat_map(Name::mentions).collect();
        self.files.retain(|id, file| file.handles > 0 || named.contains(id));
    }

    /// The bytes of all files that somebody can read.
    pub(super) fn used(&self) -> u64 {
        let there = self.files.values().filter(|file| file.named || file.handles > 0);
        there.map(|file| file.now.len() as u64).sum()
    }

    /// Names and contents, in the order of names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &File)> {
        let file = |stands: &Name| self.files.get(&stands.now()?);
        self.names.iter().filter_map(move |(name, stands)| Some((name.as_str(), file(stands)?)))
    }

    /// The host loses its power: what is left is what was synced, and of the rest what the seed leaves.
    pub(super) fn crash(&mut self, tear: &Tear, rng: &mut StreamRng) -> Crash {
        let _uncounted = alloc::uncounted();
        let mut told = Crash::default();
        for stands in self.names.values_mut() {
            let left = rng.below(stands.since.len() as u64 + 1) as usize;
            told.names_undone += (stands.since.len() - left) as u64;
            if left > 0 {
                stands.durable = stands.since[left - 1];
            }
            stands.since.clear();
        }
        let named: BTreeSet<u64> =
            self.names.values().filter_map(|stands| stands.durable).collect();
        self.names.retain(|_, stands| stands.durable.is_some());
        self.files.retain(|id, _| named.contains(id));
        for file in self.files.values_mut() {
            let left = crash::left_of(file, tear, rng, &mut told);
            *file = File { now: left.clone(), durable: left, named: true, ..File::default() };
        }
        told
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _uncounted = alloc::uncounted();
        self.names.clear();
        self.files.clear();
    }
}

/// The directory of a name: what stands before its last slash.
pub(super) fn directory_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(directory, _)| directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_kernel_would_write_back_by_itself_is_not_kept_for_ever() {
        let mut file = File::default();
        let chunk = vec![1; UNSYNCED_BYTES / 8];
        (0..20).for_each(|n| file.write(n * chunk.len(), &chunk));
        assert!(file.unsynced_bytes() <= UNSYNCED_BYTES as u64);
        assert!(!file.durable.is_empty());
        file.sync();
        assert!(file.now == file.durable);
    }

    #[test]
    fn what_a_failed_sync_forgot_reads_on_and_never_becomes_durable() {
        let mut file = File::default();
        file.write(0, b"old");
        file.sync();
        file.write(0, b"new");
        file.forget_unsynced();
        file.write(3, b"!");
        assert_eq!(file.sync(), 1);
        assert_eq!(file.now, b"new!");
        assert_eq!(file.durable, b"old!");
    }
}
