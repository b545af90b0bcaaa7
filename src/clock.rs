//! Time as the manager sees it: instants that only grow, and a way to sleep until one.
//!
//! The manager never asks the runtime for the time; it asks its [`Clock`]. [`TokioClock`] is the default
//! and follows tokio's paused time in tests. A service with a clock of its own implements two methods.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// A point in time: nanoseconds since the origin of the [`Clock`] that made it.
///
/// Timestamps of different clocks do not compare. Arithmetic saturates; [`Timestamp::MAX`] means "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);
    /// A point that is never reached, some 584 years after the origin.
    pub const MAX: Self = Self(u64::MAX);

    /// Nanoseconds since the origin of the clock.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since the origin of the clock.
    pub const fn since_origin(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// This point plus `duration`, or [`Timestamp::MAX`] if that is out of range.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        self.plus(saturating_nanos(duration))
    }

    /// The time from `earlier` to this point; zero if `earlier` is later.
    ///
    /// ```
    /// # use conversation_manager::Timestamp;
    /// # use std::time::Duration;
    /// let later = Timestamp(1_000).saturating_add(Duration::from_nanos(500));
    /// assert_eq!(later.saturating_since(Timestamp(1_000)), Duration::from_nanos(500));
    /// assert_eq!(Timestamp(1_000).saturating_since(later), Duration::ZERO);
    /// ```
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// [`Self::saturating_add`] for nanoseconds: one addition on the hot paths.
    pub(crate) const fn plus(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.since_origin())
    }
}

/// `duration` in nanoseconds; what does not fit is "never".
pub(crate) fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Where the manager gets its time from.
///
/// `now` must never go back (the manager holds time still rather than follow a clock that does), and
/// the future of `sleep_until` must not complete before `now` has reached the deadline. It may complete
/// late: whoever calls the manager in between still finds everything expired that was due.
///
/// A clock that a test moves by hand:
///
/// ```
/// use conversation_manager::{Clock, ConversationManager, Limits, Timestamp};
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::Duration;
///
/// #[derive(Clone, Default)]
/// struct ByHand(Arc<AtomicU64>);
///
/// impl Clock for ByHand {
///     type Sleep = std::future::Pending<()>; // nobody sleeps in this test
///     fn now(&self) -> Timestamp {
///         Timestamp(self.0.load(Ordering::SeqCst))
///     }
///     fn sleep_until(&self, _: Timestamp) -> Self::Sleep {
///         std::future::pending()
///     }
/// }
///
/// let clock = ByHand::default();
/// let manager = ConversationManager::with_clock(Limits::default(), clock.clone())?;
/// let conversation = manager.try_start("ada").unwrap();
/// clock.0.store(Duration::from_secs(300).as_nanos() as u64, Ordering::SeqCst);
/// assert!(conversation.touch().is_err(), "five idle minutes are the default limit");
/// # Ok::<(), conversation_manager::InvalidLimits>(())
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The future of [`Clock::sleep_until`].
    type Sleep: Future<Output = ()> + Send + 'static;

    /// The time now.
    fn now(&self) -> Timestamp;

    /// Completes once [`Clock::now`] has reached `deadline`.
    fn sleep_until(&self, deadline: Timestamp) -> Self::Sleep;
}

/// tokio's clock: real time, or the paused time of `tokio::time::pause` and `start_paused` tests.
///
/// Its origin is the moment of its creation. tokio's timers have a resolution of one millisecond, rounded
/// up, so a sleeper hears of a deadline up to a millisecond late; decisions themselves are exact.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: Instant,
}

impl TokioClock {
    /// A clock with its origin now. Under paused time, create it inside of the runtime.
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// The tokio instant of `timestamp`, where the platform can express it.
    pub fn instant(&self, timestamp: Timestamp) -> Option<Instant> {
        self.origin.checked_add(timestamp.since_origin())
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TokioClock {
    type Sleep = tokio::time::Sleep;

    fn now(&self) -> Timestamp {
        let elapsed = self.origin.elapsed();
        // Not `as_nanos`: that is 128-bit arithmetic on the hottest path there is.
        Timestamp(
            elapsed
                .as_secs()
                .saturating_mul(1_000_000_000)
                .saturating_add(u64::from(elapsed.subsec_nanos())),
        )
    }

    fn sleep_until(&self, deadline: Timestamp) -> Self::Sleep {
        // What tokio itself takes for "far in the future" when an instant cannot be expressed.
        const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);
        tokio::time::sleep_until(self.instant(deadline).unwrap_or_else(|| self.origin + FAR))
    }
}
