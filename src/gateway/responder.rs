//! The work of a turn: what the bot answers.
//!
//! A [`Responder`] is handed a [`Turn`] and says its reply in pieces, as they come, to a [`ReplySender`]. What it says
//! goes to whoever listens at once, and into the store when it is complete. Nobody has to listen: the client may have gone.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::gateway::progress::Progress;
use crate::request::UserId;
use crate::store::{Store, StoreError, StoredMessage};

/// The future of [`Responder::respond`].
pub type Responding<'a> = Pin<Box<dyn Future<Output = Result<(), ReplyError>> + Send + 'a>>;

/// Answers what users say.
///
/// The future is dropped where the reply is not wanted any more: its deadline is over, the conversation has ended, or the
/// gateway stops. It runs as a task of the gateway, one for each turn.
///
/// ```
/// use conversation_manager::gateway::{ReplySender, Responder, Responding, Turn};
///
/// /// Says everything twice.
/// struct Parrot;
///
/// impl Responder for Parrot {
///     fn respond<'a>(&'a self, turn: Turn, reply: ReplySender) -> Responding<'a> {
///         Box::pin(async move {
///             for _ in 0..2 {
///                 reply.send(&turn.text)?;
///                 tokio::task::yield_now().await;
///             }
///             Ok(())
///         })
///     }
/// }
/// ```
pub trait Responder: Send + Sync + 'static {
    /// Answers one turn. What was sent by the time it returns `Ok` is the reply.
    fn respond<'a>(&'a self, turn: Turn, reply: ReplySender) -> Responding<'a>;
}

/// What was said, where, and by whom.
#[derive(Clone)]
#[non_exhaustive]
pub struct Turn {
    /// The conversation, by its number in the store.
    pub conversation: i64,
    /// Whose it is.
    pub user: UserId,
    /// The room it takes place in.
    pub room: Option<Arc<str>>,
    /// What the user said.
    pub text: String,
    /// The number of that message in its conversation.
    pub seq: i64,
    pub(crate) store: Store,
}

impl Turn {
    /// What was said before this message, oldest first: the last `most` messages.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn history(&self, most: u32) -> Result<Vec<StoredMessage>, StoreError> {
        let after = self.seq.saturating_sub(1).saturating_sub(i64::from(most)).max(0);
        let mut before = self.store.messages(self.conversation, after, most).await?;
        before.retain(|message| message.seq < self.seq);
        Ok(before)
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("conversation", &self.conversation)
            .field("user", &self.user)
            .field("room", &self.room)
            .field("text", &self.text)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

/// Where the pieces of a reply go.
#[derive(Debug)]
pub struct ReplySender {
    progress: Arc<Progress>,
    most: usize,
}

impl ReplySender {
    pub(crate) fn new(progress: Arc<Progress>, most: usize) -> Self {
        Self { progress, most }
    }

    /// Says the next piece. It is with whoever listens at once; one who is slow gets several pieces in one.
    ///
    /// # Errors
    ///
    /// [`ReplyError::TooLong`] if the reply would be longer than the gateway allows.
    pub fn send(&self, piece: &str) -> Result<(), ReplyError> {
        if self.progress.say(piece, self.most) {
            Ok(())
        } else {
            Err(ReplyError::TooLong { most: self.most })
        }
    }
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// What would answer cannot be reached, or has no room; the same question can be asked again later.
    #[error("cannot answer now: {0}")]
    Unavailable(String),
    /// What would answer has failed.
    #[error("failed to answer: {0}")]
    Failed(String),
    /// The reply is longer than the gateway allows.
    #[error("the reply is longer than {most} bytes")]
    TooLong {
        /// Bytes that a reply may have.
        most: usize,
    },
}

/// Answers with what was said, word by word.
#[derive(Clone, Copy, Debug, Default)]
pub struct Echo;

impl Responder for Echo {
    fn respond<'a>(&'a self, turn: Turn, reply: ReplySender) -> Responding<'a> {
        Box::pin(async move {
            for word in turn.text.split_inclusive(char::is_whitespace) {
                reply.send(word)?;
            }
            Ok(())
        })
    }
}
