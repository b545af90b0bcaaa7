//! Who wants to talk, and where: the names that a conversation carries.
//!
//! Names are shared strings (`Arc<str>`): copying one is a reference count, so they can stand in the
//! handle, in the table and in a snapshot at once.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The name of a user, as the limits count them. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(transparent))]
pub struct UserId(
    #[cfg_attr(feature = "serde", serde(serialize_with = "serialize_text"))] pub(crate) Arc<str>,
);

#[cfg(feature = "serde")]
fn serialize_text<S: serde::Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

#[cfg(feature = "serde")]
pub(crate) fn serialize_optional_text<S: serde::Serializer>(
    text: &Option<Arc<str>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serde::Serialize::serialize(&text.as_deref(), serializer)
}

impl UserId {
    /// A user of this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&str> for UserId {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for UserId {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<Arc<str>> for UserId {
    fn from(name: Arc<str>) -> Self {
        Self(name)
    }
}

impl From<&UserId> for UserId {
    fn from(user: &UserId) -> Self {
        user.clone()
    }
}

impl AsRef<str> for UserId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The number of a conversation: 1, 2, 3, ... in the order in which a manager started them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct ConversationId(pub u64);

impl fmt::Display for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A wish to start a conversation: a user, and where they speak.
///
/// Only the user counts for the limits; room and thread are carried along for whoever looks at the
/// conversation.
///
/// ```
/// use conversation_manager::{ConversationManager, Limits, StartRequest};
///
/// let manager = ConversationManager::new(Limits::default())?;
/// let conversation = manager.try_start(StartRequest::new("ada").room("#ops").thread("deploy")).unwrap();
/// assert_eq!(conversation.room(), Some("#ops"));
/// // Where the user is all there is to say, a name will do:
/// let another = manager.try_start("ada").unwrap();
/// assert_eq!(another.room(), None);
/// # Ok::<(), conversation_manager::InvalidLimits>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartRequest {
    pub(crate) user: UserId,
    pub(crate) place: Place,
}

/// Where a conversation takes place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) room: Option<Arc<str>>,
    pub(crate) thread: Option<Arc<str>>,
}

impl StartRequest {
    /// A conversation of `user`.
    pub fn new(user: impl Into<UserId>) -> Self {
        Self { user: user.into(), place: Place::default() }
    }

    /// The room (channel, chat) it takes place in.
    #[must_use]
    pub fn room(mut self, room: impl Into<Arc<str>>) -> Self {
        self.place.room = Some(room.into());
        self
    }

    /// The thread within the room.
    #[must_use]
    pub fn thread(mut self, thread: impl Into<Arc<str>>) -> Self {
        self.place.thread = Some(thread.into());
        self
    }
}

impl From<UserId> for StartRequest {
    fn from(user: UserId) -> Self {
        Self::new(user)
    }
}

impl From<&UserId> for StartRequest {
    fn from(user: &UserId) -> Self {
        Self::new(user.clone())
    }
}

impl From<&str> for StartRequest {
    fn from(user: &str) -> Self {
        Self::new(user)
    }
}

impl From<String> for StartRequest {
    fn from(user: String) -> Self {
        Self::new(user)
    }
}
