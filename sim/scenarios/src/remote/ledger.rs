//! What users of a gateway were told, for whoever compares it afterwards with what is stored.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use conversation_manager::UserId;

/// One conversation, as its user knows it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Whose it is.
    pub user: UserId,
    /// Every message that was acknowledged and every reply that was finished, in order: `ROLE: TEXT`.
    pub acknowledged: Vec<String>,
    /// Every message that was ever sent, acknowledged or not.
    pub sent: Vec<String>,
    /// Whether its end was acknowledged.
    pub ended: bool,
}

/// Every conversation whose start was acknowledged, by its number. It is kept where a script asks for it.
#[derive(Debug, Default)]
pub struct Ledger {
    kept: AtomicBool,
    entries: Mutex<BTreeMap<i64, Entry>>,
}

impl Ledger {
    /// From here on it is kept.
    pub fn keep(&self) {
        self.kept.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Relaxed)
    }

    /// Everything, by number.
    pub fn entries(&self) -> BTreeMap<i64, Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn started(&self, id: i64, user: &UserId) {
        let entry = || Entry {
            user: user.clone(),
            acknowledged: Vec::new(),
            sent: Vec::new(),
            ended: false,
        };
        self.with(|entries| {
            entries.entry(id).or_insert_with(entry);
        });
    }

    pub(super) fn sent(&self, id: i64, text: &str) {
        self.of(id, |entry| entry.sent.push(text.to_owned()));
    }

    pub(super) fn acknowledged(&self, id: i64, line: &str) {
        self.of(id, |entry| entry.acknowledged.push(line.to_owned()));
    }

    pub(super) fn ended(&self, id: i64) {
        self.of(id, |entry| entry.ended = true);
    }

    fn of(&self, id: i64, note: impl FnOnce(&mut Entry)) {
        self.with(|entries| {
            if let Some(entry) = entries.get_mut(&id) {
                note(entry);
            }
        });
    }

    fn with(&self, note: impl FnOnce(&mut BTreeMap<i64, Entry>)) {
        if self.is_kept() {
            note(&mut self.entries.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}
