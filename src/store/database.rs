//! The connection, and how writes are committed on it: a group of them in one transaction, each for itself.
//!
//! Each write of a group stands in a savepoint, so one that fails leaves the others as they are; one alone needs none. Nobody is answered before
//! the group is committed; if that fails, everybody hears why and nothing of it is stored. SQLite may also answer an error in
//! the middle (a full disk) by rolling the whole transaction back: then the writes are done again, each in a transaction
//! of its own, and only those that fail by themselves fail.

use std::time::Duration;

use rusqlite::{Connection, Params};
use tokio::sync::oneshot;

use super::error::{StoreError, typed};
use super::open;
use super::options::StoreOptions;

/// More than any file can have; SQLite cuts it to what it knows.
const ANY_NUMBER: u64 = u32::MAX as u64 - 1;

/// A bound below this would leave no room for the tables themselves.
const FEWEST_PAGES: u64 = 32;

/// A write that waits for its group to be committed. It may be applied more than once, after a rollback.
pub(super) trait Write: Send {
    /// Does it, keeps the result for later, and tells whether it went well.
    fn apply(&mut self, database: &Database) -> bool;
    /// Answers the caller: with the result of the last `apply`, or with what became of the whole transaction.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

struct Pending<T, F> {
    work: F,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, F> Write for Pending<T, F>
where
    T: Send,
    F: FnMut(&Database) -> Result<T, StoreError> + Send,
{
    fn apply(&mut self, database: &Database) -> bool {
        let result = (self.work)(database);
        let went_well = result.is_ok();
        self.result = Some(result);
        went_well
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { result, reply, .. } = *self;
        let result = committed.and_then(|()| result.unwrap_or(Err(StoreError::Stopped)));
        // A caller who has gone away does not mind.
        let _ = reply.send(result);
    }
}

/// A write, and where its answer comes.
pub(super) fn pending<T: Send + 'static>(
    work: impl FnMut(&Database) -> Result<T, StoreError> + Send + 'static,
) -> (Box<dyn Write>, oneshot::Receiver<Result<T, StoreError>>) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Pending { work, result: None, reply }), answer)
}

/// What became of a transaction before its end.
enum Applied {
    /// Every write was applied, or failed for itself and left nothing.
    Each,
    /// The only one failed for itself, and the transaction is over: nothing is left to commit.
    Refused,
    /// SQLite rolled all of them back.
    RolledBack,
}

/// An open database.
pub(super) struct Database {
    pub(super) connection: Connection,
    pub(super) options: StoreOptions,
    /// Transactions that were committed with changes.
    pub(super) commits: u64,
    page_size: u64,
}

impl Database {
    /// Opens or creates it. `patience` stands instead of the `busy_timeout` of the options.
    pub(super) fn open(options: StoreOptions, patience: Duration) -> Result<Self, StoreError> {
        let connection = open::open(&options, patience)?;
        let mut database = Self { connection, options, commits: 0, page_size: 0 };
        database.page_size = database.number("PRAGMA page_size", [])?.unsigned_abs();
        database.bound()?;
        Ok(database)
    }

    /// Closes it, which moves the contents of the log into the file.
    pub(super) fn close(self) -> Result<(), StoreError> {
        self.connection.close().map_err(|(_, error)| typed(error))
    }

    /// Does all of `writes`, with as few transactions as may be, and answers each.
    pub(super) fn commit(&mut self, mut writes: Vec<Box<dyn Write>>) {
        match self.attempt(&mut writes) {
            Ok(true) => writes.into_iter().for_each(|write| write.answer(Ok(()))),
            Ok(false) => {
                for write in writes {
                    let mut alone = [write];
                    let committed = self.attempt(&mut alone).map(drop);
                    let [write] = alone;
                    write.answer(committed);
                }
            }
            Err(error) => {
                for write in writes {
                    write.answer(Err(error.clone()));
                }
            }
        }
    }

    /// One transaction. `false`: SQLite rolled it back because of a single write (whose result tells why).
    fn attempt(&mut self, writes: &mut [Box<dyn Write>]) -> Result<bool, StoreError> {
        let before = self.connection.total_changes();
        self.execute("BEGIN IMMEDIATE", [])?;
        let applied = match &mut *writes {
            [alone] => self.apply_alone(alone.as_mut()),
            group => self.apply_each(group),
        };
        let done = applied.and_then(|applied| match applied {
            Applied::Each => self.execute("COMMIT", []).map(|_| true),
            Applied::Refused => Ok(true),
            Applied::RolledBack => Ok(false),
        });
        if done.is_err() && !self.connection.is_autocommit() {
            // The first error is the one to tell. Should this one fail too, the next BEGIN does as well, and says so.
            let _ = self.execute("ROLLBACK", []);
        }
        if matches!(done, Ok(true)) && self.connection.total_changes() != before {
            self.commits += 1;
        }
        done
    }

    fn apply_alone(&self, write: &mut dyn Write) -> Result<Applied, StoreError> {
        match self.apply(write)? {
            Some(true) => Ok(Applied::Each),
            Some(false) => self.execute("ROLLBACK", []).map(|_| Applied::Refused),
            None => Ok(Applied::RolledBack),
        }
    }

    fn apply_each(&self, writes: &mut [Box<dyn Write>]) -> Result<Applied, StoreError> {
        for write in writes {
            self.execute("SAVEPOINT one", [])?;
            match self.apply(write.as_mut())? {
                Some(true) => {}
                Some(false) => drop(self.execute("ROLLBACK TO one", [])?),
                None => return Ok(Applied::RolledBack),
            }
            self.execute("RELEASE one", [])?;
        }
        Ok(Applied::Each)
    }

    /// Whether it went well; `None` when SQLite rolled the whole transaction back because of it.
    fn apply(&self, write: &mut dyn Write) -> Result<Option<bool>, StoreError> {
        let went_well = write.apply(self);
        if !self.connection.is_autocommit() {
            return Ok(Some(went_well));
        }
        if went_well {
            // Cannot be; but nobody must be told that it is stored.
            let detail = "the transaction ended before its time".to_owned();
            return Err(StoreError::Refused { detail, code: -1 });
        }
        Ok(None)
    }

    /// Runs one statement, which stays compiled. Returns how many rows it changed.
    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        self.connection.prepare_cached(sql).and_then(|mut it| it.execute(params)).map_err(typed)
    }

    /// The one number that a query has for an answer.
    pub(super) fn number(&self, sql: &str, params: impl Params) -> Result<i64, StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut it| it.query_row(params, |row| row.get(0)))
            .map_err(typed)
    }

    /// Bytes of contents: pages in use.
    pub(super) fn bytes(&self) -> Result<u64, StoreError> {
        let pages = self.number("PRAGMA page_count", [])?;
        let free = self.free_pages()?;
        Ok((pages - free).unsigned_abs() * self.page_size)
    }

    /// Pages of the file that nothing is stored in.
    pub(super) fn free_pages(&self) -> Result<i64, StoreError> {
        self.number("PRAGMA freelist_count", [])
    }

    /// Does `work` without the bound on size, for closing and pruning: a full store could never be made smaller
    /// otherwise, for only what is closed can go.
    pub(super) fn unbounded<T>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.options.max_bytes.is_none() {
            return work();
        }
        self.set_most_pages(ANY_NUMBER)?;
        let result = work();
        self.bound()?;
        result
    }

    /// Sets how large the file may become, by the options. A file that is larger keeps its size, and grows no more.
    fn bound(&self) -> Result<(), StoreError> {
        match self.options.max_bytes {
            None => Ok(()),
            Some(bytes) => self.set_most_pages((bytes / self.page_size).max(FEWEST_PAGES)),
        }
    }

    fn set_most_pages(&self, pages: u64) -> Result<(), StoreError> {
        let pages = pages.min(ANY_NUMBER);
        self.number(&format!("PRAGMA max_page_count = {pages}"), []).map(drop)
    }
}
