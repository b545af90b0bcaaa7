//! Levels that hold until they change: how many are active, under the limit that they must keep.

use super::element::{Tag, length};
use super::frame::{Chart, Frame, Series, Swatch};

/// The chart. The first series is filled. `limit` may change on its way: places and levels, each holding until
/// the next.
pub(crate) fn steps(chart: &Chart<'_>, series: &[Series<'_>], limit: &[(i64, i64)]) -> String {
    let mut legend: Vec<_> = series.iter().map(|one| (one.name, one.class, Swatch::Line)).collect();
    if !limit.is_empty() {
        legend.push(("limit", "limit", Swatch::Line));
    }
    if let [_] = legend[..] {
        legend.clear();
    }
    let mut frame = Frame::new(chart, &legend);
    let end = chart.x.to;
    // The last level holds to the end.
    let to_the_end = |points: &[(i64, i64)]| {
        let last = points.last().map(|(_, level)| (end, *level));
        points.iter().copied().chain(last).collect::<Vec<_>>()
    };
    for (n, one) in series.iter().enumerate().filter(|(_, one)| !one.points.is_empty()) {
        let path = frame.path(&to_the_end(one.points), true);
        if n == 0 {
            let (floor, first) = (length(frame.y.start), frame.x.at(one.points[0].0));
            let area =
                format!("{path} L{} {floor} L{} {floor} Z", length(frame.x.end), length(first));
            frame.svg.leaf(Tag::of("path", &format!("fill {}", one.class)).attr("d", &area));
        }
        frame.svg.leaf(Tag::of("path", &format!("curve {}", one.class)).attr("d", &path));
    }
    if !limit.is_empty() {
        let path = frame.path(&to_the_end(limit), true);
        frame.svg.leaf(Tag::of("path", "limit").attr("d", &path));
    }
    let limit = Series { name: "limit", class: "limit", points: &held(limit, series) };
    let all: Vec<_> = series.iter().copied().chain([limit]).collect();
    frame.hits(&all, true);
    frame.finish()
}

/// The limit at each place of the first series.
fn held(limit: &[(i64, i64)], series: &[Series<'_>]) -> Vec<(i64, i64)> {
    let Some(first) = series.first() else { return limit.to_vec() };
    let at = |x: i64| limit.iter().rev().find(|(from, _)| *from <= x).map(|(_, level)| (x, *level));
    first.points.iter().filter_map(|(x, _)| at(*x)).collect()
}
