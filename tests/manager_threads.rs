//! Real threads, real time: the counters equal a recount, and no limit is ever broken.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use conversation_manager::{ConversationManager, Limits, Refused, UserId};

const ALL: i64 = 4;
const ONE: i64 = 2;

/// Counts who talks, from the outside.
#[derive(Default)]
struct Recount {
    active: AtomicI64,
    of_user: Mutex<HashMap<UserId, i64>>,
    broken: AtomicU64,
}

impl Recount {
    fn enter(&self, user: &UserId) {
        let mut of_user = self.of_user.lock().unwrap();
        let count = of_user.entry(user.clone()).or_default();
        *count += 1;
        if *count > ONE || self.active.fetch_add(1, SeqCst) + 1 > ALL {
            self.broken.fetch_add(1, SeqCst);
        }
    }

    fn leave(&self, user: &UserId) {
        *self.of_user.lock().unwrap().get_mut(user).unwrap() -= 1;
        self.active.fetch_sub(1, SeqCst);
    }
}

#[test]
fn counters_equal_a_recount_after_many_threads() {
    let limits = Limits {
        max_concurrent: ALL as usize,
        max_per_user: ONE as usize,
        max_waiting: 6,
        ..Limits::default()
    };
    let manager = ConversationManager::new(limits).unwrap();
    let recount = Recount::default();
    let [completed, failed, abandoned, at_once, queue_full, timed_out] =
        [const { AtomicU64::new(0) }; 6];
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let _expiry = manager.spawn_expiry();
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (manager, recount, handle) = (&manager, &recount, runtime.handle().clone());
            let (completed, failed, abandoned) = (&completed, &failed, &abandoned);
            let (at_once, queue_full, timed_out) = (&at_once, &queue_full, &timed_out);
            scope.spawn(move || {
                for n in 0..3_000_u64 {
                    let user = UserId::from(format!("user-{}", (n * 7 + thread) % 5));
                    let started = match n % 4 {
                        0 => manager.try_start(&user),
                        1 => handle
                            .block_on(manager.start_within(&user, Duration::from_micros(n % 50))),
                        _ => handle.block_on(manager.start(&user)),
                    };
                    match started {
                        Ok(conversation) => {
                            recount.enter(&user);
                            conversation.touch().unwrap();
                            if n % 3 == 0 {
                                std::thread::yield_now();
                            }
                            recount.leave(&user);
                            match n % 5 {
                                0 => drop((abandoned.fetch_add(1, SeqCst), conversation)),
                                1 => drop((
                                    failed.fetch_add(1, SeqCst),
                                    conversation.fail("on purpose").unwrap(),
                                )),
                                _ => drop((
                                    completed.fetch_add(1, SeqCst),
                                    conversation.end().unwrap(),
                                )),
                            }
                        }
                        Err(Refused::QueueFull { .. }) => drop(queue_full.fetch_add(1, SeqCst)),
                        Err(Refused::TimedOut { .. }) => drop(timed_out.fetch_add(1, SeqCst)),
                        Err(_) => drop(at_once.fetch_add(1, SeqCst)),
                    }
                }
            });
        }
    });
    assert_eq!(recount.broken.load(SeqCst), 0, "a limit was broken");
    let stats = manager.stats();
    assert_eq!(stats.ended.completed, completed.load(SeqCst));
    assert_eq!(stats.ended.failed, failed.load(SeqCst));
    assert_eq!(stats.ended.abandoned, abandoned.load(SeqCst));
    assert_eq!(stats.started_total, stats.ended.total());
    assert_eq!(stats.refused.queue_full, queue_full.load(SeqCst));
    assert_eq!(stats.refused.timed_out, timed_out.load(SeqCst));
    assert_eq!(stats.refused.global_limit + stats.refused.user_limit, at_once.load(SeqCst));
    assert_eq!(stats.started_total + stats.refused.total(), 8 * 3_000);
    assert_eq!((stats.active, stats.waiting, stats.users), (0, 0, 0));
    assert!(stats.peak_active <= ALL as u64 && stats.peak_waiting <= 6);
}

#[test]
fn many_tasks_on_two_workers_all_get_their_turn() {
    let limits =
        Limits { max_concurrent: 3, max_per_user: 1, max_waiting: 10_000, ..Limits::default() };
    let manager = ConversationManager::new(limits).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..2_000)
            .map(|n| {
                let manager = manager.clone();
                tokio::spawn(async move {
                    let conversation = manager.start(format!("user-{}", n % 7)).await.unwrap();
                    tokio::task::yield_now().await;
                    if n % 10 == 0 { drop(conversation) } else { conversation.end().unwrap() }
                })
            })
            .collect();
        // Some change their minds while they wait, or just after they were granted.
        for (n, task) in tasks.into_iter().enumerate() {
            if n % 3 == 0 {
                task.abort();
            }
            drop(task.await);
        }
    });
    let stats = manager.stats();
    assert_eq!((stats.active, stats.waiting, stats.users), (0, 0, 0));
    assert_eq!(stats.started_total, stats.ended.total());
}
