//! Reports: pure functions from records to text. None of them reaches into a run.
//!
//! | report | what it tells |
//! | --- | --- |
//! | [`run()`] | one run, for a terminal of 80 columns |
//! | [`summary()`] | all runs in a table, failures grouped |
//! | [`json`] | all runs, for programs |
//! | [`plan()`] | what a run will do |

pub mod json;
mod plan;
mod run;
mod style;
mod summary;

pub use plan::plan;
pub use run::{Detail, run};
#[cfg(feature = "cli")]
pub(crate) use style::wrap;
pub use summary::{CaseSummary, summary};
