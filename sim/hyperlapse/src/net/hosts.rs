//! Which task belongs to which host, and the life of a host.
//!
//! A task belongs to the host of the task that spawned it; tokio's hooks tell of every spawn and every poll, and before
//! each poll the sockets are told whose they are.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::Future;
use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{Id, yield_now};

use super::{Boot, state};
use crate::event::{Actor, EventKind};
use crate::world::{IdHasher, Sim, name_next_task};

thread_local! {
    /// The host of the task that is being polled.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    /// The host of the task that is spawned next, where it is not that of its parent.
    static NEXT: Cell<Option<usize>> = const { Cell::new(None) };
    static TASKS: RefCell<Tasks> = RefCell::new(Tasks::default());
}

#[derive(Default)]
struct Tasks {
    /// Never iterated. Tasks that are not in it are of the first host.
    host_of: HashMap<Id, usize, BuildHasherDefault<IdHasher>>,
    alive: Vec<u64>,
}

pub(super) fn begin(hosts: usize) {
    CURRENT.set(0);
    NEXT.set(None);
    TASKS.with(|tasks| {
        *tasks.borrow_mut() = Tasks { alive: vec![0; hosts], ..Tasks::default() };
    });
}

pub(super) fn spawned(id: Id) {
    let host = NEXT.take().unwrap_or_else(|| CURRENT.get());
    TASKS.with(|tasks| {
        let mut tasks = tasks.borrow_mut();
        tasks.host_of.insert(id, host);
        tasks.alive[host] += 1;
    });
}

pub(super) fn ended(id: Id) {
    TASKS.with(|tasks| {
        let mut tasks = tasks.borrow_mut();
        if let Some(host) = tasks.host_of.remove(&id) {
            tasks.alive[host] -= 1;
        }
    });
}

/// The host of a task that is about to be polled.
pub(super) fn before_poll(id: Id) -> usize {
    let host = TASKS.with(|tasks| tasks.borrow().host_of.get(&id).copied()).unwrap_or(0);
    CURRENT.set(host);
    host
}

fn alive(host: usize) -> u64 {
    TASKS.with(|tasks| tasks.borrow().alive[host])
}

/// The switch of a host.
#[derive(Debug, Clone, Default)]
pub(super) struct Power(Arc<(Notify, Mutex<Option<Duration>>)>);

impl Power {
    fn lock(&self) -> MutexGuard<'_, Option<Duration>> {
        self.0.1.lock().expect("nothing panics under this lock")
    }

    /// Cuts it for so long.
    pub(super) fn cut_for(&self, down_for: Duration) {
        *self.lock() = Some(down_for);
        self.0.0.notify_one();
    }

    /// Resolves when the power is cut: for how long.
    pub(super) async fn cut(&self) -> Duration {
        loop {
            if let Some(down_for) = self.lock().take() {
                return down_for;
            }
            self.0.0.notified().await;
        }
    }
}

/// Turns of the scheduler that the tasks of a crashed host have to be dropped in.
const TURNS_TO_DROP: u32 = 1_000;

/// Starts the software of a host, and starts it again after each crash, until it ends by itself.
pub(super) async fn supervise<F, Fut>(sim: Sim, host: usize, name: Arc<str>, software: F)
where
    F: Fn(Boot) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    /// Whoever drops the host takes its software with it.
    struct Running(tokio::task::JoinHandle<()>);
    impl Drop for Running {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let software = Arc::new(software);
    let actor = Actor::Task(name.to_string().into());
    for crashes in 0.. {
        let software = Arc::clone(&software);
        NEXT.set(Some(host));
        name_next_task(match crashes {
            0 => name.to_string(),
            n => format!("{name}~{n}"),
        });
        let mut running = Running(tokio::spawn(async move { software(Boot { crashes }).await }));
        let power = state::power_of(host);
        let down_for = tokio::select! {
            biased;
            down_for = power.cut() => down_for,
            _ = &mut running.0 => return,
        };
        running.0.abort();
        let _ = (&mut running.0).await;
        for _ in 0..TURNS_TO_DROP {
            if alive(host) == 0 {
                break;
            }
            yield_now().await;
        }
        // What the tasks said while they were dropped nobody hears, and no ghost of them will say anything more.
        state::break_connections(host);
        sim.emit_as(actor.clone(), EventKind::Note(format!("{name} is down").into()));
        tokio::time::sleep(down_for.max(Duration::from_millis(1))).await;
        state::break_connections(host);
        state::power_on(host);
        sim.emit_as(actor.clone(), EventKind::Note(format!("{name} starts again").into()));
    }
}
