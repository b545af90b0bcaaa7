//! A cache with expiry: a value is kept for a minute of tokio's time, and loaded once for all who wait for it. Ten minutes of
//! its life take some milliseconds.
//! `cargo run --example cache` prints a report, `cargo test --example cache` runs the test.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hyperlapse::{ConstantUsers, Property, Sim, User};
use tokio::sync::Mutex;
use tokio::time::Instant;

const FRESH: Property = Property::always("fresh", "nobody gets a price older than a minute");

const MINUTE: Duration = Duration::from_secs(60);

/// A value with the time of which it is.
struct Cached<T>(Mutex<Option<(Instant, T)>>);

impl<T: Clone> Cached<T> {
    async fn get(&self, load: impl Future<Output = T>) -> T {
        let mut kept = self.0.lock().await;
        if let Some((_, value)) = kept.as_ref().filter(|(asked, _)| asked.elapsed() < MINUTE) {
            return value.clone();
        }
        // Not the time after the load: what comes is as old as the question.
        let asked = Instant::now();
        let value = load.await;
        *kept = Some((asked, value.clone()));
        value
    }
}

/// To ask for the price takes three seconds, in which users may go away.
#[hyperlapse::test(
    main,
    workload = ConstantUsers::new(5, 10 * MINUTE).pause(Duration::from_secs(1)),
    decisions = ["yield", "postpone", "cancel", "timeout"],
    seeds = 64
)]
async fn a_price_is_at_most_a_minute_old_and_asked_for_once_a_minute(sim: Sim) {
    let (price, loads) = (Cached(Mutex::new(None)), AtomicU32::new(0));
    let shared = Arc::new((price, loads));
    sim.drive_with(&shared, look).await;
    assert!(shared.1.load(Ordering::Relaxed) <= 11, "it is loaded more than once a minute");
}

async fn look(user: User, shared: Arc<(Cached<Duration>, AtomicU32)>) {
    let (price, loads) = &*shared;
    let load = async {
        let now = user.sim().now();
        user.sleep(Duration::from_secs(3)).await;
        loads.fetch_add(1, Ordering::Relaxed);
        now
    };
    let Some(of) = user.cancellable("get", price.get(load)).await else { return };
    user.sim().check(&FRESH, user.sim().now() - of <= MINUTE);
}
