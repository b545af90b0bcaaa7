//! The time of day, for what is kept: when a message was said, when a conversation was closed.
//!
//! The manager's [`Clock`](crate::Clock) only grows and starts anew with each process; what lies on a disk needs a
//! time that means the same tomorrow. It may jump, forwards and backwards, so nothing is ordered by it: the order of
//! messages is their number, and only retention compares it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time of day: milliseconds since the first of January 1970, UTC. Negative before.
///
/// ```
/// use conversation_manager::store::UnixMillis;
/// use std::time::Duration;
///
/// let at = UnixMillis(1_700_000_000_000);
/// assert_eq!(at.saturating_add(Duration::from_secs(1)), UnixMillis(1_700_000_001_000));
/// assert_eq!(at.saturating_sub(Duration::MAX), UnixMillis(i64::MIN));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This time plus `duration`, cut to whole milliseconds; the latest that there is if that is out of range.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(whole_millis(duration)))
    }

    /// This time less `duration`, cut to whole milliseconds; the earliest that there is if that is out of range.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        match i64::try_from(duration.as_millis()) {
            Ok(millis) => Self(self.0.saturating_sub(millis)),
            Err(_) => Self(i64::MIN),
        }
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// `duration` in milliseconds, as much of it as fits.
fn whole_millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Where the time of day comes from: the host in production, a story in a simulation.
///
/// ```
/// use conversation_manager::store::{UnixMillis, WallClock};
///
/// /// Always the same noon.
/// struct Noon;
///
/// impl WallClock for Noon {
///     fn now(&self) -> UnixMillis {
///         UnixMillis(1_700_000_000_000)
///     }
/// }
/// assert_eq!(Noon.now(), UnixMillis(1_700_000_000_000));
/// ```
pub trait WallClock: Send + Sync {
    /// The time of day now. It may be earlier than the last answer.
    fn now(&self) -> UnixMillis;
}

/// The host's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemWallClock;

impl WallClock for SystemWallClock {
    fn now(&self) -> UnixMillis {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => UnixMillis(whole_millis(since)),
            Err(before) => UnixMillis(-whole_millis(before.duration())),
        }
    }
}
