//! What happens to the bot while users come and go.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use hyperlapse::{RandomExt, Sim};

use super::Storm;
use crate::settings::StormSettings;

/// The limit, and between which it has been.
#[derive(Debug)]
pub(super) struct Weather(Mutex<Limits>);

#[derive(Debug, Clone, Copy)]
struct Limits {
    base: u64,
    now: u64,
    least: u64,
    most: u64,
}

impl Weather {
    pub(super) fn new(limit: usize) -> Self {
        let base = limit as u64;
        Self(Mutex::new(Limits { base, now: base, least: base, most: base }))
    }

    fn get(&self) -> Limits {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limit now.
    pub(super) fn limit(&self) -> u64 {
        self.get().now
    }

    /// The highest that there was: who was let in under it may hear of it later.
    pub(super) fn highest(&self) -> u64 {
        self.get().most
    }

    /// The lowest that there was.
    pub(super) fn lowest(&self) -> u64 {
        self.get().least
    }

    /// The limit before anything happened.
    pub(super) fn base(&self) -> u64 {
        self.get().base
    }

    fn set(&self, limit: u64) {
        let mut limits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits.now = limit;
        limits.least = limits.least.min(limit);
        limits.most = limits.most.max(limit);
    }
}

/// Changes the limit at some instants, ends with the one that there was, and shuts down where it is to.
pub(super) async fn pass(sim: Sim, storm: Storm) {
    let settings = *sim.settings::<StormSettings>();
    let mut draw = sim.rng("weather");
    let within = settings.within.as_millis() as u64;
    let mut instants: Vec<u64> = (0..settings.resizes).map(|_| draw.below(within.max(1))).collect();
    instants.sort_unstable();
    let base = storm.weather.base();
    for instant in instants {
        sleep_until(&sim, instant).await;
        // One more, one less, or as before; never none.
        resize(&sim, &storm, (base + draw.below(3)).saturating_sub(1).max(1));
    }
    if settings.drains {
        sleep_until(&sim, draw.below(within.max(1))).await;
        storm.bot.drain(Duration::from_millis(20)).await;
    }
    sleep_until(&sim, within).await;
    resize(&sim, &storm, base);
}

fn resize(sim: &Sim, storm: &Storm, limit: u64) {
    if limit != storm.weather.limit() {
        // Who is let in by this may ask before it returns.
        storm.weather.set(limit);
        sim.show_capacity(limit);
        storm.bot.resize(limit as usize);
    }
}

async fn sleep_until(sim: &Sim, ms: u64) {
    let until = Duration::from_millis(ms);
    if let Some(left) = until.checked_sub(sim.now()) {
        sim.sleep(left).await;
    }
}
