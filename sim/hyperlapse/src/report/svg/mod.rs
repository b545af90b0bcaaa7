//! Charts as SVG that a person can read: one element a line, coordinates with one decimal at most, made from integers.
//!
//! A chart is a pure function of integers, so its bytes repeat and a snapshot can hold them. It has no colour of its
//! own: classes stand in it, and [`STYLE`] gives them colours by CSS variables, light and dark. Width follows the
//! page (`viewBox`), each shape tells its figures in a `<title>`, and `aria-label` says what the whole shows.
//!
//! | module | what it draws |
//! | --- | --- |
//! | [`lines`] | curves, areas and bands over time, or over anything that is counted |
//! | [`steps`] | levels that hold until they change, under a limit |
//! | [`bars`] | counts in each step of time, stacked |
//! | [`histogram`] | how many took how long, on a logarithmic axis |
//! | [`strip`] | a dot for each seed, the middle half as a box |
//! | [`lanes`] | who did what in which order: a lane for each actor |
//! | [`frame`] | what they share: axes, names, legends, marks under the time axis |
//! | [`axis`] | ticks of 1, 2, 5, and their words |
//! | [`element`] | the text itself |

mod axis;
mod bars;
mod element;
mod frame;
mod histogram;
mod lanes;
mod lines;
mod steps;
mod strip;
#[cfg(test)]
mod tests;

pub(crate) use axis::{Axis, Unit};
pub(crate) use bars::bars;
pub(crate) use frame::{Chart, Rug, Series};
pub(crate) use histogram::{Mark, histogram};
pub(crate) use lanes::{Entry, Kind, Lanes, lanes, width as lanes_width};
#[allow(unused_imports, reason = "bands are for histories")]
pub(crate) use lines::Band;
pub(crate) use lines::lines;
pub(crate) use steps::steps;
pub(crate) use strip::{Dot, Row, strip};

/// Colours and strokes of every chart, for a page's `<style>`.
pub(crate) const STYLE: &str = include_str!("style.css");

/// At most so many points of a curve: more than a screen shows, few enough to read.
pub(crate) const POINTS: usize = 120;
