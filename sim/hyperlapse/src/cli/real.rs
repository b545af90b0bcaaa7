//! `run --clock real`: what of `run` makes no sense there, and Ctrl-C.

use std::sync::OnceLock;

use super::args::RunArgs;
use crate::clock::Clock;
use crate::decision::StrategyChoice;
use crate::input::InputError;
use crate::report::{Make, Needs, Reporter};
use crate::suite::Case;
use crate::units::count;
use crate::world::Interrupt;

impl Clock {
    /// Whether runs on it can be told by this report: those that play a run again, and the one that is kept to be compared
    /// with, are for runs that repeat themselves.
    pub(super) fn can_be_told_by(self, reporter: &Reporter) -> bool {
        let profiles = matches!(reporter.make, Make::EachRun { needs: Needs::Profile, .. });
        self == Clock::Virtual || !(profiles || reporter.name == "baseline")
    }
}

impl RunArgs {
    /// Whether a report of it tells of single events.
    pub(super) fn wants_events(&self) -> bool {
        let tells = |reporter: &Reporter| {
            matches!(reporter.make, Make::EachRun { needs: Needs::Events, .. })
        };
        self.told.report_dir.is_some()
            || tells(self.told.format)
            || self.told.reports.iter().any(|to| tells(to.reporter))
    }
}

/// Whether this can be run on the real clock.
///
/// # Errors
/// When something is asked for that only a simulation has.
pub(super) fn check(args: &RunArgs, cases: &[Case]) -> Result<(), InputError> {
    let cannot = |option: &str, why: &str| {
        let message = format!("{option} is for the virtual clock, and --clock is real");
        Err(InputError::new(message).help(why))
    };
    if let Some(seeds) = args.seeds.as_ref().filter(|seeds| seeds.end - seeds.start > 1) {
        let runs = count(seeds.end - seeds.start);
        let why = format!(
            "each of these {runs} runs would take as long as its scenario says: name one by --seed"
        );
        return cannot("--seeds", &why);
    }
    if args.jobs.is_some_and(|jobs| jobs.get() > 1) {
        return cannot("--jobs", "runs side by side would measure each other: leave it out");
    }
    if args.strategy.as_ref().is_some_and(|strategy| *strategy != StrategyChoice::None) {
        return cannot("--strategy", "on the real clock the host decides who goes first");
    }
    if args.check_determinism {
        return cannot("--check-determinism", "a run on the real clock is never the same again");
    }
    if args.isolate {
        return cannot(
            "--isolate",
            "the process under test is measured as it is; a crash ends the command",
        );
    }
    if args.shard.is_some() {
        return cannot(
            "--shard",
            "runs on the real clock are not added up: there is one of each scenario",
        );
    }
    let told = &args.told;
    let mut reporters = told.reports.iter().map(|to| to.reporter).chain([told.format]);
    if let Some(reporter) = reporters.find(|reporter| !Clock::Real.can_be_told_by(reporter)) {
        let why = match reporter.name {
            "baseline" => "figures that are kept must repeat themselves; `compare` takes the JSON",
            _ => {
                "it plays a run again, and that would be another one; use a profiler of the host's"
            }
        };
        return cannot(&format!("the format {}", reporter.name), why);
    }
    cases.iter().try_for_each(can_be_run)
}

/// Whether a scenario can be run on the real clock.
///
/// # Errors
/// When it asks for something that only a simulation has.
pub(super) fn can_be_run(case: &Case) -> Result<(), InputError> {
    let name = case.scenario.name();
    if *case.strategy() != StrategyChoice::None {
        let strategy = case.strategy().name();
        let message =
            format!("{name} is bent (strategy = \"{strategy}\"), which needs the virtual clock");
        let help = "--strategy none, or --set strategy=none, leaves it to the host who goes first";
        return Err(InputError::new(message).help(help));
    }
    if let Some(fault) = case.scenario.faults().first() {
        let message =
            format!("{name} asks for the fault `{}`, which needs the virtual clock", fault.name());
        let help = "faults strike by decisions of the seed; --set \"faults=[]\" leaves them out";
        return Err(InputError::new(message).help(help));
    }
    Ok(())
}

/// While it lives, the first Ctrl-C (or SIGTERM) ends runs with what was so far; the second ends the process.
pub(super) struct CtrlC {
    #[cfg(unix)]
    before: Vec<(libc::c_int, libc::sigaction)>,
}

/// A signal's handler has nothing else to reach it by.
static INTERRUPT: OnceLock<Interrupt> = OnceLock::new();

impl CtrlC {
    #[cfg(unix)]
    pub(super) fn ends_runs() -> Self {
        extern "C" fn end(_: libc::c_int) {
            if let Some(interrupt) = INTERRUPT.get() {
                interrupt.end();
            }
        }
        INTERRUPT.get_or_init(Interrupt::default).forget();
        let before = [libc::SIGINT, libc::SIGTERM].map(|signal| {
            // SAFETY: zeros are a valid value of it, an empty set of signals among them.
            let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
            let mut before = action;
            action.sa_sigaction = end as extern "C" fn(libc::c_int) as usize;
            action.sa_flags = libc::SA_RESETHAND | libc::SA_RESTART;
            // SAFETY: both are whole, and the handler does nothing but to load and to store an atomic.
            unsafe { libc::sigaction(signal, &raw const action, &raw mut before) };
            (signal, before)
        });
        Self { before: before.into() }
    }

    /// Nobody has written it for another system yet: there Ctrl-C ends the process, as ever.
    #[cfg(not(unix))]
    pub(super) fn ends_runs() -> Self {
        INTERRUPT.get_or_init(Interrupt::default).forget();
        Self {}
    }

    pub(super) fn interrupt(&self) -> Interrupt {
        INTERRUPT.get_or_init(Interrupt::default).clone()
    }
}

#[cfg(unix)]
impl Drop for CtrlC {
    fn drop(&mut self) {
        for (signal, before) in &self.before {
            // SAFETY: it is what the system has given before.
            unsafe { libc::sigaction(*signal, before, std::ptr::null_mut()) };
        }
    }
}
