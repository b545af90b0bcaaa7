//! What the disks of a run do, until its load is over: of those that are gone by then, what they had done.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::io::{DiskIo, IoRecord};

/// Says what a disk has done; nothing where the disk is no more.
type Ask = Box<dyn Fn() -> Option<DiskIo> + Send>;

/// Shared by the run and by the disks that it shows, which tell what they did when they go.
#[derive(Clone, Default)]
pub(crate) struct Moved(Arc<Mutex<Disks>>);

#[derive(Default)]
struct Disks {
    shown: BTreeMap<String, Ask>,
    gone: BTreeMap<String, DiskIo>,
    /// What it came to when the load was over.
    io: Option<IoRecord>,
}

impl Moved {
    fn lock(&self) -> MutexGuard<'_, Disks> {
        // Every change is one call to a map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on the disk of this host is asked in the end.
    #[cfg(feature = "disk")]
    pub(crate) fn show(&self, host: String, ask: Ask) {
        let mut disks = self.lock();
        assert!(!disks.shown.contains_key(&host), "a disk of the host `{host}` is shown already");
        disks.shown.insert(host, ask);
    }

    /// The disk of this host goes.
    #[cfg(feature = "disk")]
    pub(crate) fn went(&self, host: String, did: DiskIo) {
        self.lock().gone.insert(host, did);
    }

    /// The load is over. The first time counts.
    pub(super) fn over(&self) {
        let (shown, io) = {
            let mut disks = self.lock();
            (std::mem::take(&mut disks.shown), disks.io.is_some())
        };
        if io {
            return;
        }
        // Out of the lock: the last handle of a disk tells that it goes.
        let alive: Vec<(String, DiskIo)> =
            shown.into_iter().filter_map(|(host, ask)| Some((host, ask()?))).collect();
        #[cfg(feature = "network")]
        let links = crate::net::moved();
        #[cfg(not(feature = "network"))]
        let links = BTreeMap::new();
        let mut disks = self.lock();
        let mut all = std::mem::take(&mut disks.gone);
        all.extend(alive);
        disks.io = Some(IoRecord { disks: all, links });
    }

    /// What it came to; nothing of a run that never came so far.
    pub(super) fn take(&self) -> IoRecord {
        self.lock().io.take().unwrap_or_default()
    }
}
