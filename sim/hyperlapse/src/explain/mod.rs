//! Explains a failure: who did what in which order, which choices it took, and what would have happened without
//! the last of them.
//!
//! A failure that was shrunk is played again with every event kept and with the place of each task noted at
//! each decision; where that changes an event (it must not) the explanation says so. The result is data, and
//! reports render it: [`crate::report::explanation`] for a terminal.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`place`] | at which line, in which await, a task stood |
//! | [`story`] | decisions in sentences |

pub(crate) mod place;
mod story;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decision::{DecisionKind, Schedule, StrategyChoice};
use crate::event::{Actor, Event, EventKind, Keep};
use crate::property::PropertyKind;
use crate::record::{Outcome, Record};
use crate::suite::{Case, Finished, Suite};
use crate::units;
use crate::verdict::{Failure, FailureKind};
use crate::world::RunOptions;
use crate::world::bend::place::Log;
pub use place::{Located, Place};

/// Why a run failed, step by step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What failed.
    pub failure: Failure,
    /// What the property promises, where it is one.
    pub promise: Option<String>,
    /// The actors, in the order of their columns.
    pub actors: Vec<String>,
    /// Where the tasks among them were spawned: `task 1 was spawned at …`.
    pub tasks: Vec<String>,
    /// What happened, in order, up to the failure.
    pub steps: Vec<Step>,
    /// The decisions that it took, in order.
    pub decisions: Vec<Told>,
    /// What happens without the last of them; `None` when it took none.
    pub without_last: Option<WithoutLast>,
    /// Who had not come to an end, and where they stood.
    pub waiting: Vec<String>,
    /// Set when looking changed the run: then places may be those of another run.
    pub disturbed: bool,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Virtual time, in nanoseconds.
    pub at_ns: u64,
    /// Whose column it stands in.
    pub actor: usize,
    /// What it was.
    pub text: String,
    /// Which decision it was, from 0; `None` when it was none.
    pub decision: Option<usize>,
}

/// A decision in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The decision, with the places of its task.
    pub located: Located,
    /// Virtual time, in nanoseconds.
    pub at_ns: u64,
    /// What it did, in a sentence or two.
    pub text: String,
}

/// The same run with all decisions but the last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithoutLast {
    /// What fails then; empty when everything holds.
    pub failures: Vec<Failure>,
    /// The first event that differs, here and there; `None` where one of the two ended before.
    pub instead: Option<(Option<String>, Option<String>)>,
}

impl<S: Clone + Send + 'static> Suite<S> {
    /// Explains a failure of a run: best one that was [shrunk](Suite::shrink). Plays it twice more.
    pub fn explain(&self, case: &Case, finished: &Finished, failure: &Failure) -> Explanation {
        let seed = finished.record.seed;
        let isolate = failure.kind == FailureKind::Crash;
        let looked = self.run_with(
            case,
            RunOptions { keep: Keep::All, places: true, isolate, ..RunOptions::seed(seed) },
        );
        let record = &looked.record;
        let (present, steps, times) = steps(record, failure);
        let (actors, tasks) = names(&present);
        let decisions = told(record, &times);
        let without_last = self.without_last(case, record);
        let promise = self.promise(case, failure).map(str::to_owned);
        Explanation {
            failure: failure.clone(),
            promise,
            actors,
            tasks,
            steps,
            decisions,
            without_last,
            waiting: waiting(record),
            disturbed: record.fingerprint != finished.record.fingerprint,
        }
    }

    fn promise(&self, case: &Case, failure: &Failure) -> Option<&'static str> {
        let mut scripts = self.scripts();
        let (_, properties) = scripts.find(|(entry, _)| entry.name == case.scenario.script())?;
        properties.iter().find(|p| p.name() == failure.name).map(|property| property.about())
    }

    fn without_last(&self, case: &Case, record: &Record) -> Option<WithoutLast> {
        let StrategyChoice::Replay(schedule) = case.strategy() else { return None };
        let (_, rest) = schedule.decisions.split_last()?;
        let schedule = Schedule { decisions: rest.to_vec(), only: schedule.only.clone() };
        let case = Case { strategy: Some(StrategyChoice::Replay(schedule)), ..case.clone() };
        let isolate = matches!(record.outcome, Outcome::Crashed { .. });
        let options = RunOptions { keep: Keep::All, isolate, ..RunOptions::seed(record.seed) };
        let other = self.run_with(&case, options);
        let events = |record: &Record| -> Vec<String> {
            let told = record.kept_events.iter().filter(|event| is_told(event));
            told.filter(|event| !is_decision(&event.kind)).map(in_a_sentence).collect()
        };
        let (here, there) = (events(record), events(&other.record));
        let parting = (0..here.len().max(there.len())).find(|n| here.get(*n) != there.get(*n));
        Some(WithoutLast {
            failures: other.verdict.failures,
            instead: parting.map(|n| (here.get(n).cloned(), there.get(n).cloned())),
        })
    }
}

/// Whether an event says something to a reader.
fn is_told(event: &Event) -> bool {
    !matches!(
        event.kind,
        EventKind::LoadStarted
            | EventKind::LoadEnded
            | EventKind::Wave(_)
            | EventKind::Arrived
            | EventKind::Left
            // What is measured is for the report.
            | EventKind::Sample { .. }
    )
}

/// An event with who it happened to. What happens to a host names it.
fn in_a_sentence(event: &Event) -> String {
    match &event.actor {
        Actor::Task(place) if is_host(place) => event.kind.to_string(),
        actor => format!("{actor} {}", event.kind),
    }
}

/// Other tasks are called by the place where they were spawned.
fn is_host(name: &str) -> bool {
    !name.contains(".rs:")
}

/// Whether it is a decision, and not what a script did by itself ([`crate::User::inject_panic`]).
fn is_decision(kind: &EventKind) -> bool {
    match kind {
        EventKind::Decision(_) => true,
        EventKind::Fault(name) => name != "panic",
        _ => false,
    }
}

/// Something that stands in the table.
enum Happened<'a> {
    Event(&'a Event),
    /// By its number.
    Decision(usize, &'a Event),
    Said(&'a Log),
}

impl Happened<'_> {
    fn actor(&self) -> &Actor {
        match self {
            Happened::Event(event) | Happened::Decision(_, event) => &event.actor,
            Happened::Said(log) => &log.actor,
        }
    }
}

/// The columns, what stands in them, and when each decision was taken.
fn steps(record: &Record, failure: &Failure) -> (Vec<Actor>, Vec<Step>, BTreeMap<usize, u64>) {
    // What comes after the violation has nothing to do with it.
    let is_it = |event: &Event| matches!(&event.kind, EventKind::Violated { property, .. } if *property == failure.name);
    let eventually = record
        .properties
        .get(&failure.name)
        .is_some_and(|property| property.kind == PropertyKind::Eventually);
    let end = record.kept_events.iter().position(is_it).filter(|_| !eventually);
    let events = &record.kept_events[..end.map_or(record.kept_events.len(), |at| at + 1)];
    let mut logs = record.places.logs.iter().peekable();
    let mut decisions = record.places.decisions.iter().enumerate();
    let (mut happened, mut later) = (Vec::new(), Vec::new());
    for (n, event) in events.iter().enumerate() {
        // A yield is decided before the poll, and takes place at its end.
        let over = |(_, until, _): &mut (usize, u64, &Event)| *until <= n as u64;
        happened
            .extend(later.extract_if(.., over).map(|(d, _, event)| Happened::Decision(d, event)));
        while let Some(log) = logs.next_if(|log| log.before <= n as u64) {
            happened.push(Happened::Said(log));
        }
        if is_decision(&event.kind) {
            // Of a run that hangs no place came back.
            let Some((number, located)) = decisions.next() else { continue };
            let is_yield = located.decision.kind == DecisionKind::Yield;
            match located.over.filter(|_| is_yield) {
                Some(over) => later.push((number, over, event)),
                None => happened.push(Happened::Decision(number, event)),
            }
        } else if is_told(event) {
            happened.push(Happened::Event(event));
        }
    }
    happened.extend(later.into_iter().map(|(d, _, event)| Happened::Decision(d, event)));
    let mut present: Vec<Actor> = Vec::new();
    for what in &happened {
        if !present.contains(what.actor()) {
            present.push(what.actor().clone());
        }
    }
    // Tasks in the order in which the story comes to them: that of the lines where they were spawned changes with every
    // edit above them. The run itself is least of the story.
    present.sort_by_key(|actor| match actor {
        Actor::User(id) => (0, *id),
        Actor::Task(_) => (1, 0),
        Actor::World => (2, 0),
    });
    let (mut steps, mut times) = (Vec::new(), BTreeMap::new());
    for what in happened {
        let actor = present.iter().position(|actor| actor == what.actor());
        let actor = actor.expect("every actor was collected from what happened");
        let (at_ns, text, decision) = match what {
            Happened::Said(log) => (log.at_ns, format!("- {}", log.text), None),
            Happened::Decision(number, event) => {
                times.insert(number, event.at_ns);
                // In a step there is room for a word or two; the sentence stands below.
                let text = story::in_short(&record.places.decisions[number].decision);
                (event.at_ns, text, Some(number))
            }
            Happened::Event(event) => match &event.kind {
                EventKind::Violated { .. } => (event.at_ns, "VIOLATED".to_owned(), None),
                kind => (event.at_ns, kind.to_string(), None),
            },
        };
        steps.push(Step { at_ns, actor, text, decision });
    }
    (present, steps, times)
}

/// What the columns are called, and a line for each whose name says too little.
fn names(present: &[Actor]) -> (Vec<String>, Vec<String>) {
    let (mut names, mut tasks) = (Vec::new(), Vec::new());
    for actor in present {
        names.push(match actor {
            // A host has its own name.
            Actor::Task(place) if is_host(place) => place.to_string(),
            Actor::Task(place) => {
                let name = format!("task {}", tasks.len() + 1);
                tasks.push(format!("{name} was spawned at {place}"));
                name
            }
            other => other.to_string(),
        });
    }
    (names, tasks)
}

fn told(record: &Record, times: &BTreeMap<usize, u64>) -> Vec<Told> {
    // Those that came after the failure are no part of the story.
    let decisions = record.places.decisions.iter().enumerate();
    decisions
        .filter_map(|(number, located)| Some((located, times.get(&number)?)))
        .map(|(located, at_ns)| Told {
            located: located.clone(),
            at_ns: *at_ns,
            text: story::sentence(located),
        })
        .collect()
}

/// Who waits at the end of a run that did not come to its end, where, and since when.
fn waiting(record: &Record) -> Vec<String> {
    let stands = |actor: &str| {
        let stands = record.places.stands.get(&actor.replace(' ', "-"));
        stands.map_or_else(String::new, |place| format!(", {}", story::at(place)))
    };
    let waiting = match &record.outcome {
        Outcome::DeadlineReached { waiting, .. } => waiting,
        Outcome::Livelock { task, .. } => {
            return vec![format!("{task} is polled again and again{}", stands(task))];
        }
        _ => return Vec::new(),
    };
    let line = |who: &crate::record::Waiting| {
        let since = units::seconds(who.since_ns);
        format!("{} is {} since {since}{}", who.actor, who.doing, stands(&who.actor))
    };
    waiting.iter().map(line).collect()
}
