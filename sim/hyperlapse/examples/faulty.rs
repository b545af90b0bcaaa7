//! Systems that go wrong in every way there is: what the guard and `--isolate` make of each. A suite of its own;
//! `tests/guard.rs` runs it, and so can you:
//!
//! ```sh
//! cargo run --example faulty -- run one --system stack-overflow --isolate
//! cargo run --example faulty -- run one --system hash-order --check-determinism
//! ```

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyperlapse::{Sim, Suite};
use rand::Rng;

/// A system is what it does when a user comes by; it gives what the user sees.
type System = Arc<dyn Fn(Sim) -> Answer + Send + Sync>;
type Answer = std::pin::Pin<Box<dyn Future<Output = String> + Send>>;

/// Its name, what it does, how it is made.
type Faulty = (&'static str, &'static str, fn() -> System);

fn answers<Fut: Future<Output = String> + Send + 'static>(
    system: impl Fn(Sim) -> Fut + Send + Sync + 'static,
) -> System {
    Arc::new(move |sim| Box::pin(system(sim)))
}

fn main() -> ExitCode {
    suite().main()
}

fn suite() -> Suite<System> {
    let mut suite = Suite::<System>::new("faulty", "0.1.0")
        .script("come-by", "users come by and note what they see", &[], come_by)
        .system("sound", "answers", |_| answers(|_| async { "well".to_owned() }));
    let systems: [Faulty; 14] = [
        ("panic", "panics", || answers(|_| async { panic!("a bug") })),
        ("abort", "aborts", || answers(|_| async { std::process::abort() })),
        ("exit", "exits", || answers(|_| async { std::process::exit(7) })),
        ("stack-overflow", "calls itself for ever", || {
            answers(|_| async { deeper(std::hint::black_box(1)).to_string() })
        }),
        ("endless-loop", "does not return from a poll", || {
            answers(|_| async {
                loop {
                    std::hint::spin_loop();
                }
            })
        }),
        ("spin", "wakes itself for ever", || {
            answers(|_| async {
                loop {
                    tokio::task::yield_now().await;
                }
            })
        }),
        ("deadlock", "takes a lock twice", || {
            answers(|_| async {
                let lock = Arc::new(Mutex::new(0));
                let _first = lock.lock().unwrap();
                let second = lock.lock().unwrap();
                second.to_string()
            })
        }),
        ("async-deadlock", "waits for a lock that it holds", || {
            answers(|_| async {
                let lock = tokio::sync::Mutex::new(0);
                let _first = lock.lock().await;
                lock.lock().await.to_string()
            })
        }),
        ("instant-now", "looks at the clock of the host", || answers(clocked)),
        ("hash-order", "iterates a HashMap", || answers(hashed)),
        ("thread-rng", "draws from rand's thread rng", || answers(drawn)),
        ("unseeded-select", "has a runtime of its own, without a seed", || answers(selected)),
        ("counter", "counts in a static", || answers(counted)),
        ("select", "selects, as everybody does", || answers(seeded_select)),
    ];
    for (name, about, make) in systems {
        suite = suite.system(name, about, move |_| make());
    }
    suite.scenario(
        "one.toml",
        r#"
        name = "one"
        script = "come-by"
        deadline = "1m"
        workload = { kind = "per-user-iterations", users = 3, iterations = 2, pause = "5ms" }
        "#,
    )
}

async fn come_by(sim: Sim, system: System) {
    sim.drive(move |user| {
        let system = Arc::clone(&system);
        async move {
            let mut operation = user.operation();
            operation.accepted();
            let seen = system(user.sim().clone()).await;
            user.note(seen);
            operation.completed();
        }
    })
    .await;
}

fn deeper(n: u64) -> u64 {
    let kept = std::hint::black_box([n; 64]);
    if n == 0 { 0 } else { deeper(n + 1).wrapping_add(kept[(n % 64) as usize]) }
}

async fn clocked(_: Sim) -> String {
    let began = Instant::now();
    tokio::time::sleep(Duration::from_millis(1)).await;
    if began.elapsed() > Duration::from_millis(1) { "late" } else { "in time" }.to_owned()
}

async fn hashed(_: Sim) -> String {
    let map: HashMap<u32, u32> = (0..16).map(|n| (n, n)).collect();
    map.keys().map(u32::to_string).collect::<Vec<_>>().join(" ")
}

async fn drawn(_: Sim) -> String {
    rand::rng().next_u32().to_string()
}

async fn selected(_: Sim) -> String {
    let work = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut seen = String::new();
            for _ in 0..16 {
                tokio::select! {
                    () = std::future::ready(()) => seen.push('a'),
                    () = std::future::ready(()) => seen.push('b'),
                }
            }
            seen
        })
    };
    // A runtime cannot be started from within another one.
    std::thread::spawn(work).join().unwrap()
}

async fn counted(_: Sim) -> String {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    SEEN.fetch_add(1, Ordering::Relaxed).to_string()
}

async fn seeded_select(_: Sim) -> String {
    let mut seen = String::new();
    for _ in 0..16 {
        tokio::select! {
            () = std::future::ready(()) => seen.push('a'),
            () = std::future::ready(()) => seen.push('b'),
        }
    }
    seen
}
