//! A bot as one writes it by hand: one mutex, a queue, a deadline for each conversation.
//!
//! It is right when its [`Mistake`] changes nothing, and simple where the manager of production is fast:
//! expiry is only noticed by who looks (the conversation itself, or the next start).

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conversation_manager::{Limits, UserId};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::bot::{Bot, BoxFuture, Counts, Message, Reason, Talk};
use crate::race::race;

/// What a member of the zoo does otherwise than it should. The defaults are right.
pub trait Mistake: Send + Sync + 'static {
    /// Whether a conversation that is dropped without an end gives its slot back.
    const FREES_ON_DROP: bool = true;

    /// Whether a slot that was granted to somebody who has gone meanwhile passes on to the next.
    const PASSES_A_GRANT_ON: bool = true;

    /// Whether somebody who gives up waiting leaves the queue.
    const LEAVES_THE_QUEUE: bool = true;

    /// Whether a user at their own limit lets those behind pass.
    const LETS_OTHERS_PASS: bool = true;

    /// Whether it looks for a free slot and takes it in one go, or asks elsewhere in between.
    const CHECKS_AND_TAKES_AT_ONCE: bool = true;

    /// Whether a limit is reached.
    fn is_full(active: usize, limit: usize) -> bool {
        active >= limit
    }
}

/// No mistake.
#[derive(Debug)]
pub struct NoMistake;

impl Mistake for NoMistake {}

/// The bot: one mutex, a queue, a deadline for each conversation.
pub struct Handmade<M>(Arc<Shared<M>>);

struct Shared<M> {
    state: Mutex<State>,
    /// Somebody left.
    left: Notify,
    /// What is known of users: asked before a conversation begins. Nearly always free.
    profiles: tokio::sync::Mutex<()>,
    mistake: PhantomData<M>,
}

struct State {
    limits: Limits,
    active: BTreeMap<u64, Active>,
    per_user: BTreeMap<UserId, usize>,
    queue: VecDeque<Waiter>,
    tickets: u64,
    draining: bool,
    counts: Counts,
}

struct Active {
    user: UserId,
    started: Instant,
    touched: Instant,
    transcript: Vec<Message>,
}

struct Waiter {
    ticket: u64,
    user: UserId,
    grant: oneshot::Sender<Result<u64, Reason>>,
}

impl<M: Mistake> Handmade<M> {
    /// A bot with these limits.
    pub fn new(limits: Limits) -> Self {
        let state = State {
            limits,
            active: BTreeMap::new(),
            per_user: BTreeMap::new(),
            queue: VecDeque::new(),
            tickets: 0,
            draining: false,
            counts: Counts::default(),
        };
        Self(Arc::new(Shared {
            state: Mutex::new(state),
            left: Notify::new(),
            profiles: tokio::sync::Mutex::new(()),
            mistake: PhantomData,
        }))
    }

    fn talk(&self, id: u64, waited: Duration) -> Box<dyn Talk> {
        Box::new(HandmadeTalk { bot: Arc::clone(&self.0), id, waited, over: false })
    }
}

impl<M: Mistake> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why this user cannot start now, if so.
    fn refusal(state: &State, user: &UserId) -> Option<Reason> {
        let of_user = state.per_user.get(user).copied().unwrap_or(0);
        if state.draining {
            Some("shutting down")
        } else if M::is_full(state.active.len(), state.limits.max_concurrent) {
            Some("global limit")
        } else if of_user >= state.limits.max_per_user {
            Some("user limit")
        } else {
            None
        }
    }

    fn begin(state: &mut State, user: &UserId) -> u64 {
        let id = state.counts.started;
        state.counts.started += 1;
        let now = Instant::now();
        let user = user.clone();
        *state.per_user.entry(user.clone()).or_default() += 1;
        state
            .active
            .insert(id, Active { user, started: now, touched: now, transcript: Vec::new() });
        id
    }

    /// A place at the end of the queue.
    fn queue<'a>(&'a self, state: &mut State, user: &UserId) -> Place<'a, M> {
        let (grant, granted) = oneshot::channel();
        let ticket = state.tickets;
        state.tickets += 1;
        state.queue.push_back(Waiter { ticket, user: user.clone(), grant });
        Place { bot: self, ticket, granted }
    }

    /// Takes a conversation off, and lets in who waits for its slot.
    fn finish(&self, state: &mut State, id: u64) {
        let Some(conversation) = state.active.remove(&id) else { return };
        let of_user =
            state.per_user.get_mut(&conversation.user).expect("a user who talks is counted");
        *of_user -= 1;
        if *of_user == 0 {
            state.per_user.remove(&conversation.user);
        }
        self.admit(state);
        self.left.notify_waiters();
    }

    /// Lets in everybody who may start, in the order of the queue.
    fn admit(&self, state: &mut State) {
        let mut place = 0;
        while place < state.queue.len() {
            if Self::refusal(state, &state.queue[place].user).is_some() {
                if !M::LETS_OTHERS_PASS {
                    break;
                }
                place += 1;
                continue;
            }
            let waiter = state.queue.remove(place).expect("the place is within the queue");
            let id = Self::begin(state, &waiter.user);
            if waiter.grant.send(Ok(id)).is_err() {
                // Gone while it waited: it never was.
                state.counts.started -= 1;
                self.finish(state, id);
            }
        }
    }

    /// Ends what is due, in the order of ids.
    fn expire_due(&self, state: &mut State) {
        let due: Vec<u64> = state
            .active
            .iter()
            .filter(|(_, c)| due(&state.limits, c).is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            self.finish(state, id);
        }
    }
}

/// Why a conversation is due to end, if it is.
fn due(limits: &Limits, conversation: &Active) -> Option<Reason> {
    let now = Instant::now();
    if now >= conversation.started + limits.max_duration {
        Some("max duration")
    } else if now >= conversation.touched + limits.idle_timeout {
        Some("idle")
    } else {
        None
    }
}

impl<M: Mistake> Bot for Handmade<M> {
    fn try_start(&self, user: &UserId) -> Result<Box<dyn Talk>, Reason> {
        let mut state = self.0.lock();
        self.0.expire_due(&mut state);
        match Shared::<M>::refusal(&state, user) {
            Some(reason) => {
                state.counts.refused += 1;
                Err(reason)
            }
            None => {
                let id = Shared::<M>::begin(&mut state, user);
                drop(state);
                Ok(self.talk(id, Duration::ZERO))
            }
        }
    }

    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Box<dyn Talk>, Reason>> {
        Box::pin(async move {
            let asked = Instant::now();
            if !M::CHECKS_AND_TAKES_AT_ONCE {
                let refusal = Shared::<M>::refusal(&self.0.lock(), user);
                if refusal.is_none() {
                    let _profile = self.0.profiles.lock().await;
                    let id = Shared::<M>::begin(&mut self.0.lock(), user);
                    return Ok(self.talk(id, Duration::ZERO));
                }
            }
            let mut place = {
                let mut state = self.0.lock();
                self.0.expire_due(&mut state);
                match Shared::<M>::refusal(&state, user) {
                    None => {
                        let id = Shared::<M>::begin(&mut state, user);
                        drop(state);
                        return Ok(self.talk(id, Duration::ZERO));
                    }
                    Some(reason @ "shutting down") => {
                        state.counts.refused += 1;
                        return Err(reason);
                    }
                    Some(_) if state.queue.len() >= state.limits.max_waiting => {
                        state.counts.refused += 1;
                        return Err("queue full");
                    }
                    Some(_) => self.0.queue(&mut state, user),
                }
            };
            let granted = (&mut place.granted).await;
            let id = granted.expect("a waiter is answered before the bot is gone")?;
            Ok(self.talk(id, asked.elapsed()))
        })
    }

    fn counts(&self) -> Counts {
        let state = self.0.lock();
        Counts {
            active: state.active.len() as u64,
            waiting: state.queue.len() as u64,
            ..state.counts
        }
    }

    fn drain(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            {
                let mut state = self.0.lock();
                state.draining = true;
                for waiter in std::mem::take(&mut state.queue) {
                    state.counts.refused += 1;
                    let _ = waiter.grant.send(Err("shutting down"));
                }
            }
            let all_left = async {
                loop {
                    let left = self.0.left.notified();
                    if self.0.lock().active.is_empty() {
                        break;
                    }
                    left.await;
                }
            };
            let _ = race(all_left, sleep(within)).await;
            let mut state = self.0.lock();
            while let Some((id, _)) = state.active.first_key_value() {
                let id = *id;
                self.0.finish(&mut state, id);
            }
        })
    }
}

/// Somebody's place in the queue. Giving it up passes on what was granted meanwhile.
struct Place<'a, M: Mistake> {
    bot: &'a Shared<M>,
    ticket: u64,
    granted: oneshot::Receiver<Result<u64, Reason>>,
}

impl<M: Mistake> Drop for Place<'_, M> {
    fn drop(&mut self) {
        let mut state = self.bot.lock();
        if M::LEAVES_THE_QUEUE {
            state.queue.retain(|waiter| waiter.ticket != self.ticket);
        }
        // Empty when the grant was taken.
        if let Ok(Ok(id)) = self.granted.try_recv()
            && M::PASSES_A_GRANT_ON
        {
            self.bot.finish(&mut state, id);
        }
    }
}

struct HandmadeTalk<M: Mistake> {
    bot: Arc<Shared<M>>,
    id: u64,
    waited: Duration,
    over: bool,
}

impl<M: Mistake> HandmadeTalk<M> {
    /// The conversation, or why the bot has ended it.
    fn with<T>(&self, f: impl FnOnce(&mut Active) -> T) -> Result<T, Reason> {
        let mut state = self.bot.lock();
        let State { limits, active, draining, .. } = &mut *state;
        let why = match active.get_mut(&self.id) {
            Some(conversation) => match due(limits, conversation) {
                None => return Ok(f(conversation)),
                Some(reason) => reason,
            },
            None if *draining => "shut down",
            None => "idle",
        };
        self.bot.finish(&mut state, self.id);
        Err(why)
    }
}

impl<M: Mistake> Drop for HandmadeTalk<M> {
    fn drop(&mut self) {
        if !self.over && M::FREES_ON_DROP {
            let mut state = self.bot.lock();
            self.bot.finish(&mut state, self.id);
        }
    }
}

impl<M: Mistake> Talk for HandmadeTalk<M> {
    fn waited(&self) -> Duration {
        self.waited
    }

    fn turn(&self, message: Message, work: Duration) -> BoxFuture<'_, Result<(), Reason>> {
        Box::pin(async move {
            self.touch()?;
            sleep(work).await;
            self.with(|conversation| conversation.transcript.push(message))
        })
    }

    fn touch(&self) -> Result<(), Reason> {
        self.with(|conversation| conversation.touched = Instant::now())
    }

    fn take_transcript(&self) -> Vec<Message> {
        self.with(|conversation| std::mem::take(&mut conversation.transcript)).unwrap_or_default()
    }

    fn expired(&self) -> BoxFuture<'_, Reason> {
        Box::pin(async move {
            loop {
                let left = self.bot.left.notified();
                let limits = self.bot.lock().limits;
                let deadline = self.with(|conversation| {
                    (conversation.started + limits.max_duration)
                        .min(conversation.touched + limits.idle_timeout)
                });
                match deadline {
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
        Ok(())
    }
}
