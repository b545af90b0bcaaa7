//! `POST /v1/conversations`: a slot first, then the store, and both or neither.
//!
//! Until there is a slot the start is its client's, and goes when the client does. From then on it is a task of the
//! gateway: it takes effect whether or not anybody is there to hear of it.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tokio::sync::oneshot;

use super::conversations::View;
use super::extract::{Caller, Key, MaybeJson, Query};
use super::live::{Live, Starting};
use super::planted::{self, Planted};
use super::problem::{Code, Problem};
use super::service::Shared;
use crate::conversation::Conversation;
use crate::request::StartRequest;
use crate::store::{NewConversation, StoredConversation};

/// The longest name of a room, in characters.
const LONGEST_ROOM: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartQuery {
    /// Seconds.
    wait: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StartBody {
    room: Option<String>,
}

/// `POST /v1/conversations`
pub(crate) async fn start(
    State(shared): State<Shared>,
    caller: Caller,
    Key(key): Key,
    Query(StartQuery { wait }): Query<StartQuery>,
    MaybeJson(body): MaybeJson<StartBody>,
) -> Result<Response, Problem> {
    let wait = Duration::from_secs(wait.unwrap_or(0).into());
    if wait > shared.options.max_wait {
        let detail =
            format!("wait: at most {} seconds are expected", shared.options.max_wait.as_secs());
        return Err(Problem::new(Code::InvalidQuery, detail));
    }
    let room = body.unwrap_or_default().room;
    if room.as_ref().is_some_and(|room| room.is_empty() || room.chars().count() > LONGEST_ROOM) {
        let detail = format!("room: 1 to {LONGEST_ROOM} characters are expected");
        return Err(Problem::new(Code::InvalidBody, detail));
    }
    let patience = shared.options.request_timeout + wait;
    let started = try_to_start(&shared, caller, key, wait, room);
    match tokio::time::timeout(patience, started).await {
        Ok(answer) => answer,
        Err(_) => {
            Err(Problem::new(Code::TimedOut, "the conversation could not be started in time"))
        }
    }
}

async fn try_to_start(
    shared: &Shared,
    Caller(user): Caller,
    key: Option<String>,
    wait: Duration,
    room: Option<String>,
) -> Result<Response, Problem> {
    // A second try must not join the first one, which gives its place in the queue back if its client goes away: it is
    // told to come again.
    let starting = match &key {
        Some(key) => Some(Live::starting(shared, &user, key).ok_or_else(|| {
            Problem::new(Code::StartInProgress, "a start under this key is going on")
        })?),
        None => None,
    };
    // Before a slot is asked for: a start that has taken effect has its slot already.
    if let Some(key) = &key {
        let first = shared.store.started(user.as_str(), key).await;
        if let Some(first) = first.map_err(|error| shared.store_failed(&error))? {
            if first.room != room {
                return Err(Problem::key_reused());
            }
            return Ok(started(StatusCode::OK, shared, first));
        }
    }
    let mut request = StartRequest::new(&user);
    if let Some(room) = &room {
        request = request.room(room.as_str());
    }
    // Dropped here, if the client goes away: then the place goes to the next.
    let slot = match wait.is_zero() {
        true => shared.manager.try_start(request),
        // Planted: the wait goes on without its client, and what comes of it is lost with them.
        false if planted::is(Planted::SlotForNobody) => {
            let (manager, request) = (shared.manager.clone(), request.clone());
            let (tell, told) = oneshot::channel();
            shared.tasks.spawn(async move {
                if let Err(Ok(unheard)) = tell.send(manager.start_within(request, wait).await) {
                    planted::lose(unheard);
                }
            });
            told.await.map_err(|_| Problem::draining())?
        }
        false => shared.manager.start_within(request, wait).await,
    };
    let slot = slot.map_err(|refused| shared.refused(&refused))?;
    // From here on it takes effect whether or not the client is there to hear of it.
    let new = NewConversation { user: user.as_str().to_owned(), room, key, at: shared.now() };
    let (tell, told) = oneshot::channel();
    let work = commit_start(shared.clone(), slot, new, starting);
    shared.tasks.spawn(async move {
        let _ = tell.send(work.await);
    });
    let (status, stored) = told.await.map_err(|_| Problem::draining())??;
    Ok(started(status, shared, stored))
}

/// Writes a start down and takes the conversation in; without the first there is no second.
async fn commit_start(
    shared: Shared,
    slot: Conversation,
    new: NewConversation,
    starting: Option<Starting>,
) -> Result<(StatusCode, StoredConversation), Problem> {
    let outcome = shared.store.start(new.clone()).await;
    let answer = match outcome {
        // Started under this key by another process, between our look and now: that one has the slot.
        Ok(begun) if begun.replayed => {
            drop(slot);
            let first = shared.store.conversation(begun.id).await;
            let first = first.map_err(|error| shared.store_failed(&error))?;
            Ok((StatusCode::OK, first.ok_or_else(Problem::not_found)?))
        }
        Ok(begun) => {
            Live::admit(&shared, begun.id, slot);
            let stored = StoredConversation {
                id: begun.id,
                user: new.user,
                room: new.room,
                key: new.key,
                started_at: new.at,
                active_at: new.at,
                messages: 0,
                closed: None,
            };
            Ok((StatusCode::CREATED, stored))
        }
        Err(error) => {
            // The slot is free at once. If nobody waits for it longer, so much the better.
            let _ = slot.fail("the store has refused the start");
            Err(shared.store_failed(&error))
        }
    };
    drop(starting);
    answer
}

fn started(status: StatusCode, shared: &Shared, stored: StoredConversation) -> Response {
    let location = format!("/v1/conversations/{}", stored.id);
    let closing = shared.live.closing(stored.id);
    let mut response = (status, Json(View::new(stored, closing))).into_response();
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}
