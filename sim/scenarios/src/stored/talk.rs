//! A conversation whose turns go to the store.

use std::time::Duration;

use conversation_manager::store::{Closing, NewMessage, Role};
use conversation_manager::{Clock, Conversation, Expiry, with_current};

use super::{PAGE, StoredBot, lock, refused};
use crate::bot::{BotClock, Message, Reason, Transcript};
use crate::transcript::{parse, text};

/// A conversation of the [`StoredBot`], as its user has it.
pub struct StoredTalk<'a> {
    bot: &'a StoredBot,
    /// `None` once it is over.
    conversation: Option<Conversation<BotClock>>,
    waited: Duration,
    /// That of the manager's.
    number: u64,
    /// That of the store's.
    id: i64,
    closed: bool,
    acknowledged: Vec<String>,
}

impl<'a> StoredTalk<'a> {
    pub(super) fn new(bot: &'a StoredBot, conversation: Conversation<BotClock>, id: i64) -> Self {
        let (number, waited) = (conversation.id().0, conversation.waited());
        let conversation = Some(conversation);
        Self { bot, conversation, waited, number, id, closed: false, acknowledged: Vec::new() }
    }

    /// Its number in the store.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// How long it waited for its slot.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// What the store has acknowledged of it, in order: `ROLE: TEXT`.
    pub fn acknowledged(&self) -> &[String] {
        &self.acknowledged
    }

    fn conversation(&self) -> &Conversation<BotClock> {
        self.conversation.as_ref().expect("it is over only when it is taken")
    }

    /// See [`crate::bot::Talk::turn`]: reads what was said until now, as a bot gives it to its model, writes the message,
    /// works, reads the message again, and writes the reply.
    ///
    /// # Errors
    /// Why the bot has ended it, or what the database says.
    pub async fn turn(&mut self, message: Message, work: Duration) -> Result<Message, Reason> {
        if let Err(reason) = self.touch() {
            self.close().await;
            return Err(reason);
        }
        let Self { bot, acknowledged, conversation, .. } = self;
        let conversation = conversation.as_ref().expect("it is over only when it is taken");
        let said = text(message, work, bot.settings.message_bytes);
        let answer = async {
            // By the task's own conversation, as code deep inside of a bot would have it.
            let number = with_current(|conversation| conversation.id());
            let number = number.expect("a turn runs in the scope of its conversation").0;
            let id = lock(&bot.ids).get(&number).copied().ok_or("not found")?;
            bot.store.messages(id, 0, PAGE).await.map_err(refused)?;
            let write = |role, text: &str, reply_to| {
                let (key, at) = (None, bot.wall.millis());
                let text = text.to_owned();
                bot.store.append(NewMessage { conversation: id, role, text, key, reply_to, at })
            };
            let kept = write(Role::User, &said, None).await.map_err(refused)?;
            acknowledged.push(format!("user: {said}"));
            bot.clock.sleep_until(bot.clock.now().saturating_add(work)).await;
            let read = bot.store.messages(id, kept.seq - 1, 1).await.map_err(refused)?;
            let asked = read.into_iter().next().ok_or("no such message")?.text;
            write(Role::Bot, &asked, Some(kept.seq)).await.map_err(refused)?;
            acknowledged.push(format!("bot: {asked}"));
            parse(&asked).ok_or("not what was said")
        };
        conversation.scope(answer).await
    }

    /// See [`crate::bot::Talk::touch`].
    ///
    /// # Errors
    /// Why the bot has ended it.
    pub fn touch(&self) -> Result<(), Reason> {
        self.conversation().touch().map_err(|ended| ended.how.reason())
    }

    /// The user's messages that the store has, in their order.
    pub async fn transcript(&self) -> Transcript {
        let lines = self.bot.read(self.id).await.unwrap_or_default();
        lines.iter().filter_map(|line| parse(line.strip_prefix("user: ")?)).collect()
    }

    /// Resolves when the bot ends it, with the reason.
    pub async fn expired(&self) -> Reason {
        self.conversation().expired().await.reason()
    }

    /// See [`crate::bot::Talk::end`]: the slot is free first.
    ///
    /// # Errors
    /// Why the bot has ended it before, or what the database says.
    pub async fn end(mut self) -> Result<(), Reason> {
        let conversation = self.conversation.take().expect("it is ended once");
        let ended = conversation.end();
        let how = ended.as_ref().map_or_else(|ended| closing(ended.how), |()| Closing::Completed);
        let at = self.bot.wall.millis();
        let closed = self.bot.store.close(self.id, how, at).await;
        self.closed = closed.is_ok();
        ended.map_err(|ended| ended.how.reason())?;
        closed.map(drop).map_err(refused)
    }

    /// The bot has ended it.
    async fn close(&mut self) {
        let at = self.bot.wall.millis();
        self.closed = self.bot.store.close(self.id, Closing::Failed, at).await.is_ok();
    }
}

fn closing(how: Expiry) -> Closing {
    match how {
        Expiry::Idle => Closing::ExpiredIdle,
        Expiry::MaxDuration => Closing::ExpiredDuration,
        Expiry::ShutDown => Closing::ShutDown,
    }
}

impl Drop for StoredTalk<'_> {
    /// Whoever walks away leaves it open in the store, where the next start closes it.
    fn drop(&mut self) {
        lock(&self.bot.ids).remove(&self.number);
        if !self.closed {
            lock(&self.bot.left).push(self.id);
        }
    }
}
