//! A suite made of data as a test binary: each scenario a test, with cargo's own options.

use std::ops::Range;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use super::place::Place;
use super::running::Running;
use crate::suite::Suite;

impl<S: Clone + Send + 'static> Suite<S> {
    /// Runs each scenario of the suite as a test, for a test binary with `harness = false`: what a bare `run` includes,
    /// on the system that it names; the others are ignored tests. Names are those of scenarios; filters, `--exact`, `--list`,
    /// `--ignored` and `--test-threads` work as with functions, and so do the variables of [`Test`](super::Test). A run that
    /// has a process of its own is that test again.
    ///
    /// ```no_run
    /// # use std::process::ExitCode;
    /// # use hyperlapse::Suite;
    /// # fn my_suite() -> Suite<()> { Suite::new("mine", "0.1.0") }
    /// // `tests/load.rs`, with `[[test]] name = "load"` and `harness = false` in Cargo.toml
    /// fn main() -> ExitCode {
    ///     my_suite().tests(0..100)
    /// }
    /// ```
    ///
    /// # Panics
    /// When a scenario that the suite brings cannot be read.
    pub fn tests(self, seeds: Range<u64>) -> ExitCode {
        assert!(!seeds.is_empty(), "tests without seeds: they could not fail");
        let arguments = Arguments::from_args();
        let suite: &'static Self = Box::leak(Box::new(self.in_harness()));
        let trials = suite.scenarios().into_iter().map(|(scenario, by_default)| {
            let (name, seeds) = (scenario.name().to_owned(), seeds.clone());
            let of = name.clone();
            Trial::test(name, move || {
                let held = of_scenario(suite, &of, seeds).map_err(Failed::from)?;
                println!("{of}: {held}");
                Ok(())
            })
            .with_ignored_flag(!by_default)
        });
        libtest_mimic::run(&arguments, trials.collect()).exit_code()
    }
}

fn of_scenario<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    scenario: &str,
    seeds: Range<u64>,
) -> Result<super::Held, super::NotHeld> {
    let case = suite.case(scenario, None, &[])?;
    let system = suite.systems().find(|entry| entry.name == case.system);
    let system = system.expect("the system of a case was checked when the case was made").name;
    let place = Place::of(scenario.to_owned()).on(system);
    Running { place, suite, case, seeds, on_demand: false, isolate: false, out: None }.all()
}
