//! The manager on several threads, under shuttle: the same code with shuttle's lock, in thousands of interleavings
//! at random and by priorities (PCT), each of which can be replayed.
//!
//! Shuttle: Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs" (ASPLOS 2010)
//! is its PCT scheduler.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use shuttle::{future, thread};

use crate::{Clock, ConversationManager, Limits, Timestamp, UserId};

/// Interleavings of each test by each scheduler.
const ITERATIONS: usize = 4_000;
/// Ordering constraints that PCT looks for.
const DEPTH: usize = 3;

/// A clock that moves when a thread says so.
#[derive(Clone, Default)]
struct ByHand(Arc<AtomicU64>);

impl ByHand {
    fn advance(&self, time: Duration) {
        self.0.fetch_add(time.as_nanos() as u64, Ordering::SeqCst);
    }
}

impl Clock for ByHand {
    type Sleep = std::future::Pending<()>;

    fn now(&self) -> Timestamp {
        Timestamp::ZERO.saturating_add(Duration::from_nanos(self.0.load(Ordering::SeqCst)))
    }

    fn sleep_until(&self, _deadline: Timestamp) -> Self::Sleep {
        std::future::pending()
    }
}

type Manager = ConversationManager<ByHand>;

const IDLE: Duration = Duration::from_secs(10);

fn manager(max_concurrent: usize, max_per_user: usize) -> (Manager, ByHand) {
    let clock = ByHand::default();
    let limits = Limits {
        max_concurrent,
        max_per_user,
        idle_timeout: IDLE,
        max_duration: 100 * IDLE,
        max_waiting: 8,
    };
    let manager = Manager::with_clock(limits, clock.clone()).expect("the limits are valid");
    (manager, clock)
}

fn check(test: fn()) {
    shuttle::check_random(test, ITERATIONS);
    shuttle::check_pct(test, ITERATIONS, DEPTH);
}

/// Everybody has left: nobody is active, nobody waits, and exactly the limit gets in.
fn is_as_new(manager: &Manager, limit: usize) {
    let stats = manager.stats();
    assert_eq!((stats.active, stats.waiting, stats.users), (0, 0, 0));
    assert_eq!(stats.started_total, stats.ended.total());
    let all: Vec<_> =
        (0..=limit).map_while(|n| manager.try_start(format!("probe-{n}")).ok()).collect();
    assert_eq!(all.len(), limit, "as many as the limit get in");
}

/// Counts who holds a slot, as its holders know it.
#[derive(Clone, Default)]
struct Held(Arc<AtomicI64>);

impl Held {
    fn with<T>(&self, limit: i64, work: impl FnOnce() -> T) -> T {
        let held = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        assert!(held <= limit, "{held} hold a slot, the limit is {limit}");
        let done = work();
        self.0.fetch_sub(1, Ordering::SeqCst);
        done
    }
}

fn spawn_all(threads: Vec<Box<dyn FnOnce() + Send>>) {
    let threads: Vec<_> = threads.into_iter().map(thread::spawn).collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no thread panics"));
}

#[test]
fn starts_and_ends_on_many_threads_keep_the_limits() {
    check(|| {
        let (manager, _) = manager(2, 1);
        let held = Held::default();
        let visit = |user: &'static str| -> Box<dyn FnOnce() + Send> {
            let (manager, held) = (manager.clone(), held.clone());
            Box::new(move || {
                if let Ok(conversation) = manager.try_start(user) {
                    held.with(2, || conversation.touch().expect("its time is not over"));
                    conversation.end().expect("its time is not over");
                }
            })
        };
        spawn_all(vec![visit("ann"), visit("ann"), visit("bob"), visit("cat")]);
        is_as_new(&manager, 2);
    });
}

#[test]
fn who_waits_on_another_thread_is_woken_and_has_the_slot() {
    check(|| {
        let (manager, _) = manager(1, 1);
        let held = Held::default();
        let visit = |user: &'static str| -> Box<dyn FnOnce() + Send> {
            let (manager, held) = (manager.clone(), held.clone());
            Box::new(move || {
                // A lost wake-up would be a deadlock, which shuttle names.
                let conversation =
                    future::block_on(manager.start(user)).expect("there is room to wait");
                held.with(1, || {});
                drop(conversation);
            })
        };
        spawn_all(vec![visit("ann"), visit("bob"), visit("cat")]);
        is_as_new(&manager, 1);
    });
}

#[test]
fn a_start_that_is_dropped_while_it_is_granted_passes_the_slot_on() {
    check(|| {
        let (manager, _) = manager(1, 1);
        let first = manager.try_start("first").expect("nobody is there");
        let gives_up = manager.clone();
        let waits = manager.clone();
        spawn_all(vec![
            Box::new(move || {
                let mut start = pin!(gives_up.start("ann"));
                let mut cx = Context::from_waker(Waker::noop());
                let polled = start.as_mut().poll(&mut cx);
                // Gone, with a slot or without.
                let _gone = polled;
            }),
            Box::new(move || {
                let conversation = future::block_on(waits.start("bob")).expect("there is room");
                drop(conversation);
            }),
            Box::new(move || first.end().expect("its time is not over")),
        ]);
        is_as_new(&manager, 1);
    });
}

#[test]
fn expiry_touches_and_ends_on_different_threads_free_each_slot_once() {
    check(|| {
        let (manager, clock) = manager(2, 2);
        let conversation = Arc::new(manager.try_start("ann").expect("nobody is there"));
        let other = manager.try_start("bob").expect("there is a slot");
        let (toucher, looker, starter) =
            (Arc::clone(&conversation), manager.clone(), manager.clone());
        spawn_all(vec![
            Box::new(move || {
                let _ = toucher.touch();
            }),
            Box::new(move || {
                clock.advance(IDLE);
                assert!(looker.stats().active <= 2);
            }),
            Box::new(move || {
                let _ = other.end();
            }),
            Box::new(move || drop(starter.try_start("cat"))),
        ]);
        drop(conversation);
        is_as_new(&manager, 2);
    });
}

#[test]
fn a_resize_in_the_midst_of_it_ends_with_exactly_the_new_limit() {
    check(|| {
        let (manager, _) = manager(1, 1);
        let (resizer, first, second) = (manager.clone(), manager.clone(), manager.clone());
        spawn_all(vec![
            Box::new(move || {
                for max_concurrent in [3, 1, 2] {
                    let limits = Limits { max_concurrent, ..resizer.limits() };
                    resizer.resize(limits).expect("the limits are valid");
                }
            }),
            Box::new(move || drop(future::block_on(first.start("ann")))),
            Box::new(move || drop(future::block_on(second.start("bob")))),
        ]);
        is_as_new(&manager, 2);
    });
}

/// What these tests are to find: the limit is looked at in one lock section, and the slot taken in another.
#[test]
#[should_panic(expected = "2 hold a slot, the limit is 1")]
fn a_manager_that_checks_and_takes_in_two_lock_sections_is_found() {
    check(|| {
        let active = Arc::new(Mutex::new(0));
        let held = Held::default();
        let visit = || -> Box<dyn FnOnce() + Send> {
            let (active, held) = (Arc::clone(&active), held.clone());
            Box::new(move || {
                let full = *active.lock().unwrap() >= 1;
                if !full {
                    *active.lock().unwrap() += 1;
                    held.with(1, || {});
                    *active.lock().unwrap() -= 1;
                }
            })
        };
        let threads: Vec<_> = [visit(), visit()].into_iter().map(thread::spawn).collect();
        for thread in threads {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Names are borrowed or owned all the same.
#[test]
fn users_of_the_same_name_are_one_user_on_every_thread() {
    check(|| {
        let (manager, _) = manager(3, 1);
        let both = Arc::new(AtomicI64::new(0));
        let visit = || -> Box<dyn FnOnce() + Send> {
            let (manager, both) = (manager.clone(), Arc::clone(&both));
            Box::new(move || {
                if let Ok(conversation) = manager.try_start(UserId::new("ann")) {
                    assert_eq!(both.fetch_add(1, Ordering::SeqCst), 0, "a user may have one");
                    both.fetch_sub(1, Ordering::SeqCst);
                    drop(conversation);
                }
            })
        };
        spawn_all(vec![visit(), visit(), visit()]);
        is_as_new(&manager, 3);
    });
}
