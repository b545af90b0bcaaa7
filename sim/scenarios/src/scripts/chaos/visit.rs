//! One conversation of one user, who may go away in the midst of anything.

use std::sync::Arc;
use std::time::Duration;

use hyperlapse::{RandomExt, User};

use super::Chaos;
use crate::bot::{Message, Reason, Talk};
use crate::settings::{ChaosSettings, ConversationSettings};

/// What a user means to do in a conversation.
#[derive(Clone, Copy, PartialEq)]
enum Plan {
    /// Goes through with it.
    Stays,
    /// Goes away after this time, whatever it is at.
    WalksAway(Duration),
    /// Ends it in this turn, while the bot is still answering.
    HangsUp(u32),
}

impl Plan {
    fn of(user: &User, settings: &ChaosSettings, conversation: &ConversationSettings) -> Self {
        let mut rng = user.rng("plan");
        let draw = rng.unit();
        // As long as the whole of it may take when nothing fails.
        let long = conversation.step.mean() * (conversation.steps + 1) + Duration::from_millis(20);
        match draw {
            draw if draw < settings.walks_away => {
                Plan::WalksAway(long.mul_f64(rng.unit().min(1.0)))
            }
            draw if draw < settings.walks_away + settings.hangs_up && conversation.steps > 0 => {
                Plan::HangsUp(rng.below(conversation.steps.into()) as u32)
            }
            _ => Plan::Stays,
        }
    }
}

pub(super) async fn visit(user: User, chaos: Arc<Chaos>) {
    let settings: &ChaosSettings = user.settings();
    let plan = Plan::of(&user, settings, user.settings());
    let conversation = conversation(&user, &chaos, plan);
    match plan {
        Plan::WalksAway(after) => {
            if tokio::time::timeout(after, conversation).await.is_err() {
                user.note("walks away");
            }
        }
        _ => conversation.await,
    }
}

async fn conversation(user: &User, chaos: &Chaos, plan: Plan) {
    let settings: &ConversationSettings = user.settings();
    let waits = user.settings::<ChaosSettings>().waits;
    let name = &chaos.names.of(user.id());
    let mut operation = user.operation();
    let began = user.sim().now();
    let started = chaos.bot.start_within(name, waits).await;
    chaos.answered("a start", began, waits);
    let mut talk = match started {
        Ok(talk) => talk,
        Err(reason) => return operation.refused(reason),
    };
    operation.accepted_after(talk.waited());
    for turn in 0..settings.steps {
        let message = Message { user: user.id(), conversation: operation.number(), turn };
        let work = settings.step.sample_for(user.id(), &mut user.rng(format_args!("step/{turn}")));
        // Where the scenario has faults of users they strike here.
        let Ok(work) = user.step("turn", work).await else {
            return operation.failed("dependency");
        };
        let began = user.sim().now();
        let said = match plan == Plan::HangsUp(turn) {
            false => talk.turn(&message, work).await.map(drop),
            true => hang_up(&mut talk, message, work).await,
        };
        chaos.answered("a turn", began, work);
        if let Err(reason) = said {
            return operation.failed(reason);
        }
    }
    let began = user.sim().now();
    let ended = talk.end().come().await;
    chaos.answered("an end", began, Duration::ZERO);
    match ended {
        Ok(()) => operation.completed(),
        Err(reason) => operation.failed(reason),
    }
}

/// Says something, and ends the conversation before the bot has answered it whole.
async fn hang_up(talk: &mut Talk<'_>, message: Message, work: Duration) -> Result<(), Reason> {
    let Talk::Remote(remote) = talk else { unreachable!("the script has a gateway") };
    let turn = remote.turn(message, work);
    let ends = async {
        tokio::time::sleep(work.mul_f64(0.75)).await;
        remote.ask_for_the_end().await
    };
    let (said, ended) = tokio::join!(turn, ends);
    ended?;
    said.map(drop)
}
