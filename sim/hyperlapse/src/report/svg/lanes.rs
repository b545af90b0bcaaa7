//! Who did what in which order: a lane for each actor, time going down, the choices numbered, the end marked.

use super::element::{Svg, line, rect, words};

/// In tenths; lanes are as wide as a phone lets two of them be.
const GUTTER: i64 = 720;
const LANE: i64 = 1_440;
const HEAD: i64 = 260;
const PAD: i64 = 60;
const ROW: i64 = 150;
/// A letter of the lanes' own font, on average and not too few.
const LETTER: i64 = 66;
const NUMBER: i64 = 260;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What users do.
    Plain,
    /// Went well.
    Good,
    /// Refused, failed, left.
    Near,
    /// What the system said.
    Said,
    /// A choice that bent the run, by its number from 1.
    Decision(usize),
    /// The failure.
    Violated,
    /// What lay between was left out.
    LeftOut,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at_ns: u64,
    /// Whose lane it is in.
    pub(crate) actor: usize,
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

/// All of it.
#[derive(Debug, Clone)]
pub(crate) struct Lanes<'a> {
    pub(crate) name: &'a str,
    pub(crate) actors: &'a [String],
    pub(crate) entries: &'a [Entry],
}

/// The width of the chart in whole units: no wider than this it is meant to be shown.
pub(crate) fn width(actors: usize) -> i64 {
    (GUTTER + LANE * actors.max(2) as i64) / 10
}

/// The chart.
pub(crate) fn lanes(of: &Lanes<'_>) -> String {
    let letters = ((LANE - 2 * PAD - 60) / LETTER) as usize;
    let rows: Vec<Vec<String>> = of
        .entries
        .iter()
        .map(|entry| {
            let number = if matches!(entry.kind, Kind::Decision(_)) { NUMBER } else { 0 };
            broken(&entry.text, letters - (number / LETTER) as usize)
        })
        .collect();
    let heights = rows.iter().map(|lines| lines.len() as i64 * ROW + 2 * PAD + 50);
    let bottom = HEAD + 100 + heights.sum::<i64>();
    let width = width(of.actors.len()) * 10;
    let mut svg = Svg::new("chart lanes", width, bottom + 20, of.name);
    for (n, actor) in of.actors.iter().enumerate() {
        let middle = GUTTER + LANE * n as i64 + LANE / 2;
        svg.leaf(line("lane", (middle, HEAD), (middle, bottom)));
        svg.leaf(rect("head", middle - LANE / 2 + 30, 10, LANE - 60, HEAD - 20).at("rx", 40));
        let name: String = actor.chars().take(letters).collect();
        svg.words(words("name", middle, 170, "middle"), &name);
    }
    svg.words(words("", GUTTER - 80, 170, "end"), "virtual s");
    let mut top = HEAD + 100;
    let mut before = None;
    for (entry, lines) in of.entries.iter().zip(&rows) {
        let height = lines.len() as i64 * ROW + 2 * PAD;
        if let Kind::LeftOut = entry.kind {
            svg.words(words("", width / 2, top + height / 2 + 40, "middle"), &entry.text);
            top += height + 50;
            continue;
        }
        let ms = entry.at_ns / 1_000_000;
        if before != Some(ms) {
            before = Some(ms);
            let time = format!("{}.{:03}", ms / 1_000, ms % 1_000);
            svg.words(words("", GUTTER - 80, top + PAD + 110, "end"), &time);
        }
        node(&mut svg, entry, lines, top, height);
        top += height + 50;
    }
    svg.finish()
}

fn node(svg: &mut Svg, entry: &Entry, lines: &[String], top: i64, height: i64) {
    let left = GUTTER + LANE * entry.actor as i64 + 30;
    let (class, text) = match entry.kind {
        Kind::Plain | Kind::LeftOut => ("node", "said"),
        Kind::Good => ("node good", "said"),
        Kind::Near => ("node near", "said"),
        Kind::Said => ("node quiet", ""),
        Kind::Decision(_) => ("node decision", "said"),
        Kind::Violated => ("node bad", "onbad"),
    };
    svg.leaf(rect(class, left, top, LANE - 60, height).at("rx", 30));
    let mut x = left + PAD;
    if let Kind::Decision(number) = entry.kind {
        svg.words(words("number", x, top + PAD + 110, "start"), &format!("[{number}]"));
        x += NUMBER;
    }
    for (n, line) in lines.iter().enumerate() {
        svg.words(words(text, x, top + PAD + 110 + n as i64 * ROW, "start"), line);
    }
}

/// Words in lines of so many letters; a longer word is cut into pieces.
fn broken(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let rest = word.split_off(word.len().min(letters));
            let piece: String = word.iter().collect();
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + word.len() <= letters => {
                    line.push(' ');
                    line.push_str(&piece);
                }
                _ => lines.push(piece),
            }
            if rest.is_empty() {
                break;
            }
            word = rest;
        }
    }
    if lines.is_empty() { vec![String::new()] } else { lines }
}
