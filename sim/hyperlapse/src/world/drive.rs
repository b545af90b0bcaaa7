//! Plays a plan: every virtual user is a task that calls the scenario's closure, once or again and again.
//!
//! What happens when stands in [`timeline`]; what a user does between coming and going in [`life`].

mod life;
mod script;
mod timeline;

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::bend;
use super::context::tracked;
use super::sim::Sim;
use super::user::User;
use crate::decision::Address;
use crate::event::{Actor, EventKind};
use crate::workload::{Load, Repeat, Rhythm, Wave};
pub(super) use life::Wanted;
use life::{Coming, Pause, Terms, Until, live};
pub(super) use script::Closure;
pub use script::Script;
use timeline::{Moment, Timeline, What};

type BeforeWave = Box<dyn FnMut(u32) + Send>;

/// The scenario's workload, about to be played. Await it.
#[must_use = "nobody arrives until this is awaited"]
pub struct Drive<S> {
    sim: Sim,
    script: S,
    before_wave: Option<BeforeWave>,
}

impl<S> std::fmt::Debug for Drive<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drive").field("sim", &self.sim).finish_non_exhaustive()
    }
}

impl<S> Drive<S> {
    pub(super) fn new(sim: Sim, script: S) -> Self {
        Self { sim, script, before_wave: None }
    }

    /// Calls `check` with the number of each wave just before its users arrive: the place to see
    /// whether the system has recovered from the wave before. A load without waves has one, its beginning.
    pub fn before_wave(mut self, check: impl FnMut(u32) + Send + 'static) -> Self {
        self.before_wave = Some(Box::new(check));
        self
    }
}

impl<S: Script> IntoFuture for Drive<S> {
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(play(self))
    }
}

/// Counts the users that are still there.
#[derive(Default)]
struct Crowd {
    present: AtomicU64,
    empty: Notify,
}

impl Crowd {
    fn more(&self, users: u64) {
        #[cfg(not(tokio_unstable))]
        super::context::user_tasks(users as i64);
        self.present.fetch_add(users, Ordering::AcqRel);
    }

    fn one_less(&self) {
        #[cfg(not(tokio_unstable))]
        super::context::user_tasks(-1);
        if self.present.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.empty.notify_one();
        }
    }
}

async fn play<S: Script>(drive: Drive<S>) {
    let Drive { sim, script, mut before_wave } = drive;
    let shared = Arc::clone(sim.shared());
    let started = Instant::now();
    assert!(
        shared.drives_first(),
        "a run drives its load once: its plan is the load of the whole run"
    );
    shared.emit(Actor::World, EventKind::LoadStarted);
    let plan = shared.plan();
    let load = Loading {
        crowd: Arc::new(Crowd::default()),
        script: Arc::new(script),
        doors: plan.parts.iter().map(|planned| Door::of(&planned.part.load)).collect(),
        next_user: AtomicU32::new(plan.users_of_waves()),
        sim,
        started,
    };
    let told = |load: &Load| matches!(load, Load::Closed { waves, .. } if waves.iter().any(|wave| wave.told));
    if let Some(check) = &mut before_wave
        && !plan.parts.iter().any(|planned| told(&planned.part.load))
    {
        check(0);
    }
    let controlled = (0..plan.parts.len())
        .filter(|part| matches!(plan.parts[*part].part.load, Load::Controlled { .. }))
        .map(|part| Box::pin(load.controlled(part)))
        .collect();
    let timeline = async {
        let mut timeline = Timeline::of(plan);
        while let Some(moment) = timeline.next() {
            sleep_until(started + moment.at).await;
            load.begin(moment, &mut before_wave);
        }
    };
    all_of(timeline, controlled).await;
    while load.crowd.present.load(Ordering::Acquire) > 0 {
        load.crowd.empty.notified().await;
    }
    shared.emit(Actor::World, EventKind::LoadEnded);
}

/// Resolves when all of them have; what is ready first goes on first, in this order.
async fn all_of<'a>(
    first: impl Future<Output = ()> + Send,
    mut others: Vec<Pin<Box<impl Future<Output = ()> + Send + 'a>>>,
) {
    let mut first = Box::pin(first);
    let mut first_is_over = false;
    std::future::poll_fn(|cx| {
        first_is_over = first_is_over || first.as_mut().poll(cx).is_ready();
        others.retain_mut(|other| other.as_mut().poll(cx).is_pending());
        if first_is_over && others.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Where the arrivals of a part come in: how many at a time, and how many wait.
struct Door {
    free: Option<Arc<Semaphore>>,
    waiting: Arc<AtomicU64>,
    backlog: u64,
}

impl Door {
    fn of(load: &Load) -> Option<Self> {
        let Load::Open { intake, .. } = load else { return None };
        let free = intake.max_users.map(|users| Arc::new(Semaphore::new(users as usize)));
        Some(Self { free, waiting: Arc::default(), backlog: intake.backlog.into() })
    }
}

/// The load while it is played.
struct Loading<S> {
    sim: Sim,
    started: Instant,
    crowd: Arc<Crowd>,
    script: Arc<S>,
    doors: Vec<Option<Door>>,
    /// The number of the next user that is numbered as it comes.
    next_user: AtomicU32,
}

impl<S: Script> Loading<S> {
    fn begin(&self, moment: Moment<'_>, before_wave: &mut Option<BeforeWave>) {
        match moment.what {
            What::Wave { number, wave, rhythm, first_user } => {
                if wave.told {
                    if let Some(check) = before_wave {
                        check(number);
                    }
                    self.sim.shared().emit(Actor::World, EventKind::Wave(number));
                }
                self.wave(wave, rhythm, first_user);
            }
            What::Arrival { kind, ends } => self.arrival(moment.part, moment.at, kind, ends),
        }
    }

    fn wave(&self, wave: &Wave, rhythm: &Rhythm, first_user: u32) {
        let now = Instant::now();
        let ends = wave.lasts().map(|time| now + time);
        let until = match wave.repeat {
            Repeat::Times(times) => Until::Iteration(times),
            Repeat::Shared(total) => Until::Shared(Arc::new(AtomicU64::new(total))),
            Repeat::For(_) => Until::End,
        };
        let terms = self.looping(until, ends, rhythm);
        self.crowd.more(wave.users.len() as u64);
        for id in wave.users.clone().map(|user| first_user + user) {
            let kind = self.sim.shared().plan().kind_of_user[id as usize];
            let offset = self.sim.shared().plan().offset(id);
            let user = User::new(self.sim.clone(), id, kind);
            self.spawn(user, Arc::clone(&terms), Coming::later(offset));
        }
    }

    /// An arrival: a user with one iteration, if there is room for it.
    fn arrival(&self, part: usize, at: Duration, kind: u16, ends: Option<Duration>) {
        let id = self.number();
        let door = self.doors[part].as_ref().expect("a part with arrivals has a door");
        let room = match &door.free {
            None => life::Room::Free(None),
            Some(free) => match Arc::clone(free).try_acquire_owned() {
                Ok(permit) => life::Room::Free(Some(permit)),
                Err(_) if door.waiting.load(Ordering::Relaxed) < door.backlog => {
                    door.waiting.fetch_add(1, Ordering::Relaxed);
                    life::Room::Wait(Arc::clone(free), Arc::clone(&door.waiting))
                }
                Err(_) => {
                    // It never comes: nobody is there to make it.
                    self.sim.shared().emit(Actor::User(id), EventKind::Dropped);
                    return;
                }
            },
        };
        let terms = Arc::new(Terms {
            script: Arc::clone(&self.script),
            crowd: Arc::clone(&self.crowd),
            until: Until::Iteration(1),
            ends: None,
            cut: ends.map(|ends| self.started + ends),
            pause: Pause::NONE,
            pacing: None,
        });
        self.crowd.more(1);
        let user = User::new(self.sim.clone(), id, kind);
        self.spawn(user, terms, Coming::arriving(self.started + at, room));
    }

    /// As many users as the script says, until the part is over. Who came last goes first, after the iteration under way.
    async fn controlled(&self, part: usize) {
        let shared = Arc::clone(self.sim.shared());
        let part = &shared.plan().parts[part].part;
        let Load::Controlled { users, duration, rhythm } = &part.load else {
            unreachable!("only parts that the script controls are played here")
        };
        sleep_until(self.started + part.start).await;
        let ends = Instant::now() + *duration;
        let wanted = shared.wanted();
        let mut kinds = shared.plan().kinds_of(part.of.as_deref());
        let mut present: Vec<Arc<AtomicBool>> = Vec::new();
        loop {
            let now = wanted.now().unwrap_or(*users) as usize;
            for leaves in present.drain(now.min(present.len())..) {
                leaves.store(true, Ordering::Relaxed);
            }
            while present.len() < now {
                let user = User::new(self.sim.clone(), self.number(), kinds.next());
                let leaves = Arc::new(AtomicBool::new(false));
                present.push(Arc::clone(&leaves));
                self.crowd.more(1);
                self.spawn(user, self.looping(Until::Told(leaves), Some(ends), rhythm), None);
            }
            if timeout_at(ends, wanted.changed()).await.is_err() {
                return;
            }
        }
    }

    fn number(&self) -> u32 {
        // Only the run's own thread counts.
        let id = self.next_user.load(Ordering::Relaxed);
        let next = id.checked_add(1).expect("arrivals were counted before the run");
        self.next_user.store(next, Ordering::Relaxed);
        id
    }

    /// The terms of users who come again and again.
    fn looping(&self, until: Until, ends: Option<Instant>, rhythm: &Rhythm) -> Arc<Terms<S>> {
        Arc::new(Terms {
            script: Arc::clone(&self.script),
            crowd: Arc::clone(&self.crowd),
            until,
            ends,
            cut: ends.zip(rhythm.graceful_stop).map(|(ends, stop)| ends + stop),
            pause: Pause::of(&rhythm.pause),
            pacing: (!rhythm.pacing.mean().is_zero()).then(|| Pause::of(&rhythm.pacing)),
        })
    }

    fn spawn(&self, user: User, terms: Arc<Terms<S>>, coming: Option<Box<Coming>>) {
        let id = user.id();
        if bend::skips(|| format!("user-{id}")) {
            self.crowd.one_less();
            return;
        }
        let life = live(user, terms, coming);
        let address = || Address::from(format!("user-{id}"));
        bend::name_next(address);
        drop(tokio::spawn(bend::wrapped(address, tracked(Some(id), life))));
    }
}
