//! Cancels at every await of every operation in turn.
//!
//! One run finds out at which polls an operation could be dropped; then there is one run for each of them, in
//! which it is dropped there and nothing else is bent. What random cancellation finds in the long run this finds
//! surely, for one seed: with n points it takes n + 1 runs.

use crate::decision::{Decision, StrategyChoice};
use crate::suite::{Case, Finished, Suite};
use crate::world::RunOptions;

/// What came of it.
#[derive(Debug, Clone)]
pub struct CancelledEach {
    /// Points at which an operation was cancelled, each in a run of its own.
    pub points: u64,
    /// How many of those runs failed.
    pub failed: u64,
    /// The run in which nothing was cancelled, or the first that failed; with the case that plays it again.
    pub first: (Case, Finished),
}

impl<S: Clone + Send + 'static> Suite<S> {
    /// Runs a case once for each poll at which one of its operations can be cancelled (the first 20,000 of
    /// them), and once without. When the run without fails, that is all there is to say.
    pub fn cancel_each(&self, case: &Case, options: RunOptions) -> CancelledEach {
        let surveyed = Case { strategy: Some(StrategyChoice::CancelEach), ..case.clone() };
        let plain = self.run_with(&surveyed, options.clone());
        let bare: Vec<Decision> = plain.record.decisions.clone();
        let points = plain.record.survey.clone();
        let replay = |decisions: Vec<Decision>| Case {
            strategy: Some(StrategyChoice::replay(decisions)),
            ..case.clone()
        };
        let mut each = CancelledEach {
            points: 0,
            failed: u64::from(!plain.verdict.passed()),
            first: (replay(bare.clone()), plain),
        };
        if each.failed > 0 {
            return each;
        }
        for point in points {
            let mut decisions = bare.clone();
            decisions.push(point);
            let case = replay(decisions);
            let finished = self.run_with(&case, options.clone());
            each.points += 1;
            if !finished.verdict.passed() {
                each.failed += 1;
                if each.failed == 1 {
                    each.first = (case, finished);
                }
            }
        }
        each
    }
}
