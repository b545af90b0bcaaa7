//! A failure that was shrunk, as a swim-lane of its actors and in sentences.

use serde::Serialize;

use super::super::explanation::{self, Shown};
use super::super::results::{Explained, Results};
use super::super::summary::replay_line;
use super::super::svg::{Entry, Kind, Lanes, lanes, lanes_width};
use super::super::text::{NOT_MINIMAL, sizes};
use crate::explain::{Explanation, Step};
use crate::suite;
use crate::units::{plural, seconds};

/// More lanes than this have no room for words.
const LANES: usize = 6;
/// More than these a phone does not show side by side: there it shows a list.
const NARROW: usize = 2;

/// A story with its number in the page.
pub(super) struct Numbered<'a> {
    number: usize,
    of: &'a Explained,
}

impl Numbered<'_> {
    pub(super) fn id(&self) -> String {
        super::story_id(self.number)
    }

    pub(super) fn is_of(&self, case: &suite::Case) -> bool {
        self.of.scenario == case.scenario.name() && self.of.system == case.system
    }
}

/// All stories.
pub(super) fn numbered(results: &Results) -> Vec<Numbered<'_>> {
    let all = results.explanations.iter().enumerate();
    all.map(|(number, of)| Numbered { number, of }).collect()
}

/// What the template is given.
#[derive(Debug, Serialize)]
pub(super) struct Story {
    id: String,
    title: String,
    failure: String,
    promise: Option<String>,
    shrunk: String,
    set: Vec<String>,
    lanes: String,
    /// The widest that the lanes may be drawn, in pixels.
    width: i64,
    /// The steps in a list, where lanes have no room.
    list: Vec<Line>,
    tasks: Vec<String>,
    decisions: Vec<Decision>,
    after: Vec<String>,
    replay: String,
}

#[derive(Debug, Serialize)]
struct Line {
    at: String,
    actor: String,
    text: String,
    number: Option<usize>,
    class: &'static str,
}

#[derive(Debug, Serialize)]
struct Decision {
    text: String,
    state: Option<String>,
}

/// The stories of a case.
pub(super) fn stories(results: &Results, case: &suite::Case) -> Vec<Story> {
    let stories = numbered(results);
    stories.iter().filter(|story| story.is_of(case)).map(|story| of(results, story)).collect()
}

fn of(results: &Results, story: &Numbered<'_>) -> Story {
    let Explained { seed, set, seed_file, explanation, runs, minimal, .. } = story.of;
    let [before, after_it] = sizes(story.of);
    let shown = explanation::shown(explanation);
    let actors = explanation.actors.len();
    let has_lanes = (1..=LANES).contains(&actors);
    let failure = &explanation.failure;
    let decisions = explanation.decisions.iter();
    let mut after = Vec::new();
    if explanation.decisions.is_empty() {
        after.push("It takes no decision: this is tokio's own order.".to_owned());
    }
    after.extend(explanation::without_last(explanation));
    after.extend(explanation.waiting.iter().map(|line| format!("In the end {line}.")));
    if explanation.disturbed {
        after.push(explanation::DISTURBED.to_owned());
    }
    if !minimal {
        after.push(NOT_MINIMAL.to_owned());
    }
    Story {
        id: story.id(),
        title: format!("How seed {seed} comes to fail"),
        failure: format!("{} {}: {}", failure.kind.text(), failure.name, failure.message),
        promise: explanation.promise.clone(),
        shrunk: format!("Shrunk from {before} to {after_it}, in {}.", plural(*runs, "run")),
        set: set.iter().map(|(path, value)| format!("{path} = {value}")).collect(),
        lanes: if has_lanes { drawn(explanation, &shown) } else { String::new() },
        // A little larger than the words around it, no more.
        width: lanes_width(actors) * 6 / 5,
        list: match has_lanes && actors <= NARROW {
            true => Vec::new(),
            false => shown.iter().map(|shown| line(explanation, shown)).collect(),
        },
        tasks: explanation.tasks.clone(),
        decisions: decisions
            .map(|told| Decision { text: told.text.clone(), state: explanation::state(told) })
            .collect(),
        after,
        replay: replay_line(&results.command, seed_file),
    }
}

fn drawn(of: &Explanation, shown: &[Shown<'_>]) -> String {
    let entry = |shown: &Shown<'_>| match shown {
        Shown::Step(step) => Entry {
            at_ns: step.at_ns,
            actor: step.actor,
            text: step.text.clone(),
            kind: kind(step),
        },
        Shown::LeftOut(events) => {
            Entry { at_ns: 0, actor: 0, text: left_out(*events), kind: Kind::LeftOut }
        }
    };
    let entries: Vec<Entry> = shown.iter().map(entry).collect();
    let name = format!("what each of {} did, from top to bottom", of.actors.join(", "));
    lanes(&Lanes { name: &name, actors: &of.actors, entries: &entries })
}

fn left_out(events: u64) -> String {
    format!("... {} ...", plural(events, "event"))
}

fn kind(step: &Step) -> Kind {
    let begins = |words: &[&str]| words.iter().any(|word| step.text.starts_with(word));
    match step.decision {
        Some(number) => Kind::Decision(number + 1),
        None if step.text == "VIOLATED" => Kind::Violated,
        None if begins(&["- "]) => Kind::Said,
        None if begins(&["accepted", "completed"]) => Kind::Good,
        None if begins(&["refused", "failed", "abandoned", "cancelled", "panicked", "fault"]) => {
            Kind::Near
        }
        None => Kind::Plain,
    }
}

fn line(of: &Explanation, shown: &Shown<'_>) -> Line {
    match shown {
        Shown::LeftOut(events) => Line {
            at: String::new(),
            actor: String::new(),
            text: left_out(*events),
            number: None,
            class: "quiet",
        },
        Shown::Step(step) => Line {
            at: seconds(step.at_ns),
            actor: of.actors[step.actor].clone(),
            text: step.text.clone(),
            number: step.decision.map(|number| number + 1),
            class: if step.text == "VIOLATED" { "violated" } else { "" },
        },
    }
}
