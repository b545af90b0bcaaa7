//! A virtual user from coming to going: its iterations, the pauses between them, and when it must stop.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::coop::poll_proceed;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout_at};

use super::{Crowd, Script};
use crate::decision::Address;
use crate::event::EventKind;
use crate::units;
use crate::workload::Distribution;
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
pub(super) struct Terms<S> {
    pub(super) script: Arc<S>,
    pub(super) crowd: Arc<Crowd>,
    pub(super) until: Until,
    /// No iteration begins from then on.
    pub(super) ends: Option<Instant>,
    /// An iteration under way is cut then.
    pub(super) cut: Option<Instant>,
    pub(super) pause: Pause,
    pub(super) pacing: Option<Pause>,
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

/// How a user comes that is not there at once. On the heap, for most are.
pub(super) struct Coming {
    /// So long after the others of its wave.
    pub(super) offset: Duration,
    /// When an arrival was meant to be, and how it gets in.
    pub(super) intended: Option<(Instant, Room)>,
    /// Given back after the stay is over: whoever comes next finds this one gone.
    room: Option<OwnedSemaphorePermit>,
}

impl Coming {
    pub(super) fn later(offset: Duration) -> Option<Box<Self>> {
        (!offset.is_zero()).then(|| Box::new(Self { offset, intended: None, room: None }))
    }

    pub(super) fn arriving(at: Instant, room: Room) -> Option<Box<Self>> {
        let intended = Some((at, room));
        Some(Box::new(Self { offset: Duration::ZERO, intended, room: None }))
    }
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
struct Stay<S> {
    user: User,
    terms: Arc<Terms<S>>,
    coming: Option<Box<Coming>>,
    arrived: bool,
}

impl<S: Script> Stay<S> {
    async fn come(&mut self) {
        if let Some(coming) = &mut self.coming {
            if !coming.offset.is_zero() {
                sleep(coming.offset).await;
            }
            if let Some((at, room)) = coming.intended.take() {
                coming.room = room.enter().await;
                self.user.begins_late(units::nanos(Instant::now().saturating_duration_since(at)));
            }
        }
    }

    fn arrive(&mut self) {
        self.arrived = true;
        self.user.arrive();
    }

    fn is_over(&self) -> bool {
        let over = match &self.terms.until {
            Until::Iteration(times) => self.user.iteration() >= *times,
            Until::Shared(left) => left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_err(),
            Until::End => false,
            Until::Told(leaves) => leaves.load(Ordering::Relaxed),
        };
        over || self.terms.ends.is_some_and(|ends| self.user.sim().shared().now() >= ends)
    }

    /// Goes through the script once. Whether that was in time; cancelled or done, the user goes on.
    async fn iterate(&self) -> bool {
        let Self { user, terms, .. } = self;
        let address = || Address::from(format!("user-{}@{}", user.id(), user.iteration()));
        if !bend::begins(|| address().to_string()) {
            return true;
        }
        user.begins();
        // Pinned where it is made, and wrapped by reference: some hundred bytes that are not copied.
        let iteration = pin!(terms.script.iteration(user));
        let iteration = bend::cancellable(Scope::Iteration, address, iteration);
        match terms.cut {
            None => {
                iteration.await;
                true
            }
            // On the heap: few loads are cut, and no other user needs a second timer.
            Some(cut) => Box::pin(timeout_at(cut, iteration)).await.is_ok(),
        }
    }
}

impl<S> Drop for Stay<S> {
    fn drop(&mut self) {
        if self.arrived {
            self.user.emit(EventKind::Left);
        }
        self.terms.crowd.one_less();
    }
}

/// The life of a user.
///
/// A block and not an `async fn`, which keeps each argument twice, as it was given and as it is named; and each await in it
/// has a future of its own, which lie in one place. A user that waits takes 512 bytes with tokio's part, which rounds up to
/// whole 128.
pub(super) fn live<S: Script>(
    user: User,
    terms: Arc<Terms<S>>,
    coming: Option<Box<Coming>>,
) -> impl Future<Output = ()> + Send {
    let mut stay = Stay { user, terms, coming, arrived: false };
    async move {
        if stay.coming.is_some() {
            Box::pin(stay.come()).await;
        }
        stay.arrive();
        // One timer for all pauses: a new one each time is made, registered and given up under locks, some 30 ns more. Nobody
        // who makes no pause has room for it.
        let mut pauses: Option<Pin<Box<Sleep>>> = None;
        while !stay.is_over() {
            let pacing = stay.terms.pacing.as_ref();
            let paced = pacing.map(|pacing| Instant::now() + pacing.sample(&stay.user, "pacing"));
            if !stay.iterate().await {
                // What it was at is over by now, and told.
                stay.user.emit(EventKind::Interrupted);
                break;
            }
            let time = stay.terms.pause.sample(&stay.user, "pause");
            stay.user.next_iteration();
            let last = matches!(stay.terms.until, Until::Iteration(times) if stay.user.iteration() >= times);
            if !last && !time.is_zero() {
                let sim = stay.user.sim();
                let until = sim.shared().instant(sim.now().saturating_add(time));
                match &mut pauses {
                    Some(pause) => {
                        // Where a new one would be registered: not before a yield that is due here, or others with the same
                        // deadline would go in another order.
                        poll_fn(|cx| poll_proceed(cx).map(drop)).await;
                        pause.as_mut().reset(until);
                    }
                    None => pauses = Some(Box::pin(sleep_until(until))),
                }
                pauses.as_mut().expect("it was just made").await;
            }
            if let Some(next) = paced.filter(|next| !last && *next > Instant::now()) {
                sleep_until(next).await;
            }
        }
    }
}
