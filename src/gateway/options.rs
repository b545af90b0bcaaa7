//! What a gateway allows of a client: sizes, times and numbers, all bounded, all with a default.
//!
//! [`GatewayOptions`] is plain data; it is judged once, when a gateway is made of it.

use std::time::Duration;

/// What a restarted gateway does with the conversations that were open when the one before it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recovery {
    /// They go on, oldest first, as far as the limits allow; the rest is closed as interrupted. A conversation that
    /// is resumed begins its idle time and its longest duration anew.
    #[default]
    Resume,
    /// All of them are closed as interrupted.
    Interrupt,
}

/// Bounds of a gateway. Every one is in force from the first connection on.
///
/// ```
/// use std::time::Duration;
/// use conversation_manager::gateway::GatewayOptions;
///
/// let options = GatewayOptions { max_body_bytes: 4096, ..GatewayOptions::default() };
/// assert!(options.validate().is_ok());
/// let options = GatewayOptions { turn_deadline: Duration::ZERO, ..options };
/// assert_eq!(options.validate().unwrap_err().field(), "turn_deadline");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayOptions {
    /// Open connections at most. Where all are taken, a new one takes the place of the one that has been without a
    /// request for longest; if all are at work, it waits outside until one is done. Default: 1024.
    pub max_connections: usize,
    /// Within this time the head of a request must have come, counted from the moment at which the connection is ready for it:
    /// it bounds slow heads and idle keep-alive connections alike. Default: 15 s.
    pub header_timeout: Duration,
    /// Bytes of a request's head at most, 8192 or more; more is answered with 431. Default: 16 KiB.
    pub max_header_bytes: usize,
    /// Header fields of a request at most; more is answered with 431. Default: 64.
    pub max_headers: usize,
    /// Within this time the body of a request must have come. Default: 15 s.
    pub body_timeout: Duration,
    /// Bytes of a request's body at most; more is answered with 413. Default: 64 KiB.
    pub max_body_bytes: usize,
    /// A connection that takes nothing of its answer for this long is closed. Default: 30 s.
    pub write_timeout: Duration,
    /// Within this time a request must be answered, or a stream begun; the time that a start asks to wait for a slot is added.
    /// Default: 30 s.
    pub request_timeout: Duration,
    /// The longest that a start may ask to wait for a slot. Default: 60 s.
    pub max_wait: Duration,
    /// What clients are told to wait before they try again, in whole seconds (rounded up). Default: 1 s.
    pub retry_after: Duration,
    /// A stream on which nothing happens says so this often. Default: 10 s.
    pub heartbeat: Duration,
    /// A reply must be complete within this time. Default: 120 s.
    pub turn_deadline: Duration,
    /// A responder must say something of its reply at least this often. Default: 60 s.
    pub turn_idle: Duration,
    /// Bytes of a reply at most. Default: 256 KiB.
    pub max_reply_bytes: usize,
    /// Conversations or messages on a page at most, and by default. Default: 100.
    pub max_page: u32,
    /// For how long conversations may go on once the gateway is told to stop. Default: 30 s.
    pub drain_time: Duration,
    /// For how long, after that, what is over is written down and answers are sent. Default: 5 s.
    pub close_time: Duration,
    /// What happens to conversations that were open at the last end. Default: [`Recovery::Resume`].
    pub recovery: Recovery,
    /// How often a closing that the store has refused is tried again. Default: 1 s.
    pub reconcile_every: Duration,
    /// How often the store is asked to prune what is past its retention or its size; `None`: never. Default: 60 s.
    pub prune_every: Option<Duration>,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            header_timeout: Duration::from_secs(15),
            max_header_bytes: 16 * 1024,
            max_headers: 64,
            body_timeout: Duration::from_secs(15),
            max_body_bytes: 64 * 1024,
            write_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(30),
            max_wait: Duration::from_secs(60),
            retry_after: Duration::from_secs(1),
            heartbeat: Duration::from_secs(10),
            turn_deadline: Duration::from_secs(120),
            turn_idle: Duration::from_secs(60),
            max_reply_bytes: 256 * 1024,
            max_page: 100,
            drain_time: Duration::from_secs(30),
            close_time: Duration::from_secs(5),
            recovery: Recovery::default(),
            reconcile_every: Duration::from_secs(1),
            prune_every: Some(Duration::from_secs(60)),
        }
    }
}

impl GatewayOptions {
    /// The longest that any of the times may be: a year.
    pub const LONGEST: Duration = Duration::from_secs(365 * 86_400);

    /// Whether a gateway can work with them.
    ///
    /// # Errors
    ///
    /// The first field that would let nobody through.
    pub fn validate(&self) -> Result<(), InvalidGatewayOptions> {
        let at_least = |field, value: usize, least: usize| {
            if value < least {
                Err(InvalidGatewayOptions::TooSmall { field, value, least })
            } else {
                Ok(())
            }
        };
        let bounded = |field, value: Duration| {
            if value > Self::LONGEST {
                Err(InvalidGatewayOptions::TooLong { field, value })
            } else {
                Ok(())
            }
        };
        let lasting = |field, value: Duration| {
            if value.is_zero() {
                Err(InvalidGatewayOptions::NoTime { field })
            } else {
                bounded(field, value)
            }
        };
        at_least("max_connections", self.max_connections, 1)?;
        // hyper panics below this.
        at_least("max_header_bytes", self.max_header_bytes, 8192)?;
        at_least("max_headers", self.max_headers, 8)?;
        at_least("max_body_bytes", self.max_body_bytes, 1)?;
        at_least("max_reply_bytes", self.max_reply_bytes, 1)?;
        at_least("max_page", self.max_page as usize, 1)?;
        lasting("header_timeout", self.header_timeout)?;
        lasting("body_timeout", self.body_timeout)?;
        lasting("write_timeout", self.write_timeout)?;
        lasting("request_timeout", self.request_timeout)?;
        lasting("heartbeat", self.heartbeat)?;
        lasting("turn_deadline", self.turn_deadline)?;
        lasting("turn_idle", self.turn_idle)?;
        lasting("reconcile_every", self.reconcile_every)?;
        lasting("prune_every", self.prune_every.unwrap_or(Self::LONGEST))?;
        bounded("max_wait", self.max_wait)?;
        bounded("retry_after", self.retry_after)?;
        bounded("drain_time", self.drain_time)?;
        bounded("close_time", self.close_time)
    }
}

/// Options that would let nobody through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidGatewayOptions {
    /// A number is too small.
    #[error("{field} is {value}, but at least {least} is needed")]
    TooSmall {
        /// The field.
        field: &'static str,
        /// What it is.
        value: usize,
        /// What it must be at least.
        least: usize,
    },
    /// A time is longer than [`GatewayOptions::LONGEST`].
    #[error("{field} is {value:?}, but at most a year can be waited for")]
    TooLong {
        /// The field.
        field: &'static str,
        /// What it is.
        value: Duration,
    },
    /// A time is zero.
    #[error("{field} is 0, but some time is needed")]
    NoTime {
        /// The field.
        field: &'static str,
    },
}

impl InvalidGatewayOptions {
    /// The name of the field.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::TooSmall { field, .. } | Self::TooLong { field, .. } | Self::NoTime { field } => {
                field
            }
        }
    }
}
