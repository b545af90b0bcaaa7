//! One test per promise to a caller, each on both kinds of store.

use std::time::Duration;

use conversation_manager::store::{
    Appended, Closed, Closing, NewConversation, NewMessage, Role, Started, Store, StoreError,
    StoredConversation, StoredMessage, StoredTurn, UnixMillis,
};

use crate::{Folder, inline, keyed, of, replies, says, texts};

/// Both kinds of store, each in a folder of its own.
async fn on_both<F: Future<Output = ()>>(test: impl Fn(Store) -> F) {
    let folder = Folder::new();
    test(Store::spawn(folder.options()).unwrap()).await;
    let folder = Folder::new();
    test(inline(folder.options().exclusive(true))).await;
}

#[tokio::test]
async fn what_was_stored_is_told_in_full() {
    on_both(|store| async move {
        let id = store
            .start(NewConversation {
                user: "ada".into(),
                room: Some("#ops".into()),
                key: Some("k".into()),
                at: UnixMillis(-5),
            })
            .await
            .unwrap();
        assert_eq!(id, Started { id: 1, replayed: false });
        let text = "Größe \0 \u{1f9ee}\n";
        let seq = store.append(keyed(1, text, "m")).await.unwrap();
        assert_eq!(seq, Appended { seq: 1, replayed: false });
        assert_eq!(store.append(replies(1, "", 1)).await.unwrap().seq, 2);
        assert!(store.close(1, Closing::ExpiredIdle, UnixMillis(9_000)).await.unwrap());

        assert_eq!(
            store.conversation(1).await.unwrap().unwrap(),
            StoredConversation {
                id: 1,
                user: "ada".into(),
                room: Some("#ops".into()),
                key: Some("k".into()),
                started_at: UnixMillis(-5),
                active_at: UnixMillis(2_000),
                messages: 2,
                closed: Some(Closed { how: Closing::ExpiredIdle, at: UnixMillis(9_000) }),
            }
        );
        let asked = StoredMessage {
            seq: 1,
            role: Role::User,
            text: text.into(),
            key: Some("m".into()),
            reply_to: None,
            at: UnixMillis(2_000),
        };
        let reply = StoredMessage {
            seq: 2,
            role: Role::Bot,
            text: String::new(),
            key: None,
            reply_to: Some(1),
            at: UnixMillis(2_000),
        };
        assert_eq!(store.messages(1, 0, 9).await.unwrap(), [asked.clone(), reply.clone()]);
        assert_eq!(
            store.turn(1, "m").await.unwrap(),
            Some(StoredTurn { asked, reply: Some(reply) })
        );
        let totals = store.totals().await.unwrap();
        assert_eq!((totals.conversations, totals.open, totals.messages), (1, 0, 2));
        assert!(totals.bytes > 0 && totals.commits == 4, "{totals:?}");
    })
    .await;
}

#[tokio::test]
async fn a_start_tried_again_under_its_key_is_there_once() {
    on_both(|store| async move {
        let new = NewConversation { key: Some("k".into()), ..of("ada") };
        let first = store.start(new.clone()).await.unwrap();
        assert!(store.close(first.id, Closing::Completed, UnixMillis(0)).await.unwrap());
        let later = NewConversation { at: UnixMillis(77_000), ..new.clone() };
        let again = store.start(later).await.unwrap();
        assert_eq!(again, Started { id: first.id, replayed: true });

        let elsewhere = NewConversation { room: Some("#dev".into()), ..new };
        assert_eq!(
            store.start(elsewhere).await.unwrap_err(),
            StoreError::KeyReused { key: "k".into(), first: first.id }
        );
        // Another user's key is another key.
        let grace = NewConversation { key: Some("k".into()), ..of("grace") };
        assert!(!store.start(grace).await.unwrap().replayed);
        assert_eq!(store.totals().await.unwrap().conversations, 2);
    })
    .await;
}

#[tokio::test]
async fn a_message_tried_again_under_its_key_is_there_once() {
    on_both(|store| async move {
        let id = store.start(of("ada")).await.unwrap().id;
        let other = store.start(of("ada")).await.unwrap().id;
        assert_eq!(store.append(keyed(id, "a", "k")).await.unwrap().seq, 1);
        store.append(keyed(id, "b", "k2")).await.unwrap();
        store.close(id, Closing::Failed, UnixMillis(3_000)).await.unwrap();

        let again = NewMessage { at: UnixMillis(8_000), ..keyed(id, "a", "k") };
        assert_eq!(store.append(again).await.unwrap(), Appended { seq: 1, replayed: true });
        let reused = StoreError::KeyReused { key: "k".into(), first: 1 };
        for other_content in [
            keyed(id, "z", "k"),
            NewMessage { role: Role::Bot, ..keyed(id, "a", "k") },
            NewMessage { reply_to: Some(1), ..keyed(id, "a", "k") },
        ] {
            assert_eq!(store.append(other_content).await.unwrap_err(), reused);
        }
        assert!(!store.append(keyed(other, "z", "k")).await.unwrap().replayed);
        assert_eq!(texts(&store.messages(id, 0, 9).await.unwrap()), ["a", "b"]);
    })
    .await;
}

#[tokio::test]
async fn a_message_has_one_reply_at_most() {
    on_both(|store| async move {
        let id = store.start(of("ada")).await.unwrap().id;
        store.append(keyed(id, "?", "q")).await.unwrap();
        assert_eq!(store.turn(id, "q").await.unwrap().unwrap().reply, None);
        assert_eq!(store.append(replies(id, "!", 1)).await.unwrap().seq, 2);
        assert_eq!(
            store.append(replies(id, "!", 1)).await.unwrap(),
            Appended { seq: 2, replayed: true },
            "the same reply is a second try"
        );
        let other = StoreError::AlreadyReplied { conversation: id, reply_to: 1, reply: 2 };
        assert_eq!(store.append(replies(id, "?!", 1)).await.unwrap_err(), other);
        let under_a_key = NewMessage { key: Some("new".into()), ..replies(id, "!", 1) };
        assert_eq!(store.append(under_a_key).await.unwrap_err(), other);

        for nothing in [0, 3, -1, i64::MAX] {
            assert_eq!(
                store.append(replies(id, "!", nothing)).await.unwrap_err(),
                StoreError::NoSuchMessage { conversation: id, seq: nothing }
            );
        }
        assert_eq!(store.totals().await.unwrap().messages, 2);
    })
    .await;
}

#[tokio::test]
async fn a_closed_conversation_stays_as_it_was_closed() {
    on_both(|store| async move {
        let id = store.start(of("ada")).await.unwrap().id;
        for how in Closing::ALL {
            let id = store.start(of("ada")).await.unwrap().id;
            assert!(store.close(id, how, UnixMillis(5)).await.unwrap());
            assert!(!store.close(id, Closing::Completed, UnixMillis(6)).await.unwrap());
            let closed = store.conversation(id).await.unwrap().unwrap().closed;
            assert_eq!(closed, Some(Closed { how, at: UnixMillis(5) }));
            assert_eq!(
                store.append(says(id, "late")).await.unwrap_err(),
                StoreError::Closed(id, how)
            );
        }
        let open: Vec<_> = store.open().await.unwrap().iter().map(|it| it.id).collect();
        assert_eq!(open, [id]);
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_not_there() {
    on_both(|store| async move {
        let none = StoreError::NoSuchConversation(7);
        assert_eq!(store.append(says(7, "hello")).await.unwrap_err(), none);
        assert_eq!(store.append(replies(7, "hello", 1)).await.unwrap_err(), none);
        let close = store.close(7, Closing::Completed, UnixMillis(0)).await;
        assert_eq!(close.unwrap_err(), none);
        assert_eq!(store.conversation(7).await.unwrap(), None);
        assert_eq!(store.turn(7, "k").await.unwrap(), None);
        assert!(store.messages(7, 0, 9).await.unwrap().is_empty());
        assert!(store.conversations_of("ada", 0, 9).await.unwrap().is_empty());
        assert!(store.open().await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn lists_go_on_after_the_last_one_that_was_seen() {
    on_both(|store| async move {
        let mut of_ada = Vec::new();
        for number in 0..7 {
            of_ada.push(store.start(of("ada")).await.unwrap().id);
            store.start(of("grace")).await.unwrap();
            store.append(says(1, &number.to_string())).await.unwrap();
        }
        let mut seen = Vec::new();
        while let page =
            store.conversations_of("ada", seen.last().copied().unwrap_or(0), 3).await.unwrap()
            && !page.is_empty()
        {
            assert!(page.len() <= 3);
            seen.extend(page.iter().map(|it| it.id));
        }
        assert_eq!(seen, of_ada);
        assert_eq!(texts(&store.messages(1, 0, 3).await.unwrap()), ["0", "1", "2"]);
        assert_eq!(texts(&store.messages(1, 5, 3).await.unwrap()), ["5", "6"]);
        assert!(store.messages(1, 0, 0).await.unwrap().is_empty());
        assert_eq!(store.messages(1, i64::MIN, u32::MAX).await.unwrap().len(), 7);
    })
    .await;
}

#[tokio::test]
async fn a_store_that_was_shut_down_says_so() {
    on_both(|store| async move {
        let other = store.clone();
        store.start(of("ada")).await.unwrap();
        store.shut_down().await.unwrap();
        assert_eq!(other.start(of("ada")).await.unwrap_err(), StoreError::Stopped);
        assert_eq!(other.totals().await.unwrap_err(), StoreError::Stopped);
        assert_eq!(other.shut_down().await.unwrap_err(), StoreError::Stopped);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_inline_call_takes_its_pace_of_tokios_time_one_after_the_other() {
    let folder = Folder::new();
    let store = Store::inline(folder.options(), || Duration::from_millis(5)).unwrap();
    let begin = tokio::time::Instant::now();
    store.start(of("ada")).await.unwrap();
    assert_eq!(begin.elapsed(), Duration::from_millis(5));
    let (a, b, c) = tokio::join!(
        store.append(says(1, "a")),
        store.append(says(1, "b")),
        store.messages(1, 0, 9),
    );
    assert_eq!(begin.elapsed(), Duration::from_millis(20));
    assert_eq!((a.unwrap().seq, b.unwrap().seq), (1, 2));
    assert_eq!(texts(&c.unwrap()), ["a", "b"]);

    // Given up while the disk is at it: carried out, and not acknowledged.
    let late = tokio::time::timeout(Duration::from_millis(2), store.append(says(1, "c"))).await;
    assert!(late.is_err());
    assert_eq!(texts(&store.messages(1, 0, 9).await.unwrap()), ["a", "b", "c"]);
}

#[test]
fn handles_and_futures_go_to_other_threads() {
    fn goes<T: Send>(_: &T) {}
    fn is_shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let folder = Folder::new();
    let store = inline(folder.options());
    is_shared(&store);
    goes(&store.start(of("ada")));
    goes(&store.append(says(1, "a")));
    goes(&store.close(1, Closing::Completed, UnixMillis(0)));
    goes(&store.conversation(1));
    goes(&store.messages(1, 0, 1));
    goes(&store.turn(1, "k"));
    goes(&store.conversations_of("ada", 0, 1));
    goes(&store.open());
    goes(&store.prune(UnixMillis(0)));
    goes(&store.totals());
    goes(&store.clone().shut_down());
}
