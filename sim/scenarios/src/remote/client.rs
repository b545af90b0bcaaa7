//! A client of the gateway: what somebody who writes a bot's front end would write.
//!
//! Connections are kept and used again. A request that could not be sent, was not answered in time or is told to come
//! again is tried again under the same idempotency key, later each time, until its deadline is over.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use conversation_manager::UserId;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use hyperlapse::net::Network;
use hyperlapse::{Metric, RandomExt, Sim};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::HOSTS;
use super::ledger::Ledger;
use super::server::PORT;
use crate::bot::Reason;
use crate::settings::{ClientSettings, Retry};

/// How long a start waits that waits for as long as it takes.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(3_600);
/// How often a user looks whether the bot has ended a conversation.
pub(super) const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// Between two tries.
const LEAST_PAUSE: Duration = Duration::from_millis(1);

/// How many requests are tried again at one instant.
pub const RETRIED_AT_ONCE: Metric =
    Metric::gauge("retried_at_once", "requests that are tried again at one instant");

/// Hears a body as it comes.
pub(super) type Hears<'a> = dyn Fn(&[u8]) + Send + Sync + 'a;

/// What is asked.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// Under which it takes effect once.
    pub(super) key: Option<&'a str>,
    pub(super) body: Option<&'a Value>,
    /// How much longer than others its answer may take.
    pub(super) takes: Duration,
    /// Whether it says whose it is.
    pub(super) token: bool,
    /// Is told what has come of the body, as it comes: it may break off.
    pub(super) hears: Option<&'a Hears<'a>>,
}

impl<'a> Question<'a> {
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            key: None,
            body: None,
            takes: Duration::ZERO,
            token: true,
            hears: None,
        }
    }
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// A connection, with the task that drives it.
struct Connection {
    send: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What connections go over.
pub(super) enum Wire {
    /// The network of the run.
    Simulated(Network),
    /// TCP, to a gateway that listens here.
    Tcp(SocketAddr),
}

/// The users' side.
pub(super) struct Client {
    sim: Sim,
    wire: Wire,
    settings: ClientSettings,
    /// Connections of each user that wait for their next request.
    idle: Mutex<BTreeMap<UserId, Vec<Connection>>>,
    keys: AtomicU64,
    unheard: AtomicU64,
    ledger: Ledger,
    /// The last instant at which anybody tried again, and how many did.
    at_once: Mutex<(Duration, i64)>,
}

impl Client {
    pub(super) fn new(sim: &Sim, wire: Wire, settings: ClientSettings) -> Self {
        Self {
            sim: sim.clone(),
            wire,
            settings,
            idle: Mutex::default(),
            keys: AtomicU64::new(0),
            unheard: AtomicU64::new(0),
            ledger: Ledger::default(),
            at_once: Mutex::default(),
        }
    }

    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(super) fn deadline(&self) -> Duration {
        self.settings.deadline
    }

    pub(super) fn sim(&self) -> &Sim {
        &self.sim
    }

    pub(super) fn now(&self) -> Duration {
        self.sim.now()
    }

    /// Starts that nobody heard of.
    pub(super) fn unheard(&self) -> u64 {
        self.unheard.load(Ordering::Relaxed)
    }

    pub(super) async fn start(&self, user: &UserId, wait: Duration) -> Result<i64, Reason> {
        // The gateway takes whole seconds; who is less patient hangs up.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let path = match seconds {
            0 => "/v1/conversations".to_owned(),
            seconds => format!("/v1/conversations?wait={seconds}"),
        };
        let key = self.key(user);
        let question =
            Question { key: Some(&key), takes: wait, ..Question::new(Method::POST, &path) };
        let asked = self.ask(user, question);
        let answer = match wait.is_zero() || wait == LONGEST_WAIT {
            true => asked.await,
            false => tokio::time::timeout(wait, asked).await.unwrap_or(Err("timed out")),
        };
        let refused = |reason| {
            if reason == "unreachable" {
                self.unheard.fetch_add(1, Ordering::Relaxed);
            }
            reason
        };
        let answer = answer.map_err(refused)?;
        match (answer.status.is_success(), answer.json()["id"].as_i64()) {
            (true, Some(id)) => {
                self.ledger.started(id, user);
                Ok(id)
            }
            _ => Err(refused(reason(&answer.json()))),
        }
    }

    /// A key that no other request of the run has.
    pub(super) fn key(&self, user: &UserId) -> String {
        format!("{}-{}", user.as_str(), self.keys.fetch_add(1, Ordering::Relaxed))
    }

    /// Asks until there is an answer that will stay the same, or the time is over.
    pub(super) async fn ask(
        &self,
        user: &UserId,
        question: Question<'_>,
    ) -> Result<Answer, Reason> {
        let began = self.now();
        let mut tries = 0;
        loop {
            let once = self.once(user, &question);
            // No try goes on beyond the deadline.
            let left = (self.settings.deadline + question.takes).saturating_sub(self.now() - began);
            let patience = left.min(self.settings.timeout + question.takes);
            self.tell(|| {
                let again = if tries == 0 { "" } else { " again" };
                // In the column of a user it is that user who asks.
                let name = user.as_str();
                let who = if name.starts_with("user-") { "" } else { &format!(" as {name}") };
                format!("asks{again}{who}: {} {}", question.method, question.path)
            });
            let answer = tokio::time::timeout(patience, once).await;
            self.tell(|| match &answer {
                Ok(Ok(answer)) => format!("is answered: {}", answer.status.as_u16()),
                Ok(Err(_)) => "the connection breaks".to_owned(),
                Err(_) => format!("has no answer within {patience:?}"),
            });
            let again = match &answer {
                Ok(Ok(answer)) => may_change(answer),
                Ok(Err(_)) | Err(_) => true,
            };
            let pause = self.pause(user, tries);
            let late = self.now() - began + pause >= self.settings.deadline;
            if !again || self.settings.retry == Retry::Never || late {
                return match answer {
                    Ok(Ok(answer)) => Ok(answer),
                    Ok(Err(_)) => Err("unreachable"),
                    Err(_) => Err("timed out"),
                };
            }
            tries += 1;
            // Not at the same instant: who asks again and again without a pause asks before any time has passed.
            tokio::time::sleep(pause.max(LEAST_PAUSE)).await;
            self.count_at_once();
        }
    }

    /// Says what a user does and hears, for the explanation of a failure; what auditors do is no part of it.
    pub(super) fn tell(&self, what: impl FnOnce() -> String) {
        if self.ledger.is_kept() && tracing::enabled!(tracing::Level::DEBUG) {
            tracing::debug!("{}", what());
        }
    }

    /// Before the next try: twice as long each time, at most sixteen times the first.
    fn pause(&self, user: &UserId, tries: u32) -> Duration {
        let pause = self.settings.backoff * (1 << tries.min(4));
        match self.settings.retry {
            Retry::WithJitter => {
                let mut rng = self.sim.rng(format_args!(
                    "client/{}/{tries}/{}",
                    user.as_str(),
                    self.sim.now_ns()
                ));
                Duration::from_nanos(rng.below(pause.as_nanos() as u64 + 1))
            }
            _ => pause,
        }
    }

    /// Counts those who try again at one instant, where a ledger is kept.
    fn count_at_once(&self) {
        if !self.ledger.is_kept() {
            return;
        }
        let mut at_once = self.at_once.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.now();
        *at_once = if at_once.0 == now { (now, at_once.1 + 1) } else { (now, 1) };
        self.sim.set(&RETRIED_AT_ONCE, at_once.1);
    }

    async fn once(
        &self,
        user: &UserId,
        question: &Question<'_>,
    ) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
        let mut connection = match self.take(user) {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let mut request = Request::builder()
            .method(question.method.clone())
            .uri(question.path)
            .header("host", HOSTS[1]);
        if question.token {
            request = request.header("authorization", format!("Bearer {}", user.as_str()));
        }
        if let Some(key) = question.key {
            request = request.header("idempotency-key", key);
        }
        let body = match question.body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        let answer = connection.send.send_request(request.body(Full::new(body))?).await?;
        let status = answer.status();
        let (mut rest, mut body) = (answer.into_body(), BytesMut::new());
        while let Some(frame) = rest.frame().await {
            if let Ok(piece) = frame?.into_data() {
                body.extend_from_slice(&piece);
                if let Some(hears) = question.hears {
                    hears(&body);
                }
            }
        }
        self.keep(user, connection);
        Ok(Answer { status, body: body.freeze() })
    }

    async fn connect(&self) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
        match &self.wire {
            Wire::Simulated(network) => over(network.connect(HOSTS[1], PORT).await?).await,
            Wire::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                // Requests are small and wanted at once.
                stream.set_nodelay(true)?;
                over(stream).await
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, BTreeMap<UserId, Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, user: &UserId) -> Option<Connection> {
        let mut idle = self.idle();
        let of_user = idle.get_mut(user)?;
        while let Some(connection) = of_user.pop() {
            if connection.send.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, user: &UserId, connection: Connection) {
        if !connection.send.is_closed() {
            self.idle().entry(user.clone()).or_default().push(connection);
        }
    }
}

/// What is read at once: most answers are shorter.
const READ_BYTES: usize = 2048;

/// A connection over this stream.
async fn over<S>(stream: S) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // The simulated socket clears what it may fill at each read; hyper's own guess is many times an answer.
    let (send, connection) = http1::Builder::new()
        .read_buf_exact_size(Some(READ_BYTES))
        .handshake(TokioIo::new(stream))
        .await?;
    let driver = tokio::spawn(async move {
        // Whoever waits for an answer hears of an error there.
        let _ = connection.await;
    });
    Ok(Connection { send, driver })
}

/// Whether the same request may be answered otherwise in a moment: the first try is still under way, or the service
/// cannot for now. One that stops will not.
fn may_change(answer: &Answer) -> bool {
    match answer.status {
        StatusCode::CONFLICT => {
            let problem = answer.json();
            matches!(problem["code"].as_str(), Some("start_in_progress" | "turn_in_progress"))
        }
        StatusCode::SERVICE_UNAVAILABLE => answer.json()["code"] != "draining",
        _ => false,
    }
}

/// The words of the manager for what the gateway says.
pub(super) fn reason(problem: &Value) -> Reason {
    let closing = problem["closing"].as_str();
    match (problem["code"].as_str(), closing) {
        (Some("global_limit"), _) => "global limit",
        (Some("user_limit"), _) => "user limit",
        (Some("queue_full"), _) => "queue full",
        (Some("wait_timed_out"), _) => "timed out",
        (Some("draining"), _) => "shutting down",
        (_, Some("expired_idle")) => "idle",
        (_, Some("expired_duration")) => "max duration",
        (_, Some("shut_down")) => "shut down",
        (_, Some("interrupted")) => "interrupted",
        (_, Some("completed")) => "completed",
        (_, Some(_)) => "failed",
        (Some("store_busy" | "store_full" | "store_failed"), _) => "store",
        (Some("not_found"), _) => "not found",
        _ => "error",
    }
}
