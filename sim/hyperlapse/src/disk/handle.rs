//! A disk and its open files, as callers hold them.

use std::fmt;
use std::hash::Hasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use twox_hash::XxHash3_64;

use super::lock::Level;
use super::machine::{Machine, Opened};
use super::{Crash, DiskError, DiskFaults, DiskOptions, DiskStats};
use crate::random::Streams;

/// The disk of one simulated host. A handle: clones are the same disk.
///
/// It outlives the processes of its host, so it is held by the run and not by what is to crash.
#[derive(Clone)]
pub struct Disk {
    machine: Arc<Mutex<Machine>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = self.machine();
        f.debug_struct("Disk").field("host", &machine.host).field("on", &machine.on).finish()
    }
}

impl Disk {
    /// The disk of a host, empty. What the seed decides of it comes from the streams `disk/HOST/...`.
    ///
    /// # Errors
    /// When the name of the host is not made of letters, digits, `.`, `-` and `_`, or the options describe no disk.
    pub fn new(host: &str, streams: &Streams, options: DiskOptions) -> Result<Self, DiskError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty() || host.len() > 200 || !host.chars().all(fits) {
            return Err(DiskError::Invalid {
                field: "the host",
                value: format!("{host:?}"),
                expected: "1 to 200 letters, digits, '.', '-' and '_'",
            });
        }
        options.validate()?;
        Ok(Self { machine: Arc::new(Mutex::new(Machine::new(host, streams, options))) })
    }

    /// A fault's hook that panics leaves a machine that is whole: it is asked before anything happens.
    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of(machine: Arc<Mutex<Machine>>) -> Self {
        Self { machine }
    }

    pub(super) fn shared(&self) -> &Arc<Mutex<Machine>> {
        &self.machine
    }

    /// Whether it is the same disk.
    pub(super) fn is(&self, other: &Disk) -> bool {
        Arc::ptr_eq(&self.machine, &other.machine)
    }

    /// The name of its host.
    pub fn host(&self) -> String {
        self.machine().host.clone()
    }

    /// The path by which SQLite knows a file of this disk: `/HOST/FILE`.
    pub fn path(&self, file: &str) -> String {
        format!("/{}/{file}", self.machine().host)
    }

    /// How it behaves.
    pub fn options(&self) -> DiskOptions {
        self.machine().options.clone()
    }

    /// Changes how it behaves, from the next operation on.
    ///
    /// ```
    /// use hyperlapse::Streams;
    /// use hyperlapse::disk::{Disk, DiskError, DiskOptions};
    ///
    /// let disk = Disk::new("server", &Streams::new(7), DiskOptions::default())?;
    /// let file = disk.create("log")?;
    /// disk.change(|options| options.capacity = Some(4))?;
    /// assert!(matches!(file.write_at(0, b"five!"), Err(DiskError::Full { .. })));
    /// disk.change(|options| options.capacity = None)?;
    /// file.write_at(0, b"five!")?;
    /// # Ok::<(), DiskError>(())
    /// ```
    ///
    /// # Errors
    /// When that describes no disk; it then behaves as before.
    pub fn change(&self, change: impl FnOnce(&mut DiskOptions)) -> Result<(), DiskError> {
        let mut options = self.options();
        change(&mut options);
        options.validate()?;
        self.machine().options = options;
        Ok(())
    }

    /// From here on this decides what happens to operations; the rates of the options still apply where it has
    /// nothing to say.
    pub fn set_faults(&self, faults: impl DiskFaults + 'static) {
        self.machine().hook = Some(Box::new(faults));
    }

    /// Nobody but the options decides any more.
    pub fn clear_faults(&self) {
        // Out of the lock: dropping it may run anything.
        let hook = self.machine().hook.take();
        drop(hook);
    }

    /// Opens a file that is there.
    ///
    /// # Errors
    /// [`DiskError::NoSuchFile`]; faults.
    pub fn open(&self, name: &str) -> Result<DiskFile, DiskError> {
        self.open_as(Some(name), false)
    }

    /// Opens a file, and creates it when it is not there.
    ///
    /// # Errors
    /// [`DiskError::ReadOnly`], [`DiskError::Full`]; faults.
    pub fn create(&self, name: &str) -> Result<DiskFile, DiskError> {
        self.open_as(Some(name), true)
    }

    pub(super) fn open_as(&self, name: Option<&str>, create: bool) -> Result<DiskFile, DiskError> {
        let opened = self.machine().open(name, create)?;
        Ok(DiskFile { disk: self.clone(), name: name.unwrap_or_default().to_owned(), opened })
    }

    /// Deletes a file: whoever has it open keeps it. Durable with the sync of its directory.
    ///
    /// # Errors
    /// [`DiskError::NoSuchFile`], [`DiskError::ReadOnly`]; faults.
    pub fn delete(&self, name: &str) -> Result<(), DiskError> {
        self.machine().delete(name)
    }

    /// How long a file is; `None` where there is none.
    pub(super) fn length_of(&self, name: &str) -> Result<Option<u64>, DiskError> {
        let machine = self.machine();
        machine.powered()?;
        let file = machine.files.named(name).and_then(|id| machine.files.get(id));
        Ok(file.map(|file| file.now.len() as u64))
    }

    /// Makes durable which names there are in a directory; the empty name is that of the topmost.
    ///
    /// # Errors
    /// Faults.
    pub fn sync_directory(&self, directory: &str) -> Result<(), DiskError> {
        self.machine().sync_directory(directory)
    }

    /// Crashes the host and starts it again: what was synced is there, of the rest what the seed leaves. Every
    /// handle of before fails from here on.
    pub fn crash(&self) -> Crash {
        let mut machine = self.machine();
        let crash = machine.cut_power();
        machine.on = true;
        crash
    }

    /// Crashes the host and leaves it without power: nothing can be opened until [`Disk::restart`].
    pub fn cut_power(&self) -> Crash {
        self.machine().cut_power()
    }

    /// The power goes off in the middle of an operation, after so many more have been done: 0 is the next one. The
    /// operation fails, and so does all that follows until [`Disk::restart`].
    pub fn power_cut_after(&self, operations: u64) {
        self.machine().cut_after = Some(operations);
    }

    /// Switches the power on again, and takes back a power cut that has not come yet.
    pub fn restart(&self) {
        let mut machine = self.machine();
        machine.on = true;
        machine.cut_after = None;
    }

    /// Whether the host has power.
    pub fn has_power(&self) -> bool {
        self.machine().on
    }

    /// What the last crash left; `None` before the first.
    pub fn last_crash(&self) -> Option<Crash> {
        self.machine().last_crash
    }

    /// The virtual time that operations took since it was last asked for. Nothing here waits: whoever uses the disk
    /// turns this into time.
    pub fn take_elapsed(&self) -> Duration {
        let mut machine = self.machine();
        machine.calls += 1;
        std::mem::take(&mut machine.untaken)
    }

    /// What it has done since it was made, crashes included.
    pub fn stats(&self) -> DiskStats {
        self.machine().stats
    }

    /// The bytes of all files.
    pub fn used(&self) -> u64 {
        self.machine().files.used()
    }

    /// Names and lengths of the files that there are, by name.
    pub fn files(&self) -> Vec<(String, u64)> {
        let machine = self.machine();
        let files = machine.files.iter();
        files.map(|(name, file)| (name.to_owned(), file.now.len() as u64)).collect()
    }

    /// What a file holds, without an operation; `None` where there is none.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let machine = self.machine();
        let file = machine.files.get(machine.files.named(name)?)?;
        Some(file.now.clone())
    }

    /// A hash (XXH3-64) of the names and bytes of all files, as they read and as far as they are durable: two
    /// disks of equal fingerprints hold the same.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = XxHash3_64::with_seed(0);
        let mut part = |bytes: &[u8]| {
            hasher.write(&(bytes.len() as u64).to_le_bytes());
            hasher.write(bytes);
        };
        for (name, file) in self.machine().files.iter() {
            part(name.as_bytes());
            part(&file.now);
            part(&file.durable);
        }
        hasher.finish()
    }
}

/// An open file of a [`Disk`], closed when it is dropped.
///
/// After a crash it answers [`DiskError::Dead`] for ever: it belongs to a process that is no more.
pub struct DiskFile {
    disk: Disk,
    name: String,
    opened: Opened,
}

impl fmt::Debug for DiskFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Drop for DiskFile {
    fn drop(&mut self) {
        self.disk.machine().close(self.opened);
    }
}

impl DiskFile {
    /// Its name; empty for a file that never had one.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Reads from an offset; how many bytes there were.
    ///
    /// # Errors
    /// [`DiskError::Dead`], [`DiskError::NoPower`]; faults.
    pub fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize, DiskError> {
        self.disk.machine().read(self.opened, &self.name, offset, into)
    }

    /// Writes at an offset, all of it; what lies between the end of the file and the offset reads as zeros.
    ///
    /// # Errors
    /// [`DiskError::Full`], [`DiskError::ReadOnly`], [`DiskError::TooLong`], [`DiskError::Dead`],
    /// [`DiskError::NoPower`]; faults.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.disk.machine().write(self.opened, &self.name, offset, bytes)
    }

    /// Gives it another length; what is new reads as zeros.
    ///
    /// # Errors
    /// As [`DiskFile::write_at`].
    pub fn truncate(&self, length: u64) -> Result<(), DiskError> {
        self.disk.machine().truncate(self.opened, &self.name, length)
    }

    /// Makes its contents and length durable; that it is there at all is a matter of its directory.
    ///
    /// # Errors
    /// [`DiskError::Dead`], [`DiskError::NoPower`]; faults.
    pub fn sync(&self) -> Result<(), DiskError> {
        self.disk.machine().sync(self.opened, &self.name)
    }

    /// Makes durable which names there are in its directory.
    pub(super) fn sync_directory(&self) -> Result<(), DiskError> {
        let mut machine = self.disk.machine();
        machine.alive(self.opened, &self.name)?;
        machine.sync_directory_of(&self.name)
    }

    /// How long it is, in bytes.
    ///
    /// # Errors
    /// [`DiskError::Dead`], [`DiskError::NoPower`].
    pub fn length(&self) -> Result<u64, DiskError> {
        let machine = self.disk.machine();
        machine.alive(self.opened, &self.name)?;
        Ok(machine.files.get(self.opened.file).map_or(0, |file| file.now.len() as u64))
    }

    pub(super) fn lock(&self, level: Level) -> Result<(), DiskError> {
        let mut machine = self.disk.machine();
        machine.alive(self.opened, &self.name)?;
        let file = machine.files.get_mut(self.opened.file);
        match file.is_none_or(|file| file.locks.raise(self.opened.handle, level)) {
            true => Ok(()),
            false => Err(DiskError::Locked(self.name.clone())),
        }
    }

    pub(super) fn unlock(&self, level: Level) {
        let mut machine = self.disk.machine();
        if machine.alive(self.opened, &self.name).is_ok()
            && let Some(file) = machine.files.get_mut(self.opened.file)
        {
            file.locks.lower(self.opened.handle, level);
        }
    }

    pub(super) fn is_reserved(&self) -> Result<bool, DiskError> {
        let machine = self.disk.machine();
        machine.alive(self.opened, &self.name)?;
        Ok(machine.files.get(self.opened.file).is_some_and(|file| file.locks.reserved()))
    }
}
