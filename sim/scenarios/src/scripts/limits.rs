//! One start too many, step by step.
//!
//! As many users as a limit allows hold a conversation; the next one is refused, by that limit and no
//! other; when one of them has ended, the refused one gets in.

use std::sync::Arc;
use std::time::Duration;

use conversation_manager::UserId;
use hyperlapse::{Operation, Property, Sim, User};

use super::{NOTHING_LEFT, check_nothing_left, end, name, show_limit};
use crate::bot::{System, Talk};
use crate::settings::ManagerSettings;

/// Checked when all the slots are taken.
pub const ONE_TOO_MANY_IS_REFUSED: Property = Property::always(
    "one too many is refused",
    "a start beyond the limit is refused, and by that limit",
);
/// Checked after one has ended.
pub const A_FREED_SLOT_IS_FREE: Property = Property::always(
    "a freed slot is free",
    "when one conversation has ended, the refused user gets in",
);
/// Checked while one user is at their limit.
pub const OTHERS_ARE_UNAFFECTED: Property = Property::always(
    "others are unaffected",
    "another user gets in while one is at their own limit",
);

/// What [`global_limit`] checks.
pub const GLOBAL: &[Property] = &[ONE_TOO_MANY_IS_REFUSED, A_FREED_SLOT_IS_FREE, NOTHING_LEFT];
/// What [`user_limit`] checks.
pub const PER_USER: &[Property] =
    &[ONE_TOO_MANY_IS_REFUSED, A_FREED_SLOT_IS_FREE, OTHERS_ARE_UNAFFECTED, NOTHING_LEFT];

/// When the first holder ends, and when all the others do.
const FIRST_END: Duration = Duration::from_secs(1);
const ALL_END: Duration = Duration::from_secs(3);
/// When the latecomer tries, and when again.
const TRY: Duration = Duration::from_millis(500);
const AGAIN: Duration = Duration::from_secs(2);

#[derive(Clone, Copy)]
struct Rules {
    /// Users below this hold a conversation each; the one of this number comes late.
    holders: u32,
    /// By what the latecomer must be refused.
    by: &'static str,
    /// Whether the holders and the latecomer are one and the same user.
    same_user: bool,
}

/// The script of the global limit. Its load has one user more than the limit.
pub async fn global_limit(sim: Sim, bot: System) {
    let holders = sim.settings::<ManagerSettings>().0.max_concurrent as u32;
    play(sim, bot, Rules { holders, by: "global limit", same_user: false }).await;
}

/// The script of the limit for each user. Its load has one start more than that limit, and a bystander.
pub async fn user_limit(sim: Sim, bot: System) {
    let holders = sim.settings::<ManagerSettings>().0.max_per_user as u32;
    play(sim, bot, Rules { holders, by: "user limit", same_user: true }).await;
}

async fn play(sim: Sim, bot: System, rules: Rules) {
    show_limit(&sim);
    let users = Arc::clone(&bot);
    sim.drive(move |user| {
        let bot = Arc::clone(&users);
        async move {
            if user.id() < rules.holders {
                hold(&user, &bot, rules).await;
            } else if user.id() == rules.holders {
                come_late(&user, &bot, rules).await;
            } else {
                stand_by(&user, &bot).await;
            }
        }
    })
    .await;
    check_nothing_left(&sim, &*bot);
}

fn name_of(user: &User, rules: Rules) -> UserId {
    if rules.same_user { UserId::new("ann") } else { name(user.id()) }
}

async fn hold(user: &User, bot: &System, rules: Rules) {
    let until = if user.id() == 0 { FIRST_END } else { ALL_END };
    talk_until(user, bot, &name_of(user, rules), until).await;
}

async fn stand_by(user: &User, bot: &System) {
    user.sleep(TRY).await;
    let accepted = talk_until(user, bot, &UserId::new("ben"), ALL_END).await;
    user.sim().check(&OTHERS_ARE_UNAFFECTED, accepted);
}

async fn come_late(user: &User, bot: &System, rules: Rules) {
    user.sleep(TRY).await;
    let operation = user.operation();
    match bot.try_start(&name_of(user, rules)).come().await {
        Ok(talk) => {
            user.sim().check_with(&ONE_TOO_MANY_IS_REFUSED, false, || "it was accepted".to_owned());
            accept_and_end(operation, talk).await;
        }
        Err(reason) => {
            user.sim().check_with(&ONE_TOO_MANY_IS_REFUSED, reason == rules.by, || {
                format!("it was refused by the {reason}, not by the {}", rules.by)
            });
            operation.refused(reason);
        }
    }
    user.sleep(AGAIN - TRY).await;
    let accepted = talk_until(user, bot, &name_of(user, rules), ALL_END).await;
    user.sim().check(&A_FREED_SLOT_IS_FREE, accepted);
}

async fn accept_and_end(mut operation: Operation<'_>, talk: Talk<'_>) {
    operation.accepted();
    end(operation, talk).await;
}

/// A conversation from now until this time of the run; whether it was accepted.
async fn talk_until(user: &User, bot: &System, name: &UserId, until: Duration) -> bool {
    let mut operation = user.operation();
    match bot.try_start(name).come().await {
        Err(reason) => {
            operation.refused(reason);
            false
        }
        Ok(talk) => {
            operation.accepted();
            user.sleep(until.saturating_sub(user.sim().now())).await;
            end(operation, talk).await;
            true
        }
    }
}
