//! Each ready-made checker holds for a system that keeps its promise, and names one that does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyperlapse::check::{
    self, Bytes, CAPACITY_RESTORED, EVERY_WAITER_ENDS, FIRST_COME, FirstCome, Idle, Ledger,
    NEVER_ABOVE, NOBODY_WAITS_FOR_NOTHING, NOTHING_LEFT, OWN_RESULTS,
};
use hyperlapse::{PerUserIterations, Property, Record, RunOptions, Scenario, Sim, run};
use tokio::sync::Semaphore;

const MS: Duration = Duration::from_millis(1);

fn play<Fut: Future<Output = ()> + Send + 'static>(
    body: impl FnOnce(Sim) -> Fut + Send + 'static,
) -> Record {
    let load = PerUserIterations::new(6, 3).pause(2 * MS);
    let scenario = Scenario::builder("checked", load).build().unwrap();
    run(&scenario, RunOptions::seed(1), body)
}

/// How the property stands: `None` when it held, and was checked.
fn broken(record: &Record, property: &Property) -> Option<String> {
    record.properties[property.name()].broken()
}

/// Users of a semaphore with this many permits; `forgets` a permit now and then, `limit` is what is promised.
fn permits(there: usize, promised: u64, forgets: bool) -> Record {
    play(move |sim| async move {
        let permits = Arc::new(Semaphore::new(there));
        let ledger = Ledger::new(&sim);
        let looks = Idle { every: MS, within: 20 * MS };
        let watch = tokio::spawn(check::nobody_waits_for_nothing(
            sim.clone(),
            NOBODY_WAITS_FOR_NOTHING,
            ledger.clone(),
            looks,
            move || promised,
            |_, _| true,
        ));
        let line = FirstCome::new(&sim, FIRST_COME);
        let (users, shared, turns) = (ledger.clone(), Arc::clone(&permits), line.clone());
        sim.drive(move |user| {
            let (ledger, permits, line) = (users.clone(), Arc::clone(&shared), turns.clone());
            async move {
                let (waits, turn) = (ledger.waits(user.id()), line.asks());
                let acquire = tokio::time::timeout(200 * MS, permits.acquire());
                let Ok(Ok(permit)) = acquire.await else { return };
                drop(waits);
                turn.served();
                let _held = ledger.holds(user.id());
                check::never_above(user.sim(), &NEVER_ABOVE, &ledger, promised);
                user.sleep(5 * MS).await;
                if forgets && user.id() == 2 {
                    permit.forget();
                }
            }
        })
        .await;
        watch.abort();
        sim.calm();
        check::every_waiter_ends(&sim, &EVERY_WAITER_ENDS, &ledger);
        check::capacity_restored(&sim, &CAPACITY_RESTORED, promised, || permits.try_acquire().ok());
        let taken = Arc::new(AtomicU64::new(0));
        let again = "again";
        let probe = Property::always(again, "the same, where taking waits");
        check::capacity_restored_async(&sim, &probe, promised, || {
            let (permits, taken) = (Arc::clone(&permits), Arc::clone(&taken));
            async move {
                taken.fetch_add(1, Ordering::Relaxed);
                tokio::time::timeout(MS, permits.acquire_owned()).await.ok()?.ok()
            }
        })
        .await;
    })
}

#[test]
fn a_semaphore_keeps_what_it_promises() {
    let record = permits(2, 2, false);
    for (name, property) in &record.properties {
        assert_eq!(property.broken(), None, "{name}");
        assert!(property.checked > 0);
    }
}

#[test]
fn too_many_are_seen_above_the_limit_and_in_the_capacity() {
    let record = permits(3, 2, false);
    assert_eq!(broken(&record, &NEVER_ABOVE).unwrap(), "at 0.000 s: 3 are held, the limit is 2");
    let capacity = broken(&record, &CAPACITY_RESTORED).unwrap();
    assert!(capacity.ends_with("more than 2 got in, which is the limit"), "{capacity}");
    assert!(record.properties["again"].broken().is_some());
}

#[test]
fn lost_places_are_seen_by_who_waits_for_them_and_in_the_capacity() {
    let record = permits(2, 2, true);
    let capacity = broken(&record, &CAPACITY_RESTORED).unwrap();
    assert!(capacity.contains("got in, the limit is 2"), "{capacity}");
    let waits = broken(&record, &NOBODY_WAITS_FOR_NOTHING).unwrap();
    assert!(waits.contains("waits while a place is free"), "{waits}");
}

#[test]
fn who_is_served_out_of_turn_is_told() {
    let record = play(|sim| async move {
        let line = FirstCome::new(&sim, FIRST_COME);
        let (first, second, gone) = (line.asks(), line.asks(), line.asks());
        drop(gone);
        second.served();
        first.served();
        line.asks().served();
    });
    let told = broken(&record, &FIRST_COME).unwrap();
    assert_eq!(told, "at 0.000 s: who asked as number 1 was served before number 0");
    assert_eq!(record.properties[FIRST_COME.name()].held, 2);
}

#[test]
fn who_still_waits_in_the_end_is_named() {
    let record = play(|sim| async move {
        let ledger = Ledger::new(&sim);
        sim.sleep(3 * MS).await;
        let _waits = ledger.waits("ann");
        let _too = ledger.waits("bob");
        check::every_waiter_ends(&sim, &EVERY_WAITER_ENDS, &ledger);
    });
    let told = broken(&record, &EVERY_WAITER_ENDS).unwrap();
    assert_eq!(told, "at 0.003 s: \"ann\" waits since 0.003 s, and 1 more");
}

#[test]
fn what_is_left_is_told_by_count_and_by_bytes() {
    let record = play(|sim| async move {
        const BYTES: Property = Property::always("bytes", "");
        check::nothing_left(&sim, &NOTHING_LEFT, &[("active", 0), ("waiting", 2)]);
        // Without the counting allocator there is nothing that could grow.
        Bytes::now().grown(&sim, &BYTES, 0);
    });
    assert_eq!(broken(&record, &NOTHING_LEFT).unwrap(), "at 0.000 s: 0 active, 2 waiting");
    assert_eq!(record.properties["bytes"].broken(), None);
}

#[test]
fn results_of_others_lost_ones_and_double_ones_are_told_apart() {
    let told = |asked: &'static [u32], came: &'static [u32]| {
        let record = play(move |sim| async move {
            check::own_results(&sim, &OWN_RESULTS, asked, came);
        });
        broken(&record, &OWN_RESULTS)
    };
    assert_eq!(told(&[1, 2], &[1, 2]), None);
    assert!(told(&[1, 2], &[1, 3]).unwrap().contains("3 came, which was asked for by somebody"));
    assert!(told(&[1, 2], &[1]).unwrap().contains("2 never came"));
    assert!(told(&[1, 2], &[1, 2, 2]).unwrap().contains("more than once"));
}
