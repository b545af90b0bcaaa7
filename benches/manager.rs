//! What a conversation costs, against what a team would write by hand.
//!
//! By hand: a `tokio::sync::Semaphore` for the limit, and a `Mutex<HashMap>` to know who is active and since
//! when. It has no limit per user, no queue that knows of users, no expiry, no counters, and no guard: the caller
//! must bring back the number. That is the least that could be put into production, and nothing
//! in it is slow on purpose: names are shared strings on both sides, the map keeps its capacity, the clock is
//! std's.
//!
//! Both sides run in one process, in short rounds that take turns, and the figure is the median of the ratios of
//! neighbouring rounds: what the machine does to one it does to the other. On two threads both threads hammer
//! the same object, from a common start until the last is done.
//!
//! `cargo bench --bench manager` prints the table; ratios above the aims make it exit with 1.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use conversation_manager::{ConversationManager, Limits, UserId};
use core_affinity::CoreId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What starts and ends one conversation of a user.
trait Side: Sync {
    fn start_and_end(&self, user: &UserId);
}

struct ByHand {
    slots: Arc<Semaphore>,
    next: AtomicU64,
    active: Mutex<HashMap<u64, (UserId, Instant)>>,
}

impl ByHand {
    fn new(limit: usize) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(limit)),
            next: AtomicU64::new(1),
            active: Mutex::new(HashMap::with_capacity(limit)),
        }
    }

    fn start(&self, user: UserId) -> Option<(u64, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let started = Instant::now();
        self.active.lock().unwrap().insert(id, (user, started));
        Some((id, permit))
    }

    fn end(&self, (id, permit): (u64, OwnedSemaphorePermit)) {
        let ended = self.active.lock().unwrap().remove(&id);
        drop(permit);
        black_box(ended);
    }
}

impl Side for ByHand {
    fn start_and_end(&self, user: &UserId) {
        let held = self.start(user.clone()).expect("there are more slots than threads");
        self.end(black_box(held));
    }
}

impl Side for ConversationManager {
    fn start_and_end(&self, user: &UserId) {
        let held = self.try_start(user).expect("there are more slots than threads");
        black_box(held).end().expect("it is not over yet");
    }
}

const ROUNDS: usize = 201;
const CONVERSATIONS: usize = 2_000;
/// How many times as many rounds to try on a busy machine.
const PATIENCE: usize = 10;

/// Gives the thread a processor of its own: left alone, both can share one for many rounds and never contend.
fn pin(thread: usize) {
    static PROCESSORS: LazyLock<Vec<CoreId>> =
        LazyLock::new(|| core_affinity::get_core_ids().unwrap_or_default());
    if let Some(&processor) = PROCESSORS.get(thread) {
        core_affinity::set_for_current(processor);
    }
}

/// How long this thread has been ready to run without a processor to run on; zero where the system does not tell.
fn kept_waiting() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split_whitespace().nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// The time for `CONVERSATIONS` on each of `threads` threads; `None` if somebody else had the processor meanwhile.
///
/// Two threads on a busy machine take turns instead of contending: that would measure the neighbours.
fn round(side: &impl Side, users: &[UserId], threads: usize) -> Option<Duration> {
    // They meet spinning: a barrier that sleeps wakes one late, on the processor of the other if it likes.
    let ready = AtomicUsize::new(0);
    let work = |thread: usize| {
        pin(thread);
        ready.fetch_add(1, Ordering::SeqCst);
        while ready.load(Ordering::SeqCst) < threads {
            std::hint::spin_loop();
        }
        let (waited, begin) = (kept_waiting(), Instant::now());
        // Each thread begins elsewhere in the list, as users do.
        for user in users.iter().cycle().skip(thread * users.len() / 2).take(CONVERSATIONS) {
            side.start_and_end(user);
        }
        let end = Instant::now();
        (begin, end, kept_waiting() - waited)
    };
    let work = &work;
    let spans: Vec<(Instant, Instant, Duration)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|n| scope.spawn(move || work(n))).collect();
        let first = work(0);
        others.into_iter().map(|thread| thread.join().unwrap()).chain([first]).collect()
    });
    let begin = spans.iter().map(|span| span.0).min()?;
    let end = spans.iter().map(|span| span.1).max()?;
    let undisturbed = spans.iter().all(|span| span.2 < (end - begin) / 20);
    undisturbed.then_some(end - begin)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Median nanoseconds per conversation of both sides, and the median of the ratios, of so many pairs of rounds.
fn compare(users: usize, threads: usize, held: usize) -> Option<(f64, f64, f64, usize)> {
    let limits = Limits { max_concurrent: held + 10, max_per_user: held + 10, ..Limits::default() };
    let names: Vec<UserId> = (0..users).map(|n| UserId::from(format!("user-{n}"))).collect();
    let by_hand = ByHand::new(limits.max_concurrent);
    let manager = ConversationManager::new(limits).unwrap();
    let _held_by_hand: Vec<_> =
        (0..held).map(|n| by_hand.start(names[n % users].clone())).collect();
    let _held: Vec<_> = (0..held).map(|n| manager.try_start(&names[n % users]).unwrap()).collect();
    let (mut baseline, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..PATIENCE * ROUNDS {
        if ratios.len() == ROUNDS {
            break;
        }
        // Who goes first takes turns too.
        let (a, b) = if n % 2 == 0 {
            let a = round(&by_hand, &names, threads);
            (a, round(&manager, &names, threads))
        } else {
            let b = round(&manager, &names, threads);
            (round(&by_hand, &names, threads), b)
        };
        let (Some(a), Some(b)) = (a, b) else { continue };
        let each = (CONVERSATIONS * threads) as f64;
        baseline.push(a.as_nanos() as f64 / each);
        ours.push(b.as_nanos() as f64 / each);
        ratios.push(b.as_secs_f64() / a.as_secs_f64());
    }
    let rounds = ratios.len();
    (rounds > 0).then(|| (median(&mut baseline), median(&mut ours), median(&mut ratios), rounds))
}

fn main() {
    let mut missed = false;
    println!("start + end of one conversation, median of up to {ROUNDS} interleaved rounds\n");
    println!("threads  users  held  by hand ns  manager ns  ratio   aim  rounds");
    for (threads, aim) in [(1, 2.5), (2, 1.0)] {
        for (users, held) in [(1, 0), (64, 0), (64, 1000)] {
            print!("{threads:<7}{users:>7}{held:>6}");
            match compare(users, threads, held) {
                Some((by_hand, ours, ratio, rounds)) => {
                    println!("{by_hand:>12.1}{ours:>12.1}{ratio:>7.2}{aim:>6.1}{rounds:>8}");
                    missed |= ratio > aim;
                }
                None => println!("  not measured: the machine is busy"),
            }
        }
    }
    std::process::exit(i32::from(missed));
}
