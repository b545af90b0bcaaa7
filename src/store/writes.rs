//! Starting, appending, closing: what each means, inside of a transaction that somebody else commits.

use rusqlite::{OptionalExtension, params};

use super::database::Database;
use super::error::{StoreError, typed};
use super::model::{Appended, Closing, NewConversation, NewMessage, Role, Started};
use super::reads::{closing, role};
use super::wall_clock::UnixMillis;

impl Database {
    pub(super) fn start(&self, new: &NewConversation) -> Result<Started, StoreError> {
        if let Some(key) = &new.key {
            let first: Option<(i64, Option<String>)> = self
                .connection
                .prepare_cached("SELECT id, room FROM conversations WHERE user = ? AND key = ?")
                .and_then(|mut it| {
                    it.query_row(params![new.user, key], |row| Ok((row.get(0)?, row.get(1)?)))
                        .optional()
                })
                .map_err(typed)?;
            if let Some((id, room)) = first {
                if room != new.room {
                    return Err(StoreError::KeyReused { key: key.clone(), first: id });
                }
                return Ok(Started { id, replayed: true });
            }
        }
        self.execute(
            "INSERT INTO conversations (user, room, key, started_at) VALUES (?, ?, ?, ?)",
            params![new.user, new.room, new.key, new.at.0],
        )?;
        Ok(Started { id: self.connection.last_insert_rowid(), replayed: false })
    }

    pub(super) fn append(&self, new: &NewMessage) -> Result<Appended, StoreError> {
        // First of all, whether it is here already: a try again is answered as the first was, even after the
        // conversation was closed.
        if let Some(key) = &new.key
            && let Some(first) = self.first("key", new.conversation, key)?
        {
            if !first.says(new) {
                return Err(StoreError::KeyReused { key: key.clone(), first: first.seq });
            }
            return Ok(Appended { seq: first.seq, replayed: true });
        }
        if let Some(reply_to) = new.reply_to
            && let Some(first) = self.first("reply_to", new.conversation, reply_to)?
        {
            // A reply is named by what it replies to, as by a key.
            if new.key.is_some() || !first.says(new) {
                let (conversation, reply) = (new.conversation, first.seq);
                return Err(StoreError::AlreadyReplied { conversation, reply_to, reply });
            }
            return Ok(Appended { seq: first.seq, replayed: true });
        }
        if let Some(how) = self.closing_of(new.conversation)? {
            return Err(StoreError::Closed(new.conversation, how));
        }
        let last = self.number(
            "SELECT coalesce(max(seq), 0) FROM messages WHERE conversation = ?",
            [new.conversation],
        )?;
        // Numbers are dense, so these are the ones that there are.
        if let Some(seq) = new.reply_to
            && !(1..=last).contains(&seq)
        {
            return Err(StoreError::NoSuchMessage { conversation: new.conversation, seq });
        }
        let seq = last + 1;
        self.execute(
            "INSERT INTO messages (conversation, seq, role, reply_to, at, text, key)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
            params![
                new.conversation,
                seq,
                new.role.as_str(),
                new.reply_to,
                new.at.0,
                new.text,
                new.key
            ],
        )?;
        Ok(Appended { seq, replayed: false })
    }

    pub(super) fn close_conversation(
        &self,
        id: i64,
        how: Closing,
        at: UnixMillis,
    ) -> Result<bool, StoreError> {
        if self.closing_of(id)?.is_some() {
            return Ok(false);
        }
        self.unbounded(|| {
            self.execute(
                "UPDATE conversations SET closing = ?, closed_at = ? WHERE id = ?",
                params![how.as_str(), at.0, id],
            )
        })?;
        Ok(true)
    }

    /// How it was closed; `None` while it is open.
    fn closing_of(&self, id: i64) -> Result<Option<Closing>, StoreError> {
        let found: Option<Option<String>> = self
            .connection
            .prepare_cached("SELECT closing FROM conversations WHERE id = ?")
            .and_then(|mut it| it.query_row([id], |row| row.get(0)).optional())
            .map_err(typed)?;
        match found {
            None => Err(StoreError::NoSuchConversation(id)),
            Some(None) => Ok(None),
            Some(Some(label)) => closing(&label).map(Some),
        }
    }

    /// The message of the conversation that has `value` in the column, which must be one that is unique there.
    fn first(
        &self,
        column: &'static str,
        conversation: i64,
        value: impl rusqlite::ToSql,
    ) -> Result<Option<First>, StoreError> {
        let found: Option<(i64, String, String, Option<i64>)> = self
            .connection
            .prepare_cached(match column {
                "key" => "SELECT seq, role, text, reply_to FROM messages WHERE conversation = ? AND key = ?",
                _ => "SELECT seq, role, text, reply_to FROM messages WHERE conversation = ? AND reply_to = ?",
            })
            .and_then(|mut it| {
                it.query_row(params![conversation, value], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })
                .optional()
            })
            .map_err(typed)?;
        found
            .map(|(seq, label, text, reply_to)| {
                Ok(First { seq, role: role(&label)?, text, reply_to })
            })
            .transpose()
    }
}

/// What was appended at the first try.
struct First {
    seq: i64,
    role: Role,
    text: String,
    reply_to: Option<i64>,
}

impl First {
    /// Whether `new` has the same content. When it was said is none of it: a second try has a later clock.
    fn says(&self, new: &NewMessage) -> bool {
        (self.role, self.reply_to, self.text.as_str())
            == (new.role, new.reply_to, new.text.as_str())
    }
}
