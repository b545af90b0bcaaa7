//! What virtual users talk to: a chat bot over a conversation manager.
//!
//! The interface is the same for the manager of production and for every member of the zoo, so that a
//! scenario cannot tell which it has. The bot keeps what was said in a turn with the conversation whose id the
//! manager gives the turn's task; a manager that mixes conversations up is seen in what comes back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use conversation_manager::{
    Clock, Conversation, ConversationManager, ExpiryTask, Limits, Stats, Timestamp, TokioClock,
    UserId, with_current,
};
use hyperlapse::Sim;
use tokio::time::Sleep;

use crate::remote::{GatewayBot, RemoteTalk};
use crate::stored::StoredTalk;
use crate::transcript::Strays;
pub use crate::transcript::{Message, Transcript};

/// A future on the heap: bots are chosen at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why something was refused or ended, as a short stable label.
pub type Reason = &'static str;

/// The handle that scenarios have on the system under test.
pub type System = Arc<dyn Bot>;

/// How late a host's timers and threads may be for what is promised within some time, on the real clock: a machine that
/// does something else meanwhile is late, and not the system. Thresholds know nothing of it.
pub const HOST_LATENESS: Duration = Duration::from_millis(100);

/// A chat bot.
pub trait Bot: Send + Sync {
    /// A conversation for this user, now or not at all.
    fn try_start(&self, user: &UserId) -> Attempt<'_>;

    /// A conversation for this user, after waiting for a slot where need be.
    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Talk<'a>, Reason>>;

    /// The same, waiting no longer than this.
    fn start_within<'a>(
        &'a self,
        user: &'a UserId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Talk<'a>, Reason>>;

    /// Puts another global limit into force.
    fn resize(&self, max_concurrent: usize);

    /// What the bot says of itself.
    fn counts(&self) -> Counts;

    /// Admits nobody any more; ends what has not ended after this time.
    fn drain(&self, within: Duration) -> BoxFuture<'_, ()>;

    /// Everything that it keeps of a conversation of this user's, by the [number](Talk::id) under which it is kept, in its
    /// order: `ROLE: TEXT`.
    ///
    /// # Errors
    /// Why it cannot be read; a bot without a store keeps nothing.
    fn stored<'a>(
        &'a self,
        _user: &'a UserId,
        _id: i64,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        Box::pin(std::future::ready(Err("no store")))
    }

    /// The gateway on a host of its own, where it is one: for scripts that break hosts.
    fn gateway(&self) -> Option<&GatewayBot> {
        None
    }

    /// How often its process has started again: what it counts itself it has counted from nothing since.
    fn restarts(&self) -> u64 {
        0
    }

    /// How much later a user may know what the bot knows, at most, and the bot what the user does: nothing, where both are
    /// in one place.
    fn lateness(&self) -> Duration {
        Duration::ZERO
    }
}

/// What is asked of a bot: answered at once where the bot is here, later where it is elsewhere.
///
/// A box for an answer that is there already was a twentieth of a sustained run, and so were the copies that an
/// `async fn` makes of a conversation that it is given or gives.
pub enum Answer<'a, T> {
    /// It is there.
    Now(T),
    /// It is on its way.
    Later(BoxFuture<'a, T>),
}

/// A start.
pub type Attempt<'a> = Answer<'a, Result<Talk<'a>, Reason>>;

impl<T> Answer<'_, T> {
    /// Waits for it.
    pub async fn come(self) -> T {
        match self {
            Answer::Now(answer) => answer,
            Answer::Later(answer) => answer.await,
        }
    }
}

/// A conversation, as its user has it. Dropping it is walking away.
///
/// The manager's is held as it is: a box for it, and one for the future of each of its turns, were a tenth of a
/// sustained run.
pub enum Talk<'a> {
    /// Of the manager of production.
    Managed(ManagedTalk<'a>),
    /// Of another bot.
    Other(Box<dyn OtherTalk>),
    /// Of a gateway, over the network. On the heap, as its futures are: a request in flight takes a kilobyte, which every
    /// user of any bot would carry otherwise.
    Remote(Box<RemoteTalk>),
    /// Of the manager with a store beside it.
    Stored(Box<StoredTalk<'a>>),
}

/// What a bot implements for its [`Talk`].
pub trait OtherTalk: Send + Sync {
    /// See [`Talk::waited`].
    fn waited(&self) -> Duration;

    /// See [`Talk::turn`].
    fn turn(&self, message: Message, work: Duration) -> BoxFuture<'_, Result<Message, Reason>>;

    /// See [`Talk::touch`].
    fn touch(&self) -> Result<(), Reason>;

    /// See [`Talk::take_transcript`].
    fn take_transcript(&self) -> Transcript;

    /// See [`Talk::expired`].
    fn expired(&self) -> BoxFuture<'_, Reason>;

    /// See [`Talk::end`].
    fn end(self: Box<Self>) -> Result<(), Reason>;
}

impl<'a> Talk<'a> {
    /// How long it waited for its slot.
    pub fn waited(&self) -> Duration {
        match self {
            Talk::Managed(talk) => talk.conversation.waited(),
            Talk::Other(talk) => talk.waited(),
            Talk::Remote(talk) => talk.waited(),
            Talk::Stored(talk) => talk.waited(),
        }
    }

    /// The number under which the bot keeps it; `None` where it has no store.
    pub fn id(&self) -> Option<i64> {
        match self {
            Talk::Managed(_) | Talk::Other(_) => None,
            Talk::Remote(talk) => Some(talk.id()),
            Talk::Stored(talk) => Some(talk.id()),
        }
    }

    /// What the bot has acknowledged of it, message by message, in order: `ROLE: TEXT`. Nothing where it has no store.
    pub fn acknowledged(&self) -> Vec<String> {
        match self {
            Talk::Managed(_) | Talk::Other(_) => Vec::new(),
            Talk::Remote(talk) => talk.acknowledged(),
            Talk::Stored(talk) => talk.acknowledged().to_vec(),
        }
    }

    /// Says something, and has the bot work on it for so long; comes back with what the bot answers to. Fails when
    /// the bot has ended the conversation before; who wants to stop when it ends it meanwhile awaits
    /// [`Talk::expired`] beside.
    ///
    /// # Errors
    /// Why the bot has ended it.
    pub async fn turn(&mut self, message: &Message, work: Duration) -> Result<Message, Reason> {
        match self {
            Talk::Managed(talk) => talk.turn(message, work).await,
            Talk::Other(talk) => talk.turn(*message, work).await,
            Talk::Remote(talk) => Box::pin(talk.turn(*message, work)).await,
            Talk::Stored(talk) => Box::pin(talk.turn(*message, work)).await,
        }
    }

    /// Shows that somebody is still there.
    ///
    /// # Errors
    /// Why the bot has ended it.
    pub async fn touch(&self) -> Result<(), Reason> {
        match self {
            Talk::Managed(talk) => talk.conversation.touch().map_err(|ended| ended.how.reason()),
            Talk::Other(talk) => talk.touch(),
            Talk::Remote(talk) => Box::pin(talk.touch()).await,
            Talk::Stored(talk) => talk.touch(),
        }
    }

    /// Everything that was said in it, which the bot then forgets.
    pub async fn take_transcript(&mut self) -> Transcript {
        match self {
            Talk::Managed(talk) => talk.memory.take(),
            Talk::Other(talk) => talk.take_transcript(),
            Talk::Remote(talk) => Box::pin(talk.transcript()).await,
            Talk::Stored(talk) => Box::pin(talk.transcript()).await,
        }
    }

    /// Resolves when the bot ends it, with the reason.
    pub async fn expired(&self) -> Reason {
        match self {
            Talk::Managed(talk) => talk.conversation.expired().await.reason(),
            Talk::Other(talk) => talk.expired().await,
            Talk::Remote(talk) => Box::pin(talk.expired()).await,
            Talk::Stored(talk) => Box::pin(talk.expired()).await,
        }
    }

    /// Ends it.
    ///
    /// # Errors
    /// Why the bot has ended it before.
    #[inline]
    pub fn end(self) -> Answer<'a, Result<(), Reason>> {
        match self {
            Talk::Managed(talk) => {
                Answer::Now(talk.conversation.end().map_err(|ended| ended.how.reason()))
            }
            Talk::Other(talk) => Answer::Now(talk.end()),
            Talk::Remote(talk) => Answer::Later(Box::pin(talk.end())),
            Talk::Stored(talk) => Answer::Later(Box::pin(talk.end())),
        }
    }
}

/// What a bot says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Conversations that are active.
    pub active: u64,
    /// Users who wait for a slot.
    pub waiting: u64,
    /// Conversations ever started.
    pub started: u64,
    /// Conversations that their users ended.
    pub completed: u64,
    /// Users who talk or wait.
    pub users: u64,
    /// Starts ever refused.
    pub refused: u64,
}

impl Counts {
    /// What a manager says.
    pub(crate) fn of(stats: &Stats) -> Self {
        Self {
            active: stats.active,
            waiting: stats.waiting,
            users: stats.users,
            started: stats.started_total,
            completed: stats.ended.completed,
            refused: stats.refused.total(),
        }
    }
}

/// The clock of a bot: that of its run, or tokio's where there is no run.
///
/// Both say the same in a run. The world has read tokio's clock already in the poll that asks it, which takes that
/// clock's lock each time: four looks of the manager at every conversation were a sixth of a sustained run.
#[derive(Clone)]
pub enum BotClock {
    /// Virtual time of a run.
    Run(Sim),
    /// tokio's clock.
    Tokio(TokioClock),
}

impl Clock for BotClock {
    type Sleep = Sleep;

    fn now(&self) -> Timestamp {
        match self {
            BotClock::Run(sim) => Timestamp(sim.now_ns()),
            BotClock::Tokio(clock) => clock.now(),
        }
    }

    fn sleep_until(&self, deadline: Timestamp) -> Sleep {
        match self {
            BotClock::Run(sim) => sim.sleep_until(deadline.since_origin()),
            BotClock::Tokio(clock) => clock.sleep_until(deadline),
        }
    }
}

/// The bot over the manager of production.
pub struct ManagedBot {
    manager: ConversationManager<BotClock>,
    clock: BotClock,
    lateness: Duration,
    strays: Strays,
    _expiry: ExpiryTask,
}

impl ManagedBot {
    /// A bot with these limits, on tokio's clock. Call it on a tokio runtime: expiry is a task of the bot's.
    pub fn new(limits: Limits) -> Self {
        Self::with_clock(limits, BotClock::Tokio(TokioClock::new()), Duration::ZERO)
    }

    /// A bot with these limits in a run.
    pub fn in_run(limits: Limits, sim: &Sim) -> Self {
        let lateness = match sim.clock() {
            hyperlapse::Clock::Virtual => Duration::ZERO,
            hyperlapse::Clock::Real => HOST_LATENESS,
        };
        Self::with_clock(limits, BotClock::Run(sim.clone()), lateness)
    }

    fn with_clock(limits: Limits, clock: BotClock, lateness: Duration) -> Self {
        let manager = ConversationManager::with_clock(limits, clock.clone())
            .expect("the limits were validated when the scenario was read");
        let expiry = manager.spawn_expiry();
        Self { manager, clock, lateness, strays: Strays::default(), _expiry: expiry }
    }

    fn talk(&self, conversation: Conversation<BotClock>) -> Talk<'_> {
        let id = conversation.id().0;
        let memory = Memory { bot: self, id, said: Transcript::new() };
        Talk::Managed(ManagedTalk { memory, conversation })
    }
}

impl Bot for ManagedBot {
    fn try_start(&self, user: &UserId) -> Attempt<'_> {
        Attempt::Now(match self.manager.try_start(user.clone()) {
            Ok(conversation) => Ok(self.talk(conversation)),
            Err(refused) => Err(refused.reason()),
        })
    }

    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(async move {
            match self.manager.start(user.clone()).await {
                Ok(conversation) => Ok(self.talk(conversation)),
                Err(refused) => Err(refused.reason()),
            }
        })
    }

    fn start_within<'a>(
        &'a self,
        user: &'a UserId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(async move {
            match self.manager.start_within(user.clone(), within).await {
                Ok(conversation) => Ok(self.talk(conversation)),
                Err(refused) => Err(refused.reason()),
            }
        })
    }

    fn resize(&self, max_concurrent: usize) {
        let limits = Limits { max_concurrent, ..self.manager.limits() };
        self.manager.resize(limits).expect("a limit above zero is valid");
    }

    fn counts(&self) -> Counts {
        Counts::of(&self.manager.stats())
    }

    fn drain(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.manager.drain(within).await;
        })
    }

    fn lateness(&self) -> Duration {
        self.lateness
    }
}

/// A conversation of the [`ManagedBot`].
pub struct ManagedTalk<'a> {
    memory: Memory<'a>,
    conversation: Conversation<BotClock>,
}

/// What the bot remembers of a conversation, until that is over.
struct Memory<'a> {
    bot: &'a ManagedBot,
    id: u64,
    said: Transcript,
}

impl Memory<'_> {
    /// Remembers what was said in the conversation that its task is in; comes back with the last that was said in
    /// this one, which is the same unless the manager mixes them up.
    fn say(&mut self, current: u64, message: Message) -> Message {
        if current == self.id {
            self.said.push(message);
        } else {
            self.bot.strays.say(current, message);
        }
        self.said.last().copied().unwrap_or(message)
    }

    fn take(&mut self) -> Transcript {
        // Where it lies, and only where there are any: what was just written cannot be read at once in one piece.
        let strays = self.bot.strays.take(self.id);
        if !strays.is_empty() {
            self.said.extend(strays);
        }
        std::mem::take(&mut self.said)
    }
}

impl Drop for Memory<'_> {
    fn drop(&mut self) {
        self.bot.strays.take(self.id);
    }
}

impl ManagedTalk<'_> {
    async fn turn(&mut self, message: &Message, work: Duration) -> Result<Message, Reason> {
        let Self { memory, conversation } = self;
        let answer = async {
            conversation.touch().map_err(|ended| ended.how.reason())?;
            let clock = &memory.bot.clock;
            clock.sleep_until(clock.now().saturating_add(work)).await;
            // By the task's own conversation, as code deep inside of a bot would have it.
            let current = with_current(|conversation| conversation.id());
            let current = current.expect("a turn runs in the scope of its conversation");
            Ok(memory.say(current.0, *message))
        };
        conversation.scope(answer).await
    }
}
