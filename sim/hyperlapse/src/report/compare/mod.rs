//! What moved between two results, and how metrics went over many: pure functions of a [`Comparison`] or a
//! [`History`].
//!
//! | module | what it tells |
//! | --- | --- |
//! | `words` | what all of them say alike |
//! | `text` | for a terminal of 80 columns |
//! | `markdown` | for a pull request |
//! | `html` | one page with charts |

#[cfg(feature = "cli")]
mod html;
mod markdown;
mod text;
mod words;

use crate::compare::{Comparison, History};

/// How much of a comparison is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Also what did not move, and what moved within the spread between seeds.
    pub all: bool,
    /// Colours, in a terminal.
    pub coloured: bool,
}

/// Two results, for a terminal of 80 columns.
pub fn comparison(comparison: &Comparison, told: Told) -> String {
    text::comparison(comparison, told)
}

/// Two results, as Markdown: for a pull request.
pub fn comparison_markdown(comparison: &Comparison, told: Told) -> String {
    markdown::comparison(comparison, told)
}

/// Many results in order, for a terminal of 80 columns.
pub fn history(history: &History, told: Told) -> String {
    text::history(history, told)
}

/// Many results in order, as Markdown.
pub fn history_markdown(history: &History, told: Told) -> String {
    markdown::history(history, told)
}

/// Two results, as one self-contained page. A sweep has a dot for each of its seeds.
#[cfg(feature = "cli")]
pub fn comparison_html(comparison: &Comparison) -> String {
    html::comparison(comparison)
}

/// Many results in order, as one self-contained page with a chart for each metric that moved.
#[cfg(feature = "cli")]
pub fn history_html(history: &History) -> String {
    html::history(history)
}
