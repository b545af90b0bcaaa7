//! Decisions find what plain scheduling never shows, and replay to the same events.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hyperlapse::decision::{Decision, DecisionKind, StrategyChoice};
use hyperlapse::{PerUserIterations, Property, Record, RunOptions, Scenario, run};
use tokio::sync::Mutex;

const NEVER_TWO: Property = Property::always("never two", "one at a time holds the slot");
const COMES_BACK: Property = Property::eventually("comes back", "the slot is free in the end");

fn scenario(kinds: &[DecisionKind]) -> Scenario {
    let load = PerUserIterations::new(3, 3).pause(Duration::from_millis(1));
    Scenario::builder("slot", load).decisions(kinds.iter().copied()).build().unwrap()
}

fn options(strategy: StrategyChoice, seed: u64) -> RunOptions {
    RunOptions { strategy, ..RunOptions::seed(seed) }
}

/// A slot that is checked, then taken, with an await between: that of a lock which is always free.
/// `frees_on_drop` is whether a user who goes away while holding it gives it back.
fn slot(
    seed: u64,
    strategy: StrategyChoice,
    kinds: &[DecisionKind],
    frees_on_drop: bool,
) -> Record {
    struct Held(Arc<AtomicU32>, bool);
    impl Drop for Held {
        fn drop(&mut self) {
            if self.1 {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }
    run(&scenario(kinds), options(strategy, seed), move |sim| async move {
        let holders = Arc::new(AtomicU32::new(0));
        let log = Arc::new(Mutex::new(Vec::new()));
        let users = Arc::clone(&holders);
        sim.drive(move |user| {
            let (holders, log) = (Arc::clone(&users), Arc::clone(&log));
            async move {
                if holders.load(Ordering::Relaxed) > 0 {
                    return;
                }
                log.lock().await.push(user.id());
                let now = holders.fetch_add(1, Ordering::Relaxed) + 1;
                let mut held = Held(holders, frees_on_drop);
                user.sim().check(&NEVER_TWO, now == 1);
                user.sleep(Duration::from_millis(2)).await;
                held.1 = true;
            }
        })
        .await;
        sim.calm();
        sim.check(&COMES_BACK, holders.load(Ordering::Relaxed) == 0);
    })
}

fn breaks(record: &Record, property: &Property) -> bool {
    record.properties[property.name()].broken().is_some()
}

const ORDER: &[DecisionKind] = &[DecisionKind::Yield, DecisionKind::Postpone];

#[test]
fn plain_scheduling_never_shows_a_check_then_act_race_and_forced_yields_do() {
    let found = |strategy: &StrategyChoice, kinds: &[DecisionKind]| {
        (0..300)
            .filter(|seed| breaks(&slot(*seed, strategy.clone(), kinds, true), &NEVER_TWO))
            .count()
    };
    assert_eq!(found(&StrategyChoice::None, ORDER), 0);
    let by_yields = found(&StrategyChoice::Random, &[DecisionKind::Yield]);
    assert!(by_yields > 10, "found in {by_yields} of 300 seeds");
}

#[test]
fn a_slot_that_leaks_when_its_holder_is_cancelled_is_found_by_cancelling_alone() {
    let found = |strategy: &StrategyChoice, kinds: &[DecisionKind]| {
        (0..300)
            .filter(|seed| breaks(&slot(*seed, strategy.clone(), kinds, false), &COMES_BACK))
            .count()
    };
    assert_eq!(found(&StrategyChoice::None, DecisionKind::BENDS), 0);
    assert_eq!(found(&StrategyChoice::Random, ORDER), 0);
    let by_cancelling = found(&StrategyChoice::Random, &[DecisionKind::Cancel]);
    assert!(by_cancelling > 15, "found in {by_cancelling} of 300 seeds");
}

#[test]
fn the_decisions_of_a_run_replay_it_event_by_event() {
    let mut bent = 0;
    for seed in 0..50 {
        let first = slot(seed, StrategyChoice::Random, DecisionKind::BENDS, true);
        assert_eq!(first.decisions_total, first.decisions.len() as u64);
        let again = slot(seed, StrategyChoice::Random, DecisionKind::BENDS, true);
        assert_eq!(first.fingerprint, again.fingerprint, "seed {seed} repeats itself");
        // Of no use to a replay: it follows the list whatever the strategy would have said.
        let list = StrategyChoice::replay(first.decisions.clone());
        let replayed = slot(seed, list, &[], true);
        assert_eq!(replayed.fingerprint, first.fingerprint, "seed {seed} replays");
        assert_eq!(replayed.decisions, first.decisions);
        bent += usize::from(first.decisions_total > 0);
    }
    assert!(bent > 20, "only {bent} of 50 seeds bend anything");
}

#[test]
fn taking_a_decision_out_leaves_the_meaning_of_the_others() {
    let seed = (0..).find(|seed| {
        let record = slot(*seed, StrategyChoice::Random, ORDER, true);
        (3..20).contains(&record.decisions.len())
    });
    let decisions = slot(seed.unwrap(), StrategyChoice::Random, ORDER, true).decisions;
    // Those of one user alone: they are taken at the very polls that they name.
    let of_one: Vec<Decision> =
        decisions.iter().filter(|decision| decision.task == decisions[0].task).cloned().collect();
    let replayed = slot(seed.unwrap(), StrategyChoice::replay(of_one.clone()), ORDER, true);
    assert_eq!(replayed.decisions, of_one);
}

#[test]
fn tasks_that_the_system_spawns_are_bent_too() {
    let load = PerUserIterations::new(4, 4);
    let scenario = Scenario::builder("spawns", load).build().unwrap();
    let addresses = |seed| {
        let record = run(&scenario, options(StrategyChoice::Random, seed), |sim| async move {
            let lock = Arc::new(Mutex::new(0));
            sim.drive(move |_| {
                let lock = Arc::clone(&lock);
                async move {
                    let work = tokio::spawn(async move { *lock.lock().await += 1 });
                    work.await.unwrap();
                }
            })
            .await;
        });
        record.decisions.into_iter().map(|decision| decision.task.to_string())
    };
    let all: Vec<String> = (0..40).flat_map(addresses).collect();
    assert!(all.iter().any(|task| task.starts_with("user-")));
    if cfg!(tokio_unstable) {
        assert!(all.iter().any(|task| task.contains('.')), "no child was bent: {all:?}");
    }
}

/// A permit that is given back by whoever is dropped while it waits for an answer: by the guard, and once more
/// by the timeout.
fn late_answer(seed: u64, strategy: StrategyChoice, kinds: &[DecisionKind]) -> Record {
    run(&scenario(kinds), options(strategy, seed), move |sim| async move {
        sim.drive(|user| async move {
            let began = user.sim().now();
            let answered = user.cancellable("ask", user.sleep(Duration::from_millis(4))).await;
            let took = user.sim().now() - began;
            user.sim().check(&NEVER_TWO, answered.is_none() || took <= Duration::from_millis(4));
        })
        .await;
        sim.check(&COMES_BACK, true);
    })
}

#[test]
fn a_delayed_task_comes_late_and_a_timeout_drops_what_takes_longer() {
    let count = |kind: DecisionKind, hit: fn(&Record) -> bool| {
        (0..100).filter(|seed| hit(&late_answer(*seed, StrategyChoice::Random, &[kind]))).count()
    };
    let late = count(DecisionKind::Delay, |record| breaks(record, &NEVER_TWO));
    assert!(late > 3, "{late} of 100 seeds came late");
    let timeouts =
        |record: &Record| record.decisions_by_kind.get("timeout").is_some_and(|n| *n > 0);
    assert!(count(DecisionKind::Timeout, timeouts) > 10);
    // A timeout of less than the answer takes ends it when it is due.
    let timeout = "timeout user-1@0/ask 0+2".parse().unwrap();
    let record = late_answer(0, StrategyChoice::replay([timeout]), &[]);
    assert_eq!(record.decisions.len(), 1);
    assert_eq!(late_answer(0, StrategyChoice::None, &[]).virtual_ns - record.virtual_ns, 0);
    let all: Vec<_> = (0..3)
        .flat_map(|user| (0..3).map(move |n| format!("timeout user-{user}@{n}/ask 0+2")))
        .map(|text| text.parse().unwrap())
        .collect();
    let cut = late_answer(0, StrategyChoice::replay(all), &[]);
    let plain = late_answer(0, StrategyChoice::None, &[]);
    assert_eq!((plain.virtual_ns - cut.virtual_ns) / 1_000_000, 3 * 2);
}

#[test]
fn every_strategy_finds_the_race_and_replays_it() {
    for name in ["random", "pct", "mixed"] {
        let strategy = StrategyChoice::named(name).unwrap();
        let failing =
            (0..300).find(|seed| breaks(&slot(*seed, strategy.clone(), ORDER, true), &NEVER_TWO));
        let seed = failing.unwrap_or_else(|| panic!("{name} finds nothing in 300 seeds"));
        let first = slot(seed, strategy, ORDER, true);
        let replayed = slot(seed, StrategyChoice::replay(first.decisions.clone()), &[], true);
        assert_eq!(replayed.fingerprint, first.fingerprint, "{name}");
    }
}

#[test]
fn a_starved_task_is_passed_over_again_and_again() {
    let scenario = Scenario::builder("busy", PerUserIterations::new(6, 20)).build().unwrap();
    let longest = |seed| {
        let options = options(StrategyChoice::Starve, seed);
        let record = run(&scenario, options, |sim| async move {
            sim.drive(|_| async { tokio::task::yield_now().await }).await;
        });
        let postponed = record.decisions.iter().filter(|d| d.kind == DecisionKind::Postpone);
        let tasks: Vec<_> = postponed.map(|decision| decision.task.clone()).collect();
        tasks.chunk_by(|a, b| a == b).map(<[_]>::len).max().unwrap_or(0)
    };
    let longest = (0..50).map(longest).max();
    assert!(longest > Some(10), "{longest:?}");
}
