//! Decisions: seeded choices that bend a run.
//!
//! tokio's scheduler is first-in first-out: without help a seed changes what users do, but never which
//! task goes first. The world therefore asks a [`Strategy`] at every poll of every task whether to bend
//! the run there. A decision is addressed by the task (by its place in the spawn tree) and that task's
//! n-th poll, never by a global count: taking one decision out leaves the meaning of the others, so a
//! list of them can be replayed, and cut down.
//!
//! | strategy | what it decides |
//! | --- | --- |
//! | [`StrategyChoice::None`] | nothing |
//! | [`StrategyChoice::Random`] | each kind of decision at a rate that the seed draws |
//! | [`StrategyChoice::Replay`] | a given list, and nothing else |
//!
//! Adding a strategy is a file with an implementation of [`Strategy`] and a line in [`StrategyChoice`].

mod random_walk;
mod replay;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::random::Streams;

/// A sort of decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecisionKind {
    /// The task's cooperative budget is spent: it yields at its next await of a tokio resource, ready
    /// or not, and goes behind every other task that is ready.
    Yield,
    /// The poll does not take place: the task goes behind every other task that is ready. For tasks that
    /// the world spawns.
    Postpone,
    /// The user's iteration is dropped instead of being polled, as by a timeout or a client that went
    /// away.
    Cancel,
}

impl DecisionKind {
    /// Every kind, in a fixed order.
    pub const ALL: [DecisionKind; 3] =
        [DecisionKind::Yield, DecisionKind::Postpone, DecisionKind::Cancel];

    /// The word for it in files and reports.
    pub const fn text(self) -> &'static str {
        match self {
            DecisionKind::Yield => "yield",
            DecisionKind::Postpone => "postpone",
            DecisionKind::Cancel => "cancel",
        }
    }
}

/// A place in the spawn tree: `body`, `user-3`, `user-3.0` (its first child), `user-3@2` (its iteration 2).
pub type Address = Arc<str>;

/// One choice that was taken, or is to be taken again. As text: `yield user-3 17+1`, `cancel user-3@0 2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decision {
    /// What is done.
    pub kind: DecisionKind,
    /// To which task or iteration.
    pub task: Address,
    /// At which of its polls, from 0.
    pub nth: u64,
    /// Of a yield: how many awaits of a tokio resource still pass in that poll before it yields. The first
    /// is usually the one that woke the task.
    pub after: u8,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind.text(), self.task, self.nth)?;
        if self.after > 0 { write!(f, "+{}", self.after) } else { Ok(()) }
    }
}

impl From<Decision> for String {
    fn from(decision: Decision) -> Self {
        decision.to_string()
    }
}

impl TryFrom<String> for Decision {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Decision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed =
            || format!("`{text}` is not a decision: expected one such as \"yield user-3 17+1\"");
        let mut words = text.split(' ');
        let (kind, task, nth) = (words.next(), words.next(), words.next());
        let (Some(kind), Some(task), Some(nth), None) = (kind, task, nth, words.next()) else {
            return Err(malformed());
        };
        let kind = DecisionKind::ALL.into_iter().find(|known| known.text() == kind);
        let (nth, after) = nth.split_once('+').unwrap_or((nth, "0"));
        match (kind, nth.parse(), after.parse()) {
            (Some(kind), Ok(nth), Ok(after)) if !task.is_empty() => {
                Ok(Self { kind, task: task.into(), nth, after })
            }
            _ => Err(malformed()),
        }
    }
}

/// A place at which a run can be bent.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// In what way.
    pub kind: DecisionKind,
    /// Which task or iteration is about to be polled.
    pub task: &'a Address,
    /// For which time, from 0.
    pub nth: u64,
}

/// Says at each point whether to bend the run there.
///
/// The narrow seam that all of it goes through: what asks does not know who answers, and what answers
/// knows nothing of tokio. Points come in the order of the run; an answer may depend on them and on the
/// strategy's own stream alone.
pub trait Strategy: Send {
    /// Whether to take this decision, and for a yield after how many awaits ([`Decision::after`]).
    fn decide(&mut self, point: &Point<'_>) -> Option<u8>;
}

/// Which strategy a run follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StrategyChoice {
    /// No decisions: tokio's own order.
    #[default]
    None,
    /// A random walk: each seed switches kinds of decisions on or off and draws a rate for each, from rare
    /// to heavy.
    Random,
    /// These decisions and no others.
    Replay(Vec<Decision>),
}

impl StrategyChoice {
    /// What can be named in a scenario file and on the command line.
    pub const NAMES: [&'static str; 2] = ["none", "random"];

    /// The choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "none" => Some(Self::None),
            "random" => Some(Self::Random),
            _ => None,
        }
    }

    /// Its name in seed files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Random => "random",
            Self::Replay(_) => "replay",
        }
    }

    /// The strategy of a run; `None` when nothing is to be asked. Only kinds that the scenario allows
    /// are taken by chance; what is replayed was allowed when it was recorded.
    pub(crate) fn make(
        &self,
        streams: &Streams,
        allowed: &[DecisionKind],
    ) -> Option<Box<dyn Strategy>> {
        match self {
            Self::None => None,
            Self::Random => Some(Box::new(random_walk::RandomWalk::new(streams, allowed))),
            Self::Replay(decisions) => Some(Box::new(replay::Replay::new(decisions))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read_as_they_are_written() {
        for text in
            ["yield body 0", "postpone user-3.0.1 17", "cancel user-3@2 5", "yield user-0 3+2"]
        {
            assert_eq!(text.parse::<Decision>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "yield",
            "yield body",
            "jump body 0",
            "yield body x",
            "yield body 0 0",
            "yield body 1+x",
        ] {
            assert!(text.parse::<Decision>().is_err(), "{text}");
        }
    }
}
