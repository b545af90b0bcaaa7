//! `kill -9`, again and again, under load: what was acknowledged is there, once and in its order.
//!
//! The gateway is this test binary in another process. `GATEWAY_KILLS` says how often it is killed: 6 by default, 100 in
//! `.ci/nightly`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use conversation_manager::gateway::{Echo, Gateway, GatewayOptions, GatewayParts, TokenTable};
use conversation_manager::store::{Store, StoreOptions, SystemWallClock};
use conversation_manager::{ConversationManager, Limits};
use serde_json::Value;

const USERS: usize = 4;
const DATABASE: &str = "GATEWAY_DATABASE_OF_A_TEST";

/// Not a test of its own: what the other process runs.
#[test]
fn serves_until_it_is_killed() {
    let Ok(database) = std::env::var(DATABASE) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let limits = Limits { max_concurrent: USERS, max_per_user: 1, ..Limits::default() };
        let tokens = (0..USERS).map(|n| (format!("token-{n}"), format!("user {n}")));
        let gateway = Gateway::new(GatewayParts {
            manager: ConversationManager::new(limits).unwrap(),
            store: Store::spawn(StoreOptions::new(database).exclusive(true)).unwrap(),
            wall_clock: Arc::new(SystemWallClock),
            responder: Arc::new(Echo),
            authenticator: Arc::new(TokenTable::new(tokens).unwrap()),
            options: GatewayOptions { max_page: 1_000_000, ..GatewayOptions::default() },
        })
        .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        eprintln!("listening on {}", listener.local_addr().unwrap());
        gateway.serve(listener, std::future::pending()).await.unwrap();
    });
}

/// Starts the other process and waits until it listens.
fn start(database: &Path) -> (Child, SocketAddr) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::serves_until_it_is_killed", "--nocapture"])
        .env(DATABASE, database)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    for line in lines.map_while(Result::ok) {
        if let Some((_, address)) = line.split_once("listening on ") {
            return (child, address.parse().unwrap());
        }
    }
    panic!("it ended before it listened: {:?}", child.wait());
}

/// One request on a connection of its own; whatever came back, with the head.
fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    user: usize,
    key: &str,
    body: &str,
) -> std::io::Result<String> {
    let mut io = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    io.set_read_timeout(Some(Duration::from_secs(20)))?;
    let length = body.len();
    io.write_all(
        format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer token-{user}\r\n\
             idempotency-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .as_bytes(),
    )?;
    let mut answer = String::new();
    io.read_to_string(&mut answer)?;
    Ok(answer)
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
}

/// A user who talks without a pause, and tries everything again under its key until it is acknowledged. Returns the
/// conversation and how many turns were.
fn talk(user: usize, address: &Mutex<SocketAddr>, stop: &AtomicBool) -> (i64, usize) {
    let (mut conversation, mut turn) = (None, 0);
    while !stop.load(Ordering::SeqCst) {
        let address = *address.lock().unwrap();
        let Some(id) = conversation else {
            match ask(address, "POST", "/v1/conversations", user, "start", "{}") {
                Ok(answer) if answer.starts_with("HTTP/1.1 20") => {
                    conversation = body(&answer)["id"].as_i64()
                }
                Ok(answer) => {
                    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 409"), "{answer}")
                }
                Err(_) => thread::sleep(Duration::from_millis(5)),
            }
            continue;
        };
        let path = format!("/v1/conversations/{id}/messages");
        let text = format!(r#"{{"text":"{user} says {turn}"}}"#);
        match ask(address, "POST", &path, user, &format!("turn-{turn}"), &text) {
            Ok(answer) if answer.contains("event: done") => turn += 1,
            Ok(answer) => assert!(!answer.contains("HTTP/1.1 4"), "{answer}"),
            Err(_) => thread::sleep(Duration::from_millis(5)),
        }
    }
    (conversation.expect("it never started"), turn)
}

#[test]
fn what_was_acknowledged_survives_every_kill_once_and_in_order() {
    let kills: u64 = std::env::var("GATEWAY_KILLS").map_or(6, |kills| kills.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("conversations.sqlite3");
    let (mut child, first) = start(&database);
    let address = Arc::new(Mutex::new(first));
    let stop = Arc::new(AtomicBool::new(false));
    let mut slowest = Duration::ZERO;
    let users: Vec<_> = (0..USERS)
        .map(|user| {
            let (address, stop) = (address.clone(), stop.clone());
            thread::spawn(move || talk(user, &address, &stop))
        })
        .collect();
    for round in 0..kills {
        thread::sleep(Duration::from_millis(100 + round * 37 % 150));
        child.kill().unwrap();
        child.wait().unwrap();
        let began = Instant::now();
        let (next, at) = start(&database);
        (child, *address.lock().unwrap()) = (next, at);
        slowest = slowest.max(began.elapsed());
        assert!(slowest < Duration::from_secs(10), "it takes {slowest:?} to recover");
    }
    thread::sleep(Duration::from_millis(200));
    stop.store(true, Ordering::SeqCst);
    let said: Vec<(i64, usize)> = users.into_iter().map(|user| user.join().unwrap()).collect();
    let address = *address.lock().unwrap();
    let turns: usize = said.iter().map(|(_, turns)| turns).sum();

    let stats = body(&ask(address, "GET", "/v1/stats", 0, "x", "").unwrap());
    let slots =
        (&stats["manager"]["active"], &stats["store"]["open"], &stats["store"]["conversations"]);
    assert_eq!(
        slots,
        (&USERS.into(), &USERS.into(), &USERS.into()),
        "a slot was lost, or counted twice"
    );
    for (user, (id, turns)) in said.into_iter().enumerate() {
        assert!(turns > 0, "user {user} was never answered");
        let path = format!("/v1/conversations/{id}/messages");
        let answer = ask(address, "GET", &path, user, "x", "").unwrap();
        let messages = body(&answer);
        let texts: Vec<&str> = messages["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["text"].as_str().unwrap())
            .collect();
        assert!(
            texts.len() >= 2 * turns,
            "user {user}: {turns} turns acknowledged, {} messages",
            texts.len()
        );
        for (turn, pair) in texts.chunks(2).enumerate() {
            for text in pair {
                assert_eq!(
                    *text,
                    format!("{user} says {turn}"),
                    "question and reply, once and in order"
                );
            }
        }
    }
    println!("{kills} kills, {turns} turns acknowledged, none lost; slowest start {slowest:?}");
    child.kill().unwrap();
    child.wait().unwrap();
}
