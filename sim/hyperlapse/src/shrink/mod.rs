//! Shrinks a failure: the fewest decisions, users, steps, and the roundest numbers that still fail.
//!
//! A search over runs, and nothing but runs: each candidate is played, and kept when the *same* failure is
//! there, of the same kind and name, seen in the same way. The order of the passes is that of what they save:
//! decisions first (without them most of the rest can go), then users and iterations, then numbers of the
//! scenario, then decisions once more, until a whole round changes nothing. Everything about a run is
//! addressed by names that do not move when something else goes (streams, spawn tree, n-th poll), which is what
//! makes the search short.
//!
//! The order of passes follows Hypothesis and QuickCheck in "the same failure, smaller input"; the search over
//! lists is [`ddmin`]. PULSE (Claessen et al., "Finding Race Conditions in Erlang with QuickCheck and PULSE", ICFP
//! 2009) shrinks schedules likewise, by taking choices away.
//!
//! Of a system that is known to be another with a mistake in it ([`Suite::broken`]) a candidate is kept when the other
//! passes it, too: what is left is what the mistake takes, not limits that nothing could keep.
//!
//! Load is left as it is where the failure says something of how much there was: a threshold on counts fails
//! with any smaller load, and would say nothing. Of too much, so that the run was ended for it, less load says the
//! same.

mod ddmin;
mod numbers;

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::decision::{Decision, DecisionKind, MAX_DECISIONS, Schedule, StrategyChoice};
use crate::input::InputError;
use crate::property::PropertyKind;
use crate::record::{Outcome, Record};
use crate::scenario::overrides::Override;
use crate::suite::{Case, Finished, Suite};
use crate::threshold::Threshold;
use crate::verdict::{Failure, FailureKind};
use crate::world::RunOptions;
use ddmin::ddmin;

/// How much a shrink may cost: a bound in the same units on every machine, so that the result does not depend
/// on how fast it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Runs.
    pub runs: u64,
    /// Events in all runs together. A million takes about a tenth of a second.
    pub events: u64,
}

impl Default for Effort {
    /// Some seconds.
    fn default() -> Self {
        Self { runs: 20_000, events: 20_000_000 }
    }
}

/// A failure that was shrunk.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The smaller case: its strategy is the replay of the decisions that are left.
    pub case: Case,
    /// Its run.
    pub finished: Finished,
    /// The failure that was kept.
    pub failure: Failure,
    /// Runs that it took.
    pub runs: u64,
    /// Whether it ended because nothing more could go; otherwise it ran out of its [`Effort`], and shrinking
    /// the result goes on from there.
    pub minimal: bool,
    /// What there was before, and what is left.
    pub sizes: (Size, Size),
}

/// How large a failing run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Decisions that bend it.
    pub decisions: usize,
    /// Users that take part.
    pub users: usize,
    /// Iterations that they make.
    pub iterations: usize,
    /// Events.
    pub events: u64,
}

impl Size {
    fn of(record: &Record) -> Self {
        let users: BTreeSet<&str> = record.parts.iter().map(|part| user_of(part)).collect();
        Self {
            decisions: record.decisions.len(),
            users: users.len(),
            iterations: record.parts.len(),
            events: record.events,
        }
    }
}

/// Why a failure cannot be shrunk.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotShrunk {
    /// The run did not fail.
    #[error("the run does not fail: there is nothing to shrink")]
    Passed,
    /// More decisions than a record keeps.
    #[error("the run has more than {MAX_DECISIONS} decisions: too many to be replayed from a list")]
    TooManyDecisions,
    /// The list of its decisions does not come to the same failure.
    #[error(
        "replaying its decisions does not come to the same failure: the system is not deterministic"
    )]
    DoesNotReplay,
    /// A run that never comes back cannot be tried again and again.
    #[error("a run that hangs takes {0} s of the host each time: too long to search")]
    Hangs(u64),
    /// There is nothing that could go.
    #[error(
        "it takes no decisions, and a failure of this sort says something of how much load there was"
    )]
    NothingToShrink,
    /// What failed is that a fault never struck: that is no decision, and a replay asks for none.
    #[error("what is missing in it, a fault that never struck, cannot be cut down")]
    NeverStruck,
}

/// A smaller run to try.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Candidate {
    set: BTreeMap<String, String>,
    schedule: Schedule,
}

/// How a failure shows: it is kept only when it shows in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Aspect {
    kind: FailureKind,
    name: String,
    /// A property that was seen broken, rather than never checked or never seen to hold.
    violated: bool,
    /// What was seen, without its numbers.
    shape: String,
    /// A threshold that too much of something broke for good, so that it ended the run.
    too_much: bool,
}

impl Aspect {
    fn of(failure: &Failure, record: &Record, thresholds: &[Threshold]) -> Self {
        let property = record.properties.get(&failure.name);
        let violated = failure.kind == FailureKind::Property
            && property.is_some_and(|p| p.checked > 0 && p.kind != PropertyKind::Sometimes);
        let told = matches!(failure.kind, FailureKind::Property | FailureKind::Panic);
        let shape = if told { shape(&failure.message) } else { String::new() };
        let ended = |threshold: &&Threshold| {
            let text = threshold.to_string();
            matches!(&record.outcome, Outcome::Aborted { threshold, .. } if *threshold == text)
                && text == failure.name
        };
        let too_much = thresholds.iter().find(ended).is_some_and(Threshold::is_upper);
        Self { kind: failure.kind, name: failure.name.clone(), violated, shape, too_much }
    }

    /// Whether it says the same of a smaller load.
    fn bears_less_load(&self) -> bool {
        self.violated
            || self.too_much
            || matches!(
                self.kind,
                FailureKind::Panic
                    | FailureKind::Deadline
                    | FailureKind::Livelock
                    | FailureKind::Crash
            )
    }
}

/// A message without its numbers.
fn shape(message: &str) -> String {
    let mut shape = String::new();
    for c in message.chars() {
        match c.is_ascii_digit() {
            true if shape.ends_with('#') => {}
            true => shape.push('#'),
            false => shape.push(c),
        }
    }
    // `#.#` and `# min # s` are times of another length.
    let shape = shape.replace("#.#", "#").replace("# min # s", "# s");
    match sides(message) {
        Some(order) => format!("{shape} {order:?}"),
        None => shape,
    }
}

/// Of a failed `assert_eq!` over numbers: which is the greater. Too much and too little of something are not the same failure.
fn sides(message: &str) -> Option<Ordering> {
    let side = |name: &str| -> Option<f64> {
        let (_, rest) = message.rsplit_once(name)?;
        rest.split_whitespace().next()?.parse().ok()
    };
    side("left: ")?.partial_cmp(&side("right: ")?)
}

fn user_of(part: &str) -> &str {
    part.split('@').next().unwrap_or(part)
}

/// One search.
struct Search<'a, S> {
    suite: &'a Suite<S>,
    base: &'a Case,
    options: RunOptions,
    aspect: Aspect,
    /// The system without its mistake, where it is known and passes what is shrunk.
    healthy: Option<&'static str>,
    effort: Effort,
    runs: u64,
    events: u64,
    best: Candidate,
    best_case: Case,
    best_run: Finished,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

/// What a search tells while it goes on.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Runs so far.
    pub runs: u64,
    /// The share of the effort that is spent, of 1,000.
    pub spent_per_1000: u64,
    /// How large the least failing run is.
    pub size: Size,
    /// Set when it has just become smaller: the case and its run.
    pub news: Option<(&'a Case, &'a Finished)>,
}

impl<S: Clone + Send + 'static> Suite<S> {
    /// Shrinks the failure of a case with a seed: that of its verdict, the first where there are several.
    /// `progress` hears of every run.
    ///
    /// # Errors
    /// When there is nothing that can be shrunk; see [`NotShrunk`].
    pub fn shrink(
        &self,
        case: &Case,
        options: RunOptions,
        failure: Option<&Failure>,
        effort: Effort,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Shrunk, NotShrunk> {
        let first = self.run_with(case, options.clone());
        let failures = &first.verdict.failures;
        let wanted = |f: &&Failure| failure.is_none_or(|w| w.kind == f.kind && w.name == f.name);
        let failure = failures.iter().find(wanted).ok_or(NotShrunk::Passed)?.clone();
        if failure.kind == FailureKind::Hang {
            return Err(NotShrunk::Hangs(options.hang_after.as_secs()));
        }
        if failure.kind == FailureKind::Fault {
            return Err(NotShrunk::NeverStruck);
        }
        if first.record.decisions_total > first.record.decisions.len() as u64 {
            return Err(NotShrunk::TooManyDecisions);
        }
        let aspect = Aspect::of(&failure, &first.record, case.scenario.thresholds());
        if first.record.decisions.is_empty() && !aspect.bears_less_load() {
            return Err(NotShrunk::NothingToShrink);
        }
        let only = match case.strategy() {
            StrategyChoice::Replay(schedule) => schedule.only.clone(),
            _ => None,
        };
        let schedule = Schedule { decisions: first.record.decisions.clone(), only };
        let set = case.set.iter().map(|set| (set.path.clone(), set.value.clone())).collect();
        let mut search = Search {
            suite: self,
            base: case,
            options,
            aspect,
            healthy: None,
            effort,
            runs: 0,
            events: 0,
            best: Candidate { set, schedule: Schedule { decisions: Vec::new(), only: None } },
            best_case: case.clone(),
            best_run: first,
            progress,
        };
        let whole = Candidate { schedule, ..search.best.clone() };
        search.healthy = self
            .healthy(&case.system)
            .filter(|healthy| search.case(&whole).is_ok_and(|case| search.passes(healthy, &case)));
        if search.tries(whole) != Some(true) {
            return Err(NotShrunk::DoesNotReplay);
        }
        let before = Size::of(&search.best_run.record);
        let minimal = search.rounds();
        let after = Size::of(&search.best_run.record);
        let failure = search.failure(&search.best_run).expect("what is kept fails").clone();
        Ok(Shrunk {
            case: search.best_case,
            finished: search.best_run,
            failure,
            runs: search.runs,
            minimal,
            sizes: (before, after),
        })
    }
}

impl<S: Clone + Send + 'static> Search<'_, S> {
    /// Passes until a round of them changes nothing; whether it came to that.
    fn rounds(&mut self) -> bool {
        loop {
            let before = self.best.clone();
            self.fewer_decisions();
            if self.aspect.bears_less_load() {
                self.fewer_users();
                self.fewer_iterations();
                self.rounder_numbers();
                self.no_idle_parts();
            }
            self.smaller_amounts();
            if self.spent() {
                return false;
            }
            if self.best == before {
                return true;
            }
        }
    }

    fn spent(&self) -> bool {
        self.runs >= self.effort.runs || self.events >= self.effort.events
    }

    fn failure<'f>(&self, finished: &'f Finished) -> Option<&'f Failure> {
        let same = |failure: &&Failure| {
            // Of a smaller load the sentence may have another number of things in it.
            Aspect::of(failure, &finished.record, self.base.scenario.thresholds()) == self.aspect
        };
        finished.verdict.failures.iter().find(same)
    }

    /// Whether the candidate fails in the same way: then it is the best so far. `None` when the effort is spent.
    fn tries(&mut self, candidate: Candidate) -> Option<bool> {
        if self.spent() {
            return None;
        }
        let Ok(case) = self.case(&candidate) else { return Some(false) };
        let finished = self.suite.run_with(&case, self.options.clone());
        self.runs += 1;
        self.events += finished.record.events;
        let fails = self.failure(&finished).is_some()
            && self.healthy.is_none_or(|healthy| self.passes(healthy, &case));
        if fails {
            // Decisions that never came up are none.
            let decisions = finished.record.decisions.clone();
            let schedule = Schedule { decisions, only: candidate.schedule.only.clone() };
            self.best = Candidate { schedule: schedule.clone(), ..candidate };
            self.best_case = Case { strategy: Some(StrategyChoice::Replay(schedule)), ..case };
            self.best_run = finished;
        }
        let spent = (self.runs * 1_000 / self.effort.runs.max(1))
            .max(self.events * 1_000 / self.effort.events.max(1));
        (self.progress)(Progress {
            runs: self.runs,
            spent_per_1000: spent.min(1_000),
            size: Size::of(&self.best_run.record),
            news: fails.then_some((&self.best_case, &self.best_run)),
        });
        Some(fails)
    }

    /// Whether another system passes the case, as far as that says something of a smaller load.
    fn passes(&mut self, system: &str, case: &Case) -> bool {
        let case = Case { system: system.to_owned(), ..case.clone() };
        let finished = self.suite.run_with(&case, self.options.clone());
        self.runs += 1;
        self.events += finished.record.events;
        let thresholds = self.base.scenario.thresholds();
        let counts =
            |failure: &Failure| Aspect::of(failure, &finished.record, thresholds).bears_less_load();
        !finished.verdict.failures.iter().any(counts)
    }

    fn case(&self, candidate: &Candidate) -> Result<Case, InputError> {
        let set: Vec<Override> = candidate
            .set
            .iter()
            .map(|(path, value)| Override { path: path.clone(), value: value.clone() })
            .collect();
        let same = set.iter().eq(self.best_case.set.iter());
        let case = if same { self.best_case.clone() } else { self.suite.vary(self.base, &set)? };
        Ok(Case { strategy: Some(StrategyChoice::Replay(candidate.schedule.clone())), ..case })
    }

    fn with_schedule(&self, schedule: Schedule) -> Candidate {
        Candidate { schedule, ..self.best.clone() }
    }

    fn fewer_decisions(&mut self) {
        let all = self.best.schedule.decisions.clone();
        let only = self.best.schedule.only.clone();
        ddmin(&all, |part: &[Decision]| {
            let schedule = Schedule { decisions: part.to_vec(), only: only.clone() };
            self.tries(self.with_schedule(schedule))
        });
    }

    /// Whole users first: there are fewer of them than iterations.
    fn fewer_users(&mut self) {
        let parts = &self.best_run.record.parts;
        let users: BTreeSet<String> = parts.iter().map(|part| user_of(part).to_owned()).collect();
        self.fewer_parts(users.into_iter().collect());
    }

    fn fewer_iterations(&mut self) {
        let parts: BTreeSet<String> = self.best_run.record.parts.iter().cloned().collect();
        self.fewer_parts(parts.into_iter().collect());
    }

    fn fewer_parts(&mut self, parts: Vec<String>) {
        // Without anybody an assertion on what came of them fails for another reason.
        let somebody = self.aspect.kind == FailureKind::Panic && !parts.is_empty();
        ddmin(&parts, |part: &[String]| {
            if somebody && part.is_empty() {
                return Some(false);
            }
            let schedule = self.schedule_of(part.to_vec());
            self.tries(self.with_schedule(schedule))
        });
    }

    /// The best schedule with nobody else but these.
    fn schedule_of(&self, parts: Vec<String>) -> Schedule {
        let of = |task: &str| {
            // A user's task, its iterations, their operations, what they spawned.
            parts.iter().any(|left| {
                let rest = task.strip_prefix(left.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['@', '.', '/']))
                    || user_of(left) == task
            })
        };
        let decisions = self.best.schedule.decisions.iter();
        let decisions = decisions.filter(|d| !d.task.starts_with("user-") || of(&d.task)).cloned();
        Schedule { decisions: decisions.collect(), only: Some(parts.into_iter().collect()) }
    }

    /// Names just those iterations that there still are: a number of the scenario may have taken others away.
    fn no_idle_parts(&mut self) {
        let parts: BTreeSet<String> = self.best_run.record.parts.iter().cloned().collect();
        if self.best.schedule.only.as_ref().is_some_and(|only| *only != parts) {
            let decisions = self.best.schedule.decisions.clone();
            self.tries(self.with_schedule(Schedule { decisions, only: Some(parts) }));
        }
    }

    /// Every number of the scenario as small and round as it can be.
    fn rounder_numbers(&mut self) {
        for number in numbers::numbers(&self.best_case.effective, self.suite.promised()) {
            for value in number.smaller() {
                let mut set = self.best.set.clone();
                set.insert(number.path.clone(), value);
                let smaller = Candidate { set, schedule: self.best.schedule.clone() };
                match self.tries(smaller.clone()).and_then(|fails| match fails {
                    true => Some(true),
                    false => self.with_one_user_less(&smaller),
                }) {
                    Some(false) => {}
                    Some(true) => break,
                    None => return,
                }
            }
        }
    }

    /// A number and a user that cannot go alone may go together: a limit with one of those who fill it.
    fn with_one_user_less(&mut self, candidate: &Candidate) -> Option<bool> {
        const FEW: usize = 8;
        let parts = self.best_run.record.parts.clone();
        let users: BTreeSet<&str> = parts.iter().map(|part| user_of(part)).collect();
        if !(2..=FEW).contains(&users.len()) {
            return Some(false);
        }
        for gone in users {
            let left = parts.iter().filter(|part| user_of(part) != gone).cloned().collect();
            let schedule = self.schedule_of(left);
            if self.tries(Candidate { schedule, ..candidate.clone() })? {
                return Some(true);
            }
        }
        Some(false)
    }

    /// Every decision by as little as does it.
    fn smaller_amounts(&mut self) {
        for index in 0..self.best.schedule.decisions.len() {
            let Some(decision) = self.best.schedule.decisions.get(index) else { return };
            let least = match decision.kind {
                DecisionKind::Yield => 0,
                DecisionKind::Delay | DecisionKind::Timeout | DecisionKind::Slow => 1,
                DecisionKind::Stall => 2,
                _ => continue,
            };
            let now = decision.amount;
            let smaller = [0, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 500, 1_000];
            for amount in smaller.into_iter().filter(|a| (least..now).contains(a)) {
                let mut schedule = self.best.schedule.clone();
                schedule.decisions[index].amount = amount;
                match self.tries(self.with_schedule(schedule)) {
                    Some(false) => {}
                    Some(true) => break,
                    None => return,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_a_message_is_it_without_its_numbers() {
        let shapes = ["at 0.036 s: 4 are held", "at 1 min 00 s: 12 are held", "at 2 s: 1 are held"];
        assert_eq!(shapes.map(shape), ["at # s: # are held"; 3]);
    }
}
