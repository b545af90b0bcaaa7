//! A turn: what is told when, what is stored by then, and what a client that goes away changes (nothing).

use std::time::Duration;

use conversation_manager::gateway::GatewayOptions;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::client::{Event, Events, names, reply};
use crate::world::{Setup, World, soon};

#[tokio::test(start_paused = true)]
async fn a_turn_is_accepted_told_in_pieces_and_done() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let events = ada.say_well(id, "one two three").await;
    let event = |name: &str, data| Event { name: name.into(), data };
    assert_eq!(
        events,
        [
            event("accepted", json!({ "seq": 1 })),
            event("delta", json!({ "text": "one " })),
            event("delta", json!({ "text": "two " })),
            event("delta", json!({ "text": "three" })),
            event("done", json!({ "seq": 2 })),
        ]
    );
    let lines = "line\nbreaks\r\n and \u{0} control \u{2028} characters";
    assert_eq!(reply(&ada.say_well(id, lines).await), lines);
}

#[tokio::test(start_paused = true)]
async fn what_is_told_is_stored_by_then() {
    let pace = Duration::from_millis(300);
    let world = World::start(Setup { pace, ..Setup::default() });
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let stored = || {
        // By another connection: what it sees is committed.
        let database = rusqlite::Connection::open(&world.path).unwrap();
        database.query_row("SELECT count(*) FROM messages", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let began = Instant::now();
    let mut events = Events::new(ada.send(id, "slow 2", None).await);
    assert_eq!(events.next().await.unwrap().name, "accepted");
    assert_eq!(stored(), 1);
    // Not before the store has said so, either.
    assert!(began.elapsed() >= pace, "{:?}", began.elapsed());
    let mut spoke = Instant::now();
    while let Some(event) = events.next().await {
        if event.name == "done" {
            assert_eq!(stored(), 2);
            assert!(spoke.elapsed() >= pace, "{:?}", spoke.elapsed());
        }
        spoke = Instant::now();
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_come_as_they_are_said_and_silence_has_a_heartbeat() {
    let options =
        GatewayOptions { heartbeat: Duration::from_millis(400), ..GatewayOptions::default() };
    let world = World::start(Setup { options, ..Setup::default() });
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let began = Instant::now();
    let mut events = Events::new(ada.send(id, "slow 3", None).await);
    events.next().await.unwrap();
    for second in 1..=3 {
        assert_eq!(events.next().await.unwrap().data["text"], format!("{second} "));
        assert_eq!(began.elapsed().as_secs(), second);
    }
    assert_eq!(events.next().await.unwrap().name, "done");
    assert_eq!(events.heartbeats, 6, "two in each second");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_fails_is_an_error_event_and_its_words_stay_inside() {
    let options = GatewayOptions {
        turn_deadline: Duration::from_secs(10),
        turn_idle: Duration::from_secs(5),
        max_reply_bytes: 10_000,
        ..GatewayOptions::default()
    };
    let world = World::start(Setup { options, ..Setup::default() });
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    for (text, code, seconds) in [
        ("fail", "reply_failed", 0),
        ("unavailable", "reply_unavailable", 0),
        ("huge", "reply_too_long", 0),
        ("hang", "reply_timed_out", 5),
        ("slow 20", "reply_timed_out", 10),
        ("panic", "internal", 0),
    ] {
        let began = Instant::now();
        let events = ada.say_well(id, text).await;
        let error = events.last().unwrap();
        assert_eq!((error.name.as_str(), &error.data["code"]), ("error", &json!(code)), "{text}");
        assert!(!error.data["message"].as_str().unwrap().contains("secret"));
        assert_eq!(began.elapsed().as_secs(), seconds, "{text}");
        assert!(reply(&events).len() <= 10_000);
    }
    assert_eq!(ada.show(id).await.json()["messages"], 6, "the questions");
    assert_eq!(
        names(&ada.say_well(id, "fine").await),
        "accepted delta done",
        "the next turn is free to go"
    );
}

#[tokio::test(start_paused = true)]
async fn a_responder_can_read_what_was_said_before() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    for text in ["a", "b", "c"] {
        ada.say_well(id, text).await;
    }
    assert_eq!(reply(&ada.say_well(id, "history").await), "bot:b user:c bot:c ");
    let fresh = ada.start().await.id();
    assert_eq!(reply(&ada.say_well(fresh, "history").await), "");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_in_the_middle_finds_the_whole_reply_later() {
    let world = World::start(Setup::default());
    // Before the head of the answer, after `accepted`, in the middle of the reply.
    for stage in [0, 100, 2500] {
        let mut ada = world.ada().await;
        let id = ada.start().await.id();
        {
            let turn = async {
                let mut events = Events::new(ada.send(id, "slow 4", Some("key")).await);
                while events.next().await.is_some() {}
            };
            tokio::time::timeout(Duration::from_millis(stage), turn).await.unwrap_err();
        }
        ada.leave();
        sleep(Duration::from_secs(5)).await;
        let mut ada = world.ada().await;
        let again = soon(ada.say(id, "slow 4", Some("key"))).await.yes();
        assert_eq!(reply(&again), "1 2 3 4 ", "stage {stage}");
        let messages = ada.get(&format!("/v1/conversations/{id}/messages")).await.json();
        assert_eq!(messages["messages"].as_array().unwrap().len(), 2, "stage {stage}");
        assert_eq!(ada.end(id).await.status, 204);
    }
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_keeps_its_conversation_from_being_idle() {
    let limits =
        conversation_manager::Limits { idle_timeout: Duration::from_secs(3), ..Default::default() };
    let world = World::start(Setup { limits, ..Setup::default() });
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    assert_eq!(names(&ada.say_well(id, "slow 10").await), "accepted delta done");
    sleep(Duration::from_millis(2900)).await;
    assert_eq!(ada.touch(id).await.status, 204, "its idle time began with the reply");
    sleep(Duration::from_millis(3100)).await;
    let over = ada.touch(id).await;
    assert_eq!((over.status, &over.json()["closing"]), (410, &json!("expired_idle")));
}
