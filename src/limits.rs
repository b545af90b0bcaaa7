//! How many may talk, for how long, and how many may wait for it.
//!
//! [`Limits`] is plain data with public fields; it is judged once, where it enters a manager
//! ([`ConversationManager::new`](crate::ConversationManager::new),
//! [`resize`](crate::ConversationManager::resize)), by the builder, or when it is deserialised.

use std::time::Duration;

/// The limits of a manager.
///
/// ```
/// use conversation_manager::Limits;
/// use std::time::Duration;
///
/// let limits = Limits { max_concurrent: 50, ..Limits::default() };
/// assert_eq!(limits.max_per_user, 3);
///
/// // The builder also judges them:
/// let limits = Limits::builder().max_concurrent(50).idle_timeout(Duration::from_secs(90)).build()?;
/// let mistake = Limits::builder().max_per_user(0).build().unwrap_err();
/// assert_eq!(mistake.to_string(), "max_per_user is 0, but at least 1 is needed: nobody could ever start");
/// # Ok::<(), conversation_manager::InvalidLimits>(())
/// ```
///
/// With the feature `serde` (on by default), durations are written as people write them (`"5m"`, `"90s"`,
/// `"1m30s"`, `"500ms"`), fields left out have their defaults, and unknown fields and invalid limits are errors:
///
/// ```
/// # #[cfg(feature = "serde")] {
/// use conversation_manager::Limits;
///
/// let limits: Limits = toml::from_str(r#"
///     max_concurrent = 50
///     idle_timeout = "1m30s"
/// "#).unwrap();
/// assert_eq!(limits.idle_timeout.as_secs(), 90);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(deny_unknown_fields, try_from = "text::Unjudged")
)]
pub struct Limits {
    /// Conversations at a time, of all users. At least 1. Default: 10.
    pub max_concurrent: usize,
    /// Conversations at a time of one user. At least 1; more than `max_concurrent` is no limit. Default: 3.
    pub max_per_user: usize,
    /// A conversation ends when it was not touched for so long. More than 0; `Duration::MAX` is never. Default: 5 minutes.
    #[cfg_attr(feature = "serde", serde(with = "text"))]
    pub idle_timeout: Duration,
    /// A conversation ends when it lasted for so long. More than 0; `Duration::MAX` is never. Default: 10 minutes.
    #[cfg_attr(feature = "serde", serde(with = "text"))]
    pub max_duration: Duration,
    /// Requests that may wait for a slot. With 0 nobody waits. Default: 1000.
    pub max_waiting: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_concurrent: 10,
            max_per_user: 3,
            idle_timeout: Duration::from_secs(5 * 60),
            max_duration: Duration::from_secs(10 * 60),
            max_waiting: 1000,
        }
    }
}

impl Limits {
    /// The most that `max_concurrent` and `max_waiting` can be (2³⁰): the manager numbers its slots with 32 bits.
    pub const MOST: usize = 1 << 30;

    /// Starts from the defaults.
    pub fn builder() -> LimitsBuilder {
        LimitsBuilder { limits: Self::default() }
    }

    /// Judges the fields in the order of their declaration.
    ///
    /// # Errors
    ///
    /// The first field that cannot be, and why.
    pub fn validate(&self) -> Result<(), InvalidLimits> {
        let at_least_one = |field, value| {
            if value == 0 {
                Err(InvalidLimits::Zero { field, why: "nobody could ever start" })
            } else {
                Ok(())
            }
        };
        let countable = |field, value| {
            if value > Self::MOST {
                Err(InvalidLimits::TooMany { field, value, most: Self::MOST })
            } else {
                Ok(())
            }
        };
        let lasting = |field, value: Duration| {
            if value.is_zero() {
                Err(InvalidLimits::Zero { field, why: "every conversation would end as it starts" })
            } else {
                Ok(())
            }
        };
        at_least_one("max_concurrent", self.max_concurrent)?;
        countable("max_concurrent", self.max_concurrent)?;
        at_least_one("max_per_user", self.max_per_user)?;
        lasting("idle_timeout", self.idle_timeout)?;
        lasting("max_duration", self.max_duration)?;
        countable("max_waiting", self.max_waiting)
    }
}

/// Builds [`Limits`] field by field; see [`Limits::builder`].
#[derive(Clone, Debug)]
pub struct LimitsBuilder {
    limits: Limits,
}

impl LimitsBuilder {
    /// Sets [`Limits::max_concurrent`].
    #[must_use]
    pub fn max_concurrent(mut self, conversations: usize) -> Self {
        self.limits.max_concurrent = conversations;
        self
    }

    /// Sets [`Limits::max_per_user`].
    #[must_use]
    pub fn max_per_user(mut self, conversations: usize) -> Self {
        self.limits.max_per_user = conversations;
        self
    }

    /// Sets [`Limits::idle_timeout`].
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.limits.idle_timeout = timeout;
        self
    }

    /// Sets [`Limits::max_duration`].
    #[must_use]
    pub fn max_duration(mut self, duration: Duration) -> Self {
        self.limits.max_duration = duration;
        self
    }

    /// Sets [`Limits::max_waiting`].
    #[must_use]
    pub fn max_waiting(mut self, requests: usize) -> Self {
        self.limits.max_waiting = requests;
        self
    }

    /// The limits.
    ///
    /// # Errors
    ///
    /// As [`Limits::validate`].
    pub fn build(self) -> Result<Limits, InvalidLimits> {
        self.limits.validate()?;
        Ok(self.limits)
    }
}

/// Limits under which a manager could not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidLimits {
    /// A field that must not be 0 is.
    #[error("{field} is 0, but at least {} is needed: {why}", if field.starts_with("max_d") || field.starts_with("idle") { "1ns" } else { "1" })]
    Zero {
        /// The field of [`Limits`].
        field: &'static str,
        /// What would happen.
        why: &'static str,
    },
    /// A field is larger than the manager can count.
    #[error("{field} is {value}, but at most {most} can be counted")]
    TooMany {
        /// The field of [`Limits`].
        field: &'static str,
        /// Its value.
        value: usize,
        /// The largest possible value.
        most: usize,
    },
}

impl InvalidLimits {
    /// The field of [`Limits`] that is wrong.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::Zero { field, .. } | Self::TooMany { field, .. } => field,
        }
    }
}

/// Durations as people write them.
#[cfg(feature = "serde")]
mod text {
    use std::fmt;
    use std::time::Duration;

    use serde::de::{Error, Unexpected, Visitor};
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{InvalidLimits, Limits};

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        // humantime separates units with spaces and also reads them without: one word looks better in a file.
        serializer
            .serialize_str(&humantime::format_duration(*duration).to_string().replace(' ', ""))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        deserializer.deserialize_str(Text)
    }

    struct Text;

    impl Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a duration such as \"5m\", \"90s\", \"1m30s\" or \"500ms\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
            humantime::parse_duration(text)
                .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    /// What stands in the file, before it is judged.
    #[derive(Deserialize)]
    #[serde(rename = "Limits", deny_unknown_fields, default)]
    pub(super) struct Unjudged {
        max_concurrent: usize,
        max_per_user: usize,
        #[serde(with = "self")]
        idle_timeout: Duration,
        #[serde(with = "self")]
        max_duration: Duration,
        max_waiting: usize,
    }

    impl Default for Unjudged {
        fn default() -> Self {
            let Limits { max_concurrent, max_per_user, idle_timeout, max_duration, max_waiting } =
                Limits::default();
            Self { max_concurrent, max_per_user, idle_timeout, max_duration, max_waiting }
        }
    }

    impl TryFrom<Unjudged> for Limits {
        type Error = InvalidLimits;

        fn try_from(unjudged: Unjudged) -> Result<Self, InvalidLimits> {
            let Unjudged { max_concurrent, max_per_user, idle_timeout, max_duration, max_waiting } =
                unjudged;
            let limits =
                Self { max_concurrent, max_per_user, idle_timeout, max_duration, max_waiting };
            limits.validate()?;
            Ok(limits)
        }
    }
}
