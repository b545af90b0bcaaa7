//! Counts in each step of time, stacked: what was accepted, and what was refused on top of it.

use super::element::rect;
use super::frame::{Chart, Frame, Series, Swatch};

/// The chart. The series have the same places; each bar is as wide as a step, `width` on the axis. The axis of
/// values must hold their sums.
pub(crate) fn bars(chart: &Chart<'_>, series: &[Series<'_>], width: i64) -> String {
    let legend: Vec<_> = series.iter().map(|one| (one.name, one.class, Swatch::Bar)).collect();
    let legend = if let [_] = legend[..] { Vec::new() } else { legend };
    let mut frame = Frame::new(chart, &legend);
    let places = series.first().map_or(0, |one| one.points.len());
    for n in 0..places {
        let mut level = 0;
        for one in series {
            let Some((x, value)) = one.points.get(n).filter(|(_, value)| *value > 0) else {
                continue;
            };
            let (left, right) = (frame.x.at(*x), frame.x.at(x + width));
            let (low, high) = (frame.y.at(level), frame.y.at(level + value));
            // A gap between bars, where there is room for one.
            let gap = if right - left > 80 { 8 } else { 0 };
            let class = format!("bar {}", one.class);
            frame.svg.leaf(rect(&class, left, high, (right - left - gap).max(6), low - high));
            level += value;
        }
    }
    frame.hits(series, true);
    frame.finish()
}
