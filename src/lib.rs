//! Concurrent conversations of a chat bot under limits.

#![forbid(unsafe_code)]

mod clock;
mod conversation;
mod current;
mod drain;
mod driver;
mod limits;
mod manager;
mod refusal;
mod request;
mod shared;
mod start;
mod state;
mod stats;
mod trace;

pub use clock::{Clock, Timestamp, TokioClock};
pub use conversation::Conversation;
pub use current::{ConversationInfo, Scope, current};
pub use driver::ExpiryTask;
pub use limits::{InvalidLimits, Limits, LimitsBuilder};
pub use manager::ConversationManager;
pub use refusal::{Ended, Expiry, Refused};
pub use request::{ConversationId, StartRequest, UserId};
pub use start::Start;
pub use stats::{ActiveConversation, DrainReport, Endings, Refusals, Stats};
