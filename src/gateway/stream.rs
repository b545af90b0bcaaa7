//! A turn as server-sent events: `accepted`, any number of `delta`, and `done` or `error`.
//!
//! Data is JSON on one line. Where nothing happens, a comment says that the stream is alive; how long a stream may last
//! is bounded by its turn.

use std::convert::Infallible;
use std::sync::Arc;

use axum::http::{HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;

use super::problem::Problem;
use super::progress::{Ear, Heard, Outcome, Progress};
use super::service::Shared;

/// Answers with the turn as it goes on: a problem if it was not accepted, a stream of events if it was.
pub(crate) async fn answer(shared: &Shared, progress: Arc<Progress>) -> Result<Response, Problem> {
    let mut ear = Ear::default();
    let first = progress.hear(&mut ear).await;
    if let Heard::Over(Outcome::Failed(problem)) = first {
        return Err(problem);
    }
    let listener = Listener { progress, ear, next: Some(first), over: false };
    let events = stream::unfold(listener, |mut listener| async move {
        let event = listener.next().await?;
        Some((Ok::<_, Infallible>(event), listener))
    });
    let alive = KeepAlive::new().interval(shared.options.heartbeat).text("alive");
    let mut response = Sse::new(events).keep_alive(alive).into_response();
    // Proxies that gather answers before they pass them on would hold back the stream.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

struct Listener {
    progress: Arc<Progress>,
    ear: Ear,
    next: Option<Heard>,
    over: bool,
}

impl Listener {
    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        let heard = match self.next.take() {
            Some(heard) => heard,
            None => self.progress.hear(&mut self.ear).await,
        };
        self.over = matches!(heard, Heard::Over(_));
        Some(event(&heard))
    }
}

fn event(heard: &Heard) -> Event {
    let (name, data) = match heard {
        Heard::Accepted(seq) => ("accepted", json!({ "seq": seq })),
        Heard::Delta(text) => ("delta", json!({ "text": text })),
        Heard::Over(Outcome::Done(seq)) => ("done", json!({ "seq": seq })),
        Heard::Over(Outcome::Failed(problem)) => {
            let mut data = json!({ "code": problem.code.as_str(), "message": problem.detail });
            // A client that hears of the end here may find nobody to ask any more.
            if let Some(closing) = problem.closing {
                data["closing"] = json!(closing);
            }
            ("error", data)
        }
    };
    Event::default().event(name).data(data.to_string())
}
