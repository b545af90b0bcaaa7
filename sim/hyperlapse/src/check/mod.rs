//! Ready-made checkers for what pools, limiters, queues and managers promise.
//!
//! Each is a file of its own and knows nothing of the system: users keep a [`Ledger`] of what they hold and
//! wait for, on their own side, and a checker holds the system to it. What is promised is never asked of the
//! system itself, which may be wrong.
//!
//! | checker | what it promises |
//! | --- | --- |
//! | [`never_above`] | no more are held at once than a limit |
//! | [`capacity_restored`] | when all have left, exactly the limit can be had again |
//! | [`nobody_waits_for_nothing`] | nobody waits for long while there is a free place |
//! | [`FirstCome`] | who asked first is served first |
//! | [`every_waiter_ends`] | nobody waits for ever |
//! | [`nothing_left`] | counts, and bytes, are in the end what they were |
//! | [`own_results`] | each result belongs to who asked for it |
//! | [`linearizable`] | concurrent operations behave as if they came one after the other |
//!
//! Each takes the [`Property`](crate::Property) that it counts for, so that a suite names it in its own words;
//! a default stands beside each.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use hyperlapse::check::{self, Ledger, NEVER_ABOVE, CAPACITY_RESTORED};
//! use hyperlapse::{AllAtOnce, RunOptions, Scenario, Verdict};
//! use tokio::sync::Semaphore;
//!
//! let scenario = Scenario::builder("permits", AllAtOnce::users(9)).build().unwrap();
//! let record = hyperlapse::run(&scenario, RunOptions::seed(7), |sim| async move {
//!     let permits = Arc::new(Semaphore::new(2));
//!     let ledger = Ledger::new(&sim);
//!     let (users, shared) = (ledger.clone(), permits.clone());
//!     sim.drive(move |user| {
//!         let (ledger, permits) = (users.clone(), shared.clone());
//!         async move {
//!             let waits = ledger.waits(user.id());
//!             let _permit = permits.acquire().await.unwrap();
//!             drop(waits);
//!             let _held = ledger.holds(user.id());
//!             check::never_above(user.sim(), &NEVER_ABOVE, &ledger, 2);
//!             user.sleep(Duration::from_millis(5)).await;
//!         }
//!     })
//!     .await;
//!     sim.calm();
//!     check::capacity_restored(&sim, &CAPACITY_RESTORED, 2, || permits.try_acquire().ok());
//! });
//! assert!(Verdict::of(&record, &[]).passed());
//! ```

mod capacity;
mod first_come;
mod idle;
mod ledger;
pub mod linearizable;
mod never_above;
mod nothing_left;
mod own_results;
mod waiters;

pub use capacity::{CAPACITY_RESTORED, capacity_restored, capacity_restored_async};
pub use first_come::{FIRST_COME, FirstCome, Turn};
pub use idle::{Idle, NOBODY_WAITS_FOR_NOTHING, nobody_waits_for_nothing};
pub use ledger::{Entry, Ledger};
pub use never_above::{NEVER_ABOVE, never_above, never_above_of};
pub use nothing_left::{Bytes, NOTHING_LEFT, nothing_left};
pub use own_results::{OWN_RESULTS, own_results};
pub use waiters::{EVERY_WAITER_ENDS, every_waiter_ends};
