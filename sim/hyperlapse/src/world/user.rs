//! A virtual user, and the operations that it asks the system for.

use std::any::Any;
use std::fmt::Display;
use std::future::Future;
use std::panic::panic_any;
use std::time::Duration;

use tokio::time::Sleep;

use super::bend::{self, Scope, Visitor};
use super::context::InjectedPanic;
use super::sim::Sim;
use crate::event::{Actor, EventKind, Text};
use crate::metrics::Tags;
use crate::random::StreamRng;
use crate::units;

/// A virtual user in one of its iterations. Cheap to clone: 32 bytes.
#[derive(Debug, Clone)]
pub struct User {
    sim: Sim,
    id: u32,
    /// Its kind, by number; 0 where all are alike.
    kind: u16,
    iteration: u64,
    /// How much later than intended its iteration began.
    late_ns: u64,
    /// What its events are tagged with.
    tags: Tags,
}

impl User {
    pub(super) fn new(sim: Sim, id: u32, kind: u16) -> Self {
        Self { sim, id, kind, iteration: 0, late_ns: 0, tags: Tags::default() }
    }

    pub(super) fn with_tags(&self, tags: Tags) -> Self {
        Self { tags, ..self.clone() }
    }

    pub(super) fn next_iteration(&mut self) {
        self.iteration += 1;
    }

    /// Its iteration was meant to begin so long ago.
    pub(super) fn begins_late(&mut self, late_ns: u64) {
        self.late_ns = late_ns;
    }

    pub(super) fn arrive(&self) {
        // Those of waves were announced by the plan.
        if self.id >= self.sim.plan().users_of_waves() {
            self.sim
                .shared()
                .with(|recorder| recorder.collector.users.announce(self.id, self.kind));
        }
        self.emit(EventKind::Arrived);
    }

    /// An iteration begins.
    pub(super) fn begins(&self) {
        self.sim.shared().iteration_begins();
        if self.late_ns > 0 {
            self.emit(EventKind::BeganLate { late_ns: self.late_ns });
        }
    }

    #[inline(always)]
    pub(super) fn emit(&self, kind: EventKind) {
        self.sim.shared().emit_tagged(Actor::User(self.id), kind, self.tags.clone());
    }

    /// The handle on the run.
    pub fn sim(&self) -> &Sim {
        &self.sim
    }

    /// Its number, from 0.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What its operations and samples are tagged with. See [`User::tagged`].
    pub fn tags(&self) -> &Tags {
        &self.tags
    }

    /// Which of its iterations this is, from 0.
    pub fn iteration(&self) -> u64 {
        self.iteration
    }

    fn kind_index(&self) -> Option<usize> {
        let kinds = self.sim.shared().scenario().kinds().len();
        (kinds > 0).then_some(self.kind as usize)
    }

    /// The name of its kind, where the scenario has several.
    pub fn kind(&self) -> Option<&str> {
        let kind = self.kind_index()?;
        Some(&self.sim.shared().scenario().kinds()[kind].name)
    }

    /// The suite's own settings of this type, as they are for users of its kind.
    ///
    /// # Panics
    /// When the suite never registered them.
    pub fn settings<T: Any + Send + Sync>(&self) -> &T {
        self.sim.shared().scenario().settings(self.kind_index())
    }

    /// A stream of random numbers of its own: other users, iterations and names do not change it.
    pub fn rng(&self, name: impl Display) -> StreamRng {
        self.sim.rng(format_args!("user/{}/{}/{name}", self.id, self.iteration))
    }

    /// How much later than intended this iteration began: an arrival of an open workload that had to wait for its turn.
    /// It counts for the response time of its operations.
    pub fn late(&self) -> Duration {
        Duration::from_nanos(self.late_ns)
    }

    /// Sleeps in virtual time, from now on; tokio rounds up to a whole millisecond.
    #[inline]
    pub fn sleep(&self, duration: Duration) -> Sleep {
        self.sim.sleep(duration)
    }

    /// Notes something in the event stream.
    pub fn note(&self, text: impl Into<Text>) {
        self.emit(EventKind::Note(text.into()));
    }

    /// Asks the system for something: time runs from here. See [`Operation`].
    pub fn operation(&self) -> Operation<'_> {
        let shared = self.sim.shared();
        let number = shared.next_operation();
        let asked_ns = shared.now_ns();
        self.emit(EventKind::Requested);
        Operation { user: self, number, asked_ns, state: State::Asked }
    }

    /// Comes by `site` with a step that takes so long: the scenario's faults may strike here. Gives how long
    /// the step takes: as long as `work`, or many times longer where it stalls. A fault may also make the
    /// user take its time before this returns, walk away (the iteration ends here), or panic.
    ///
    /// # Errors
    /// What the step depends on failed: with what the fault says.
    ///
    /// # Panics
    /// When a fault says so: counted as a fault, not as a failure.
    pub async fn step(&self, site: &'static str, work: Duration) -> Result<Duration, Text> {
        if !bend::may_strike() {
            return Ok(work);
        }
        let visitor = Visitor {
            actor: format!("user-{}", self.id).into(),
            iteration: Some(self.iteration),
            kind: self.kind(),
        };
        bend::step(self.sim.shared(), visitor, site, work).await
    }

    /// Does something that may be dropped in the middle while the user goes on: a request whose client goes
    /// away, a wait with a timeout. `None` when it was dropped. Strategies that cancel try each of its polls; without
    /// one it is `operation` itself.
    pub async fn cancellable<F: Future>(&self, name: &str, operation: F) -> Option<F::Output> {
        let address = || format!("user-{}@{}/{name}", self.id, self.iteration).into();
        bend::cancellable(Scope::Operation, address, operation).await
    }

    /// Panics as a bug in the system would, but on purpose: counted as a fault, not as a failure.
    ///
    /// # Panics
    /// Always: that is what it is for.
    pub fn inject_panic(&self, what: impl Into<String>) -> ! {
        panic_any(InjectedPanic(what.into()))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Asked,
    Accepted,
    Over,
}

/// One operation, from asking to its outcome.
///
/// Say what became of it: accepted or refused, then completed or failed. Dropped before that (an early
/// return, a panic, a cancellation) it counts as abandoned, or as cancelled where the system had not
/// accepted it yet.
#[derive(Debug)]
#[must_use = "an operation that is dropped counts as cancelled"]
pub struct Operation<'u> {
    // Borrowed: a user of its own was ten nanoseconds of each operation, and 40 bytes of each of a million users.
    user: &'u User,
    number: u64,
    asked_ns: u64,
    state: State,
}

impl Operation<'_> {
    /// Its number in the run, from 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The system accepted it at once.
    pub fn accepted(&mut self) {
        self.accept(None);
    }

    /// The system accepted it after this time in its queue; after no time at all it did not queue.
    pub fn accepted_after(&mut self, waited: Duration) {
        self.accept(Some(units::nanos(waited)).filter(|waited| *waited > 0));
    }

    #[inline]
    fn accept(&mut self, waited_ns: Option<u64>) {
        self.expect(State::Asked, "accepted");
        self.state = State::Accepted;
        self.user.emit(EventKind::Accepted { waited_ns });
    }

    /// The system refused to start it.
    pub fn refused(mut self, reason: impl Into<Text>) {
        self.expect(State::Asked, "refused");
        self.end(EventKind::Refused(reason.into()));
    }

    /// It succeeded.
    pub fn completed(mut self) {
        self.expect(State::Accepted, "completed");
        // Several threads may read the host's clock: it must not go backwards between them, and is not trusted to.
        let service_ns = self.user.sim().shared().now_ns().saturating_sub(self.asked_ns);
        let late_ns = self.user.late_ns;
        self.end(EventKind::Completed { response_ns: service_ns + late_ns, late_ns });
    }

    /// It was accepted and did not succeed.
    pub fn failed(mut self, reason: impl Into<Text>) {
        self.expect(State::Accepted, "failed");
        self.end(EventKind::Failed(reason.into()));
    }

    fn expect(&self, state: State, what: &str) {
        assert!(
            self.state == state,
            "operation {} was {what} while it was {:?}: a scenario says accepted or refused once, and completed or failed after accepted",
            self.number,
            self.state
        );
    }

    #[inline(always)]
    fn end(&mut self, kind: EventKind) {
        self.state = State::Over;
        self.user.emit(kind);
    }
}

impl Drop for Operation<'_> {
    fn drop(&mut self) {
        match self.state {
            State::Asked => self.user.emit(EventKind::Cancelled),
            State::Accepted => self.user.emit(EventKind::Abandoned),
            State::Over => {}
        }
    }
}
