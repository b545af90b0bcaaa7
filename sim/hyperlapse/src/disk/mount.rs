//! Which disks a thread sees.
//!
//! SQLite knows one virtual file system in a process; runs are many, each on a thread of its own. The file system
//! therefore asks the calling thread for its disks, and two runs cannot meet.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use rand::Rng;

use super::files::directory_of;
use super::{Disk, DiskError, sqlite};
use crate::random::{StreamRng, Streams};

thread_local! {
    static DISKS: Cell<usize> = const { Cell::new(0) };
    static MOUNTS: RefCell<Mounts> = const {
        RefCell::new(Mounts { disks: BTreeMap::new(), last: None, random: None })
    };
}

struct Mounts {
    disks: BTreeMap<String, Disk>,
    /// The one that was used last: whoever sleeps waits for it, and files without a name are on it.
    last: Option<Disk>,
    /// What SQLite draws on this thread.
    random: Option<StreamRng>,
}

/// A disk that SQLite finds on the thread that mounted it, until this is dropped there; what is open stays open.
///
/// It may be held by a run's body, which can be sent before it is started. Dropped on another thread it takes nothing
/// away, and the disk stays mounted for as long as its thread is there.
#[derive(Debug)]
#[must_use = "the disk is mounted until this is dropped"]
pub struct Mounted {
    host: String,
    disk: Disk,
}

impl Disk {
    /// Lets SQLite find this disk's files on this thread: `/HOST/...` in the virtual file system
    /// [`VFS`](super::VFS), which the first call in a process registers.
    ///
    /// # Errors
    /// When a disk of this host is mounted here already, or SQLite was in use in this process before it could be told
    /// to take its randomness from runs.
    pub fn mount(&self) -> Result<Mounted, DiskError> {
        sqlite::register()?;
        let (host, streams) = {
            let machine = self.machine();
            (machine.host.clone(), machine.streams())
        };
        MOUNTS.with_borrow_mut(|mounts| {
            if mounts.disks.contains_key(&host) {
                return Err(DiskError::AlreadyMounted(host.clone()));
            }
            mounts.disks.insert(host.clone(), self.clone());
            mounts.random.get_or_insert_with(|| sqlite_stream(streams));
            DISKS.set(mounts.disks.len());
            Ok(Mounted { host, disk: self.clone() })
        })
    }
}

fn sqlite_stream(streams: Streams) -> StreamRng {
    streams.stream("disk/sqlite")
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let taken = MOUNTS.try_with(|mounts| {
            let mounts = &mut *mounts.borrow_mut();
            if !mounts.disks.get(&self.host).is_some_and(|disk| disk.is(&self.disk)) {
                return None;
            }
            let disk = mounts.disks.remove(&self.host);
            DISKS.set(mounts.disks.len());
            if mounts.disks.is_empty() {
                mounts.random = None;
            }
            let last = mounts.last.take_if(|last| last.is(&self.disk));
            Some((disk, last))
        });
        drop(taken);
    }
}

/// Whether this thread is a simulation's, as far as SQLite is concerned.
pub(super) fn here() -> bool {
    DISKS.try_with(Cell::get).unwrap_or(0) > 0
}

/// Fills `bytes` from the seed; `false` on a thread without disks.
pub(super) fn fill(bytes: &mut [u8]) -> bool {
    here()
        && MOUNTS.with_borrow_mut(|mounts| {
            mounts.random.as_mut().map(|random| random.fill_bytes(bytes)).is_some()
        })
}

/// The disk of a path, and the name of the file on it.
pub(super) fn locate(path: &str) -> Option<(Disk, &str)> {
    let (host, file) = path.strip_prefix('/')?.split_once('/')?;
    if file.is_empty() || !here() {
        return None;
    }
    let disk = MOUNTS.with_borrow(|mounts| mounts.disks.get(host).cloned())?;
    Some((disk, file))
}

/// Makes durable which names there are beside a file of a disk that is mounted on this thread, by the path that SQLite knows
/// it by: what an `fsync` of its folder does.
///
/// # Errors
/// When there is no such disk here; faults.
pub fn sync_names(path: &Path) -> io::Result<()> {
    let found = path.to_str().and_then(locate);
    let (disk, file) = found.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "no disk of this path is mounted on this thread")
    })?;
    disk.sync_directory(directory_of(file)).map_err(io::Error::other)
}

/// The disk that was used last on this thread, or its first.
pub(super) fn last() -> Option<Disk> {
    if !here() {
        return None;
    }
    MOUNTS.with_borrow(|mounts| mounts.last.as_ref().or(mounts.disks.values().next()).cloned())
}

/// Notes that this disk was used.
pub(super) fn used(disk: &Disk) {
    if !here() {
        return;
    }
    let before = MOUNTS.with_borrow_mut(|mounts| {
        let same = mounts.last.as_ref().is_some_and(|last| last.is(disk));
        if same { None } else { mounts.last.replace(disk.clone()) }
    });
    // Out of the borrow: the last handle of a disk drops the hook for its faults, which may be anything.
    drop(before);
}

/// Waiting that cannot change anything: it counts as time of the disk that was used last.
pub(super) fn slept(time: Duration) {
    if let Some(disk) = last() {
        disk.machine().took(time);
    }
}
