//! Scripts: what users do, and what is checked of it.
//!
//! | module | script |
//! | --- | --- |
//! | [`converse`] | a conversation in turns, by any workload |
//! | [`limits`] | one start too many, step by step: globally, and for one user |
//! | [`visit`] | users who go quiet beside users who stay active |
//! | [`drain`] | a shutdown in the middle of the load |

pub mod converse;
pub mod drain;
pub mod limits;
pub mod visit;

use hyperlapse::{Operation, Property, Sim};

use crate::bot::{Bot, Talk};

/// Every script's last word.
pub const NOTHING_LEFT: Property =
    Property::eventually("nothing left", "when all users have left, no conversation is active and nobody waits");

/// Checks [`NOTHING_LEFT`].
fn check_nothing_left(sim: &Sim, bot: &dyn Bot) {
    let counts = bot.counts();
    sim.check_with(&NOTHING_LEFT, counts.active == 0 && counts.waiting == 0, || {
        format!("{} active, {} waiting", counts.active, counts.waiting)
    });
}

/// Ends a conversation, and the operation with it.
fn end(operation: Operation, talk: Box<dyn Talk>) {
    match talk.end() {
        Ok(()) => operation.completed(),
        Err(reason) => operation.failed(reason),
    }
}
