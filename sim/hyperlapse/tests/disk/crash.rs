//! Crashes in the middle of every operation: what was acknowledged is there, nothing is there in part, and what
//! promises less is caught.

use std::collections::BTreeMap;

use hyperlapse::disk::{DiskOptions, FaultRates, Tearing};
use hyperlapse::{RandomExt, Streams};

use crate::script::{DURABLE, JOURNAL, Script, Trouble, check, disk, play};

/// Seeds of which every operation is crashed at.
const EVERY_OPERATION_OF: u64 = 6;
/// Seeds of which one operation is.
const SEEDS: u64 = 300;

/// How many operations a script takes when nothing goes wrong.
fn operations(script: Script) -> u64 {
    let (disk, _mounted) = disk(0, DiskOptions::default());
    assert_eq!(play(&disk, script, 0).0, script.transactions);
    disk.stats().operations()
}

/// Plays a script, cuts the power in the middle of an operation, looks, goes on, and looks again.
fn crashed_at(
    script: Script,
    options: DiskOptions,
    seed: u64,
    operation: u64,
) -> Result<(), Trouble> {
    let (disk, _mounted) = disk(seed, options);
    disk.power_cut_after(operation);
    let (acknowledged, error) = play(&disk, script, 0);
    if error.is_none() {
        disk.crash();
    }
    assert_eq!(disk.stats().crashes, 1);
    disk.restart();
    let there = check(&disk, script, acknowledged)?;
    assert!(there <= acknowledged + 1, "a transaction is there that nobody began");
    // What it recovered is a database like any other.
    let (all, error) = play(&disk, script, there);
    assert_eq!((all, error), (script.transactions, None));
    check(&disk, script, script.transactions).map(drop)
}

/// Crashes at every operation of some seeds, and at one of many. What went wrong, and how often.
fn crashes(script: Script, options: &DiskOptions) -> (u64, BTreeMap<&'static str, u64>) {
    let last = operations(script);
    let every = (0..EVERY_OPERATION_OF).flat_map(|seed| (0..=last).map(move |at| (seed, at)));
    let one = (EVERY_OPERATION_OF..SEEDS)
        .map(|seed| (seed, Streams::new(seed).stream("when").below(last + 1)));
    let (mut runs, mut troubles) = (0, BTreeMap::new());
    for (seed, at) in every.chain(one) {
        runs += 1;
        if let Err(trouble) = crashed_at(script, options.clone(), seed, at) {
            let name = match trouble {
                Trouble::Corrupt => "corrupt",
                Trouble::Lost => "lost",
                Trouble::Half => "half",
            };
            *troubles.entry(name).or_default() += 1;
        }
    }
    println!("{script:?}: {last} operations, {runs} crashes, {troubles:?}");
    (runs, troubles)
}

#[test]
fn a_synced_log_loses_nothing_wherever_the_power_goes() {
    for tearing in [Tearing::Whole, Tearing::Sectors, Tearing::Bytes, Tearing::Garbage] {
        let options = DiskOptions { tearing, ..DiskOptions::default() };
        let (_, troubles) = crashes(DURABLE, &options);
        assert_eq!(troubles, BTreeMap::new(), "{tearing:?}");
    }
}

#[test]
fn larger_sectors_and_damage_beside_a_write_lose_nothing_either() {
    for (sector, powersafe_overwrite) in [(4_096, true), (512, false), (4_096, false)] {
        let tearing = Tearing::Garbage;
        let options =
            DiskOptions { sector, powersafe_overwrite, tearing, ..DiskOptions::default() };
        let (_, troubles) = crashes(DURABLE, &options);
        assert_eq!(troubles, BTreeMap::new(), "{sector} {powersafe_overwrite}");
    }
}

#[test]
fn a_rollback_journal_loses_nothing_when_its_deletion_is_synced_too() {
    let extra = Script { synchronous: "EXTRA", ..JOURNAL };
    let (_, troubles) = crashes(extra, &DiskOptions::default());
    assert_eq!(troubles, BTreeMap::new());
}

#[test]
fn a_rollback_journal_whose_deletion_is_not_synced_comes_back_and_takes_a_transaction_with_it() {
    // SQLite says so of FULL in its documentation of EXTRA.
    let full = JOURNAL;
    let (_, troubles) = crashes(full, &DiskOptions::default());
    assert!(troubles["lost"] > 0, "{troubles:?}");
    assert_eq!(troubles.len(), 1, "lost, but never corrupt: {troubles:?}");
}

#[test]
fn a_log_that_is_synced_at_checkpoints_only_loses_transactions_and_is_never_corrupt() {
    let normal = Script { synchronous: "NORMAL", ..DURABLE };
    let (runs, troubles) = crashes(normal, &DiskOptions::default());
    assert!(troubles["lost"] > runs / 10, "{troubles:?}");
    assert_eq!(troubles.len(), 1, "{troubles:?}");
}

#[test]
fn without_syncs_transactions_are_lost_and_databases_corrupt() {
    let off = Script { synchronous: "OFF", ..DURABLE };
    let (runs, troubles) = crashes(off, &DiskOptions::default());
    assert!(troubles["lost"] > runs / 10, "{troubles:?}");
    assert!(troubles["corrupt"] > 0, "{troubles:?}");
}

#[test]
fn a_disk_that_lies_about_syncs_is_caught() {
    let lying = FaultRates { sync_lie: 1.0, ..FaultRates::default() };
    let options = DiskOptions { faults: lying, ..DiskOptions::default() };
    let (runs, troubles) = crashes(DURABLE, &options);
    assert!(troubles.values().sum::<u64>() > runs / 10, "{troubles:?}");
    // One lie in twenty is enough.
    let sometimes = FaultRates { sync_lie: 0.05, ..FaultRates::default() };
    let options = DiskOptions { faults: sometimes, ..DiskOptions::default() };
    let (_, troubles) = crashes(DURABLE, &options);
    assert!(troubles.values().sum::<u64>() > 0, "{troubles:?}");
}

#[test]
fn a_host_that_crashes_again_and_again_loses_nothing() {
    for seed in 0..60 {
        let (disk, _mounted) = disk(seed, DiskOptions::default());
        let mut when = Streams::new(seed).stream("when");
        let script = Script { transactions: 40, ..DURABLE };
        let mut kept = 0;
        while kept < script.transactions {
            assert!(disk.stats().crashes < 1_000, "seed {seed}: it gets no further than {kept}");
            // Long enough to get on, short enough to crash while a crash is recovered from; also while it closes.
            disk.power_cut_after(when.below(60));
            let (acknowledged, _) = play(&disk, script, kept);
            disk.restart();
            kept = check(&disk, script, acknowledged).unwrap();
        }
        assert_eq!(kept, script.transactions);
        assert!(disk.stats().crashes > 5, "{:?}", disk.stats());
    }
}
