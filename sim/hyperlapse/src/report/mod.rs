//! Reports: pure functions from records to text. None of them reaches into a run.
//!
//! | report | what it tells |
//! | --- | --- |
//! | [`REPORTERS`] | every format of `run --format` and `run --report`, one file each in this folder |
//! | [`run()`] | one run, for a terminal of 80 columns |
//! | [`summary()`] | all runs in a table, failures grouped |
//! | [`explanation()`] | why a run failed, step by step |
//! | [`limit()`] | a breaking point with its curve |
//! | [`calibration()`] | simulated beside real |
//! | [`plan()`] | what a run will do |
//! | [`compare`] | what moved between two results, and over many |

mod baseline;
mod calibration;
pub mod compare;
#[cfg(feature = "cli")]
mod csv;
mod explanation;
#[cfg(feature = "cli")]
mod flame;
#[cfg(feature = "cli")]
mod hgrm;
#[cfg(feature = "cli")]
mod hlog;
#[cfg(feature = "cli")]
mod html;
mod io;
pub mod json;
#[cfg(feature = "cli")]
mod junit;
mod limit;
mod limit_chart;
mod markdown;
mod measured;
mod page;
mod plan;
mod profile;
mod reporter;
mod results;
mod run;
mod seen;
mod style;
mod summary;
#[cfg(feature = "cli")]
pub(crate) mod svg;
mod text;
mod trace;

pub use calibration::{calibration, calibration_json};
pub use explanation::explanation;
pub use limit::{limit, limit_json};
pub use plan::plan;
pub use reporter::{Growing, Make, Needs, OneRun, REPORTERS, Reporter, reporter};
pub use results::{CaseResults, Explained, KEPT_FAILING, Kept, Results, RunLine, TOLD_FAILING};
pub use run::{Detail, run};
pub(crate) use style::wrap;
pub(crate) use summary::pasteable;
pub use summary::{CaseSummary, summary};
pub(crate) use text::shrunk;
#[cfg(feature = "cli")]
pub(crate) use text::{end, text_of_run};
