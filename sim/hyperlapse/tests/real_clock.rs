//! Runs on the real clock: what must hold however slow the machine is, so counts and orders and no times.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyperlapse::{
    AllAtOnce, Clock, ConstantUsers, EventKind, Interrupt, Keep, Outcome, PerUserIterations,
    Record, RunOptions, Scenario, Sim, User, Verdict,
};
use tokio::sync::Semaphore;

fn real() -> RunOptions {
    RunOptions { clock: Clock::Real, ..RunOptions::seed(7) }
}

/// A user who takes a permit for a moment.
async fn borrow(user: User, permits: Arc<Semaphore>) {
    let mut operation = user.operation();
    let _permit = permits.acquire().await.unwrap();
    operation.accepted();
    user.sleep(Duration::from_millis(1)).await;
    operation.completed();
}

fn borrowed(options: RunOptions) -> Record {
    let scenario = Scenario::builder("permits", PerUserIterations::new(40, 25)).build().unwrap();
    hyperlapse::run(&scenario, options, |sim| async move {
        let permits = Arc::new(Semaphore::new(8));
        sim.drive(move |user| borrow(user, permits.clone())).await;
    })
}

#[test]
fn users_on_several_threads_are_counted_as_those_on_one() {
    let virtual_ = borrowed(RunOptions::seed(7));
    let real = borrowed(real());
    assert_eq!((virtual_.clock, real.clock), (Clock::Virtual, Clock::Real));
    assert_eq!(real.outcome, Outcome::Finished);
    for (of, record) in [("virtual", &virtual_), ("real", &real)] {
        let operations = &record.metrics.operations;
        let counts = (operations.requested, operations.accepted, operations.completed);
        assert_eq!(counts, (1_000, 1_000, 1_000), "{of}");
        assert_eq!(record.metrics.iterations.started, 1_000, "{of}");
        assert_eq!(operations.response.count, 1_000, "{of}");
    }
    assert_eq!(virtual_.events, real.events);
    assert!(virtual_.host.spent.is_none() && real.host.spent.is_some());
    // A timer never comes early.
    assert!(real.metrics.operations.response.min_ns >= 1_000_000);
}

/// Eight users who do nothing but operations, as fast as their threads go.
fn rush(iterations: u64, options: RunOptions) -> Record {
    let scenario = Scenario::builder("rush", AllAtOnce::users(8)).build().unwrap();
    hyperlapse::run(&scenario, options, move |sim| async move {
        sim.drive(move |user| async move {
            for _ in 0..iterations {
                let mut operation = user.operation();
                operation.accepted();
                operation.completed();
            }
        })
        .await;
    })
}

#[test]
fn events_stand_in_the_order_of_their_times_and_each_users_in_their_own() {
    let record = rush(5_000, RunOptions { keep: Keep::All, ..real() });
    let events = &record.kept_events;
    assert_eq!(events.len() as u64, record.events);
    assert!(events.is_sorted_by_key(|event| event.at_ns));
    for user in 0..8 {
        let mine = events.iter().filter(|event| event.actor == hyperlapse::Actor::User(user));
        let kinds: Vec<&EventKind> = mine.map(|event| &event.kind).collect();
        let [first, turns @ .., last] = &kinds[..] else { panic!("user {user} was never there") };
        assert!(matches!((first, last), (EventKind::Arrived, EventKind::Left)));
        assert_eq!(turns.len(), 3 * 5_000);
        for turn in turns.chunks(3) {
            use EventKind::{Accepted, Completed, Requested};
            assert!(matches!(turn, [Requested, Accepted { .. }, Completed { .. }]), "{turn:?}");
        }
    }
}

#[test]
fn the_host_answers_for_itself() {
    let drawn = || {
        let hash = Arc::new(Mutex::new(0));
        let of_run = Arc::clone(&hash);
        let scenario = Scenario::builder("random", AllAtOnce::users(1)).build().unwrap();
        let record = hyperlapse::run(&scenario, real(), |sim| async move {
            sim.drive(move |_| {
                let hash = Arc::clone(&of_run);
                async move { *hash.lock().unwrap() = RandomState::new().hash_one(0) }
            })
            .await;
        });
        assert_eq!((record.asked_random, record.asked_clock), (0, 0));
        *hash.lock().unwrap()
    };
    // From one seed they would be the same.
    assert_ne!(drawn(), drawn());
}

#[test]
fn what_the_seed_decides_is_the_same() {
    let draws = |options: RunOptions| {
        let drawn = Arc::new(Mutex::new(Vec::new()));
        let of_run = Arc::clone(&drawn);
        let scenario = Scenario::builder("draws", AllAtOnce::users(20)).build().unwrap();
        hyperlapse::run(&scenario, options, |sim| async move {
            sim.drive(move |user| {
                let drawn = Arc::clone(&of_run);
                async move {
                    let number = hyperlapse::RandomExt::below(&mut user.rng("think"), 1 << 40);
                    drawn.lock().unwrap().push((user.id(), number));
                }
            })
            .await;
        });
        let mut drawn = std::mem::take(&mut *drawn.lock().unwrap());
        drawn.sort_unstable();
        drawn
    };
    assert_eq!(draws(real()), draws(RunOptions::seed(7)));
}

#[test]
fn an_interrupt_ends_it_with_what_was_so_far() {
    let load = ConstantUsers::new(4, Duration::from_secs(3_600));
    let scenario = Scenario::builder("endless", load).threshold("completions > 0").build().unwrap();
    let interrupt = Interrupt::default();
    let (asked, options) = (interrupt.clone(), RunOptions { interrupt: Some(interrupt), ..real() });
    let record = hyperlapse::run(&scenario, options, |sim| async move {
        sim.drive(move |user| {
            let asked = asked.clone();
            async move {
                let mut operation = user.operation();
                operation.accepted();
                user.sleep(Duration::from_millis(1)).await;
                operation.completed();
                if user.iteration() == 5 {
                    asked.end();
                }
            }
        })
        .await;
    });
    let Outcome::Interrupted { at_ns } = record.outcome else { panic!("{:?}", record.outcome) };
    assert!(at_ns > 0 && at_ns == record.virtual_ns);
    assert!(record.metrics.operations.completed >= 6);
    let verdict = Verdict::of(&record, scenario.thresholds());
    let kinds: Vec<&str> = verdict.failures.iter().map(|failure| failure.kind.text()).collect();
    assert_eq!(kinds, ["interrupt"]);
}

#[test]
fn a_panic_on_whichever_thread_is_told_with_its_user() {
    let scenario = Scenario::builder("panics", AllAtOnce::users(6)).build().unwrap();
    let record = hyperlapse::run(&scenario, real(), |sim| async move {
        sim.drive(|user| async move { assert!(user.id() != 3, "user 3 has had enough") }).await;
    });
    let told: Vec<(&str, &str)> =
        record.panics.iter().map(|panic| (panic.actor.as_str(), panic.message.as_str())).collect();
    assert_eq!(told, [("user 3", "user 3 has had enough")]);
    assert_eq!(record.outcome, Outcome::Finished);
}

fn body<F: Future<Output = ()> + Send + 'static>(
    options: RunOptions,
    deadline: Option<Duration>,
    body: impl FnOnce(Sim) -> F + Send + 'static,
) -> Record {
    let mut builder = Scenario::builder("body", AllAtOnce::users(1));
    if let Some(deadline) = deadline {
        builder = builder.deadline(deadline);
    }
    hyperlapse::run(&builder.build().unwrap(), options, body)
}

#[test]
fn a_long_silence_is_no_hang_and_a_wait_for_ever_ends_at_the_deadline() {
    let hang_after = Duration::from_millis(500);
    let record = body(RunOptions { hang_after, ..real() }, None, |sim| async move {
        sim.sleep(Duration::from_millis(1_500)).await;
    });
    assert_eq!(record.outcome, Outcome::Finished);
    let deadline = Duration::from_millis(50);
    let record = body(real(), Some(deadline), |_| std::future::pending());
    assert!(matches!(record.outcome, Outcome::DeadlineReached { .. }), "{:?}", record.outcome);
    let verdict = Verdict::of(&record, &[]);
    let told = &verdict.failures[0];
    assert_eq!(told.name, "deadline");
    assert_eq!(told.message, "after 0.050 s of real time the scenario's body was still waiting");
}

#[test]
fn threads_that_all_stand_still_are_found_by_the_watcher() {
    let options = RunOptions { hang_after: Duration::from_millis(300), ..real() };
    let record = body(options, None, |_| async {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        for _ in 0..4 * cores {
            tokio::spawn(async { std::thread::sleep(Duration::from_secs(2)) });
        }
        std::future::pending().await
    });
    assert!(matches!(record.outcome, Outcome::Hung { .. }), "{:?}", record.outcome);
}
