//! What can go wrong on a simulated disk.

use super::DiskOpKind;

/// Why an operation of a simulated disk came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiskError {
    /// There is no file of this name.
    #[error("there is no file {0}")]
    NoSuchFile(String),
    /// A fault: the operation failed.
    #[error("input/output error: {kind} of {file}", kind = .kind.text())]
    Io {
        /// What failed.
        kind: DiskOpKind,
        /// The file.
        file: String,
    },
    /// No room is left for it.
    #[error("no space left on the disk for a {kind} of {file}", kind = .kind.text())]
    Full {
        /// What found no room.
        kind: DiskOpKind,
        /// The file.
        file: String,
    },
    /// The disk can only be read.
    #[error("the disk is read-only: no {kind} of {file}", kind = .kind.text())]
    ReadOnly {
        /// What would have changed it.
        kind: DiskOpKind,
        /// The file.
        file: String,
    },
    /// The handle is of a process that a crash ended.
    #[error("{0} was opened before the host crashed: whoever opened it is no more")]
    Dead(String),
    /// The power is off.
    #[error("the power of host {0} is off: expected a restart first")]
    NoPower(String),
    /// A file would become longer than an address allows.
    #[error("{0} would be longer than memory can hold")]
    TooLong(String),
    /// Another handle has a lock that excludes the one asked for.
    #[error("{0} is locked")]
    Locked(String),
    /// A disk that cannot be, or a host's name that no path can hold.
    #[error("{field} of a disk is {value}: expected {expected}")]
    Invalid {
        /// What it is.
        field: &'static str,
        /// What it was set to.
        value: String,
        /// What it can be.
        expected: &'static str,
    },
    /// A disk of this host is mounted on this thread already.
    #[error("a disk of host {0} is mounted on this thread already")]
    AlreadyMounted(String),
    /// SQLite cannot be given the virtual file system in this process.
    #[error("SQLite does not take the simulated disk: {0}")]
    Sqlite(&'static str),
}
