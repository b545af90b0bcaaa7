//! Users of a gateway whose network, disk, host and clock fail; when all faults are over, what is there is held
//! against what users were told.
//!
//! What fails is data: `[[faults]]`, `[network]`, `[wall_clock]`, a restart. What is promised is the same in every scenario.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `visit` | what one user does |
//! | `audit` | what is checked when all is over |

mod audit;
mod visit;

use std::sync::Arc;
use std::time::Duration;

use hyperlapse::{Metric, Property, Sim};

use super::{NOTHING_LEFT, Names, TIMER, names, show_limit};
use crate::bot::System;
use crate::remote::{GatewayBot, RETRIED_AT_ONCE};
use crate::settings::{ChaosSettings, DrainSettings, ManagerSettings, PromiseSettings};

// Where nobody got through there is no conversation to look at: one network in ten thousand is like that. A sweep must
// have seen some.

/// Checked for every conversation.
pub const NOTHING_LOST: Property = Property::always(
    "nothing acknowledged is lost",
    "every start, message, reply and end that was acknowledged is stored",
)
.over_the_sweep();
/// Checked for every conversation.
pub const NOTHING_TWICE: Property = Property::always(
    "nothing is there twice",
    "a message is stored once, however often it was sent, and has one reply at most",
)
.over_the_sweep();
/// Checked for every conversation.
pub const IN_ORDER: Property =
    Property::always("messages keep their order", "what was said later is stored later")
        .over_the_sweep();
/// Checked for every conversation.
pub const REPLIES_ARE_WHOLE: Property = Property::always(
    "replies are whole",
    "a reply that is stored is all that the bot said to its message, and belongs to it",
)
.over_the_sweep();
/// Checked for some conversations, on every route.
pub const OTHERS_ARE_HIDDEN: Property = Property::always(
    "what is another's is hidden",
    "a stranger gets 404 and who has no token 401, on every route",
)
.over_the_sweep();
/// Looked at again and again.
pub const NEVER_ABOVE_THE_LIMIT: Property = Property::always(
    "never above the limit on the server",
    "the manager of the gateway has given no more slots than it has",
);
/// Checked when all faults are over.
pub const SLOTS_ARE_CONVERSATIONS: Property = Property::always(
    "a slot for each open conversation",
    "slots that are given, conversations that the gateway holds and those open in the store are as many",
);
/// Checked for every request.
pub const ANSWERED_IN_TIME: Property = Property::always(
    "an answer or an error within the deadline",
    "whoever asks hears something before the deadline, whatever has failed",
);
/// Checked when all faults are over.
pub const RECOVERS: Property = Property::eventually(
    "recovers within its time",
    "when all faults are over, a newcomer is served within the time that was promised",
);
/// Checked where the gateway is restarted.
pub const DRAINS_IN_TIME: Property = Property::sometimes(
    "a shutdown ends within its time",
    "the gateway has stopped within its drain time, whoever cannot be reached",
);

/// What the script checks.
pub const PROPERTIES: &[Property] = &[
    NOTHING_LOST,
    NOTHING_TWICE,
    IN_ORDER,
    REPLIES_ARE_WHOLE,
    OTHERS_ARE_HIDDEN,
    NEVER_ABOVE_THE_LIMIT,
    SLOTS_ARE_CONVERSATIONS,
    ANSWERED_IN_TIME,
    RECOVERS,
    NOTHING_LEFT,
];

/// What the script records.
pub const METRICS: &[Metric] = &[RETRIED_AT_ONCE];

/// How often the slots of the server are looked at.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// What all users of a run share.
struct Chaos {
    sim: Sim,
    bot: System,
    names: Names,
}

impl Chaos {
    fn gateway(&self) -> &GatewayBot {
        self.bot.gateway().expect("the script has looked that there is one")
    }

    /// Checks that something that may take so long took no longer.
    fn answered(&self, what: &str, began: Duration, may_take: Duration) {
        let (took, most) = (self.sim.now() - began, self.gateway().deadline() + may_take + TIMER);
        self.sim.check_with(&ANSWERED_IN_TIME, took <= most, || {
            format!("{what} took {took:?}, {most:?} are allowed")
        });
    }
}

/// The script.
///
/// # Panics
/// When the system is no gateway on a host of its own: nothing could be broken there.
pub async fn chaos(sim: Sim, bot: System) {
    show_limit(&sim);
    let restarts = sim.settings::<ChaosSettings>().restarts;
    let promises: PromiseSettings = *sim.settings();
    let gateway = bot.gateway();
    assert!(
        gateway.is_some(),
        "chaos breaks the host of a gateway and its network: expected `--system gateway`"
    );
    let chaos = Arc::new(Chaos { sim: sim.clone(), bot: Arc::clone(&bot), names: names(&sim) });
    chaos.gateway().keep_ledger();
    let watch = tokio::spawn(watch_the_limit(Arc::clone(&chaos)));
    let restart = restarts.then(|| tokio::spawn(restart(Arc::clone(&chaos), *sim.settings())));
    let of_users = Arc::clone(&chaos);
    sim.drive(move |user| visit::visit(user, Arc::clone(&of_users))).await;
    if let Some(restart) = restart {
        // One that does not end is found by the deadline of the run.
        let _ = restart.await;
    }
    sim.sleep_until(promises.calm_after).await;
    sim.note("all faults are over");
    audit::recovers(&chaos, promises.recovers_within).await;
    audit::slots(&chaos).await;
    audit::conversations(&chaos).await;
    audit::strangers(&chaos).await;
    audit::nothing_left(&chaos).await;
    watch.abort();
}

async fn watch_the_limit(chaos: Arc<Chaos>) {
    let limit = chaos.sim.settings::<ManagerSettings>().0.max_concurrent as u64;
    loop {
        if let Some(active) = chaos.gateway().server().active() {
            chaos.sim.check_with(&NEVER_ABOVE_THE_LIMIT, active <= limit, || {
                format!("{active} active, the limit is {limit}")
            });
        }
        chaos.sim.sleep(LOOKS_EVERY).await;
    }
}

/// Stops the gateway as an operator does, and starts it again.
async fn restart(chaos: Arc<Chaos>, drain: DrainSettings) {
    /// What comes after the drain time: what is over is written down, answers are sent, who takes none is cut off.
    const CLOSES_WITHIN: Duration = Duration::from_secs(36);
    chaos.sim.sleep(drain.after).await;
    chaos.sim.note("drain begins");
    let began = chaos.sim.now();
    chaos.bot.drain(drain.within).await;
    let took = chaos.sim.now() - began;
    chaos.sim.note("drain is over");
    chaos.sim.check_with(&DRAINS_IN_TIME, took <= drain.within + CLOSES_WITHIN, || {
        format!(
            "it took {took:?}, {:?} to drain and {CLOSES_WITHIN:?} to close are allowed",
            drain.within
        )
    });
    chaos.gateway().server().crash(Duration::from_millis(100));
}
