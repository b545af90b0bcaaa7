//! Full, failing, rotten, slow and read-only disks: an error is told, and what was acknowledged is there.

use std::time::Duration;

use hyperlapse::disk::{
    self, Disk, DiskError, DiskFault, DiskOp, DiskOpKind, DiskOptions, FaultRates, Latency,
};
use hyperlapse::{Distribution, Streams};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::script::{DURABLE, JOURNAL, Script, Trouble, check, disk, open, play, transaction};

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

/// How many operations a script takes, its end not counted.
fn operations(script: Script) -> u64 {
    let (disk, _mounted) = disk(0, DiskOptions::default());
    play(&disk, script, 0);
    disk.stats().operations()
}

/// Plays a script with one fault at each operation in turn; how often an error was told.
fn struck_everywhere(script: Script, fault: DiskFault, expected: &[ErrorCode], crash: bool) -> u64 {
    let mut told = 0;
    for at in 0..operations(script) {
        let (disk, _mounted) = disk(at, DiskOptions::default());
        // SQLite is not told of a directory: see below.
        disk.set_faults(move |op: &DiskOp<'_>| {
            (op.index == at && op.kind != DiskOpKind::SyncDirectory).then_some(fault)
        });
        let (acknowledged, error) = play(&disk, script, 0);
        if let Some(error) = &error {
            told += 1;
            assert!(code(error).is_some_and(|code| expected.contains(&code)), "{at}: {error}");
        }
        if crash {
            disk.crash();
        }
        let there = check(&disk, script, acknowledged);
        let there = there.unwrap_or_else(|trouble| panic!("{fault:?} at {at}: {trouble:?}"));
        assert_eq!(play(&disk, script, there), (script.transactions, None), "{fault:?} at {at}");
        check(&disk, script, script.transactions).unwrap();
    }
    told
}

#[test]
fn one_failing_operation_wherever_it_is_loses_nothing_that_was_acknowledged() {
    let expected = [ErrorCode::SystemIoFailure, ErrorCode::CannotOpen];
    for script in [DURABLE, JOURNAL] {
        for crash in [false, true] {
            let script = Script { synchronous: "EXTRA", ..script };
            let told = struck_everywhere(script, DiskFault::Error, &expected, crash);
            assert!(told > operations(script) / 2, "{script:?}: told {told} times");
        }
    }
}

#[test]
fn one_operation_that_finds_no_room_loses_nothing_that_was_acknowledged() {
    let expected = [ErrorCode::DiskFull, ErrorCode::CannotOpen];
    for crash in [false, true] {
        let told = struck_everywhere(DURABLE, DiskFault::Full, &expected, crash);
        assert!(told > 20, "told {told} times");
    }
}

#[test]
fn a_directory_whose_sync_fails_is_not_told_and_a_crash_may_take_its_files() {
    let mut lost = 0;
    for seed in 0..40 {
        let (disk, _mounted) = disk(seed, DiskOptions::default());
        disk.set_faults(|op: &DiskOp<'_>| {
            (op.kind == DiskOpKind::SyncDirectory).then_some(DiskFault::Error)
        });
        let mut database = open(&disk, DURABLE).unwrap();
        transaction(&mut database, 0).unwrap();
        assert!(disk.stats().errors > 0);
        disk.crash();
        drop(database);
        lost += u32::from(check(&disk, DURABLE, 1).is_err());
    }
    assert!((10..40).contains(&lost), "{lost} of 40");
}

#[test]
fn a_full_disk_says_so_and_with_more_room_all_goes_on() {
    let options = DiskOptions { capacity: Some(150_000), ..DiskOptions::default() };
    let (disk, _mounted) = disk(3, options);
    let mut database = open(&disk, DURABLE).unwrap();
    let mut kept = 0;
    let full = loop {
        assert!(kept < 100, "it is never full");
        match transaction(&mut database, kept) {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(code(&full), Some(ErrorCode::DiskFull), "{full}");
    assert!(kept > 2 && disk.used() <= 150_000 && disk.stats().refused_for_room > 0);
    assert!(transaction(&mut database, kept).is_err(), "it stays full");

    disk.change(|options| options.capacity = None).unwrap();
    for n in kept..kept + 20 {
        transaction(&mut database, n).unwrap();
    }
    disk.crash();
    drop(database);
    assert_eq!(check(&disk, DURABLE, kept + 20), Ok(kept + 20));
}

#[test]
fn a_disk_that_turns_read_only_fails_writes_and_one_that_is_says_so_when_it_is_opened() {
    let script = Script { journal: "DELETE", ..DURABLE };
    let (disk, _mounted) = disk(0, DiskOptions::default());
    let mut database = open(&disk, script).unwrap();
    transaction(&mut database, 0).unwrap();
    disk.change(|options| options.read_only = true).unwrap();
    let error = transaction(&mut database, 1).unwrap_err();
    assert!(
        matches!(code(&error), Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)),
        "{error}"
    );
    drop(database);

    let path = disk.path("app.db");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let database = Connection::open_with_flags_and_vfs(path, flags, disk::VFS).unwrap();
    let count = "SELECT count(*) FROM parts";
    // What the failed transaction left is rolled back by whoever may write.
    let read = database.query_row(count, [], |row| row.get::<_, i64>(0));
    let write = database.execute("DELETE FROM parts", []).unwrap_err();
    assert_eq!(code(&write), Some(ErrorCode::ReadOnly), "{write}, and reading gave {read:?}");
    drop(database);

    disk.change(|options| options.read_only = false).unwrap();
    assert_eq!(check(&disk, script, 1), Ok(1));
}

#[test]
fn bits_that_rot_are_found_by_the_databases_own_check_or_in_what_it_holds() {
    let (mut found, mut rotten) = (0, 0);
    for seed in 0..100 {
        let (disk, _mounted) = disk(seed, DiskOptions::default());
        assert_eq!(play(&disk, DURABLE, 0).0, DURABLE.transactions);
        disk.change(|options| {
            options.faults = FaultRates { read_rot: 0.1, ..FaultRates::default() };
        })
        .unwrap();
        found += u32::from(check(&disk, DURABLE, DURABLE.transactions).is_err());
        rotten += u32::from(disk.stats().rotten_bits > 0);
    }
    // A bit in what a page does not use is no harm.
    assert!(rotten > 50 && found * 2 > rotten, "{found} of {rotten}");
}

#[test]
fn every_operation_takes_its_time_and_nobody_waits_for_it() {
    let latency = Latency {
        read: Distribution::Constant(Duration::from_micros(3)),
        write: Distribution::Constant(Duration::from_micros(50)),
        sync: Distribution::Constant(Duration::from_secs(40)),
        sync_bytes_per_second: Some(1_000_000),
    };
    let began = std::time::Instant::now();
    let (disk, _mounted) = disk(0, DiskOptions { latency, ..DiskOptions::default() });
    play(&disk, DURABLE, 0);
    let stats = disk.stats();
    let calls = |n: u64, each: Duration| each * u32::try_from(n).unwrap();
    let expected = calls(stats.reads, Duration::from_micros(3))
        + calls(
            stats.opens + stats.writes + stats.truncates + stats.deletes,
            Duration::from_micros(50),
        )
        + calls(stats.syncs + stats.directory_syncs, Duration::from_secs(40))
        + Duration::from_micros(stats.bytes_synced);
    assert_eq!(stats.busy, expected);
    assert!(stats.busy > Duration::from_secs(800), "{:?}", stats.busy);
    assert_eq!(disk.take_elapsed(), expected);
    assert_eq!(disk.take_elapsed(), Duration::ZERO);
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn who_waits_for_a_lock_waits_in_virtual_time() {
    let (disk, _mounted) = disk(0, DiskOptions::default());
    let mut database = open(&disk, JOURNAL).unwrap();
    let other = open(&disk, JOURNAL).unwrap();
    other.busy_timeout(Duration::from_secs(100)).unwrap();
    let holds = database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
    let holds = holds.unwrap();
    disk.take_elapsed();
    let began = std::time::Instant::now();
    let error = other.execute("DELETE FROM parts", []).unwrap_err();
    assert_eq!(code(&error), Some(ErrorCode::DatabaseBusy), "{error}");
    let waited = disk.take_elapsed();
    assert!(waited > Duration::from_secs(99) && waited < Duration::from_secs(101), "{waited:?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    drop(holds);
    other.execute("DELETE FROM parts", []).unwrap();
}

#[test]
fn the_power_can_be_cut_by_a_fault_and_comes_back_with_a_restart() {
    let (disk, _mounted) = disk(5, DiskOptions::default());
    disk.set_faults(|op: &DiskOp<'_>| {
        (op.kind == DiskOpKind::Sync && op.index > 60).then_some(DiskFault::PowerCut)
    });
    let (acknowledged, error) = play(&disk, DURABLE, 0);
    assert!(acknowledged > 0 && error.is_some());
    assert!(!disk.has_power());
    assert_eq!(disk.open("app.db").unwrap_err(), DiskError::NoPower("server".to_owned()));
    assert!(open(&disk, DURABLE).is_err());
    disk.clear_faults();
    disk.restart();
    check(&disk, DURABLE, acknowledged).unwrap();
}

#[test]
fn a_hook_that_panics_fails_the_operation_and_not_the_process() {
    let (disk, _mounted) = disk(0, DiskOptions::default());
    let mut database = open(&disk, DURABLE).unwrap();
    disk.set_faults(|op: &DiskOp<'_>| match op.kind {
        DiskOpKind::Write => panic!("a hook that panics, on purpose"),
        _ => None,
    });
    let error = transaction(&mut database, 0).unwrap_err();
    assert_eq!(code(&error), Some(ErrorCode::SystemIoFailure), "{error}");
    disk.clear_faults();
    transaction(&mut database, 0).unwrap();
}

#[test]
fn a_dead_process_reads_and_writes_nothing_and_does_not_disturb_the_next() {
    let (disk, _mounted) = disk(0, DiskOptions::default());
    let mut dead = open(&disk, DURABLE).unwrap();
    transaction(&mut dead, 0).unwrap();
    disk.crash();
    let mut alive = open(&disk, DURABLE).unwrap();
    transaction(&mut alive, 1).unwrap();
    let error = transaction(&mut dead, 2).unwrap_err();
    assert_eq!(code(&error), Some(ErrorCode::SystemIoFailure), "{error}");
    let before = disk.fingerprint();
    drop(dead);
    assert_eq!(disk.fingerprint(), before, "closing writes nothing and deletes nothing");
    transaction(&mut alive, 2).unwrap();
    drop(alive);
    assert_eq!(check(&disk, DURABLE, 3), Ok(3));
}

#[test]
fn hosts_have_disks_of_their_own_and_a_thread_sees_those_it_has_mounted() {
    let streams = Streams::new(0);
    let new = |host: &str| Disk::new(host, &streams, DiskOptions::default());
    let (a, b) = (new("a").unwrap(), new("b").unwrap());
    let mounted = (a.mount().unwrap(), b.mount().unwrap());
    assert_eq!(new("a").unwrap().mount().unwrap_err(), DiskError::AlreadyMounted("a".to_owned()));
    assert_eq!(play(&a, DURABLE, 0).0, 10);
    assert!(b.files().is_empty());
    assert_eq!(play(&b, DURABLE, 0).0, 10);
    a.crash();
    assert_eq!(check(&a, DURABLE, 10), Ok(10));
    let elsewhere = std::thread::spawn({
        let a = a.clone();
        move || open(&a, DURABLE).map(drop)
    });
    let error = elsewhere.join().unwrap().unwrap_err();
    assert_eq!(code(&error), Some(ErrorCode::CannotOpen), "{error}");
    drop(mounted);
    assert!(open(&a, DURABLE).is_err());
}

#[test]
fn what_no_disk_can_be_is_refused_with_what_was_expected() {
    let streams = Streams::new(0);
    let told = |host: &str, change: &dyn Fn(&mut DiskOptions)| {
        let mut options = DiskOptions::default();
        change(&mut options);
        Disk::new(host, &streams, options).unwrap_err().to_string()
    };
    let backwards = Distribution::Uniform(Duration::from_millis(2), Duration::from_millis(1));
    let told = [
        told("", &|_| {}),
        told("a/b", &|_| {}),
        told("a", &|options| options.sector = 1_000),
        told("a", &|options| options.faults.sync_lie = 1.5),
        told("a", &|options| options.faults.read_rot = f64::NAN),
        told("a", &|options| options.latency.sync = backwards.clone()),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    the host of a disk is "": expected 1 to 200 letters, digits, '.', '-' and '_'
    the host of a disk is "a/b": expected 1 to 200 letters, digits, '.', '-' and '_'
    the sector of a disk is 1000 bytes: expected a power of two from 512 to 65,536
    the rate of lying syncs of a disk is 1.5: expected a share from 0 to 1
    the rate of rotten reads of a disk is NaN: expected a share from 0 to 1
    the latency of syncs of a disk is uniform from 2ms to 1ms: expected the lower time first: expected a distribution that can be sampled
    "#);
}

#[test]
fn files_without_a_name_are_on_the_disk_that_is_used_and_gone_when_closed() {
    let (disk, _mounted) = disk(0, DiskOptions::default());
    let database = open(&disk, DURABLE).unwrap();
    database
        .execute_batch(
            "PRAGMA temp_store = FILE;
             CREATE TEMP TABLE scratch (text TEXT);
             WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 3000)
             INSERT INTO scratch SELECT hex(zeroblob(500)) || n FROM n;",
        )
        .unwrap();
    assert!(disk.used() > 2_000_000, "{} bytes", disk.used());
    assert!(disk.files().iter().all(|(name, _)| name.starts_with("app.db")), "{:?}", disk.files());
    drop(database);
    assert!(disk.used() < 200_000, "{} bytes", disk.used());
    assert_eq!(check(&disk, DURABLE, 0), Ok::<_, Trouble>(0));
}
