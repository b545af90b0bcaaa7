//! Every way in which the gateway says no, as `application/problem+json` (RFC 9457) with a code that stays the same.
//!
//! [`Code`] is the whole list: a status and a name for each. The OpenAPI document is held to it by a test.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::refusal::{Expiry, Refused};
use crate::store::{Closing, StoreError};

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, $status:ident, $retry:literal;)*) => {
        /// What a client can tell problems apart by.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])* $name,)*
        }

        impl Code {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name on the wire; it stays the same between releases.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The status of an answer with it. What comes up in the middle of a stream comes as an event instead.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)* }
            }

            /// Whether the same request may succeed later, so that the answer has a `Retry-After`.
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$name => $retry,)* }
            }
        }
    };
}

codes! {
    /// The body is no JSON.
    InvalidJson = "invalid_json", BAD_REQUEST, false;
    /// The query has a parameter that is unknown or has no meaning.
    InvalidQuery = "invalid_query", BAD_REQUEST, false;
    /// The idempotency key is empty, too long, there twice, or not of visible ASCII characters.
    InvalidKey = "invalid_key", BAD_REQUEST, false;
    /// No token, or nobody's.
    Unauthorized = "unauthorized", UNAUTHORIZED, false;
    /// There is no such conversation, or not of this user.
    NotFound = "not_found", NOT_FOUND, false;
    /// There is no such path.
    NoSuchRoute = "no_such_route", NOT_FOUND, false;
    /// The path has no such method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, false;
    /// The body did not come in time.
    BodyTimedOut = "body_timed_out", REQUEST_TIMEOUT, false;
    /// Another turn of the conversation is going on.
    TurnInProgress = "turn_in_progress", CONFLICT, true;
    /// A start under the same key is going on.
    StartInProgress = "start_in_progress", CONFLICT, true;
    /// The key was used before, with other content.
    KeyReused = "key_reused", CONFLICT, false;
    /// The conversation is over.
    ConversationOver = "conversation_over", GONE, false;
    /// The body is too large.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, false;
    /// The body is said to be something other than JSON.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, false;
    /// The body is JSON, and not what is expected.
    InvalidBody = "invalid_body", UNPROCESSABLE_ENTITY, false;
    /// As many conversations as may be are active.
    GlobalLimit = "global_limit", TOO_MANY_REQUESTS, true;
    /// The user has as many conversations as one may have.
    UserLimit = "user_limit", TOO_MANY_REQUESTS, true;
    /// As many requests as may wait for a slot do.
    QueueFull = "queue_full", TOO_MANY_REQUESTS, true;
    /// No slot became free in the time that the request was willing to wait.
    WaitTimedOut = "wait_timed_out", TOO_MANY_REQUESTS, true;
    /// The gateway is stopping.
    Draining = "draining", SERVICE_UNAVAILABLE, true;
    /// The store is busy or its disk fails for the moment.
    StoreBusy = "store_busy", SERVICE_UNAVAILABLE, true;
    /// The store is full.
    StoreFull = "store_full", SERVICE_UNAVAILABLE, true;
    /// There was no answer in time.
    TimedOut = "timed_out", SERVICE_UNAVAILABLE, true;
    /// What would answer cannot be reached. The message is kept: the same key asks again.
    ReplyUnavailable = "reply_unavailable", SERVICE_UNAVAILABLE, true;
    /// The reply was not complete in time, or its responder fell silent. The message is kept: the same key asks again.
    ReplyTimedOut = "reply_timed_out", SERVICE_UNAVAILABLE, true;
    /// What would answer has failed. The message is kept: the same key asks again.
    ReplyFailed = "reply_failed", INTERNAL_SERVER_ERROR, false;
    /// The reply would be longer than it may be.
    ReplyTooLong = "reply_too_long", INTERNAL_SERVER_ERROR, false;
    /// The store is broken or read-only.
    StoreFailed = "store_failed", INTERNAL_SERVER_ERROR, false;
    /// A fault of the gateway.
    Internal = "internal", INTERNAL_SERVER_ERROR, false;
}

/// A "no": its code and what there is to say about it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: String,
    /// How the conversation ended, where that is the problem.
    pub(crate) closing: Option<Closing>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), closing: None }
    }

    /// The same for what is not there and for what is somebody else's.
    pub(crate) fn not_found() -> Self {
        Self::new(Code::NotFound, "there is no such conversation")
    }

    pub(crate) fn over(how: Closing) -> Self {
        let detail = match how {
            Closing::Completed => "the conversation has ended",
            Closing::Failed => "the conversation has failed",
            Closing::ExpiredIdle => "the conversation was idle for too long",
            Closing::ExpiredDuration => "the conversation reached its longest duration",
            Closing::ShutDown => "the service was shut down before the conversation was over",
            Closing::Interrupted => "the conversation was interrupted by a crash of the service",
        };
        Self { code: Code::ConversationOver, detail: detail.into(), closing: Some(how) }
    }

    pub(crate) fn draining() -> Self {
        Self::new(Code::Draining, "the service is shutting down")
    }

    pub(crate) fn key_reused() -> Self {
        Self::new(Code::KeyReused, "this idempotency key was used before, with other content")
    }

    /// The names of files and the words of the database are not for clients.
    pub(crate) fn of_store(error: &StoreError) -> Self {
        match error {
            StoreError::NoSuchConversation(_) => Self::not_found(),
            StoreError::Closed(_, how) => Self::over(*how),
            StoreError::KeyReused { .. } => Self::key_reused(),
            StoreError::TooLarge => {
                Self::new(Code::BodyTooLarge, "the message is larger than can be kept")
            }
            StoreError::Full => Self::new(Code::StoreFull, "there is no room for more"),
            error if error.is_transient() => {
                Self::new(Code::StoreBusy, "the store cannot take it at the moment")
            }
            StoreError::Stopped => Self::draining(),
            _ => Self::new(Code::StoreFailed, "the store has failed"),
        }
    }

    pub(crate) fn of_refusal(refused: &Refused) -> Self {
        match refused {
            Refused::GlobalLimit { .. } => Self::new(Code::GlobalLimit, refused.to_string()),
            Refused::UserLimit { .. } => Self::new(Code::UserLimit, refused.to_string()),
            Refused::QueueFull { .. } => Self::new(Code::QueueFull, refused.to_string()),
            Refused::TimedOut { .. } => Self::new(Code::WaitTimedOut, refused.to_string()),
            Refused::ShuttingDown => Self::draining(),
        }
    }
}

impl From<Expiry> for Closing {
    fn from(how: Expiry) -> Self {
        match how {
            Expiry::Idle => Self::ExpiredIdle,
            Expiry::MaxDuration => Self::ExpiredDuration,
            Expiry::ShutDown => Self::ShutDown,
        }
    }
}

/// The body of a problem.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    closing: Option<Closing>,
}

impl IntoResponse for Problem {
    /// `Retry-After` is added on the way out, where the options are known.
    fn into_response(self) -> Response {
        let status = self.code.status();
        let document = Document {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.code.as_str(),
            detail: &self.detail,
            closing: self.closing,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.code == Code::Unauthorized {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self.code);
        response
    }
}
