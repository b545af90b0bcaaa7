//! What a run measures and how its parts depend on the seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyperlapse::{
    AllAtOnce, Bursts, ConstantUsers, Distribution, FailureKind, Keep, PerUserIterations, Property,
    RandomExt, Record, RunOptions, Scenario, User, Verdict, Workload, run,
};

#[global_allocator]
static ALLOCATOR: hyperlapse::CountingAllocator = hyperlapse::CountingAllocator::new();

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A run in which every iteration is an operation of a hundred milliseconds.
fn plain(workload: impl Workload + 'static, options: RunOptions) -> Record {
    let scenario = Scenario::builder("plain", workload).build().unwrap();
    run(&scenario, options, |sim| async move {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            operation.accepted();
            user.sleep(ms(100)).await;
            operation.completed();
        })
        .await;
    })
}

/// When operations were asked for, in milliseconds, and by whom.
fn arrivals(workload: impl Workload + 'static, seed: u64) -> Vec<(u64, String)> {
    let options = RunOptions { keep: Keep::All, ..RunOptions::seed(seed) };
    let events = plain(workload, options).kept_events;
    let requested = |event: &hyperlapse::Event| event.kind == hyperlapse::EventKind::Requested;
    let requests = events.iter().filter(|event| requested(event));
    requests.map(|event| (event.at_ns / 1_000_000, event.actor.to_string())).collect()
}

#[test]
fn all_at_once_is_at_once() {
    assert!(arrivals(AllAtOnce::users(5), 0).iter().all(|(at, _)| *at == 0));
}

#[test]
fn a_closed_load_goes_on_for_its_duration_and_finishes_what_it_began() {
    let record = plain(ConstantUsers::new(2, ms(1_000)).pause(ms(50)), RunOptions::seed(0));
    // Iterations begin at 0, 150, …, 900; the last one ends at 1,000.
    assert_eq!(record.metrics.operations.completed, 14);
    assert_eq!(record.metrics.duration_ns, 1_050_000_000);
}

#[test]
fn bursts_begin_on_time_with_users_of_their_own() {
    let seen = arrivals(Bursts::new(3, 2, ms(500)), 0);
    let expected = [(0, 0), (0, 1), (500, 2), (500, 3), (1_000, 4), (1_000, 5)];
    let expected = expected.map(|(at, user): (u64, u32)| (at, format!("user {user}")));
    assert_eq!(seen, expected);
}

#[test]
fn per_user_iterations_pause_between_and_not_after() {
    let record = plain(PerUserIterations::new(1, 3).pause(ms(1_000)), RunOptions::seed(0));
    assert_eq!(record.metrics.duration_ns, 2_300_000_000);
}

#[test]
fn a_user_less_leaves_what_the_others_do_as_it_was() {
    let load = |users| {
        PerUserIterations::new(users, 3).pause(Distribution::Exponential(ms(200))).spread(ms(500))
    };
    let of_user_1 = |users| {
        let mut seen = arrivals(load(users), 7);
        seen.retain(|(_, user)| user == "user 1");
        seen
    };
    assert_eq!(of_user_1(2), of_user_1(5));
    assert_ne!(arrivals(load(5), 7), arrivals(load(5), 8));
}

#[test]
fn a_users_draws_depend_on_seed_user_iteration_and_name_alone() {
    let draws = |seed, noise: bool| {
        let scenario = Scenario::builder("draws", PerUserIterations::new(2, 2)).build().unwrap();
        let seen: Arc<Mutex<Vec<u64>>> = Arc::default();
        let shared = Arc::clone(&seen);
        run(&scenario, RunOptions::seed(seed), move |sim| async move {
            sim.drive(move |user: User| {
                let seen = Arc::clone(&shared);
                async move {
                    if noise {
                        user.rng("noise").below(10);
                    }
                    let draw = user.rng("work").below(u64::MAX);
                    seen.lock().unwrap().push(draw);
                }
            })
            .await;
        });
        Arc::try_unwrap(seen).unwrap().into_inner().unwrap()
    };
    let quiet = draws(7, false);
    assert_eq!(quiet, draws(7, true), "another stream changes nothing");
    assert_ne!(quiet, draws(8, false));
    let mut distinct = quiet.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), 4, "every user and iteration has numbers of its own");
}

#[test]
fn operations_are_counted_by_what_became_of_them() {
    let scenario = Scenario::builder("outcomes", AllAtOnce::users(7)).build().unwrap();
    let record = run(&scenario, RunOptions::seed(0), |sim| async move {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            match user.id() {
                0 => operation.refused("full"),
                1 => operation.refused("closed"),
                2 => drop(operation),
                3 => operation.accepted(),
                4 => {
                    operation.accepted();
                    operation.failed("broken");
                }
                5 => {
                    user.sleep(ms(30)).await;
                    operation.accepted_after(ms(30));
                    operation.completed();
                }
                _ => {
                    operation.accepted();
                    operation.completed();
                }
            }
        })
        .await;
    });
    let operations = &record.metrics.operations;
    assert_eq!((operations.requested, operations.accepted, operations.completed), (7, 4, 2));
    assert_eq!(operations.refused_total(), 2);
    assert_eq!((operations.cancelled, operations.abandoned, operations.failed_total()), (1, 1, 1));
    assert_eq!(operations.queue_wait.count, 1, "who did not wait did not queue");
    assert_eq!(operations.queue_wait.max_ns, 30_000_000);
}

#[test]
fn heap_bytes_are_those_of_the_run() {
    let scenario = Scenario::builder("leak", AllAtOnce::users(10)).build().unwrap();
    let measured = |leaked: usize| {
        let record = run(&scenario, RunOptions::seed(0), move |sim| async move {
            let held: Arc<Mutex<Vec<Vec<u8>>>> = Arc::new(Mutex::new(Vec::with_capacity(10)));
            let shared = Arc::clone(&held);
            sim.drive(move |user| {
                let held = Arc::clone(&shared);
                async move {
                    let temporary = vec![0u8; 1 << 20];
                    user.sleep(ms(10)).await;
                    drop(temporary);
                    held.lock().unwrap().push(Vec::with_capacity(leaked));
                }
            })
            .await;
            // What the system still holds when the load is over is forgotten, as a leak is.
            std::mem::forget(held);
        });
        record.memory.expect("the allocator is installed")
    };
    let (without, with) = (measured(0), measured(1_000));
    assert_eq!(with.growth - without.growth, 10_000, "ten users leak a thousand bytes each");
    assert!(with.peak - with.before > 10 << 20, "ten users hold a mebibyte each");
}

#[test]
fn a_run_draws_its_hash_keys_from_the_seed() {
    use std::collections::HashMap;
    let order = |seed| {
        let scenario = Scenario::builder("map", AllAtOnce::users(1)).build().unwrap();
        let seen: Arc<Mutex<Vec<u32>>> = Arc::default();
        let shared = Arc::clone(&seen);
        run(&scenario, RunOptions::seed(seed), move |_| async move {
            let map: HashMap<u32, ()> = (0..100).map(|key| (key, ())).collect();
            shared.lock().unwrap().extend(map.into_keys());
        });
        Arc::try_unwrap(seen).unwrap().into_inner().unwrap()
    };
    if cfg!(target_os = "linux") {
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}

#[test]
fn virtual_time_costs_no_real_time_and_sleeps_are_exact() {
    let began = std::time::Instant::now();
    let scenario = Scenario::builder("time", AllAtOnce::users(1)).build().unwrap();
    let slept = Arc::new(AtomicU64::new(0));
    let shared = Arc::clone(&slept);
    let record = run(&scenario, RunOptions::seed(0), move |sim| async move {
        let epoch = sim.wall_clock();
        sim.sleep(Duration::from_secs(3_000)).await;
        shared.store(sim.now().as_millis() as u64, Ordering::Relaxed);
        assert_eq!(sim.wall_clock().duration_since(epoch).unwrap(), sim.now());
    });
    assert_eq!(slept.load(Ordering::Relaxed), 3_000_000);
    assert_eq!(record.virtual_ns, 3_000_000_000_000);
    assert!(began.elapsed() < Duration::from_secs(30), "fifty minutes take no fifty minutes");
}

#[test]
fn a_promised_property_that_is_never_checked_fails_the_run() {
    const PROMISED: Property = Property::always("promised", "is checked");
    let scenario = Scenario::builder("promise", AllAtOnce::users(1)).build().unwrap();
    let options = RunOptions { properties: vec![PROMISED], ..RunOptions::seed(0) };
    let record = run(&scenario, options, |_| async {});
    let verdict = Verdict::of(&record, &[]);
    assert_eq!(verdict.failures[0].kind, FailureKind::Property);
    assert_eq!(verdict.failures[0].message, "never checked");
}

#[test]
fn a_violation_is_an_event_and_the_first_one_is_kept() {
    const SMALL: Property = Property::always("small", "stays below two");
    let scenario = Scenario::builder("violation", AllAtOnce::users(4)).build().unwrap();
    let options = RunOptions { keep: Keep::All, ..RunOptions::seed(0) };
    let record = run(&scenario, options, |sim| async move {
        sim.drive(|user| async move {
            let id = user.id();
            user.sim().check_with(&SMALL, id < 2, || format!("it is {id}"));
        })
        .await;
    });
    let property = &record.properties["small"];
    assert_eq!((property.checked, property.held), (4, 2));
    let violations: Vec<String> = record
        .kept_events
        .iter()
        .filter(|event| matches!(event.kind, hyperlapse::EventKind::Violated { .. }))
        .map(ToString::to_string)
        .collect();
    insta::assert_snapshot!(violations.join("\n"), @"     0.000000  user 2      violated: small (it is 2)");
}

#[test]
fn the_limit_that_a_scenario_shows_is_in_the_record_and_no_event() {
    let scenario = Scenario::builder("limited", AllAtOnce::users(1)).build().unwrap();
    let of = |shown: bool| {
        run(&scenario, RunOptions::seed(0), move |sim| async move {
            if shown {
                sim.show_capacity(20);
            }
            sim.sleep(ms(10)).await;
            let resized = sim.clone();
            sim.drive(move |user| {
                let sim = resized.clone();
                async move {
                    for level in [20, 20, 10, 5] {
                        if shown {
                            sim.show_capacity(level);
                        }
                        if level != 10 {
                            user.sleep(ms(100)).await;
                        }
                    }
                }
            })
            .await;
        })
    };
    let (shown, silent) = (of(true), of(false));
    // Since the load started; of several at one moment the last; the same again is nothing new.
    let levels: Vec<_> = shown.capacity.iter().map(|of| (of.at_ns / 1_000_000, of.level)).collect();
    assert_eq!(levels, [(0, 20), (200, 5)]);
    assert_eq!(silent.capacity, []);
    assert_eq!(shown.fingerprint, silent.fingerprint);
}

#[test]
fn time_that_is_moved_by_hand_fails_the_run_and_says_so() {
    let scenario = Scenario::builder("by-hand", AllAtOnce::users(2)).build().unwrap();
    let moved = |sleeps_after: bool| {
        let record = run(&scenario, RunOptions::seed(0), move |sim| async move {
            sim.drive(move |user| async move {
                user.note("before");
                tokio::time::advance(ms(50)).await;
                if sleeps_after {
                    user.sleep(ms(1)).await;
                }
            })
            .await;
        });
        let failures = Verdict::of(&record, scenario.thresholds()).failures;
        failures.iter().any(|failure| failure.message.contains("moved by hand"))
    };
    assert!(moved(true) && moved(false));
}

#[test]
fn time_that_is_moved_by_hand_before_anything_else_happens_is_seen_as_well() {
    let scenario = Scenario::builder("by-hand-first", AllAtOnce::users(1)).build().unwrap();
    let record = run(&scenario, RunOptions::seed(0), |_| async {
        tokio::time::advance(ms(50)).await;
        tokio::time::sleep(ms(1)).await;
    });
    let failures = Verdict::of(&record, scenario.thresholds()).failures;
    assert!(failures.iter().any(|failure| failure.message.contains("moved by hand")));
}

#[test]
fn a_user_that_waits_takes_less_than_seven_hundred_bytes() {
    const USERS: u64 = 4_000;
    let scenario = Scenario::builder("crowd", AllAtOnce::users(USERS)).build().unwrap();
    let record = hyperlapse::run(&scenario, RunOptions::seed(0), |sim| async move {
        sim.drive(|user| async move {
            let mut operation = user.operation();
            operation.accepted();
            user.sleep(Duration::from_millis(100)).await;
            operation.completed();
        })
        .await;
    });
    let memory = record.memory.expect("the test has the allocator");
    let of_one = (memory.peak - memory.before) as u64 / USERS;
    // 512 are the task: tokio rounds it up to whole 128, so that one field too many is 128 bytes for each of a million.
    assert!(of_one < 700, "{of_one} bytes");
}
