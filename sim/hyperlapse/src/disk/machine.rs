//! One operation of a disk: power, faults, time and counts, and then the files.

use std::time::Duration;

use super::crash::Tear;
use super::files::{Files, directory_of};
use super::lock::Level;
use super::moved::{ByFile, Teller};
use super::{Crash, DiskError, DiskFault, DiskFaults, DiskOp, DiskOpKind, DiskOptions, DiskStats};
use crate::random::{RandomExt, StreamRng, Streams};
use crate::units;

/// Everything that one disk is.
pub(super) struct Machine {
    pub(super) host: String,
    streams: Streams,
    pub(super) options: DiskOptions,
    pub(super) hook: Option<Box<dyn DiskFaults>>,
    pub(super) files: Files,
    pub(super) stats: DiskStats,
    pub(super) by_file: ByFile,
    /// How often its time was taken.
    pub(super) calls: u64,
    pub(super) teller: Option<Teller>,
    /// What operations took and nobody has taken yet.
    pub(super) untaken: Duration,
    pub(super) on: bool,
    /// How often the host has started again: handles know theirs.
    boot: u64,
    /// Operations until the power goes off.
    pub(super) cut_after: Option<u64>,
    pub(super) last_crash: Option<Crash>,
    handles: u64,
    latency: StreamRng,
    rates: StreamRng,
    damage: StreamRng,
}

/// An opened file, as its handle knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) file: u64,
    pub(super) handle: u64,
    boot: u64,
}

/// How an operation goes on.
enum Course {
    Done,
    Fails,
    Lies,
    Rots,
    FindsNoRoom,
    CutsPower,
}

impl Machine {
    pub(super) fn new(host: &str, streams: &Streams, options: DiskOptions) -> Self {
        let stream = |of: &str| streams.stream(format_args!("disk/{host}/{of}"));
        Self {
            host: host.to_owned(),
            streams: *streams,
            options,
            hook: None,
            files: Files::default(),
            stats: DiskStats::default(),
            by_file: ByFile::default(),
            calls: 0,
            teller: None,
            untaken: Duration::ZERO,
            on: true,
            boot: 0,
            cut_after: None,
            last_crash: None,
            handles: 0,
            latency: stream("latency"),
            rates: stream("rates"),
            damage: stream("damage"),
        }
    }

    pub(super) fn streams(&self) -> Streams {
        self.streams
    }

    pub(super) fn took(&mut self, time: Duration) {
        self.untaken = self.untaken.saturating_add(time);
        self.stats.busy = self.stats.busy.saturating_add(time);
    }

    /// Power, time and faults of an operation.
    fn begin(
        &mut self,
        kind: DiskOpKind,
        file: &str,
        offset: u64,
        length: u64,
    ) -> Result<Course, DiskError> {
        self.powered()?;
        let op = DiskOp { kind, file, offset, length, index: self.stats.operations() };
        *self.stats.of_mut(kind) += 1;
        let latency = &self.options.latency;
        let mut time = match kind {
            DiskOpKind::Read => latency.read.sample(&mut self.latency),
            DiskOpKind::Sync => {
                let seek = latency.sync.sample(&mut self.latency);
                seek.saturating_add(latency.transfer(length))
            }
            DiskOpKind::SyncDirectory => latency.sync.sample(&mut self.latency),
            _ => latency.write.sample(&mut self.latency),
        };
        let asked = self.hook.as_mut().and_then(|hook| hook.on(&op));
        let fault = asked.filter(|fault| fault.strikes(kind)).or_else(|| self.drawn(kind));
        if let Some(DiskFault::Slow(by)) = fault {
            self.stats.slowed += 1;
            time = time.saturating_add(by);
        }
        self.took(time);
        self.by_file.began(kind, file, units::nanos(time));
        match self.cut_after {
            Some(0) => return Ok(Course::CutsPower),
            Some(left) => self.cut_after = Some(left - 1),
            None => {}
        }
        if self.options.read_only && kind.changes() {
            return Err(DiskError::ReadOnly { kind, file: file.to_owned() });
        }
        Ok(match fault {
            None | Some(DiskFault::Slow(_)) => Course::Done,
            Some(DiskFault::PowerCut) => Course::CutsPower,
            Some(DiskFault::Error) => {
                self.stats.errors += 1;
                Course::Fails
            }
            Some(DiskFault::Lie) => {
                self.stats.lies += 1;
                Course::Lies
            }
            // Counted where they do something: a file may be there already, a read may find nothing.
            Some(DiskFault::Full) => Course::FindsNoRoom,
            Some(DiskFault::Rot) => Course::Rots,
        })
    }

    /// What the rates say of an operation. A rate of nothing draws nothing.
    fn drawn(&mut self, kind: DiskOpKind) -> Option<DiskFault> {
        let rates = self.options.faults;
        let mut struck = |rate: f64| rate > 0.0 && self.rates.unit() <= rate;
        match kind {
            DiskOpKind::Read if struck(rates.read_error) => Some(DiskFault::Error),
            DiskOpKind::Read if struck(rates.read_rot) => Some(DiskFault::Rot),
            DiskOpKind::Write if struck(rates.write_error) => Some(DiskFault::Error),
            DiskOpKind::Sync | DiskOpKind::SyncDirectory if struck(rates.sync_error) => {
                Some(DiskFault::Error)
            }
            DiskOpKind::Sync | DiskOpKind::SyncDirectory if struck(rates.sync_lie) => {
                Some(DiskFault::Lie)
            }
            _ => None,
        }
    }

    pub(super) fn powered(&self) -> Result<(), DiskError> {
        if self.on { Ok(()) } else { Err(DiskError::NoPower(self.host.clone())) }
    }

    pub(super) fn alive(&self, of: Opened, name: &str) -> Result<(), DiskError> {
        if of.boot == self.boot { Ok(()) } else { Err(DiskError::Dead(name.to_owned())) }
    }

    fn io(kind: DiskOpKind, file: &str) -> DiskError {
        DiskError::Io { kind, file: file.to_owned() }
    }

    /// The power goes off in the middle of an operation.
    fn cut(&mut self) -> DiskError {
        self.cut_power();
        DiskError::NoPower(self.host.clone())
    }

    pub(super) fn open(&mut self, name: Option<&str>, create: bool) -> Result<Opened, DiskError> {
        let (kind, shown) = (DiskOpKind::Open, name.unwrap_or_default());
        let course = self.begin(kind, shown, 0, 0)?;
        let there = name.and_then(|name| self.files.named(name));
        let file = match (course, there) {
            (Course::CutsPower, there) => {
                if there.is_none() && create {
                    self.files.create(name);
                }
                return Err(self.cut());
            }
            (Course::Fails, _) => return Err(Self::io(kind, shown)),
            (_, Some(id)) => id,
            (_, None) if !create => return Err(DiskError::NoSuchFile(shown.to_owned())),
            (Course::FindsNoRoom, None) => {
                self.stats.refused_for_room += 1;
                return Err(DiskError::Full { kind, file: shown.to_owned() });
            }
            (_, None) if self.options.read_only => {
                return Err(DiskError::ReadOnly { kind, file: shown.to_owned() });
            }
            (_, None) => self.files.create(name),
        };
        self.files.opened(file);
        self.handles += 1;
        Ok(Opened { file, handle: self.handles, boot: self.boot })
    }

    pub(super) fn close(&mut self, of: Opened) {
        // The handles of a dead process went with it.
        if of.boot == self.boot {
            if let Some(file) = self.files.get_mut(of.file) {
                file.locks.lower(of.handle, Level::None);
            }
            self.files.closed(of.file);
        }
    }

    pub(super) fn read(
        &mut self,
        of: Opened,
        name: &str,
        offset: u64,
        into: &mut [u8],
    ) -> Result<usize, DiskError> {
        self.alive(of, name)?;
        let kind = DiskOpKind::Read;
        let course = self.begin(kind, name, offset, into.len() as u64)?;
        let file = self.files.get_mut(of.file).ok_or_else(|| Self::io(kind, name))?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(file.now.len());
        let length = into.len().min(file.now.len() - from);
        match course {
            Course::Fails => return Err(Self::io(kind, name)),
            Course::CutsPower => return Err(self.cut()),
            Course::Rots if length > 0 => {
                self.stats.rotten_bits += 1;
                let at = from + self.damage.below(length as u64) as usize;
                file.rot(at, self.damage.below(8) as u8);
            }
            _ => {}
        }
        into[..length].copy_from_slice(&file.now[from..from + length]);
        self.stats.bytes_read += length as u64;
        self.by_file.of(name).bytes_read += length as u64;
        Ok(length)
    }

    pub(super) fn write(
        &mut self,
        of: Opened,
        name: &str,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        self.alive(of, name)?;
        let kind = DiskOpKind::Write;
        let end = usize::try_from(offset).ok().and_then(|from| from.checked_add(bytes.len()));
        let end = end.filter(|end| *end <= isize::MAX as usize);
        let end = end.ok_or_else(|| DiskError::TooLong(name.to_owned()))?;
        let (from, sector) = (end - bytes.len(), self.options.sector as usize);
        let course = self.begin(kind, name, offset, bytes.len() as u64)?;
        if matches!(course, Course::FindsNoRoom) || !self.has_room(of.file, end) {
            self.stats.refused_for_room += 1;
            return Err(DiskError::Full { kind, file: name.to_owned() });
        }
        let file = self.files.get_mut(of.file).ok_or_else(|| Self::io(kind, name))?;
        let written = match course {
            Course::Fails => {
                let sectors = self.damage.below(bytes.len().div_ceil(sector) as u64 + 1) as usize;
                &bytes[..bytes.len().min(sectors * sector)]
            }
            _ => bytes,
        };
        file.write(from, written);
        self.stats.bytes_written += written.len() as u64;
        self.by_file.of(name).bytes_written += written.len() as u64;
        match course {
            Course::Fails => Err(Self::io(kind, name)),
            Course::CutsPower => Err(self.cut()),
            _ => Ok(()),
        }
    }

    fn has_room(&self, file: u64, end: usize) -> bool {
        let Some(capacity) = self.options.capacity else { return true };
        let length = self.files.get(file).map_or(0, |file| file.now.len());
        let grows = end.saturating_sub(length) as u64;
        grows == 0 || self.files.used().saturating_add(grows) <= capacity
    }

    pub(super) fn truncate(
        &mut self,
        of: Opened,
        name: &str,
        length: u64,
    ) -> Result<(), DiskError> {
        self.alive(of, name)?;
        let kind = DiskOpKind::Truncate;
        let to = usize::try_from(length).ok().filter(|to| *to <= isize::MAX as usize);
        let to = to.ok_or_else(|| DiskError::TooLong(name.to_owned()))?;
        let course = self.begin(kind, name, length, 0)?;
        if matches!(course, Course::Fails) {
            return Err(Self::io(kind, name));
        }
        if !self.has_room(of.file, to) {
            self.stats.refused_for_room += 1;
            return Err(DiskError::Full { kind, file: name.to_owned() });
        }
        self.files.get_mut(of.file).ok_or_else(|| Self::io(kind, name))?.set_length(to);
        if matches!(course, Course::CutsPower) { Err(self.cut()) } else { Ok(()) }
    }

    pub(super) fn sync(&mut self, of: Opened, name: &str) -> Result<(), DiskError> {
        self.alive(of, name)?;
        let kind = DiskOpKind::Sync;
        let unsynced = self.files.get(of.file).map_or(0, |file| file.unsynced_bytes());
        let course = self.begin(kind, name, 0, unsynced)?;
        let file = self.files.get_mut(of.file).ok_or_else(|| Self::io(kind, name))?;
        match course {
            Course::Fails => {
                file.forget_unsynced();
                Err(Self::io(kind, name))
            }
            Course::CutsPower => Err(self.cut()),
            Course::Lies => Ok(()),
            _ => {
                let synced = file.sync();
                self.stats.bytes_synced += synced;
                self.by_file.of(name).bytes_synced += synced;
                Ok(())
            }
        }
    }

    pub(super) fn sync_directory(&mut self, directory: &str) -> Result<(), DiskError> {
        let kind = DiskOpKind::SyncDirectory;
        match self.begin(kind, directory, 0, 0)? {
            Course::Fails => Err(Self::io(kind, directory)),
            Course::CutsPower => Err(self.cut()),
            Course::Lies => Ok(()),
            _ => {
                self.files.sync_directory(directory);
                Ok(())
            }
        }
    }

    /// The sync of the directory of a file.
    pub(super) fn sync_directory_of(&mut self, name: &str) -> Result<(), DiskError> {
        self.sync_directory(directory_of(name))
    }

    pub(super) fn delete(&mut self, name: &str) -> Result<(), DiskError> {
        let kind = DiskOpKind::Delete;
        let course = self.begin(kind, name, 0, 0)?;
        if matches!(course, Course::Fails) {
            return Err(Self::io(kind, name));
        }
        let deleted = self.files.delete(name);
        match course {
            Course::CutsPower => Err(self.cut()),
            _ if deleted => Ok(()),
            _ => Err(DiskError::NoSuchFile(name.to_owned())),
        }
    }

    /// The power goes off: only what is durable is left, and what else the seed leaves.
    pub(super) fn cut_power(&mut self) -> Crash {
        if !self.on {
            return Crash::default();
        }
        let stream = format_args!("disk/{}/crash/{}", self.host, self.stats.crashes).to_string();
        let crash = self.files.crash(&Tear::of(&self.options), &mut self.streams.stream(stream));
        self.on = false;
        self.boot += 1;
        self.cut_after = None;
        self.stats.crashes += 1;
        self.last_crash = Some(crash);
        crash
    }
}
