//! As many users as the bot bears: one more every second, one less when somebody was refused.

use std::time::Duration;

use hyperlapse::Sim;

use super::converse;
use crate::bot::System;

/// Time between two looks at what the bot refuses.
const EVERY: Duration = Duration::from_secs(1);

/// The script: that of [`converse`], with its users' number controlled.
pub async fn adaptive(sim: Sim, bot: System) {
    let (looks, looked_at) = (sim.clone(), bot.clone());
    let control = tokio::spawn(async move {
        let mut users = 1u32;
        let mut refused = 0;
        loop {
            looks.sleep(EVERY).await;
            let now = looked_at.counts().refused;
            users = if now > refused { users.saturating_sub(1).max(1) } else { users + 1 };
            refused = now;
            looks.set_users(users);
        }
    });
    converse::converse(sim, bot).await;
    control.abort();
}
