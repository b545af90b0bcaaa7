//! Clients that mean harm, or behave as if they did: refused with a clear status, nothing lost, others served.

use std::time::Duration;

use conversation_manager::gateway::GatewayOptions;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, sleep};

use crate::client::Events;
use crate::world::{Setup, World};

/// What comes back until the connection is closed, and how long that took.
async fn until_closed(mut io: DuplexStream) -> (String, Duration) {
    let began = Instant::now();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(600), io.read_to_end(&mut answer))
        .await
        .expect("the connection is never closed");
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

async fn sent(world: &World, bytes: impl AsRef<[u8]>) -> DuplexStream {
    let mut io = world.address.connect();
    io.write_all(bytes.as_ref()).await.unwrap();
    io
}

const HEAD: &str = "POST /v1/conversations HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token-of-ada\r\n\
                    content-type: application/json\r\n";

#[tokio::test(start_paused = true)]
async fn what_is_not_http_is_refused_and_the_connection_closed() {
    let world = World::start(Setup::default());
    let cases = [
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1} not http at all\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nbad header\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: nonsense\r\n\r\n",
    ];
    for case in cases {
        let (answer, _) = until_closed(sent(&world, case).await).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{case:?}: {answer:?}");
    }
    assert_eq!(world.nobody().await.get("/healthz").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_too_large_is_431() {
    let world = World::start(Setup::default());
    let many: String = (0..100).map(|n| format!("x-{n}: y\r\n")).collect();
    let large = format!("x-large: {}\r\n", "y".repeat(40_000));
    for headers in [many, large] {
        let request = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        let (answer, _) = until_closed(sent(&world, request).await).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_cut_off_however_steadily_it_comes() {
    let world = World::start(Setup::default());
    let mut io = sent(&world, "GET /healthz HTTP/1.1\r\n").await;
    let began = Instant::now();
    for n in 0.. {
        sleep(Duration::from_secs(1)).await;
        if io.write_all(format!("x-{n}: y\r\n").as_bytes()).await.is_err() {
            break;
        }
        assert!(n < 60, "it is never cut off");
    }
    assert!((14..=17).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_408_however_steadily_it_comes() {
    let world = World::start(Setup::default());
    let io = sent(&world, format!("{HEAD}content-length: 1000\r\n\r\n")).await;
    let (mut read, mut write) = tokio::io::split(io);
    let drip = tokio::spawn(async move {
        loop {
            sleep(Duration::from_secs(1)).await;
            if write.write_all(b" ").await.is_err() {
                return;
            }
        }
    });
    let began = Instant::now();
    let mut answer = vec![0; 4096];
    let length = read.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..length]);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"body_timed_out\""), "{answer}");
    assert_eq!(began.elapsed().as_secs(), 15);
    drip.abort();
    assert_eq!(world.manager.stats().started_total, 0);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_too_large_is_413_said_or_not() {
    let world = World::start(Setup::default());
    // Said beforehand: refused before any of it is sent.
    let io = sent(&world, format!("{HEAD}content-length: 100000000\r\n\r\n")).await;
    let (answer, took) = until_closed(io).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
    assert!(took < Duration::from_secs(1));
    // Not said: refused when it has become too large.
    let io = sent(&world, format!("{HEAD}transfer-encoding: chunked\r\n\r\n")).await;
    let (mut read, mut write) = tokio::io::split(io);
    let chunk = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let flood = tokio::spawn(async move {
        let mut chunks = 0;
        while chunks < 10_000 && write.write_all(chunk.as_bytes()).await.is_ok() {
            chunks += 1;
        }
        chunks
    });
    let mut answer = String::new();
    let _ = read.read_to_string(&mut answer).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    drop(read);
    let chunks = flood.await.unwrap();
    assert!(chunks < 100, "{chunks} chunks of 4 KiB were taken");
}

#[tokio::test(start_paused = true)]
async fn a_message_just_within_the_bound_is_taken() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let text = "x".repeat(64 * 1024 - r#"{"text":""}"#.len());
    ada.say_well(id, &text).await;
    let refused = ada.say(id, &(text + "x"), None).await.no();
    assert_eq!((refused.status, refused.code().as_str()), (413, "body_too_large"));
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_a_while() {
    let world = World::start(Setup::default());
    let (answer, took) = until_closed(world.address.connect()).await;
    assert_eq!((answer.as_str(), took.as_secs()), ("", 15), "one that never asks");
    let io = sent(&world, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let (answer, took) = until_closed(io).await;
    assert!(answer.starts_with("HTTP/1.1 200 "));
    assert_eq!(took.as_secs(), 15, "one that has asked");
}

#[tokio::test(start_paused = true)]
async fn of_many_idle_connections_the_longest_idle_make_room_and_others_are_served() {
    let options = GatewayOptions { max_connections: 50, ..GatewayOptions::default() };
    let world = World::start(Setup { options, ..Setup::default() });
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let mut talking = Events::new(ada.send(id, "slow 10", None).await);
    talking.next().await.unwrap();
    let mut idle = Vec::new();
    for n in 0..600 {
        idle.push(match n % 3 {
            0 => world.address.connect(),
            1 => sent(&world, "GET /healthz HTT").await,
            _ => sent(&world, "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await,
        });
        if n % 100 == 99 {
            let began = Instant::now();
            let stats = world.grace().await.get("/v1/stats").await;
            let connections = stats.json()["connections"].as_u64().unwrap();
            assert!(connections <= 50, "{connections}");
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        }
    }
    let rest = talking.rest().await;
    assert_eq!(rest.last().unwrap().name, "done", "one that is at work is not cut off");
    let metrics = world.nobody().await.get("/metrics").await.text;
    let evicted =
        metrics.lines().find(|line| line.starts_with("http_connections_evicted_total ")).unwrap();
    let evicted: u32 = evicted.split_once(' ').unwrap().1.parse().unwrap();
    assert!(evicted >= 550, "{evicted}");
}

#[tokio::test(start_paused = true)]
async fn where_all_connections_are_at_work_the_next_waits_for_one_to_be_done() {
    let options = GatewayOptions { max_connections: 2, ..GatewayOptions::default() };
    let world = World::start(Setup { options, ..Setup::default() });
    let mut talking = Vec::new();
    for _ in 0..2 {
        let mut ada = world.ada().await;
        let id = ada.start().await.id();
        talking.push(Events::new(ada.send(id, "slow 5", None).await));
        // The connection lives on in its stream.
        std::mem::forget(ada);
    }
    let began = Instant::now();
    assert_eq!(world.nobody().await.get("/healthz").await.status, 200);
    assert!((4..8).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    for events in talking {
        assert_eq!(events.rest().await.last().unwrap().name, "done");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off_and_its_turn_is_kept() {
    let options = GatewayOptions { max_reply_bytes: 10_000_000, ..GatewayOptions::default() };
    let world = World::start(Setup { options, ..Setup::default() });
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    // Ten replies of 60 KB in one connection of 64 KiB, and nobody reads.
    let body = format!(r#"{{"text":"{}"}}"#, "x".repeat(60_000));
    let request = format!(
        "POST /v1/conversations/{id}/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token-of-ada\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut io = world.address.connect();
    for _ in 0..10 {
        let _ =
            tokio::time::timeout(Duration::from_secs(1), io.write_all(request.as_bytes())).await;
    }
    sleep(Duration::from_secs(40)).await;
    let mut ada = world.ada().await;
    let connections = ada.get("/v1/stats").await.json()["connections"].as_u64().unwrap();
    assert_eq!(connections, 1, "only ours is open");
    let messages = ada.show(id).await.json()["messages"].as_i64().unwrap();
    assert!(messages >= 2 && messages % 2 == 0, "{messages}: every question has its reply");
}
