//! A simulated disk, and an unmodified SQLite on it.
//!
//! What a service says is kept must be there after a crash at any instant, on a disk that is slow, full, failing or
//! lying. A [`Disk`] is the disk of one simulated host: files in memory that know what of them is *durable*. Each run
//! has its own, every fault comes from the run's seed, and time is added up and never spent.
//!
//! ```
//! use hyperlapse::Streams;
//! use hyperlapse::disk::{self, Disk, DiskOptions};
//! use rusqlite::{Connection, OpenFlags};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = Disk::new("server", &Streams::new(7), DiskOptions::default())?;
//! let _mounted = disk.mount()?; // on this thread, until it is dropped
//! let open = || -> rusqlite::Result<Connection> {
//!     let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
//!     let database = Connection::open_with_flags_and_vfs(disk.path("app.db"), flags, disk::VFS)?;
//!     database.execute_batch(
//!         "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL",
//!     )?;
//!     Ok(database)
//! };
//!
//! let database = open()?;
//! database.execute_batch("CREATE TABLE kept (n INTEGER); INSERT INTO kept VALUES (1)")?;
//! disk.crash();
//! assert!(database.execute("INSERT INTO kept VALUES (2)", []).is_err()); // a dead process
//! drop(database);
//! let kept: i64 = open()?.query_row("SELECT sum(n) FROM kept", [], |row| row.get(0))?;
//! assert_eq!(kept, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is durable
//!
//! - What is written is read back at once by everybody, and is durable when a sync of that file has come back. So are
//!   changes of its length.
//! - A file's *name* (that it was created, that it was deleted) is durable when its directory has been synced, as POSIX
//!   has it for `fsync`; syncing a directory makes all names in it durable. SQLite's own files for Unix sync the
//!   directory with the first sync of a new journal or write-ahead log, and after a deletion when SQLite asks for it;
//!   here it is the same.
//! - At a crash each unsynced write is kept, lost or torn by itself, so later ones may survive earlier ones;
//!   [`Tearing`] says how badly. Of the names that a file had since its directory was synced any one may be what is
//!   left.
//! - Overwriting bytes leaves the bytes beside them alone (SQLite calls it powersafe overwrite and assumes it by
//!   default), unless [`DiskOptions::powersafe_overwrite`] is switched off.
//! - A deletion is whole or was not, and what was synced stays what it was: what SQLite assumes of hardware in
//!   *Atomic Commit In SQLite* (section 2). [`DiskFault::Lie`] and [`DiskFault::Rot`] break that on purpose.
//!
//! The crash states are those of Pillai et al., *All File Systems Are Not Created Equal* (OSDI 2014), without the
//! orders that single file systems add; what a failed sync leaves is that of Rebello et al., *Can Applications Recover
//! from fsync Failures?* (USENIX ATC 2020).
//!
//! # What it costs
//!
//! An operation takes a lock that nobody else wants and copies its bytes twice: about half a microsecond for a page.
//! Every file is held twice (as it reads, and as it would be after a crash), unsynced writes once more.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `files` | names and contents, durable or not |
//! | `crash` | what a crash leaves of what was not synced |
//! | `lock` | SQLite's locks between connections |
//! | `options` | how a disk behaves: latency, space, rates of faults |
//! | `fault` | operations and what may happen to them: the seam for faults |
//! | `decided` | the faults of a scenario, through that seam |
//! | `machine` | one operation: power, faults, latency, counts |
//! | `stats` | what a disk has done |
//! | `moved` | the same by file, and how a run hears of it: `Sim::show_disk` |
//! | `handle` | [`Disk`] and [`DiskFile`] |
//! | `mount` | which disks a thread sees |
//! | `sqlite` | the virtual file system, and what SQLite asks of a process |

mod crash;
mod decided;
mod error;
mod fault;
mod files;
mod handle;
mod lock;
mod machine;
mod mount;
mod moved;
mod options;
mod sqlite;
mod stats;

pub use decided::PowerCuts;
pub use error::DiskError;
pub use fault::{DiskFault, DiskFaults, DiskOp, DiskOpKind};
pub use handle::{Disk, DiskFile};
pub use mount::{Mounted, sync_names};
pub use options::{DiskOptions, FaultRates, Latency, Tearing};
pub use sqlite::VFS;
pub use stats::{Crash, DiskStats};
