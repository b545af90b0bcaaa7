//! A conversation in turns: start (or queue), say something in each turn, compare what was said with what
//! is remembered, end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyperlapse::{Distribution, Metric, Property, Sim, User};

use super::{NOTHING_LEFT, Names, check_nothing_left, names, show_limit};
use crate::bot::{Bot, Message, Reason, System, Talk};
use crate::settings::{ConversationSettings, ManagerSettings};

/// Checked at every start.
pub const NEVER_ABOVE_THE_LIMIT: Property = Property::always(
    "never above the limit",
    "no more conversations are active than the limit allows",
);
/// Checked at the end of every conversation.
pub const NO_CROSS_TALK: Property = Property::always(
    "no cross-talk",
    "a conversation remembers what was said in it, and nothing else",
);
/// Checked before every wave of users.
pub const EMPTY_BETWEEN_WAVES: Property = Property::always(
    "empty between waves",
    "no conversation is active when the next wave of users arrives",
);
/// Checked when all have left.
pub const COUNTERS_ARE_RIGHT: Property =
    Property::always("counters are right", "the bot's totals equal what its users count");

/// Sampled in every turn with a model that has a name.
pub const TURN_TIME: Metric = Metric::trend("turn_time", "from a message to its answer");
/// Counted likewise.
pub const ANSWERS: Metric = Metric::counter("answers", "messages that the bot answered");
/// What the script records.
pub const METRICS: &[Metric] = &[TURN_TIME, ANSWERS];

/// What the script checks.
pub const PROPERTIES: &[Property] =
    &[NEVER_ABOVE_THE_LIMIT, NO_CROSS_TALK, EMPTY_BETWEEN_WAVES, COUNTERS_ARE_RIGHT, NOTHING_LEFT];

/// What users count by themselves.
#[derive(Debug, Default)]
pub(super) struct Recount {
    started: AtomicU64,
    completed: AtomicU64,
    refused: AtomicU64,
    /// Conversations that go on, as their users know it: not asked of the bot, which may be wrong.
    active: AtomicU64,
}

impl Recount {
    /// Counts one that goes on until the guard is dropped; how many there are with it.
    fn talk(&self) -> (u64, impl Drop + use<'_>) {
        struct Talking<'a>(&'a AtomicU64);
        impl Drop for Talking<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        (self.active.fetch_add(1, Ordering::Relaxed) + 1, Talking(&self.active))
    }
}

/// The script.
pub async fn converse(sim: Sim, bot: System) {
    show_limit(&sim);
    let recount = Arc::new(Recount::default());
    let (users_bot, users_recount) = (Arc::clone(&bot), Arc::clone(&recount));
    let names = names(&sim);
    let (wave_sim, wave_bot) = (sim.clone(), Arc::clone(&bot));
    sim.drive(move |user| {
        conversation(user, Arc::clone(&users_bot), Arc::clone(&names), Arc::clone(&users_recount))
    })
    .before_wave(move |wave| {
        let active = wave_bot.counts().active;
        wave_sim.check_with(&EMPTY_BETWEEN_WAVES, active == 0, || {
            format!("{active} active before wave {wave}")
        });
    })
    .await;
    check_counters(&sim, &*bot, &recount);
    check_nothing_left(&sim, &*bot);
}

pub(super) fn check_counters(sim: &Sim, bot: &dyn Bot, recount: &Recount) {
    let counts = bot.counts();
    let said = [counts.started, counts.completed, counts.refused];
    let counted = [&recount.started, &recount.completed, &recount.refused]
        .map(|count| count.load(Ordering::Relaxed));
    sim.check_with(&COUNTERS_ARE_RIGHT, said == counted, || {
        format!("started, completed, refused: the bot says {said:?}, its users count {counted:?}")
    });
}

/// One conversation of one user.
pub(super) async fn conversation(user: User, bot: System, names: Names, recount: Arc<Recount>) {
    let settings: &ConversationSettings = user.settings();
    let tagged = settings.model.as_deref().map(|model| user.tagged(&[("model", model)]));
    let user = tagged.as_ref().unwrap_or(&user);
    let name = &names[user.id() as usize];
    let mut operation = user.operation();
    let started = match settings.queue {
        true => bot.start(name).await,
        false => bot.try_start(name),
    };
    let talk = match started {
        Ok(talk) => talk,
        Err(reason) => {
            recount.refused.fetch_add(1, Ordering::Relaxed);
            return operation.refused(reason);
        }
    };
    recount.started.fetch_add(1, Ordering::Relaxed);
    operation.accepted_after(talk.waited());
    let limit = user.sim().settings::<ManagerSettings>().0.max_concurrent as u64;
    let (active, _talking) = recount.talk();
    user.sim().check_with(&NEVER_ABOVE_THE_LIMIT, active <= limit, || {
        format!("{active} active, the limit is {limit}")
    });

    // A turn of a conversation that the bot has ended fails; `visit` watches for the end itself.
    if let Err(reason) = turns(user, &*talk, settings, operation.number()).await {
        return operation.failed(reason);
    }
    check_transcript(user, &*talk, operation.number(), settings.steps);
    match talk.end() {
        Ok(()) => {
            recount.completed.fetch_add(1, Ordering::Relaxed);
            operation.completed();
        }
        Err(reason) => operation.failed(reason),
    }
}

async fn turns(
    user: &User,
    talk: &dyn Talk,
    settings: &ConversationSettings,
    conversation: u64,
) -> Result<(), Reason> {
    for turn in 0..settings.steps {
        let work = match &settings.step {
            Distribution::Constant(work) => *work,
            random => random.sample(&mut user.rng(format_args!("step/{turn}"))),
        };
        // Where the scenario has faults they strike here.
        let work = user.step("turn", work).await.map_err(|_| "dependency")?;
        let asked = user.sim().now();
        talk.turn(Message { user: user.id(), conversation, turn }, work).await?;
        if settings.model.is_some() {
            user.observe(&TURN_TIME, user.sim().now() - asked);
            user.add(&ANSWERS, 1);
        }
    }
    Ok(())
}

fn check_transcript(user: &User, talk: &dyn Talk, conversation: u64, turns: u32) {
    let remembered = talk.take_transcript();
    let said = (0..turns).map(|turn| Message { user: user.id(), conversation, turn });
    user.sim().check_with(&NO_CROSS_TALK, said.eq(remembered.iter().copied()), || {
        let remembered: Vec<String> = remembered.iter().map(ToString::to_string).collect();
        format!(
            "after {turns} turns of conversation {conversation} of user {} it remembers: {}",
            user.id(),
            remembered.join("; ")
        )
    });
}
