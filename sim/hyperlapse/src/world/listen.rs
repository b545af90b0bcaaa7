//! What the system says of itself through `tracing`: heard when a failure is explained.
//!
//! A run that is explained has a subscriber of its own on its thread. What it hears stands in the explanation
//! between the events and is no event itself: whether anybody listens must not change a run.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Level, Metadata, Subscriber};

use super::bend::place;
use super::context;

/// Listens on this thread until the guard is dropped.
pub(super) fn begin() -> Listening {
    Listening { guard: Some(tracing::subscriber::set_default(Listener)) }
}

/// Somebody listens.
pub(super) struct Listening {
    guard: Option<DefaultGuard>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.guard.take();
        // The level that somebody listens to is kept for the whole process: others need not pay for it on.
        tracing::callsite::rebuild_interest_cache();
    }
}

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.is_span() && *metadata.level() <= Level::DEBUG
    }

    fn event(&self, event: &Event<'_>) {
        let mut said = Said::default();
        event.record(&mut said);
        context::with_run(|shared| {
            let (at_ns, actor) = (shared.now_ns(), context::actor());
            let before = shared.with(|recorder| recorder.events());
            let text = format!("{}{}", said.message, said.fields);
            place::said(place::Log { before, at_ns, actor, text });
        });
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// `message (field: value, field: value)`.
#[derive(Default)]
struct Said {
    message: String,
    fields: String,
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let (text, what) = match field.name() {
            "message" => (&mut self.message, String::new()),
            name => (&mut self.fields, format!(", {name} ")),
        };
        write!(text, "{what}{value:?}").expect("a string takes any text");
    }
}
