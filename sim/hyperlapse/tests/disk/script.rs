//! A database that is written to, and what is looked for in it afterwards.

use hyperlapse::Streams;
use hyperlapse::disk::{self, Disk, DiskOptions, Mounted};
use rusqlite::{Connection, OpenFlags};

/// How SQLite is asked to keep what it is given, and how much that is.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    pub locking: &'static str,
    pub journal: &'static str,
    pub synchronous: &'static str,
    pub transactions: u32,
}

/// Every transaction becomes durable before it is acknowledged.
pub const DURABLE: Script =
    Script { locking: "EXCLUSIVE", journal: "WAL", synchronous: "FULL", transactions: 10 };

/// A transaction is committed by deleting its journal.
pub const JOURNAL: Script = Script { locking: "NORMAL", journal: "DELETE", ..DURABLE };

/// Each transaction writes so many rows, so that a half one can be told from a whole one.
const PARTS: u32 = 3;

/// A disk of this seed, mounted on this thread.
pub fn disk(seed: u64, options: DiskOptions) -> (Disk, Mounted) {
    let disk = Disk::new("server", &Streams::new(seed), options).unwrap();
    let mounted = disk.mount().unwrap();
    (disk, mounted)
}

pub fn open(disk: &Disk, script: Script) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let database = Connection::open_with_flags_and_vfs(disk.path("app.db"), flags, disk::VFS)?;
    database.execute_batch(&format!("PRAGMA locking_mode = {}", script.locking))?;
    // The answer comes before the change is committed; who takes one row and no more, as rusqlite's shorter ways do,
    // never hears that it failed, and goes on with a journal.
    let mut mode = database.prepare(&format!("PRAGMA journal_mode = {}", script.journal))?;
    let mut rows = mode.query([])?;
    while let Some(row) = rows.next()? {
        assert_eq!(row.get::<_, String>(0)?.to_uppercase(), script.journal);
    }
    drop(rows);
    drop(mode);
    // The log is written back into the database every few transactions, so that crashes meet that too.
    database.execute_batch(&format!(
        "PRAGMA synchronous = {};
         PRAGMA wal_autocheckpoint = 12;
         PRAGMA cache_size = 20;
         CREATE TABLE IF NOT EXISTS parts (n INTEGER, part INTEGER, text TEXT, UNIQUE (n, part));",
        script.synchronous
    ))?;
    Ok(database)
}

/// Longer than a page for some, so that a transaction is several pages of table and of index.
fn text(n: u32, part: u32) -> String {
    format!("{n}-{part} ").repeat(20 + (n as usize * 37 + part as usize * 101) % 900)
}

/// One transaction: rows are added, and those of an old one are written again, the same.
pub fn transaction(database: &mut Connection, n: u32) -> rusqlite::Result<()> {
    let transaction = database.transaction()?;
    for part in 0..PARTS {
        let row = (n, part, text(n, part));
        transaction.prepare_cached("INSERT INTO parts VALUES (?1, ?2, ?3)")?.execute(row)?;
    }
    let again = "UPDATE parts SET text = text || '' WHERE n = ?1";
    transaction.prepare_cached(again)?.execute([n / 2])?;
    transaction.commit()
}

/// Plays the script from transaction `from` until something fails: how many are acknowledged, and what failed.
pub fn play(disk: &Disk, script: Script, from: u32) -> (u32, Option<rusqlite::Error>) {
    let mut database = match open(disk, script) {
        Ok(database) => database,
        Err(error) => return (from, Some(error)),
    };
    for n in from..script.transactions {
        if let Err(error) = transaction(&mut database, n) {
            return (n, Some(error));
        }
    }
    (script.transactions, None)
}

/// What is wrong with a database after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It cannot be read, or its own check does not pass.
    Corrupt,
    /// Transactions are missing that were acknowledged.
    Lost,
    /// A transaction is there in part, or with other contents, or without one before it.
    Half,
}

/// Opens the database again and looks what is in it: how many transactions.
pub fn check(disk: &Disk, script: Script, acknowledged: u32) -> Result<u32, Trouble> {
    let there = read(disk, script).map_err(|_| Trouble::Corrupt)?.ok_or(Trouble::Half)?;
    if there < acknowledged { Err(Trouble::Lost) } else { Ok(there) }
}

/// How many transactions there are, one after the other and each of them whole; `None` when they are not.
fn read(disk: &Disk, script: Script) -> rusqlite::Result<Option<u32>> {
    let database = open(disk, script)?;
    let sound: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if sound != "ok" {
        return Err(rusqlite::Error::InvalidQuery);
    }
    let mut rows = database.prepare("SELECT n, part, text FROM parts ORDER BY n, part")?;
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows: Vec<(u32, u32, String)> = rows.collect::<Result<_, _>>()?;
    let expected = |at: u32| (at / PARTS, at % PARTS, text(at / PARTS, at % PARTS));
    let whole = (rows.len() as u32).is_multiple_of(PARTS)
        && rows.iter().enumerate().all(|(at, row)| *row == expected(at as u32));
    Ok(whole.then_some(rows.len() as u32 / PARTS))
}
