//! What a request says, read within its bounds: size, time, type, form.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use super::planted::{self, Planted};
use super::problem::{Code, Problem};
use super::service::Shared;
use crate::request::UserId;

/// The longest idempotency key.
pub(crate) const LONGEST_KEY: usize = 200;

/// Whose request it is. Put there by [`authenticate`](super::routes::authenticate), and only there.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) UserId);

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    /// A route that nobody guards lets nobody in.
    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::new(Code::Unauthorized, "nobody asked who you are"))
    }
}

/// The token of `Authorization: Bearer TOKEN`.
pub(crate) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The number in the path. What is no number is no conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id(pub(crate) i64);

impl FromRequestParts<Shared> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, Problem> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Problem::not_found());
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(id) if digits && id > 0 => Ok(Self(id)),
            _ => Err(Problem::not_found()),
        }
    }
}

/// `Idempotency-Key`, if there is one.
#[derive(Clone, Debug)]
pub(crate) struct Key(pub(crate) Option<String>);

impl FromRequestParts<Shared> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        // Planted: every try is the first.
        if planted::is(Planted::KeysForgotten) {
            return Ok(Self(None));
        }
        let mut values = parts.headers.get_all("idempotency-key").iter();
        let Some(value) = values.next() else { return Ok(Self(None)) };
        let key = value.as_bytes();
        let fits = (1..=LONGEST_KEY).contains(&key.len());
        if values.next().is_some() || !fits || !key.iter().all(u8::is_ascii_graphic) {
            let detail =
                format!("one key of 1 to {LONGEST_KEY} visible ASCII characters is expected");
            return Err(Problem::new(Code::InvalidKey, detail));
        }
        Ok(Self(Some(String::from_utf8_lossy(key).into_owned())))
    }
}

/// The query, all of it known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        serde_urlencoded::from_str(parts.uri.query().unwrap_or_default())
            .map(Self)
            .map_err(|error| Problem::new(Code::InvalidQuery, error.to_string()))
    }
}

/// The body as JSON.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Problem> {
        let (is_json, bytes) = read(request, state).await?;
        parse(is_json, &bytes).map(Self)
    }
}

/// The body as JSON, or nothing at all.
#[derive(Debug)]
pub(crate) struct MaybeJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<Shared> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Problem> {
        let (is_json, bytes) = read(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        parse(is_json, &bytes).map(|body| Self(Some(body)))
    }
}

async fn read(request: Request, state: &Shared) -> Result<(bool, Vec<u8>), Problem> {
    let most = state.options.max_body_bytes;
    let too_large =
        || Problem::new(Code::BodyTooLarge, format!("a body of at most {most} bytes is expected"));
    let is_json = is_json(request.headers());
    let said = request.headers().get(header::CONTENT_LENGTH);
    let said = said.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), most).collect();
    match tokio::time::timeout(state.options.body_timeout, body).await {
        Err(_) => Err(Problem::new(Code::BodyTimedOut, "the body did not come in time")),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(Code::InvalidJson, "the body broke off")),
        Ok(Ok(body)) => Ok((is_json, body.to_bytes().to_vec())),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn parse<T: DeserializeOwned>(is_json: bool, bytes: &[u8]) -> Result<T, Problem> {
    if !is_json {
        let detail = "a body of `Content-Type: application/json` is expected";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let code = if error.is_data() { Code::InvalidBody } else { Code::InvalidJson };
        Problem::new(code, error.to_string())
    })
}
