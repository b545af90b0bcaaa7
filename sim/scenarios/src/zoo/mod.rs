//! The zoo: bots that are each broken in one known way, and must stay found.
//!
//! All are the same handmade bot with one [`Mistake`], of a kind that passes a review. Without a mistake
//! the handmade bot holds every scenario, so that what is found is the mistake and nothing else. Adding a
//! member is a file with its mistake and a line in [`MEMBERS`].

mod check_then_act;
mod handmade;
mod head_of_line;
mod leak_on_panic;
mod lost_grant;
mod off_by_one;
mod queue_ghost;

use std::sync::Arc;

use conversation_manager::Limits;

use crate::bot::System;
pub use handmade::{Handmade, Mistake, NoMistake};

/// A system of the zoo.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// What the command line calls it.
    pub name: &'static str,
    /// What is wrong with it, in a line.
    pub about: &'static str,
    /// Makes it.
    pub make: fn(Limits) -> System,
}

const fn member<M: Mistake>(name: &'static str, about: &'static str) -> Member {
    Member { name, about, make: |limits| Arc::new(Handmade::<M>::new(limits)) }
}

/// Everything in the zoo; the first is healthy.
pub const MEMBERS: &[Member] = &[
    member::<NoMistake>("handmade", "a bot written by hand, without the mistakes of the zoo"),
    member::<off_by_one::OffByOne>("off-by-one", "zoo: admits one more than the global limit"),
    member::<leak_on_panic::LeakOnPanic>(
        "leak-on-panic",
        "zoo: frees a slot when the conversation is ended, not when it is dropped",
    ),
    member::<check_then_act::CheckThenAct>(
        "check-then-act",
        "zoo: sees a free slot, awaits something else, takes the slot without looking again",
    ),
    member::<lost_grant::LostGrant>(
        "lost-grant",
        "zoo: loses a slot that was granted to somebody who gave up waiting",
    ),
    member::<queue_ghost::QueueGhost>(
        "queue-ghost",
        "zoo: who gives up waiting stays in the queue",
    ),
    member::<head_of_line::HeadOfLine>(
        "head-of-line",
        "zoo: a user at their own limit holds up everybody behind them",
    ),
];
