//! Everything at once, for finding what is wrong with a bot nobody knows anything about.
//!
//! Users share names, so both limits matter; they queue, queue for a while, or try; they say something, go quiet
//! until the bot may end them, walk away, panic, and are cancelled. The limit changes in their midst, and in some
//! storms the bot shuts down. What is promised is counted on the users' own ledger and not asked of the bot. When
//! all have left there is calm, and the bot must have exactly its limit to give.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `visit` | what one user does |
//! | `weather` | what happens to the bot meanwhile: other limits, a shutdown |
//! | `calm` | what is checked when all have left |

mod calm;
mod visit;
mod weather;

use std::sync::Arc;
use std::time::Duration;

use conversation_manager::UserId;
use hyperlapse::check::{self, Idle, Ledger, NOBODY_WAITS_FOR_NOTHING};
use hyperlapse::{Property, Sim};

use super::converse::{NEVER_ABOVE_THE_LIMIT, NO_CROSS_TALK};
use super::{NOTHING_LEFT, show_limit};
use crate::bot::System;
use crate::settings::{ManagerSettings, StormSettings};
use weather::Weather;

/// Checked at every start.
pub const NEVER_ABOVE_A_USERS_LIMIT: Property = Property::always(
    "never above a user's limit",
    "nobody has more conversations than a user may have",
)
.over_the_sweep();
/// Checked at every attempt to start.
pub const REFUSED_FOR_A_REASON: Property = Property::always(
    "refused for a reason",
    "who is refused at a limit is refused because that limit is reached",
)
.over_the_sweep();
/// Checked whenever a conversation is touched or ended.
pub const ENDED_WHEN_IT_IS_DUE: Property = Property::always(
    "ended when it is due",
    "the bot ends a conversation when its time is over, not before, and for good",
)
.over_the_sweep();
/// Checked at every turn.
pub const OWN_REPLIES: Property =
    Property::always("own replies", "everybody gets the reply to what they said themselves")
        .over_the_sweep();
/// Checked in the calm at the end.
pub const CAPACITY_RESTORED: Property = Property::always(
    "capacity restored",
    "when all have left, exactly as many as the limit get in, and as many for each user as theirs",
);

/// As every script's, but not every storm lets anybody in.
const ABOVE: Property = NEVER_ABOVE_THE_LIMIT.over_the_sweep();
/// As every script's, but not every storm lets anybody finish.
const CROSS_TALK: Property = NO_CROSS_TALK.over_the_sweep();

/// What the script checks.
pub const PROPERTIES: &[Property] = &[
    ABOVE,
    NEVER_ABOVE_A_USERS_LIMIT,
    REFUSED_FOR_A_REASON,
    ENDED_WHEN_IT_IS_DUE,
    OWN_REPLIES,
    CROSS_TALK,
    NOBODY_WAITS_FOR_NOTHING,
    CAPACITY_RESTORED,
    NOTHING_LEFT,
];

/// What everybody in the storm knows.
#[derive(Clone)]
struct Storm {
    bot: System,
    ledger: Ledger<UserId>,
    weather: Arc<Weather>,
}

/// The script.
pub async fn storm(sim: Sim, bot: System) {
    // Its ledger knows what is so at every instant, and its probes ask and are answered at once.
    assert!(
        bot.lateness().is_zero(),
        "a storm needs a bot in its own process and on the virtual clock, where everybody knows everything at once"
    );
    let limits = sim.settings::<ManagerSettings>().0;
    let shown = Arc::downgrade(&bot);
    sim.show_state(move || match shown.upgrade().map(|bot| bot.counts()) {
        Some(counts) => format!("{} active, {} waiting", counts.active, counts.waiting),
        None => "gone".to_owned(),
    });
    let weather = Arc::new(Weather::new(limits.max_concurrent));
    let storm = Storm { bot, ledger: Ledger::new(&sim), weather };
    let (now, per_user) = (Arc::clone(&storm.weather), limits.max_per_user as u64);
    let watch = tokio::spawn(check::nobody_waits_for_nothing(
        sim.clone(),
        NOBODY_WAITS_FOR_NOTHING,
        storm.ledger.clone(),
        Idle::default(),
        move || now.limit(),
        move |_, held| held < per_user,
    ));
    let weather = tokio::spawn(weather::pass(sim.clone(), storm.clone()));
    show_limit(&sim);
    let users = storm.clone();
    sim.drive(move |user| visit::visit(user, users.clone())).await;
    watch.abort();
    sim.calm();
    weather.await.expect("the weather does not panic");
    // Whatever the bot still has to tidy up gets its turn.
    sim.sleep(Duration::from_millis(10)).await;
    let drained = sim.settings::<StormSettings>().drains;
    calm::check(&sim, &storm, drained);
}
