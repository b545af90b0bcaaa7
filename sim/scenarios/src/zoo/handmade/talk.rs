//! A conversation of the handmade bot.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::expiry::{deadline, due};
use super::{Active, Mistake, Shared, State};
use crate::bot::{BoxFuture, Message, OtherTalk, Reason, Transcript};
use crate::race::race;

pub(super) struct HandmadeTalk<M: Mistake> {
    pub(super) bot: Arc<Shared<M>>,
    pub(super) id: u64,
    pub(super) user: conversation_manager::UserId,
    pub(super) waited: Duration,
    pub(super) over: bool,
}

impl<M: Mistake> HandmadeTalk<M> {
    /// The conversation, or why the bot has ended it.
    fn with<T>(&self, f: impl FnOnce(&mut Active) -> T) -> Result<T, Reason> {
        let mut state = self.bot.lock();
        let State { limits, active, expired, draining, .. } = &mut *state;
        let why = match active.get_mut(&self.id) {
            Some(conversation) => match due(limits, conversation) {
                None => return Ok(f(conversation)),
                Some(reason) => reason,
            },
            None => match expired.get(&self.id) {
                Some(why) => why,
                None if *draining => "shut down",
                None => "idle",
            },
        };
        self.bot.finish(&mut state, self.id);
        Err(why)
    }
}

impl<M: Mistake> Drop for HandmadeTalk<M> {
    fn drop(&mut self) {
        let mut state = self.bot.lock();
        state.expired.remove(&self.id);
        if !self.over && M::FREES_ON_DROP {
            self.bot.finish(&mut state, self.id);
        }
    }
}

impl<M: Mistake> OtherTalk for HandmadeTalk<M> {
    fn waited(&self) -> Duration {
        self.waited
    }

    fn turn(&self, message: Message, work: Duration) -> BoxFuture<'_, Result<Message, Reason>> {
        Box::pin(async move {
            self.touch()?;
            sleep(work).await;
            if M::REPLIES_TO_ITS_OWN {
                self.with(|conversation| conversation.transcript.push(message))?;
                return Ok(message);
            }
            {
                let mut state = self.bot.lock();
                state.asked.insert(self.id, message);
                state.current = self.id;
            }
            let _profile = self.bot.profiles.lock().await;
            let current = self.bot.lock().current;
            let reply = self.bot.lock().asked.get(&current).copied().unwrap_or(message);
            self.with(|conversation| conversation.transcript.push(message))?;
            Ok(reply)
        })
    }

    fn touch(&self) -> Result<(), Reason> {
        if !M::STAYS_ENDED {
            let mut state = self.bot.lock();
            let now = Instant::now();
            let (user, transcript) = (self.user.clone(), Vec::new());
            let fresh = Active { user, started: now, touched: now, transcript };
            if !state.draining {
                state.active.entry(self.id).or_insert(fresh).touched = now;
                return Ok(());
            }
        }
        self.with(|conversation| conversation.touched = Instant::now())
    }

    fn take_transcript(&self) -> Transcript {
        let taken = self.with(|conversation| std::mem::take(&mut conversation.transcript));
        taken.map_or_else(|_| Transcript::new(), Transcript::from_vec)
    }

    fn expired(&self) -> BoxFuture<'_, Reason> {
        Box::pin(async move {
            loop {
                let left = self.bot.left.notified();
                let limits = self.bot.lock().limits;
                match self.with(|conversation| deadline(&limits, conversation)) {
                    Err(reason) => return reason,
                    Ok(deadline) => drop(race(left, sleep_until(deadline)).await),
                }
            }
        })
    }

    fn end(mut self: Box<Self>) -> Result<(), Reason> {
        self.with(|_| ())?;
        self.over = true;
        let mut state = self.bot.lock();
        state.counts.completed += 1;
        self.bot.finish(&mut state, self.id);
        drop(state);
        Ok(())
    }
}
