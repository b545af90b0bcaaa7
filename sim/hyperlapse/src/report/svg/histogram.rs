//! How many took how long. The axis of times is logarithmic, with equally wide bars: a tail of seconds and a bulk
//! of microseconds are both seen.

use super::axis::{Axis, Unit, VALUES, tell};
use super::element::{Svg, line, rect, words};
use super::frame::{LEFT, LETTER, RIGHT, WIDTH};

const BARS: i64 = 51;
const TOP: i64 = 560;
const BOTTOM: i64 = TOP + 1_150;

/// A value that is pointed out: a percentile.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: i64,
}

/// The chart of `buckets`: the highest value of each and how many there are, in order. `marks` are in order too.
pub(crate) fn histogram(
    name: &str,
    about: &str,
    unit: Unit<'_>,
    buckets: &[(u64, u64)],
    marks: &[Mark<'_>],
) -> String {
    let label = if about.is_empty() { name.to_owned() } else { format!("{name}: {about}") };
    let mut svg = Svg::new("chart", WIDTH, BOTTOM + 190, &label);
    svg.words(words("name", 0, 130, "start"), name);
    let values = || buckets.iter().map(|(value, _)| *value);
    let log = Log::around(values().min().unwrap_or(1), values().max().unwrap_or(1));
    let width = (RIGHT - LEFT) / BARS;
    let mut bars = vec![(0u64, u64::MAX, 0u64); BARS as usize];
    for (value, times) in buckets {
        let bar = ((log.at(*value) - LEFT) / width).clamp(0, BARS - 1);
        let (sum, low, high) = &mut bars[bar as usize];
        *sum += times;
        (*low, *high) = ((*low).min(*value), (*high).max(*value));
    }
    let most = bars.iter().map(|(sum, ..)| *sum as i64).max().unwrap_or(0);
    let up = Axis::up_to(Unit::Count, [most]);
    let y = super::axis::Scale { from: 0, to: up.to, start: BOTTOM, end: TOP };
    for tick in up.ticks(VALUES) {
        let at = y.at(tick);
        svg.leaf(line("grid", (LEFT, at), (RIGHT, at)));
        svg.words(words("", LEFT - 60, at + 40, "end"), &up.word(tick, VALUES));
    }
    for (tick, word) in log.ticks(unit) {
        let at = log.at(tick);
        svg.leaf(line("grid", (at, TOP), (at, BOTTOM)));
        let half = word.chars().count() as i64 * LETTER / 2;
        let (at, anchor) = if at + half > WIDTH { (WIDTH, "end") } else { (at, "middle") };
        svg.words(words("", at, BOTTOM + 150, anchor), &word);
    }
    svg.leaf(line("axis", (LEFT, BOTTOM), (RIGHT, BOTTOM)));
    for (n, (sum, low, high)) in bars.iter().enumerate().filter(|(_, (sum, ..))| *sum > 0) {
        let height = (BOTTOM - y.at(*sum as i64)).max(8);
        let bar = rect("bar c0", LEFT + n as i64 * width, BOTTOM - height, width - 8, height);
        let (low, high) = (tell(unit, *low as i64), tell(unit, *high as i64));
        let range = if low == high { low } else { format!("{low} to {high}") };
        svg.told(bar, &format!("{} of {range}", tell(Unit::Count, *sum as i64)));
    }
    point_out(&mut svg, &log, unit, marks);
    svg.finish()
}

/// Lines down from names that do not run into each other: two rows, and none where both are full.
fn point_out(svg: &mut Svg, log: &Log, unit: Unit<'_>, marks: &[Mark<'_>]) {
    let mut free = [0i64; 2];
    for mark in marks {
        let x = log.at(mark.value.unsigned_abs());
        let word = format!("{} {}", mark.name, tell(unit, mark.value));
        svg.told(line("mark", (x, TOP), (x, BOTTOM)), &word);
        let width = word.chars().count() as i64 * LETTER;
        let left = (x - width / 2).clamp(0, WIDTH - width);
        if let Some(row) = (0..free.len()).find(|row| free[*row] <= left) {
            free[row] = left + width + 60;
            let y = TOP - 60 - row as i64 * 170;
            svg.words(words("said", left + width / 2, y, "middle"), &word);
        }
    }
}

/// A logarithmic scale from one round value to another.
struct Log {
    from: u64,
    to: u64,
}

impl Log {
    fn around(low: u64, high: u64) -> Self {
        let (low, high) = (low.max(1), high.max(1));
        let rounds = || round_values().collect::<Vec<_>>();
        let from = rounds().into_iter().rfind(|round| *round <= low).unwrap_or(1);
        let to = rounds().into_iter().find(|round| *round > high).unwrap_or(u64::MAX);
        // One value alone has some room around it.
        let from = if to / from < 5 { (from / 2).max(1) } else { from };
        Self { from, to }
    }

    /// Logarithms are `libm`'s, which are the same on every machine; the place is a whole tenth.
    fn at(&self, value: u64) -> i64 {
        let log = |value: u64| libm::log2(value.clamp(self.from, self.to) as f64);
        let share = (log(value) - log(self.from)) / (log(self.to) - log(self.from));
        LEFT + libm::round(share * (RIGHT - LEFT) as f64) as i64
    }

    /// 1, 2, 5, or powers of ten alone where those are many.
    fn ticks(&self, unit: Unit<'_>) -> Vec<(u64, String)> {
        let within = |tick: &u64| (self.from..=self.to).contains(tick);
        let all: Vec<u64> = round_values().filter(within).collect();
        let powers = |of: u64| {
            let is_power = move |tick: &&u64| {
                let mut rest = **tick;
                while rest.is_multiple_of(of) {
                    rest /= of;
                }
                rest == 1
            };
            all.iter().filter(is_power).copied().collect::<Vec<_>>()
        };
        let ticks = match all.len() {
            0..=6 => all.clone(),
            7..=18 => powers(10),
            _ => powers(10).into_iter().step_by(2).collect(),
        };
        let word = |tick: &u64| {
            let tick = *tick as i64;
            Axis::new(unit, 0, tick).word(tick, 1)
        };
        ticks.iter().map(|tick| (*tick, word(tick))).collect()
    }
}

fn round_values() -> impl Iterator<Item = u64> {
    let powers = (0..18).map(|power| 10u64.pow(power));
    powers.flat_map(|power| [power, 2 * power, 5 * power])
}
