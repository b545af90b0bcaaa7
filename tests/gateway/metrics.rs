//! The metrics, as a scraper sees them.

use std::time::Duration;

use conversation_manager::Limits;
use serde_json::json;
use tokio::time::sleep;

use crate::world::{Setup, World};

#[tokio::test(start_paused = true)]
async fn the_metrics_of_a_small_day() {
    let limits = Limits {
        max_concurrent: 3,
        max_per_user: 2,
        idle_timeout: Duration::from_secs(60),
        ..Limits::default()
    };
    let world = World::start(Setup { limits, ..Setup::default() });
    let (mut ada, mut grace) = (world.ada().await, world.grace().await);
    let first = ada.start_under("key", &json!({})).await.id();
    ada.start_under("key", &json!({})).await;
    let second = ada.start().await.id();
    ada.start().await;
    grace.start().await;
    grace.ask("POST", "/v1/conversations?wait=1", &[], "").await;
    ada.say_well(first, "hello world").await;
    ada.say_well(first, "fail").await;
    ada.say_well(first, "slow 2").await;
    grace.show(first).await;
    grace.get("/favicon.ico").await;
    grace.ask("BREW", "/healthz", &[], "").await;
    ada.end(second).await;
    drop((ada, grace));
    sleep(Duration::from_secs(61)).await;
    let third = world.ada().await.start().await.id();
    let other = rusqlite::Connection::open(&world.path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world.ada().await.end(third).await;
    let text = world.nobody().await.get("/metrics").await.text;
    for family in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = family.split_once(' ').unwrap();
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name}");
    }
    insta::assert_snapshot!(text);
}
