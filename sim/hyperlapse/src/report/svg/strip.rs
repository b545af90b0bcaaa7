//! A dot for each seed: how far the runs of a sweep lie apart, and where those lie that failed.

use super::axis::{Axis, Scale, TIMES, Unit};
use super::element::{Svg, Tag, line, rect, words};
use super::frame::{LETTER, WIDTH};

const LEFT: i64 = 120;
const RIGHT: i64 = WIDTH - 120;
const ROW: i64 = 560;
/// Dots of equal value stand above each other, in so many layers.
const LAYERS: i64 = 9;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dot {
    pub(crate) value: i64,
    /// `good` or `bad`, or any class of the style.
    pub(crate) class: &'static str,
    /// What it is: `seed 7`.
    pub(crate) name: String,
}

/// One group of runs: a sweep, a baseline.
#[derive(Debug, Clone)]
pub(crate) struct Row<'a> {
    /// In front of its median; may be empty where there is one row alone.
    pub(crate) name: &'a str,
    pub(crate) dots: &'a [Dot],
}

/// The chart: all rows on one axis, each with its dots, the middle half as a box, the median as a line in it.
pub(crate) fn strip(name: &str, about: &str, unit: Unit<'_>, rows: &[Row<'_>]) -> String {
    let label = if about.is_empty() { name.to_owned() } else { format!("{name}: {about}") };
    let bottom = 220 + ROW * rows.len() as i64;
    let mut svg = Svg::new("chart", WIDTH, bottom + 190, &label);
    svg.words(words("name", 0, 130, "start"), name);
    let values = rows.iter().flat_map(|row| row.dots.iter().map(|dot| dot.value));
    let across = Axis::around(unit, values);
    let x = Scale { from: across.from, to: across.to, start: LEFT, end: RIGHT };
    for tick in across.ticks(TIMES) {
        let at = x.at(tick);
        svg.leaf(line("grid", (at, 220), (at, bottom)));
        let word = across.word(tick, TIMES);
        let half = word.chars().count() as i64 * LETTER / 2;
        let (at, anchor) = match at {
            at if at - half < 0 => (0, "start"),
            at if at + half > WIDTH => (WIDTH, "end"),
            at => (at, "middle"),
        };
        svg.words(words("", at, bottom + 150, anchor), &word);
    }
    svg.leaf(line("axis", (LEFT, bottom), (RIGHT, bottom)));
    for (n, row) in rows.iter().enumerate() {
        draw(&mut svg, &x, unit, row, 220 + ROW * n as i64);
    }
    svg.finish()
}

fn draw(svg: &mut Svg, x: &Scale, unit: Unit<'_>, row: &Row<'_>, top: i64) {
    let mut sorted: Vec<i64> = row.dots.iter().map(|dot| dot.value).collect();
    if sorted.is_empty() {
        return;
    }
    sorted.sort_unstable();
    // By nearest rank, as percentiles are everywhere here.
    let rank = |hundredths: usize| sorted[(sorted.len() * hundredths).div_ceil(100).max(1) - 1];
    let (low, middle, high) = (rank(25), rank(50), rank(75));
    let floor = top + ROW - 30;
    let told = |value| super::axis::tell(unit, value);
    let title = format!("half of them from {} to {}", told(low), told(high));
    let (left, right) = (x.at(low), x.at(high));
    svg.told(rect("box c0", left, top + 150, (right - left).max(10), ROW - 180), &title);
    svg.leaf(line("curve c0", (x.at(middle), top + 150), (x.at(middle), floor)));
    let said = match row.name {
        "" => format!("median {}", told(middle)),
        name => format!("{name}: median {}", told(middle)),
    };
    svg.words(words("said", LEFT, top + 110, "start"), &said);
    // Equal dots go up in layers; in each place the failed ones come last and lie on top.
    let mut dots: Vec<&Dot> = row.dots.iter().collect();
    dots.sort_by_key(|dot| (dot.value, dot.class != "good"));
    let mut layers = std::collections::BTreeMap::new();
    for failed in [false, true] {
        for dot in dots.iter().filter(|dot| (dot.class != "good") == failed) {
            let at = x.at(dot.value);
            let layer: &mut i64 = layers.entry(at / 40).or_insert(0);
            let y = floor - 40 - (*layer % LAYERS) * 38;
            *layer += 1;
            let circle = Tag::of("circle", &format!("dot {}", dot.class));
            let title = format!("{}: {}", dot.name, told(dot.value));
            svg.told(circle.at("cx", at).at("cy", y).at("r", 22), &title);
        }
    }
}
