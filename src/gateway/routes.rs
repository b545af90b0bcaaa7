//! The routes as one table, and what every request passes on its way in and out.

use std::time::{Duration, UNIX_EPOCH};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Json, Router};
use serde_json::json;

use super::conversations;
use super::extract::{Caller, bearer_token};
use super::metrics::Levels;
use super::problem::{Code, Problem};
use super::service::Shared;
use super::start;
use crate::store::UnixMillis;

/// The document that describes the routes.
pub(crate) const OPENAPI: &str = include_str!("openapi.json");

/// A method, a path, whether it needs a token, and what answers.
struct Route {
    method: &'static str,
    path: &'static str,
    guarded: bool,
    answers: MethodRouter<Shared>,
}

macro_rules! routes {
    ($($method:ident $path:literal $guarded:ident => $handler:path;)*) => {
        vec![$(Route {
            method: stringify!($method),
            path: $path,
            guarded: routes!($guarded),
            answers: on(MethodFilter::$method, $handler),
        },)*]
    };
    (token) => { true };
    (open) => { false };
}

fn table() -> Vec<Route> {
    routes! {
        POST   "/v1/conversations"               token => start::start;
        GET    "/v1/conversations"               token => conversations::list;
        GET    "/v1/conversations/{id}"          token => conversations::show;
        DELETE "/v1/conversations/{id}"          token => conversations::end;
        GET    "/v1/conversations/{id}/messages" token => conversations::messages;
        POST   "/v1/conversations/{id}/messages" token => conversations::send;
        POST   "/v1/conversations/{id}/touch"    token => conversations::touch;
        POST   "/v1/conversations/{id}/end"      token => conversations::end;
        GET    "/v1/stats"                       token => stats;
        GET    "/healthz"                        open  => healthz;
        GET    "/readyz"                         open  => readyz;
        GET    "/metrics"                        open  => metrics;
        GET    "/openapi.json"                   open  => openapi;
    }
}

/// Every route: method, path, and whether it needs a token.
pub(crate) fn list() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
    table().into_iter().map(|route| (route.method, route.path, route.guarded))
}

pub(crate) fn router(shared: &Shared) -> Router {
    let mut router = Router::new();
    for route in table() {
        let mut answers = route.answers;
        // A start bounds its own time: it may have asked to wait.
        if (route.method, route.path) != ("POST", "/v1/conversations") {
            answers = answers.layer(from_fn_with_state(shared.clone(), within_time));
        }
        if route.guarded {
            answers = answers.layer(from_fn_with_state(shared.clone(), authenticate));
        }
        router = router.route(route.path, answers);
    }
    router
        .fallback(async || Problem::new(Code::NoSuchRoute, "there is no such path"))
        .method_not_allowed_fallback(async || {
            Problem::new(Code::MethodNotAllowed, "the path does not have this method")
        })
        .layer(from_fn_with_state(shared.clone(), account))
        .with_state(shared.clone())
}

/// Lets in whoever has a token, and says to what comes after whose it is.
pub(crate) async fn authenticate(
    State(shared): State<Shared>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let no = || Problem::new(Code::Unauthorized, "a bearer token that is known is expected");
    let token = bearer_token(request.headers()).ok_or_else(no)?;
    let user = shared.authenticator.authenticate(token).await.ok_or_else(no)?;
    request.extensions_mut().insert(Caller(user));
    Ok(next.run(request).await)
}

/// Bounds the time until an answer begins; a stream goes on for as long as its turn.
async fn within_time(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    tokio::time::timeout(shared.options.request_timeout, next.run(request))
        .await
        .map_err(|_| Problem::new(Code::TimedOut, "there was no answer in time"))
}

/// Counts the answer, and tells when to come again.
async fn account(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let method = known(request.method());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    let route = path.as_ref().map_or("unknown", MatchedPath::as_str);
    shared.metrics.request(method, route, response.status().as_u16());
    if response.extensions().get::<Code>().is_some_and(|code| code.is_retryable()) {
        let wait = &shared.options.retry_after;
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    let date = date(shared.now());
    let headers = response.headers_mut();
    headers.extend(date.map(|date| (header::DATE, date)));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The time of day as a header; none for one that no calendar of HTTP's has.
fn date(now: UnixMillis) -> Option<HeaderValue> {
    // After the year 9999 there is no date in the format, and httpdate panics.
    const LAST: u64 = 253_402_300_799_999;
    let millis = u64::try_from(now.0).ok().filter(|millis| *millis <= LAST)?;
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(millis));
    HeaderValue::from_str(&date).ok()
}

/// Methods of clients' own making are one.
fn known(method: &Method) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "POST", "DELETE", "HEAD", "PUT", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// `GET /v1/stats`
async fn stats(State(shared): State<Shared>, _: Caller) -> Result<Response, Problem> {
    let totals = shared.store.totals().await.map_err(|error| shared.store_failed(&error))?;
    let stats = json!({
        "manager": shared.manager.stats(),
        "store": totals,
        "live": shared.live.len(),
        "unclosed": shared.live.unclosed(),
        "connections": shared.metrics.connections(),
        "draining": shared.is_draining(),
    });
    Ok(Json(stats).into_response())
}

/// `GET /healthz`: the process answers.
async fn healthz() -> Response {
    Json(json!({ "status": "ok" })).into_response()
}

/// `GET /readyz`: more conversations may come.
async fn readyz(State(shared): State<Shared>) -> Result<Response, Problem> {
    if shared.is_draining() {
        return Err(Problem::draining());
    }
    Ok(Json(json!({ "status": "ready" })).into_response())
}

/// `GET /metrics`
async fn metrics(State(shared): State<Shared>) -> Response {
    let levels = Levels {
        stats: shared.manager.stats(),
        unclosed: shared.live.unclosed(),
        draining: shared.is_draining(),
    };
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let text = shared.metrics.text(&levels);
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], text).into_response()
}

/// `GET /openapi.json`
async fn openapi() -> Response {
    let kind = HeaderValue::from_static("application/json");
    (StatusCode::OK, [(header::CONTENT_TYPE, kind)], OPENAPI).into_response()
}
