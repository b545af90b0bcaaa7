//! A conversation in turns: start (or queue), say something in each turn, compare what was said with what
//! is remembered, end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyperlapse::{Clock, Distribution, Metric, Operation, Property, Script, Sim, User};

use super::{NOTHING_LEFT, Names, check_nothing_left, names, show_limit};
use crate::bot::{Answer, Message, Reason, System, Talk};
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

/// What all users of a run share.
pub(super) struct Visited {
    pub(super) bot: System,
    pub(super) names: Names,
    /// How many may talk at a time.
    pub(super) limit: u64,
    pub(super) recount: Recount,
}

impl Visited {
    pub(super) fn new(sim: &Sim, bot: &System) -> Arc<Self> {
        Arc::new(Self {
            bot: Arc::clone(bot),
            names: names(sim),
            limit: sim.settings::<ManagerSettings>().0.max_concurrent as u64,
            recount: Recount::of(sim.clock()),
        })
    }
}

/// What users count by themselves.
#[derive(Debug)]
pub(super) struct Recount {
    pub(super) started: Count,
    pub(super) completed: Count,
    pub(super) refused: Count,
    /// Conversations that go on, as their users know it: not asked of the bot, which may be wrong.
    active: Count,
}

/// A number. In virtual time only the run's own thread changes it, so there is no need to pay for a locked instruction.
#[derive(Debug)]
pub(super) struct Count {
    now: AtomicU64,
    clock: Clock,
}

impl Count {
    fn of(clock: Clock) -> Self {
        Self { now: AtomicU64::new(0), clock }
    }

    fn get(&self) -> u64 {
        self.now.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, change: i64) -> u64 {
        if self.clock == Clock::Real {
            let before = self.now.fetch_add(change as u64, Ordering::Relaxed);
            return before.wrapping_add_signed(change);
        }
        let now = self.get().wrapping_add_signed(change);
        self.now.store(now, Ordering::Relaxed);
        now
    }
}

impl Recount {
    fn of(clock: Clock) -> Self {
        let [started, completed, refused, active] = [(); 4].map(|()| Count::of(clock));
        Self { started, completed, refused, active }
    }

    /// Counts one that goes on until the guard is dropped; how many there are with it.
    pub(super) fn talk(&self) -> (u64, impl Drop + use<'_>) {
        struct Talking<'a>(&'a Count);
        impl Drop for Talking<'_> {
            fn drop(&mut self) {
                self.0.add(-1);
            }
        }
        (self.active.add(1), Talking(&self.active))
    }
}

/// The script.
pub async fn converse(sim: Sim, bot: System) {
    show_limit(&sim);
    let visited = Visited::new(&sim, &bot);
    let (wave_sim, wave_bot) = (sim.clone(), Arc::clone(&bot));
    // Beside another load a wave finds its users.
    let alone = sim.plan().parts.len() == 1;
    sim.play(Conversing(Arc::clone(&visited)))
        .before_wave(move |wave| {
            let active = wave_bot.counts().active;
            wave_sim.check_with(&EMPTY_BETWEEN_WAVES, active == 0 || !alone, || {
                format!("{active} active before wave {wave}")
            });
        })
        .await;
    check_counters(&sim, &visited);
    check_nothing_left(&sim, &*bot);
}

pub(super) fn check_counters(sim: &Sim, visited: &Visited) {
    let (counts, recount) = (visited.bot.counts(), &visited.recount);
    let said = [counts.started, counts.completed, counts.refused];
    let counted = [&recount.started, &recount.completed, &recount.refused].map(Count::get);
    // A process that has started again has counted from nothing since, and never more than its users.
    let right = match visited.bot.restarts() {
        0 => said == counted,
        _ => said.iter().zip(counted).all(|(said, counted)| *said <= counted),
    };
    sim.check_with(&COUNTERS_ARE_RIGHT, right, || {
        format!("started, completed, refused: the bot says {said:?}, its users count {counted:?}")
    });
}

/// What a user does: one conversation.
pub(super) struct Conversing(pub(super) Arc<Visited>);

impl Script for Conversing {
    fn iteration<'a>(&'a self, user: &'a User) -> impl Future<Output = ()> + Send + 'a {
        conversation(user, &self.0)
    }
}

async fn conversation(user: &User, visited: &Visited) {
    let Visited { bot, names, limit, recount } = visited;
    let settings: &ConversationSettings = user.settings();
    let tagged = settings.model.as_deref().map(|model| user.tagged(&[("model", model)]));
    let user = tagged.as_ref().unwrap_or(user);
    let name = &names.of(user.id());
    let mut operation = user.operation();
    let answer = match settings.queue {
        true => Answer::Later(bot.start(name)),
        false => bot.try_start(name),
    };
    // Matched here and at once: a conversation is some two hundred bytes, which are copied no more often than they must.
    let mut talk = match answer {
        Answer::Now(Ok(talk)) => talk,
        Answer::Now(Err(reason)) => return refused(recount, operation, reason),
        Answer::Later(answer) => match answer.await {
            Ok(talk) => talk,
            Err(reason) => return refused(recount, operation, reason),
        },
    };
    recount.started.add(1);
    operation.accepted_after(talk.waited());
    let (active, talking) = recount.talk();
    user.sim().check_with(&NEVER_ABOVE_THE_LIMIT, active <= *limit, || {
        format!("{active} active, the limit is {limit}")
    });

    // A turn of a conversation that the bot has ended fails; `visit` watches for the end itself.
    if let Err(reason) = turns(user, &mut talk, settings, operation.number()).await {
        return operation.failed(reason);
    }
    check_transcript(user, &mut talk, operation.number(), settings.steps).await;
    // From here on another may have the slot, whenever this user hears of it.
    drop(talking);
    match talk.end().come().await {
        Ok(()) => {
            recount.completed.add(1);
            operation.completed();
        }
        Err(reason) => operation.failed(reason),
    }
}

fn refused(recount: &Recount, operation: Operation<'_>, reason: Reason) {
    recount.refused.add(1);
    operation.refused(reason);
}

async fn turns(
    user: &User,
    talk: &mut Talk<'_>,
    settings: &ConversationSettings,
    conversation: u64,
) -> Result<(), Reason> {
    for turn in 0..settings.steps {
        let work = match &settings.step {
            Distribution::Constant(work) => *work,
            random => random.sample_for(user.id(), &mut user.rng(format_args!("step/{turn}"))),
        };
        // Where the scenario has faults they strike here.
        let work = user.step("turn", work).await.map_err(|_| "dependency")?;
        let asked_ns = user.sim().now_ns();
        talk.turn(&Message { user: user.id(), conversation, turn }, work).await?;
        if settings.model.is_some() {
            let took = Duration::from_nanos(user.sim().now_ns() - asked_ns);
            user.observe(&TURN_TIME, took);
            user.add(&ANSWERS, 1);
        }
    }
    Ok(())
}

async fn check_transcript(user: &User, talk: &mut Talk<'_>, conversation: u64, turns: u32) {
    let remembered = talk.take_transcript().await;
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
