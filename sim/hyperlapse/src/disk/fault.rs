//! Operations of a disk, and what may happen to them: the seam between a disk and whoever decides on its faults.
//!
//! A disk asks for each operation, before it is done. The rates of [`super::FaultRates`] are drawn when the hook has
//! nothing to say, so that a run can have both.

use std::time::Duration;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DiskOpKind {
    /// A file is opened, perhaps created.
    Open,
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// A file is given another length.
    Truncate,
    /// What was written to a file is made durable.
    Sync,
    /// The names in a directory are made durable.
    SyncDirectory,
    /// A file is deleted.
    Delete,
}

impl DiskOpKind {
    /// All of them.
    pub const ALL: [DiskOpKind; 7] = [
        DiskOpKind::Open,
        DiskOpKind::Read,
        DiskOpKind::Write,
        DiskOpKind::Truncate,
        DiskOpKind::Sync,
        DiskOpKind::SyncDirectory,
        DiskOpKind::Delete,
    ];

    /// What it is called in reports.
    pub const fn text(self) -> &'static str {
        match self {
            DiskOpKind::Open => "open",
            DiskOpKind::Read => "read",
            DiskOpKind::Write => "write",
            DiskOpKind::Truncate => "truncate",
            DiskOpKind::Sync => "sync",
            DiskOpKind::SyncDirectory => "directory sync",
            DiskOpKind::Delete => "delete",
        }
    }

    /// Whether it changes what is on the disk.
    pub const fn changes(self) -> bool {
        matches!(self, DiskOpKind::Write | DiskOpKind::Truncate | DiskOpKind::Delete)
    }
}

/// An operation that is about to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskOp<'a> {
    /// What it does.
    pub kind: DiskOpKind,
    /// The name of the file on its disk, or of the directory; empty for a file without a name.
    pub file: &'a str,
    /// Where in the file it begins, in bytes; the new length of a truncated file.
    pub offset: u64,
    /// How many bytes it is about; of a sync those that it would make durable.
    pub length: u64,
    /// How many operations of this disk were before it.
    pub index: u64,
}

/// What happens to an operation. One that makes no sense for its kind does not strike, and is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DiskFault {
    /// It fails. Of a failed write the seed decides how many sectors at its beginning are there; what a failed sync
    /// was to make durable is read back as before and never becomes durable (Linux takes it for clean from then on).
    Error,
    /// It finds no room: a write, or an open that would create a file.
    Full,
    /// A sync says that it has made everything durable, and has not. A later honest one does.
    Lie,
    /// Of what a read is about one bit has flipped, for good.
    Rot,
    /// It takes this much longer.
    Slow(Duration),
    /// The power goes off in the middle of it: what it changes is as if it had been written and never synced.
    PowerCut,
}

impl DiskFault {
    /// Whether it means something for operations of this kind.
    pub const fn strikes(self, kind: DiskOpKind) -> bool {
        match self {
            DiskFault::Error | DiskFault::Slow(_) | DiskFault::PowerCut => true,
            DiskFault::Full => matches!(kind, DiskOpKind::Write | DiskOpKind::Open),
            DiskFault::Lie => matches!(kind, DiskOpKind::Sync | DiskOpKind::SyncDirectory),
            DiskFault::Rot => matches!(kind, DiskOpKind::Read),
        }
    }
}

/// Who decides what happens to operations: asked once for each, in order.
///
/// ```
/// use hyperlapse::Streams;
/// use hyperlapse::disk::{Disk, DiskFault, DiskOp, DiskOpKind, DiskOptions};
///
/// let disk = Disk::new("server", &Streams::new(7), DiskOptions::default())?;
/// let file = disk.create("log")?;
/// // The second sync fails.
/// let mut syncs = 0;
/// disk.set_faults(move |op: &DiskOp<'_>| {
///     syncs += u32::from(op.kind == DiskOpKind::Sync);
///     (op.kind == DiskOpKind::Sync && syncs == 2).then_some(DiskFault::Error)
/// });
/// file.write_at(0, b"one")?;
/// assert!(file.sync().is_ok());
/// assert!(file.sync().is_err());
/// # Ok::<(), hyperlapse::disk::DiskError>(())
/// ```
pub trait DiskFaults: Send {
    /// What happens to this operation; nothing where it is `None`. It is called with the disk locked and must not
    /// use that disk.
    fn on(&mut self, op: &DiskOp<'_>) -> Option<DiskFault>;
}

impl<F: FnMut(&DiskOp<'_>) -> Option<DiskFault> + Send> DiskFaults for F {
    fn on(&mut self, op: &DiskOp<'_>) -> Option<DiskFault> {
        self(op)
    }
}
