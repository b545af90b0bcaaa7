//! Idempotency keys: once, whatever is lost on the way.

use std::time::Duration;

use conversation_manager::Limits;
use serde_json::json;
use tokio::time::sleep;

use crate::client::{Events, Said, names, reply};
use crate::world::{Setup, World, soon};

#[tokio::test(start_paused = true)]
async fn a_start_under_a_key_takes_effect_once() {
    let limits = Limits { max_concurrent: 1, max_per_user: 1, ..Limits::default() };
    let world = World::start(Setup { limits, ..Setup::default() });
    let mut ada = world.ada().await;
    let first = ada.start_under("key", &json!({ "room": "#ops" })).await;
    assert_eq!(first.status, 201);
    for _ in 0..3 {
        let again = ada.start_under("key", &json!({ "room": "#ops" })).await;
        assert_eq!((again.status, &again.text), (200, &first.text), "at the limit, too");
    }
    let other = ada.start_under("key", &json!({ "room": "#dev" })).await;
    assert_eq!((other.status, other.code().as_str()), (409, "key_reused"));
    assert_eq!(other.header("retry-after"), "");
    let stats = world.manager.stats();
    assert_eq!((stats.started_total, stats.refused.total()), (1, 0));
    ada.end(first.id()).await;
    let again = ada.start_under("key", &json!({ "room": "#ops" })).await;
    assert_eq!((again.status, &again.json()["state"]), (200, &json!("closed")));
    // The key of another user is another key.
    assert_eq!(world.grace().await.start_under("key", &json!({})).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn of_two_starts_under_a_key_at_once_one_is_told_to_come_again() {
    let limits = Limits { max_concurrent: 1, ..Limits::default() };
    let world = World::start(Setup { limits, ..Setup::default() });
    let occupied = world.grace().await.start().await.id();
    let headers = [("idempotency-key", "key")];
    let mut first = world.ada().await;
    let waiting =
        tokio::spawn(
            async move { first.ask("POST", "/v1/conversations?wait=30", &headers, "").await },
        );
    sleep(Duration::from_secs(1)).await;
    let mut ada = world.ada().await;
    let second = ada.ask("POST", "/v1/conversations?wait=30", &headers, "").await;
    assert_eq!((second.status, second.code().as_str()), (409, "start_in_progress"));
    assert_eq!(second.header("retry-after"), "1");
    world.grace().await.end(occupied).await;
    let first = soon(waiting).await.unwrap();
    let again = ada.ask("POST", "/v1/conversations?wait=30", &headers, "").await;
    assert_eq!((first.status, again.status, first.id()), (201, 200, again.id()));
    assert_eq!(world.manager.stats().started_total, 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_first_try_went_away_while_it_waited_is_free_again() {
    let limits = Limits { max_concurrent: 1, ..Limits::default() };
    let world = World::start(Setup { limits, ..Setup::default() });
    let occupied = world.grace().await.start().await.id();
    let headers = [("idempotency-key", "key")];
    let mut first = world.ada().await;
    {
        let wait = first.request("POST", "/v1/conversations?wait=30", &headers, "");
        tokio::time::timeout(Duration::from_secs(1), wait).await.unwrap_err();
    }
    first.leave();
    sleep(Duration::from_millis(10)).await;
    world.grace().await.end(occupied).await;
    let mut ada = world.ada().await;
    assert_eq!(ada.ask("POST", "/v1/conversations", &headers, "").await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn a_start_whose_answer_was_lost_is_found_by_its_key() {
    let pace = Duration::from_millis(200);
    let world = World::start(Setup { pace, ..Setup::default() });
    world.ready().await;
    let headers = [("idempotency-key", "key")];
    let mut first = world.ada().await;
    {
        // Looked for the key, and is being written down.
        let start = first.request("POST", "/v1/conversations", &headers, "");
        tokio::time::timeout(Duration::from_millis(300), start).await.unwrap_err();
    }
    first.leave();
    let mut ada = world.ada().await;
    let early = ada.ask("POST", "/v1/conversations", &headers, "").await;
    assert_eq!(early.code(), "start_in_progress");
    sleep(Duration::from_secs(1)).await;
    let again = ada.ask("POST", "/v1/conversations", &headers, "").await;
    assert_eq!((again.status, again.id()), (200, 1));
    assert_eq!(world.manager.stats().started_total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_message_under_a_key_is_there_once_and_its_retry_gets_the_stored_reply() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let first = ada.say(id, "hello world", Some("key")).await.yes();
    for _ in 0..3 {
        let again = ada.say(id, "hello world", Some("key")).await.yes();
        assert_eq!((names(&again), reply(&again)), (names(&first), reply(&first)));
        assert_eq!((again.first(), again.last()), (first.first(), first.last()));
    }
    assert_eq!(world.asked(), 1);
    let other = ada.say(id, "something else", Some("key")).await.no();
    assert_eq!((other.status, other.code().as_str()), (409, "key_reused"));
    ada.end(id).await;
    let again = ada.say(id, "hello world", Some("key")).await.yes();
    assert_eq!(reply(&again), "hello world", "after the end, too");
    let other = ada.say(id, "something else", Some("key")).await.no();
    assert_eq!(other.code(), "key_reused");
    assert_eq!(ada.say(id, "hello world", Some("other-key")).await.no().status, 410);
    assert_eq!(ada.show(id).await.json()["messages"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_retry_while_the_turn_goes_on_joins_it_from_its_beginning() {
    let world = World::start(Setup::default());
    let (mut ada, mut second) = (world.ada().await, world.ada().await);
    let id = ada.start().await.id();
    let mut first = Events::new(ada.send(id, "slow 5", Some("key")).await);
    assert_eq!(first.next().await.unwrap().name, "accepted");
    sleep(Duration::from_millis(2500)).await;
    let joined = tokio::spawn(async move {
        let events = second.say(id, "slow 5", Some("key")).await.yes();
        (events, second)
    });
    let (joined, mut second) = joined.await.unwrap();
    let first = first.rest().await;
    assert_eq!((reply(&first), reply(&joined)), ("1 2 3 4 5 ".into(), "1 2 3 4 5 ".into()));
    assert_eq!(first.last(), joined.last());
    assert_eq!(world.asked(), 1);
    assert_eq!(second.show(id).await.json()["messages"], 2);
}

#[tokio::test(start_paused = true)]
async fn another_message_while_a_turn_goes_on_is_told_to_come_again() {
    let world = World::start(Setup::default());
    let (mut ada, mut second) = (world.ada().await, world.ada().await);
    let id = ada.start().await.id();
    let mut first = Events::new(ada.send(id, "slow 5", Some("key")).await);
    first.next().await.unwrap();
    for (text, key, code) in [
        ("slow 5", None, "turn_in_progress"),
        ("slow 5", Some("another"), "turn_in_progress"),
        ("something else", Some("key"), "key_reused"),
    ] {
        let answer = second.say(id, text, key).await.no();
        assert_eq!((answer.status, answer.code().as_str()), (409, code));
    }
    first.rest().await;
    assert!(matches!(second.say(id, "now", Some("another")).await, Said::Yes(_)));
    assert_eq!(second.show(id).await.json()["messages"], 4);
}

#[tokio::test(start_paused = true)]
async fn a_question_whose_reply_failed_is_asked_again_under_its_key_and_stored_once() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    for _ in 0..2 {
        let events = ada.say(id, "fail", Some("key")).await.yes();
        assert_eq!(names(&events), "accepted error");
        assert_eq!(events[0].data["seq"], 1);
    }
    assert_eq!(world.asked(), 2);
    assert_eq!(ada.show(id).await.json()["messages"], 1);
}
