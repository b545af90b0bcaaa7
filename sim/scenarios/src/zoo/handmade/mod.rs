//! A bot as one writes it by hand: one mutex, a queue, a deadline for each conversation.
//!
//! It is right when its [`Mistake`] changes nothing, and simple where the manager of production is fast: slots are
//! a number, the queue is looked through from the front.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`mistake`] | what can be wrong with it |
//! | [`queue`] | waiting for a slot |
//! | [`expiry`] | conversations that are over their time |
//! | [`talk`] | a conversation |

mod expiry;
mod mistake;
mod queue;
mod talk;

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use conversation_manager::{Limits, UserId};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::debug;

use crate::bot::{Attempt, Bot, BoxFuture, Counts, Message, Reason, Talk};
use crate::race::race;
pub use mistake::{Mistake, NoMistake};
use queue::{Call, Place, Waiter};
use talk::HandmadeTalk;

/// The bot.
pub struct Handmade<M: Mistake> {
    shared: Arc<Shared<M>>,
    expiry: JoinHandle<()>,
}

impl<M: Mistake> Drop for Handmade<M> {
    fn drop(&mut self) {
        self.expiry.abort();
    }
}

struct Shared<M> {
    state: Mutex<State>,
    /// Somebody left.
    left: Notify,
    /// A conversation began.
    begun: Arc<Notify>,
    /// What is known of users: nearly always free.
    profiles: tokio::sync::Mutex<()>,
    mistake: PhantomData<M>,
}

struct State {
    limits: Limits,
    /// Slots that nobody has; below zero when the limit was lowered below what is taken.
    free: isize,
    active: BTreeMap<u64, Active>,
    /// Why conversations were ended whose users have not heard of it yet.
    expired: BTreeMap<u64, Reason>,
    per_user: BTreeMap<UserId, usize>,
    queue: VecDeque<Waiter>,
    tickets: u64,
    draining: bool,
    counts: Counts,
    /// What was asked last in each conversation, and the conversation that asked last of all.
    asked: BTreeMap<u64, Message>,
    current: u64,
}

/// A slot that was taken: by which conversation, when.
#[derive(Debug, Clone, Copy)]
struct Slot {
    id: u64,
    since: Instant,
}

struct Active {
    user: UserId,
    started: Instant,
    touched: Instant,
    transcript: Vec<Message>,
}

impl<M: Mistake> Handmade<M> {
    /// A bot with these limits. Call it on a tokio runtime: expiry is a task of the bot's.
    pub fn new(limits: Limits) -> Self {
        let state = State {
            limits,
            free: limits.max_concurrent as isize,
            active: BTreeMap::new(),
            expired: BTreeMap::new(),
            per_user: BTreeMap::new(),
            queue: VecDeque::new(),
            tickets: 0,
            draining: false,
            counts: Counts::default(),
            asked: BTreeMap::new(),
            current: 0,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            left: Notify::new(),
            begun: Arc::default(),
            profiles: tokio::sync::Mutex::new(()),
            mistake: PhantomData,
        });
        let expiry = tokio::spawn(expiry::run::<M>(Arc::downgrade(&shared)));
        Self { shared, expiry }
    }

    fn talk(&self, slot: Slot, user: &UserId, asked: Instant) -> Talk<'static> {
        Talk::Other(Box::new(HandmadeTalk {
            bot: Arc::clone(&self.shared),
            id: slot.id,
            user: user.clone(),
            waited: slot.since - asked,
            over: false,
        }))
    }

    /// A slot now, or a place in the queue.
    fn take_or_queue(&self, user: &UserId) -> Result<Taken<'_, M>, Reason> {
        let shared = &self.shared;
        let mut state = shared.lock();
        shared.expire_due(&mut state);
        // Who lets nobody pass lets nobody pass who comes later either.
        let behind = !M::LETS_OTHERS_PASS && !state.queue.is_empty();
        match Shared::<M>::refusal(&state, 0, user) {
            None if !behind => Ok(Taken::Slot(shared.begin_now(&mut state, user))),
            Some(reason @ "shutting down") => {
                state.counts.refused += 1;
                Err(reason)
            }
            _ if state.queue.len() >= state.limits.max_waiting => {
                state.counts.refused += 1;
                Err("queue full")
            }
            _ => Ok(Taken::Place(shared.queue(&mut state, user))),
        }
    }

    /// Looks for a slot, asks for the user's profile, and takes the slot that there was.
    async fn look_then_take(&self, user: &UserId) -> Option<Slot> {
        if Shared::<M>::refusal(&self.shared.lock(), 0, user).is_some() {
            return None;
        }
        let _profile = self.shared.profiles.lock().await;
        Some(self.shared.begin_now(&mut self.shared.lock(), user))
    }

    async fn start_as(&self, user: &UserId, within: Option<Duration>) -> Result<Slot, Reason> {
        if !M::CHECKS_AND_TAKES_AT_ONCE
            && let Some(slot) = self.look_then_take(user).await
        {
            return Ok(slot);
        }
        let mut place = match self.take_or_queue(user)? {
            Taken::Place(place) => place,
            Taken::Slot(slot) => {
                if !M::OWNS_WHAT_IT_TAKES {
                    // What is known of the user is loaded; then there is a conversation.
                    sleep(Duration::from_millis(1)).await;
                }
                return Ok(slot);
            }
        };
        let Some(within) = within else { return place.turn().await };
        let in_time = before(sleep(within), place.turn()).await;
        in_time.unwrap_or_else(|| {
            let mut state = self.shared.lock();
            state.counts.refused += 1;
            let granted = state.queue.iter().all(|waiter| waiter.ticket != place.ticket);
            if !M::GIVES_BACK_ONCE && granted {
                // Too late for the slot that it was granted.
                state.free += 1;
            }
            drop(state);
            Err("timed out")
        })
    }
}

/// What comes of `work`, if it is ready before `end`: at the very moment it is too late.
async fn before<T>(end: impl Future, work: impl Future<Output = T>) -> Option<T> {
    let (mut end, mut work) = (pin!(end), pin!(work));
    poll_fn(|cx| match end.as_mut().poll(cx) {
        Poll::Ready(_) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}

enum Taken<'a, M: Mistake> {
    Slot(Slot),
    Place(Place<'a, M>),
}

impl<M: Mistake> Shared<M> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why this user cannot start now, if so, when that many slots are as good as taken.
    fn refusal(state: &State, spoken_for: isize, user: &UserId) -> Option<Reason> {
        let of_user = state.per_user.get(user).copied().unwrap_or(0);
        if state.draining {
            Some("shutting down")
        } else if M::is_full(state.free - spoken_for) {
            Some("global limit")
        } else if of_user >= state.limits.max_per_user {
            Some("user limit")
        } else {
            None
        }
    }

    fn begin_now(&self, state: &mut State, user: &UserId) -> Slot {
        let slot = Self::begin(state, user);
        self.begun.notify_one();
        slot
    }

    fn begin(state: &mut State, user: &UserId) -> Slot {
        let id = state.counts.started;
        state.counts.started += 1;
        state.free -= 1;
        let now = Instant::now();
        let user = user.clone();
        debug!("{user} takes a slot");
        *state.per_user.entry(user.clone()).or_default() += 1;
        state
            .active
            .insert(id, Active { user, started: now, touched: now, transcript: Vec::new() });
        Slot { id, since: now }
    }

    /// Takes a conversation off, and lets in who waits for its slot.
    fn finish(&self, state: &mut State, id: u64) {
        let Some(conversation) = state.active.remove(&id) else { return };
        state.asked.remove(&id);
        self.give_back(state, &conversation.user);
    }

    /// A slot of this user is free again.
    fn give_back(&self, state: &mut State, user: &UserId) {
        debug!("{user} gives a slot back");
        state.free += 1;
        if let Some(of_user) = state.per_user.get_mut(user) {
            *of_user -= 1;
            if *of_user == 0 {
                state.per_user.remove(user);
            }
        }
        self.admit(state);
        self.left.notify_waiters();
        self.begun.notify_one();
    }

    /// Sends away everybody who waits.
    fn send_away(state: &mut State) {
        for waiter in std::mem::take(&mut state.queue) {
            state.counts.refused += 1;
            debug!("{} is sent away", waiter.user);
            match waiter.call {
                Call::Hand(grant) => drop(grant.send(Err("shutting down"))),
                Call::Look(look) => look.notify_one(),
            }
        }
    }
}

impl<M: Mistake> Bot for Handmade<M> {
    fn try_start(&self, user: &UserId) -> Attempt<'_> {
        let mut state = self.shared.lock();
        self.shared.expire_due(&mut state);
        match Shared::<M>::refusal(&state, 0, user) {
            Some(reason) => {
                state.counts.refused += 1;
                Attempt::Now(Err(reason))
            }
            None => {
                let slot = self.shared.begin_now(&mut state, user);
                drop(state);
                Attempt::Now(Ok(self.talk(slot, user, slot.since)))
            }
        }
    }

    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(async move {
            let asked = Instant::now();
            let slot = self.start_as(user, None).await?;
            Ok(self.talk(slot, user, asked))
        })
    }

    fn start_within<'a>(
        &'a self,
        user: &'a UserId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(async move {
            let asked = Instant::now();
            let slot = self.start_as(user, Some(within)).await?;
            Ok(self.talk(slot, user, asked))
        })
    }

    fn resize(&self, max_concurrent: usize) {
        let mut state = self.shared.lock();
        let more = max_concurrent as isize - state.limits.max_concurrent as isize;
        debug!("the limit is {max_concurrent} now");
        state.limits.max_concurrent = max_concurrent;
        if !M::GROWS_ONCE {
            // Each new slot goes to somebody who waits.
            for _ in 0..more.min(state.queue.len() as isize) {
                state.free += 1;
                self.shared.admit(&mut state);
            }
        }
        state.free += more;
        self.shared.admit(&mut state);
    }

    fn counts(&self) -> Counts {
        let state = self.shared.lock();
        Counts {
            active: state.active.len() as u64,
            waiting: state.queue.len() as u64,
            users: state.per_user.len() as u64,
            ..state.counts
        }
    }

    fn drain(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            debug!("shutting down");
            let shared = &self.shared;
            if M::CLOSES_THE_DOOR_FIRST {
                shared.lock().draining = true;
                Shared::<M>::send_away(&mut shared.lock());
            } else {
                Shared::<M>::send_away(&mut shared.lock());
                // Other services hear of it.
                sleep(Duration::from_millis(1)).await;
                shared.lock().draining = true;
            }
            let all_left = async {
                loop {
                    let left = shared.left.notified();
                    if shared.lock().active.is_empty() {
                        break;
                    }
                    left.await;
                }
            };
            let _ = race(all_left, sleep(within)).await;
            let mut state = shared.lock();
            while let Some((id, _)) = state.active.first_key_value() {
                let id = *id;
                shared.finish(&mut state, id);
            }
        })
    }
}
