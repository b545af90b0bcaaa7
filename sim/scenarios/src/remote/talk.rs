//! A conversation over the network.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use conversation_manager::UserId;
use hyper::Method;
use serde_json::{Value, json};

use super::client::{Answer, Client, LOOKS_EVERY, Question, reason};
use crate::bot::{Message, Reason, Transcript};
use crate::stored::DatabaseSettings;
use crate::transcript::{parse, text as said};

/// A conversation of a gateway, as its user has it.
pub struct RemoteTalk {
    client: Arc<Client>,
    user: UserId,
    id: i64,
    waited: Duration,
    acknowledged: Mutex<Vec<String>>,
}

impl RemoteTalk {
    pub(super) fn new(client: Arc<Client>, user: UserId, id: i64, waited: Duration) -> Self {
        Self { client, user, id, waited, acknowledged: Mutex::default() }
    }

    /// Its number in the store.
    pub fn id(&self) -> i64 {
        self.id
    }

    /// How long its start took.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Every message of the user's that the gateway has acknowledged, and every reply that it has finished, in order:
    /// `ROLE: TEXT`.
    pub fn acknowledged(&self) -> Vec<String> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn path(&self, rest: &str) -> String {
        format!("/v1/conversations/{}{rest}", self.id)
    }

    async fn ask(&self, method: Method, path: &str) -> Result<Answer, Reason> {
        self.client.ask(&self.user, Question::new(method, path)).await
    }

    /// See [`crate::bot::Talk::turn`].
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn turn(&self, message: Message, work: Duration) -> Result<Message, Reason> {
        let bytes = self.client.sim().settings::<DatabaseSettings>().message_bytes;
        let text = said(message, work, bytes);
        let (path, body, key) =
            (self.path("/messages"), json!({ "text": text }), self.client.key(&self.user));
        self.client.ledger().sent(self.id, &text);
        // What is said to be accepted is, whatever becomes of the rest of the answer.
        let accepted = AtomicBool::new(false);
        let hears = |body: &[u8]| {
            if !accepted.load(Ordering::Relaxed) && Events::of(body).accepted {
                accepted.store(true, Ordering::Relaxed);
                self.client.tell(|| format!("hears that {message} is accepted"));
                self.acknowledge("user", &text);
            }
        };
        let question = Question {
            key: Some(&key),
            body: Some(&body),
            takes: work,
            hears: Some(&hears),
            ..Question::new(Method::POST, &path)
        };
        let answer = self.client.ask(&self.user, question).await?;
        if !answer.status.is_success() {
            return Err(reason(&answer.json()));
        }
        let events = Events::of(&answer.body);
        match events.end {
            End::Done => {
                self.acknowledge("bot", &events.said);
                parse(&events.said).ok_or("not what was said")
            }
            // What stops in the middle of a conversation has ended it.
            End::Failed("shutting down") => Err("shut down"),
            End::Failed(reason) => Err(reason),
            End::CutOff => Err("unreachable"),
        }
    }

    fn acknowledge(&self, role: &str, text: &str) {
        let mut acknowledged = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{role}: {text}");
        self.client.ledger().acknowledged(self.id, &line);
        acknowledged.push(line);
    }

    /// See [`crate::bot::Talk::touch`].
    ///
    /// # Errors
    /// Why the bot has ended it, or cannot be reached.
    pub async fn touch(&self) -> Result<(), Reason> {
        let path = self.path("/touch");
        let answer = self.ask(Method::POST, &path).await?;
        if answer.status.is_success() { Ok(()) } else { Err(reason(&answer.json())) }
    }

    /// Everything that the store has of it: the user's messages, in their order.
    pub async fn transcript(&self) -> Transcript {
        let lines = stored(&self.client, &self.user, self.id).await.unwrap_or_default();
        lines.iter().filter_map(|line| parse(line.strip_prefix("user: ")?)).collect()
    }

    /// How the bot has ended it, if it has.
    async fn closing(&self) -> Option<Reason> {
        let path = self.path("");
        let answer = self.ask(Method::GET, &path).await.ok()?;
        let closed = answer.json()["state"] == "closed";
        closed.then(|| reason(&answer.json()))
    }

    /// Looks again and again until the bot has ended it.
    pub async fn expired(&self) -> Reason {
        loop {
            if let Some(reason) = self.closing().await {
                return reason;
            }
            self.client.sim().sleep(LOOKS_EVERY).await;
        }
    }

    /// See [`crate::bot::Talk::end`].
    ///
    /// # Errors
    /// Why the bot has ended it before, or cannot be reached.
    pub async fn end(self) -> Result<(), Reason> {
        self.ask_for_the_end().await
    }

    /// Ends it while something else may be going on in it.
    ///
    /// # Errors
    /// As [`RemoteTalk::end`].
    pub async fn ask_for_the_end(&self) -> Result<(), Reason> {
        let path = self.path("");
        let answer = self.ask(Method::DELETE, &path).await?;
        if !answer.status.is_success() {
            return Err(reason(&answer.json()));
        }
        self.client.ledger().ended(self.id);
        Ok(())
    }
}

/// Everything that the store has of a conversation, in its order: `ROLE: TEXT`.
pub(super) async fn stored(client: &Client, user: &UserId, id: i64) -> Result<Vec<String>, Reason> {
    let mut lines = Vec::new();
    loop {
        let path = format!("/v1/conversations/{id}/messages?after={}", lines.len());
        let answer = client.ask(user, Question::new(Method::GET, &path)).await?;
        if !answer.status.is_success() {
            return Err(reason(&answer.json()));
        }
        let page = answer.json();
        let messages = page["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
        if messages.is_empty() {
            return Ok(lines);
        }
        let text =
            |message: &Value, key: &str| message[key].as_str().unwrap_or_default().to_owned();
        lines.extend(messages.iter().map(|m| format!("{}: {}", text(m, "role"), text(m, "text"))));
    }
}

/// How a stream of events ends.
enum End {
    Done,
    Failed(Reason),
    /// Before it said so.
    CutOff,
}

/// What a stream of server-sent events says.
struct Events {
    accepted: bool,
    said: String,
    end: End,
}

impl Events {
    fn of(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let (mut accepted, mut said, mut end) = (false, String::new(), End::CutOff);
        for event in text.split_inclusive("\n\n").filter(|event| event.ends_with("\n\n")) {
            let field = |name: &str| {
                event.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
            };
            let data: Value =
                field("data").and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
            match field("event") {
                Some("accepted") => accepted = true,
                Some("delta") => said.push_str(data["text"].as_str().unwrap_or_default()),
                Some("done") => end = End::Done,
                Some("error") => {
                    end = End::Failed(reason(&data));
                }
                _ => {}
            }
        }
        Self { accepted, said, end }
    }
}
