//! What the charts share: a name, a legend, axes with ticks, and marks in rows under the time axis.
//!
//! All charts are equally wide and their plots begin and end at the same places, so that charts of one load that
//! stand under each other have one time axis.

use super::axis::{Axis, Scale, TIMES, Unit, VALUES};
use super::element::{Svg, Tag, line, rect, words};

/// In tenths, as everything here.
pub(super) const WIDTH: i64 = 4_800;
/// Room for the words of the value axis.
pub(super) const LEFT: i64 = 600;
pub(super) const RIGHT: i64 = WIDTH - 120;
const PLOT: i64 = 1_150;
const ROW: i64 = 170;
/// A letter of the largest font that the style gives, on average.
pub(super) const LETTER: i64 = 74;
/// At most so many places tell their figures.
const HITS: usize = 40;

/// What a chart shows, and how its axes go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chart<'a> {
    /// Above it, and what a screen reader says first.
    pub(crate) name: &'a str,
    /// A sentence for those who do not see it.
    pub(crate) about: &'a str,
    pub(crate) x: Axis<'a>,
    pub(crate) y: Axis<'a>,
    /// Rows of marks under the plot, on its axis.
    pub(crate) rugs: &'a [Rug<'a>],
}

/// A row of values with a name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Series<'a> {
    pub(crate) name: &'a str,
    /// Of the style: `c0` to `c5`, `good`, `bad`, `quiet`; `dashed`, `dotted` or `thin` beside it.
    pub(crate) class: &'a str,
    /// Places on the two axes, in their order.
    pub(crate) points: &'a [(i64, i64)],
}

/// What happened when, in a row of marks.
#[derive(Debug, Clone)]
pub(crate) struct Rug<'a> {
    pub(crate) name: &'a str,
    pub(crate) class: &'a str,
    /// From, to, and how often in between.
    pub(crate) spans: Vec<(i64, i64, u64)>,
    /// Whether a line goes up through the plot.
    pub(crate) through: bool,
}

/// How an entry of a legend looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swatch {
    Line,
    Bar,
    Fill,
}

/// A chart whose axes stand, ready for its shapes.
pub(super) struct Frame<'a> {
    pub(super) svg: Svg,
    pub(super) x: Scale,
    pub(super) y: Scale,
    chart: &'a Chart<'a>,
}

impl<'a> Frame<'a> {
    /// `legend` has the name, the class and the look of each entry.
    pub(super) fn new(chart: &'a Chart<'a>, legend: &[(&str, &str, Swatch)]) -> Self {
        let entries = rows(legend);
        let legend_rows = entries.last().map_or(0, |entry| entry.0 + 1);
        let top = 250 + legend_rows * ROW;
        let bottom = top + PLOT;
        let rugs: Vec<_> = chart.rugs.iter().filter(|rug| !rug.spans.is_empty()).collect();
        let height = bottom + 190 + rugs.len() as i64 * ROW;
        let label = match chart.about {
            "" => chart.name.to_owned(),
            about => format!("{}: {about}", chart.name),
        };
        let mut svg = Svg::new("chart", WIDTH, height, &label);
        svg.words(words("name", 0, 130, "start"), chart.name);
        for (row, x, n) in entries {
            let (name, class, swatch) = legend[n];
            let y = 280 + row * ROW;
            match swatch {
                Swatch::Line => {
                    svg.leaf(line(&format!("curve {class}"), (x, y - 35), (x + 160, y - 35)))
                }
                Swatch::Bar => svg.leaf(rect(&format!("bar {class}"), x, y - 80, 160, 90)),
                Swatch::Fill => svg.leaf(rect(&format!("fill {class}"), x, y - 80, 160, 90)),
            }
            svg.words(words("", x + 200, y, "start"), name);
        }
        let x = Scale { from: chart.x.from, to: chart.x.to, start: LEFT, end: RIGHT };
        let y = Scale { from: chart.y.from, to: chart.y.to, start: bottom, end: top };
        let mut frame = Self { svg, x, y, chart };
        frame.axes();
        frame.rugs(&rugs);
        frame
    }

    fn axes(&mut self) {
        let Chart { x: across, y: up, .. } = self.chart;
        let (top, bottom) = (self.y.end, self.y.start);
        for tick in up.ticks(VALUES) {
            let y = self.y.at(tick);
            self.svg.leaf(line("grid", (LEFT, y), (RIGHT, y)));
            self.svg.words(words("", LEFT - 60, y + 40, "end"), &up.word(tick, VALUES));
        }
        for tick in across.ticks(TIMES) {
            let x = self.x.at(tick);
            self.svg.leaf(line("grid", (x, top), (x, bottom)));
            // Words at the edge would be cut off.
            let word = across.word(tick, TIMES);
            let half = word.chars().count() as i64 * LETTER / 2;
            let (x, anchor) = if x + half > WIDTH { (WIDTH, "end") } else { (x, "middle") };
            self.svg.words(words("", x, bottom + 150, anchor), &word);
        }
        self.svg.leaf(line("axis", (LEFT, bottom), (RIGHT, bottom)));
    }

    fn rugs(&mut self, rugs: &[&Rug<'_>]) {
        let (top, bottom) = (self.y.end, self.y.start);
        for (n, rug) in rugs.iter().enumerate() {
            let y = bottom + 300 + n as i64 * ROW;
            self.svg.words(words("", LEFT - 60, y, "end"), rug.name);
            for (from, to, times) in &rug.spans {
                let (left, right) = (self.x.at(*from), self.x.at(*to));
                let at = self.chart.x.tell(*from);
                let title = format!("{}: {times} from {at}", rug.name);
                let class = format!("rug {}", rug.class);
                let mark = rect(&class, left, y - 95, (right - left).max(15), 100);
                self.svg.told(mark, &title);
                if rug.through {
                    self.svg.leaf(line("through", (left, top), (left, bottom)));
                }
            }
        }
    }

    /// The path through these points; `level` makes each last until the next.
    pub(super) fn path(&self, points: &[(i64, i64)], level: bool) -> String {
        let mut path = String::new();
        let mut before = None;
        for (x, y) in points {
            let (x, y) = (self.x.at(*x), self.y.at(*y));
            let place =
                |x, y| format!("{} {}", super::element::length(x), super::element::length(y));
            path.push_str(&match before {
                None => format!("M{}", place(x, y)),
                Some(before) if level && before != y => {
                    format!(" L{} L{}", place(x, before), place(x, y))
                }
                Some(before) if level && before == y => String::new(),
                Some(_) => format!(" L{}", place(x, y)),
            });
            before = Some(y);
        }
        if let (true, Some((x, _)), Some(y)) = (level, points.last(), before) {
            path.push_str(&format!(
                " L{} {}",
                super::element::length(self.x.at(*x)),
                super::element::length(y)
            ));
        }
        path
    }

    /// Places that tell the figures of all series when they are pointed at: at each x that any of them has.
    pub(super) fn hits(&mut self, series: &[Series<'_>], between: bool) {
        let mut places: Vec<i64> =
            series.iter().flat_map(|one| one.points.iter().map(|(x, _)| *x)).collect();
        places.sort_unstable();
        places.dedup();
        let each = places.len().div_ceil(HITS).max(1);
        let shown: Vec<i64> = places.into_iter().step_by(each).collect();
        let (top, height) = (self.y.end, self.y.start - self.y.end);
        self.svg.open(Tag::new("g"));
        for (n, place) in shown.iter().enumerate() {
            let mut title = self.chart.x.tell(*place);
            for one in series {
                if let Some((_, y)) = one.points.iter().find(|(x, _)| x == place) {
                    title.push_str(&format!("\n{} {}", one.name, self.chart.y.tell(*y)));
                }
            }
            let here = self.x.at(*place);
            let after = shown.get(n + 1).map_or(self.x.end, |next| self.x.at(*next));
            // A point is meant when one is nearer to it than to others; a step, within it.
            let (left, right) = match between {
                true => (here, after),
                false => {
                    let before = n.checked_sub(1).map_or(self.x.start, |n| self.x.at(shown[n]));
                    ((before + here) / 2, (here + after) / 2)
                }
            };
            let hit = rect("hit", left, top, (right - left).max(10), height);
            self.svg.told(hit, &title);
        }
        self.svg.close();
    }

    pub(super) fn finish(self) -> String {
        self.svg.finish()
    }
}

/// The row and the place of each entry of a legend, with its number.
fn rows(legend: &[(&str, &str, Swatch)]) -> Vec<(i64, i64, usize)> {
    let (mut row, mut x) = (0, 0);
    let mut placed = Vec::new();
    for (n, (name, ..)) in legend.iter().enumerate() {
        let width = 200 + name.chars().count() as i64 * LETTER + 140;
        if x > 0 && x + width > WIDTH {
            (row, x) = (row + 1, 0);
        }
        placed.push((row, x, n));
        x += width;
    }
    placed
}

/// Whether an axis counts names: then each of them is a place and none lies between.
pub(super) fn is_named(axis: &Axis<'_>) -> bool {
    matches!(axis.unit, Unit::Names(_))
}
