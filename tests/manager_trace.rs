//! What subscribers are told.
//!
//! One test in a process of its own: tracing remembers for the whole process whether an event is of interest, as
//! seen by the thread that came across it first, which may be one of another test that does not listen.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use conversation_manager::{ConversationManager, Limits};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes one line per event, without durations.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        match field.name() {
            "lasted" | "waited" => {}
            "message" => self.0.insert_str(0, &format!("{value:?}")),
            name => self.0 += &format!(" {name}={value:?}"),
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "conversation_manager"
    }
    fn event(&self, event: &Event<'_>) {
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().unwrap().push(format!("{} {}", event.metadata().level(), line.0));
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test(start_paused = true)]
async fn every_transition_is_told_once_and_in_order() {
    let lines = Lines::default();
    let _listening = tracing::subscriber::set_default(lines.clone());
    let limits = Limits { max_concurrent: 1, ..Limits::default() };
    let manager = ConversationManager::new(limits).unwrap();
    let ada = manager.try_start("ada").unwrap();
    ada.touch().unwrap();
    manager.try_start("grace").unwrap_err();
    let patience = Duration::from_secs(1);
    manager.start_within("grace", patience).await.unwrap_err();
    assert!(tokio::time::timeout(patience, manager.start("mary")).await.is_err());
    {
        let mut waiting = pin!(manager.start("mary"));
        let poll = |future: std::pin::Pin<&mut _>| {
            Future::poll(future, &mut Context::from_waker(Waker::noop())).is_ready()
        };
        assert!(!poll(waiting.as_mut()));
        ada.fail("on purpose").unwrap();
    }
    let idle = manager.try_start("idle").unwrap();
    tokio::time::advance(limits.idle_timeout).await;
    idle.end().unwrap_err();
    manager.try_start("ada").unwrap().end().unwrap();
    manager.resize(Limits { max_concurrent: 2, ..limits }).unwrap();
    manager.shutdown().await;
    insta::assert_snapshot!(lines.0.lock().unwrap().join("\n"), @r#"
    DEBUG conversation started id=1 user=ada
    TRACE conversation touched id=1
    DEBUG request refused: 1 conversations are active, the global limit is 1 user=grace reason="global limit"
    DEBUG request waits user=grace waiting=1
    DEBUG request refused: no slot became free within 1s user=grace reason="timed out"
    DEBUG request waits user=mary waiting=1
    DEBUG request cancelled user=mary
    DEBUG request waits user=mary waiting=1
    DEBUG conversation failed id=1 user=ada reason=on purpose
    DEBUG conversation started id=2 user=mary
    DEBUG conversation abandoned id=2 user=mary
    DEBUG conversation started id=3 user=idle
    DEBUG conversation expired id=3 user=idle reason="idle"
    DEBUG conversation started id=4 user=ada
    DEBUG conversation completed id=4 user=ada
    INFO limits changed max_concurrent=2 max_per_user=3 idle_timeout=300s max_duration=600s max_waiting=1000
    INFO shutting down: no more conversations start active=0 refused=0
    "#);
}
