//! Faults strike where, when and whom the scenario says; each is counted, replayed, and missed when it never
//! strikes.

use std::time::Duration;

use hyperlapse::decision::{DecisionKind, Fault, StrategyChoice};
use hyperlapse::{
    FailureKind, PerUserIterations, Property, Record, RunOptions, Scenario, Verdict, run,
};

const SOMETIMES_LONG: Property = Property::sometimes("long", "a step takes a hundred times longer");

fn scenario(fault: Fault) -> Scenario {
    let load = PerUserIterations::new(10, 10).pause(Duration::from_millis(5));
    Scenario::builder("faults", load).fault(fault).build().unwrap()
}

fn play(fault: Fault, strategy: StrategyChoice) -> Record {
    let options = RunOptions { strategy, ..RunOptions::seed(3) };
    run(&scenario(fault), options, |sim| async move {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            operation.accepted();
            let work = match user.step("turn", Duration::from_millis(2)).await {
                Ok(work) => work,
                Err(reason) => return operation.failed(reason),
            };
            user.sim().check(&SOMETIMES_LONG, work == Duration::from_millis(200));
            user.sleep(work).await;
            operation.completed();
        })
        .await;
    })
}

#[test]
fn each_fault_does_what_it_says_is_counted_and_replays() {
    let mut table = String::new();
    // Those of networks and hosts strike elsewhere: see `network.rs`.
    for kind in DecisionKind::FAULTS.iter().take(5) {
        let fault = Fault::new(*kind, "turn", 0.1);
        let record = play(fault.clone(), StrategyChoice::None);
        let operations = &record.metrics.operations;
        let (struck, all) = (record.faults[&fault.name()], record.decisions_by_kind.clone());
        assert_eq!(all, [(kind.text().to_owned(), struck.struck)].into());
        assert_eq!(record.decisions.len() as u64, struck.struck);
        table += &format!(
            "{:<15} {} of {} visits: {} completed, {} failed, {} abandoned, longest {} ms, {} panics\n",
            fault.name(),
            struck.struck,
            struck.visits.unwrap(),
            operations.completed,
            operations.failed.get("injected error").copied().unwrap_or(0),
            operations.abandoned,
            operations.response.max_ns / 1_000_000,
            record.panics.len(),
        );
        // The list alone, without the rates: the same faults, the same events.
        let replayed =
            play(Fault { rate: 0.0, ..fault }, StrategyChoice::replay(record.decisions.clone()));
        assert_eq!(replayed.fingerprint, record.fingerprint, "{kind:?}");
    }
    insta::assert_snapshot!(table);
}

#[test]
fn a_fault_that_never_strikes_fails_the_run_that_asked_for_it_unless_it_is_optional() {
    let failures = |fault: Fault| {
        let record = play(fault, StrategyChoice::None);
        let verdict = Verdict::of(&record, &[]);
        let of_faults = verdict.failures.into_iter().filter(|f| f.kind == FailureKind::Fault);
        of_faults.map(|f| format!("{}: {}", f.name, f.message)).collect::<Vec<_>>()
    };
    let late = Duration::from_secs(100);
    let fault =
        Fault { between: Some((late, 2 * late)), ..Fault::new(DecisionKind::Panic, "turn", 1.0) };
    assert_eq!(
        failures(fault.clone()),
        ["panic at turn: it never struck in 100 visits of its site"]
    );
    assert_eq!(failures(fault.optional()), Vec::<String>::new());
    let elsewhere = Fault::new(DecisionKind::Stall, "nowhere", 1.0);
    assert_eq!(failures(elsewhere), ["stall at nowhere: it never struck: nobody came by its site"]);
}

#[test]
fn a_fault_in_what_the_system_depends_on_strikes_there() {
    let fault =
        Fault { error: "out of connections".into(), ..Fault::new(DecisionKind::Error, "db", 0.3) };
    let record = run(&scenario(fault), RunOptions::seed(1), |sim| async move {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            operation.accepted();
            let sim = user.sim().clone();
            let query = tokio::spawn(async move { sim.step("db", Duration::ZERO).await });
            match query.await.unwrap() {
                Ok(_) => operation.completed(),
                Err(why) => operation.failed(why),
            }
        })
        .await;
    });
    let failed = record.metrics.operations.failed["out of connections"];
    assert_eq!(failed, record.faults["error at db"].struck);
    assert!((10..60).contains(&failed), "{failed} of 100");
}
