//! How conversations end, and how the gateway does.

use std::time::Duration;

use conversation_manager::Limits;
use conversation_manager::gateway::GatewayOptions;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::client::{Events, names};
use crate::world::{Setup, World, soon};

#[tokio::test(start_paused = true)]
async fn a_conversation_that_expires_is_closed_with_its_cause() {
    let limits = Limits {
        idle_timeout: Duration::from_secs(10),
        max_duration: Duration::from_secs(25),
        ..Limits::default()
    };
    let world = World::start(Setup { limits, ..Setup::default() });
    let mut ada = world.ada().await;
    let idle = ada.start().await.id();
    let long = ada.start().await.id();
    for _ in 0..4 {
        sleep(Duration::from_secs(6)).await;
        ada.touch(long).await;
    }
    sleep(Duration::from_secs(2)).await;
    for (id, closing) in [(idle, "expired_idle"), (long, "expired_duration")] {
        let shown = ada.show(id).await.json();
        assert_eq!((&shown["state"], &shown["closing"]), (&json!("closed"), &json!(closing)));
        for answer in [ada.touch(id).await, ada.end(id).await, ada.say(id, "x", None).await.no()] {
            assert_eq!((answer.status, answer.code().as_str()), (410, "conversation_over"));
            assert_eq!(answer.json()["closing"], closing);
        }
    }
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn an_end_is_an_end_however_often_it_is_asked_for() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let path = format!("/v1/conversations/{id}");
    assert_eq!(ada.ask("DELETE", &path, &[], "").await.status, 204);
    assert_eq!(ada.ask("DELETE", &path, &[], "").await.status, 204);
    assert_eq!(ada.end(id).await.status, 204);
    assert_eq!(ada.touch(id).await.status, 410);
    assert_eq!(world.manager.stats().ended.completed, 1);
}

#[tokio::test(start_paused = true)]
async fn what_ends_a_conversation_stops_its_turn_and_frees_its_slot() {
    let max_duration = Duration::from_secs(30);
    let limits = Limits { max_concurrent: 1, max_duration, ..Limits::default() };
    let world = World::start(Setup { limits, ..Setup::default() });
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let mut events = Events::new(ada.send(id, "slow 100", None).await);
    events.next().await.unwrap();
    assert_eq!(world.ada().await.end(id).await.status, 204);
    let rest = events.rest().await;
    assert_eq!(
        (names(&rest).as_str(), &rest.last().unwrap().data["code"]),
        ("error", &json!("conversation_over"))
    );

    let id = ada.start().await.id();
    let began = Instant::now();
    let events = ada.say_well(id, "slow 100").await;
    assert_eq!(events.last().unwrap().data["code"], "conversation_over");
    assert!(events.last().unwrap().data["closing"].is_string(), "how it ended");
    assert!((29..=30).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(ada.start().await.status, 201);
}

/// Holds the database, as another process would.
fn hold(world: &World) -> rusqlite::Connection {
    let other = rusqlite::Connection::open(&world.path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    other
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_store_refuses_frees_the_slot_and_is_written_down_later() {
    let limits =
        Limits { max_concurrent: 2, idle_timeout: Duration::from_secs(10), ..Limits::default() };
    let world = World::start(Setup { limits, ..Setup::default() });
    let mut ada = world.ada().await;
    let (ended, idle) = (ada.start().await.id(), ada.start().await.id());
    let other = hold(&world);
    let refused = ada.end(ended).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "store_busy"));
    assert_eq!(world.manager.stats().active, 1, "the slot is free");
    sleep(Duration::from_secs(12)).await;
    assert_eq!(world.manager.stats().active, 0);
    assert_eq!(ada.end(ended).await.code(), "store_busy");
    let shown = ada.show(ended).await.json();
    assert_eq!(shown["closing"], "completed", "it is over, whatever the store says");
    let metrics = ada.get("/metrics").await.text;
    assert!(metrics.contains("\nconversations_unclosed 2\n"), "{metrics}");
    assert_eq!(world.store.open().await.unwrap().len(), 2);
    drop(other);
    sleep(Duration::from_secs(2)).await;
    world.assert_nothing_left().await;
    assert_eq!(ada.end(ended).await.status, 204);
    assert_eq!(ada.show(idle).await.json()["closing"], "expired_idle");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_store_refuses_is_no_message_and_can_be_said_again() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let other = hold(&world);
    for _ in 0..2 {
        let refused = ada.say(id, "hello", Some("key")).await.no();
        assert_eq!((refused.status, refused.code().as_str()), (503, "store_busy"));
        assert_eq!(refused.header("retry-after"), "1");
    }
    drop(other);
    assert_eq!(names(&ada.say(id, "hello", Some("key")).await.yes()), "accepted delta done");
    assert_eq!(world.asked(), 1);

    // Refused between question and reply: the same key asks again.
    let mut events = Events::new(ada.send(id, "slow 2", Some("second")).await);
    assert_eq!(events.next().await.unwrap().name, "accepted");
    let other = hold(&world);
    let rest = events.rest().await;
    assert_eq!(rest.last().unwrap().data["code"], "store_busy");
    drop(other);
    assert_eq!(names(&ada.say(id, "slow 2", Some("second")).await.yes()), "accepted delta done");
    assert_eq!(ada.show(id).await.json()["messages"], 4);
}

#[tokio::test(start_paused = true)]
async fn while_it_drains_those_who_talk_finish_and_nobody_starts() {
    let mut world = World::start(Setup::default());
    let (mut ada, mut grace) = (world.ada().await, world.grace().await);
    let id = ada.start_under("key", &json!({})).await.id();
    let events = Events::new(ada.send(id, "slow 5", None).await);
    let mut waiting = world.nobody().await;
    assert_eq!(waiting.get("/readyz").await.status, 200);
    world.tell_to_stop();
    sleep(Duration::from_secs(1)).await;
    let not_ready = waiting.get("/readyz").await;
    assert_eq!((not_ready.status, not_ready.code().as_str()), (503, "draining"));
    assert_eq!(waiting.get("/healthz").await.status, 200);
    let refused = grace.start().await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "draining"));
    assert_eq!(refused.header("retry-after"), "1");
    let mut again = world.ada().await;
    assert_eq!(
        again.start_under("key", &json!({})).await.status,
        200,
        "what has started is still told"
    );
    assert_eq!(names(&events.rest().await), "accepted delta done", "a turn that goes on ends");
    let began = Instant::now();
    assert_eq!(again.end(id).await.status, 204);
    let served = soon(world.stopped()).await;
    assert!(began.elapsed() < Duration::from_secs(1), "the last end ends the drain");
    assert_eq!((served.drained.ended, served.drained.expired, served.unclosed), (1, 0, 0));
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_over_when_the_drain_is_is_closed_as_shut_down() {
    let mut world = World::start(Setup::default());
    let (mut ada, mut grace) = (world.ada().await, world.grace().await);
    let (idle, talking) = (ada.start().await.id(), grace.start().await.id());
    let events = Events::new(grace.send(talking, "slow 100", None).await);
    world.tell_to_stop();
    let began = Instant::now();
    let events = events.rest().await;
    assert_eq!(events.last().unwrap().data["code"], "draining");
    let served = world.stopped().await;
    assert!((30..32).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!((served.drained.expired, served.unclosed), (2, 0));
    for id in [idle, talking] {
        let closed = world.store.conversation(id).await.unwrap().unwrap().closed.unwrap();
        assert_eq!(closed.how.as_str(), "shut_down");
    }
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_although_the_store_is_stuck_and_clients_do_not_go() {
    let options =
        GatewayOptions { drain_time: Duration::from_secs(3), ..GatewayOptions::default() };
    let mut world = World::start(Setup { options, ..Setup::default() });
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let _half_a_head = {
        let mut io = world.address.connect();
        tokio::io::AsyncWriteExt::write_all(&mut io, b"GET /heal").await.unwrap();
        io
    };
    let other = hold(&world);
    world.tell_to_stop();
    let began = Instant::now();
    let served = world.stopped().await;
    assert!(began.elapsed() <= Duration::from_secs(3 + 5 + 5), "{:?}", began.elapsed());
    assert_eq!((served.drained.expired, served.unclosed), (1, 1));
    drop(other);
    // The next one finds it.
    let world = world.restart(Setup::default()).await;
    assert_eq!(world.ada().await.end(id).await.status, 204);
}
