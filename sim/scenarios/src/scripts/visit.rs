//! Users who go quiet beside users who stay active, and users who never stop.
//!
//! Who goes quiet is ended at the idle timeout and not a moment before; who touches in time never is; who
//! goes on for ever is ended at the longest duration.

use std::sync::Arc;
use std::time::Duration;

use hyperlapse::{Property, Sim, User};

use super::{NOTHING_LEFT, TIMER, check_nothing_left, end, name, show_limit};
use crate::bot::System;
use crate::race::race;
use crate::settings::{ManagerSettings, VisitSettings};

/// Checked at every touch.
pub const ACTIVE_USERS_ARE_KEPT: Property = Property::always(
    "active users are kept",
    "a touch before the deadline finds the conversation active",
);
/// Checked at every expiry.
pub const EXPIRED_ON_TIME: Property = Property::always(
    "expired on time",
    "expiry comes at its deadline, to within the timers' millisecond",
);
/// Checked at every expiry.
pub const IDLE_USERS_EXPIRE: Property =
    Property::sometimes("idle users expire", "somebody who went quiet was ended as idle");
/// Checked at every expiry.
pub const LONG_CONVERSATIONS_EXPIRE: Property =
    Property::sometimes("long conversations expire", "somebody who went on for ever was ended");

/// What the script checks.
pub const PROPERTIES: &[Property] = &[
    ACTIVE_USERS_ARE_KEPT,
    EXPIRED_ON_TIME,
    IDLE_USERS_EXPIRE,
    LONG_CONVERSATIONS_EXPIRE,
    NOTHING_LEFT,
];

/// The script.
pub async fn visits(sim: Sim, bot: System) {
    show_limit(&sim);
    let users = Arc::clone(&bot);
    sim.drive(move |user| visit(user, Arc::clone(&users))).await;
    check_nothing_left(&sim, &*bot);
}

async fn visit(user: User, bot: System) {
    let settings: &VisitSettings = user.settings();
    let mut operation = user.operation();
    let name = name(user.id());
    let talk = match bot.try_start(&name).come().await {
        Ok(talk) => talk,
        Err(reason) => return operation.refused(reason),
    };
    operation.accepted();
    let late = bot.lateness();
    let started = user.sim().now();
    let mut touched = started;
    for _ in 0..settings.touches {
        if let Err(reason) = race(talk.expired(), user.sleep(settings.every)).await {
            check_expiry(&user, late, reason, started, touched);
            return operation.failed(reason);
        }
        let deadline = deadline(&user, started, touched);
        let kept = talk.touch().await;
        let now = user.sim().now();
        user.sim().check_with(
            &ACTIVE_USERS_ARE_KEPT,
            kept.is_ok() || now + late >= deadline,
            || format!("user {} touched at {now:?}, in time before {deadline:?}", user.id()),
        );
        if let Err(reason) = kept {
            check_expiry(&user, late, reason, started, touched);
            return operation.failed(reason);
        }
        touched = now;
    }
    if settings.ends {
        user.sleep(settings.every).await;
        return end(operation, talk).await;
    }
    let reason = talk.expired().await;
    check_expiry(&user, late, reason, started, touched);
    operation.failed(reason);
}

fn deadline(user: &User, started: Duration, touched: Duration) -> Duration {
    let limits = user.sim().settings::<ManagerSettings>().0;
    (touched + limits.idle_timeout).min(started + limits.max_duration)
}

/// `late` is how much later a user may know what the bot knows, and the other way round.
fn check_expiry(
    user: &User,
    late: Duration,
    reason: &'static str,
    started: Duration,
    touched: Duration,
) {
    let sim = user.sim();
    let limits = sim.settings::<ManagerSettings>().0;
    let due = match reason {
        "idle" => touched + limits.idle_timeout,
        _ => started + limits.max_duration,
    };
    let now = sim.now();
    sim.check_with(&EXPIRED_ON_TIME, now + late >= due && now <= due + TIMER + late, || {
        format!("user {} was ended ({reason}) at {now:?}, due at {due:?}", user.id())
    });
    sim.check(&IDLE_USERS_EXPIRE, reason == "idle");
    sim.check(&LONG_CONVERSATIONS_EXPIRE, reason == "max duration");
}
