//! What moved between two results, by how much, and whether by more than seeds differ among themselves.
//!
//! Same seed, same bytes: two runs of one seed are a difference and no guess, and where the fingerprints are equal
//! they are the same run. Two sweeps are compared seed by seed where the seeds are the same, and as two samples
//! where they are not; `spread` has the rule and its sources. A regression is what became worse by more than its
//! tolerance and by more than the spread, or a promise that fails now and did not, or in more seeds.
//!
//! Everything here is a pure function of what [`Runs`] holds, and in integers.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `measured` | a run as named numbers, with unit and direction |
//! | `runs` | what stands in a file: the JSON of `run`, or a baseline |
//! | `baseline` | baselines: a file to keep in a repository |
//! | `spread` | median, quartiles, the two tests |
//! | `tolerance` | how much worse a metric may become |
//! | `case` | one scenario on both sides |
//! | `history` | many files in order |

pub(crate) mod baseline;
mod case;
mod history;
mod measured;
mod runs;
mod spread;
mod tolerance;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use baseline::BASELINE_FORMAT;
pub use case::{CaseComparison, FailureChange, MetricChange, OneSided, Seeds, Side, Standing};
pub use history::{CaseHistory, History, Step, Trend};
pub use measured::{Direction, Measurement, is_informational};
pub(crate) use measured::{show, show_change};
pub use runs::{Case, ComparedRun, Runs, Word};
pub use spread::{Evidence, Spread};
pub use tolerance::Tolerances;

use crate::input::InputError;

/// Two results, compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// What the first side is called.
    pub base: String,
    /// What the second side is called.
    pub new: String,
    /// How many runs each side has.
    pub runs: (u64, u64),
    /// Whether anything but verdicts is judged.
    pub with_tolerances: bool,
    /// Scenarios on both sides, those that got worse first.
    pub cases: Vec<CaseComparison>,
    /// Cases that one side has and the other has not.
    pub one_sided: Vec<(Side, Case)>,
    /// Scenarios for which there are tolerances and no runs.
    pub without_runs: Vec<String>,
}

impl Comparison {
    /// Compares two results.
    ///
    /// ```
    /// use hyperlapse::compare::{Comparison, Runs, Tolerances};
    /// use hyperlapse::Source;
    ///
    /// let run = |p95: u64| format!(r#"{{"baseline": 1, "runs": [{{
    ///     "scenario": "queue", "system": "manager", "seed": 0, "fingerprint": "{p95:016x}",
    ///     "verdict": "pass", "failures": [], "measured": {{"response.p95": {{"ns": {p95}}}}}
    /// }}]}}"#);
    /// let read = |p95| Runs::parse(&Source::new("x.json", run(p95))).unwrap();
    /// let mut tolerances = Tolerances::default();
    /// tolerances.add("response.p95=5%").unwrap();
    /// let of = |new| Comparison::of(&read(200_000_000), &read(new), &tolerances).unwrap();
    /// assert!(!of(209_000_000).regressed());
    /// assert!(of(211_000_000).regressed());
    /// ```
    ///
    /// # Errors
    /// When the two have no scenario in common, or a tolerance names what nobody measured.
    pub fn of(base: &Runs, new: &Runs, tolerances: &Tolerances) -> Result<Self, InputError> {
        tolerances.check(&[base, new])?;
        let (mut left, mut right) = (base.cases(), new.cases());
        let mut cases = Vec::new();
        for (of_base, of_new) in matched(&left, &right) {
            let (runs, new_runs) = (&left[&of_base], &right[&of_new]);
            cases.push(CaseComparison::of((&of_base, runs), (&of_new, new_runs), tolerances));
            left.remove(&of_base);
            right.remove(&of_new);
        }
        if cases.is_empty() {
            let (base, new) = (&base.name, &new.name);
            let error = InputError::new(format!("{base} and {new} have no scenario in common"));
            let names = |cases: &BTreeMap<Case, _>| {
                let mut names: Vec<String> =
                    cases.keys().map(|case| case.scenario.clone()).collect();
                names.dedup();
                names.join(", ")
            };
            let help = format!("the one has {}, the other {}", names(&left), names(&right));
            return Err(error.help(help));
        }
        // Those with bad news first; else in the order of their names.
        cases.sort_by_key(|case| !case.regressed());
        let one_sided = left.into_keys().map(|case| (Side::Base, case));
        let one_sided = one_sided.chain(right.into_keys().map(|case| (Side::New, case))).collect();
        Ok(Self {
            base: base.name.clone(),
            new: new.name.clone(),
            runs: (base.runs().len() as u64, new.runs().len() as u64),
            with_tolerances: !tolerances.is_empty(),
            cases,
            one_sided,
            without_runs: tolerances.unused(&[base, new]),
        })
    }

    /// Whether anything got worse than it may: `compare` then exits with 1.
    pub fn regressed(&self) -> bool {
        self.cases.iter().any(CaseComparison::regressed)
    }

    /// How many things got worse than they may.
    pub fn regressions(&self) -> u64 {
        self.cases.iter().map(CaseComparison::regressions).sum()
    }
}

/// Which case is compared with which: the same with the same, and what is left of a scenario when there is one on
/// either side, such as another system or another setting.
fn matched<T>(base: &BTreeMap<Case, T>, new: &BTreeMap<Case, T>) -> Vec<(Case, Case)> {
    let both = base.keys().filter(|case| new.contains_key(case));
    let mut pairs: Vec<(Case, Case)> = both.map(|case| (case.clone(), case.clone())).collect();
    let left: Vec<&Case> = base.keys().filter(|case| !new.contains_key(case)).collect();
    let right: Vec<&Case> = new.keys().filter(|case| !base.contains_key(case)).collect();
    for case in &left {
        let same = |of: &&&Case| of.scenario == case.scenario;
        let others: Vec<&&Case> = right.iter().filter(same).collect();
        if let ([other], 1) = (&others[..], left.iter().filter(same).count()) {
            pairs.push(((*case).clone(), (**other).clone()));
        }
    }
    pairs.sort();
    pairs
}

#[cfg(test)]
mod tests;
