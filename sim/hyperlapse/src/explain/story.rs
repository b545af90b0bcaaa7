//! Decisions in sentences.

use super::place::{Located, Place};
use crate::decision::{Decision, DecisionKind};

/// What a decision does, in a word or two.
pub(super) fn in_short(decision: &Decision) -> String {
    let amount = decision.amount;
    match decision.kind {
        DecisionKind::Yield => "yields".to_owned(),
        DecisionKind::Postpone => "is postponed".to_owned(),
        DecisionKind::Delay => format!("comes {amount} ms late"),
        DecisionKind::Cancel => "is cancelled".to_owned(),
        DecisionKind::Timeout => format!("has {amount} ms"),
        DecisionKind::Select => "another order of select!".to_owned(),
        DecisionKind::Panic => "panics".to_owned(),
        DecisionKind::Stall => format!("stalls, {amount} times longer"),
        DecisionKind::Abandon => "walks away".to_owned(),
        DecisionKind::Slow => format!("takes {amount} ms more"),
        DecisionKind::Error => "gets an error".to_owned(),
        DecisionKind::Lose => "a packet is lost".to_owned(),
        DecisionKind::Cut => format!("the way is cut for {amount} ms"),
        DecisionKind::Crash => format!("crashes, down for {amount} ms"),
        DecisionKind::Full => "finds the disk full".to_owned(),
        DecisionKind::Lie => "a sync lies".to_owned(),
    }
}

/// A place in words: `in tokio::sync::mutex, called by pool::Pool::get (pool/src/lib.rs:12)`.
pub(super) fn at(place: &Place) -> String {
    let awaits = place.awaits.as_ref().map_or(String::new(), |m| format!("in {m}, called "));
    match &place.function {
        Some(function) if awaits.is_empty() => format!("in {function} ({})", place.line),
        Some(function) => format!("{awaits}by {function} ({})", place.line),
        None => format!("{awaits}at {}", place.line),
    }
}

/// A decision in a sentence or two.
pub(super) fn sentence(located: &Located) -> String {
    let decision = &located.decision;
    let who = who(located);
    let before = located.before.as_ref().map(at);
    let stood = before.clone().map_or(String::new(), |place| format!(" {place}"));
    let site = decision.task.rsplit_once('/').map_or("", |(_, site)| site);
    let of_disk = [".read", ".write", ".sync"].iter().any(|of| site.ends_with(of));
    let amount = decision.amount;
    match decision.kind {
        DecisionKind::Yield => {
            let after = located.after.as_ref().map(at).or(before);
            let place = after.map_or(String::new(), |place| format!(" {place}"));
            format!("{who} yields{place}, and everybody else who is ready goes first.")
        }
        DecisionKind::Postpone => {
            format!("{who} was woken{stood}, and everybody else who is ready goes first.")
        }
        DecisionKind::Delay => {
            format!("{who} was woken{stood}, and goes on only {amount} ms later.")
        }
        DecisionKind::Cancel => format!(
            "{who} was woken{stood}, and is dropped before it is polled again: its client has gone away."
        ),
        DecisionKind::Timeout => {
            format!("{who} is given {amount} ms, and dropped when they are over.")
        }
        DecisionKind::Select => "select! draws in another order.".to_owned(),
        DecisionKind::Panic => format!("{who} panics at {site}."),
        DecisionKind::Stall => format!("{who} takes {amount} times longer for {site}."),
        DecisionKind::Abandon => format!("{who} walks away at {site}."),
        DecisionKind::Slow if of_disk => format!("{site} takes {amount} ms longer for {who}."),
        DecisionKind::Error if of_disk => format!("{site} fails for {who}."),
        DecisionKind::Slow => format!("{who} takes {amount} ms longer to go on from {site}."),
        DecisionKind::Error => format!("What {who} depends on at {site} fails."),
        DecisionKind::Lose => {
            format!("A packet of {who} is lost on {site}, and has to be sent again.")
        }
        DecisionKind::Cut => {
            format!("With a packet of {who} under way, {site} is cut for {amount} ms.")
        }
        DecisionKind::Full => format!("{who} finds no room at {site}."),
        DecisionKind::Lie => {
            format!(
                "{who} is told that {site} is done, and it is not: a crash takes what it was to keep."
            )
        }
        DecisionKind::Crash if of_disk => format!(
            "The power goes off in the middle of {site}, asked for by {who}; the host starts again after {amount} ms."
        ),
        DecisionKind::Crash => format!(
            "The host {site} has just got something of {who}, and crashes; it starts again after {amount} ms."
        ),
    }
}

/// Who it happens to: `user 3`, `user 3's operation start`, `the task spawned at src/x.rs:7`.
fn who(located: &Located) -> String {
    let address = &*located.decision.task;
    let (task, operation) = address.split_once('/').unwrap_or((address, ""));
    let user = task.strip_prefix("user-").and_then(|rest| rest.split('@').next());
    match user.and_then(|id| id.parse::<u32>().ok()) {
        // Sites are named by the sentence itself.
        Some(id)
            if operation.is_empty() || DecisionKind::FAULTS.contains(&located.decision.kind) =>
        {
            format!("user {id}")
        }
        Some(id) => format!("user {id}'s `{operation}`"),
        None => match (&located.spawned, task) {
            (Some(place), _) => match host(task) {
                Some(host) => format!("a task of {host}, spawned at {place}"),
                None => format!("the task spawned at {place} ({task})"),
            },
            (None, "body") => "the scenario's body".to_owned(),
            (None, task) => format!("task {task}"),
        },
    }
}

/// The host whose task it is: `server` of `server.6.1`, of `server~2.3` after its second crash. `None` of a task that no host
/// runs: those of the scenario's body have its name, those that nobody watches begin with a place.
fn host(task: &str) -> Option<&str> {
    let root = task.split(['.', '~']).next()?;
    let is_name =
        root.starts_with(|c: char| c.is_ascii_alphabetic()) && !root.contains(['/', ':', '-']);
    (is_name && !["body", "root"].contains(&root) && task.len() > root.len()).then_some(root)
}
