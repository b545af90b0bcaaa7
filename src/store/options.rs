//! How a store is opened.

#[cfg(unix)]
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// When a write is on the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Synchronous {
    /// Before it is acknowledged. What was acknowledged survives a crash of the machine.
    #[default]
    Full,
    /// At the next checkpoint. A crash of the process loses nothing; one of the machine may lose the last
    /// acknowledged writes. The file stays whole.
    Normal,
    /// When the operating system likes. A crash of the machine may lose writes and break the file: for tests that
    /// show that a lost sync is noticed.
    Off,
}

/// Makes durable that the files beside this path are there: what an `fsync` of their folder does.
///
/// SQLite does so for files that it creates, but does not look whether it worked, and not again when the first try failed and
/// the files are there by the next. On a file system that keeps names apart from contents, a crash then takes
/// everything that was acknowledged since.
#[derive(Clone, Copy, Debug)]
pub struct SyncNames(pub fn(&Path) -> std::io::Result<()>);

impl PartialEq for SyncNames {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl Eq for SyncNames {}

impl SyncNames {
    /// That of the host's own file systems. Those that know no sync of a folder are taken at their word.
    pub(super) const HOST: Self = Self(|path| {
        #[cfg(unix)]
        {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let synced = std::fs::File::open(folder.unwrap_or(Path::new(".")))
                .and_then(|folder| folder.sync_all());
            if let Err(error) = synced {
                /// A failing device; the number is the same on every Unix.
                const EIO: i32 = 5;
                let kind = error.kind();
                if error.raw_os_error() == Some(EIO)
                    || matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
                {
                    return Err(error);
                }
            }
        }
        #[cfg(not(unix))]
        let _ = path;
        Ok(())
    });
}

/// Where the store lies and how careful it is.
///
/// ```
/// use conversation_manager::store::{StoreOptions, Synchronous};
/// use std::time::Duration;
///
/// let options = StoreOptions::new("conversations.sqlite3")
///     .retention(Duration::from_secs(90 * 86_400))
///     .max_bytes(10_000_000_000)
///     .exclusive(true);
/// assert_eq!(options.synchronous, Synchronous::Full);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// The file of the database; beside it lie its write-ahead log (`-wal`) and, unless `exclusive`, the log's index
    /// (`-shm`). Created if missing; its folder is not.
    pub path: PathBuf,
    /// The name of the SQLite virtual file system to use, which must be registered before. `None` is the host's.
    pub vfs: Option<String>,
    /// How the names of files are made durable in that virtual file system; nothing is done where it is `None`. The host's knows
    /// by itself.
    pub sync_names: Option<SyncNames>,
    /// When a write is on the disk.
    pub synchronous: Synchronous,
    /// How long to wait for another process or connection that holds the database before it is
    /// [`Busy`](super::StoreError::Busy). An inline store does not wait.
    pub busy_timeout: Duration,
    /// How many bytes the contents may take. Beyond it starts and appends are [`Full`](super::StoreError::Full);
    /// closing still works. [`prune`](super::Store::prune) keeps a tenth of it free.
    pub max_bytes: Option<u64>,
    /// For how long a conversation is kept after it was closed, before [`prune`](super::Store::prune) removes it.
    pub retention: Option<Duration>,
    /// Locks the database for as long as the store lives: any other process or connection is told that it is busy. Needs
    /// no shared memory. A store with a `vfs` is always exclusive.
    pub exclusive: bool,
}

impl StoreOptions {
    /// The defaults for the database at `path`: fully synchronous, five seconds of patience with others, no bound, everything
    /// kept, not exclusive.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            vfs: None,
            sync_names: None,
            synchronous: Synchronous::default(),
            busy_timeout: Duration::from_secs(5),
            max_bytes: None,
            retention: None,
            exclusive: false,
        }
    }

    /// Sets [`vfs`](Self::vfs).
    #[must_use]
    pub fn vfs(mut self, name: impl Into<String>) -> Self {
        self.vfs = Some(name.into());
        self
    }

    /// Sets [`sync_names`](Self::sync_names).
    #[must_use]
    pub const fn sync_names(mut self, sync: fn(&Path) -> std::io::Result<()>) -> Self {
        self.sync_names = Some(SyncNames(sync));
        self
    }

    /// Sets [`synchronous`](Self::synchronous).
    #[must_use]
    pub const fn synchronous(mut self, synchronous: Synchronous) -> Self {
        self.synchronous = synchronous;
        self
    }

    /// Sets [`busy_timeout`](Self::busy_timeout).
    #[must_use]
    pub const fn busy_timeout(mut self, timeout: Duration) -> Self {
        self.busy_timeout = timeout;
        self
    }

    /// Sets [`max_bytes`](Self::max_bytes).
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// Sets [`retention`](Self::retention).
    #[must_use]
    pub const fn retention(mut self, retention: Duration) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Sets [`exclusive`](Self::exclusive).
    #[must_use]
    pub const fn exclusive(mut self, exclusive: bool) -> Self {
        self.exclusive = exclusive;
        self
    }
}

impl Default for StoreOptions {
    /// [`StoreOptions::new`] for `conversations.sqlite3` in the working directory.
    fn default() -> Self {
        Self::new("conversations.sqlite3")
    }
}
