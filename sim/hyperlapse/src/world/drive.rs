//! Plays a plan's waves: every virtual user is a task that calls the scenario's closure again and again.

use std::future::{Future, IntoFuture};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::bend::{self, Scope};
use super::context::tracked;
use super::sim::Sim;
use super::user::User;
use crate::decision::Address;
use crate::event::{Actor, EventKind};
use crate::workload::{Distribution, Repeat, Wave};

type BeforeWave = Box<dyn FnMut(u32) + Send>;

/// The scenario's workload, about to be played. Await it.
#[must_use = "nobody arrives until this is awaited"]
pub struct Drive<F> {
    sim: Sim,
    user: F,
    before_wave: Option<BeforeWave>,
}

impl<F> std::fmt::Debug for Drive<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Drive").field("sim", &self.sim).finish_non_exhaustive()
    }
}

impl<F> Drive<F> {
    pub(super) fn new(sim: Sim, user: F) -> Self {
        Self { sim, user, before_wave: None }
    }

    /// Calls `check` with the number of each wave just before its users arrive: the place to see
    /// whether the system has recovered from the wave before.
    pub fn before_wave(mut self, check: impl FnMut(u32) + Send + 'static) -> Self {
        self.before_wave = Some(Box::new(check));
        self
    }
}

impl<F, Fut> IntoFuture for Drive<F>
where
    F: Fn(User) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
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
    fn one_less(&self) {
        #[cfg(not(tokio_unstable))]
        super::context::user_tasks(-1);
        if self.present.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.empty.notify_one();
        }
    }
}

async fn play<F, Fut>(drive: Drive<F>)
where
    F: Fn(User) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let Drive { sim, user, mut before_wave } = drive;
    let shared = Arc::clone(sim.shared());
    let crowd = Arc::new(Crowd::default());
    let script = Arc::new(user);
    let started = Instant::now();
    assert!(
        shared.drives_first(),
        "a run drives its load once: its plan is the load of the whole run"
    );
    shared.emit(Actor::World, EventKind::LoadStarted);
    let waves = &shared.plan().waves;
    for (number, wave) in waves.iter().enumerate() {
        sleep_until(started + wave.at).await;
        if let Some(check) = &mut before_wave {
            check(number as u32);
        }
        if waves.len() > 1 {
            shared.emit(Actor::World, EventKind::Wave(number as u32));
        }
        spawn_wave(&sim, wave, &crowd, &script);
    }
    while crowd.present.load(Ordering::Acquire) > 0 {
        crowd.empty.notified().await;
    }
    shared.emit(Actor::World, EventKind::LoadEnded);
}

fn spawn_wave<F, Fut>(sim: &Sim, wave: &Wave, crowd: &Arc<Crowd>, script: &Arc<F>)
where
    F: Fn(User) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let plan = sim.shared().plan();
    let until = match wave.repeat {
        Repeat::Times(times) => Until::Iteration(times),
        Repeat::For(duration) => Until::Instant(Instant::now() + duration),
    };
    let pause = match &wave.pause {
        Distribution::Constant(time) => Pause::Constant(*time),
        random => Pause::Random(Arc::new(random.clone())),
    };
    #[cfg(not(tokio_unstable))]
    super::context::user_tasks(wave.users.len() as i64);
    crowd.present.fetch_add(wave.users.len() as u64, Ordering::AcqRel);
    for id in wave.users.clone() {
        if bend::skips(|| format!("user-{id}")) {
            crowd.one_less();
            continue;
        }
        let stay =
            Stay { user: User::new(sim.clone(), id), crowd: Arc::clone(crowd), arrived: false };
        let offset = plan.offset(id);
        let life = live(stay, Arc::clone(script), offset, until, pause.clone());
        let address = || Address::from(format!("user-{id}"));
        bend::name_next(address);
        drop(tokio::spawn(bend::wrapped(address, tracked(Some(id), life))));
    }
}

#[derive(Clone, Copy)]
enum Until {
    Iteration(u64),
    Instant(Instant),
}

#[derive(Clone)]
enum Pause {
    Constant(Duration),
    Random(Arc<Distribution>),
}

impl Pause {
    fn sample(&self, user: &User) -> Duration {
        match self {
            Pause::Constant(time) => *time,
            // A stream for each pause: iterations that are cut away leave the others' pauses alone.
            Pause::Random(distribution) => distribution.sample(&mut user.sim().rng(format_args!(
                "drive/{}/{}/pause",
                user.id(),
                user.iteration()
            ))),
        }
    }
}

/// A user's presence: it leaves when this is dropped, be it by a panic.
struct Stay {
    user: User,
    crowd: Arc<Crowd>,
    arrived: bool,
}

impl Drop for Stay {
    fn drop(&mut self) {
        if self.arrived {
            self.user.emit(EventKind::Left);
        }
        self.crowd.one_less();
    }
}

async fn live<F, Fut>(mut stay: Stay, script: Arc<F>, offset: Duration, until: Until, pause: Pause)
where
    F: Fn(User) -> Fut,
    Fut: Future<Output = ()>,
{
    if !offset.is_zero() {
        sleep(offset).await;
    }
    stay.arrived = true;
    stay.user.emit(EventKind::Arrived);
    loop {
        match until {
            Until::Iteration(times) if stay.user.iteration() >= times => break,
            Until::Instant(end) if stay.user.sim().shared().now() >= end => break,
            _ => {}
        }
        let user = &stay.user;
        let address = || Address::from(format!("user-{}@{}", user.id(), user.iteration()));
        if bend::begins(|| address().to_string()) {
            user.sim().shared().iteration_begins();
            // Cancelled or done: the user goes on.
            let iteration = bend::cancellable(Scope::Iteration, address, script(user.clone()));
            let _ = pin!(iteration).await;
        }
        let time = pause.sample(&stay.user);
        stay.user.next_iteration();
        let last = matches!(until, Until::Iteration(times) if stay.user.iteration() >= times);
        if !last && !time.is_zero() {
            let sim = stay.user.sim();
            sim.sleep_until(sim.now().saturating_add(time)).await;
        }
    }
}
