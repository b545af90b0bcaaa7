//! What subscribers are told, and that foreign code may do what it likes with the manager.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use conversation_manager::{Conversation, ConversationManager, Limits};
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
        self.0
            .lock()
            .unwrap()
            .push(format!("{} {}", event.metadata().level(), line.0));
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
    let limits = Limits {
        max_concurrent: 1,
        ..Limits::default()
    };
    let manager = ConversationManager::new(limits).unwrap();
    let ada = manager.try_start("ada").unwrap();
    ada.touch().unwrap();
    manager.try_start("grace").unwrap_err();
    let patience = Duration::from_secs(1);
    manager.start_within("grace", patience).await.unwrap_err();
    assert!(
        tokio::time::timeout(patience, manager.start("mary"))
            .await
            .is_err()
    );
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
    manager
        .resize(Limits {
            max_concurrent: 2,
            ..limits
        })
        .unwrap();
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

/// Lets go of a conversation wherever it is dropped or woken.
struct Holder(Mutex<Option<Conversation>>);

impl Wake for Holder {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[tokio::test(start_paused = true)]
async fn wakers_that_use_the_manager_do_not_lock_it_up() {
    let limits = Limits {
        max_concurrent: 3,
        ..Limits::default()
    };
    let manager = ConversationManager::new(limits).unwrap();
    let conversation = manager.try_start("ada").unwrap();
    let held = || {
        let held = manager.try_start("grace").unwrap();
        Waker::from(Arc::new(Holder(Mutex::new(Some(held)))))
    };
    {
        let mut expired = pin!(conversation.expired());
        // The second poll drops the first waker, and with it a conversation.
        assert!(
            expired
                .as_mut()
                .poll(&mut Context::from_waker(&held()))
                .is_pending()
        );
        assert!(
            expired
                .as_mut()
                .poll(&mut Context::from_waker(&held()))
                .is_pending()
        );
        assert_eq!(manager.stats().active, 2);
        // The expiry wakes the second, which gives its conversation back.
        tokio::time::advance(limits.idle_timeout).await;
        assert_eq!(manager.stats().active, 0);
    }
    // So does a waker in the queue when its request is dropped.
    manager
        .resize(Limits {
            max_concurrent: 1,
            ..limits
        })
        .unwrap();
    let mut waiting = Box::pin(manager.start("mary"));
    let waker = held();
    assert!(
        waiting
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(waker);
    drop(waiting);
    assert_eq!((manager.stats().active, manager.stats().waiting), (0, 0));
}
