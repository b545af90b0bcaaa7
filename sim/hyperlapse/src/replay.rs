//! Holds a replay against the run that its seed file tells of.

use std::fmt::Write as _;

use crate::build_info::Build;
use crate::event::Event;
use crate::input::{InputError, Source};
use crate::scenario::overrides::Override;
use crate::seed_file::{Expect, SeedFile};
use crate::suite::{Case, Finished, Suite};
use crate::units;
use crate::verdict::Failure;

/// What became of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// The same failure, by the same events.
    Reproduced,
    /// The same failure by other events, and where they part.
    ByOtherEvents(String),
    /// Another failure.
    OtherFailure,
    /// Nothing failed.
    Passed,
}

/// Compares a replay with what its seed file expects.
pub fn compare(seed_file: &SeedFile, finished: &Finished) -> Replayed {
    match same(seed_file, finished) {
        None if finished.verdict.passed() => Replayed::Passed,
        None => Replayed::OtherFailure,
        Some(_) if finished.record.fingerprint == seed_file.fingerprint => Replayed::Reproduced,
        Some(_) => Replayed::ByOtherEvents(parting(seed_file, finished)),
    }
}

/// The failure that the seed file tells of, if it is there again.
fn same<'a>(seed_file: &SeedFile, finished: &'a Finished) -> Option<&'a Failure> {
    let (kind, name) = (seed_file.failure.kind, &seed_file.failure.name);
    finished.verdict.failures.iter().find(|failure| failure.kind == kind && failure.name == *name)
}

impl<S: Clone + Send + 'static> Suite<S> {
    /// The case that a seed file tells of.
    ///
    /// # Errors
    /// When the suite does not know its scenario or system, or something cannot be set.
    pub fn replay_case(&self, seed_file: &SeedFile) -> Result<Case, InputError> {
        let mut case =
            self.case_told(seed_file, Some(&seed_file.system), &seed_file.overrides())?;
        case.strategy = Some(seed_file.strategy()?);
        Ok(case)
    }

    pub(crate) fn case_told(
        &self,
        seed_file: &SeedFile,
        system: Option<&str>,
        set: &[Override],
    ) -> Result<Case, InputError> {
        match &seed_file.text {
            None => self.case(&seed_file.scenario, system, set),
            Some(text) => {
                let source = Source::new(format!("scenario {}", seed_file.scenario), text.as_str());
                self.case_from(&source, system, set)
            }
        }
    }
}

impl Replayed {
    /// Whether that is what the seed file expects.
    pub fn as_expected(&self, expect: Expect) -> bool {
        match expect {
            Expect::Fail => *self == Replayed::Reproduced,
            Expect::Pass => *self == Replayed::Passed,
        }
    }

    /// What became of it, in words; for a replay that is not as expected with a likely reason.
    pub fn explain(&self, seed_file: &SeedFile, finished: &Finished, build: &Build) -> String {
        let failure = &seed_file.failure;
        let mut text = match self {
            Replayed::Reproduced => format!(
                "{}: the same failure by the same {} (fingerprint {})\n",
                match seed_file.expect {
                    Expect::Fail => "reproduced",
                    Expect::Pass => "it has come back",
                },
                units::plural(seed_file.events, "event"),
                seed_file.fingerprint
            ),
            Replayed::Passed => format!(
                "not reproduced: everything held this time\n  recorded  {} {}: {}\n",
                failure.kind.text(),
                failure.name,
                failure.message
            ),
            Replayed::OtherFailure | Replayed::ByOtherEvents(_) => {
                let now = match self {
                    Replayed::OtherFailure => &finished.verdict.failures[0],
                    _ => same(seed_file, finished).expect("it is by this failure that it was told"),
                };
                let title = match self {
                    Replayed::OtherFailure => "not reproduced: something else failed",
                    _ => "reproduced the failure, but by other events",
                };
                format!(
                    "{title}\n  recorded  {} {}: {}\n  now       {} {}: {}\n",
                    failure.kind.text(),
                    failure.name,
                    failure.message,
                    now.kind.text(),
                    now.name,
                    now.message
                )
            }
        };
        if *self == Replayed::Reproduced {
            return text;
        }
        if let Expect::Pass = seed_file.expect
            && *self == Replayed::Passed
        {
            return "held: the failure of this seed file has not come back\n".to_owned();
        }
        let parting = match self {
            Replayed::ByOtherEvents(parting) => parting.clone(),
            _ => parting(seed_file, finished),
        };
        write!(text, "{parting}{}", self.reason(&seed_file.build, build))
            .expect("a string takes any text");
        text
    }

    /// Whether the same binary came to something else: that must not happen.
    pub fn is_nondeterminism(
        &self,
        seed_file: &SeedFile,
        finished: &Finished,
        build: &Build,
    ) -> bool {
        let same_binary = !build.binary.is_empty() && build.binary == seed_file.build.binary;
        same_binary && finished.record.fingerprint != seed_file.fingerprint
    }

    fn reason(&self, then: &Build, now: &Build) -> String {
        if !now.binary.is_empty() && then.binary == now.binary {
            return "  this is the very binary that recorded it: the system is not deterministic,\n  or the file was edited\n"
                .to_owned();
        }
        let mut differs = Vec::new();
        if then.suite != now.suite {
            differs.push(format!("the suite was {} and is {}", then.suite, now.suite));
        }
        if then.hyperlapse != now.hyperlapse {
            differs.push(format!("hyperlapse was {} and is {}", then.hyperlapse, now.hyperlapse));
        }
        if then.tokio_unstable != now.tokio_unstable {
            let with = |on| if on { "with" } else { "without" };
            differs.push(format!(
                "it was built {} tokio_unstable and is {} it",
                with(then.tokio_unstable),
                with(now.tokio_unstable)
            ));
        }
        match differs.is_empty() {
            true => "  this is another build than recorded it: the code has changed since, or its scenario\n".to_owned(),
            false => format!("  this is another build than recorded it: {}\n", differs.join("; ")),
        }
    }
}

/// Where the replay leaves the recorded events, as exactly as the seed file can tell.
fn parting(seed_file: &SeedFile, finished: &Finished) -> String {
    let record = &finished.record;
    if record.fingerprint == seed_file.fingerprint {
        return "  the events are the same: what is judged has changed\n".to_owned();
    }
    let differs = seed_file.checkpoints.iter().zip(&record.checkpoints).position(|(a, b)| a != b);
    // Checkpoint k is the hash after 2^k events.
    let common = seed_file.checkpoints.len().min(record.checkpoints.len());
    let (same, until) = match differs {
        Some(0) => (0, 1),
        Some(k) => (1u64 << (k - 1), 1u64 << k),
        None if common == 0 => (0, 1),
        None => (1u64 << (common - 1), u64::MAX),
    };
    let until = until.min(seed_file.events.max(record.events));
    let tail_begins = seed_file.events - (seed_file.tail.len() as u64).min(seed_file.events);
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        writeln!(text, "  {line}").expect("a string takes any text");
    };
    let replayed_begins = record.events - (record.kept_events.len() as u64).min(record.events);
    let from = tail_begins.max(replayed_begins);
    let recorded = |n: u64| seed_file.tail.get((n - tail_begins) as usize).map(String::as_str);
    let replayed =
        |n: u64| record.kept_events.get((n - replayed_begins) as usize).map(Event::to_string);
    let end = seed_file.events.max(record.events);
    let first = (from.max(same)..end).find(|n| recorded(*n).map(str::to_owned) != replayed(*n));
    match first {
        // Exact only when nothing before it is out of sight.
        Some(n) if n > from || from <= same => {
            line(format_args!("the first {} are the same, then", units::plural(n, "event")));
            line(format_args!("recorded  {}", recorded(n).unwrap_or("(ended)")));
            line(format_args!("now       {}", replayed(n).as_deref().unwrap_or("(ended)")));
        }
        _ => line(format_args!(
            "the events part somewhere from number {} to number {} of {}",
            same + 1,
            until,
            units::count(seed_file.events)
        )),
    }
    text
}
