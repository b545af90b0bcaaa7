//! Many tasks at once on the store's thread.

use std::future::Future;
use std::task::{Context, Waker};
use std::time::Duration;

use conversation_manager::store::{Store, StoreError, UnixMillis};
use tokio::task::coop::unconstrained;

use crate::{Folder, check_file, keyed, of, replies, says};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_append_to_few_conversations_and_nothing_is_lost_or_torn() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options()).unwrap();
    for _ in 0..4 {
        store.start(of("ada")).await.unwrap();
    }
    let tasks: Vec<_> = (0..32_i64)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                let id = 1 + task % 4;
                let mut last = 0;
                for number in 0..50 {
                    let text = format!("{task}/{number}");
                    let asked = store.append(keyed(id, &text, &text)).await.unwrap();
                    assert!(asked.seq > last && !asked.replayed, "in the order of acknowledgement");
                    // Acknowledged, so it is seen.
                    let seen = store.messages(id, asked.seq - 1, 1).await.unwrap();
                    assert_eq!(seen[0].text, text);
                    last = store.append(replies(id, &text, asked.seq)).await.unwrap().seq;
                    // Tried again, by whom it was lost on the way.
                    let again = store.append(keyed(id, &text, &text)).await.unwrap();
                    assert_eq!((again.seq, again.replayed), (asked.seq, true));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let totals = store.totals().await.unwrap();
    assert_eq!(totals.messages, 32 * 50 * 2);
    for id in 1..=4 {
        let said = store.messages(id, 0, u32::MAX).await.unwrap();
        assert!(said.iter().map(|it| it.seq).eq(1..=8 * 50 * 2), "dense");
    }
    store.shut_down().await.unwrap();
    check_file(&folder.file());
}

#[tokio::test]
async fn writes_that_wait_together_share_a_transaction_and_fail_each_for_itself() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options()).unwrap();
    store.start(of("ada")).await.unwrap();
    let before = store.totals().await.unwrap().commits;
    // A hold on the write lock, so that all of these come to wait for the same transaction or two.
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let calls = (0..100).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            // Every third one goes nowhere.
            let id = if number % 3 == 0 { 99 } else { 1 };
            (number, store.append(says(id, &number.to_string())).await)
        })
    });
    let calls: Vec<_> = calls.collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    other.execute_batch("COMMIT").unwrap();
    for call in calls {
        let (number, result) = call.await.unwrap();
        if number % 3 == 0 {
            assert_eq!(result.unwrap_err(), StoreError::NoSuchConversation(99));
        } else {
            result.unwrap();
        }
    }
    let totals = store.totals().await.unwrap();
    assert_eq!(totals.messages, 66);
    let commits = totals.commits - before;
    assert!(commits <= 2, "66 writes took {commits} transactions");
}

#[tokio::test]
async fn a_call_that_is_dropped_was_carried_out_or_not_and_never_half() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options()).unwrap();
    let id = store.start(of("ada")).await.unwrap().id;
    let mut context = Context::from_waker(Waker::noop());
    for number in 0..500 {
        let text = number.to_string();
        let mut call = Box::pin(unconstrained(store.append(keyed(id, &text, &text))));
        // Polled once: in the queue, and given up.
        let _ = call.as_mut().poll(&mut context);
        drop(call);
    }
    // Never polled: not carried out.
    drop(store.append(says(id, "never")));
    // Each is tried again, and is there once.
    for number in 0..500 {
        let text = number.to_string();
        store.append(keyed(id, &text, &text)).await.unwrap();
    }
    let said = store.messages(id, 0, u32::MAX).await.unwrap();
    assert_eq!(said.len(), 500);
    assert!(said.iter().map(|it| it.seq).eq(1..=500));
    let mut numbers: Vec<u32> = said.iter().map(|it| it.text.parse().unwrap()).collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..500));
}

#[tokio::test]
async fn what_was_accepted_is_finished_when_the_last_handle_is_dropped() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options().exclusive(true)).unwrap();
    let id = store.start(of("ada")).await.unwrap().id;
    let mut context = Context::from_waker(Waker::noop());
    for number in 0..300 {
        let mut call = Box::pin(unconstrained(store.append(says(id, &number.to_string()))));
        let _ = call.as_mut().poll(&mut context);
    }
    drop(store);
    // The file is free at once, exclusive or not.
    let store = Store::spawn(folder.options().exclusive(true)).unwrap();
    assert_eq!(store.totals().await.unwrap().messages, 300);
}

#[tokio::test]
async fn what_was_accepted_is_finished_by_a_shutdown_and_what_comes_later_is_refused() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options()).unwrap();
    let id = store.start(of("ada")).await.unwrap().id;
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut calls = Vec::new();
    let mut shutdown = Box::pin(unconstrained(store.clone().shut_down()));
    for number in 0..900 {
        // While the thread holds still, the shutdown stands in the queue with calls before and behind it.
        if number == 100 {
            assert!(shutdown.as_mut().poll(&mut context).is_pending());
        }
        let store = store.clone();
        let call = async move { store.append(says(id, &number.to_string())).await };
        let mut call = Box::pin(unconstrained(call));
        assert!(call.as_mut().poll(&mut context).is_pending());
        calls.push(call);
    }
    other.execute_batch("COMMIT").unwrap();
    shutdown.await.unwrap();
    for (expected, call) in (1..).zip(calls) {
        assert_eq!(call.await.unwrap().seq, expected);
    }
    assert_eq!(store.append(says(id, "late")).await.unwrap_err(), StoreError::Stopped);
    assert_eq!(store.prune(UnixMillis(0)).await.unwrap_err(), StoreError::Stopped);
}

#[tokio::test]
async fn callers_wait_for_a_place_when_the_queue_is_full() {
    let folder = Folder::new();
    let store = Store::spawn(folder.options()).unwrap();
    let id = store.start(of("ada")).await.unwrap().id;
    let other = rusqlite::Connection::open(folder.file()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut context = Context::from_waker(Waker::noop());
    // The thread has taken some of the first, and holds still.
    let mut calls = Vec::new();
    for number in 0..3_000 {
        let store = store.clone();
        let call = async move { store.append(says(id, &number.to_string())).await };
        let mut call = Box::pin(unconstrained(call));
        assert!(call.as_mut().poll(&mut context).is_pending());
        calls.push(call);
    }
    // Of these, the queue has 1,024 and the thread at most 256; the others are with their callers.
    drop(calls);
    other.execute_batch("COMMIT").unwrap();
    // What was in the queue is done before what comes now.
    let accepted = store.append(says(id, "last")).await.unwrap().seq - 1;
    assert!((1_024..=1_024 + 256).contains(&accepted), "{accepted} of 3,000 were accepted");
}
