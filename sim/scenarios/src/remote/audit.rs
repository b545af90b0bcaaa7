//! What only an auditor asks a gateway: what it has stored, what it counts, what it gives to strangers.

use std::collections::BTreeMap;
use std::time::Duration;

use conversation_manager::UserId;
use hyper::Method;
use serde_json::{Value, json};

use super::client::Question;
use super::ledger::Entry;
use super::{GatewayBot, begin, talk};
use crate::bot::{Reason, Talk};

/// What a gateway says of itself over HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// Slots that the manager has given.
    pub active: u64,
    /// Starts that wait for one.
    pub waiting: u64,
    /// Conversations that the gateway holds.
    pub live: u64,
    /// Ends that are not written down yet.
    pub unclosed: u64,
    /// Conversations that are open in the store.
    pub open: u64,
}

impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { active, waiting, live, unclosed, open } = self;
        write!(
            f,
            "{active} slots are given, {waiting} starts wait; {live} conversations are held, {open} are open in the \
             store, {unclosed} ends are not written down"
        )
    }
}

impl GatewayBot {
    /// From here on every conversation is written into the ledger.
    pub fn keep_ledger(&self) {
        self.client.ledger().keep();
        self.auditor.ledger().keep();
    }

    /// What users were told.
    pub fn ledger(&self) -> BTreeMap<i64, Entry> {
        let mut entries = self.client.ledger().entries();
        entries.extend(self.auditor.ledger().entries());
        entries
    }

    /// How long a request may take until there is an answer or an error, beside what it asks to wait.
    pub fn deadline(&self) -> Duration {
        self.client.deadline()
    }

    /// Everything that is stored of a conversation, in its order: `ROLE: TEXT`.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn stored_of(&self, user: &UserId, id: i64) -> Result<Vec<String>, Reason> {
        talk::stored(&self.auditor, user, id).await
    }

    /// Whether a conversation is closed.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn is_closed(&self, user: &UserId, id: i64) -> Result<bool, Reason> {
        let path = format!("/v1/conversations/{id}");
        let answer = self.auditor.ask(user, Question::new(Method::GET, &path)).await?;
        match answer.status.is_success() {
            true => Ok(answer.json()["state"] == "closed"),
            false => Err(super::client::reason(&answer.json())),
        }
    }

    /// A conversation of somebody who comes when all is well, at once or not at all.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn newcomer(&self, user: &UserId) -> Result<Talk<'_>, Reason> {
        begin(&self.auditor, user, Duration::ZERO).await
    }

    /// What the gateway counts at this moment.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn audit(&self, user: &UserId) -> Result<Audit, Reason> {
        let answer = self.auditor.ask(user, Question::new(Method::GET, "/v1/stats")).await?;
        let stats = answer.json();
        let count = |value: &Value| value.as_u64().ok_or("error");
        Ok(Audit {
            active: count(&stats["manager"]["active"])?,
            waiting: count(&stats["manager"]["waiting"])?,
            live: count(&stats["live"])?,
            unclosed: count(&stats["unclosed"])?,
            open: count(&stats["store"]["open"])?,
        })
    }

    /// Asks for somebody else's conversation on every route, as a user who is not its owner, and without a token: each route with
    /// the status that it answers. 0 where there was no answer.
    pub async fn intrude(&self, stranger: &UserId, id: i64) -> Vec<(String, u16)> {
        let body = json!({ "text": "0 let me in" });
        let routes = [
            (Method::GET, "", None),
            (Method::GET, "/messages", None),
            (Method::POST, "/messages", Some(&body)),
            (Method::POST, "/touch", None),
            (Method::POST, "/end", None),
            (Method::DELETE, "", None),
        ];
        let mut answers = Vec::new();
        for token in [true, false] {
            for (method, rest, body) in &routes {
                let path = format!("/v1/conversations/{id}{rest}");
                let question =
                    Question { body: *body, token, ..Question::new(method.clone(), &path) };
                let answer = self.auditor.ask(stranger, question).await;
                let whose = if token { "a stranger's" } else { "no" };
                let status = answer.map_or(0, |answer| answer.status.as_u16());
                answers.push((format!("{method} {{id}}{rest} with {whose} token"), status));
            }
        }
        answers
    }
}
