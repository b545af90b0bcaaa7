//! Retention and size: what goes, what stays, and that the file becomes smaller.

use std::time::{Duration, Instant};

use conversation_manager::store::{Closing, NewConversation, Store, StoreError, UnixMillis};

use crate::{Folder, check_file, inline, of, replies, says};

#[tokio::test]
async fn retention_removes_what_was_closed_long_ago_and_nothing_else() {
    let folder = Folder::new();
    let store = inline(folder.options().retention(Duration::from_millis(100)));
    let key = Some("k".to_owned());
    let old = store.start(NewConversation { key: key.clone(), ..of("ada") }).await.unwrap().id;
    store.append(says(old, "a")).await.unwrap();
    store.append(replies(old, "b", 1)).await.unwrap();
    let recent = store.start(of("ada")).await.unwrap().id;
    let open = store.start(of("ada")).await.unwrap().id;
    store.close(old, Closing::Completed, UnixMillis(1_000)).await.unwrap();
    store.close(recent, Closing::Completed, UnixMillis(1_001)).await.unwrap();

    let early = store.prune(UnixMillis(1_099)).await.unwrap();
    assert_eq!((early.expired, early.crowded_out, early.messages), (0, 0, 0));
    let pruned = store.prune(UnixMillis(1_100)).await.unwrap();
    assert_eq!((pruned.expired, pruned.crowded_out, pruned.messages), (1, 0, 2));
    assert!(!pruned.only_open_left);
    assert_eq!(store.conversation(old).await.unwrap(), None);
    assert_eq!(
        store.append(says(old, "c")).await.unwrap_err(),
        StoreError::NoSuchConversation(old)
    );
    let all = store.prune(UnixMillis(i64::MAX)).await.unwrap();
    assert_eq!(all.expired, 1);
    assert!(store.conversation(open).await.unwrap().is_some(), "what is open stays");

    // Its key is free again, its number is not.
    let again = store.start(NewConversation { key, ..of("ada") }).await.unwrap();
    assert_eq!((again.id, again.replayed), (open + 1, false));
}

#[tokio::test]
async fn without_bounds_everything_is_kept() {
    let folder = Folder::new();
    let store = inline(folder.options());
    let id = store.start(of("ada")).await.unwrap().id;
    store.close(id, Closing::Completed, UnixMillis(0)).await.unwrap();
    let pruned = store.prune(UnixMillis(i64::MAX)).await.unwrap();
    assert_eq!((pruned.expired, pruned.crowded_out, pruned.freed), (0, 0, 0));
    assert!(store.conversation(id).await.unwrap().is_some());
}

#[tokio::test]
async fn the_file_becomes_smaller_and_others_take_their_turn_meanwhile() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options().retention(Duration::ZERO)).unwrap();
    let text = "x".repeat(2_000);
    let open = store.start(of("grace")).await.unwrap().id;
    for _ in 0..300 {
        let id = store.start(of("ada")).await.unwrap().id;
        let appends = (0..8).map(|_| {
            let (store, text) = (store.clone(), text.clone());
            tokio::spawn(async move { store.append(says(id, &text)).await.unwrap() })
        });
        for append in appends.collect::<Vec<_>>() {
            append.await.unwrap();
        }
        store.close(id, Closing::Completed, UnixMillis(0)).await.unwrap();
    }
    let before = store.totals().await.unwrap().bytes;
    assert!(before > 300 * 8 * 2_000);
    let pruning = tokio::spawn({
        let store = store.clone();
        async move { store.prune(UnixMillis(1)).await }
    });
    let mut meanwhile = 0;
    while !pruning.is_finished() {
        store.append(says(open, "still here")).await.unwrap();
        meanwhile += 1;
    }
    let pruned = pruning.await.unwrap().unwrap();
    assert_eq!((pruned.expired, pruned.messages), (300, 2_400));
    assert!(meanwhile >= 2, "{meanwhile} appends in between");
    let size = std::fs::metadata(folder.file()).unwrap().len();
    assert!(size < before / 10, "{before} bytes, now {size} in the file");
    assert!(pruned.freed > before / 2 && pruned.bytes < before / 10, "{pruned:?}");
    assert_eq!(store.totals().await.unwrap().messages, meanwhile);
    store.shut_down().await.unwrap();
    check_file(&folder.file());
}

#[tokio::test]
async fn a_long_conversation_goes_in_time_linear_in_its_length() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options().retention(Duration::ZERO)).unwrap();
    let id = store.start(of("ada")).await.unwrap().id;
    for turn in 0..4_000 {
        let (asked, reply) = (2 * turn + 1, 2 * turn + 2);
        let (a, b) = (store.append(says(id, "?")), store.append(replies(id, "!", asked)));
        let (a, b) = tokio::join!(a, b);
        assert_eq!((a.unwrap().seq, b.unwrap().seq), (asked, reply));
    }
    store.close(id, Closing::Completed, UnixMillis(0)).await.unwrap();
    let begin = Instant::now();
    let pruned = store.prune(UnixMillis(1)).await.unwrap();
    assert_eq!(pruned.messages, 8_000);
    // A search through all of them for each would be 32 million looks.
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn a_pruning_that_is_dropped_has_done_whole_steps() {
    let folder = Folder::new();
    let store = inline_with_pace(&folder);
    for _ in 0..250 {
        let id = store.start(of("ada")).await.unwrap().id;
        store.append(says(id, "a")).await.unwrap();
        store.close(id, Closing::Completed, UnixMillis(0)).await.unwrap();
    }
    // A look and one step, and half of the second.
    let cut = tokio::time::timeout(Duration::from_millis(25), store.prune(UnixMillis(1))).await;
    assert!(cut.is_err());
    let totals = store.totals().await.unwrap();
    assert!(totals.conversations == 50 && totals.messages == 50, "{totals:?}");
    let rest = store.prune(UnixMillis(1)).await.unwrap();
    assert_eq!(rest.expired, 50);
}

fn inline_with_pace(folder: &Folder) -> Store {
    tokio::time::pause();
    Store::inline(folder.options().retention(Duration::ZERO), || Duration::from_millis(10)).unwrap()
}
