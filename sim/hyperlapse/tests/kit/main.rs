//! Each kit holds for a system that keeps its promise, on hundreds of seeds, and finds one that does not.

mod cache;
mod limiter;
mod pool;
mod queue;
mod rate;
mod resource;
mod singleflight;
mod sweep;

use hyperlapse::Suite;
use hyperlapse::kit::{self, Found};

/// What a sweep finds in a thousand seeds, by the name of what failed.
fn finds<S: Clone + Send + 'static>(suite: &Suite<S>) -> (String, Box<Found>) {
    let found = kit::sweep(suite, 0..1_000).expect_err("it is broken");
    (found.failure.name.clone(), found)
}

/// Every property is checked, and none fails.
fn holds<S: Clone + Send + 'static>(suite: &Suite<S>) {
    let swept = kit::sweep(suite, 0..400).unwrap();
    assert_eq!(swept.runs, 400);
}
