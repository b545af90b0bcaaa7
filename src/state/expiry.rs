//! What time does: deadlines, those who drive them, and shutdown.
//!
//! Deciding that a conversation is over and ending it is one step under one lock, at the time that the
//! operation brought. A deadline that is reached (`now >= deadline`) has passed; a touch with an earlier time
//! moves it, whoever else is under way. If several deadlines have passed they are met in their own order, the
//! longest duration before idleness where both fall together; only then are the free slots given away.

use super::State;
use super::effects::{Effects, Signal, Transition};
use super::list::Key;
use super::watch::watch;
use crate::clock::{Timestamp, saturating_nanos};
use crate::limits::Limits;
use crate::refusal::Expiry;

/// One who polls for expiry.
pub(super) struct Driver<W> {
    signal: W,
    /// When it looks again by itself.
    armed: Timestamp,
}

/// What a driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drive {
    /// Sleep until then, or until told; [`Timestamp::MAX`] is until told.
    Sleep(Timestamp),
    /// Nothing will ever expire again.
    Done,
}

impl<W: Signal> State<W> {
    /// Meets what is due. Every operation does this first, so nothing depends on a driver being prompt.
    #[inline]
    pub(super) fn settle(&mut self, now: Timestamp, fx: &mut Effects<W>) {
        self.now = self.now.max(now);
        if self.now >= self.due {
            self.settle_due(fx);
        }
    }

    #[cold]
    fn settle_due(&mut self, fx: &mut Effects<W>) {
        while let Some(&(until, _, key)) = self.impatient.first()
            && until < self.now
        {
            let signal = self.time_out(key, fx);
            fx.wake.push(signal);
        }
        while let Some((deadline, key, how)) = self.next_expiry()
            && deadline <= self.now
        {
            self.expire(key, how, fx);
        }
        self.pump(fx);
        self.due = self.next_expiry().map_or(Timestamp::MAX, |(deadline, ..)| deadline);
        if let Some(&(until, ..)) = self.impatient.first() {
            self.due = self.due.min(until.plus(1));
        }
    }

    /// The next conversation to expire, and why.
    fn next_expiry(&self) -> Option<(Timestamp, Key, Expiry)> {
        let (oldest, idlest) = (self.by_start.front()?, self.by_touch.front()?);
        let lasts = self.slots[oldest as usize].started.plus(self.max_duration);
        let idles = self.slots[idlest as usize].touched.plus(self.idle_timeout);
        Some(if lasts <= idles {
            (lasts, oldest, Expiry::MaxDuration)
        } else {
            (idles, idlest, Expiry::Idle)
        })
        .filter(|&(deadline, ..)| deadline < Timestamp::MAX)
    }

    /// Puts other limits into force.
    pub(crate) fn resize(&mut self, now: Timestamp, limits: Limits, fx: &mut Effects<W>) {
        self.settle(now, fx);
        self.limits = limits;
        self.idle_timeout = saturating_nanos(limits.idle_timeout);
        self.max_duration = saturating_nanos(limits.max_duration);
        fx.note(|| Transition::Resized { limits });
        self.requalify_all();
        self.settle_due(fx);
        if self.next_expiry().is_some_and(|(deadline, ..)| deadline < self.armed) {
            self.wake_drivers(fx);
        }
    }

    /// Settles, and registers the driver to be told if it is needed earlier than it says. `armed` is until when
    /// the driver sleeps anyway, if it does; `key` is what an earlier call registered.
    pub(crate) fn drive(
        &mut self,
        now: Timestamp,
        armed: Option<Timestamp>,
        key: &mut Option<Key>,
        signal: &W,
        fx: &mut Effects<W>,
    ) -> Drive {
        self.settle(now, fx);
        if self.closing && self.active == 0 {
            return Drive::Done;
        }
        let next = self.next_expiry().map_or(Timestamp::MAX, |(deadline, ..)| deadline);
        // A touch moves deadlines back: then the driver finds out when it wakes, which costs less than telling it.
        let armed = armed.filter(|&armed| armed > self.now).map_or(next, |armed| armed.min(next));
        match *key {
            Some(key) => {
                let driver = &mut self.drivers[key as usize];
                driver.armed = armed;
                if !driver.signal.tells_same(signal) {
                    fx.retire.push(std::mem::replace(&mut driver.signal, signal.clone()));
                }
            }
            None => {
                *key = Some(self.drivers.insert(Driver { signal: signal.clone(), armed }) as Key)
            }
        }
        self.rearm();
        Drive::Sleep(armed)
    }

    /// The driver is gone. If there are others they look for themselves.
    pub(crate) fn forget_driver(&mut self, key: Key, fx: &mut Effects<W>) {
        fx.retire.push(self.drivers.remove(key as usize).signal);
        self.rearm();
        self.wake_drivers(fx);
    }

    fn rearm(&mut self) {
        self.armed =
            self.drivers.iter().map(|(_, driver)| driver.armed).min().unwrap_or(Timestamp::ZERO);
    }

    #[cold]
    pub(super) fn wake_drivers(&mut self, fx: &mut Effects<W>) {
        fx.wake.extend(self.drivers.iter().map(|(_, driver)| driver.signal.clone()));
        // Told once is enough: they come back and say until when they sleep.
        self.armed = Timestamp::ZERO;
    }

    /// All drivers, for the day on which there is nothing left to drive.
    pub(crate) fn drain_drivers(&mut self) -> impl Iterator<Item = W> {
        self.drivers.drain().map(|driver| driver.signal)
    }

    /// Admits nobody from now on and refuses all who wait. Returns how many.
    pub(crate) fn close_doors(&mut self, now: Timestamp, fx: &mut Effects<W>) -> u64 {
        self.settle(now, fx);
        if std::mem::replace(&mut self.closing, true) {
            return 0;
        }
        let refused = self.refuse_all(fx);
        fx.note(|| Transition::Closed { active: self.active as usize, refused });
        if self.active == 0 {
            self.announce_empty(fx);
        }
        refused
    }

    /// Whether all is over after [`Self::close_doors`]; else registers to be told. At the deadline all is over.
    pub(crate) fn poll_drained(
        &mut self,
        now: Timestamp,
        deadline: Timestamp,
        key: &mut Option<Key>,
        signal: &W,
        fx: &mut Effects<W>,
    ) -> bool {
        self.settle(now, fx);
        if self.now >= deadline {
            while let Some(slot) = self.by_start.front() {
                self.expire(slot, Expiry::ShutDown, fx);
            }
        }
        if self.active == 0 {
            if let Some(key) = key.take() {
                self.forget_drain(key, fx);
            }
            return true;
        }
        watch(&mut self.watchers, &mut self.drains, key, signal, fx);
        false
    }

    /// Takes back what [`Self::poll_drained`] registered.
    pub(crate) fn forget_drain(&mut self, key: Key, fx: &mut Effects<W>) {
        self.drains.unlink(&mut self.watchers, key);
        fx.retire.push(self.watchers.remove(key as usize).signal);
    }

    /// The last conversation is over and none will follow.
    #[cold]
    pub(super) fn announce_empty(&mut self, fx: &mut Effects<W>) {
        fx.wake.extend(self.drains.iter(&self.watchers).map(|(_, watcher)| watcher.signal.clone()));
        self.wake_drivers(fx);
    }
}
