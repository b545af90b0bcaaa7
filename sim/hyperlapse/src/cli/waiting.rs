//! What somebody who waits sees: how many runs of a sweep are done, or how far one long run has come.
//!
//! It is for people: on standard error, and nothing where that is not a terminal or there is little to wait for. A
//! run pays nothing for it but a store in some thousand polls; a thread of this module's looks at what was stored.

use std::collections::BTreeMap;
use std::io::{IsTerminal, stderr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::clock::Clock;
use crate::plan::Plan;
use crate::suite::Case;
use crate::units;
use crate::world::Reached;

/// A run is worth a bar of its own after so long.
const LONG: Duration = Duration::from_secs(1);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Steps of the bar of a run.
const STEPS: u64 = 1_000;

/// The bar of a whole command.
pub(super) struct Waiting {
    bar: ProgressBar,
    /// Runs that go on, in the order of their beginning; `None` when it is the number of runs that is shown.
    runs: Option<Arc<Mutex<Runs>>>,
    looks: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Runs {
    going_on: BTreeMap<u64, Run>,
    begun: u64,
    over: bool,
}

struct Run {
    name: String,
    expected: Duration,
    reached: Reached,
    began: Instant,
}

impl Waiting {
    /// For so many runs of so many cases: a single run of each is told by how far it has come.
    pub(super) fn new(runs: u64, cases: u64, clock: Clock) -> Self {
        let on = |bar: ProgressBar, template| {
            let style = ProgressStyle::with_template(template)
                .expect("the template is a constant that is right");
            bar.with_style(style)
        };
        if runs > cases {
            let bar = ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr());
            let bar = on(bar, "{bar:30} {pos}/{len} runs, {elapsed}, {eta} left");
            return Self { bar, runs: None, looks: None };
        }
        if !stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden(), runs: None, looks: None };
        }
        let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
        let bar = on(bar, "{bar:16} {msg}");
        let runs = Arc::new(Mutex::new(Runs::default()));
        let looks = thread::spawn({
            let (bar, runs) = (bar.clone(), Arc::clone(&runs));
            move || look_until_it_is_over(&bar, &runs, clock)
        });
        Self { bar, runs: Some(runs), looks: Some(looks) }
    }

    /// A run begins; it goes on until the guard is dropped. What it is to tell of itself, if anything.
    pub(super) fn run(&self, case: &Case, seed: u64) -> (Option<Reached>, impl Drop + use<'_>) {
        let begun = self.runs.as_ref().map(|runs| {
            let reached = Reached::default();
            let run = Run {
                name: case.scenario.name().to_owned(),
                expected: Plan::new(&case.scenario, seed).expected(),
                reached: reached.clone(),
                began: Instant::now(),
            };
            let mut runs = lock(runs);
            let number = runs.begun;
            runs.begun += 1;
            runs.going_on.insert(number, run);
            (reached, number)
        });
        let over = Over { waiting: self, number: begun.as_ref().map(|(_, number)| *number) };
        (begun.map(|(reached, _)| reached), over)
    }

    /// Prints with the bar out of the way.
    pub(super) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }
}

struct Over<'a> {
    waiting: &'a Waiting,
    number: Option<u64>,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        match (&self.waiting.runs, self.number) {
            (Some(runs), Some(number)) => drop(lock(runs).going_on.remove(&number)),
            _ => self.waiting.bar.inc(1),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(runs) = &self.runs {
            lock(runs).over = true;
        }
        if let Some(looks) = self.looks.take() {
            looks.thread().unpark();
            let _ = looks.join();
        }
        self.bar.finish_and_clear();
    }
}

fn lock(runs: &Mutex<Runs>) -> std::sync::MutexGuard<'_, Runs> {
    runs.lock().unwrap_or_else(PoisonError::into_inner)
}

fn look_until_it_is_over(bar: &ProgressBar, runs: &Mutex<Runs>, clock: Clock) {
    loop {
        thread::park_timeout(LOOK);
        let runs = lock(runs);
        if runs.over {
            return;
        }
        let long = runs.going_on.values().find(|run| run.began.elapsed() >= LONG);
        let Some(Run { name, expected, reached, began }) = long else { continue };
        let reached = reached.virtual_time();
        bar.set_position(steps(reached, *expected));
        bar.set_message(match clock {
            Clock::Virtual => told(name, reached, *expected, began.elapsed()),
            Clock::Real => told_in_real_time(name, reached, *expected),
        });
        bar.tick();
    }
}

fn steps(reached: Duration, expected: Duration) -> u64 {
    let steps = reached.as_millis() * u128::from(STEPS) / expected.as_millis().max(1);
    u64::try_from(steps).unwrap_or(STEPS).min(STEPS)
}

/// `sustained: 31 h 10 min of 168 h 00 min, 10,000 times as fast, 49.284 s left`.
fn told(name: &str, reached: Duration, expected: Duration, took: Duration) -> String {
    let (at, of) = (units::seconds(units::nanos(reached)), units::seconds(units::nanos(expected)));
    let rate = reached.as_millis() / took.as_millis().max(1);
    let rate = u64::try_from(rate).unwrap_or(u64::MAX);
    let left = expected.saturating_sub(reached).as_nanos() * took.as_nanos();
    let left = left.checked_div(reached.as_nanos());
    let left = match left.and_then(|left| u64::try_from(left).ok()) {
        // Whole seconds: it is an estimate.
        Some(left) => format!(", {} s left", units::count(left.div_ceil(1_000_000_000))),
        None => String::new(),
    };
    format!("{name}: {at} of {of}, {} times as fast{left}", units::count(rate))
}

/// `sustained: 2 min 10 s of 5 min 00 s, 170 s left; Ctrl-C ends it here`.
fn told_in_real_time(name: &str, reached: Duration, expected: Duration) -> String {
    let (at, of) = (units::seconds(units::nanos(reached)), units::seconds(units::nanos(expected)));
    let left = expected.saturating_sub(reached).as_nanos().div_ceil(1_000_000_000) as u64;
    format!("{name}: {at} of {of}, {} s left; Ctrl-C ends it here", units::count(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_tells_where_it_is_how_fast_and_how_long_it_still_takes() {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        let (day, half) = (hours(24), hours(12));
        assert_eq!(
            told("sustained", half, day, Duration::from_secs(4)),
            "sustained: 12 h 00 min of 24 h 00 min, 10,800 times as fast, 4 s left"
        );
        assert_eq!(
            told("sustained", Duration::ZERO, day, Duration::from_secs(1)),
            "sustained: 0.000 s of 24 h 00 min, 0 times as fast"
        );
        assert_eq!(
            told_in_real_time("sustained", half, day),
            "sustained: 12 h 00 min of 24 h 00 min, 43,200 s left; Ctrl-C ends it here"
        );
        assert!(told("sustained", hours(167), hours(168), Duration::from_secs(90)).len() <= 78);
        assert_eq!(
            (steps(half, day), steps(day, half), steps(day, Duration::ZERO)),
            (500, 1_000, 1_000)
        );
    }
}
