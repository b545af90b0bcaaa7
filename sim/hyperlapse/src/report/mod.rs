//! Reports: pure functions from records to text. None of them reaches into a run.
//!
//! | report | what it tells |
//! | --- | --- |
//! | [`run()`] | one run, for a terminal of 80 columns |
//! | [`summary()`] | all runs in a table, failures grouped |
//! | [`json`] | all runs, for programs |
//! | [`explanation()`] | why a run failed, step by step |
//! | [`plan()`] | what a run will do |

mod explanation;
pub mod json;
mod plan;
mod run;
mod seen;
mod style;
mod summary;
#[cfg(feature = "cli")]
#[allow(dead_code, unused_imports)]
pub(crate) mod svg;

pub use explanation::explanation;
pub use plan::plan;
pub use run::{Detail, run};
#[cfg(feature = "cli")]
pub(crate) use style::wrap;
#[cfg(feature = "cli")]
pub(crate) use summary::replay_line;
pub use summary::{CaseSummary, summary};
