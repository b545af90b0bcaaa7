//! Conversations that have a slot, and those that have ended and are not yet closed in the store.
//!
//! A conversation is in one of three places, and goes through them in this order: `live` (a slot of the manager, and a task
//! that waits for its end), `closing` (no slot any more; its end is to be written down), and closed in the store alone. The
//! slot is given back first, whatever the store says: a broken disk costs no slot. What the store has refused to
//! write down is tried again until it takes it; should the process end before, the next one finds the conversation open
//! and treats it as it treats any other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::planted::{self, Planted};
use super::problem::{Code, Problem};
use super::progress::Progress;
use super::service::Shared;
use crate::conversation::Conversation;
use crate::request::UserId;
use crate::store::{Closed, Closing, StoreError};

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Live {
    table: Mutex<Table>,
    /// Something has left `live` or `closing`.
    left: Notify,
}

#[derive(Debug, Default)]
struct Table {
    live: BTreeMap<i64, Entry>,
    closing: BTreeMap<i64, Pending>,
    starting: BTreeSet<(UserId, String)>,
}

#[derive(Debug)]
struct Entry {
    user: UserId,
    room: Option<Arc<str>>,
    /// The other handle is that of the task that waits for the end; nobody else keeps one.
    conversation: Arc<Conversation>,
    turn: Option<Arc<Progress>>,
    /// Its owner has ended it.
    stop: CancellationToken,
    /// It has left `live`, and the store has been asked.
    done: CancellationToken,
}

#[derive(Debug)]
struct Pending {
    closed: Closed,
    error: Option<StoreError>,
}

/// What a turn finds.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The turn is the caller's to carry out.
    New(Arc<Progress>, Option<Arc<str>>),
    /// The same turn is going on already.
    Joined(Arc<Progress>),
    No(Problem),
    /// Not here: the store may know.
    NotLive(Option<Closed>),
}

/// What an end finds.
#[derive(Debug)]
pub(crate) enum Ending {
    /// Wait for it.
    Asked(CancellationToken),
    NotLive(Option<Closed>),
}

impl Live {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.table().live.len()
    }

    /// How many ends the store has not written down yet.
    pub(crate) fn unclosed(&self) -> usize {
        self.table().closing.len()
    }

    /// How a conversation has ended that the store may still have as open.
    pub(crate) fn closing(&self, id: i64) -> Option<Closed> {
        self.table().closing.get(&id).map(|pending| pending.closed)
    }

    /// Why the store has not written down the end of this conversation; `None` if it has.
    pub(crate) fn close_error(&self, id: i64) -> Option<StoreError> {
        let table = self.table();
        let pending = table.closing.get(&id)?;
        Some(pending.error.clone().unwrap_or(StoreError::Busy))
    }

    /// Remembers that a start under this key is going on; `None` if one is already.
    pub(crate) fn starting(shared: &Shared, user: &UserId, key: &str) -> Option<Starting> {
        let name = (user.clone(), key.to_owned());
        let is_first = shared.live.table().starting.insert(name.clone());
        is_first.then(|| Starting { shared: shared.clone(), name })
    }

    /// Takes in a conversation that is open in the store, and waits for its end from now on.
    pub(crate) fn admit(shared: &Shared, id: i64, conversation: Conversation) {
        let conversation = Arc::new(conversation);
        let entry = Entry {
            user: conversation.user().clone(),
            room: conversation.room().map(Arc::from),
            conversation: conversation.clone(),
            turn: None,
            stop: CancellationToken::new(),
            done: CancellationToken::new(),
        };
        let (stop, done) = (entry.stop.clone(), entry.done.clone());
        shared.live.table().live.insert(id, entry);
        shared.tasks.spawn(wait_for_end(shared.clone(), id, conversation, stop, done));
    }

    /// Begins a turn, unless one is going on. A turn is a touch.
    pub(crate) fn claim(&self, id: i64, caller: &UserId, key: Option<&str>, text: &str) -> Claim {
        let mut table = self.table();
        let closing = table.closing.get(&id).map(|pending| pending.closed);
        let Some(entry) = table.live.get_mut(&id) else { return Claim::NotLive(closing) };
        if entry.user != *caller {
            return Claim::No(Problem::not_found());
        }
        if let Some(turn) = &entry.turn {
            let is_same = key.is_some() && turn.key.as_deref() == key;
            return match is_same {
                true if turn.text == text => Claim::Joined(turn.clone()),
                true => Claim::No(Problem::key_reused()),
                false => Claim::No(Problem::new(
                    Code::TurnInProgress,
                    "another turn of this conversation is going on",
                )),
            };
        }
        if let Err(problem) = entry.touch() {
            return Claim::No(problem);
        }
        let progress = Arc::new(Progress::new(key.map(str::to_owned), text.to_owned()));
        entry.turn = Some(progress.clone());
        Claim::New(progress, entry.room.clone())
    }

    /// Gives back what [`Live::claim`] took.
    pub(crate) fn release(&self, id: i64, turn: &Arc<Progress>) {
        if let Some(entry) = self.table().live.get_mut(&id)
            && entry.turn.as_ref().is_some_and(|current| Arc::ptr_eq(current, turn))
        {
            entry.turn = None;
        }
    }

    /// Says that the conversation is alive; `None` if it is not here, with how it has ended if that is known.
    pub(crate) fn touch(
        &self,
        id: i64,
        caller: &UserId,
    ) -> Result<Result<(), Problem>, Option<Closed>> {
        let table = self.table();
        match table.live.get(&id) {
            Some(entry) if entry.user == *caller => Ok(entry.touch()),
            Some(_) => Ok(Err(Problem::not_found())),
            None => Err(table.closing.get(&id).map(|pending| pending.closed)),
        }
    }

    /// As [`Live::touch`], for the turn that is going on.
    pub(crate) fn touch_turn(&self, id: i64) {
        if let Some(entry) = self.table().live.get(&id) {
            // That it is over is heard from whoever waits for it.
            let _ = entry.touch();
        }
    }

    /// Asks for the end of a conversation.
    pub(crate) fn end(&self, id: i64, caller: &UserId) -> Result<Ending, Problem> {
        let table = self.table();
        let Some(entry) = table.live.get(&id) else {
            return Ok(Ending::NotLive(table.closing.get(&id).map(|pending| pending.closed)));
        };
        if entry.user != *caller {
            return Err(Problem::not_found());
        }
        entry.stop.cancel();
        Ok(Ending::Asked(entry.done.clone()))
    }

    /// Notes the end of a conversation that never was live here, for [`close`].
    pub(crate) fn note_closing(&self, id: i64, closed: Closed) {
        self.table().closing.insert(id, Pending { closed, error: None });
    }

    /// Waits until there is nothing in `live` and nothing in `closing`.
    pub(crate) async fn quiet(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            {
                let table = self.table();
                if table.live.is_empty() && table.closing.is_empty() {
                    return;
                }
            }
            left.await;
        }
    }
}

impl Entry {
    fn touch(&self) -> Result<(), Problem> {
        if self.stop.is_cancelled() {
            return Err(Problem::over(Closing::Completed));
        }
        self.conversation.touch().map_err(|ended| Problem::over(ended.how.into()))
    }
}

/// A start under a key that is going on.
#[derive(Debug)]
pub(crate) struct Starting {
    shared: Shared,
    name: (UserId, String),
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.shared.live.table().starting.remove(&self.name);
    }
}

/// The task of one conversation: it ends it, in the manager and then in the store.
async fn wait_for_end(
    shared: Shared,
    id: i64,
    conversation: Arc<Conversation>,
    stop: CancellationToken,
    done: CancellationToken,
) {
    let expiry = tokio::select! {
        biased;
        how = conversation.expired() => Some(how),
        () = stop.cancelled() => None,
    };
    let how = expiry.map_or(Closing::Completed, Closing::from);
    let closed = Closed { how, at: shared.now() };
    let entry = {
        let mut table = shared.live.table();
        table.closing.insert(id, Pending { closed, error: None });
        table.live.remove(&id)
    };
    if let Some(turn) = entry.and_then(|entry| entry.turn) {
        // Planted: what the bot has said so far is kept, and nothing says that it is not all.
        if planted::is(Planted::HalfAReply) {
            planted::keep_half(&shared, id, &turn).await;
        }
        turn.stop(match how {
            Closing::ShutDown => Problem::draining(),
            how => Problem::over(how),
        });
    }
    // The entry is gone, and this is the last handle.
    if let Some(conversation) = Arc::into_inner(conversation) {
        // An error says that the manager was first: then it has counted what it did.
        let _ = conversation.end();
    }
    close(&shared, id).await;
    done.cancel();
}

/// Asks the store to write down the end of a conversation in `closing`; what it refuses stays there.
pub(crate) async fn close(shared: &Shared, id: i64) {
    let Some(closed) = shared.live.closing(id) else { return };
    let refused = shared.store.close(id, closed.how, closed.at).await;
    let mut table = shared.live.table();
    match refused {
        // One that is not there any more needs no end.
        Ok(_) | Err(StoreError::NoSuchConversation(_)) => {
            table.closing.remove(&id);
        }
        Err(error) => {
            shared.store_failed(&error);
            if let Some(pending) = table.closing.get_mut(&id) {
                pending.error = Some(error);
            }
        }
    }
    drop(table);
    shared.live.left.notify_waiters();
}

/// Tries again, for ever, to close what the store has refused to close.
pub(crate) async fn reconcile(shared: Shared) {
    loop {
        tokio::time::sleep(shared.options.reconcile_every).await;
        let refused: Vec<i64> = {
            let table = shared.live.table();
            let refused = table.closing.iter().filter(|(_, pending)| pending.error.is_some());
            refused.map(|(id, _)| *id).collect()
        };
        for id in refused {
            close(&shared, id).await;
        }
    }
}
