//! Crashes in the middle of every operation.

use hyperlapse::disk::{DiskOptions, FaultRates, Tearing};
use hyperlapse::{RandomExt, Streams};

use crate::script::{DURABLE, Script, Trouble, check, disk, play};

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
    assert!(disk.stats().crashes == 1);
    disk.restart();
    let there = check(&disk, script, acknowledged)?;
    assert!(there <= acknowledged + 1, "a transaction is there that nobody began");
    // What it recovered is a database like any other.
    let (all, error) = play(&disk, script, there);
    assert_eq!((all, error), (script.transactions, None));
    check(&disk, script, script.transactions).map(drop)
}

#[test]
fn a_synced_log_loses_nothing_wherever_the_power_goes() {
    let operations = operations(DURABLE);
    let t = std::time::Instant::now();
    for operation in 0..=operations {
        crashed_at(DURABLE, DiskOptions::default(), 0, operation).unwrap();
    }
    println!("{operations} {:?}", t.elapsed());
}
