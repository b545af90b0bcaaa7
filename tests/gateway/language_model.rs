//! The responder of `examples/model_gateway`, against a small endpoint that speaks like a model's.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use conversation_manager::gateway::{Gateway, GatewayOptions, GatewayParts, TokenTable};
use conversation_manager::store::{Store, StoreOptions, SystemWallClock};
use conversation_manager::{ConversationManager, Limits};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::client::{Client, Event, names, reply};

#[path = "../../examples/model_gateway/model.rs"]
#[allow(dead_code, unreachable_pub)]
mod model;

/// An endpoint that answers every request with these bytes, a piece at a time, and keeps what it was asked.
async fn endpoint(pieces: Vec<Vec<u8>>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let keep = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            let (pieces, keep) = (pieces.clone(), keep.clone());
            tokio::spawn(async move {
                let mut request = String::new();
                let mut buffer = [0; 4096];
                // The head says how much follows; the body is JSON that ends with a brace.
                while !request.ends_with('}') {
                    let length = io.read(&mut buffer).await.unwrap();
                    request += std::str::from_utf8(&buffer[..length]).unwrap();
                }
                keep.lock().unwrap().push(request);
                for piece in pieces {
                    io.write_all(&piece).await.unwrap();
                    io.flush().await.unwrap();
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
            });
        }
    });
    (address, asked)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn says(piece: &str) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "delta": { "content": piece } }] }))
}

/// A conversation with that endpoint behind it.
async fn talk(endpoint: SocketAddr, texts: &[&str]) -> Vec<Vec<Event>> {
    let folder = tempfile::tempdir().unwrap();
    let model = model::Model {
        endpoint: format!("http://{endpoint}/v1/chat/completions").parse().unwrap(),
        name: "small".into(),
        key: Some("key-of-the-model".into()),
        history: 20,
    };
    let gateway = Gateway::new(GatewayParts {
        manager: ConversationManager::new(Limits::default()).unwrap(),
        store: Store::spawn(StoreOptions::new(folder.path().join("db"))).unwrap(),
        wall_clock: Arc::new(SystemWallClock),
        responder: Arc::new(model),
        authenticator: Arc::new(TokenTable::new([("token", "ada")]).unwrap()),
        options: GatewayOptions::default(),
    })
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(gateway.serve(listener, std::future::pending()));
    let mut client =
        Client::connect(TcpStream::connect(address).await.unwrap(), Some("token")).await;
    let id = client.start().await.id();
    let mut turns = Vec::new();
    for text in texts {
        turns.push(client.say_well(id, text).await);
    }
    serving.abort();
    turns
}

#[tokio::test]
async fn a_models_words_are_passed_on_and_it_is_told_what_was_said_before() {
    let stream = format!(
        "{OK}: a comment\r\nevent: message\r\n{}{}{}data: [DONE]\n\n",
        says("caf\u{e9} "),
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\r\n\r\n",
        says("au lait")
    );
    // Broken after every seventh byte: in lines, and in characters.
    let pieces = stream.as_bytes().chunks(7).map(<[u8]>::to_vec).collect();
    let (address, asked) = endpoint(pieces).await;
    let turns = talk(address, &["what do you drink?", "and now?"]).await;
    for events in &turns {
        assert_eq!(
            (names(events).as_str(), reply(events).as_str()),
            ("accepted delta done", "caf\u{e9} au lait")
        );
    }
    let asked = asked.lock().unwrap();
    let (head, body) = asked[1].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("authorization: Bearer key-of-the-model"), "{head}");
    assert_eq!(
        serde_json::from_str::<Value>(body).unwrap(),
        json!({ "model": "small", "stream": true, "messages": [
            { "role": "user", "content": "what do you drink?" },
            { "role": "assistant", "content": "caf\u{e9} au lait" },
            { "role": "user", "content": "and now?" },
        ] })
    );
}

#[tokio::test]
async fn a_model_that_fails_is_an_error_of_the_turn() {
    let cases = [
        ("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n".to_owned(), "reply_unavailable"),
        ("HTTP/1.1 429 No\r\ncontent-length: 0\r\n\r\n".to_owned(), "reply_unavailable"),
        ("HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n".to_owned(), "reply_failed"),
        (format!("{OK}{}", says("half")), "reply_unavailable"),
        (
            format!("{OK}data: {{\"error\":{{\"message\":\"overloaded\"}}}}\n\n"),
            "reply_unavailable",
        ),
        (format!("{OK}data: nonsense\n\n"), "reply_failed"),
        ("nonsense\r\n\r\n".to_owned(), "reply_unavailable"),
    ];
    for (answer, code) in cases {
        let (address, _) = endpoint(vec![answer.clone().into_bytes()]).await;
        let turns = talk(address, &["hello"]).await;
        let last = turns[0].last().unwrap();
        assert_eq!((last.name.as_str(), &last.data["code"]), ("error", &json!(code)), "{answer}");
    }
    // Nobody there at all.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let turns = talk(nobody, &["hello"]).await;
    assert_eq!(turns[0].last().unwrap().data["code"], "reply_unavailable");
}
