//! A responder that asks a language model and passes its words on as they come.
//!
//! It speaks the streaming form of the chat-completions protocol: a POST with the conversation so far, and an answer of
//! server-sent events with a piece of the reply in each. A connection for each turn; the gateway bounds how long it takes.

use conversation_manager::gateway::{ReplyError, ReplySender, Responder, Responding, Turn};
use conversation_manager::store::Role;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

/// The longest line that an endpoint may send.
const LONGEST_LINE: usize = 1024 * 1024;

/// A model behind an HTTP endpoint.
pub struct Model {
    pub endpoint: Uri,
    pub name: String,
    pub key: Option<String>,
    /// How many messages it is told besides the last.
    pub history: u32,
}

impl Responder for Model {
    fn respond<'a>(&'a self, turn: Turn, reply: ReplySender) -> Responding<'a> {
        Box::pin(self.ask(turn, reply))
    }
}

/// The endpoint is not there, or breaks off: worth another try.
fn unavailable(error: impl ToString) -> ReplyError {
    ReplyError::Unavailable(error.to_string())
}

/// The endpoint says something that makes no sense.
fn failed(error: impl ToString) -> ReplyError {
    ReplyError::Failed(error.to_string())
}

impl Model {
    async fn ask(&self, turn: Turn, reply: ReplySender) -> Result<(), ReplyError> {
        let before = turn.history(self.history).await.map_err(unavailable)?;
        let said = before.iter().map(|message| match message.role {
            Role::User => json!({ "role": "user", "content": message.text }),
            Role::Bot => json!({ "role": "assistant", "content": message.text }),
        });
        let question = json!({ "role": "user", "content": turn.text });
        let messages: Vec<Value> = said.chain([question]).collect();
        let body = json!({ "model": self.name, "stream": true, "messages": messages });

        let authority =
            self.endpoint.authority().ok_or_else(|| failed("the endpoint has no host"))?;
        let address = (authority.host(), authority.port_u16().unwrap_or(80));
        let stream = TcpStream::connect(address).await.map_err(unavailable)?;
        let (mut sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(unavailable)?;
        let path = self.endpoint.path_and_query().map_or("/", |path| path.as_str());
        let mut request = Request::post(path)
            .header(HOST, authority.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "text/event-stream");
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, format!("Bearer {key}"));
        }
        let request = request.body(Full::new(Bytes::from(body.to_string()))).map_err(failed)?;

        // Both in one task: when the turn is dropped, so is the connection.
        let talk = async {
            let response = sender.send_request(request).await.map_err(unavailable)?;
            match response.status() {
                StatusCode::OK => listen(response.into_body(), &reply).await,
                StatusCode::TOO_MANY_REQUESTS => Err(unavailable("the model has no room")),
                status if status.is_server_error() => Err(unavailable(status)),
                status => Err(failed(status)),
            }
        };
        tokio::pin!(talk, connection);
        tokio::select! {
            biased;
            // What was read last is passed on before the end of the connection counts.
            said = &mut talk => said,
            ended = &mut connection => match ended {
                Ok(()) => talk.await,
                Err(error) => Err(unavailable(error)),
            },
        }
    }
}

/// Passes on what the events say, up to the one that says that it is all.
async fn listen(mut body: hyper::body::Incoming, reply: &ReplySender) -> Result<(), ReplyError> {
    let mut line = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(unavailable)?;
        for &byte in frame.data_ref().into_iter().flatten() {
            match byte {
                b'\n' => {
                    if hear(&line, reply)? {
                        return Ok(());
                    }
                    line.clear();
                }
                _ if line.len() == LONGEST_LINE => return Err(failed("a line without an end")),
                byte => line.push(byte),
            }
        }
    }
    Err(unavailable("the reply broke off"))
}

/// One line of the stream; `true` for the last. Lines may be broken anywhere on the wire, but are whole here.
fn hear(line: &[u8], reply: &ReplySender) -> Result<bool, ReplyError> {
    let line = std::str::from_utf8(line).map_err(failed)?.trim_end_matches('\r');
    let Some(data) = line.strip_prefix("data:") else {
        // A comment, the name of an event, or the end of one.
        return Ok(false);
    };
    let data = data.trim();
    if data == "[DONE]" {
        return Ok(true);
    }
    let event: Value = serde_json::from_str(data).map_err(failed)?;
    if let Some(error) = event.get("error") {
        return Err(unavailable(error));
    }
    if let Some(piece) = event["choices"][0]["delta"]["content"].as_str() {
        reply.send(piece)?;
    }
    Ok(false)
}
