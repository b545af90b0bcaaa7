//! Decisions: seeded choices that bend a run.
//!
//! tokio's scheduler is first-in first-out: without help a seed changes what users do, but never which
//! task goes first. The world therefore asks a [`Strategy`] at every poll of every task whether to bend
//! the run there, and at every site where the scenario's faults may strike. A decision is addressed by the
//! task (by its place in the spawn tree) and that task's n-th poll or n-th visit of the site, never by a
//! global count: taking one decision out leaves the meaning of the others, so a list of them can be
//! replayed, and cut down.
//!
//! | strategy | name | what it decides |
//! | --- | --- | --- |
//! | [`StrategyChoice::None`] | `none` | nothing |
//! | [`StrategyChoice::Random`] | `random` | each kind of decision at a rate that the seed draws |
//! | [`StrategyChoice::Pct`] | `pct` | priorities of tasks, with a few points at which they change |
//! | [`StrategyChoice::Starve`] | `starve` | one task after the other is kept slow for a stretch |
//! | [`StrategyChoice::Mixed`] | `mixed` | each seed draws one of the three above |
//! | [`StrategyChoice::CancelEach`] | `cancel-each` | cancels at every poll of every operation, one run for each |
//! | [`StrategyChoice::Replay`] | | a given list, and nothing else |
//!
//! The scenario's faults strike under every strategy but a replay, which has them in its list. Adding a
//! strategy is a file with an implementation of [`Strategy`] and a line in [`StrategyChoice`].

pub(crate) mod decorate;
pub(crate) mod fault;
mod pct;
mod random_walk;
mod replay;
mod starve;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::random::{RandomExt, Streams};
pub use fault::Fault;

/// A sort of decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecisionKind {
    /// The task's cooperative budget is spent: it yields at one of its next awaits of a tokio resource, ready
    /// or not, and goes behind every other task that is ready. The amount is how many awaits still pass.
    Yield,
    /// The poll does not take place: the task goes behind every other task that is ready. For tasks that
    /// the world spawns.
    Postpone,
    /// The poll takes place later: the amount is how many milliseconds of virtual time. For tasks that the
    /// world spawns.
    Delay,
    /// The operation is dropped instead of being polled, as by a client that went away: in the window
    /// between what woke it and its poll.
    Cancel,
    /// The operation is given so many milliseconds (the amount), and dropped when it takes longer: a timeout
    /// that races completion.
    Timeout,
    /// What `tokio::select!` and the like draw is drawn from another seed (the amount).
    Select,
    /// A fault: the user's task panics.
    Panic,
    /// A fault: a step takes so many times longer (the amount).
    Stall,
    /// A fault: the user walks away in the middle of an iteration.
    Abandon,
    /// A fault: the user takes so many milliseconds (the amount) before it goes on.
    Slow,
    /// A fault: what the step depends on fails.
    Error,
    /// A fault of the network: a packet is lost and has to be sent again.
    Lose,
    /// A fault of the network: the way is cut for so many milliseconds (the amount).
    Cut,
    /// A fault of a host: it crashes, and starts again after so many milliseconds (the amount).
    Crash,
    /// A fault of a disk: there is no room for what is written.
    Full,
    /// A fault of a disk: a sync says that it is done, and is not.
    Lie,
}

impl DecisionKind {
    /// Every kind, in a fixed order.
    pub const ALL: [DecisionKind; 16] = [
        DecisionKind::Yield,
        DecisionKind::Postpone,
        DecisionKind::Delay,
        DecisionKind::Cancel,
        DecisionKind::Timeout,
        DecisionKind::Select,
        DecisionKind::Panic,
        DecisionKind::Stall,
        DecisionKind::Abandon,
        DecisionKind::Slow,
        DecisionKind::Error,
        DecisionKind::Lose,
        DecisionKind::Cut,
        DecisionKind::Crash,
        DecisionKind::Full,
        DecisionKind::Lie,
    ];

    /// The kinds that strategies take by chance: a scenario says which of them its users can bear.
    pub const BENDS: &'static [DecisionKind] = Self::ALL.split_at(6).0;

    /// The kinds that a scenario asks for as its faults.
    pub const FAULTS: &'static [DecisionKind] = Self::ALL.split_at(6).1;

    /// The faults that may strike at a step of a user or of the system.
    pub(crate) const OF_A_STEP: &'static [DecisionKind] = Self::FAULTS.split_at(5).0;

    /// The word for it in files and reports.
    pub const fn text(self) -> &'static str {
        match self {
            DecisionKind::Yield => "yield",
            DecisionKind::Postpone => "postpone",
            DecisionKind::Delay => "delay",
            DecisionKind::Cancel => "cancel",
            DecisionKind::Timeout => "timeout",
            DecisionKind::Select => "select",
            DecisionKind::Panic => "panic",
            DecisionKind::Stall => "stall",
            DecisionKind::Abandon => "abandon",
            DecisionKind::Slow => "slow",
            DecisionKind::Error => "error",
            DecisionKind::Lose => "lose",
            DecisionKind::Cut => "cut",
            DecisionKind::Crash => "crash",
            DecisionKind::Full => "full",
            DecisionKind::Lie => "lie",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// How many decisions a record keeps: more than any failure needs, less than a long run takes.
pub(crate) const MAX_DECISIONS: usize = 20_000;

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// All kinds of faults.
    pub(crate) const FAULTS: Self = {
        let (mut bits, mut at) = (0, 0);
        while at < DecisionKind::FAULTS.len() {
            bits |= DecisionKind::FAULTS[at].bit();
            at += 1;
        }
        Self(bits)
    };

    /// None of them.
    pub(crate) const NONE: Self = Self(0);

    /// Whether any of these is in it.
    pub(crate) const fn has_any(self, of: Kinds) -> bool {
        self.0 & of.0 != 0
    }

    /// Whether this kind is in it.
    pub const fn has(self, kind: DecisionKind) -> bool {
        self.0 & kind.bit() != 0
    }

    /// Both sets in one.
    pub const fn and(self, other: Kinds) -> Self {
        Self(self.0 | other.0)
    }
}

impl<'a> FromIterator<&'a DecisionKind> for Kinds {
    fn from_iter<I: IntoIterator<Item = &'a DecisionKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |bits, kind| bits | kind.bit()))
    }
}

/// A place in the spawn tree: `body`, `user-3`, `user-3.0` (its first child), `user-3@2` (its iteration 2),
/// `user-3@2/turn` (a site or an operation in that).
pub type Address = Arc<str>;

/// One choice that was taken, or is to be taken again. As text: `yield user-3 17+1`, `cancel user-3@0 2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decision {
    /// What is done.
    pub kind: DecisionKind,
    /// To which task or iteration.
    pub task: Address,
    /// At which of its polls or visits, from 0.
    pub nth: u64,
    /// How much, as its kind says. Of a yield, how many awaits of a tokio resource still pass in that poll: the
    /// first is usually the one that woke the task.
    pub amount: u32,
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.kind.text(), self.task, self.nth)?;
        if self.amount > 0 { write!(f, "+{}", self.amount) } else { Ok(()) }
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
        let (nth, amount) = nth.split_once('+').unwrap_or((nth, "0"));
        match (kind, nth.parse(), amount.parse()) {
            (Some(kind), Ok(nth), Ok(amount)) if !task.is_empty() => {
                Ok(Self { kind, task: task.into(), nth, amount })
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
    /// Which task or operation is about to be polled, or which site was come to.
    pub task: &'a Address,
    /// For which time, from 0.
    pub nth: u64,
    /// Virtual time since the run began, in nanoseconds: known at the sites of faults, 0 elsewhere.
    pub at_ns: u64,
    /// Of a site: the kind of the user who came to it.
    pub user_kind: Option<&'a str>,
    /// Other tasks of the world that have been woken and not been polled since; only for a strategy that
    /// [wants to know](Strategy::wants_ready).
    pub ready: &'a BTreeSet<Address>,
}

impl Point<'_> {
    /// Whether another task of the world could go first.
    fn others_are_ready(&self) -> bool {
        self.ready.iter().any(|task| task != self.task)
    }
}

/// Says at each point whether to bend the run there.
///
/// The narrow seam that all of it goes through: what asks does not know who answers, and what answers
/// knows nothing of tokio. Points come in the order of the run; an answer may depend on them and on the
/// strategy's own streams alone.
pub trait Strategy: Send {
    /// Whether to take this decision, and how much of it ([`Decision::amount`]).
    fn decide(&mut self, point: &Point<'_>) -> Option<u32>;

    /// The kinds that it may decide: it is not asked for others, and what is never asked costs nothing.
    fn kinds(&self) -> Kinds;

    /// Whether it looks at [`Point::ready`], which costs an allocation for each task.
    fn wants_ready(&self) -> bool {
        false
    }

    /// Whether this user or iteration is left out of the run.
    fn skips(&self, _task: &str) -> bool {
        false
    }
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
    /// Priorities of tasks, with a few points at which they change.
    Pct,
    /// One task after the other is kept slow for a stretch.
    Starve,
    /// Each seed draws one of the three above.
    Mixed,
    /// Cancels at every poll of every operation in turn, one run for each; see
    /// [`Suite::cancel_each`](crate::Suite::cancel_each).
    CancelEach,
    /// A given list, and no others.
    Replay(Schedule),
}

/// What a replay takes: the decisions of a run that was, or fewer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The decisions to take.
    pub decisions: Vec<Decision>,
    /// The users (`user-3`) and iterations (`user-3@2`) that take part; all where it is `None`.
    pub only: Option<BTreeSet<String>>,
}

impl StrategyChoice {
    /// What can be named in a scenario file and on the command line.
    pub const NAMES: [&'static str; 6] =
        ["none", "random", "pct", "starve", "mixed", "cancel-each"];

    /// The choice of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "none" => Self::None,
            "random" => Self::Random,
            "pct" => Self::Pct,
            "starve" => Self::Starve,
            "mixed" => Self::Mixed,
            "cancel-each" => Self::CancelEach,
            _ => return None,
        })
    }

    /// These decisions and no others.
    pub fn replay(decisions: impl Into<Vec<Decision>>) -> Self {
        Self::Replay(Schedule { decisions: decisions.into(), only: None })
    }

    /// Its name in seed files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Random => "random",
            Self::Pct => "pct",
            Self::Starve => "starve",
            Self::Mixed => "mixed",
            Self::CancelEach => "cancel-each",
            Self::Replay(_) => "replay",
        }
    }

    /// The strategy of a run; `None` when nothing is to be asked. Only kinds that the scenario allows
    /// are taken by chance; what is replayed was allowed when it was recorded.
    pub(crate) fn make(
        &self,
        streams: &Streams,
        allowed: &[DecisionKind],
        faults: &[Fault],
    ) -> Option<Box<dyn Strategy>> {
        let bends: Option<Box<dyn Strategy>> = match self {
            Self::None => None,
            Self::CancelEach => Some(Box::new(decorate::Survey)),
            Self::Random => Some(Box::new(random_walk::RandomWalk::new(streams, allowed))),
            Self::Pct => Some(Box::new(pct::Pct::new(streams, allowed))),
            Self::Starve => Some(Box::new(starve::Starve::new(streams, allowed))),
            Self::Mixed => {
                let drawn = [Self::Random, Self::Random, Self::Pct, Self::Starve];
                let index = streams.stream("decisions/mixed").below(drawn.len() as u64);
                return drawn[index as usize].make(streams, allowed, faults);
            }
            Self::Replay(schedule) => {
                return Some(decorate::checked(Box::new(replay::Replay::new(schedule))));
            }
        };
        let swarm = !matches!(self, Self::None | Self::CancelEach);
        let faults = fault::Faults::new(streams, faults, swarm);
        let both: Option<Box<dyn Strategy>> = match (bends, faults) {
            (bends, None) => bends,
            (None, Some(faults)) => Some(Box::new(faults)),
            (Some(bends), Some(faults)) => Some(Box::new(decorate::Both(bends, faults))),
        };
        both.map(decorate::checked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_read_as_they_are_written() {
        for text in [
            "yield body 0",
            "postpone user-3.0.1 17",
            "timeout user-3@2 5+20",
            "panic user-0@0/turn 3",
        ] {
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
