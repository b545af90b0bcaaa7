//! Many files in order: how each metric went, and at which file it took a step.
//!
//! A step is what a comparison of a file with the one before it would tell: more than the spread between seeds, and
//! more than the tolerance of the metric, or than one in a hundred where it has none. The newest file is judged
//! against the one before it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::case::{CaseComparison, Standing, values};
use super::measured::{self, Direction};
use super::runs::{Case, Runs};
use super::spread::Spread;
use super::{Comparison, Tolerances};
use crate::input::InputError;
use crate::unit::Unit;

/// Many results in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// What each is called, the oldest first.
    pub files: Vec<String>,
    /// Each case that any of them has.
    pub cases: Vec<CaseHistory>,
    /// The newest against the one before it.
    pub latest: Comparison,
}

/// One case over all files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseHistory {
    /// What ran.
    pub case: Case,
    /// How many seeds failed in each file, and of how many; `None` where it did not run.
    pub failed: Vec<Option<(u64, u64)>>,
    /// Every metric, in the order of a report.
    pub metrics: Vec<Trend>,
}

/// One metric over all files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trend {
    /// Its name.
    pub name: String,
    /// What it is measured in.
    pub unit: Unit,
    /// Whether more is worse.
    pub direction: Direction,
    /// Its values in each file; `None` where it was not measured.
    pub points: Vec<Option<Spread>>,
    /// Where it took a step.
    pub steps: Vec<Step>,
}

/// A change from one file to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The file that brought it, by its place in [`History::files`].
    pub file: usize,
    /// By how much.
    pub change: i64,
    /// What it was before, in the middle.
    pub from: i64,
    /// What it comes to.
    pub standing: Standing,
}

impl Trend {
    /// The medians, where there are any.
    pub fn medians(&self) -> impl Iterator<Item = i64> {
        self.points.iter().flatten().map(|spread| spread.median)
    }
}

impl CaseHistory {
    /// Whether a metric was ever another than at first, or not measured in a file in which the case ran.
    pub fn moved(&self, trend: &Trend) -> bool {
        let mut points = trend.points.iter().zip(&self.failed).filter(|(_, ran)| ran.is_some());
        let first = points.next().map(|(point, _)| point);
        points.any(|(point, _)| Some(point) != first)
    }
}

impl History {
    /// Puts results side by side, the oldest first.
    ///
    /// # Errors
    /// When there are fewer than two, the last two have no scenario in common, or a tolerance names what nobody
    /// measured.
    pub fn of(files: &[Runs], tolerances: &Tolerances) -> Result<Self, InputError> {
        let [.., before, newest] = files else {
            return Err(InputError::new("a history is made of two results or more"));
        };
        tolerances.check(&files.iter().collect::<Vec<_>>())?;
        let latest = Comparison::of(before, newest, tolerances)?;
        let by_file: Vec<_> = files.iter().map(Runs::cases).collect();
        let all: BTreeSet<&Case> = by_file.iter().flat_map(|cases| cases.keys()).collect();
        let cases = all.into_iter().map(|case| {
            let runs: Vec<_> = by_file.iter().map(|cases| cases.get(case)).collect();
            let mut names: Vec<&str> = runs
                .iter()
                .flatten()
                .flat_map(|runs| runs.values())
                .flat_map(|run| run.measured.keys().map(String::as_str))
                .collect();
            names.sort_unstable();
            names.dedup();
            names.sort_by(|a, b| measured::order(a).cmp(&measured::order(b)));
            let mut metrics: Vec<Trend> = names
                .into_iter()
                .filter_map(|name| {
                    let unit = runs
                        .iter()
                        .flatten()
                        .flat_map(|runs| runs.values())
                        .find_map(|run| run.measured.get(name))?
                        .unit();
                    let point = |values: Vec<(u64, i64)>| {
                        Spread::of(&values.iter().map(|(_, value)| *value).collect::<Vec<_>>())
                    };
                    let points = runs
                        .iter()
                        .map(|runs| runs.and_then(|runs| point(values(runs, name, true))));
                    Some(Trend {
                        name: name.to_owned(),
                        unit,
                        direction: measured::direction(name),
                        points: points.collect(),
                        steps: Vec::new(),
                    })
                })
                .collect();
            let mut earlier = None;
            for (file, runs) in runs.iter().enumerate() {
                let Some(runs) = runs else { continue };
                if let Some(before) = earlier.replace(*runs) {
                    let compared = CaseComparison::of((case, before), (case, runs), tolerances);
                    steps(&mut metrics, file, &compared, tolerances);
                }
            }
            let failed = runs.iter().map(|runs| {
                let runs = (*runs)?;
                let failed = runs.values().filter(|run| run.verdict == super::Word::Fail).count();
                Some((failed as u64, runs.len() as u64))
            });
            CaseHistory { case: case.clone(), failed: failed.collect(), metrics }
        });
        let cases = cases.collect();
        let files = files.iter().map(|file| file.name.clone()).collect();
        Ok(Self { files, cases, latest })
    }

    /// Whether the newest got worse than it may.
    pub fn regressed(&self) -> bool {
        self.latest.regressed()
    }
}

fn steps(metrics: &mut [Trend], file: usize, compared: &CaseComparison, tolerances: &Tolerances) {
    for change in &compared.metrics {
        if matches!(change.standing, Standing::Same | Standing::WithinSpread) {
            continue;
        }
        let from = change.base.median;
        let tolerance = tolerances.of(&compared.new.scenario, &change.name, change.unit);
        let least = match tolerance {
            Some((allowance, _)) => allowance.of(change.unit, from),
            None => Some(i128::from(from).abs() / 100),
        };
        let Some(least) = least else { continue };
        if i128::from(change.change).abs() > least {
            let trend = metrics.iter_mut().find(|trend| trend.name == change.name);
            let step = Step { file, change: change.change, from, standing: change.standing };
            trend.expect("what was compared was measured").steps.push(step);
        }
    }
}
