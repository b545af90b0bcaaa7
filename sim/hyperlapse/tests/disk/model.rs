//! The files of a disk against a model that is too simple to be wrong.

use std::collections::{BTreeMap, BTreeSet};

use hyperlapse::Streams;
use hyperlapse::disk::{Disk, DiskError, DiskOptions, Tearing};
use proptest::prelude::*;

/// Small files, so that operations meet.
const LENGTH: u64 = 3_000;
const NAMES: [&str; 3] = ["a", "b", "c/a"];

#[derive(Debug, Clone)]
enum Step {
    Write { name: usize, offset: u64, length: u64, byte: u8 },
    Truncate { name: usize, length: u64 },
    Sync { name: usize },
    SyncDirectory { inner: bool },
    Delete { name: usize },
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let name = 0..NAMES.len();
    let write = (name.clone(), 0..LENGTH, 1..1_500_u64, 1..=u8::MAX);
    prop_oneof![
        8 => write.prop_map(|(name, offset, length, byte)| Step::Write { name, offset, length, byte }),
        2 => (name.clone(), 0..LENGTH).prop_map(|(name, length)| Step::Truncate { name, length }),
        3 => name.clone().prop_map(|name| Step::Sync { name }),
        2 => any::<bool>().prop_map(|inner| Step::SyncDirectory { inner }),
        1 => name.prop_map(|name| Step::Delete { name }),
        1 => Just(Step::Crash),
    ]
}

/// One file: what it reads, and everything that each of its bytes may be after a crash.
#[derive(Debug, Clone, Default)]
struct File {
    now: Vec<u8>,
    lengths: BTreeSet<usize>,
    may_be: Vec<BTreeSet<u8>>,
}

impl File {
    fn new() -> Self {
        Self { lengths: [0].into(), ..Self::default() }
    }

    fn changed(&mut self) {
        self.lengths.insert(self.now.len());
        let length = self.may_be.len().max(self.now.len());
        // What is beyond a length reads as zeros when a later write leaves it there.
        self.may_be.resize_with(length, || [0].into());
        for (byte, may_be) in self.now.iter().zip(&mut self.may_be) {
            may_be.insert(*byte);
        }
        for may_be in self.may_be.iter_mut().skip(self.now.len()) {
            may_be.insert(0);
        }
    }

    fn synced(&mut self) {
        self.lengths = [self.now.len()].into();
        self.may_be = self.now.iter().map(|byte| [*byte].into()).collect();
    }

    /// Whether a crash may leave this.
    fn may_leave(&self, bytes: &[u8]) -> bool {
        let (least, most) = (self.lengths.first().unwrap(), self.lengths.last().unwrap());
        (*least..=*most).contains(&bytes.len())
            && bytes.iter().zip(&self.may_be).all(|(byte, may_be)| may_be.contains(byte))
    }
}

/// A name: the file it stands for, and all that it may stand for after a crash.
#[derive(Debug, Default)]
struct Name {
    now: Option<usize>,
    may_be: BTreeSet<Option<usize>>,
}

#[derive(Default)]
struct Model {
    files: Vec<File>,
    names: BTreeMap<&'static str, Name>,
}

impl Model {
    fn name(&mut self, name: &'static str) -> &mut Name {
        let fresh = || Name { now: None, may_be: [None].into() };
        self.names.entry(name).or_insert_with(fresh)
    }

    fn create(&mut self, name: &'static str) -> &mut File {
        let next = self.files.len();
        let stands = self.name(name);
        let id = *stands.now.get_or_insert(next);
        stands.may_be.insert(Some(id));
        if id == next {
            self.files.push(File::new());
        }
        &mut self.files[id]
    }

    fn contents(&mut self, name: &'static str) -> Option<Vec<u8>> {
        let id = self.name(name).now?;
        Some(self.files[id].now.clone())
    }

    /// Whether the disk may hold this after a crash; goes on from there.
    fn crashed(&mut self, disk: &Disk) -> Result<(), String> {
        let left: Vec<_> = NAMES.iter().map(|name| (*name, disk.contents(name))).collect();
        let before = std::mem::take(self);
        for (name, left) in left {
            let Some(stands) = before.names.get(name) else {
                if left.is_some() {
                    return Err(format!("{name} is there and was never made"));
                }
                continue;
            };
            let fits = stands.may_be.iter().any(|id| match (id, &left) {
                (None, None) => true,
                (Some(id), Some(left)) => before.files[*id].may_leave(left),
                _ => false,
            });
            if !fits {
                return Err(format!("{name} cannot be what it is"));
            }
            if let Some(left) = left {
                self.create(name).now = left;
                self.create(name).synced();
                self.name(name).may_be = [self.name(name).now].into();
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(600) })]

    #[test]
    fn a_disk_reads_what_was_written_and_a_crash_leaves_what_was_synced(
        steps in prop::collection::vec(step(), 1..60),
        seed in 0..1_000_u64,
        tearing in prop::sample::select(vec![Tearing::Whole, Tearing::Sectors, Tearing::Bytes]),
    ) {
        let options = DiskOptions { tearing, ..DiskOptions::default() };
        let disk = Disk::new("host", &Streams::new(seed), options).unwrap();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Write { name, offset, length, byte } => {
                    let bytes = vec![byte; length as usize];
                    disk.create(NAMES[name]).unwrap().write_at(offset, &bytes).unwrap();
                    let file = model.create(NAMES[name]);
                    let (from, to) = (offset as usize, (offset + length) as usize);
                    if file.now.len() < to {
                        file.now.resize(to, 0);
                    }
                    file.now[from..to].copy_from_slice(&bytes);
                    file.changed();
                }
                Step::Truncate { name, length } => {
                    disk.create(NAMES[name]).unwrap().truncate(length).unwrap();
                    let file = model.create(NAMES[name]);
                    file.now.resize(length as usize, 0);
                    file.changed();
                }
                Step::Sync { name } => {
                    disk.create(NAMES[name]).unwrap().sync().unwrap();
                    model.create(NAMES[name]).synced();
                }
                Step::SyncDirectory { inner } => {
                    disk.sync_directory(if inner { "c" } else { "" }).unwrap();
                    for (name, stands) in &mut model.names {
                        if name.contains('/') == inner {
                            stands.may_be = [stands.now].into();
                        }
                    }
                }
                Step::Delete { name } => {
                    let there = model.name(NAMES[name]).now.take();
                    model.name(NAMES[name]).may_be.insert(None);
                    match disk.delete(NAMES[name]) {
                        Ok(()) => prop_assert!(there.is_some()),
                        Err(error) => {
                            prop_assert_eq!(error, DiskError::NoSuchFile(NAMES[name].to_owned()));
                            prop_assert!(there.is_none());
                        }
                    }
                }
                Step::Crash => {
                    disk.crash();
                    let fits = model.crashed(&disk);
                    prop_assert!(fits.is_ok(), "{:?}", fits);
                }
            }
            for name in NAMES {
                prop_assert_eq!(disk.contents(name), model.contents(name));
            }
            let used: usize = NAMES.iter().filter_map(|name| model.contents(name)).map(|b| b.len()).sum();
            prop_assert_eq!(disk.used(), used as u64);
        }
    }
}
