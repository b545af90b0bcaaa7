//! Who starts, who waits and who is next: one test per promise, on tokio's paused clock.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use conversation_manager::{Conversation, ConversationManager, Limits, Refused};
use tokio::time::sleep;

const MINUTE: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);

fn limited(all: usize, one: usize) -> ConversationManager {
    ConversationManager::new(Limits { max_concurrent: all, max_per_user: one, ..Limits::default() })
        .unwrap()
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn users(manager: &ConversationManager) -> Vec<String> {
    manager.active().iter().map(|active| active.user.to_string()).collect()
}

/// Polls, and expects that it waits.
macro_rules! waits {
    ($future:expr) => {{
        let mut future = $future;
        assert!(poll(&mut future).is_pending());
        future
    }};
}

fn is_send_and_static<T: Send + 'static>(value: T) -> T {
    value
}

#[tokio::test(start_paused = true)]
async fn handles_and_futures_go_to_other_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<ConversationManager>();
    is_shared::<Conversation>();
    let manager = limited(1, 1);
    drop(is_send_and_static(manager.start("ada")));
    drop(is_send_and_static(manager.start_within("ada", MINUTE)));
    drop(is_send_and_static(manager.drain(MINUTE)));
    drop(is_send_and_static(manager.run_expiry()));
}

#[tokio::test(start_paused = true)]
async fn who_waits_first_starts_first() {
    let manager = limited(1, 3);
    let mut slot = manager.try_start("holder").unwrap();
    let waiting: Vec<_> =
        ["a", "b", "c"].into_iter().map(|user| waits!(manager.start(user))).collect();
    for (mut start, user) in waiting.into_iter().zip(["a", "b", "c"]) {
        slot.end().unwrap();
        assert_eq!(users(&manager), [user]);
        let Poll::Ready(Ok(next)) = poll(&mut start) else { panic!("{user} is next") };
        slot = next;
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_at_their_own_limit_holds_up_nobody() {
    let manager = limited(2, 1);
    let greedy = manager.try_start("greedy").unwrap();
    let other = manager.try_start("other").unwrap();
    let mut more = waits!(manager.start("greedy"));
    let mut late = waits!(manager.start("late"));
    other.end().unwrap();
    assert!(poll(&mut more).is_pending());
    assert!(poll(&mut late).is_ready());
    greedy.end().unwrap();
    assert!(poll(&mut more).is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_free_slot_is_not_taken_before_those_who_wait() {
    let manager = limited(1, 1);
    let slot = manager.try_start("holder").unwrap();
    let _waiting = waits!(manager.start("patient"));
    slot.end().unwrap();
    assert!(matches!(
        manager.try_start("quick"),
        Err(Refused::GlobalLimit { active: 1, limit: 1 })
    ));
    assert_eq!(users(&manager), ["patient"]);
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_is_dropped_unseen_passes_on() {
    let manager = limited(1, 1);
    let slot = manager.try_start("holder").unwrap();
    let first = waits!(manager.start("first"));
    let mut second = waits!(manager.start("second"));
    slot.end().unwrap();
    drop(first);
    assert!(matches!(poll(&mut second), Poll::Ready(Ok(_))));
    assert_eq!(
        manager.stats().ended.abandoned,
        2,
        "first never saw it, second was dropped just now"
    );
    assert_eq!(manager.stats().cancelled_waits, 0);
}

#[tokio::test(start_paused = true)]
async fn a_place_that_is_given_up_is_free_for_others() {
    let limits = Limits { max_concurrent: 1, max_waiting: 1, ..Limits::default() };
    let manager = ConversationManager::new(limits).unwrap();
    let _slot = manager.try_start("holder").unwrap();
    let first = waits!(manager.start("first"));
    let refused = manager.start("second").await.unwrap_err();
    assert_eq!(refused, Refused::QueueFull { waiting: 1, limit: 1 });
    drop(first);
    let _second = waits!(manager.start("second"));
    assert_eq!(manager.stats().cancelled_waits, 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_meets_a_grant_never_loses_the_slot() {
    // Around the deadline, with the end before and after the timeout in the order of tasks.
    for end_after in [9, 10, 11] {
        for end_first in [true, false] {
            let manager = limited(1, 1);
            let slot = manager.try_start("holder").unwrap();
            let end = async {
                sleep(end_after * MS).await;
                slot.end().unwrap();
            };
            let start = manager.start_within("patient", 10 * MS);
            let started =
                if end_first { tokio::join!(end, start).1 } else { tokio::join!(start, end).0 };
            match started {
                Ok(conversation) => {
                    assert!(conversation.waited() <= 10 * MS);
                    conversation.end().unwrap();
                }
                Err(refused) => assert_eq!(refused, Refused::TimedOut { waited: 10 * MS }),
            }
            let stats = manager.stats();
            assert_eq!((stats.active, stats.waiting, stats.users), (0, 0, 0));
            assert_eq!(stats.started_total + stats.refused.timed_out, 2);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn shrinking_ends_nobody_and_admits_nobody_until_there_is_room() {
    let manager = limited(3, 3);
    let mut talking: Vec<_> = (0..3).map(|_| manager.try_start("ada").unwrap()).collect();
    manager.resize(Limits { max_concurrent: 1, max_per_user: 1, ..manager.limits() }).unwrap();
    let mut waiting = waits!(manager.start("grace"));
    for left in [2, 1] {
        talking.pop().unwrap().end().unwrap();
        assert_eq!(manager.stats().active, left);
        assert!(poll(&mut waiting).is_pending());
    }
    talking.pop().unwrap().end().unwrap();
    assert!(matches!(poll(&mut waiting), Poll::Ready(Ok(_))));
}

#[tokio::test(start_paused = true)]
async fn growing_wakes_exactly_those_who_may_start() {
    let manager = limited(1, 1);
    let _slot = manager.try_start("ada").unwrap();
    let mut own = waits!(manager.start("ada"));
    let mut grace = waits!(manager.start("grace"));
    let mut mary = waits!(manager.start("mary"));
    manager.resize(Limits { max_concurrent: 2, ..manager.limits() }).unwrap();
    assert_eq!(users(&manager), ["ada", "grace"]);
    manager.resize(Limits { max_concurrent: 3, max_per_user: 2, ..manager.limits() }).unwrap();
    assert_eq!(users(&manager), ["ada", "grace", "ada"]);
    assert!(poll(&mut own).is_ready() && poll(&mut grace).is_ready());
    assert!(poll(&mut mary).is_ready(), "the two before were dropped in the line above");
}
