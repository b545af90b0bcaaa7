//! One scenario on both sides.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::measured::{self, Direction};
use super::runs::{Case, ComparedRun};
use super::spread::{Evidence, Spread, median};
use super::tolerance::Tolerances;
use crate::unit::Unit;
use crate::verdict::FailureKind;

/// One of the two that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first.
    Base,
    /// The second.
    New,
}

/// The seeds of one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seeds {
    /// How many.
    pub count: u64,
    /// The least of them.
    pub first: u64,
    /// How many of them failed.
    pub failed: u64,
}

/// One scenario on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseComparison {
    /// What ran on the first side.
    pub base: Case,
    /// What ran on the second: the same, or the same scenario against another system or with something else set.
    pub new: Case,
    /// The seeds of the first side.
    pub base_seeds: Seeds,
    /// The seeds of the second side.
    pub new_seeds: Seeds,
    /// How many seeds are compared with themselves; `None` where all are compared with all.
    pub pairs: Option<u64>,
    /// How many of the pairs have the same fingerprint: the same run.
    pub same_runs: u64,
    /// What fails on either side, news first.
    pub failures: Vec<FailureChange>,
    /// What was measured on both sides, in the order of a report.
    pub metrics: Vec<MetricChange>,
    /// What was measured on one side only.
    pub one_sided: Vec<OneSided>,
}

/// A promise that does not hold on one side or both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureChange {
    /// What sort of promise.
    pub kind: FailureKind,
    /// Which one.
    pub name: String,
    /// In how many of the compared seeds it fails on the first side.
    pub base: u64,
    /// In how many it fails on the second.
    pub new: u64,
    /// The first seed in which it fails, of the second side if it fails there.
    pub first_seed: u64,
    /// What was seen there.
    pub message: String,
    /// Whether it fails in more seeds than before, or in a greater share where they are others.
    pub worse: bool,
    /// Whether it fails in fewer.
    pub better: bool,
}

/// A metric on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricChange {
    /// Its name, as a threshold has it.
    pub name: String,
    /// What it is measured in.
    pub unit: Unit,
    /// Whether more is worse.
    pub direction: Direction,
    /// The values of the first side.
    pub base: Spread,
    /// The values of the second side.
    pub new: Spread,
    /// By how much it moved: the median of the differences of the same seeds, or their mean where the median seed
    /// did not move and others did; the difference of the medians where the seeds are others.
    pub change: i64,
    /// What the seeds say of it.
    pub evidence: Evidence,
    /// What it may become worse, as it was written; `None` where nothing is said of it.
    pub tolerance: Option<String>,
    /// What it comes to.
    pub standing: Standing,
    /// The values of each side, by seed.
    #[serde(skip)]
    pub(crate) seeds: [Vec<(u64, i64)>; 2],
}

/// What a change comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Worse by more than its tolerance, and by more than the spread between seeds.
    Regression,
    /// Worse by more than the spread between seeds.
    Worse,
    /// Better by more than the spread between seeds.
    Better,
    /// Moved by more than the spread between seeds, and neither side is better.
    Moved,
    /// Moved by no more than the spread between seeds.
    WithinSpread,
    /// As it was, in every seed.
    Same,
}

/// A metric that only one side has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneSided {
    /// Its name.
    pub name: String,
    /// What it is measured in.
    pub unit: Unit,
    /// Which side has it.
    pub side: Side,
    /// Its values there.
    pub values: Spread,
    /// Whether it has a tolerance and is not measured any more: silence is not success.
    pub missed: bool,
}

pub(super) type BySeed<'a> = BTreeMap<u64, &'a ComparedRun>;

/// The values of a metric, by seed; where nobody tells of it, what that means.
pub(super) fn values(runs: &BySeed<'_>, name: &str, known: bool) -> Vec<(u64, i64)> {
    let absent = if known { measured::where_absent(name) } else { None };
    let value = |run: &ComparedRun| run.measured.get(name).map(|q| q.value()).or(absent);
    runs.iter().filter_map(|(seed, run)| Some((*seed, value(run)?))).collect()
}

impl CaseComparison {
    pub(super) fn of(
        (base, base_runs): (&Case, &BySeed<'_>),
        (new, new_runs): (&Case, &BySeed<'_>),
        tolerances: &Tolerances,
    ) -> Self {
        let common = base_runs.keys().filter(|seed| new_runs.contains_key(seed)).count();
        // One side has all seeds of the other: what more it has is left aside.
        let paired = common == base_runs.len().min(new_runs.len());
        let (left, right) = match paired {
            true => (both(base_runs, new_runs), both(new_runs, base_runs)),
            false => (base_runs.clone(), new_runs.clone()),
        };
        let same = |(seed, run): &(&u64, &&ComparedRun)| {
            paired && right.get(seed).is_some_and(|new| new.fingerprint == run.fingerprint)
        };
        let same_runs = left.iter().filter(same).count() as u64;
        let mut this = Self {
            base: base.clone(),
            new: new.clone(),
            base_seeds: seeds(base_runs),
            new_seeds: seeds(new_runs),
            pairs: paired.then_some(common as u64),
            same_runs,
            failures: failures(&left, &right),
            metrics: Vec::new(),
            one_sided: Vec::new(),
        };
        this.measure(&left, &right, tolerances);
        this
    }

    fn measure(&mut self, left: &BySeed<'_>, right: &BySeed<'_>, tolerances: &Tolerances) {
        let runs = left.values().chain(right.values());
        let names: BTreeSet<&String> = runs.flat_map(|run| run.measured.keys()).collect();
        let mut names: Vec<&str> = names.into_iter().map(String::as_str).collect();
        names.sort_by(|a, b| measured::order(a).cmp(&measured::order(b)));
        for name in names {
            let unit_in = |runs: &BySeed<'_>| {
                runs.values().find_map(|run| run.measured.get(name)).map(|q| q.unit())
            };
            let (base_unit, new_unit) = (unit_in(left), unit_in(right));
            let unit = new_unit.or(base_unit).expect("a name is one that some run has");
            // A number whose unit has changed is another number.
            let comparable = base_unit.is_none() || base_unit == Some(unit);
            let (base, new) = (values(left, name, comparable), values(right, name, comparable));
            let only = |values: &[(u64, i64)]| values.iter().map(|(_, v)| *v).collect::<Vec<_>>();
            let spreads = (Spread::of(&only(&base)), Spread::of(&only(&new)));
            let tolerance = tolerances.of(&self.new.scenario, name, unit);
            match spreads {
                (Some(of_base), Some(of_new)) if comparable => {
                    let paired = self.pairs.is_some();
                    let change =
                        change(name, unit, paired, &base, &new, (of_base, of_new), tolerance);
                    self.metrics.extend(change);
                }
                (of_base, of_new) => {
                    // A baseline has none of these: that says nothing.
                    if measured::is_informational(name) {
                        continue;
                    }
                    let sides = [(Side::Base, of_base, base_unit), (Side::New, of_new, new_unit)];
                    for (side, values, unit) in sides {
                        let (Some(values), Some(unit)) = (values, unit) else { continue };
                        let missed = side == Side::Base && tolerance.is_some();
                        let name = name.to_owned();
                        self.one_sided.push(OneSided { name, unit, side, values, missed });
                    }
                }
            }
        }
    }

    /// Whether anything got worse than it may.
    pub fn regressed(&self) -> bool {
        self.regressions() > 0
    }

    /// How many things got worse than they may.
    pub fn regressions(&self) -> u64 {
        let failures = self.failures.iter().filter(|failure| failure.worse).count();
        let metrics =
            self.metrics.iter().filter(|metric| metric.standing == Standing::Regression).count();
        let missed = self.one_sided.iter().filter(|metric| metric.missed).count();
        (failures + metrics + missed) as u64
    }

    /// Whether every seed came to the same events and the same numbers, but for builds and machines.
    pub fn is_same(&self) -> bool {
        let moved = |metric: &MetricChange| {
            metric.standing != Standing::Same && !measured::is_informational(&metric.name)
        };
        self.pairs == Some(self.same_runs)
            && self.one_sided.is_empty()
            && !self.failures.iter().any(|failure| failure.worse || failure.better)
            && !self.metrics.iter().any(moved)
    }
}

/// The runs whose seeds are on the other side too.
fn both<'a>(runs: &BySeed<'a>, other: &BySeed<'_>) -> BySeed<'a> {
    runs.iter().filter(|(seed, _)| other.contains_key(seed)).map(|(s, run)| (*s, *run)).collect()
}

fn seeds(runs: &BySeed<'_>) -> Seeds {
    let failed = runs.values().filter(|run| run.verdict == super::Word::Fail).count();
    Seeds {
        count: runs.len() as u64,
        first: runs.keys().next().copied().unwrap_or(0),
        failed: failed as u64,
    }
}

/// How often something failed, and where first.
#[derive(Default)]
struct Failed {
    seeds: [u64; 2],
    first: Option<(u64, String)>,
}

fn failures(left: &BySeed<'_>, right: &BySeed<'_>) -> Vec<FailureChange> {
    let mut failed: BTreeMap<(FailureKind, &str), Failed> = BTreeMap::new();
    // The second side first: it is what is told of.
    for (side, runs) in [(1, right), (0, left)] {
        for (seed, run) in runs {
            let mut told = BTreeSet::new();
            for failure in &run.failures {
                let entry = failed.entry((failure.kind, &failure.name)).or_default();
                entry.seeds[side] += u64::from(told.insert((failure.kind, &failure.name)));
                entry.first.get_or_insert_with(|| (*seed, failure.message.clone()));
            }
        }
    }
    let (base_runs, new_runs) = (left.len() as u128, right.len() as u128);
    let mut changes: Vec<FailureChange> = failed
        .into_iter()
        .map(|((kind, name), Failed { seeds: [base, new], first })| {
            let (first_seed, message) = first.unwrap_or_default();
            // As shares, without dividing.
            let (before, now) = (u128::from(base) * new_runs, u128::from(new) * base_runs);
            FailureChange {
                kind,
                name: name.to_owned(),
                base,
                new,
                first_seed,
                message,
                worse: now > before,
                better: now < before,
            }
        })
        .collect();
    changes.sort_by_key(|change| (!change.worse, !change.better));
    changes
}

fn change(
    name: &str,
    unit: Unit,
    paired: bool,
    base: &[(u64, i64)],
    new: &[(u64, i64)],
    (of_base, of_new): (Spread, Spread),
    tolerance: Option<(&super::tolerance::Allowance, bool)>,
) -> Option<MetricChange> {
    let (evidence, change) = if paired {
        let there: BTreeMap<u64, i64> = new.iter().copied().collect();
        let differences = base.iter().filter_map(|(seed, value)| Some(there.get(seed)? - value));
        let mut differences: Vec<i64> = differences.collect();
        differences.sort_unstable();
        if differences.is_empty() {
            return None;
        }
        let evidence = Evidence::of_pairs(&differences);
        let middle = median(&differences);
        let change =
            if middle == 0 && evidence.beyond_spread() { mean(&differences) } else { middle };
        (evidence, change)
    } else {
        let only = |values: &[(u64, i64)]| values.iter().map(|(_, v)| *v).collect::<Vec<_>>();
        (Evidence::of_ranks(&only(base), &only(new)), of_new.median - of_base.median)
    };
    let direction = measured::direction(name);
    let worse_by = match direction {
        Direction::MoreIsWorse => i128::from(change),
        Direction::MoreIsBetter => -i128::from(change),
        Direction::Neither => i128::from(change).abs(),
    };
    let allowed = tolerance.and_then(|(allowance, _)| allowance.of(unit, of_base.median));
    let same = match evidence {
        Evidence::Pairs { up, down, .. } => up + down == 0,
        Evidence::Ranks { .. } => of_base == of_new,
    };
    let standing = match direction {
        _ if same => Standing::Same,
        _ if !evidence.beyond_spread() => Standing::WithinSpread,
        _ if allowed.is_some_and(|allowed| worse_by > allowed) => Standing::Regression,
        Direction::Neither => Standing::Moved,
        _ if worse_by > 0 => Standing::Worse,
        _ if worse_by < 0 => Standing::Better,
        _ => Standing::Moved,
    };
    Some(MetricChange {
        name: name.to_owned(),
        unit,
        direction,
        base: of_base,
        new: of_new,
        change,
        evidence,
        tolerance: tolerance.map(|(allowance, _)| allowance.text.clone()),
        standing,
        seeds: [base.to_vec(), new.to_vec()],
    })
}

/// The arithmetic mean, away from zero: what moved in some seeds is not told as nothing.
fn mean(values: &[i64]) -> i64 {
    let sum: i128 = values.iter().map(|value| i128::from(*value)).sum();
    let n = values.len() as i128;
    let away = (sum.abs() + n - 1) / n;
    (sum.signum() * away) as i64
}
