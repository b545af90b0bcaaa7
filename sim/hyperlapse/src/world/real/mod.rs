//! A run on the host's clock: the same scenario, users and recorder on tokio's runtime of several threads.
//!
//! What a run of virtual time keeps for its one thread is here of two sorts. Who acts is known by the thread that polls it,
//! so it stays in thread-locals, which every thread of the runtime has as its own. What there is one of in a run (the record,
//! the counters, the clock) is behind a lock or counted atomically, and nobody owns the record: [`Biased`] is then a plain
//! mutex. Events come to it from many threads; they are recorded in the order in which they come, with times that never go back.
//!
//! Nothing is bent, nothing that is asked of the host is answered from the seed, and polls are not counted: a task that does
//! not return holds one thread up, and ends by the deadline, or by the watcher when all threads are held up.
//!
//! [`Biased`]: super::biased::Biased

mod process;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::shared::Shared;
use super::sim::Sim;
use super::{Ended, RunOptions, context, root};
use crate::record::Outcome;
pub(super) use process::Process;

/// Between two looks at the process under test, and at whether somebody wants the run to end.
const LOOK: Duration = Duration::from_millis(50);
/// How long tasks have to end when the run is over. One that does not return from its poll is left behind.
const TEAR_DOWN: Duration = Duration::from_secs(5);

/// Ends runs on the real clock early, from another thread or a signal's handler. Cheap to clone.
///
/// A run that it ends keeps what it has measured so far, and fails: [`Outcome::Interrupted`].
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Every run that has it ends, and every one that is given it later, within some ten milliseconds.
    pub fn end(&self) {
        // Nothing but a store: a signal's handler may not do more.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Nobody wants it any more.
    #[cfg(feature = "cli")]
    pub(crate) fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether somebody wants it.
    pub fn is_asked_for(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs `body` on this thread and those of a runtime of its own.
pub(super) fn on_several_threads<F, Fut>(shared: &Arc<Shared>, how: &RunOptions, body: F) -> Ended
where
    F: FnOnce(Sim) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    context::join(shared);
    let runtime = runtime(shared);
    let mut outcome = runtime.block_on(async {
        shared.start_clock();
        let mut looking = pin!(look(shared, how));
        let mut root = pin!(root(shared, body));
        poll_fn(|cx| match looking.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => root.as_mut().poll(cx),
        })
        .await
    });
    let memory = shared.memory();
    // Other threads may go on until here, and no longer: what they do until they are torn down is not part of the run.
    shared.close();
    let now_ns = shared.now_ns();
    if let Outcome::Interrupted { at_ns } = &mut outcome {
        *at_ns = now_ns;
    }
    let virtual_ns = match outcome {
        Outcome::Aborted { at_ns, .. } => at_ns,
        _ => now_ns,
    };
    // A destructor of the system may panic; the record stands all the same.
    let _ = catch_unwind(AssertUnwindSafe(|| runtime.shutdown_timeout(TEAR_DOWN)));
    context::leave();
    Ended { memory, ..Ended::with(outcome, virtual_ns) }
}

fn runtime(shared: &Arc<Shared>) -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let of_thread = Arc::clone(shared);
    builder
        .enable_all()
        .thread_name("hyperlapse run")
        .on_thread_start(move || context::join(&of_thread))
        .on_thread_stop(context::leave);
    #[cfg(tokio_unstable)]
    context::install_names(&mut builder);
    builder.build().expect("the operating system has threads and an event queue for the run")
}

/// Shows now and then that the run lives, although nothing may happen for long; resolves when it is to end.
async fn look(shared: &Shared, how: &RunOptions) -> Outcome {
    loop {
        shared.life.beat();
        shared.tell_reached(shared.now_ns());
        shared.process.look();
        if how.interrupt.as_ref().is_some_and(Interrupt::is_asked_for) {
            // When, is said when nothing is recorded any more.
            return Outcome::Interrupted { at_ns: 0 };
        }
        let next = Instant::now() + LOOK;
        tokio::time::sleep_until(next).await;
        shared.process.timer(next.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::thread;

    use super::*;
    use crate::clock::Clock;
    use crate::scenario::Scenario;
    use crate::workload::AllAtOnce;

    #[test]
    fn threads_that_number_operations_at_the_same_time_never_give_one_number_twice() {
        const EACH: usize = 100_000;
        let scenario = Scenario::builder("numbers", AllAtOnce::users(1)).build().unwrap();
        let options = RunOptions { clock: Clock::Real, ..RunOptions::seed(0) };
        let shared = Arc::new(Shared::new(&scenario, &options));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    (0..EACH).map(|_| shared.next_operation()).collect::<Vec<_>>()
                })
            })
            .collect();
        let numbers = threads.into_iter().flat_map(|thread| thread.join().unwrap());
        assert_eq!(numbers.collect::<BTreeSet<_>>().len(), 4 * EACH);
    }
}
