//! A shutdown in the middle of the load: nobody is admitted any more, who waits is told at once, who is
//! quick may finish, who is not is ended at the deadline.

use std::sync::Arc;

use hyperlapse::{Property, Sim};

use super::converse::{self, COUNTERS_ARE_RIGHT, NEVER_ABOVE_THE_LIMIT, NO_CROSS_TALK, Visited};
use super::{NOTHING_LEFT, TIMER, check_nothing_left, show_limit};
use crate::bot::System;
use crate::settings::DrainSettings;

/// Checked when the drain is over.
pub const DRAIN_ENDS_EVERYTHING: Property =
    Property::always("drain ends everything", "when the drain is over, no conversation is active");
/// Checked when the drain is over.
pub const DRAIN_KEEPS_ITS_DEADLINE: Property =
    Property::always("drain keeps its deadline", "the drain takes no longer than it was given");
/// Checked at the end.
pub const NOBODY_IS_ADMITTED: Property = Property::always(
    "nobody is admitted while draining",
    "no conversation starts after the drain began",
);

/// What the script checks.
pub const PROPERTIES: &[Property] = &[
    DRAIN_ENDS_EVERYTHING,
    DRAIN_KEEPS_ITS_DEADLINE,
    NOBODY_IS_ADMITTED,
    NEVER_ABOVE_THE_LIMIT,
    NO_CROSS_TALK,
    COUNTERS_ARE_RIGHT,
    NOTHING_LEFT,
];

/// The script.
pub async fn drain(sim: Sim, bot: System) {
    show_limit(&sim);
    let visited = Visited::new(&sim, &bot);
    let shutdown = tokio::spawn(shut_down(sim.clone(), Arc::clone(&bot)));
    let of_users = Arc::clone(&visited);
    sim.play(converse::Conversing(of_users)).await;
    // A drain that does not end is found by the deadline of the run.
    let _ = shutdown.await;
    converse::check_counters(&sim, &visited);
    check_nothing_left(&sim, &*bot);
}

async fn shut_down(sim: Sim, bot: System) {
    let DrainSettings { after, within } = *sim.settings();
    sim.sleep(after).await;
    sim.note("drain begins");
    let (began, started) = (sim.now(), bot.counts().started);
    bot.drain(within).await;
    sim.note("drain is over");
    let (took, counts) = (sim.now() - began, bot.counts());
    sim.check_with(&DRAIN_ENDS_EVERYTHING, counts.active == 0, || {
        format!("{} active", counts.active)
    });
    sim.check_with(&DRAIN_KEEPS_ITS_DEADLINE, took <= within + TIMER + bot.lateness(), || {
        format!("it took {took:?}")
    });
    // Long enough for everybody who would still come.
    sim.sleep(within).await;
    let admitted = bot.counts().started - started;
    sim.check_with(&NOBODY_IS_ADMITTED, admitted == 0, || format!("{admitted} were admitted"));
}
