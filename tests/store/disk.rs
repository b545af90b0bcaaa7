//! What the disk and others do to the store: held, full, read-only. It says what is wrong, and works on once it is not.

use std::time::{Duration, Instant};

use conversation_manager::store::{Closing, Store, StoreError, UnixMillis};
use rusqlite::Connection;

use crate::{Folder, check_file, inline, of, says};

#[tokio::test]
async fn a_database_that_others_hold_is_busy_after_the_timeout_and_works_once_they_let_go() {
    let folder = Folder::new();
    let patience = Duration::from_millis(120);
    let store = Store::spawn(folder.options().busy_timeout(patience)).unwrap();
    let id = store.start(of("ada")).await.unwrap().id;
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let begin = Instant::now();
    let error = store.append(says(id, "lost")).await.unwrap_err();
    assert_eq!(error, StoreError::Busy);
    assert!(error.is_transient());
    let took = begin.elapsed();
    assert!(took >= patience && took < patience * 20, "{took:?}");
    // To look is not to write.
    assert_eq!(store.messages(id, 0, 9).await.unwrap(), []);

    other.execute_batch("COMMIT").unwrap();
    assert_eq!(store.append(says(id, "kept")).await.unwrap().seq, 1);
}

#[tokio::test]
async fn an_inline_store_does_not_wait_for_others_on_the_hosts_clock() {
    let folder = Folder::new();
    let store = inline(folder.options().busy_timeout(Duration::from_secs(3_600)));
    let id = store.start(of("ada")).await.unwrap().id;
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begin = Instant::now();
    assert_eq!(store.append(says(id, "lost")).await.unwrap_err(), StoreError::Busy);
    assert!(begin.elapsed() < Duration::from_secs(60));
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(store.append(says(id, "kept")).await.unwrap().seq, 1);
}

#[test]
fn an_exclusive_store_keeps_others_out_and_is_kept_out_by_them() {
    let folder = Folder::new();
    let soon = |folder: &Folder| folder.options().busy_timeout(Duration::from_millis(20));
    let exclusive = Store::spawn(soon(&folder).exclusive(true)).unwrap();
    assert_eq!(Store::spawn(soon(&folder)).unwrap_err(), StoreError::Busy);
    assert_eq!(Store::spawn(soon(&folder).exclusive(true)).unwrap_err(), StoreError::Busy);
    drop(exclusive);
    let shared = Store::spawn(soon(&folder)).unwrap();
    let also = Store::spawn(soon(&folder)).unwrap();
    drop((shared, also));
    let _exclusive = Store::spawn(soon(&folder).exclusive(true)).unwrap();
}

#[tokio::test]
async fn a_store_at_its_bound_is_full_and_closing_and_pruning_make_room_again() {
    for threaded in [true, false] {
        let folder = Folder::new();
        let options = folder.options().max_bytes(400_000);
        let store = if threaded { Store::spawn(options).unwrap() } else { inline(options) };
        let mut kept = Vec::new();
        let text = "x".repeat(3_000);
        let error = loop {
            let id = store.start(of("ada")).await.unwrap().id;
            match store.append(says(id, &text)).await {
                Ok(_) => kept.push(id),
                Err(error) => break error,
            }
            assert!(kept.len() < 1_000, "there is a bound");
        };
        assert_eq!(error, StoreError::Full);
        assert!(error.is_transient());
        let totals = store.totals().await.unwrap();
        assert_eq!(totals.messages, kept.len() as u64, "what was refused is not there");
        assert!(totals.bytes <= 400_000 && totals.bytes > 300_000, "{totals:?}");

        // Only what is closed can go.
        let pruned = store.prune(UnixMillis(0)).await.unwrap();
        assert!(pruned.only_open_left && pruned.crowded_out == 0, "{pruned:?}");
        let larger = says(kept[0], &text.repeat(9));
        assert_eq!(store.append(larger).await.unwrap_err(), StoreError::Full);
        for (at, id) in (0..).zip(&kept) {
            assert!(store.close(*id, Closing::Completed, UnixMillis(at)).await.unwrap());
        }
        let pruned = store.prune(UnixMillis(0)).await.unwrap();
        assert!(!pruned.only_open_left && pruned.bytes <= 360_000, "{pruned:?}");
        assert!(pruned.crowded_out > 0 && pruned.messages == pruned.crowded_out, "{pruned:?}");
        // The oldest went, and no more than had to.
        for (number, id) in (0..).zip(&kept) {
            let there = store.conversation(*id).await.unwrap().is_some();
            assert_eq!(there, number >= pruned.crowded_out, "{id}");
        }
        assert!(pruned.crowded_out < kept.len() as u64 / 3);
        let id = store.start(of("ada")).await.unwrap().id;
        assert_eq!(store.append(says(id, &text)).await.unwrap().seq, 1);
        drop(store);
        check_file(&folder.file());
    }
}

#[tokio::test]
async fn a_store_full_of_open_conversations_can_close_them_all() {
    let folder = Folder::new();
    let store = inline(folder.options().max_bytes(200_000));
    let mut started = Vec::new();
    // The shortest there are, so that closing them needs the most room for what is there.
    let error = loop {
        match store.start(of("")).await {
            Ok(it) => started.push(it.id),
            Err(error) => break error,
        }
    };
    assert_eq!(error, StoreError::Full);
    assert!(started.len() > 2_000, "{}", started.len());
    assert!(store.prune(UnixMillis(0)).await.unwrap().only_open_left);
    for id in &started {
        assert!(store.close(*id, Closing::Completed, UnixMillis(0)).await.unwrap());
    }
    assert!(store.totals().await.unwrap().bytes > 200_000, "it took more than there was");
    assert_eq!(store.start(of(&"x".repeat(20_000))).await.unwrap_err(), StoreError::Full);
    let pruned = store.prune(UnixMillis(0)).await.unwrap();
    assert!(pruned.bytes <= 180_000 && pruned.crowded_out > 0, "{pruned:?}");
    store.start(of("")).await.unwrap();
}

#[tokio::test]
async fn a_message_too_large_for_what_is_left_fails_alone() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options().max_bytes(400_000)).unwrap();
    let id = store.start(of("ada")).await.unwrap().id;
    let other = Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // All of these wait for the same transaction, which SQLite rolls back at the large one.
    let calls: Vec<_> = (0..30)
        .map(|number| {
            let store = store.clone();
            let text = if number == 15 { "x".repeat(1_000_000) } else { number.to_string() };
            tokio::spawn(async move { store.append(says(id, &text)).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    other.execute_batch("COMMIT").unwrap();
    for (number, call) in calls.into_iter().enumerate() {
        let result = call.await.unwrap();
        assert_eq!(result.is_err(), number == 15, "{number}: {result:?}");
        assert!(number != 15 || result == Err(StoreError::Full));
    }
    let said = store.messages(id, 0, 99).await.unwrap();
    assert!(said.iter().map(|it| it.seq).eq(1..=29), "dense");
}

#[cfg(unix)]
#[tokio::test]
async fn a_read_only_file_is_refused_until_it_can_be_written() {
    use std::fs::{OpenOptions, Permissions, set_permissions};
    use std::os::unix::fs::PermissionsExt;

    let folder = Folder::new();
    let store = Store::spawn(folder.options()).unwrap();
    let id = store.start(of("ada")).await.unwrap().id;
    store.shut_down().await.unwrap();
    set_permissions(folder.file(), Permissions::from_mode(0o400)).unwrap();
    // Nothing is read-only for a superuser; a unit test has SQLite itself refuse to write.
    if OpenOptions::new().write(true).open(folder.file()).is_err() {
        for exclusive in [false, true] {
            let error = Store::spawn(folder.options().exclusive(exclusive)).unwrap_err();
            assert_eq!(error, StoreError::ReadOnly);
            assert!(!error.is_transient());
        }
    }
    set_permissions(folder.file(), Permissions::from_mode(0o600)).unwrap();
    let store = Store::spawn(folder.options()).unwrap();
    assert_eq!(store.append(says(id, "a")).await.unwrap().seq, 1);
}
