//! A lock that costs its owner no locked instruction until somebody else comes.
//!
//! What a run records is written by the run's own thread, five times in a conversation of `sustained`. Another thread
//! comes in two cases: the run hangs and its watcher takes what there is, or a scenario tells of something from a
//! thread of its own. A mutex would cost two locked instructions each time, some 10 ns: a sixteenth of all that
//! a run costs beyond bare tokio. So the owner says with a plain store that it is inside, and looks whether it still is the
//! owner; who else comes ends its ownership, makes every thread of the system pass a barrier, and waits until the
//! owner is outside. From then on all of them use a mutex.
//!
//! This is the asymmetric form of Dekker's mutual exclusion, known from biased locks (Dice, Moir, Scherer: "Quickly
//! Reacquirable Locks", 2003). The barrier is Linux's `membarrier`; where there is none it is a mutex from the start.

use std::cell::{Cell, UnsafeCell};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, compiler_fence};
use std::sync::{Mutex, PoisonError};

/// A value that one thread owns and others may come to.
pub(super) struct Biased<T> {
    /// The thread that need not take the lock; [`NOBODY`] when all must.
    owner: AtomicUsize,
    /// Whether the owner is inside.
    inside: AtomicBool,
    lock: Mutex<()>,
    /// The thread that has the lock.
    holder: AtomicUsize,
    value: UnsafeCell<T>,
}

const NOBODY: usize = 0;

// SAFETY: `with` lets one thread at a time to the value, which may then be used and dropped by any of them.
unsafe impl<T: Send> Sync for Biased<T> {}

impl<T> Biased<T> {
    pub(super) fn new(value: T) -> Self {
        Self {
            owner: AtomicUsize::new(NOBODY),
            inside: AtomicBool::new(false),
            lock: Mutex::new(()),
            holder: AtomicUsize::new(NOBODY),
            value: UnsafeCell::new(value),
        }
    }

    /// From here on it is this thread's, where the system has the barrier that this takes.
    pub(super) fn own(&self) {
        if barrier::exists() {
            let _locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.owner.store(here(), Ordering::Relaxed);
        }
    }

    /// It is this thread's no more; nothing if it is not. Before the thread ends, or another could be taken for it.
    pub(super) fn disown(&self) {
        if self.owner.load(Ordering::Relaxed) == here() {
            let _locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            self.owner.store(NOBODY, Ordering::Relaxed);
        }
    }

    /// What `f` makes of the value; `None` when this thread is inside already.
    #[inline]
    pub(super) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        /// Outside again, also when `f` panics.
        struct Out<'a>(&'a AtomicBool);
        impl Drop for Out<'_> {
            #[inline]
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        let here = here();
        if self.owner.load(Ordering::Relaxed) == here {
            if self.inside.load(Ordering::Relaxed) {
                return None;
            }
            self.inside.store(true, Ordering::Relaxed);
            let out = Out(&self.inside);
            // For the compiler; the processor is held to it by the barrier of whoever ends the ownership: after that,
            // either this thread sees that it ended, or the other sees that this one is inside.
            compiler_fence(Ordering::SeqCst);
            if self.owner.load(Ordering::Relaxed) == here {
                // SAFETY: others come in only after the ownership has ended and this thread is outside; this thread
                // is not inside a second time.
                return Some(f(unsafe { &mut *self.value.get() }));
            }
            drop(out);
        }
        self.with_lock(f)
    }

    #[cold]
    fn with_lock<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        /// Nobody has the lock again, also when `f` panics.
        struct Released<'a>(&'a AtomicUsize);
        impl Drop for Released<'_> {
            fn drop(&mut self) {
                self.0.store(NOBODY, Ordering::Relaxed);
            }
        }
        // Only this thread can have written its own number: whoever panics inside is asked to tell it from there.
        if self.holder.load(Ordering::Relaxed) == here() {
            return None;
        }
        let _locked = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.holder.store(here(), Ordering::Relaxed);
        let _released = Released(&self.holder);
        if self.owner.load(Ordering::Relaxed) != NOBODY {
            self.owner.store(NOBODY, Ordering::SeqCst);
            barrier::pass();
            // What is done inside is short. The owner's last writes come with the load that finds it outside.
            while self.inside.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
        }
        // SAFETY: there is no owner any more, and all others hold the lock.
        Some(f(unsafe { &mut *self.value.get() }))
    }
}

/// This thread, as a number that no other thread alive has: where one of its own variables lies.
#[inline]
fn here() -> usize {
    thread_local! {
        static HERE: Cell<u8> = const { Cell::new(0) };
    }
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

#[cfg(target_os = "linux")]
mod barrier {
    use std::sync::OnceLock;

    const QUERY: libc::c_int = 0;
    const GLOBAL: libc::c_int = 1;

    fn membarrier(command: libc::c_int) -> libc::c_long {
        // SAFETY: a system call without pointers; one that does not exist says so.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
    }

    /// Whether the system has the barrier.
    pub(super) fn exists() -> bool {
        static EXISTS: OnceLock<bool> = OnceLock::new();
        *EXISTS.get_or_init(|| {
            let commands = membarrier(QUERY);
            commands > 0 && commands & libc::c_long::from(GLOBAL) != 0
        })
    }

    /// Every thread passes a full barrier before this returns. It takes milliseconds, and needs no registration.
    pub(super) fn pass() {
        assert_eq!(membarrier(GLOBAL), 0, "the barrier exists");
    }
}

#[cfg(not(target_os = "linux"))]
mod barrier {
    pub(super) fn exists() -> bool {
        false
    }

    pub(super) fn pass() {
        unreachable!("nobody owns what needs a barrier");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn nothing_that_either_side_adds_is_lost_when_others_come_while_the_owner_is_busy() {
        const EACH: u64 = 20_000;
        for _ in 0..20 {
            let count = Arc::new(Biased::new((0u64, 0u64)));
            let add = |count: &Biased<(u64, u64)>| {
                let both = count.with(|(one, other)| {
                    *one += 1;
                    std::hint::black_box(&*one);
                    *other += 1;
                    (*one, *other)
                });
                let (one, other) = both.expect("nobody is inside twice");
                assert_eq!(one, other, "nobody sees the work of another half done");
            };
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let count = Arc::clone(&count);
                    thread::spawn(move || (0..EACH).for_each(|_| add(&count)))
                })
                .collect();
            count.own();
            (0..EACH).for_each(|_| add(&count));
            count.disown();
            others.into_iter().for_each(|other| other.join().unwrap());
            assert_eq!(count.with(|both| *both), Some((3 * EACH, 3 * EACH)));
        }
    }

    #[test]
    fn who_is_inside_does_not_come_in_again_and_comes_out_when_it_panics() {
        let value = Biased::new(1);
        for owned in [true, false] {
            if owned {
                value.own();
            }
            assert_eq!(value.with(|_| value.with(|again| *again)), Some(None));
            let panics = std::panic::AssertUnwindSafe(|| value.with(|_| panic!("on purpose")));
            assert!(std::panic::catch_unwind(panics).is_err());
            assert_eq!(value.with(|value| *value), Some(1));
            value.disown();
        }
    }
}
