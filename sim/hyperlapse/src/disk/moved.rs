//! What a disk has done, by file, and how a run hears of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::machine::Machine;
use super::{Disk, DiskOpKind};
use crate::io::{DiskIo, FileIo};
use crate::units;
use crate::world::Sim;
use crate::world::moved::Moved;

/// What files without a name are counted under.
const UNNAMED: &str = "unnamed";

/// Operations by the name of their file. A few names: it is kept for each that was ever used.
#[derive(Default)]
pub(super) struct ByFile(BTreeMap<String, FileIo>);

impl ByFile {
    pub(super) fn of(&mut self, file: &str) -> &mut FileIo {
        let file = if file.is_empty() { UNNAMED } else { file };
        if !self.0.contains_key(file) {
            self.0.insert(file.to_owned(), FileIo::default());
        }
        self.0.get_mut(file).expect("it was put in where it was missing")
    }

    /// Counts one that begins.
    pub(super) fn began(&mut self, kind: DiskOpKind, file: &str, took_ns: u64) {
        // The disk alone counts those.
        if kind == DiskOpKind::SyncDirectory {
            return;
        }
        let of = self.of(file);
        of.busy_ns = of.busy_ns.saturating_add(took_ns);
        match kind {
            DiskOpKind::Read => of.reads += 1,
            DiskOpKind::Write => of.writes += 1,
            DiskOpKind::Sync => of.syncs += 1,
            _ => of.others += 1,
        }
    }
}

/// Whom a disk tells what it has done when it goes.
pub(super) struct Teller(Moved);

impl Machine {
    /// What it has done until now.
    fn did(&self) -> DiskIo {
        let stats = &self.stats;
        DiskIo {
            calls: self.calls,
            all: FileIo {
                reads: stats.reads,
                bytes_read: stats.bytes_read,
                writes: stats.writes,
                bytes_written: stats.bytes_written,
                syncs: stats.syncs + stats.directory_syncs,
                bytes_synced: stats.bytes_synced,
                others: stats.opens + stats.truncates + stats.deletes,
                busy_ns: units::nanos(stats.busy),
            },
            files: self.by_file.0.clone(),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(Teller(moved)) = self.teller.take() {
            moved.went(std::mem::take(&mut self.host), self.did());
        }
    }
}

impl Sim {
    /// Has the record of this run tell what this disk does until the load is over, or until it is dropped: see
    /// [`Record::io`](crate::Record). Thresholds can name it (`disk.syncs`), and the report `profile` shows it. It costs
    /// nothing more: a disk counts anyway.
    ///
    /// ```
    /// use hyperlapse::disk::{Disk, DiskOptions};
    /// use hyperlapse::{AllAtOnce, RunOptions, Scenario, Streams, Verdict};
    ///
    /// let scenario = Scenario::builder("log", AllAtOnce::users(5))
    ///     .threshold("disk.syncs == 5")
    ///     .threshold("disk.written < 1KB")
    ///     .build()
    ///     .unwrap();
    /// let record = hyperlapse::run(&scenario, RunOptions::seed(7), |sim| async move {
    ///     let disk = Disk::new("server", &Streams::new(sim.seed()), DiskOptions::default()).unwrap();
    ///     sim.show_disk(&disk);
    ///     sim.drive(move |user| {
    ///         let disk = disk.clone();
    ///         async move {
    ///             let mut operation = user.operation();
    ///             operation.accepted();
    ///             let log = disk.create("log").unwrap();
    ///             log.write_at(u64::from(user.id()) * 2, b"hi").unwrap();
    ///             log.sync().unwrap();
    ///             operation.completed();
    ///         }
    ///     })
    ///     .await;
    /// });
    /// assert!(Verdict::of(&record, scenario.thresholds()).passed());
    /// assert_eq!(record.io.disks["server"].files["log"].bytes_written, 10);
    /// ```
    ///
    /// # Panics
    /// When a disk of the same host is shown already.
    pub fn show_disk(&self, disk: &Disk) {
        let (moved, known) = (self.moved().clone(), disk.downgrade());
        let host = disk.host();
        let ask = Box::new(move || Some(known.upgrade()?.machine().did()));
        moved.show(host, ask);
        disk.machine().teller = Some(Teller(moved));
    }
}

/// A disk that may be gone.
pub(super) struct WeakDisk(std::sync::Weak<std::sync::Mutex<Machine>>);

impl WeakDisk {
    fn upgrade(&self) -> Option<Disk> {
        self.0.upgrade().map(Disk::of)
    }
}

impl Disk {
    fn downgrade(&self) -> WeakDisk {
        WeakDisk(Arc::downgrade(self.shared()))
    }
}
