//! Ready-made harnesses for what people test most: workload, cancellation, faults and properties for an adapter
//! of five lines.
//!
//! | kit | of what |
//! | --- | --- |
//! | [`cache`] | caches that load what they do not have |
//! | [`limiter`] | semaphores, concurrency limits |
//! | [`pool`] | pools of connections |
//! | [`queue`] | queues, channels |
//! | [`rate`] | rate limiters |
//! | [`resource`] | what is opened, used and closed: sessions, leases |
//! | [`singleflight`] | requests that share one load |
//!
//! Each is a file of its own: a small trait to implement, a `suite` that is handed what the system under test needs
//! and makes it, and the parts of which that suite is made: a `body` for a run of your own, its `PROPERTIES` and
//! its `SCENARIO`. [`sweep`] runs a suite on many seeds, and shrinks and explains what it finds:
//!
//! ```
//! use std::sync::Arc;
//!
//! use hyperlapse::kit::{self, limiter::{Job, Limiter}};
//! use tokio::sync::Semaphore;
//!
//! #[derive(Clone)]
//! struct OneTooMany(Arc<Semaphore>);
//!
//! impl Limiter for OneTooMany {
//!     async fn run(&self, job: Job) -> Result<(), String> {
//!         let _permit = self.0.acquire().await.unwrap();
//!         job.await;
//!         Ok(())
//!     }
//! }
//!
//! let suite = kit::limiter::suite(|limit| OneTooMany(Arc::new(Semaphore::new(limit + 1))));
//! let found = kit::sweep(&suite, 0..100).unwrap_err();
//! assert_eq!(found.failure.name, "never above the limit");
//! println!("{found}");
//! ```
//!
//! What a run goes through: users come with pauses, give up after times of their own, and are dropped at any
//! await, as the [`decision`](crate::decision)s of the seed say; what the system calls [takes its time and
//! fails](Gate); then there is calm, and what is promised for the end is asked for. Faults of a run are bounded,
//! so that what must work in the end has a chance to.

pub mod cache;
mod gate;
pub mod limiter;
mod loading;
pub mod pool;
pub mod queue;
pub mod rate;
pub mod resource;
pub mod singleflight;
mod sweep;

use std::time::Duration;

pub use crate::check::EVERY_WAITER_ENDS;
use crate::property::Property;
pub use gate::{Gate, Refused};
pub use sweep::{Found, Swept, sweep};

const MS: Duration = Duration::from_millis(1);
/// Longer than anybody waits where everything ends: all that holds them up in a run comes to less.
const PATIENCE: Duration = Duration::from_secs(10);

fn seconds(time: Duration) -> String {
    crate::units::seconds(crate::units::nanos(time))
}

/// These properties, without the last of them where it is not promised.
fn all_but_last(properties: &'static [Property], without: bool) -> &'static [Property] {
    &properties[..properties.len() - usize::from(without)]
}
