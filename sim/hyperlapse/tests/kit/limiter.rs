use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyperlapse::kit::limiter::{self, Job, Limiter};
use tokio::sync::{Mutex, Notify, Semaphore};

use crate::{finds, holds};

#[derive(Clone)]
struct Permits<const FAIR: bool>(Arc<Semaphore>);

impl<const FAIR: bool> Limiter for Permits<FAIR> {
    const FAIR: bool = FAIR;

    async fn run(&self, job: Job) -> Result<(), String> {
        let _permit = self.0.acquire().await.map_err(|error| error.to_string())?;
        job.await;
        Ok(())
    }
}

#[test]
fn tokios_semaphore_holds_and_is_fair() {
    holds(&limiter::suite(|limit| Permits::<true>(Arc::new(Semaphore::new(limit)))));
}

#[test]
fn a_limit_that_is_one_too_high_is_seen_at_once() {
    let (name, found) =
        finds(&limiter::suite(|limit| Permits::<false>(Arc::new(Semaphore::new(limit + 1)))));
    assert_eq!(name, "never above the limit");
    assert_eq!(found.runs, 1);
}

/// Looks whether there is room, writes that down, takes it.
#[derive(Clone)]
struct LookThenTake {
    limit: usize,
    taken: Arc<AtomicUsize>,
    log: Arc<Mutex<u64>>,
    free: Arc<Notify>,
}

impl Limiter for LookThenTake {
    async fn run(&self, job: Job) -> Result<(), String> {
        struct Place<'a>(&'a LookThenTake);
        impl Drop for Place<'_> {
            fn drop(&mut self) {
                self.0.taken.fetch_sub(1, Ordering::Relaxed);
                self.0.free.notify_waiters();
            }
        }
        loop {
            let free = self.free.notified();
            if self.taken.load(Ordering::Relaxed) < self.limit {
                *self.log.lock().await += 1;
                self.taken.fetch_add(1, Ordering::Relaxed);
                let _place = Place(self);
                job.await;
                return Ok(());
            }
            free.await;
        }
    }
}

#[test]
fn a_look_and_a_take_with_an_await_between_are_seen_under_yields() {
    if cfg!(not(tokio_unstable)) {
        return;
    }
    let (name, found) = finds(&limiter::suite(|limit| LookThenTake {
        limit,
        taken: Arc::default(),
        log: Arc::default(),
        free: Arc::default(),
    }));
    assert_eq!(name, "never above the limit");
    assert!(found.shrunk.unwrap().sizes.1.decisions <= 2);
}

/// Gives the permit back after the job, and not when it is dropped.
#[derive(Clone)]
struct Leaks(Arc<Semaphore>);

impl Limiter for Leaks {
    async fn run(&self, job: Job) -> Result<(), String> {
        self.0.acquire().await.map_err(|error| error.to_string())?.forget();
        job.await;
        self.0.add_permits(1);
        Ok(())
    }
}

#[test]
fn a_permit_that_is_lost_with_a_dropped_job_is_missed_and_told() {
    if cfg!(not(tokio_unstable)) {
        return;
    }
    let (_, found) = finds(&limiter::suite(|limit| Leaks(Arc::new(Semaphore::new(limit)))));
    let text = found.to_string();
    let mut settings = insta::Settings::clone_current();
    // Lines move when a file is edited.
    settings.add_filter(r"\.rs:\d+(:\d+)?", ".rs:[line]");
    settings.bind(|| insta::assert_snapshot!(text));
}

/// The last who comes is served first.
#[derive(Clone)]
struct LastFirst {
    free: Arc<std::sync::Mutex<(usize, Vec<Arc<Semaphore>>)>>,
}

impl Limiter for LastFirst {
    const FAIR: bool = true;

    async fn run(&self, job: Job) -> Result<(), String> {
        struct Place<'a>(&'a LastFirst, Option<Arc<Semaphore>>);
        impl Drop for Place<'_> {
            fn drop(&mut self) {
                let mut free = self.0.free.lock().unwrap();
                if let Some(turn) = &self.1 {
                    let before = free.1.len();
                    free.1.retain(|other| !Arc::ptr_eq(other, turn));
                    if free.1.len() < before {
                        return;
                    }
                }
                match free.1.pop() {
                    Some(next) => next.add_permits(1),
                    None => free.0 += 1,
                }
            }
        }
        let turn = {
            let mut free = self.free.lock().unwrap();
            if free.0 > 0 {
                free.0 -= 1;
                None
            } else {
                let turn = Arc::new(Semaphore::new(0));
                free.1.push(Arc::clone(&turn));
                Some(turn)
            }
        };
        let place = Place(self, turn);
        if let Some(turn) = &place.1 {
            turn.acquire().await.unwrap().forget();
        }
        job.await;
        Ok(())
    }
}

#[test]
fn last_come_first_served_is_seen_in_the_calm() {
    let (name, _) = finds(&limiter::suite(|limit| LastFirst {
        free: Arc::new(std::sync::Mutex::new((limit, Vec::new()))),
    }));
    assert_eq!(name, "first come, first served");
}
