//! A crash, and what the next gateway makes of what it finds.

use std::time::Duration;

use conversation_manager::Limits;
use conversation_manager::gateway::{GatewayOptions, Recovery};
use serde_json::json;
use tokio::time::sleep;

use crate::client::{Events, names, reply};
use crate::world::{Setup, World};

#[tokio::test(start_paused = true)]
async fn after_a_crash_conversations_go_on_with_one_slot_each() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let ids = [
        ada.start().await.id(),
        ada.post("/v1/conversations", &json!({ "room": "#ops" })).await.id(),
    ];
    ada.say(ids[0], "before", Some("key")).await.yes();
    let over = world.grace().await.start().await.id();
    world.grace().await.end(over).await;
    let world = world.crash_and_restart(Setup::default()).await;
    let mut ada = world.ada().await;
    assert_eq!(world.manager.stats().active, 2);
    assert_eq!(world.manager.active()[1].room.as_deref(), Some("#ops"));
    assert_eq!(reply(&ada.say(ids[0], "before", Some("key")).await.yes()), "before");
    assert_eq!(world.asked(), 0, "it was answered before the crash");
    assert_eq!(ada.say_well(ids[0], "after").await[0].data["seq"], 3);
    for id in ids {
        assert_eq!(ada.end(id).await.status, 204);
    }
    let stats = world.manager.stats();
    assert_eq!((stats.started_total, stats.ended.completed), (2, 2));
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_a_crash_left_without_a_reply_gets_one_from_its_retry() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let mut events = Events::new(ada.send(id, "slow 5", Some("key")).await);
    assert_eq!(events.next().await.unwrap().data["seq"], 1);
    sleep(Duration::from_millis(2500)).await;
    let mut world = world.crash_and_restart(Setup::default()).await;
    for _ in 0..2 {
        let mut ada = world.ada().await;
        let again = ada.say(id, "slow 5", Some("key")).await.yes();
        assert_eq!(
            (names(&again).as_str(), reply(&again).as_str()),
            ("accepted delta done", "1 2 3 4 5 ")
        );
        assert_eq!(
            (&again[0].data["seq"], &again.last().unwrap().data["seq"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(world.asked(), 1, "once");
    }
    world = world.crash_and_restart(Setup::default()).await;
    let messages = world.ada().await.get(&format!("/v1/conversations/{id}/messages")).await.json();
    assert_eq!(messages["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_gateway_that_crashed_runs_on() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let mut events = Events::new(ada.send(id, "slow 5", Some("key")).await);
    events.next().await.unwrap();
    let setup = Setup {
        options: GatewayOptions { recovery: Recovery::Interrupt, ..GatewayOptions::default() },
        ..Setup::default()
    };
    let manager = world.manager.clone();
    let world = world.crash_and_restart(setup).await;
    sleep(Duration::from_secs(20)).await;
    let stored = world.store.messages(id, 0, 10).await.unwrap();
    assert_eq!(stored.len(), 1, "the reply of the crashed one is not there: {stored:?}");
    assert_eq!(manager.stats().active, 0, "its slots went with it");
}

#[tokio::test(start_paused = true)]
async fn by_policy_a_restart_closes_what_it_finds_as_interrupted() {
    let world = World::start(Setup::default());
    let id = world.ada().await.start().await.id();
    let setup = Setup {
        options: GatewayOptions { recovery: Recovery::Interrupt, ..GatewayOptions::default() },
        ..Setup::default()
    };
    let world = world.crash_and_restart(setup).await;
    let mut ada = world.ada().await;
    let over = ada.touch(id).await;
    assert_eq!((over.status, &over.json()["closing"]), (410, &json!("interrupted")));
    assert_eq!(world.manager.stats().started_total, 0);
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_into_the_limits_any_more_is_interrupted_oldest_kept() {
    let world = World::start(Setup::default());
    let (mut ada, mut grace) = (world.ada().await, world.grace().await);
    let a = [ada.start().await.id(), ada.start().await.id()];
    let g = [grace.start().await.id(), grace.start().await.id()];
    let limits = Limits { max_concurrent: 2, max_per_user: 1, ..Limits::default() };
    let world = world.crash_and_restart(Setup { limits, ..Setup::default() }).await;
    let (mut ada, mut grace) = (world.ada().await, world.grace().await);
    let mut states = Vec::new();
    for id in a {
        states.push(ada.show(id).await.json()["closing"].clone());
    }
    for id in g {
        states.push(grace.show(id).await.json()["closing"].clone());
    }
    assert_eq!(json!(states), json!([null, "interrupted", null, "interrupted"]));
    assert_eq!(world.manager.stats().active, 2);
    assert_eq!(world.store.open().await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn crashes_in_a_row_neither_lose_a_slot_nor_count_one_twice() {
    let limits = Limits { max_concurrent: 4, max_per_user: 2, ..Limits::default() };
    let setup = || Setup { limits, ..Setup::default() };
    let mut world = World::start(setup());
    for round in 0..10 {
        let (mut ada, mut grace) = (world.ada().await, world.grace().await);
        for client in [&mut ada, &mut grace] {
            let start =
                client.start_under(&format!("round {round}").replace(' ', "-"), &json!({})).await;
            assert!([201, 429].contains(&start.status));
        }
        if round % 3 == 2 {
            let open = world.store.open().await.unwrap();
            let oldest = open.iter().find(|it| it.user == "ada").unwrap().id;
            assert_eq!(ada.end(oldest).await.status, 204);
        }
        let open = world.store.open().await.unwrap().len() as u64;
        assert_eq!(world.manager.stats().active, open, "round {round}");
        world = world.crash_and_restart(setup()).await;
        world.ada().await.get("/healthz").await;
        assert_eq!(world.manager.stats().active, open, "round {round}");
    }
}
