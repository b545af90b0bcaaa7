//! Nothing hangs: a run that cannot go on ends as a failure that says who waits, or who spins.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use hyperlapse::{
    AllAtOnce, FailureKind, Outcome, Record, RunOptions, Scenario, Sim, Verdict, run,
};
use tokio::sync::Semaphore;

fn scenario(users: u64) -> Scenario {
    let deadline = Duration::from_secs(60);
    Scenario::builder("s", AllAtOnce::users(users)).deadline(deadline).build().unwrap()
}

/// Kind and message of the first failure.
fn failure(record: &Record) -> (FailureKind, String) {
    let verdict = Verdict::of(record, &[]);
    let failure = verdict.failures.first().expect("the run fails");
    (failure.kind, format!("{}: {}", failure.name, failure.message))
}

#[test]
fn users_who_wait_for_ever_are_named_at_the_virtual_deadline() {
    let record = run(&scenario(3), RunOptions::seed(0), |sim| async move {
        let permits = Arc::new(Semaphore::new(1));
        sim.drive(move |user| {
            let permits = permits.clone();
            async move {
                user.sleep(Duration::from_secs(u64::from(user.id()))).await;
                let mut operation = user.operation();
                let permit = permits.acquire().await.unwrap();
                operation.accepted();
                // The slip under test: the permit never comes back.
                permit.forget();
                operation.completed();
            }
        })
        .await;
    });
    let (kind, message) = failure(&record);
    assert_eq!(kind, FailureKind::Deadline);
    insta::assert_snapshot!(message, @"virtual deadline: after 1 min 00 s of virtual time 2 users had not left; user 1 was waiting for its operation to be accepted since 1.000 s");
    let Outcome::DeadlineReached { waiting, waiting_total, .. } = &record.outcome else { panic!() };
    assert_eq!((waiting.len(), *waiting_total), (2, 2));
    assert_eq!(record.virtual_ns, 60_000_000_000);
}

#[test]
fn a_body_that_waits_for_ever_is_found_without_any_timer() {
    let record = run(&scenario(1), RunOptions::seed(0), |_| pending());
    let (kind, message) = failure(&record);
    assert_eq!(kind, FailureKind::Deadline);
    insta::assert_snapshot!(message, @"virtual deadline: after 1 min 00 s of virtual time the scenario's body was still waiting");
}

#[test]
fn a_task_that_wakes_itself_for_ever_is_a_livelock() {
    let record = run(&scenario(2), RunOptions::seed(0), |sim| async move {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            operation.accepted();
            while user.id() == 1 {
                tokio::task::yield_now().await;
            }
            operation.completed();
        })
        .await;
    });
    let (kind, message) = failure(&record);
    assert_eq!(kind, FailureKind::Livelock);
    assert!(
        message.contains("while virtual time stood still") && message.contains("user 1"),
        "{message}"
    );
}

#[test]
fn a_poll_that_does_not_return_is_given_up_on_the_hosts_clock() {
    let options = RunOptions { hang_after: Duration::from_millis(500), ..RunOptions::seed(0) };
    let record = run(&scenario(1), options, |sim| async move {
        sim.note("about to hang");
        // Until the process ends: nobody can stop a thread from outside.
        loop {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let (kind, message) = failure(&record);
    assert_eq!(kind, FailureKind::Hang);
    assert!(message.contains("no sign of life"), "{message}");
    assert_eq!(record.events, 1, "what had happened before is kept");
}

#[test]
fn many_users_at_one_instant_are_no_livelock() {
    let record = run(&scenario(20_000), RunOptions::seed(0), |sim| async move {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            operation.accepted();
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            operation.completed();
        })
        .await;
    });
    assert_eq!(record.outcome, Outcome::Finished);
    assert_eq!(record.metrics.operations.completed, 20_000);
}

/// What the scenario says of a failure is the scenario's code: it may panic, and it may use the run.
#[test]
fn a_detail_that_panics_or_uses_the_run_does_not_hang_it() {
    const P: hyperlapse::Property = hyperlapse::Property::always("p", "");
    let options = RunOptions { hang_after: Duration::from_secs(5), ..RunOptions::seed(0) };
    let record = run(&scenario(1), options.clone(), |sim| async move {
        sim.check_with(&P, false, || panic!("while telling"));
    });
    assert_eq!(record.outcome, Outcome::BodyPanicked);
    assert!(failure(&record).1.contains("while telling"));

    let record = run(&scenario(1), options.clone(), |sim| async move {
        let noted = sim.clone();
        sim.check_with(&P, false, move || {
            noted.note("told");
            "seen".to_owned()
        });
    });
    assert_eq!(failure(&record).1, "p: at 0.000 s: seen");

    const OTHER_KIND: hyperlapse::Property = hyperlapse::Property::sometimes("p", "");
    let record = run(&scenario(1), options, |sim| async move {
        sim.check(&P, true);
        sim.check(&OTHER_KIND, true);
    });
    assert!(failure(&record).1.contains("is checked as Sometimes here and as Always elsewhere"));
}

#[test]
fn a_slow_run_is_no_hang_as_long_as_something_happens() {
    let scenario = Scenario::builder("slow", AllAtOnce::users(1)).build().unwrap();
    let record = run(&scenario, RunOptions::seed(0), |sim| async move {
        for _ in 0..100 {
            sim.sleep(Duration::from_secs(3_000)).await;
            sim.note("still here");
        }
    });
    assert_eq!(record.outcome, Outcome::Finished);
    let record = run(&scenario, RunOptions::seed(0), |sim| async move {
        sim.note("about to wait");
        pending::<()>().await;
    });
    assert_eq!(failure(&record).0, FailureKind::Deadline);
    assert_eq!(record.virtual_ns, 3_600_000_000_000, "an hour of nothing is enough");
}

fn panics(body: impl FnOnce(Sim) + Send + 'static) -> Record {
    run(&scenario(3), RunOptions::seed(0), |sim| async move { body(sim) })
}

#[test]
fn a_panic_of_a_user_is_caught_and_attributed_and_the_others_go_on() {
    let record = run(&scenario(3), RunOptions::seed(0), |sim| async move {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            operation.accepted();
            user.sleep(Duration::from_secs(1)).await;
            assert!(user.id() != 1, "user {} trips", user.id());
            operation.completed();
        })
        .await;
    });
    let (kind, message) = failure(&record);
    assert_eq!(kind, FailureKind::Panic);
    assert!(message.ends_with("user 1: user 1 trips"), "{message}");
    assert!(message.starts_with("sim/hyperlapse/tests/nothing_hangs.rs:"), "{message}");
    let operations = &record.metrics.operations;
    assert_eq!((operations.completed, operations.abandoned), (2, 1));
    assert_eq!(record.outcome, Outcome::Finished);
}

#[test]
fn a_panic_of_a_task_that_the_system_spawned_is_caught_and_attributed() {
    let record = run(&scenario(1), RunOptions::seed(0), |sim| async move {
        let task = tokio::spawn(async { panic!("deep inside") });
        assert!(task.await.is_err(), "tokio swallows it");
        sim.drive(|_| async {}).await;
    });
    let (kind, message) = failure(&record);
    assert_eq!(kind, FailureKind::Panic);
    assert!(message.contains("deep inside") && message.contains("task "), "{message}");
    if cfg!(tokio_unstable) {
        assert!(message.contains("task sim/hyperlapse/tests/nothing_hangs.rs:"), "{message}");
    }
}

#[test]
fn a_panic_of_the_body_ends_the_run_as_a_failure() {
    let record = panics(|_| panic!("no system today"));
    assert_eq!(record.outcome, Outcome::BodyPanicked);
    let (kind, message) = failure(&record);
    assert_eq!(kind, FailureKind::Panic);
    assert!(message.ends_with("world: no system today"), "{message}");
}

#[test]
fn an_injected_panic_is_a_fault_and_not_a_failure() {
    let record = run(&scenario(3), RunOptions::seed(0), |sim| async move {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            operation.accepted();
            if user.id() == 2 {
                user.inject_panic("on purpose");
            }
            operation.completed();
        })
        .await;
    });
    assert!(Verdict::of(&record, &[]).passed());
    assert_eq!(record.faults["panic"].struck, 1);
    assert_eq!(record.metrics.operations.abandoned, 1);
}
