//! One lock and one clock around the [state machine](crate::state).
//!
//! Every operation reads the clock once, before it takes the lock, and runs what it leaves to be done once
//! it has released it. Nothing but the state machine runs under the lock.

use std::hash::{BuildHasher, RandomState};
use std::ops::{Deref, DerefMut};
use std::sync::{PoisonError, TryLockError};
use std::task::Waker;

use crate::clock::{Clock, Timestamp};
use crate::limits::Limits;
use crate::request::UserId;
use crate::state::effects::Effects;
use crate::state::{Name, State};
use crate::sync::{Mutex, MutexGuard};
use crate::trace;

/// How often a thread looks whether the lock is free, waiting twice as long each time, before it sleeps.
///
/// std's lock looks in a tight loop, which takes the cache line from the one who is to release it, and then
/// sleeps for microseconds, while an operation holds the lock for well under one. With two threads on one manager the
/// ratio to the version by hand (`benches/manager.rs`) is 1.0 to 1.4 without this and 0.68 to 0.96 with it.
const LOOKS: u32 = 4;

/// Keeps the state off the cache line of the lock (and off its neighbour, which is fetched along): those who look
/// whether the lock is free would otherwise take the line from the one who works on it. Measured with two
/// threads: 435 ns a conversation without, 330 ns with.
#[repr(align(128))]
pub(crate) struct Apart<T>(T);

impl<T> Deref for Apart<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Apart<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

pub(crate) struct Shared<C> {
    pub(crate) clock: C,
    /// Keyed at random: names come from outside, and must not be able to collide on purpose.
    hasher: RandomState,
    state: Mutex<Apart<State<Waker>>>,
}

impl<C> Shared<C> {
    pub(crate) fn new(limits: Limits, clock: C) -> Self {
        Self { clock, hasher: RandomState::new(), state: Mutex::new(Apart(State::new(limits))) }
    }

    #[inline]
    pub(crate) fn name<'a>(&self, user: &'a UserId) -> Name<'a> {
        Name { user, hash: self.hasher.hash_one(user) }
    }

    /// The state as it is, for what does not depend on time.
    ///
    /// A poisoned lock is taken all the same: only a panic of the state machine itself could poison it, and
    /// handles must still be able to drop.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Apart<State<Waker>>> {
        match self.state.try_lock() {
            Ok(state) => state,
            Err(_) => self.lock_when_free(),
        }
    }

    #[cold]
    fn lock_when_free(&self) -> MutexGuard<'_, Apart<State<Waker>>> {
        for look in 0..LOOKS {
            match self.state.try_lock() {
                Ok(state) => return state,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {
                    (0..16 << look).for_each(|_| std::hint::spin_loop())
                }
            }
        }
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Clock> Shared<C> {
    #[inline]
    pub(crate) fn run<R>(
        &self,
        operation: impl FnOnce(&mut State<Waker>, Timestamp, &mut Effects<Waker>) -> R,
    ) -> R {
        self.run_logged(trace::conversations_are_heard(), operation)
    }

    /// As [`Self::run`], for what an operator does.
    pub(crate) fn run_for_operator<R>(
        &self,
        operation: impl FnOnce(&mut State<Waker>, Timestamp, &mut Effects<Waker>) -> R,
    ) -> R {
        self.run_logged(trace::operators_are_heard(), operation)
    }

    #[inline]
    fn run_logged<R>(
        &self,
        logged: bool,
        operation: impl FnOnce(&mut State<Waker>, Timestamp, &mut Effects<Waker>) -> R,
    ) -> R {
        let now = self.clock.now();
        let mut effects = Effects::new(logged);
        let result = operation(&mut self.lock(), now, &mut effects);
        carry_out(&mut effects);
        result
    }
}

#[inline]
fn carry_out(effects: &mut Effects<Waker>) {
    if let Some(log) = effects.log.take() {
        trace::tell(log);
    }
    for waker in effects.wake.drain(..) {
        waker.wake();
    }
}

impl<C> Drop for Shared<C> {
    /// The last handle is gone: drivers have nothing left to drive.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        state.drain_drivers().for_each(Waker::wake);
    }
}
