//! Scripts: what users do, and what is checked of it.
//!
//! | module | script |
//! | --- | --- |
//! | [`converse`] | a conversation in turns, by any workload |
//! | [`database`] | conversations whose turns read and write a database |
//! | [`limits`] | one start too many, step by step: globally, and for one user |
//! | [`adaptive`] | as many users as the bot bears |
//! | [`visit`] | users who go quiet beside users who stay active |
//! | [`storm`] | everything at once, for finding what is wrong |
//! | [`drain`] | a shutdown in the middle of the load |
//! | [`chaos`] | a gateway whose network, disk, host and clock fail |

pub mod adaptive;
pub mod chaos;
pub mod converse;
pub mod database;
pub mod drain;
pub mod limits;
pub mod storm;
pub mod visit;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use conversation_manager::UserId;
use hyperlapse::{Operation, Property, Sim};

use crate::bot::{Bot, Talk};
use crate::settings::ManagerSettings;

/// Resolution of tokio's timers under a paused clock.
const TIMER: Duration = Duration::from_millis(1);

/// The names of the users of a run, by their number: those that are known beforehand are made once, as a chat server has
/// them; arrivals without end have theirs when they come.
#[derive(Clone)]
pub(crate) struct Names(Arc<[UserId]>);

impl Names {
    fn of(&self, user: u32) -> Cow<'_, UserId> {
        let known = self.0.get(user as usize).map(Cow::Borrowed);
        known.unwrap_or_else(|| Cow::Owned(name(user)))
    }
}

fn names(sim: &Sim) -> Names {
    Names((0..sim.plan().users_of_waves()).map(name).collect())
}

fn name(user: u32) -> UserId {
    UserId::new(format!("user-{user}"))
}

/// Has reports show the conversations against the limit, which the scenario sets.
fn show_limit(sim: &Sim) {
    sim.show_capacity(sim.settings::<ManagerSettings>().0.max_concurrent as u64);
}

/// Every script's last word.
pub const NOTHING_LEFT: Property = Property::eventually(
    "nothing left",
    "when all users have left, no conversation is active and nobody waits",
);

/// Checks [`NOTHING_LEFT`].
fn check_nothing_left(sim: &Sim, bot: &dyn Bot) {
    let counts = bot.counts();
    sim.check_with(&NOTHING_LEFT, counts.active == 0 && counts.waiting == 0, || {
        format!("{} active, {} waiting", counts.active, counts.waiting)
    });
}

/// Ends a conversation, and the operation with it.
async fn end(operation: Operation<'_>, talk: Talk<'_>) {
    match talk.end().come().await {
        Ok(()) => operation.completed(),
        Err(reason) => operation.failed(reason),
    }
}
