//! A client that holds every answer to the OpenAPI document.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use crate::document;

pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<()>,
    token: Option<String>,
}

/// An answer that is complete.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: hyper::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The code of a problem.
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        self.json()["code"].as_str().unwrap().to_owned()
    }

    pub fn id(&self) -> i64 {
        self.json()["id"].as_i64().unwrap_or_else(|| panic!("no id: {self:?}"))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Client {
    pub async fn connect<I>(io: I, token: Option<&str>) -> Self
    where
        I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (sender, connection) = handshake(TokioIo::new(io)).await.unwrap();
        let connection = tokio::spawn(async {
            // Closed by the other side: the next request says so.
            let _ = connection.await;
        });
        Self { sender, connection, token: token.map(str::to_owned) }
    }

    /// Goes away: the connection is closed at once.
    pub fn leave(self) {
        self.connection.abort();
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("host", "gateway");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        self.sender.ready().await.expect("the connection is closed");
        self.sender.send_request(request).await.expect("no answer")
    }

    /// Sends a request and waits for all of its answer.
    pub async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let response = self.request(method, path, headers, body).await;
        let answer = complete(response).await;
        document::check(method, path, &answer);
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask("GET", path, &[], "").await
    }

    pub async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, &[(CONTENT_TYPE.as_str(), "application/json")], body.to_string())
            .await
    }

    pub async fn start(&mut self) -> Answer {
        self.ask("POST", "/v1/conversations", &[], "").await
    }

    pub async fn start_under(&mut self, key: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        self.ask("POST", "/v1/conversations", &headers, body.to_string()).await
    }

    pub async fn touch(&mut self, id: i64) -> Answer {
        self.ask("POST", &format!("/v1/conversations/{id}/touch"), &[], "").await
    }

    pub async fn end(&mut self, id: i64) -> Answer {
        self.ask("POST", &format!("/v1/conversations/{id}/end"), &[], "").await
    }

    pub async fn show(&mut self, id: i64) -> Answer {
        self.get(&format!("/v1/conversations/{id}")).await
    }

    /// Says something and hears the whole of the answer.
    pub async fn say(&mut self, id: i64, text: &str, key: Option<&str>) -> Said {
        let response = self.send(id, text, key).await;
        if response.status() != 200 {
            let answer = complete(response).await;
            document::check("POST", &format!("/v1/conversations/{id}/messages"), &answer);
            return Said::No(answer);
        }
        Said::Yes(Events::new(response).rest().await)
    }

    /// As [`Client::say`], for what is to be accepted and answered.
    pub async fn say_well(&mut self, id: i64, text: &str) -> Vec<Event> {
        match self.say(id, text, None).await {
            Said::Yes(events) => events,
            Said::No(answer) => panic!("{answer:?}"),
        }
    }

    /// Says something and waits for the head of the answer.
    pub async fn send(&mut self, id: i64, text: &str, key: Option<&str>) -> Response<Incoming> {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        let body = json!({ "text": text }).to_string();
        self.request("POST", &format!("/v1/conversations/{id}/messages"), &headers, body).await
    }
}

#[derive(Debug)]
pub enum Said {
    Yes(Vec<Event>),
    No(Answer),
}

impl Said {
    pub fn yes(self) -> Vec<Event> {
        match self {
            Self::Yes(events) => events,
            Self::No(answer) => panic!("{answer:?}"),
        }
    }

    pub fn no(self) -> Answer {
        match self {
            Self::No(answer) => answer,
            Self::Yes(events) => panic!("{events:?}"),
        }
    }
}

pub async fn complete(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let bytes = body.collect().await.expect("the answer breaks off").to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

/// A server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub data: Value,
}

/// The events of a stream, one after the other.
pub struct Events {
    body: Incoming,
    text: String,
    /// Comments that say that the stream is alive.
    pub heartbeats: usize,
}

impl Events {
    pub fn new(response: Response<Incoming>) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body(), text: String::new(), heartbeats: 0 }
    }

    /// The next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                if block.starts_with(':') {
                    self.heartbeats += 1;
                    continue;
                }
                let mut lines = block.lines();
                let name = lines.next().unwrap().strip_prefix("event: ").unwrap().to_owned();
                let data = lines.next().unwrap().strip_prefix("data: ").unwrap();
                assert_eq!(lines.next(), None, "an event has two lines: {block}");
                return Some(Event { name, data: serde_json::from_str(data).unwrap() });
            }
            let frame = self.body.frame().await?.expect("the stream breaks off");
            self.text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }

    /// All events up to the end.
    pub async fn rest(mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        assert_eq!(self.text, "", "half an event at the end");
        events
    }
}

/// The names of the events, one of several `delta` in a row.
pub fn names(events: &[Event]) -> String {
    let mut names: Vec<&str> = events.iter().map(|event| event.name.as_str()).collect();
    names.dedup();
    names.join(" ")
}

/// The reply that the pieces make.
pub fn reply(events: &[Event]) -> String {
    let pieces = events.iter().filter(|event| event.name == "delta");
    pieces.map(|event| event.data["text"].as_str().unwrap()).collect()
}
