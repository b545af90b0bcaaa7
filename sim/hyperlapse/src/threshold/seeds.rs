//! Judges what a threshold says of a whole sweep: the worst of its runs, their median, or how many hold it.
//!
//! The runs are added in any order. A run in which nothing was measured is worse than every other one; a run that
//! another threshold aborted says nothing and is left out.

use serde::{Deserialize, Serialize};

use super::judge::{Judgement, Standing};
use super::{Seeds, Threshold};
use crate::exact::{Comparison, Exact, Quantity};
use crate::record::{Outcome, Record};
use crate::unit::Unit;
use crate::units::{count, plural};

/// A threshold over the runs of a sweep.
#[derive(Debug, Clone)]
pub struct OverSeeds {
    threshold: Threshold,
    seeds: Seeds,
    runs: Vec<Run>,
    aborted: u64,
}

#[derive(Debug, Clone)]
struct Run {
    seed: u64,
    value: Option<Quantity>,
    bound: Option<Quantity>,
    measured: String,
}

/// A threshold with what a sweep measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepJudgement {
    /// The threshold as it was written.
    pub threshold: String,
    /// What was measured, in words.
    pub measured: String,
    /// Whether that is good enough.
    pub standing: Standing,
    /// What was measured, exactly; of a share of seeds that share. `None` where nothing was.
    pub value: Option<Quantity>,
    /// What it is held against.
    pub bound: Option<Quantity>,
    /// Runs in which the value by itself is good enough.
    pub held: u64,
    /// Runs that were judged.
    pub runs: u64,
    /// The run that decides: the worst one or the median; of a share the first that does not hold it.
    pub seed: Option<u64>,
}

impl Run {
    fn holds(&self, comparison: Comparison) -> bool {
        match (self.value, self.bound) {
            (Some(value), Some(bound)) => comparison.holds(value.exact(), bound.exact()),
            _ => false,
        }
    }
}

impl OverSeeds {
    /// Of a threshold that is judged over seeds; `None` of any other.
    pub fn of(threshold: &Threshold) -> Option<Self> {
        let seeds = threshold.seeds?;
        Some(Self { threshold: threshold.clone(), seeds, runs: Vec::new(), aborted: 0 })
    }

    /// Adds a run with its judgement of the threshold.
    pub fn add(&mut self, record: &Record, judgement: &Judgement) {
        if matches!(record.outcome, Outcome::Aborted { .. }) {
            self.aborted += 1;
            return;
        }
        self.runs.push(Run {
            seed: record.seed,
            value: judgement.value,
            bound: judgement.bound,
            measured: judgement.measured.clone(),
        });
    }

    /// The judgement of the runs that were added.
    pub fn judge(&self) -> SweepJudgement {
        let comparison = self.threshold.comparison;
        let mut runs: Vec<&Run> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.seed);
        let held = runs.iter().filter(|run| run.holds(comparison)).count() as u64;
        let all = runs.len() as u64;
        let mut judgement = SweepJudgement {
            threshold: self.threshold.text.clone(),
            measured: String::new(),
            standing: Standing::NotJudged,
            value: None,
            bound: None,
            held,
            runs: all,
            seed: None,
        };
        if runs.is_empty() {
            judgement.measured = "not judged: every run was aborted".to_owned();
            return judgement;
        }
        let standing = |holds| if holds { Standing::Held } else { Standing::Broken };
        if let Seeds::Share(bound) = self.seeds {
            let share = Exact::over(held.into(), all.into());
            judgement.standing = standing(share >= bound);
            judgement.value = Some(share.quantity(Unit::Share));
            judgement.bound = Some(bound.quantity(Unit::Share));
            let first = runs.iter().find(|run| !run.holds(comparison));
            judgement.seed = first.map(|run| run.seed);
            let so_many = format!("in {} of {}", count(held), plural(all, "seed"));
            judgement.measured = match first {
                None => so_many,
                Some(run) => format!("{so_many}; seed {}: {}", run.seed, run.measured),
            };
            return judgement;
        }
        // The best first; of equals in the order of their seeds.
        let value = |run: &Run| run.value.map(|value| value.exact());
        match comparison {
            Comparison::Less | Comparison::LessOrEqual => {
                runs.sort_by_key(|run| (value(run).is_none(), value(run)));
            }
            Comparison::Greater | Comparison::GreaterOrEqual => {
                runs.sort_by_key(|run| (value(run).is_none(), std::cmp::Reverse(value(run))));
            }
            Comparison::Equal | Comparison::NotEqual => {
                runs.sort_by_key(|run| (!run.holds(comparison), value(run).is_none()));
            }
        }
        let (run, which) = match self.seeds {
            Seeds::Median => (runs[(runs.len() - 1) / 2], "the median"),
            _ => {
                let worst = runs[runs.len() - 1];
                // The first of the seeds that are as bad.
                let same = |run: &&&Run| run.value == worst.value;
                (runs.iter().find(same).copied().unwrap_or(worst), "the worst")
            }
        };
        judgement.standing = match (run.value, run.bound) {
            (Some(value), Some(bound)) => {
                self.threshold.standing(value.exact(), bound.exact(), value.unit)
            }
            _ => Standing::Broken,
        };
        (judgement.value, judgement.bound) = (run.value, run.bound);
        judgement.seed = Some(run.seed);
        let words = &run.measured;
        judgement.measured = match all {
            1 => format!("{words} in seed {}", run.seed),
            _ => format!("{words} in seed {}, {which} of {}", run.seed, plural(all, "seed")),
        };
        judgement
    }
}
