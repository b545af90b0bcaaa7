//! Looking: each question is one statement, and so one consistent look.

use rusqlite::{Params, Row, params};

use super::database::Database;
use super::error::{StoreError, typed};
use super::model::{
    Closed, Closing, Role, StoreTotals, StoredConversation, StoredMessage, StoredTurn,
};
use super::wall_clock::UnixMillis;

/// The columns of a [`StoredConversation`].
macro_rules! conversation {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.user, c.room, c.key, c.started_at, c.closing, c.closed_at, last.seq, last.at
             FROM conversations c LEFT JOIN messages last ON last.conversation = c.id
                 AND last.seq = (SELECT max(seq) FROM messages WHERE conversation = c.id) ",
            $rest
        )
    };
}

/// The columns of a [`StoredMessage`].
macro_rules! message {
    ($rest:literal) => {
        concat!("SELECT seq, role, text, key, reply_to, at FROM messages ", $rest)
    };
}

impl Database {
    pub(super) fn conversation(&self, id: i64) -> Result<Option<StoredConversation>, StoreError> {
        Ok(self.rows(conversation!("WHERE c.id = ?"), [id], to_conversation)?.pop())
    }

    pub(super) fn started(
        &self,
        user: &str,
        key: &str,
    ) -> Result<Option<StoredConversation>, StoreError> {
        let sql = conversation!("WHERE c.user = ? AND c.key = ?");
        Ok(self.rows(sql, [user, key], to_conversation)?.pop())
    }

    pub(super) fn conversations_of(
        &self,
        user: &str,
        after_id: i64,
        limit: u32,
    ) -> Result<Vec<StoredConversation>, StoreError> {
        self.rows(
            conversation!("WHERE c.user = ? AND c.id > ? ORDER BY c.id LIMIT ?"),
            params![user, after_id, limit],
            to_conversation,
        )
    }

    pub(super) fn open_conversations(&self) -> Result<Vec<StoredConversation>, StoreError> {
        self.rows(conversation!("WHERE c.closing IS NULL ORDER BY c.id"), [], to_conversation)
    }

    pub(super) fn messages(
        &self,
        id: i64,
        after_seq: i64,
        limit: u32,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        self.rows(
            message!("WHERE conversation = ? AND seq > ? ORDER BY seq LIMIT ?"),
            params![id, after_seq, limit],
            to_message,
        )
    }

    pub(super) fn turn(&self, id: i64, key: &str) -> Result<Option<StoredTurn>, StoreError> {
        let mut rows = self
            .rows(
                message!(
                    "WHERE conversation = ?1 AND (key = ?2 OR reply_to =
                         (SELECT seq FROM messages WHERE conversation = ?1 AND key = ?2))
                     ORDER BY seq"
                ),
                params![id, key],
                to_message,
            )?
            .into_iter();
        Ok(rows.next().map(|asked| StoredTurn { asked, reply: rows.next() }))
    }

    pub(super) fn totals(&self) -> Result<StoreTotals, StoreError> {
        let (conversations, open, messages): (i64, i64, i64) = self
            .connection
            .prepare_cached(
                "SELECT (SELECT count(*) FROM conversations),
                        (SELECT count(*) FROM conversations WHERE closing IS NULL),
                        (SELECT count(*) FROM messages)",
            )
            .and_then(|mut it| it.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))))
            .map_err(typed)?;
        Ok(StoreTotals {
            conversations: conversations.unsigned_abs(),
            open: open.unsigned_abs(),
            messages: messages.unsigned_abs(),
            bytes: self.bytes()?,
            commits: self.commits,
        })
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        to: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(typed)?;
        let mut rows = statement.query(params).map_err(typed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(typed)? {
            found.push(to(row)?);
        }
        Ok(found)
    }
}

fn to_conversation(row: &Row<'_>) -> Result<StoredConversation, StoreError> {
    let started_at = UnixMillis(row.get(4).map_err(typed)?);
    let how: Option<String> = row.get(5).map_err(typed)?;
    let at: Option<i64> = row.get(6).map_err(typed)?;
    let last: Option<i64> = row.get(7).map_err(typed)?;
    let active_at: Option<i64> = row.get(8).map_err(typed)?;
    Ok(StoredConversation {
        id: row.get(0).map_err(typed)?,
        user: row.get(1).map_err(typed)?,
        room: row.get(2).map_err(typed)?,
        key: row.get(3).map_err(typed)?,
        started_at,
        active_at: active_at.map_or(started_at, UnixMillis),
        messages: last.unwrap_or(0),
        closed: how
            .zip(at)
            .map(|(how, at)| Ok(Closed { how: closing(&how)?, at: UnixMillis(at) }))
            .transpose()?,
    })
}

fn to_message(row: &Row<'_>) -> Result<StoredMessage, StoreError> {
    let label: String = row.get(1).map_err(typed)?;
    Ok(StoredMessage {
        seq: row.get(0).map_err(typed)?,
        role: role(&label)?,
        text: row.get(2).map_err(typed)?,
        key: row.get(3).map_err(typed)?,
        reply_to: row.get(4).map_err(typed)?,
        at: UnixMillis(row.get(5).map_err(typed)?),
    })
}

pub(super) fn role(label: &str) -> Result<Role, StoreError> {
    Role::ALL
        .into_iter()
        .find(|role| role.as_str() == label)
        .ok_or_else(|| StoreError::Corrupt { detail: format!("`{label}` is no role") })
}

pub(super) fn closing(label: &str) -> Result<Closing, StoreError> {
    Closing::ALL.into_iter().find(|how| how.as_str() == label).ok_or_else(|| StoreError::Corrupt {
        detail: format!("`{label}` is no way to close a conversation"),
    })
}
