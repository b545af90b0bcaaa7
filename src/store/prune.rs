//! Making room, in small steps: each is a write like any other, so others take their turn in between, and a
//! pruning that is dropped half-way has done whole steps.

use rusqlite::params;

use super::Store;
use super::database::Database;
use super::error::{StoreError, typed};
use super::model::Pruned;
use super::wall_clock::UnixMillis;

/// What one step removes at most.
const CONVERSATIONS_A_STEP: u32 = 100;
/// After a conversation with which this is reached, the step is over.
const MESSAGES_A_STEP: u64 = 1_000;
/// Pages that one step gives back to the file system.
const PAGES_A_STEP: u32 = 1_000;

/// What one step did.
enum Step {
    Expired { conversations: u64, messages: u64 },
    CrowdedOut { conversations: u64, messages: u64 },
    Done { only_open_left: bool },
}

impl Store {
    /// Removes conversations that were closed longer ago than the [retention](super::StoreOptions::retention), then
    /// those that were closed longest ago until the contents take no more than nine tenths of
    /// [`max_bytes`](super::StoreOptions::max_bytes), and gives the room back to the file system. Open conversations stay.
    ///
    /// Call it now and then, say every minute. It works in steps of a transaction each; other calls take their turn in
    /// between. Dropping the future stops it after a step.
    ///
    /// # Errors
    ///
    /// Of the database. What earlier steps removed is gone.
    pub async fn prune(&self, now: UnixMillis) -> Result<Pruned, StoreError> {
        let before = self.read(|database| database.bytes()).await?;
        let mut pruned = Pruned::default();
        loop {
            match self.write(move |database| database.prune_step(now)).await? {
                Step::Expired { conversations, messages } => {
                    pruned.expired += conversations;
                    pruned.messages += messages;
                }
                Step::CrowdedOut { conversations, messages } => {
                    pruned.crowded_out += conversations;
                    pruned.messages += messages;
                }
                Step::Done { only_open_left } => {
                    pruned.only_open_left = only_open_left;
                    break;
                }
            }
        }
        while self.write(|database| database.vacuum_step()).await? {}
        pruned.bytes = self.read(Database::cut).await?;
        pruned.freed = before.saturating_sub(pruned.bytes);
        Ok(pruned)
    }
}

impl Database {
    fn prune_step(&self, now: UnixMillis) -> Result<Step, StoreError> {
        self.unbounded(|| {
            if let Some(retention) = self.options.retention {
                let until = now.saturating_sub(retention);
                let (conversations, messages) = self.remove_oldest(until, |_| Ok(true))?;
                if conversations > 0 {
                    return Ok(Step::Expired { conversations, messages });
                }
            }
            let Some(max_bytes) = self.options.max_bytes else {
                return Ok(Step::Done { only_open_left: false });
            };
            // What is free now is for those who come until the next time.
            let target = max_bytes / 10 * 9;
            let too_large = |database: &Self| Ok(database.bytes()? > target);
            let (conversations, messages) = self.remove_oldest(UnixMillis(i64::MAX), too_large)?;
            if conversations > 0 {
                return Ok(Step::CrowdedOut { conversations, messages });
            }
            Ok(Step::Done { only_open_left: too_large(self)? })
        })
    }

    /// Removes conversations in the order in which they were closed, those closed until then, while `more` says so and
    /// the step is not too long. Returns how many, and how many messages they had.
    fn remove_oldest(
        &self,
        until: UnixMillis,
        more: impl Fn(&Self) -> Result<bool, StoreError>,
    ) -> Result<(u64, u64), StoreError> {
        let (mut conversations, mut messages) = (0, 0);
        let oldest: Vec<(i64, i64)> = self
            .connection
            .prepare_cached(
                "SELECT id, (SELECT coalesce(max(seq), 0) FROM messages WHERE conversation = id)
                 FROM conversations WHERE closing IS NOT NULL AND closed_at <= ?
                 ORDER BY closed_at, id LIMIT ?",
            )
            .and_then(|mut it| {
                it.query_map(params![until.0, CONVERSATIONS_A_STEP], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?
                .collect()
            })
            .map_err(typed)?;
        for (id, last) in oldest {
            if messages >= MESSAGES_A_STEP || !more(self)? {
                break;
            }
            self.execute("DELETE FROM conversations WHERE id = ?", [id])?;
            conversations += 1;
            messages += last.unsigned_abs();
        }
        Ok((conversations, messages))
    }

    /// Moves pages that are free to the end of the file, which ends before them at the next checkpoint. `true` while
    /// there are more.
    fn vacuum_step(&self) -> Result<bool, StoreError> {
        self.unbounded(|| {
            // A row for each page, and only those that are asked for are moved.
            let mut statement = self
                .connection
                .prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES_A_STEP})"))
                .map_err(typed)?;
            let mut rows = statement.query([]).map_err(typed)?;
            while rows.next().map_err(typed)?.is_some() {}
            Ok(self.free_pages()? > 0)
        })
    }

    /// Brings the file to its new length, unless somebody else still reads the old contents; a later checkpoint
    /// does it then. Returns the bytes of contents.
    fn cut(&self) -> Result<u64, StoreError> {
        self.number("PRAGMA wal_checkpoint(PASSIVE)", [])?;
        self.bytes()
    }
}
