//! How far a turn has come, for those who listen: any number of them, from the first moment or later.
//!
//! The reply is one growing text; a listener remembers how far they have heard it. A slow listener holds up nobody
//! and costs nothing: what was said in the meantime comes in one piece.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::problem::{Code, Problem};

/// What the turn has come to.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// The reply is committed under this number.
    Done(i64),
    Failed(Problem),
}

#[derive(Debug)]
struct State {
    accepted: Option<i64>,
    reply: String,
    outcome: Option<Outcome>,
    /// Why it is to stop.
    stop: Option<Problem>,
    spoke: Instant,
}

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Progress {
    /// The idempotency key of the question.
    pub(crate) key: Option<String>,
    pub(crate) text: String,
    state: Mutex<State>,
    changed: Notify,
    stopped: CancellationToken,
}

/// What a listener hears next.
#[derive(Debug)]
pub(crate) enum Heard {
    Accepted(i64),
    Delta(String),
    Over(Outcome),
}

/// How much of it a listener has heard.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    accepted: bool,
    bytes: usize,
}

impl Progress {
    pub(crate) fn new(key: Option<String>, text: String) -> Self {
        let state = State {
            accepted: None,
            reply: String::new(),
            outcome: None,
            stop: None,
            spoke: Instant::now(),
        };
        Self {
            key,
            text,
            state: Mutex::new(state),
            changed: Notify::new(),
            stopped: CancellationToken::new(),
        }
    }

    /// Poisoned or not: nothing in here panics halfway.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn accept(&self, seq: i64) {
        let mut state = self.state();
        state.accepted = Some(seq);
        state.spoke = Instant::now();
        drop(state);
        self.changed.notify_waiters();
    }

    /// The number of the question, once it has one.
    pub(crate) fn accepted(&self) -> Option<i64> {
        self.state().accepted
    }

    /// Adds to the reply; `false` if it would have more than `most` bytes.
    pub(crate) fn say(&self, piece: &str, most: usize) -> bool {
        let mut state = self.state();
        if state.outcome.is_some() {
            return true;
        }
        if state.reply.len().saturating_add(piece.len()) > most {
            return false;
        }
        state.reply.push_str(piece);
        state.spoke = Instant::now();
        drop(state);
        self.changed.notify_waiters();
        true
    }

    /// The first outcome counts.
    pub(crate) fn finish(&self, outcome: Outcome) {
        self.state().outcome.get_or_insert(outcome);
        self.changed.notify_waiters();
    }

    /// Asks the turn to stop: the reply is not wanted any more. One that is being committed is.
    pub(crate) fn stop(&self, why: Problem) {
        self.state().stop.get_or_insert(why);
        self.stopped.cancel();
    }

    /// Completes when the turn is asked to stop, with the reason.
    pub(crate) async fn stopped(&self) -> Problem {
        self.stopped.cancelled().await;
        let stop = self.state().stop.clone();
        stop.unwrap_or_else(|| Problem::new(Code::Internal, "stopped without a reason"))
    }

    pub(crate) fn reply(&self) -> String {
        self.state().reply.clone()
    }

    /// When the responder spoke last.
    pub(crate) fn spoke(&self) -> Instant {
        self.state().spoke
    }

    /// Waits for what this ear has not heard yet.
    pub(crate) async fn hear(&self, ear: &mut Ear) -> Heard {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Before the look, so that nothing falls between look and wait.
            changed.as_mut().enable();
            if let Some(heard) = self.look(ear) {
                return heard;
            }
            changed.await;
        }
    }

    fn look(&self, ear: &mut Ear) -> Option<Heard> {
        let state = self.state();
        if let (Some(seq), false) = (state.accepted, ear.accepted) {
            ear.accepted = true;
            return Some(Heard::Accepted(seq));
        }
        if ear.bytes < state.reply.len() {
            let piece = state.reply[ear.bytes..].to_owned();
            ear.bytes = state.reply.len();
            return Some(Heard::Delta(piece));
        }
        state.outcome.clone().map(Heard::Over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_late_hears_it_all_in_one_piece() {
        let progress = Progress::new(None, "hello".into());
        progress.accept(1);
        assert!(progress.say("one ", 100));
        let mut early = Ear::default();
        assert!(matches!(progress.hear(&mut early).await, Heard::Accepted(1)));
        assert!(matches!(progress.hear(&mut early).await, Heard::Delta(text) if text == "one "));
        assert!(progress.say("two", 100));
        progress.finish(Outcome::Done(2));
        assert!(matches!(progress.hear(&mut early).await, Heard::Delta(text) if text == "two"));
        assert!(matches!(progress.hear(&mut early).await, Heard::Over(Outcome::Done(2))));
        let mut late = Ear::default();
        assert!(matches!(progress.hear(&mut late).await, Heard::Accepted(1)));
        assert!(matches!(progress.hear(&mut late).await, Heard::Delta(text) if text == "one two"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reply_is_never_longer_than_it_may_be() {
        let progress = Progress::new(None, String::new());
        assert!(progress.say("12345", 8));
        assert!(!progress.say("6789", 8));
        assert!(progress.say("678", 8));
        assert_eq!(progress.reply(), "12345678");
    }
}
