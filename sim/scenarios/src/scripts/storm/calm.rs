//! What is checked when all have left: nothing is left over, and exactly the limit can be had.

use conversation_manager::UserId;
use futures_util::FutureExt;
use hyperlapse::{Sim, check};

use super::{CAPACITY_RESTORED, NOTHING_LEFT, Storm};
use crate::bot::{Bot, Talk};
use crate::scripts::name;
use crate::settings::{ManagerSettings, StormSettings};

pub(super) fn check(sim: &Sim, storm: &Storm, drained: bool) {
    let counts = storm.bot.counts();
    let left =
        [("active", counts.active), ("waiting", counts.waiting), ("users known", counts.users)];
    check::nothing_left(sim, &NOTHING_LEFT, &left);
    // A bot that was shut down lets nobody in any more.
    let limit = if drained { 0 } else { storm.weather.base() };
    let mut probe = 0;
    let strangers = || {
        probe += 1;
        Probe::start(&*storm.bot, &UserId::new(format!("probe-{probe}")))
    };
    check::capacity_restored(sim, &CAPACITY_RESTORED, limit, strangers);
    let per_user = sim.settings::<ManagerSettings>().0.max_per_user as u64;
    let share = sim.settings::<StormSettings>().share.max(1);
    for known in 0..(sim.plan().users() as u32).div_ceil(share) {
        let again = || Probe::start(&*storm.bot, &name(known));
        check::capacity_restored(sim, &CAPACITY_RESTORED, limit.min(per_user), again);
    }
}

/// A conversation that is ended, and not dropped, in the end: a bot that frees no slot of a dropped one has been
/// found by what is left.
struct Probe<'a>(Option<Talk<'a>>);

impl<'a> Probe<'a> {
    /// A conversation that is to be had at once.
    fn start(bot: &'a dyn Bot, user: &UserId) -> Option<Self> {
        let talk = bot.try_start(user).come().now_or_never()?;
        Some(Self(Some(talk.ok()?)))
    }
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        // A bot of this process answers at once.
        let _ = self.0.take().map(|talk| talk.end().come().now_or_never());
    }
}
