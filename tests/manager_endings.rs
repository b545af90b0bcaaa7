//! How conversations end, and managers: one test per promise, on tokio's paused clock, with the expiry driver as
//! in production.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use conversation_manager::{
    Conversation, ConversationManager, Ended, Expiry, Limits, Refused, StartRequest, current,
};
use tokio::time::{Instant, advance, sleep, timeout};

const MINUTE: Duration = Duration::from_secs(60);
const MS: Duration = Duration::from_millis(1);

fn limited(all: usize, one: usize) -> ConversationManager {
    ConversationManager::new(Limits { max_concurrent: all, max_per_user: one, ..Limits::default() })
        .unwrap()
}

fn users(manager: &ConversationManager) -> Vec<String> {
    manager.active().iter().map(|active| active.user.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn idle_and_longest_duration_expire_at_their_deadline_and_say_which() {
    let manager = limited(10, 3);
    let _expiry = manager.spawn_expiry();
    let begin = Instant::now();
    let idle = manager.try_start("idle").unwrap();
    let busy = manager.try_start("busy").unwrap();
    let touching = async {
        while busy.touch().is_ok() {
            sleep(MINUTE).await;
        }
        begin.elapsed()
    };
    let idling = async { (idle.expired().await, begin.elapsed()) };
    let lasting = async { (busy.expired().await, begin.elapsed()) };
    let (idled, lasted, stopped) = tokio::join!(idling, lasting, touching);
    assert_eq!(idled, (Expiry::Idle, 5 * MINUTE));
    assert_eq!(lasted, (Expiry::MaxDuration, 10 * MINUTE));
    assert_eq!(stopped, 10 * MINUTE);
    assert_eq!(
        idle.end(),
        Err(Ended { id: conversation_manager::ConversationId(1), how: Expiry::Idle })
    );
    let ended = manager.stats().ended;
    assert_eq!((ended.expired_idle, ended.expired_duration, ended.total()), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_met_to_the_nanosecond_without_a_driver() {
    let manager = limited(10, 3);
    let conversation = manager.try_start("ada").unwrap();
    advance(5 * MINUTE - Duration::from_nanos(1)).await;
    conversation.touch().expect("a touch before the deadline wins");
    advance(5 * MINUTE - Duration::from_nanos(1)).await;
    assert_eq!(manager.stats().active, 1);
    advance(Duration::from_nanos(1)).await;
    assert_eq!(manager.stats().active, 0, "at the deadline it is over");
    assert_eq!(conversation.touch().unwrap_err().how, Expiry::Idle);
}

#[tokio::test(start_paused = true)]
async fn a_slot_that_expires_goes_to_the_next_at_once() {
    let manager = limited(1, 1);
    let _expiry = manager.spawn_expiry();
    let _idle = manager.try_start("idle").unwrap();
    let next = manager.start("next").await.unwrap();
    assert_eq!(next.waited(), 5 * MINUTE);
    assert_eq!(users(&manager), ["next"]);
}

#[tokio::test(start_paused = true)]
async fn several_watchers_hear_of_one_expiry() {
    let manager = limited(1, 1);
    let _expiry = manager.spawn_expiry();
    let conversation = manager.try_start("ada").unwrap();
    {
        // One that gave up leaves nothing behind.
        let mut gave_up = pin!(conversation.expired());
        assert!(gave_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    let both = tokio::join!(conversation.expired(), conversation.expired());
    assert_eq!(both, (Expiry::Idle, Expiry::Idle));
    assert_eq!(conversation.expired().await, Expiry::Idle, "and who asks later is told the same");
}

#[tokio::test(start_paused = true)]
async fn shorter_timeouts_reach_running_conversations_and_the_driver() {
    let manager = limited(1, 1);
    let _expiry = manager.spawn_expiry();
    let begin = Instant::now();
    let conversation = manager.try_start("ada").unwrap();
    sleep(MINUTE).await;
    manager.resize(Limits { idle_timeout: 2 * MINUTE, ..manager.limits() }).unwrap();
    assert_eq!((conversation.expired().await, begin.elapsed()), (Expiry::Idle, 2 * MINUTE));
    let refused =
        manager.resize(Limits { idle_timeout: Duration::ZERO, ..manager.limits() }).unwrap_err();
    assert_eq!((refused.field(), manager.limits().idle_timeout), ("idle_timeout", 2 * MINUTE));
}

#[tokio::test(start_paused = true)]
async fn draining_refuses_those_who_wait_and_waits_for_those_who_talk() {
    let manager = limited(2, 2);
    let expiry = manager.spawn_expiry();
    let quick = manager.try_start("quick").unwrap();
    let slow = manager.try_start("slow").unwrap();
    let waiting = tokio::spawn(manager.start("waiting"));
    tokio::task::yield_now().await;
    let begin = Instant::now();
    let work = async {
        sleep(MINUTE).await;
        quick.end().unwrap();
        (slow.expired().await, begin.elapsed())
    };
    let (report, cut) = tokio::join!(manager.drain(2 * MINUTE), work);
    assert_eq!((report.ended, report.expired, report.refused, report.took), (1, 1, 1, 2 * MINUTE));
    assert_eq!(cut, (Expiry::ShutDown, 2 * MINUTE));
    assert_eq!(waiting.await.unwrap().unwrap_err(), Refused::ShuttingDown);
    assert_eq!(manager.try_start("late").unwrap_err(), Refused::ShuttingDown);
    expiry.await; // nothing is left to drive
    let again = manager.drain(MINUTE).await;
    assert_eq!((again.ended, again.expired, again.took), (0, 0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_dropped_leaves_the_doors_shut_and_can_be_repeated() {
    let manager = limited(2, 2);
    let conversation = manager.try_start("ada").unwrap();
    assert!(timeout(MS, manager.drain(MINUTE)).await.is_err());
    assert_eq!(manager.try_start("late").unwrap_err(), Refused::ShuttingDown);
    conversation.touch().expect("the conversation goes on");
    let report = manager.shutdown().await;
    assert_eq!((report.ended, report.expired), (0, 1));
    assert_eq!(conversation.end().unwrap_err().how, Expiry::ShutDown);
}

#[tokio::test(start_paused = true)]
async fn a_panic_counts_as_abandoned_and_frees_the_slot() {
    let manager = limited(1, 1);
    let conversation = manager.try_start("ada").unwrap();
    let task = tokio::spawn(async move { panic!("in the middle of {}", conversation.id()) });
    assert!(task.await.unwrap_err().is_panic());
    let stats = manager.stats();
    assert_eq!((stats.active, stats.ended.abandoned), (0, 1));
    assert!(manager.try_start("ada").is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_counts_as_abandoned() {
    let manager = limited(1, 1);
    let conversation = manager.try_start("ada").unwrap();
    assert!(
        timeout(MS, async { (conversation, std::future::pending::<()>().await) }).await.is_err()
    );
    assert_eq!(manager.stats().ended.abandoned, 1);
}

#[tokio::test(start_paused = true)]
async fn the_current_conversation_is_that_of_the_innermost_scope() {
    let manager = limited(2, 2);
    let ask = || {
        current().map(|c| {
            (c.id().0, c.user().to_string(), c.room().map(str::to_owned), c.thread().is_some())
        })
    };
    let outer = manager.try_start(StartRequest::new("ada").room("#ops")).unwrap();
    let inner = manager.try_start("grace").unwrap();
    assert_eq!(ask(), None);
    outer
        .scope(async {
            assert_eq!(ask(), Some((1, "ada".into(), Some("#ops".into()), false)));
            inner.scope(async { assert_eq!(ask().unwrap().0, 2) }).await;
            assert_eq!(ask().unwrap().0, 1);
            assert!(tokio::spawn(async { current().is_none() }).await.unwrap());
            let handed_on = current().unwrap().scope(async { current().unwrap().id() });
            assert_eq!(tokio::spawn(handed_on).await.unwrap().0, 1);
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn the_driver_ends_with_the_last_handle_and_not_before() {
    let manager = limited(1, 1);
    let expiry = manager.spawn_expiry();
    let conversation = manager.try_start("ada").unwrap();
    drop(manager);
    assert_eq!(conversation.expired().await, Expiry::Idle, "a conversation keeps it going");
    assert!(!expiry.is_finished());
    drop(conversation);
    timeout(MS, expiry).await.expect("nobody is left");
}

#[tokio::test(start_paused = true)]
async fn of_two_drivers_one_is_enough() {
    let manager = limited(1, 1);
    let (first, _second) = (manager.spawn_expiry(), manager.spawn_expiry());
    let conversation = manager.try_start("ada").unwrap();
    sleep(MINUTE).await;
    drop(first);
    let begin = Instant::now();
    assert_eq!(conversation.expired().await, Expiry::Idle);
    assert_eq!(begin.elapsed(), 4 * MINUTE);
}

#[tokio::test(start_paused = true)]
async fn endless_timeouts_never_expire() {
    let endless =
        Limits { idle_timeout: Duration::MAX, max_duration: Duration::MAX, ..Limits::default() };
    let manager = ConversationManager::new(endless).unwrap();
    let _expiry = manager.spawn_expiry();
    let conversation = manager.try_start("ada").unwrap();
    sleep(1_000_000 * MINUTE).await;
    conversation.end().unwrap();
}

/// Lets go of a conversation wherever it is dropped or woken.
struct Holder(Mutex<Option<Conversation>>);

impl Wake for Holder {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[tokio::test(start_paused = true)]
async fn wakers_that_use_the_manager_do_not_lock_it_up() {
    let limits = Limits { max_concurrent: 3, ..Limits::default() };
    let manager = ConversationManager::new(limits).unwrap();
    let conversation = manager.try_start("ada").unwrap();
    let held = || {
        let held = manager.try_start("grace").unwrap();
        Waker::from(Arc::new(Holder(Mutex::new(Some(held)))))
    };
    {
        let mut expired = pin!(conversation.expired());
        // The second poll drops the first waker, and with it a conversation.
        assert!(expired.as_mut().poll(&mut Context::from_waker(&held())).is_pending());
        assert!(expired.as_mut().poll(&mut Context::from_waker(&held())).is_pending());
        assert_eq!(manager.stats().active, 2);
        // The expiry wakes the second, which gives its conversation back.
        tokio::time::advance(limits.idle_timeout).await;
        assert_eq!(manager.stats().active, 0);
    }
    // So does a waker in the queue when its request is dropped.
    manager.resize(Limits { max_concurrent: 1, ..limits }).unwrap();
    let mut waiting = Box::pin(manager.start("mary"));
    let waker = held();
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    drop(waiting);
    assert_eq!((manager.stats().active, manager.stats().waiting), (0, 0));
}
