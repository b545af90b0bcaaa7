//! What every hunt does with its suite. `hunt SEEDS` runs seeds from 0 until one fails, and prints a line for the
//! table; with `--tell` also what was found. `hunt SEEDS FROM` begins elsewhere. `hunt SEEDS --all` goes on when one
//! fails, and counts what failed.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use hyperlapse::Suite;
use hyperlapse::kit;

pub fn main<S: Clone + Send + 'static>(suite: Suite<S>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let mut numbers = arguments.iter().filter_map(|argument| argument.parse::<u64>().ok());
    let Some(seeds) = numbers.next() else {
        eprintln!("usage: hunt SEEDS [FROM] [--tell] [--all]");
        return ExitCode::from(2);
    };
    let from = numbers.next().unwrap_or(0);
    let began = Instant::now();
    let seconds = || began.elapsed().as_secs_f64();
    if has("--all") {
        let failed = all(&suite, from, seeds);
        for (name, (first, count)) in &failed {
            println!("fails\t{name}\t{count} of {seeds}, first in seed {first}");
        }
        println!("ran\t{seeds}\t{:.1}", seconds());
        return ExitCode::from(u8::from(!failed.is_empty()));
    }
    match kit::sweep(&suite, from..from + seeds) {
        Ok(swept) => {
            println!("silent\t{}\t{:.1}", swept.runs, seconds());
            ExitCode::SUCCESS
        }
        Err(found) => {
            let sizes = found.shrunk.as_ref().map(|shrunk| shrunk.sizes);
            let (before, after, users) = sizes.map_or(Default::default(), |(before, after)| {
                (before.decisions, after.decisions, after.users)
            });
            let (runs, name) = (found.runs, &found.failure.name);
            println!("found\t{runs}\t{:.1}\t{name}\t{before}\t{after}\t{users}", seconds());
            if has("--tell") {
                println!("\n{found}");
            }
            ExitCode::FAILURE
        }
    }
}

/// By the name of what failed first in a run, the first seed and how many.
fn all<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    from: u64,
    seeds: u64,
) -> BTreeMap<String, (u64, u64)> {
    let (scenario, _) = &suite.scenarios()[0];
    let case = suite.case(scenario.name(), None, &[]).expect("it is a scenario of the suite");
    let next = AtomicU64::new(from);
    let failed = Mutex::new(BTreeMap::new());
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + seeds {
                return;
            }
            if let Some(failure) = suite.run(&case, seed).verdict.failures.first() {
                let mut failed = failed.lock().expect("nothing panics under the lock");
                let entry = failed.entry(failure.name.clone()).or_insert((seed, 0));
                *entry = (entry.0.min(seed), entry.1 + 1);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    failed.into_inner().expect("nothing panics under the lock")
}
