//! The limits, the queue, and whose place it is.

use std::time::Duration;

use conversation_manager::Limits;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::world::{Setup, World, soon};

fn limits(max_concurrent: usize, max_per_user: usize, max_waiting: usize) -> Setup {
    let limits = Limits { max_concurrent, max_per_user, max_waiting, ..Limits::default() };
    Setup { limits, ..Setup::default() }
}

#[tokio::test(start_paused = true)]
async fn at_each_limit_a_start_is_refused_with_the_time_to_come_again() {
    let world = World::start(limits(3, 2, 1));
    let (mut ada, mut grace) = (world.ada().await, world.grace().await);
    ada.start().await;
    ada.start().await;
    let refused = ada.start().await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "user_limit"));
    assert_eq!(refused.header("retry-after"), "1");
    let last = grace.start().await.id();
    let refused = grace.start().await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "global_limit"));

    let mut waiting = world.grace().await;
    let waiting =
        tokio::spawn(async move { waiting.ask("POST", "/v1/conversations?wait=5", &[], "").await });
    sleep(Duration::from_millis(100)).await;
    let refused = ada.ask("POST", "/v1/conversations?wait=5", &[], "").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "queue_full"));
    let asked = Instant::now();
    let refused = waiting.await.unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (429, "wait_timed_out"));
    assert!(asked.elapsed() <= Duration::from_secs(5));

    assert_eq!(grace.end(last).await.status, 204);
    assert_eq!(grace.start().await.status, 201);
    let stats = world.manager.stats();
    assert_eq!((stats.peak_active, stats.refused.total()), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_gets_the_next_slot() {
    let world = World::start(limits(1, 1, 10));
    let (mut ada, mut grace) = (world.ada().await, world.grace().await);
    let first = ada.start().await.id();
    let waiting = tokio::spawn(async move {
        let answer = grace.ask("POST", "/v1/conversations?wait=60", &[], "").await;
        (answer, grace)
    });
    sleep(Duration::from_secs(20)).await;
    assert_eq!(world.manager.stats().waiting, 1);
    world.ada().await.end(first).await;
    let (answer, mut grace) = soon(waiting).await.unwrap();
    assert_eq!(answer.status, 201);
    assert_eq!(grace.end(answer.id()).await.status, 204);
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_while_they_wait_gives_their_place_back() {
    let world = World::start(limits(1, 1, 1));
    let (mut ada, mut grace) = (world.ada().await, world.grace().await);
    let first = ada.start().await.id();
    {
        let wait = grace.request("POST", "/v1/conversations?wait=60", &[], "");
        tokio::time::timeout(Duration::from_secs(1), wait).await.unwrap_err();
    }
    assert_eq!(world.manager.stats().waiting, 1);
    grace.leave();
    sleep(Duration::from_millis(10)).await;
    assert_eq!(world.manager.stats().waiting, 0, "the place is free again");
    ada.end(first).await;
    assert_eq!(world.manager.stats().started_total, 1, "nobody started who is not there");
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_goes_away_while_their_start_is_written_down_is_freed_by_expiry() {
    let pace = Duration::from_millis(500);
    let idle_timeout = Duration::from_secs(60);
    let limits = Limits { max_concurrent: 1, idle_timeout, ..Limits::default() };
    let world = World::start(Setup { limits, pace, ..Setup::default() });
    world.ready().await;
    let mut ada = world.ada().await;
    {
        let start = ada.request("POST", "/v1/conversations", &[], "");
        tokio::time::timeout(Duration::from_millis(100), start).await.unwrap_err();
    }
    ada.leave();
    sleep(Duration::from_secs(1)).await;
    let open = world.store.open().await.unwrap();
    assert_eq!(open.len(), 1, "it took effect");
    assert_eq!(world.manager.stats().active, 1, "and has its slot");
    sleep(idle_timeout + Duration::from_secs(2)).await;
    assert_eq!(world.manager.stats().ended.expired_idle, 1);
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_that_the_store_refuses_has_no_slot() {
    let world = World::start(Setup { max_bytes: Some(1), ..limits(1, 1, 1) });
    let mut ada = world.ada().await;
    let mut full = 0;
    for n in 0..1000 {
        let answer = ada.start_under(&format!("{n}{}", "x".repeat(190)), &json!({})).await;
        if answer.status == 201 {
            assert_eq!(ada.end(answer.id()).await.status, 204);
            continue;
        }
        assert_eq!((answer.status, answer.code().as_str()), (503, "store_full"));
        assert_eq!(world.manager.stats().active, 0);
        full += 1;
        if full == 3 {
            break;
        }
    }
    assert_eq!(world.manager.stats().ended.failed, 3);
    assert_eq!(ada.get("/v1/conversations").await.status, 200, "what is there can be read");
}
