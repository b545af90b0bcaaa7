//! What one user of a storm does.

use std::time::Duration;

use conversation_manager::UserId;
use hyperlapse::check::{self, Entry};
use hyperlapse::{Operation, RandomExt, User};

use super::{
    ABOVE, CROSS_TALK, ENDED_WHEN_IT_IS_DUE, NEVER_ABOVE_A_USERS_LIMIT, OWN_REPLIES,
    REFUSED_FOR_A_REASON, Storm,
};
use crate::bot::{Message, Reason, Talk};
use crate::scripts::name;
use crate::settings::{ManagerSettings, StormSettings};

/// Drawn before anything happens, so that what happens changes nothing of it.
struct Intent {
    asks: Asks,
    /// How long the bot works on each turn.
    turns: Vec<Duration>,
    /// How long the user is quiet in the end, if at all.
    quiet: Option<Duration>,
    /// Whether the user waits for the bot to end it, when it is quiet.
    listens: bool,
}

/// How a user asks for a conversation.
enum Asks {
    /// Once.
    Tries,
    /// And waits.
    Queues,
    /// And waits so long.
    QueuesFor(Duration),
}

impl Intent {
    fn draw(user: &User) -> Self {
        let limits = user.sim().settings::<ManagerSettings>().0;
        let mut draw = user.rng("intent");
        let asks = match draw.below(8) {
            0 | 1 => Asks::Tries,
            2..=4 => Asks::Queues,
            _ => Asks::QueuesFor(Duration::from_millis(1 + draw.below(16))),
        };
        let turns = draw.below(4);
        let turns = (0..turns).map(|_| Duration::from_millis(1 + draw.below(6))).collect();
        // Around the moment at which the bot may end it.
        let idle = limits.idle_timeout.as_millis() as u64;
        let quiet = Duration::from_millis((idle + draw.below(3)).saturating_sub(1));
        let quiet = draw.chance(1, 4).then_some(quiet);
        Self { asks, turns, quiet, listens: draw.chance(1, 2) }
    }
}

/// A conversation with its entry in the ledger: the conversation goes first, so that the ledger never says less
/// than is so.
struct Held<'a> {
    talk: Option<Talk<'a>>,
    entry: Entry<UserId>,
    user: User,
    started: Duration,
    touched: Duration,
}

pub(super) async fn visit(user: User, storm: Storm) {
    let intent = Intent::draw(&user);
    let name = name(user.id() / user.sim().settings::<StormSettings>().share.max(1));
    let mut operation = user.operation();
    let asked = user.sim().now();
    let started = ask(&user, &storm, &name, &intent.asks).await;
    let talk = match started {
        Ok(talk) => talk,
        Err(reason) => {
            check_refusal(&user, &storm, &name, reason);
            return operation.refused(reason);
        }
    };
    operation.accepted_after(talk.waited());
    // From when the bot counts: it may have been some time until this task was polled.
    let started = (asked + talk.waited()).min(user.sim().now());
    let entry = storm.ledger.holds(name.clone());
    let user_of = user.clone();
    let mut held = Held { talk: Some(talk), entry, user: user_of, started, touched: started };
    held.touched_at(started);
    let limits = user.sim().settings::<ManagerSettings>().0;
    let highest = storm.weather.highest();
    check::never_above(user.sim(), &ABOVE, &storm.ledger, highest);
    let of_user = limits.max_per_user as u64;
    check::never_above_of(user.sim(), &NEVER_ABOVE_A_USERS_LIMIT, &storm.ledger, &name, of_user);
    if let Err(reason) = held.talk_of(&intent, operation.number()).await {
        return operation.failed(reason);
    }
    held.end(operation).await;
}

async fn ask<'a>(
    user: &User,
    storm: &'a Storm,
    name: &'a UserId,
    asks: &Asks,
) -> Result<Talk<'a>, Reason> {
    let _waits = match asks {
        Asks::Tries => return storm.bot.try_start(name).come().await,
        _ => storm.ledger.waits(name.clone()),
    };
    let started = user.cancellable("start", async {
        match asks {
            Asks::QueuesFor(within) => storm.bot.start_within(name, *within).await,
            _ => storm.bot.start(name).await,
        }
    });
    // Its client gave up: the user goes on as somebody who was refused.
    started.await.unwrap_or(Err("gave up"))
}

/// Whether there was a reason to refuse, as far as users can know: who waits may have been let in by now.
fn check_refusal(user: &User, storm: &Storm, name: &UserId, reason: Reason) {
    let limits = user.sim().settings::<ManagerSettings>().0;
    let (held, waiting) = (storm.ledger.held(), storm.ledger.waiting());
    let waits = |(who, _): &(UserId, Duration)| who == name;
    let of_user = storm.ledger.held_by(name)
        + storm.ledger.waiters().into_iter().filter(waits).count() as u64;
    let (holds, what) = match reason {
        "queue full" => (waiting >= limits.max_waiting as u64, "wait"),
        "global limit" => (held + waiting >= storm.weather.lowest(), "are held or waited for"),
        "user limit" => (of_user >= limits.max_per_user as u64, "are this user's"),
        _ => return,
    };
    user.sim().check_with(&REFUSED_FOR_A_REASON, holds, || {
        let seen = match reason {
            "queue full" => waiting,
            "global limit" => held + waiting,
            _ => of_user,
        };
        format!("{reason}, but {seen} {what}")
    });
}

impl<'a> Held<'a> {
    fn talk(&mut self) -> &mut Talk<'a> {
        self.talk.as_mut().expect("it is held until it is ended")
    }

    async fn talk_of(&mut self, intent: &Intent, conversation: u64) -> Result<(), Reason> {
        let user = self.user.clone();
        let message = |turn: usize| Message { user: user.id(), conversation, turn: turn as u32 };
        for (turn, work) in intent.turns.iter().enumerate() {
            let work = match user.step("turn", *work).await {
                Ok(work) => work,
                Err(_) => return Err("dependency"),
            };
            let said = message(turn);
            let asked = user.sim().now();
            // A turn touches it too, but it is over before that is known.
            let touched = self.talk().touch().await;
            self.heard(touched, asked)?;
            let answered = self.talk().turn(&said, work).await;
            let reply = self.heard(answered, asked)?;
            check::own_results(user.sim(), &OWN_REPLIES, &[said], &[reply]);
        }
        if let Some(quiet) = intent.quiet {
            self.keep_quiet(quiet, intent.listens).await?;
        }
        let remembered = self.talk().take_transcript().await;
        let said: Vec<Message> = (0..intent.turns.len()).map(message).collect();
        // What has ended meanwhile is forgotten: the next word says so.
        let now = user.sim().now();
        let touched = self.talk().touch().await;
        self.heard(touched, now)?;
        check::own_results(user.sim(), &CROSS_TALK, &said, &remembered);
        Ok(())
    }

    async fn keep_quiet(&mut self, quiet: Duration, listens: bool) -> Result<(), Reason> {
        let sim = self.user.sim().clone();
        if listens {
            let expired = tokio::time::timeout(quiet, self.talk().expired()).await;
            if let Ok(reason) = expired {
                let now = sim.now();
                return self.heard(Err(reason), now);
            }
        } else {
            sim.sleep(quiet).await;
        }
        let now = sim.now();
        let touched = self.talk().touch().await;
        self.heard(touched, now)
    }

    /// What the bot said to a word at this moment: it ends what is due, nothing else, and for good.
    fn heard<T>(&mut self, said: Result<T, Reason>, asked: Duration) -> Result<T, Reason> {
        let limits = self.user.sim().settings::<ManagerSettings>().0;
        let now = self.user.sim().now();
        let is_due = |now: Duration| {
            (now.saturating_sub(self.touched) >= limits.idle_timeout)
                || (now.saturating_sub(self.started) >= limits.max_duration)
        };
        let (holds, what) = match &said {
            Ok(_) => (!is_due(asked), "it goes on, and its time was over"),
            Err("idle" | "max duration") => {
                (is_due(now), "it was ended, and its time was not over")
            }
            Err(_) => (true, ""),
        };
        self.user.sim().check_with(&ENDED_WHEN_IT_IS_DUE, holds, || what.to_owned());
        if said.is_ok() {
            self.touched_at(asked);
        }
        said
    }

    /// The bot knows since then that somebody is there, and ends it when it has heard nothing for too long.
    fn touched_at(&mut self, moment: Duration) {
        let limits = self.user.sim().settings::<ManagerSettings>().0;
        self.touched = self.touched.max(moment);
        let (idle, longest) = (limits.idle_timeout, limits.max_duration);
        self.entry.until((self.touched + idle).min(self.started + longest));
    }

    async fn end(mut self, operation: Operation<'_>) {
        let talk = self.talk.take().expect("it is held until it is ended");
        let now = self.user.sim().now();
        let ended = talk.end().come().await;
        match self.heard(ended, now) {
            Ok(()) => operation.completed(),
            Err(reason) => operation.failed(reason),
        }
    }
}
