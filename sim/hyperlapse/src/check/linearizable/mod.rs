//! Linearizability: concurrent operations behave as if each took effect at one moment between its call and its
//! return (Herlihy and Wing, "Linearizability", TOPLAS 12(3), 1990).
//!
//! A [`History`] takes down calls and returns, under simulation or on real threads; a [`Model`] says what a
//! sequential object would answer; [`History::check`] looks for an order of the calls that the model agrees
//! with. A call that never returned (a user was cancelled) may have taken effect at any moment after it, or not
//! at all.
//!
//! ```
//! use hyperlapse::check::linearizable::{History, Model, Outcome};
//!
//! /// A register: `Some` writes, `None` reads.
//! #[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
//! struct Register(u32);
//!
//! impl Model for Register {
//!     type Call = Option<u32>;
//!     type Answer = u32;
//!     fn step(&self, call: &Option<u32>, answer: Option<&u32>) -> Option<Self> {
//!         let after = Register(call.unwrap_or(self.0));
//!         answer.is_none_or(|answer| *answer == after.0).then_some(after)
//!     }
//! }
//!
//! let history = History::new();
//! let write = history.call(Some(7));
//! let read = history.call(None);
//! read.returned(7);
//! write.returned(7);
//! // A read that begins after the write has returned must not see what was before.
//! let late = history.call(None);
//! assert_eq!(history.check(&Register::default(), 1_000), Outcome::Linearizable);
//! late.returned(0);
//! assert!(matches!(history.check(&Register::default(), 1_000), Outcome::Broken { .. }));
//! ```

mod search;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A sequential object.
pub trait Model: Clone + Eq + Hash {
    /// What is asked of it.
    type Call: Clone + Debug;
    /// What it answers.
    type Answer: Clone + Debug;

    /// The object after this call, if this may be its answer; `None` for the answer of a call that nobody heard:
    /// then any will do.
    fn step(&self, call: &Self::Call, answer: Option<&Self::Answer>) -> Option<Self>;
}

/// What a search came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is an order that the model agrees with.
    Linearizable,
    /// There is none.
    Broken {
        /// How many calls could be put in order at most.
        ordered: usize,
        /// Of those left then the one that returned first: no order has a place for it.
        stuck: String,
    },
    /// The search took more steps than it was given.
    Undecided,
}

/// One call.
#[derive(Debug, Clone)]
struct Taken<C, A> {
    call: C,
    called: u64,
    /// The answer and when it came.
    answer: Option<(A, u64)>,
}

#[derive(Debug)]
struct Notes<C, A> {
    clock: u64,
    calls: Vec<Taken<C, A>>,
}

/// Calls and returns as they happened. Cheap to clone: all clones are the same history.
#[derive(Debug)]
pub struct History<C, A>(Arc<Mutex<Notes<C, A>>>);

impl<C, A> Clone for History<C, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C, A> Default for History<C, A> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Notes { clock: 0, calls: Vec::new() })))
    }
}

impl<C: Clone + Debug, A: Clone + Debug> History<C, A> {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Notes<C, A>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is about to be asked. Dropped without an answer, nobody heard one.
    pub fn call(&self, call: C) -> InFlight<C, A> {
        let mut notes = self.lock();
        notes.clock += 1;
        let called = notes.clock;
        notes.calls.push(Taken { call, called, answer: None });
        InFlight { number: notes.calls.len() - 1, history: self.clone() }
    }

    /// How many calls there were.
    pub fn len(&self) -> usize {
        self.lock().calls.len()
    }

    /// Whether there were none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Looks for an order, beginning with `model`, for at most so many steps: each tries one call at one place.
    /// At worst there are exponentially many in the number of calls that overlap.
    pub fn check<M: Model<Call = C, Answer = A>>(&self, model: &M, steps: u64) -> Outcome {
        let calls = self.lock().calls.clone();
        search::search(&calls, model, steps)
    }
}

/// A call that has not returned.
#[derive(Debug)]
#[must_use = "dropping it says that nobody heard the answer"]
pub struct InFlight<C, A> {
    number: usize,
    history: History<C, A>,
}

impl<C: Clone + Debug, A: Clone + Debug> InFlight<C, A> {
    /// It was answered.
    pub fn returned(self, answer: A) {
        let mut notes = self.history.lock();
        notes.clock += 1;
        let at = notes.clock;
        notes.calls[self.number].answer = Some((answer, at));
    }
}
