//! What virtual users talk to: a chat bot over a conversation manager.
//!
//! The interface is the same for the manager of production and for every member of the zoo, so that a
//! scenario cannot tell which it has. The bot keeps what was said in each conversation by the id that
//! the manager gives it; a manager that mixes conversations up is seen in what comes back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use conversation_manager::{
    Conversation, ConversationManager, ExpiryTask, Limits, UserId, current,
};

pub use crate::transcript::Message;
use crate::transcript::Transcripts;

/// A future on the heap: bots are chosen at run time.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why something was refused or ended, as a short stable label.
pub type Reason = &'static str;

/// The handle that scenarios have on the system under test.
pub type System = Arc<dyn Bot>;

/// A chat bot.
pub trait Bot: Send + Sync {
    /// A conversation for this user, now or not at all.
    fn try_start(&self, user: &UserId) -> Result<Box<dyn Talk>, Reason>;

    /// A conversation for this user, after waiting for a slot where need be.
    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Box<dyn Talk>, Reason>>;

    /// The same, waiting no longer than this.
    fn start_within<'a>(
        &'a self,
        user: &'a UserId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Box<dyn Talk>, Reason>>;

    /// Puts another global limit into force.
    fn resize(&self, max_concurrent: usize);

    /// What the bot says of itself.
    fn counts(&self) -> Counts;

    /// Admits nobody any more; ends what has not ended after this time.
    fn drain(&self, within: Duration) -> BoxFuture<'_, ()>;
}

/// A conversation, as its user has it. Dropping it is walking away.
pub trait Talk: Send + Sync {
    /// How long it waited for its slot.
    fn waited(&self) -> Duration;

    /// Says something, and has the bot work on it for so long; comes back with what the bot answers to. Fails when the bot has ended the
    /// conversation before; who wants to stop when it ends it meanwhile awaits [`Talk::expired`] beside.
    fn turn(&self, message: Message, work: Duration) -> BoxFuture<'_, Result<Message, Reason>>;

    /// Shows that somebody is still there.
    fn touch(&self) -> Result<(), Reason>;

    /// Everything that was said in it, which the bot then forgets.
    fn take_transcript(&self) -> Vec<Message>;

    /// Resolves when the bot ends it.
    fn expired(&self) -> BoxFuture<'_, Reason>;

    /// Ends it.
    fn end(self: Box<Self>) -> Result<(), Reason>;
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

/// The bot over the manager of production.
pub struct ManagedBot {
    manager: ConversationManager,
    transcripts: Arc<Transcripts>,
    _expiry: ExpiryTask,
}

impl ManagedBot {
    /// A bot with these limits. Call it on a tokio runtime: expiry is a task of the bot's.
    pub fn new(limits: Limits) -> Self {
        let manager = ConversationManager::new(limits)
            .expect("the limits were validated when the scenario was read");
        let expiry = manager.spawn_expiry();
        Self { manager, transcripts: Arc::default(), _expiry: expiry }
    }

    fn talk(&self, conversation: Conversation) -> Box<dyn Talk> {
        let id = conversation.id().0;
        let memory = Memory { transcripts: Arc::clone(&self.transcripts), id };
        Box::new(ManagedTalk { memory, conversation })
    }
}

impl Bot for ManagedBot {
    fn try_start(&self, user: &UserId) -> Result<Box<dyn Talk>, Reason> {
        match self.manager.try_start(user.clone()) {
            Ok(conversation) => Ok(self.talk(conversation)),
            Err(refused) => Err(refused.reason()),
        }
    }

    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Box<dyn Talk>, Reason>> {
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
    ) -> BoxFuture<'a, Result<Box<dyn Talk>, Reason>> {
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
        let stats = self.manager.stats();
        Counts {
            active: stats.active,
            waiting: stats.waiting,
            users: stats.users,
            started: stats.started_total,
            completed: stats.ended.completed,
            refused: stats.refused.total(),
        }
    }

    fn drain(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.manager.drain(within).await;
        })
    }
}

struct ManagedTalk {
    memory: Memory,
    conversation: Conversation,
}

/// What the bot remembers of a conversation, until that is over.
struct Memory {
    transcripts: Arc<Transcripts>,
    id: u64,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.transcripts.take(self.id);
    }
}

impl Talk for ManagedTalk {
    fn waited(&self) -> Duration {
        self.conversation.waited()
    }

    fn turn(&self, message: Message, work: Duration) -> BoxFuture<'_, Result<Message, Reason>> {
        Box::pin(self.conversation.scope(async move {
            self.touch()?;
            tokio::time::sleep(work).await;
            // By the task's own conversation, as code deep inside of a bot would have it.
            let current = current().expect("a turn runs in the scope of its conversation");
            self.memory.transcripts.say(current.id().0, message);
            Ok(self.memory.transcripts.last(self.memory.id).unwrap_or(message))
        }))
    }

    fn touch(&self) -> Result<(), Reason> {
        self.conversation.touch().map_err(|ended| ended.how.reason())
    }

    fn take_transcript(&self) -> Vec<Message> {
        self.memory.transcripts.take(self.memory.id)
    }

    fn expired(&self) -> BoxFuture<'_, Reason> {
        Box::pin(async { self.conversation.expired().await.reason() })
    }

    fn end(self: Box<Self>) -> Result<(), Reason> {
        self.conversation.end().map_err(|ended| ended.how.reason())
    }
}
