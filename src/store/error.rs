//! What can go wrong with the store, typed: what a caller did, what the database is, what the disk says.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use super::model::Closing;

/// Why the store did not do what it was asked to.
///
/// A write that got an error was not acknowledged. It is not in the store, with one exception: after [`Io`](Self::Io) and
/// [`Stopped`](Self::Stopped) it may be, if the disk took it and then did not say so. Try again under the same key, and it
/// will be there once.
///
/// The store works on after any of these, as soon as their cause is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no conversation of this number; it may have been pruned.
    #[error("there is no conversation {0}")]
    NoSuchConversation(i64),
    /// The conversation has no message of this number to reply to.
    #[error("conversation {conversation} has no message {seq} to reply to")]
    NoSuchMessage {
        /// The conversation.
        conversation: i64,
        /// What was to be replied to.
        seq: i64,
    },
    /// The conversation takes no more messages.
    #[error("conversation {0} is closed: {1}")]
    Closed(i64, Closing),
    /// The same key names something else already.
    #[error("the key `{key}` was used before with other content, for {first}")]
    KeyReused {
        /// The key.
        key: String,
        /// The number of the conversation, or of the message in its conversation, that it names.
        first: i64,
    },
    /// The message has another reply already.
    #[error(
        "message {reply_to} of conversation {conversation} has a reply already, message {reply}"
    )]
    AlreadyReplied {
        /// The conversation.
        conversation: i64,
        /// The message that was to be replied to.
        reply_to: i64,
        /// The reply that it has.
        reply: i64,
    },
    /// A text is larger than the database can hold in one row (a gigabyte).
    #[error("the message is larger than the database can hold in one row")]
    TooLarge,
    /// Another process or connection holds the database, and did so for the whole of the busy timeout.
    #[error("the database is held by another process or connection")]
    Busy,
    /// The disk is full, or the contents have reached [`max_bytes`](super::StoreOptions::max_bytes).
    #[error("the disk is full, or the store has reached its largest size")]
    Full,
    /// The file or its folder cannot be written to.
    #[error("the database is read-only")]
    ReadOnly,
    /// The file is not a database, or a broken one. It is left as it is.
    #[error("the database is broken: {detail}")]
    Corrupt {
        /// What SQLite or the store found.
        detail: String,
    },
    /// The file is a database of some other application. It is left as it is.
    #[error("{path} is the database of another application (its id is {application_id:#x})", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it has for `application_id`; 0 is none.
        application_id: i32,
    },
    /// The file was written by a later release. It is left as it is.
    #[error("the database has schema {found}, this release knows {known} and earlier ones")]
    NewerSchema {
        /// The version in the file.
        found: i64,
        /// The latest that is known here.
        known: i64,
    },
    /// The file cannot be opened or created.
    #[error("cannot open {path}: {detail}", path = path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// What SQLite or the operating system says.
        detail: String,
    },
    /// The disk failed to read, write or sync.
    #[error("the disk failed: {detail} (SQLite's code {code})")]
    Io {
        /// What SQLite says.
        detail: String,
        /// SQLite's extended result code.
        code: i32,
    },
    /// No memory is left for SQLite.
    #[error("SQLite is out of memory")]
    OutOfMemory,
    /// The store was shut down, or its thread is gone.
    #[error("the store has stopped")]
    Stopped,
    /// A bug of the store: SQLite refused what it was told, and nothing of it was done.
    #[error("SQLite refused a statement: {detail} (code {code})")]
    Refused {
        /// What SQLite says.
        detail: String,
        /// SQLite's extended result code.
        code: i32,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's doing other than waiting or making room: busy, full, a
    /// failing disk, no memory.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::Full | Self::Io { .. } | Self::OutOfMemory)
    }

    /// A short label that stays the same between releases, for metrics: `"busy"`, `"full"`, ...
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoSuchConversation(_) => "no such conversation",
            Self::NoSuchMessage { .. } => "no such message",
            Self::Closed(..) => "closed",
            Self::KeyReused { .. } => "key reused",
            Self::AlreadyReplied { .. } => "already replied",
            Self::TooLarge => "too large",
            Self::Busy => "busy",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Corrupt { .. } => "corrupt",
            Self::Foreign { .. } => "foreign",
            Self::NewerSchema { .. } => "newer schema",
            Self::CannotOpen { .. } => "cannot open",
            Self::Io { .. } => "io",
            Self::OutOfMemory => "out of memory",
            Self::Stopped => "stopped",
            Self::Refused { .. } => "refused",
        }
    }
}

/// What an error of SQLite means to a caller.
pub(super) fn typed(error: rusqlite::Error) -> StoreError {
    use rusqlite::Error as E;
    match error {
        E::SqliteFailure(failure, message) => {
            let detail = message.unwrap_or_else(|| failure.to_string());
            let code = failure.extended_code;
            match failure.code {
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed => StoreError::Busy,
                ErrorCode::DiskFull => StoreError::Full,
                // The file was moved or deleted under us: nobody is to think that it is a matter of permissions.
                ErrorCode::ReadOnly if code == rusqlite::ffi::SQLITE_READONLY_DBMOVED => {
                    StoreError::Io { detail, code }
                }
                ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
                    StoreError::Corrupt { detail }
                }
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::NoLargeFileSupport => StoreError::Io { detail, code },
                ErrorCode::TooBig => StoreError::TooLarge,
                ErrorCode::OutOfMemory => StoreError::OutOfMemory,
                _ => StoreError::Refused { detail, code },
            }
        }
        // What a text longer than 2^31 - 1 bytes is told, before SQLite sees it.
        E::ToSqlConversionFailure(_) => StoreError::TooLarge,
        // The tables are strict, so a value that cannot be read was not written by us.
        error @ (E::FromSqlConversionFailure(..)
        | E::IntegralValueOutOfRange(..)
        | E::InvalidColumnType(..)
        | E::Utf8Error(..)) => StoreError::Corrupt { detail: error.to_string() },
        other => StoreError::Refused { detail: other.to_string(), code: -1 },
    }
}
