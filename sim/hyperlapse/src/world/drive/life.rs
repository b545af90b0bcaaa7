//! A virtual user from coming to going: its iterations, the pauses between them, and when it must stop.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::Crowd;
use crate::decision::Address;
use crate::event::EventKind;
use crate::units;
use crate::workload::{Distribution, Rhythm};
use crate::world::bend::{self, Scope};
use crate::world::user::User;

/// Until when a user goes on.
#[derive(Clone)]
pub(super) enum Until {
    /// It has made so many iterations.
    Iteration(u64),
    /// Nothing is left of what it shares with others.
    Shared(Arc<AtomicU64>),
    /// The end of its terms.
    End,
    /// It is told to leave.
    Told(Arc<AtomicBool>),
}

/// On what terms users come. Shared by those of a wave: a user of a million has room for little more than its script.
pub(super) struct Terms {
    pub(super) until: Until,
    /// No iteration begins from then on.
    pub(super) ends: Option<Instant>,
    /// An iteration under way is cut then.
    pub(super) cut: Option<Instant>,
    pub(super) pause: Pause,
    pub(super) pacing: Option<Pause>,
}

impl Terms {
    pub(super) fn looping(until: Until, ends: Option<Instant>, rhythm: &Rhythm) -> Self {
        Self {
            until,
            ends,
            cut: ends.zip(rhythm.graceful_stop).map(|(ends, stop)| ends + stop),
            pause: Pause::of(&rhythm.pause),
            pacing: (!rhythm.pacing.mean().is_zero()).then(|| Pause::of(&rhythm.pacing)),
        }
    }
}

#[derive(Clone)]
pub(super) enum Pause {
    Constant(Duration),
    Random(Arc<Distribution>),
}

impl Pause {
    pub(super) const NONE: Pause = Pause::Constant(Duration::ZERO);

    pub(super) fn of(distribution: &Distribution) -> Self {
        match distribution.constant() {
            Some(time) => Pause::Constant(time),
            None => Pause::Random(Arc::new(distribution.clone())),
        }
    }

    fn sample(&self, user: &User, name: &str) -> Duration {
        match self {
            Pause::Constant(time) => *time,
            // A stream for each pause: iterations that are cut away leave the others' pauses alone.
            Pause::Random(distribution) => {
                let (id, iteration) = (user.id(), user.iteration());
                let mut rng = user.sim().rng(format_args!("drive/{id}/{iteration}/{name}"));
                distribution.sample_for(id, &mut rng)
            }
        }
    }
}

/// How many users the script wants.
#[derive(Debug, Default)]
pub(in crate::world) struct Wanted {
    /// One more than that; 0 while it has not said.
    said: AtomicU32,
    changed: Notify,
}

impl Wanted {
    pub(in crate::world) fn set(&self, users: u32) {
        self.said.store(users.saturating_add(1), Ordering::Relaxed);
        self.changed.notify_one();
    }

    pub(super) fn now(&self) -> Option<u32> {
        self.said.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// When an arrival was meant to be, and how it gets in.
pub(super) struct Intended {
    pub(super) at: Instant,
    pub(super) room: Room,
}

pub(super) enum Room {
    /// There is room; it is given back when the user leaves.
    Free(Option<OwnedSemaphorePermit>),
    /// It waits for its turn among those that wait.
    Wait(Arc<Semaphore>, Arc<AtomicU64>),
}

impl Room {
    async fn enter(self) -> Option<OwnedSemaphorePermit> {
        match self {
            Room::Free(permit) => permit,
            Room::Wait(free, waiting) => {
                let permit = free.acquire_owned().await;
                waiting.fetch_sub(1, Ordering::Relaxed);
                Some(permit.expect("nobody closes the door"))
            }
        }
    }
}

/// A user's presence: it leaves when this is dropped, be it by a panic.
pub(super) struct Stay {
    user: User,
    crowd: Arc<Crowd>,
    arrived: bool,
}

impl Stay {
    pub(super) fn new(user: User, crowd: Arc<Crowd>) -> Self {
        Self { user, crowd, arrived: false }
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if self.arrived {
            self.user.emit(EventKind::Left);
        }
        self.crowd.one_less();
    }
}

pub(super) async fn live<F, Fut>(
    mut stay: Stay,
    script: Arc<F>,
    offset: Duration,
    terms: Arc<Terms>,
    intended: Option<Box<Intended>>,
) where
    F: Fn(User) -> Fut,
    Fut: Future<Output = ()>,
{
    if !offset.is_zero() {
        sleep(offset).await;
    }
    // Given back after the stay is over: whoever comes next finds this one gone.
    let mut _room = None;
    if let Some(intended) = intended {
        let Intended { at, room } = *intended;
        _room = room.enter().await;
        stay.user.begins_late(units::nanos(Instant::now().saturating_duration_since(at)));
    }
    stay.arrived = true;
    stay.user.arrive();
    loop {
        let over = match &terms.until {
            Until::Iteration(times) => stay.user.iteration() >= *times,
            Until::Shared(left) => left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_err(),
            Until::End => false,
            Until::Told(leaves) => leaves.load(Ordering::Relaxed),
        };
        if over || terms.ends.is_some_and(|ends| stay.user.sim().shared().now() >= ends) {
            break;
        }
        let paced = terms
            .pacing
            .as_ref()
            .map(|pacing| Instant::now() + pacing.sample(&stay.user, "pacing"));
        let user = &stay.user;
        let address = || Address::from(format!("user-{}@{}", user.id(), user.iteration()));
        let mut in_time = true;
        if bend::begins(|| address().to_string()) {
            user.begins();
            // Pinned where it is made, and wrapped by reference: some hundred bytes that are not copied.
            let iteration = pin!(script(user.clone()));
            let iteration = bend::cancellable(Scope::Iteration, address, iteration);
            // Cancelled or done: the user goes on.
            match terms.cut {
                None => drop(iteration.await),
                // On the heap: few loads are cut, and no other user needs a second timer.
                Some(cut) => in_time = Box::pin(timeout_at(cut, iteration)).await.is_ok(),
            }
        }
        if !in_time {
            // What it was at is over by now, and told.
            stay.user.emit(EventKind::Interrupted);
            break;
        }
        let time = terms.pause.sample(&stay.user, "pause");
        stay.user.next_iteration();
        let last = matches!(terms.until, Until::Iteration(times) if stay.user.iteration() >= times);
        if !last && !time.is_zero() {
            let sim = stay.user.sim();
            sim.sleep_until(sim.now().saturating_add(time)).await;
        }
        if let Some(next) = paced.filter(|next| !last && *next > Instant::now()) {
            sleep_until(next).await;
        }
    }
}
