//! The manager and the store as a service: conversations over HTTP, with replies as server-sent events.
//!
//! # A tour
//!
//! ```no_run
//! use std::sync::Arc;
//! use conversation_manager::gateway::{Echo, Gateway, GatewayOptions, GatewayParts, TokenTable};
//! use conversation_manager::store::{Store, StoreOptions, SystemWallClock};
//! use conversation_manager::{ConversationManager, Limits};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let gateway = Gateway::new(GatewayParts {
//!     manager: ConversationManager::new(Limits::default())?,
//!     store: Store::spawn(StoreOptions::new("conversations.sqlite3"))?,
//!     wall_clock: Arc::new(SystemWallClock),
//!     responder: Arc::new(Echo),
//!     authenticator: Arc::new(TokenTable::new([("s3cret", "ada")])?),
//!     options: GatewayOptions::default(),
//! })?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let served = gateway.serve(listener, async { std::future::pending().await }).await?;
//! println!("{} conversations were cut off", served.drained.expired);
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | To | Look at |
//! |---|---|
//! | put one together | [`Gateway`], [`GatewayParts`], [`GatewayOptions`] |
//! | say what the bot answers | [`Responder`], [`Turn`], [`ReplySender`]; [`Echo`] for a start |
//! | know whose token it is | [`Authenticator`], [`TokenTable`] |
//! | serve something other than TCP | [`Listener`] |
//! | decide what a restart does | [`Recovery`] |
//! | read what is on the wire | [`Gateway::openapi`], [`Gateway::routes`], [`Code`] |
//!
//! # Contracts
//!
//! - **Acknowledged is committed.** A start is in the store before it is answered, a message before `accepted`, a reply
//!   before `done`, an end before it is answered.
//! - **Once.** Under one `Idempotency-Key` a start or a message takes effect once; the retry gets the answer of the first try.
//!   A turn goes on without its client: a retry in the meantime joins it. A start under way is 409 for a retry,
//!   since its place in the queue goes when its client does, and must not be lost by two.
//! - **A slot is given back** by an end, an expiry, a failed start, a client that goes while it waits; never held by a client that is gone,
//!   a reply that does not end, or a store that fails.
//! - **One's own.** A user reaches their own conversations; others' are not there (404) on every route.
//! - **Bounded**: connections, heads, bodies, replies, times, pages; see [`GatewayOptions`].
//! - **Nothing in the background** once the future of [`Gateway::serve`] is dropped.
//!
//! # Cost
//!
//! A live conversation has one task; a turn has another while it goes on, and its text and reply in memory. A connection has
//! a task and buffers of up to [`GatewayOptions::max_header_bytes`].

mod auth;
mod connection;
mod conversations;
mod extract;
mod listener;
mod live;
mod metrics;
mod options;
#[cfg(feature = "planted")]
pub mod planted;
#[cfg(not(feature = "planted"))]
mod planted;
mod problem;
mod progress;
mod recovery;
mod responder;
mod routes;
mod serve;
mod service;
mod start;
mod stream;
mod tasks;
mod turn;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

pub use auth::{Authenticating, Authenticator, InvalidTokens, TokenTable};
pub use listener::Listener;
pub use options::{GatewayOptions, InvalidGatewayOptions, Recovery};
pub use problem::Code;
pub use responder::{Echo, ReplyError, ReplySender, Responder, Responding, Turn};
pub use serve::{ServeError, Served};

use crate::manager::ConversationManager;
use crate::store::{Store, WallClock};
use service::{Service, Shared};

/// What a gateway is made of.
pub struct GatewayParts {
    /// Admits conversations. The gateway drives its expiry.
    pub manager: ConversationManager,
    /// Keeps them.
    pub store: Store,
    /// Tells the time of day that is written down.
    pub wall_clock: Arc<dyn WallClock>,
    /// Answers.
    pub responder: Arc<dyn Responder>,
    /// Knows whose a token is.
    pub authenticator: Arc<dyn Authenticator>,
    /// What is allowed.
    pub options: GatewayOptions,
}

impl fmt::Debug for GatewayParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayParts").field("options", &self.options).finish_non_exhaustive()
    }
}

/// A manager and a store as an HTTP service. The [module documentation](self) has a tour.
pub struct Gateway {
    shared: Shared,
}

impl Gateway {
    /// A gateway of these parts.
    ///
    /// # Errors
    ///
    /// If the options would let nobody through; see [`GatewayOptions::validate`].
    pub fn new(parts: GatewayParts) -> Result<Self, InvalidGatewayOptions> {
        let GatewayParts { manager, store, wall_clock, responder, authenticator, options } = parts;
        options.validate()?;
        Ok(Self {
            shared: Arc::new(Service {
                manager,
                store,
                wall: wall_clock,
                responder,
                authenticator,
                options,
                live: Default::default(),
                metrics: Default::default(),
                tasks: Default::default(),
                draining: Default::default(),
            }),
        })
    }

    /// Serves until `shutdown` completes and everything has come to its end.
    ///
    /// First, conversations that are open in the store are taken in again, or closed, as [`GatewayOptions::recovery`]
    /// says. After `shutdown` there are no new conversations, `/readyz` says so, and those that go on may go on for
    /// [`GatewayOptions::drain_time`]; then what is left is ended and closed in the store, and connections are closed when their
    /// answers are out. Dropping the future ends all of it at once, as a crash would: nothing of the gateway runs
    /// on, and what the store has acknowledged is there.
    ///
    /// # Errors
    ///
    /// [`ServeError::Recovery`], before anything is served.
    pub fn serve<L: Listener>(
        self,
        listener: L,
        shutdown: impl Future<Output = ()> + Send,
    ) -> impl Future<Output = Result<Served, ServeError>> + Send {
        serve::serve(self.shared, listener, shutdown)
    }

    /// The OpenAPI document, as `/openapi.json` serves it.
    pub const fn openapi() -> &'static str {
        routes::OPENAPI
    }

    /// Every route: its method, its path, and whether it needs a token.
    pub fn routes() -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        routes::list()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
