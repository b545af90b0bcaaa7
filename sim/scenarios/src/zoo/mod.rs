//! The zoo: bots that are each broken in one known way, and must stay found.
//!
//! All are the same handmade bot with one [`Mistake`], of a kind that passes a review. Without a mistake
//! the handmade bot holds every scenario, so that what is found is the mistake and nothing else. Adding a
//! member is a file with its mistake and a line in [`MEMBERS`].
//!
//! Beside them are [gateways of production](GATEWAYS) with one mistake planted in each, for the scenarios of what may fail.

mod check_then_act;
mod double_return;
mod drain_misses_queued;
mod expiry_outside_lock;
mod gateways;
mod handmade;
mod head_of_line;
mod leak_on_cancel;
mod leak_on_panic;
mod lost_grant;
mod off_by_one;
mod queue_ghost;
mod resize_twice;
mod stolen_wakeup;
mod touch_revives;
mod user_count_stays;
mod wrong_reply;

use std::sync::Arc;

use conversation_manager::Limits;

use crate::bot::System;
pub use gateways::{BrokenGateway, GATEWAYS};
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
    member::<expiry_outside_lock::ExpiryOutsideLock>(
        "expiry-outside-lock",
        "zoo: finds under the lock what is over its time, and ends it in another go",
    ),
    member::<leak_on_cancel::LeakOnCancel>(
        "leak-on-cancel",
        "zoo: takes a slot before there is a conversation that would give it back",
    ),
    member::<double_return::DoubleReturn>(
        "double-return",
        "zoo: gives a slot back twice that is granted at the moment of a timeout",
    ),
    member::<user_count_stays::UserCountStays>(
        "user-count-stays",
        "zoo: still counts a slot for a user who gave up waiting and whose slot passed on",
    ),
    member::<resize_twice::ResizeTwice>(
        "resize-twice",
        "zoo: a larger limit lets in who waits, and adds the new slots once more",
    ),
    member::<drain_misses_queued::DrainMissesQueued>(
        "drain-misses-queued",
        "zoo: a shutdown sends away who waits, and then closes the door",
    ),
    member::<touch_revives::TouchRevives>(
        "touch-revives",
        "zoo: a touch puts back a conversation that has ended",
    ),
    member::<stolen_wakeup::StolenWakeup>(
        "stolen-wakeup",
        "zoo: tells who waits to look for a slot that another may take first",
    ),
    member::<wrong_reply::WrongReply>(
        "wrong-reply",
        "zoo: replies to the conversation that asked last",
    ),
];
