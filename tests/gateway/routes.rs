//! What each route answers, and to whom.

use conversation_manager::gateway::{Gateway, GatewayOptions};
use serde_json::json;

use crate::client::Client;
use crate::world::{Setup, World};

#[tokio::test(start_paused = true)]
async fn a_conversation_from_its_start_to_its_end() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let started = ada.post("/v1/conversations", &json!({ "room": "#ops" })).await;
    assert_eq!(started.status, 201);
    assert_eq!(started.header("location"), "/v1/conversations/1");
    assert_eq!(
        started.json(),
        json!({
            "id": 1, "room": "#ops", "state": "open", "closing": null, "messages": 0, "closed_at": null,
            "started_at": 1_700_000_000_001_i64, "active_at": 1_700_000_000_001_i64,
        })
    );
    ada.say_well(1, "hello world").await;
    let messages = ada.get("/v1/conversations/1/messages").await.json();
    assert_eq!(
        messages,
        json!({ "next": null, "messages": [
            { "seq": 1, "role": "user", "text": "hello world", "reply_to": null, "at": 1_700_000_000_002_i64 },
            { "seq": 2, "role": "bot", "text": "hello world", "reply_to": 1, "at": 1_700_000_000_023_i64 },
        ] })
    );
    assert_eq!(ada.touch(1).await.status, 204);
    assert_eq!(ada.end(1).await.status, 204);
    let shown = ada.show(1).await.json();
    assert_eq!((&shown["state"], &shown["closing"]), (&json!("closed"), &json!("completed")));
    assert_eq!(shown["messages"], 2);
    assert_eq!(world.manager.stats().ended.completed, 1);
    world.assert_nothing_left().await;
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages() {
    let limits = conversation_manager::Limits { max_per_user: 10, ..Default::default() };
    let world = World::start(Setup { limits, ..Setup::default() });
    let mut ada = world.ada().await;
    for _ in 0..5 {
        ada.start().await;
        world.grace().await.start().await;
    }
    let (mut ids, mut after) = (Vec::new(), 0);
    loop {
        let page = ada.get(&format!("/v1/conversations?after={after}&limit=2")).await.json();
        ids.extend(
            page["conversations"].as_array().unwrap().iter().map(|it| it["id"].as_i64().unwrap()),
        );
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(ids, [1, 3, 5, 7, 9]);
    for n in 0..3 {
        ada.say_well(1, &format!("message {n}")).await;
    }
    let page = ada.get("/v1/conversations/1/messages?after=1&limit=3").await.json();
    let seqs: Vec<_> = page["messages"].as_array().unwrap().iter().map(|it| &it["seq"]).collect();
    assert_eq!((seqs, &page["next"]), (vec![&json!(2), &json!(3), &json!(4)], &json!(4)));
    assert_eq!(ada.get(&format!("/v1/conversations?after={}", i64::MAX)).await.status, 200);
}

/// Every guarded route, with the number of a conversation in it.
fn guarded(id: i64) -> Vec<(&'static str, String)> {
    let routes = Gateway::routes().filter(|(_, _, guarded)| *guarded);
    let routes: Vec<_> =
        routes.map(|(method, path, _)| (method, path.replace("{id}", &id.to_string()))).collect();
    assert_eq!(routes.len(), 9);
    routes
}

#[tokio::test(start_paused = true)]
async fn without_a_token_or_with_a_forged_one_nobody_gets_anything_on_any_route() {
    let world = World::start(Setup::default());
    world.ada().await.start().await;
    let forged = [
        vec![],
        vec![("authorization", "Bearer token-of-nobody")],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Bearer")],
        vec![("authorization", "Basic token-of-ada")],
        vec![("authorization", "token-of-ada")],
        vec![("authorization", "Bearer token-of-ad")],
        vec![("authorization", "Bearer token-of-ada token-of-ada")],
        vec![("authorization", "Bearer token-of-ada"), ("authorization", "Bearer token-of-grace")],
    ];
    for headers in forged {
        for (method, path) in guarded(1) {
            let mut nobody = world.nobody().await;
            let answer = nobody.ask(method, &path, &headers, "").await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (401, "unauthorized"),
                "{method} {path}"
            );
            assert_eq!(answer.header("www-authenticate"), "Bearer");
        }
    }
    let mut ada = Client::connect(world.address.connect(), None).await;
    let answer = ada
        .ask("GET", "/v1/conversations/1", &[("authorization", "bEARER  token-of-ada")], "")
        .await;
    assert_eq!(answer.status, 200, "the scheme's case does not matter");
    assert_eq!(world.manager.stats().active, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_somebody_elses_looks_on_every_route_like_what_is_not_there() {
    let world = World::start(Setup::default());
    let (mut ada, mut grace) = (world.ada().await, world.grace().await);
    let open = ada.start().await.id();
    let closed = ada.start().await.id();
    ada.say_well(open, "secret").await;
    ada.end(closed).await;
    let json = ("content-type", "application/json");
    for (method, path) in guarded(0) {
        if !path.contains("/0") {
            continue;
        }
        let mut answers = Vec::new();
        for id in [open, closed, 999] {
            let path = path.replace("/0", &format!("/{id}"));
            let answer =
                grace.ask(method, &path, &[json], json!({ "text": "x" }).to_string()).await;
            assert_eq!(answer.status, 404, "{method} {path}");
            answers.push(answer.text);
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{method} {path}: {answers:?}");
    }
    // Under a key of the owner's, too.
    ada.say(open, "again", Some("key")).await.yes();
    assert_eq!(grace.say(open, "again", Some("key")).await.no().status, 404);
    let listed = grace.get("/v1/conversations").await.json();
    assert_eq!(listed, json!({ "conversations": [], "next": null }));
    assert_eq!(ada.show(open).await.json()["messages"], 4);
    // Another token of the same user reaches it.
    let mut again = Client::connect(world.address.connect(), Some("second-of-ada")).await;
    assert_eq!(again.show(open).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_forged_is_not_found() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    ada.start().await;
    for id in [
        "0",
        "-1",
        "+1",
        "01x",
        "1.0",
        "9223372036854775807",
        "9223372036854775808",
        "%31%00",
        "%ff",
        "a",
        "1%20",
    ] {
        for (method, suffix) in [
            ("GET", ""),
            ("DELETE", ""),
            ("GET", "/messages"),
            ("POST", "/touch"),
            ("POST", "/end"),
        ] {
            let answer = ada.ask(method, &format!("/v1/conversations/{id}{suffix}"), &[], "").await;
            assert_eq!((answer.status, answer.code().as_str()), (404, "not_found"), "{id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_not_what_is_expected_is_refused_by_what_is_wrong_with_it() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    let id = ada.start().await.id();
    let send = format!("/v1/conversations/{id}/messages");
    let start = "/v1/conversations";
    let json = ("content-type", "application/json");
    let long_room = format!(r#"{{"room":"{}"}}"#, "x".repeat(201));
    let cases = [
        (&send[..], Some(json), "{", 400, "invalid_json"),
        (&send, Some(json), "", 400, "invalid_json"),
        (&send, Some(json), "{\"text\":\"\\ud800\"}", 400, "invalid_json"),
        (&send, Some(json), "{\"text\":\"a\"} x", 400, "invalid_json"),
        (&send, Some(json), "{}", 422, "invalid_body"),
        (&send, Some(json), "[]", 422, "invalid_body"),
        (&send, Some(json), "null", 422, "invalid_body"),
        (&send, Some(json), "{\"text\":1}", 422, "invalid_body"),
        (&send, Some(json), "{\"text\":\"\"}", 422, "invalid_body"),
        (&send, Some(json), "{\"text\":\"a\",\"texts\":\"b\"}", 422, "invalid_body"),
        (&send, Some(json), "{\"text\":\"a\",\"text\":\"b\"}", 422, "invalid_body"),
        (
            &send,
            Some(("content-type", "text/plain")),
            "{\"text\":\"a\"}",
            415,
            "unsupported_media_type",
        ),
        (&send, None, "{\"text\":\"a\"}", 415, "unsupported_media_type"),
        (start, None, "{\"room\":\"a\"}", 415, "unsupported_media_type"),
        (start, Some(json), "{\"room\":1}", 422, "invalid_body"),
        (start, Some(json), "{\"room\":\"\"}", 422, "invalid_body"),
        (start, Some(json), &long_room, 422, "invalid_body"),
        (start, Some(json), "{\"user\":\"grace\"}", 422, "invalid_body"),
        (start, Some(json), "\u{feff}{}", 400, "invalid_json"),
    ];
    for (path, kind, body, status, code) in cases {
        let headers: Vec<_> = kind.into_iter().collect();
        let answer = ada.ask("POST", path, &headers, body.to_owned()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path} {body}");
    }
    assert_eq!(ada.show(id).await.json()["messages"], 0);
    assert_eq!(world.manager.stats().started_total, 1);
    let kind = [("content-type", "Application/JSON; charset=utf-8")];
    assert_eq!(ada.ask("POST", start, &kind, "{\"room\":null}").await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn a_query_or_a_key_without_meaning_is_refused() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    ada.start().await;
    for query in [
        "limit=0",
        "limit=101",
        "limit=x",
        "limit=-1",
        "after=-1",
        "after=9223372036854775808",
        "after=x",
        "page=2",
        "limit=1&limit=2",
    ] {
        for path in ["/v1/conversations", "/v1/conversations/1/messages"] {
            let answer = ada.get(&format!("{path}?{query}")).await;
            assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_query"), "{query}");
        }
    }
    for query in ["wait=61", "wait=-1", "wait=x", "wait=1.5", "patience=1"] {
        let answer = ada.ask("POST", &format!("/v1/conversations?{query}"), &[], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_query"), "{query}");
    }
    let long = "k".repeat(201);
    for keys in [vec![""], vec![" "], vec!["a b"], vec![&long], vec!["a", "a"]] {
        let headers: Vec<_> = keys.into_iter().map(|key| ("idempotency-key", key)).collect();
        let answer = ada.ask("POST", "/v1/conversations", &headers, "").await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_key"), "{headers:?}");
    }
    assert_eq!(world.manager.stats().started_total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_path_or_a_method_that_is_not_there_is_a_problem_like_any_other() {
    let world = World::start(Setup::default());
    let mut ada = world.ada().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/conversations/",
        "/v2/conversations",
        "/v1/conversations/1/messages/1",
    ] {
        let answer = ada.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "no_such_route"), "{path}");
    }
    for (method, path) in [
        ("PUT", "/v1/conversations"),
        ("PATCH", "/v1/conversations/1"),
        ("GET", "/v1/conversations/1/end"),
        ("POST", "/healthz"),
        ("TRACE", "/v1/stats"),
        ("OPTIONS", "/v1/conversations"),
        ("BREW", "/v1/stats"),
    ] {
        let answer = ada.ask(method, path, &[], "").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (405, "method_not_allowed"),
            "{method} {path}"
        );
        assert_ne!(answer.header("allow"), "", "{method} {path}");
    }
}

#[tokio::test(start_paused = true)]
async fn operators_see_without_a_token_that_it_lives_and_what_it_counts() {
    let world = World::start(Setup::default());
    let mut nobody = world.nobody().await;
    assert_eq!(nobody.get("/healthz").await.json(), json!({ "status": "ok" }));
    assert_eq!(nobody.get("/readyz").await.json(), json!({ "status": "ready" }));
    assert_eq!(nobody.get("/openapi.json").await.text, Gateway::openapi());
    assert_eq!(
        nobody.get("/metrics").await.header("content-type"),
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let mut ada = world.ada().await;
    ada.start().await;
    let stats = ada.get("/v1/stats").await.json();
    assert_eq!(
        (&stats["manager"]["active"], &stats["store"]["open"], &stats["live"]),
        (&json!(1), &json!(1), &json!(1))
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_told_to_come_again() {
    let options = GatewayOptions {
        request_timeout: std::time::Duration::from_secs(2),
        retry_after: std::time::Duration::from_millis(2500),
        ..GatewayOptions::default()
    };
    let pace = std::time::Duration::from_secs(3);
    let world = World::start(Setup { options, pace, ..Setup::default() });
    let mut ada = world.ada().await;
    for _ in 0..2 {
        let answer = ada.get("/v1/conversations").await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "timed_out"));
        assert_eq!(answer.header("retry-after"), "3", "whole seconds, rounded up");
    }
    // The start takes effect although nobody was told: its retry says so.
    let answer = ada.start_under("key", &json!({})).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "timed_out"));
}
