//! The curve of a breaking point as a small chart of characters: what broke, or the response time, against the load.

use crate::limit::{Limit, LoadPoint, LoadValue};
use crate::units::{count, duration, milli, nanos, seconds};

const HEIGHT: usize = 9;
const LABEL: usize = 11;
/// Columns of the plot itself.
const WIDTH: usize = 64;

/// What stands upright in the chart.
struct Curve {
    title: &'static str,
    of: fn(&LoadPoint) -> Option<u64>,
    text: fn(u64) -> String,
    /// The bound, where the threshold that broke first is one on just this.
    bound: Option<u64>,
}

/// The curve around the point; nothing where there are too few loads to see one.
pub(super) fn chart(limit: &Limit) -> Option<String> {
    let curve = curve(limit);
    let near = |load: &LoadValue| load.value;
    let pivot = limit.breaks.as_ref().map(near).max(limit.holds.as_ref().map(near))?;
    // What lies far beyond would press the rest together.
    let points: Vec<(u64, u64, bool)> = limit
        .curve
        .iter()
        .filter(|point| limit.breaks.is_none() || point.load.value / 2 <= pivot)
        .filter_map(|point| Some((point.load.value, (curve.of)(point)?, point.broken.is_empty())))
        .collect();
    let widest = points.iter().map(|(x, ..)| *x).max()?;
    let highest = points.iter().map(|(_, y, _)| *y).chain(curve.bound).max()?;
    if points.len() < 3 || highest == 0 {
        return None;
    }
    let column = |x: u64| scaled(x, widest, WIDTH - 1);
    let row = |y: u64| HEIGHT - 1 - scaled(y, highest, HEIGHT - 1);

    let mut cells = vec![vec![' '; WIDTH]; HEIGHT];
    if let Some(bound) = curve.bound {
        cells[row(bound)].iter_mut().step_by(2).for_each(|cell| *cell = '-');
    }
    for (x, y, holds) in &points {
        let cell = &mut cells[row(*y)][column(*x)];
        *cell = match (*cell, holds) {
            ('x', _) | (_, false) => 'x',
            _ => 'o',
        };
    }
    let mut labels = vec![String::new(); HEIGHT];
    labels[HEIGHT - 1] = "0".to_owned();
    labels[0] = (curve.text)(highest);
    if let Some(bound) = curve.bound {
        labels[row(bound)] = (curve.text)(bound);
    }
    let mut text = format!("  {} by {}; o holds, x breaks\n\n", curve.title, limit.noun());
    for (cells, label) in cells.iter().zip(&labels) {
        let line: String = cells.iter().collect();
        text.push_str(format!("  {label:>LABEL$} |{line}").trim_end());
        text.push('\n');
    }
    text.push_str(&format!("  {:>LABEL$} +{}\n", "", "-".repeat(WIDTH)));
    let mut axis = " ".repeat(LABEL + 4);
    let named = limit.holds.as_ref().or(limit.breaks.as_ref());
    let named = named.map(|load| (column(load.value), load.text.as_str()));
    let last = limit.curve.iter().find(|point| point.load.value == widest);
    let last = last.map(|point| (WIDTH - point.load.text.len(), point.load.text.as_str()));
    for (at, name) in [Some((0, "0")), named, last].into_iter().flatten() {
        let at = at + LABEL + 4;
        // A name that would run into the one before it is left out.
        if axis.trim_end().is_empty() || axis.len() < at {
            axis.push_str(&" ".repeat(at - axis.len()));
            axis.push_str(name);
        }
    }
    text.push_str(axis.trim_end());
    text.push('\n');
    Some(text)
}

fn scaled(value: u64, most: u64, cells: usize) -> usize {
    (u128::from(value) * cells as u128 * 2 / u128::from(most)).div_ceil(2) as usize
}

/// What the threshold that broke first is about, if the curve has it; else the response time.
fn curve(limit: &Limit) -> Curve {
    let broke = limit.broken().first().map_or("", |broken| broken.failure.name.as_str());
    let (metric, bound) = broke.split_once(['<', '>', '=']).unwrap_or((broke, ""));
    let (metric, bound) = (metric.trim(), bound.trim_start_matches('=').trim());
    if metric.starts_with("starts.refused") {
        let bound = (metric == "starts.refused").then(|| bound.parse().ok()).flatten();
        return Curve {
            title: "refused",
            of: |point| point.refused.map(|refused| refused.max),
            text: count,
            // On the axis it says nothing.
            bound: bound.filter(|bound| *bound > 0),
        };
    }
    if metric == "dropped" {
        return Curve {
            title: "dropped",
            of: |point| point.dropped.map(|dropped| dropped.max),
            text: count,
            bound: None,
        };
    }
    if metric.starts_with("throughput") {
        return Curve {
            title: "throughput",
            of: |point| point.throughput_milli.map(|throughput| throughput.min),
            text: |throughput| format!("{} /s", milli(throughput)),
            bound: None,
        };
    }
    let time = || duration::parse(bound).ok().map(nanos);
    if metric.starts_with("queue_wait") {
        return Curve {
            title: "p95 of queue wait",
            of: |point| Some(point.queue_wait_p95_ns.map_or(0, |p95| p95.max)),
            text: seconds,
            bound: (metric == "queue_wait.p95").then(time).flatten(),
        };
    }
    Curve {
        title: "p95 of response",
        of: |point| point.response_p95_ns.map(|p95| p95.max),
        text: seconds,
        bound: (metric == "response.p95").then(time).flatten(),
    }
}
