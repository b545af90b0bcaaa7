//! The bot that `docs/thresholds.md` tells of: cold at first, with a hiccup after a minute, and slowly getting slower.

use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyperlapse::{
    ConstantUsers, Metric, RandomExt, Record, RunOptions, Scenario, ScenarioBuilder, Sim, User,
    Verdict,
};
use tokio::sync::Semaphore;

pub const TOKENS: Metric = Metric::counter("tokens", "tokens that the model wrote");
pub const FREE: Metric = Metric::gauge("free_slots", "slots that nobody has");
pub const CACHED: Metric = Metric::rate("cached", "answers that came from the cache");
pub const TURN: Metric = Metric::trend("turn", "time that the model took");

const COLD: Duration = Duration::from_secs(10);
const HICCUP: Range<Duration> = Duration::from_secs(60)..Duration::from_secs(62);

/// The bot's memory: what it keeps of each conversation and never frees.
type Kept = Arc<Mutex<Vec<Vec<u8>>>>;

pub async fn body(sim: Sim) {
    let slots = Arc::new(Semaphore::new(4));
    let kept = Kept::default();
    sim.drive(move |user| converse(user, Arc::clone(&slots), Arc::clone(&kept))).await;
}

async fn converse(user: User, slots: Arc<Semaphore>, kept: Kept) {
    let model = if user.rng("model").chance(2, 3) { "small" } else { "large" };
    let plan = if user.id() == 0 { "paid" } else { "free" };
    let user = user.tagged(&[("model", model), ("plan", plan)]);
    let mut operation = user.operation();
    if slots.available_permits() == 0 && user.rng("patience").chance(1, 4) {
        operation.refused("busy");
        return;
    }
    let asked = user.sim().now();
    let _slot = slots.acquire().await.expect("nobody closes the semaphore");
    let now = user.sim().now();
    operation.accepted_after(now - asked);
    user.set(&FREE, slots.available_permits() as i64);
    let base = if user.kind() == Some("complex") { 300 } else { 100 };
    let mut work = Duration::from_millis(base + user.rng("work").below(base / 5));
    if now < COLD {
        work *= 2;
    }
    if HICCUP.contains(&now) {
        work += Duration::from_secs(1);
    }
    // A millisecond more for each second that it has been up.
    work += now / 1_000;
    user.sleep(work).await;
    user.add(&TOKENS, 10 + user.rng("tokens").below(10));
    user.rate(&CACHED, user.rng("cached").chance(1, 3));
    user.observe(&TURN, work);
    kept.lock().expect("nobody panics with it").push(vec![0; 100]);
    match user.rng("luck").chance(1, 100) {
        true => operation.failed("model error"),
        false => operation.completed(),
    }
}

/// Two minutes of it, with six users.
pub fn scenario() -> ScenarioBuilder {
    let load = ConstantUsers::new(6, Duration::from_secs(120)).pause(Duration::from_millis(100));
    Scenario::builder("bot", load)
        .kind("quick", 2)
        .kind("complex", 1)
        .metric(&TOKENS)
        .metric(&FREE)
        .metric(&CACHED)
        .metric(&TURN)
}

pub fn with(thresholds: &[&str]) -> Scenario {
    let with = |builder: ScenarioBuilder, text: &&str| builder.threshold(*text);
    match thresholds.iter().fold(scenario(), with).build() {
        Ok(scenario) => scenario,
        Err(error) => panic!("{error}"),
    }
}

pub fn run(scenario: &Scenario, seed: u64) -> (Record, Verdict) {
    let record = hyperlapse::run(scenario, RunOptions::seed(seed), body);
    let verdict = Verdict::of(&record, scenario.thresholds());
    (record, verdict)
}
