//! The handlers under `/v1/conversations`, but for the start.
//!
//! Each takes a [`Caller`] and shows what is theirs; what is somebody else's is not there.

use std::sync::Arc;

use axum::Json as JsonAnswer;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::extract::{Caller, Id, Json, Key, Query};
use super::live::{Claim, Ending, close};
use super::planted::{self, Planted};
use super::problem::{Code, Problem};
use super::progress::{Outcome, Progress};
use super::service::Shared;
use super::{stream, turn};
use crate::store::{
    Closed, Closing, Role, StoreError, StoredConversation, StoredMessage, UnixMillis,
};

/// A conversation as its owner sees it.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    id: i64,
    room: Option<String>,
    state: &'static str,
    closing: Option<Closing>,
    started_at: UnixMillis,
    active_at: UnixMillis,
    closed_at: Option<UnixMillis>,
    messages: i64,
}

impl View {
    /// `closing` is what the store may not know yet.
    pub(crate) fn new(stored: StoredConversation, closing: Option<Closed>) -> Self {
        let closed = stored.closed.or(closing);
        Self {
            id: stored.id,
            room: stored.room,
            state: if closed.is_some() { "closed" } else { "open" },
            closing: closed.map(|closed| closed.how),
            started_at: stored.started_at,
            active_at: stored.active_at,
            closed_at: closed.map(|closed| closed.at),
            messages: stored.messages,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    after: Option<i64>,
    limit: Option<u32>,
}

impl PageQuery {
    fn judge(&self, shared: &Shared) -> Result<(i64, u32), Problem> {
        let most = shared.options.max_page;
        let limit = self.limit.unwrap_or(most);
        if limit == 0 || limit > most {
            let detail = format!("limit: 1 to {most} is expected");
            return Err(Problem::new(Code::InvalidQuery, detail));
        }
        let after = self.after.unwrap_or(0);
        if after < 0 {
            return Err(Problem::new(Code::InvalidQuery, "after: 0 or more is expected"));
        }
        Ok((after, limit))
    }
}

#[derive(Debug, Serialize)]
struct Conversations {
    conversations: Vec<View>,
    /// What to ask for as `after` to get the next page; `null` on the last.
    next: Option<i64>,
}

/// `GET /v1/conversations`
pub(crate) async fn list(
    State(shared): State<Shared>,
    Caller(user): Caller,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = page.judge(&shared)?;
    let found = shared.store.conversations_of(user.as_str(), after, limit).await;
    let found = found.map_err(|error| shared.store_failed(&error))?;
    let is_full = found.len() >= limit as usize;
    let next = found.last().map(|last| last.id).filter(|_| is_full);
    let view = |stored: StoredConversation| {
        let closing = shared.live.closing(stored.id);
        View::new(stored, closing)
    };
    let conversations = found.into_iter().map(view).collect();
    Ok(JsonAnswer(Conversations { conversations, next }).into_response())
}

/// What the store knows of a conversation of the caller's.
async fn find(
    shared: &Shared,
    Caller(user): &Caller,
    id: i64,
) -> Result<StoredConversation, Problem> {
    let stored = shared.store.conversation(id).await;
    let stored = stored.map_err(|error| shared.store_failed(&error))?;
    stored.filter(|stored| stored.user == user.as_str()).ok_or_else(Problem::not_found)
}

/// `GET /v1/conversations/{id}`
pub(crate) async fn show(
    State(shared): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<Response, Problem> {
    // Looked at first: what leaves it in between is closed in the store by then.
    let closing = shared.live.closing(id);
    let stored = find(&shared, &caller, id).await?;
    Ok(JsonAnswer(View::new(stored, closing)).into_response())
}

/// A message as the owner of its conversation sees it.
#[derive(Debug, Serialize)]
struct MessageView {
    seq: i64,
    role: Role,
    text: String,
    reply_to: Option<i64>,
    at: UnixMillis,
}

impl From<StoredMessage> for MessageView {
    fn from(message: StoredMessage) -> Self {
        let StoredMessage { seq, role, text, reply_to, at, .. } = message;
        Self { seq, role, text, reply_to, at }
    }
}

#[derive(Debug, Serialize)]
struct Messages {
    messages: Vec<MessageView>,
    /// What to ask for as `after` to get the next page; `null` on the last.
    next: Option<i64>,
}

/// `GET /v1/conversations/{id}/messages`
pub(crate) async fn messages(
    State(shared): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Query(page): Query<PageQuery>,
) -> Result<Response, Problem> {
    let (after, limit) = page.judge(&shared)?;
    // Planted: nobody asks whose it is.
    if !planted::is(Planted::TokenUnchecked) {
        find(&shared, &caller, id).await?;
    }
    let found = shared.store.messages(id, after, limit).await;
    let found = found.map_err(|error| shared.store_failed(&error))?;
    let is_full = found.len() >= limit as usize;
    let next = found.last().map(|last| last.seq).filter(|_| is_full);
    let messages = found.into_iter().map(MessageView::from).collect();
    Ok(JsonAnswer(Messages { messages, next }).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SendBody {
    text: String,
}

/// `POST /v1/conversations/{id}/messages`
pub(crate) async fn send(
    State(shared): State<Shared>,
    caller: Caller,
    Id(id): Id,
    Key(key): Key,
    Json(SendBody { text }): Json<SendBody>,
) -> Result<Response, Problem> {
    if text.is_empty() {
        return Err(Problem::new(Code::InvalidBody, "text: something is expected"));
    }
    let progress = match shared.live.claim(id, &caller.0, key.as_deref(), &text) {
        Claim::New(progress, room) => {
            let question = turn::Question { conversation: id, user: caller.0, room };
            turn::begin(&shared, question, progress.clone());
            progress
        }
        Claim::Joined(progress) => progress,
        Claim::No(problem) => return Err(problem),
        Claim::NotLive(closing) => {
            let stored = find(&shared, &caller, id).await?;
            match kept_turn(&shared, id, key.as_deref(), &text).await? {
                Some(progress) => progress,
                None => return Err(not_live(&stored, closing)),
            }
        }
    };
    stream::answer(&shared, progress).await
}

/// The answer that a turn under this key had, in a conversation that is over.
async fn kept_turn(
    shared: &Shared,
    id: i64,
    key: Option<&str>,
    text: &str,
) -> Result<Option<Arc<Progress>>, Problem> {
    let Some(key) = key else { return Ok(None) };
    let kept = shared.store.turn(id, key).await.map_err(|error| shared.store_failed(&error))?;
    let Some(kept) = kept else { return Ok(None) };
    if kept.asked.text != text {
        return Err(Problem::key_reused());
    }
    let Some(reply) = kept.reply else { return Ok(None) };
    let progress = Progress::new(None, String::new());
    progress.accept(kept.asked.seq);
    progress.say(&reply.text, usize::MAX);
    progress.finish(Outcome::Done(reply.seq));
    Ok(Some(Arc::new(progress)))
}

/// Why a conversation that is in the store is not to be talked in.
fn not_live(stored: &StoredConversation, closing: Option<Closed>) -> Problem {
    match stored.closed.or(closing) {
        Some(closed) => Problem::over(closed.how),
        // Written down and not yet taken in: its start has not been answered either.
        None => Problem::new(Code::StartInProgress, "the start of the conversation is going on"),
    }
}

/// `POST /v1/conversations/{id}/touch`
pub(crate) async fn touch(
    State(shared): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    match shared.live.touch(id, &caller.0) {
        Ok(touched) => touched.map(|()| StatusCode::NO_CONTENT),
        Err(closing) => {
            let stored = find(&shared, &caller, id).await?;
            Err(not_live(&stored, closing))
        }
    }
}

/// `POST /v1/conversations/{id}/end` and `DELETE /v1/conversations/{id}`
pub(crate) async fn end(
    State(shared): State<Shared>,
    caller: Caller,
    Id(id): Id,
) -> Result<StatusCode, Problem> {
    let closing = match shared.live.end(id, &caller.0)? {
        Ending::Asked(done) => {
            done.cancelled().await;
            None
        }
        Ending::NotLive(closing) => {
            let stored = find(&shared, &caller, id).await?;
            let Some(closed) = stored.closed.or(closing) else {
                return Err(not_live(&stored, closing));
            };
            if closed.how != Closing::Completed {
                return Err(Problem::over(closed.how));
            }
            closing
        }
    };
    if closing.is_some() {
        // The second try at an end that the store has refused to write down.
        close(&shared, id).await;
    }
    match shared.live.close_error(id) {
        Some(error) => Err(unclosed(&error)),
        None => Ok(StatusCode::NO_CONTENT),
    }
}

/// The slot is free, and the end is not written down yet.
fn unclosed(error: &StoreError) -> Problem {
    let problem = Problem::of_store(error);
    let detail = format!("{}; the end is written down as soon as it can be", problem.detail);
    Problem { detail, ..problem }
}
