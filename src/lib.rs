//! Concurrent conversations of a chat bot, under limits: globally and per user, with a queue for those who have to
//! wait, an end for those who fall silent or go on for too long, and a clean shutdown.
//!
//! # A tour
//!
//! ```
//! use std::time::Duration;
//!
//! use conversation_manager::{ConversationManager, Expiry, Limits, Refused, StartRequest};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Two conversations at a time, one per user. Handles of a manager are cheap to clone.
//! let limits = Limits { max_concurrent: 2, max_per_user: 1, ..Limits::default() };
//! let manager = ConversationManager::new(limits)?;
//!
//! // Somebody has to watch the time. The guard owns the task.
//! let _expiry = manager.spawn_expiry();
//!
//! // Start now, or hear at once what stands in the way ...
//! let ada = manager.try_start(StartRequest::new("ada").room("#ops"))?;
//! let refused = manager.try_start("ada").unwrap_err();
//! assert_eq!(refused.to_string(), "user `ada` has 1 active conversations, the limit per user is 1");
//!
//! // ... or wait for a slot: for ever, or for a while. Dropping the future gives the place back.
//! let grace = manager.start("grace").await?;
//! let patience = Duration::from_secs(3);
//! let refused = manager.start_within("mary", patience).await.unwrap_err();
//! assert_eq!(refused, Refused::TimedOut { waited: patience });
//!
//! // A conversation that is touched goes on; one that is not ends as idle, and says so.
//! ada.touch()?;
//! assert_eq!(grace.expired().await, Expiry::Idle);
//!
//! // Ending frees the slot. So does dropping: a panic or a cancelled task costs no slot.
//! let mary = manager.try_start("mary")?;
//! mary.end()?;
//!
//! // Who is here? One consistent look.
//! let stats = manager.stats();
//! assert_eq!((stats.active, stats.ended.completed, stats.ended.expired_idle), (1, 1, 1));
//! assert_eq!(manager.active()[0].user.as_str(), "ada");
//!
//! // Let those who talk finish, for at most half a minute.
//! ada.touch()?;
//! let report = manager.drain(Duration::from_secs(30)).await;
//! assert_eq!((report.ended, report.expired), (0, 1));
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | To | Look at |
//! |---|---|
//! | say what is allowed | [`Limits`], [`InvalidLimits`], [`ConversationManager::resize`] |
//! | start | [`ConversationManager::try_start`], [`start`](ConversationManager::start), [`start_within`](ConversationManager::start_within) with a [`StartRequest`]; a "no" is [`Refused`] |
//! | talk | [`Conversation`]: [`touch`](Conversation::touch), [`end`](Conversation::end), [`fail`](Conversation::fail), [`expired`](Conversation::expired); over already is [`Ended`] |
//! | know, deep down, whom it is for | [`Conversation::scope`], [`current()`] |
//! | watch the time | [`ConversationManager::spawn_expiry`], [`run_expiry`](ConversationManager::run_expiry), [`Clock`] |
//! | look | [`ConversationManager::stats`], [`active`](ConversationManager::active), [`active_of`](ConversationManager::active_of), `tracing` events of the target `conversation_manager` |
//! | stop | [`ConversationManager::drain`], [`shutdown`](ConversationManager::shutdown) |
//!
//! Inside, `state` is the whole manager as a synchronous state machine without clock, lock or runtime; `shared` is
//! the one lock around it; the rest are futures and handles.
//!
//! # Contracts
//!
//! - **No limit is ever exceeded**, by any interleaving. (A resize to less ends nobody, so there can be more until
//!   enough of them are done; nobody is admitted in the meantime.)
//! - **First come, first served among those who may start.** A user at their own limit holds up nobody; nobody who
//!   comes later takes a slot that somebody who waits may have.
//! - **Nothing is lost.** Every future can be dropped at any await. A slot that was granted to a request nobody waits for
//!   any more passes on to the next (and counts as started and abandoned).
//! - **Expiry at the deadline.** A conversation whose deadline is reached (`now >= deadline`) is over for every
//!   operation, whether or not a driver has run; a touch before it always wins. If several deadlines have passed
//!   unseen each conversation ends by its own earliest, by its longest duration if both are the same.
//!   Slots that are found free are given away at the time of the operation that finds them: a late driver never costs the
//!   next one their time. A slot that is granted starts its time with the grant, whenever the future is polled.
//! - **The counters add up.** `started_total == active + ended.total()` in every [`Stats`].
//! - **No foreign code under the lock.** Wakers are woken and dropped, and subscribers told, after it is released.
//! - **Nothing in the background** but what you spawn and own.
//!
//! # Cost
//!
//! Start and end are O(1), plus O(log waiting) while others wait; a touch is O(1); no conversation has a task, a timer
//! or an allocation of its own, and once the tables have grown starting and ending allocates nothing. A live
//! conversation weighs 88 bytes in the manager and 104 in its handle (64-bit), a user who has any 49 bytes more; tables grow by
//! doubling and stay. A test holds us to these figures. A start with its end takes 1.3 to 1.7 times
//! as long as a `tokio::sync::Semaphore` and a `Mutex<HashMap>` by hand, and less than those when two threads contend; see
//! `benches/manager.rs`. [`active`](ConversationManager::active) holds the lock for as long as the list is.
//!
//! # Features
//!
//! - `serde` (default): [`Limits`] from and to files, [`Stats`] and lists to anything.
//! - `gateway`: the module `gateway`, an HTTP service over manager and store; turns `store` and `serde` on.
//! - `store`: the module `store`, conversations and their messages in SQLite, which is compiled along.
//! - `planted`: mistakes that a gateway makes when a test asks for them. Never in production.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod clock;
mod conversation;
mod current;
mod drain;
mod driver;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(doctest)]
mod guide;
mod limits;
mod manager;
mod refusal;
mod request;
mod shared;
mod start;
mod state;
mod stats;
#[cfg(feature = "store")]
pub mod store;
mod sync;
#[cfg(test)]
mod threads;
mod trace;

pub use clock::{Clock, Timestamp, TokioClock};
pub use conversation::Conversation;
pub use current::{ConversationInfo, Scope, current, with_current};
pub use driver::ExpiryTask;
pub use limits::{InvalidLimits, Limits, LimitsBuilder};
pub use manager::ConversationManager;
pub use refusal::{Ended, Expiry, Refused};
pub use request::{ConversationId, StartRequest, UserId};
pub use start::Start;
pub use stats::{ActiveConversation, DrainReport, Endings, Refusals, Stats};
