//! What a simulated run costs, against the least that it could cost.
//!
//! - *sustained*: five virtual minutes of ten users in conversation, against bare paused tokio doing the same
//!   sleeps: no bot, no manager, no events, no metrics.
//! - *bent*: the same with interleavings on at the rates that seeds draw, against itself without.
//! - *sweep*: runs a second of `concurrent-users`, on one core and on two, and how much bare tokio gains by the second.
//! - *crowd*: heap bytes of a hundred thousand virtual users at once, beyond the manager's own.
//! - *day*: twenty-four virtual hours of `sustained`, 5.76 million conversations, in a process of its own.
//! - *million*: a million virtual users at once in one run, each in a conversation, in a process of its own.
//!
//! Rounds of the two sides take turns and the figure is the median of the ratios of neighbouring rounds: what
//! the machine does to one it does to the other. `cargo bench --bench load` prints the table; a figure that misses
//! its aim makes it exit with 1. `cargo bench --bench load -- ours 50` runs one side so many times and nothing
//! else, for a profiler (`bare`, `ours`); `docs/performance.md` has what the profiler said.

use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use conversation_manager::{ConversationManager, Limits};
use hyperlapse::decision::StrategyChoice;
use hyperlapse::{AllAtOnce, Override, Record, RunOptions, Scenario, Sim};

type BoxFuture = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

const ROUNDS: usize = 15;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if let Some((part, more)) = arguments.split_first() {
        return alone(part, more.first().map_or(1, |rounds| rounds.parse().expect("a number")));
    }
    let mut held = true;
    let mut row = |what: &str, figure: f64, unit: &str, aim: f64, at_most: bool| {
        let good = if at_most { figure <= aim } else { figure >= aim };
        held &= good;
        let (sign, mark) =
            (if at_most { "at most" } else { "at least" }, if good { "ok" } else { "MISSED" });
        println!("{what:<58} {figure:>10.2} {unit:<8} {sign} {aim}  {mark}");
    };

    row("sustained / bare paused tokio, the same sleeps", sustained(&[]), "x", 1.5, true);
    row("  with thresholds over sliding windows", sustained(&[windows()]), "x", 1.5, true);
    row("sustained with random decisions / without", bent(), "x", 2.0, true);
    let (two, ours, bare) = sweep();
    row("runs a second of concurrent-users on two cores", two, "/s", 5_000.0, false);
    row("  two cores / one", ours, "x", (bare * 90.0).round() / 100.0, false);
    row("  of bare tokio, nothing shared: what the machine has", bare, "x", 1.0, false);
    let (own, with_manager) = crowd();
    row("heap of one of 100,000 users at once", own, "B", 1_000.0, true);
    row("  in conversation, beyond the manager's own", with_manager, "B", 1_000.0, true);
    let (seconds, megabytes) = in_its_own_process("day");
    row("24 virtual hours of sustained, 5,760,000 conversations", seconds, "s", 10.0, true);
    row("  peak resident memory", megabytes, "MB", 64.0, true);
    let (seconds, megabytes) = in_its_own_process("million");
    row("1,000,000 users at once, in conversation", seconds, "s", 20.0, true);
    row("  peak resident memory", megabytes, "MB", 1_000.0, true);
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Does one part so many times, without a table.
fn alone(part: &str, rounds: u64) -> ExitCode {
    let suite = conversation_load::suite();
    let sustained = suite.case("sustained", None, &[]).expect("the suite has it");
    for _ in 0..rounds {
        match part {
            "bare" => bare(),
            "ours" => drop(suite.run(&sustained, 0)),
            "windows" => {
                let case = suite.case("sustained", None, &[windows()]).expect("the suite has it");
                drop(suite.run(&case, 0));
            }
            "day" => measured(|| {
                let day: Override = "duration=24h".parse().expect("it is right");
                let case = suite.case("sustained", None, &[day]).expect("the suite has it");
                assert!(suite.run(&case, 0).verdict.passed());
            }),
            "million" => measured(|| drop(talking(1_000_000))),
            _ => panic!("there is no part `{part}`: expected bare, ours, windows, day or million"),
        }
    }
    ExitCode::SUCCESS
}

/// Says how long it took, in seconds, and the most memory that this process had, in megabytes.
fn measured(work: impl FnOnce()) {
    let seconds = timed(work);
    println!("{seconds} {}", peak_megabytes());
}

/// The most memory that this process ever had resident; zero where the system does not say.
fn peak_megabytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.map_or(0.0, |kilobytes: f64| kilobytes * 1_024.0 / 1e6)
}

/// What [`measured`] says of a part in a process of its own: nothing else has used its memory.
fn in_its_own_process(part: &str) -> (f64, f64) {
    let this = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(this).arg(part).output().expect("it runs once more");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{part}: {}", String::from_utf8_lossy(&output.stderr));
    let (seconds, megabytes) = said.trim().split_once(' ').expect("two figures");
    (seconds.parse().expect("a number"), megabytes.parse().expect("a number"))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Wall time of `work`, in seconds.
fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let began = Instant::now();
    std::hint::black_box(work());
    began.elapsed().as_secs_f64()
}

/// Thresholds that are judged at every moment of the run.
fn windows() -> Override {
    let thresholds = [
        "completion_rate == 100%",
        "throughput over 30s >= 90% of median",
        "response.p95 over 10s < 500ms",
        "response.max over 10s < 500ms",
    ];
    format!("thresholds={thresholds:?}").parse().expect("it is right")
}

fn sustained(set: &[Override]) -> f64 {
    let suite = conversation_load::suite();
    let case = suite.case("sustained", None, set).expect("the suite has it");
    let ratios = (0..ROUNDS).map(|_| {
        let ours = timed(|| assert!(suite.run(&case, 0).verdict.passed()));
        ours / timed(bare)
    });
    median(ratios.collect())
}

/// The same seeds with decisions at the rates that they draw, and without: the mean over seeds, for some are
/// quiet and some are stormy.
fn bent() -> f64 {
    const SEEDS: u64 = 20;
    let suite = conversation_load::suite();
    let mut case = suite.case("sustained", None, &[]).expect("the suite has it");
    let mut seeds = |strategy: StrategyChoice| {
        case.strategy = Some(strategy);
        timed(|| (0..SEEDS).for_each(|seed| drop(suite.run(&case, seed))))
    };
    let ratios = (0..ROUNDS / 3).map(|_| {
        let bent = seeds(StrategyChoice::Random);
        bent / seeds(StrategyChoice::None)
    });
    median(ratios.collect())
}

/// Ten tasks that sleep as the users of `sustained` do: 2,000 conversations of two steps and a pause.
fn bare() {
    let run = || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let users: Vec<_> = (0..10)
                .map(|_| {
                    tokio::spawn(async {
                        for _ in 0..2_000 * 3 {
                            tokio::time::sleep(Duration::from_millis(50)).await;
                        }
                    })
                })
                .collect();
            for user in users {
                user.await.expect("it only sleeps");
            }
        });
    };
    thread::spawn(run).join().expect("it only sleeps");
}

/// Runs a second with two jobs, how many times those of one job that is, and the same of bare tokio: two cores may be one
/// that does two things, and then nobody is twice as fast on them.
fn sweep() -> (f64, f64, f64) {
    let suite = conversation_load::suite();
    let case = suite.case("concurrent-users", None, &[]).expect("the suite has it");
    let ours = |seed| assert!(suite.run(&case, seed).verdict.passed());
    let (mut two, mut scales, mut bare_scales) = (0.0, Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let each = [1, 2].map(|jobs| a_second(jobs, 1_000, &ours));
        // The best round: whatever else runs on the machine can only take away.
        two = each[1].max(two);
        scales.push(each[1] / each[0]);
        let each = [1, 2].map(|jobs| a_second(jobs, 8, &|_| bare()));
        bare_scales.push(each[1] / each[0]);
    }
    (two, median(scales), median(bare_scales))
}

/// How often a second the work is done when so many threads share it.
fn a_second(jobs: u64, times: u64, work: &(dyn Fn(u64) + Sync)) -> f64 {
    let next = AtomicU64::new(0);
    let job = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= times {
                break;
            }
            work(number);
        }
    };
    let took = timed(|| thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(job)))));
    times as f64 / took
}

/// Heap bytes of a user at the peak: one that only waits, and one in a conversation of the manager's, less
/// what the same conversations take without users. What the run records is made on another thread and does
/// not count.
fn crowd() -> (f64, f64) {
    const USERS: u64 = 100_000;
    let of_one = |record: Record| {
        let memory = record.memory.expect("the suite installs the allocator");
        (memory.peak - memory.before) as f64 / USERS as f64
    };
    let idle = of_one(crowded(USERS, |_, sim| {
        Box::pin(async move {
            sim.drive(|user| async move {
                let mut operation = user.operation();
                operation.accepted();
                user.sleep(Duration::from_millis(100)).await;
                operation.completed();
            })
            .await;
        })
    }));
    let manager_alone = of_one(crowded(USERS, |manager, sim| {
        Box::pin(async move {
            let users = 0..sim.plan().users();
            let mut talks = Vec::with_capacity(users.end as usize);
            talks.extend(users.map(|_| manager.try_start("somebody").expect("there is a slot")));
            sim.sleep(Duration::from_millis(100)).await;
        })
    }));
    (idle, of_one(talking(USERS)) - manager_alone)
}

/// So many users at once, each in a conversation.
fn talking(users: u64) -> Record {
    crowded(users, |manager, sim| {
        Box::pin(async move {
            sim.drive(move |user| {
                let manager = manager.clone();
                async move {
                    let mut operation = user.operation();
                    let talk = manager.try_start("somebody").expect("there is a slot for all");
                    operation.accepted();
                    user.sleep(Duration::from_millis(100)).await;
                    talk.end().expect("it is not over");
                    operation.completed();
                }
            })
            .await;
        })
    })
}

fn crowded(users: u64, work: fn(ConversationManager, Sim) -> BoxFuture) -> Record {
    let limits = Limits {
        max_concurrent: users as usize,
        max_per_user: users as usize,
        ..Limits::default()
    };
    let scenario =
        Scenario::builder("crowd", AllAtOnce::users(users)).build().expect("it is right");
    hyperlapse::run(&scenario, RunOptions::seed(0), move |sim| async move {
        work(ConversationManager::new(limits).expect("the limits are right"), sim).await;
    })
}
