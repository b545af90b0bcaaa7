//! A breaking point, for a terminal of 80 columns and for programs.

use std::path::Path;

use serde::Serialize;

use super::limit_chart::chart;
use super::page::{LABEL, Page, WIDTH};
use super::style::{Style, wrap};
use super::summary::replay_line;
use crate::build_info::Build;
use crate::limit::{Broken, Limit, LoadPoint, LoadValue};
use crate::record::FORMAT;
use crate::units::{count, milli, plural, seconds};

/// The report of a breaking point: the point, what broke, and the curve that leads to it. `about` is what the scenario
/// is for; `replayed` is the seed file of the first break and the command that replays it.
pub fn limit(
    limit: &Limit,
    about: &str,
    replayed: Option<(&Path, &str)>,
    coloured: bool,
) -> String {
    let style = Style { coloured };
    let (first, after) = limit.seeds;
    let seeds = match after - first {
        1 => format!("seed {first}"),
        _ => format!("seeds {first} to {}", after - 1),
    };
    let title = format!("{}  on {}, {seeds}", limit.scenario, limit.system);
    let mut page = Page { text: format!("limit  {}\n", style.strong(&title)) };
    for line in wrap(about, WIDTH - 2).iter().filter(|line| !line.is_empty()) {
        page.text.push_str(&format!("  {line}\n"));
    }
    for (path, value) in &limit.set {
        page.prose("set", &format!("{path} = {value}"));
    }
    let noun = limit.noun();
    if noun.chars().count() < LABEL {
        page.prose(noun, &point(limit));
    } else {
        page.line(noun, "");
        page.prose("", &point(limit));
    }
    if let Some(least) = &limit.at_least {
        let verdict = match limit.is_enough() {
            true => style.good("ok"),
            false => style.bad("FAILED"),
        };
        page.prose("asked for", &format!("{}  {verdict}", number(least)));
    }
    if let Some(text) = of_seeds(limit) {
        page.prose("seed by seed", &text);
    }
    for (i, broken) in limit.broken().iter().enumerate() {
        let label = if i == 0 { "broke first" } else { "with it" };
        let what = format!("{} {}", broken.failure.kind.text(), broken.failure.name);
        page.prose(label, &style.bad(&what));
        page.prose("", &measured(limit, broken));
    }
    if let Some((seed_file, command)) = replayed {
        // Not broken into lines: it is to be pasted.
        page.text.push_str(&format!("  {:<LABEL$}{}\n", "replay", replay_line(command, seed_file)));
    }
    for (i, why) in uneven(limit).iter().enumerate() {
        page.prose(if i == 0 { "uneven" } else { "" }, why);
    }
    let mut whys: Vec<&str> = Vec::new();
    for ignored in &limit.ignored {
        if !whys.contains(&ignored.why.as_str()) {
            whys.push(&ignored.why);
        }
    }
    for why in whys {
        let alike: Vec<_> = limit.ignored.iter().filter(|ignored| ignored.why == why).collect();
        for (i, ignored) in alike.iter().enumerate() {
            page.prose(if i == 0 { "ignored" } else { "" }, &ignored.threshold);
        }
        let each = if alike.len() > 1 { "each " } else { "" };
        page.prose("", &format!("  {each}{why}"));
    }
    let searched = format!(
        "from {} {} to {} at most, in {} of {}",
        limit.from.text,
        if limit.lowered { "down" } else { "up" },
        number(&limit.to),
        plural(limit.runs, "run"),
        plural(limit.curve.len() as u64, "load"),
    );
    page.prose("searched", &searched);
    let seeds = after - first;
    if seeds > 1 {
        page.text.push_str(&format!("\n  at each load the worst of {}\n", plural(seeds, "seed")));
    }
    page.text.push('\n');
    page.text.push_str(&table(limit, style));
    if let Some(chart) = chart(limit) {
        page.text.push('\n');
        page.text.push_str(&chart);
    }
    page.text
}

/// The JSON of `limit`: `format`, `build` and the breaking point.
pub fn limit_json(limit: &Limit, build: &Build, seed_file: Option<&Path>) -> String {
    #[derive(Serialize)]
    struct Report<'a> {
        format: u32,
        build: &'a Build,
        limit: &'a Limit,
        host: Host<'a>,
    }
    /// Where the seed file went is different every time.
    #[derive(Serialize)]
    struct Host<'a> {
        seed_file: Option<&'a Path>,
    }
    let report = Report { format: FORMAT, build, limit, host: Host { seed_file } };
    serde_json::to_string(&report).expect("a breaking point is plain data with text keys") + "\n"
}

/// A value of the setting as a report prints it.
fn number(load: &LoadValue) -> String {
    match load.text.parse() {
        Ok(whole) => count(whole),
        Err(_) => load.text.clone(),
    }
}

fn point(limit: &Limit) -> String {
    let (more, most) = if limit.lowered { ("less", "least") } else { ("more", "most") };
    match (&limit.holds, &limit.breaks) {
        (Some(holds), Some(breaks)) => {
            format!("holds at {}, breaks at {}", number(holds), number(breaks))
        }
        (Some(holds), None) => format!(
            "nothing breaks: it holds at {}, the {most} that was tried; --to tries {more}",
            number(holds)
        ),
        (None, Some(breaks)) => format!(
            "breaks at every load that was tried, even at {}: there is no point to find",
            number(breaks)
        ),
        (None, None) => unreachable!("a load that was tried holds or breaks"),
    }
}

/// How far the points of single seeds lie apart.
fn of_seeds(limit: &Limit) -> Option<String> {
    if limit.of_seeds.len() < 2 {
        return None;
    }
    let Some((least, most)) = limit.interval() else {
        let unbroken = limit.of_seeds.iter().filter(|seed| seed.breaks.is_none()).count() as u64;
        let all = unbroken == limit.of_seeds.len() as u64;
        return (unbroken > 0 && !all)
            .then(|| format!("{} hold at every load that was tried", plural(unbroken, "seed")));
    };
    if least == most {
        return Some(format!("each holds at {}", number(least)));
    }
    let mut points: Vec<&LoadValue> =
        limit.of_seeds.iter().filter_map(|seed| seed.holds.as_ref()).collect();
    points.sort_by_key(|load| load.value);
    let median = points[(points.len() - 1) / 2];
    Some(format!(
        "each by itself holds at {} to {}, median {}",
        number(least),
        number(most),
        number(median)
    ))
}

fn measured(limit: &Limit, broken: &Broken) -> String {
    let at = limit.breaks.as_ref().map_or(String::new(), |load| format!(" at {}", number(load)));
    let before = match (&broken.held_at, &limit.holds) {
        (Some(measured), Some(load)) => format!(", {measured} at {}", number(load)),
        _ => String::new(),
    };
    let seeds = limit.seeds.1 - limit.seeds.0;
    let in_seeds = match (seeds, broken.seeds.len() as u64) {
        (1, _) => String::new(),
        (all, broke) if all == broke => format!(" in seed {}; in all seeds", broken.seeds[0]),
        (all, broke) => {
            format!(" in seed {}; in {} of {}", broken.seeds[0], count(broke), plural(all, "seed"))
        }
    };
    format!("{}{at}{before}{in_seeds}", broken.failure.message)
}

fn uneven(limit: &Limit) -> Vec<String> {
    let list = |loads: &[LoadValue]| loads.iter().map(number).collect::<Vec<_>>().join(", ");
    let (less, more) = if limit.lowered { ("more", "less") } else { ("less", "more") };
    let mut lines = Vec::new();
    if !limit.breaks_below.is_empty() {
        lines.push(format!("it breaks at {} too, which is {less}", list(&limit.breaks_below)));
    }
    if !limit.holds_above.is_empty() {
        lines.push(format!("it holds at {} again, which is {more}", list(&limit.holds_above)));
    }
    let seeds = limit.of_seeds.iter().filter(|seed| !seed.holds_above.is_empty());
    if let (Some(seed), true) = (seeds.clone().next(), lines.is_empty()) {
        let at = list(&seed.holds_above);
        lines.push(match seeds.count() as u64 {
            1 => format!("seed {} holds again at {at}, which is {more}", seed.seed),
            n => format!("{} hold again at {more}: seed {} at {at}", plural(n, "seed"), seed.seed),
        });
    }
    lines
}

/// The curve: every load in a line. Of several seeds the worst.
fn table(limit: &Limit, style: Style) -> String {
    let queued = limit.curve.iter().any(|point| point.queue_wait_p95_ns.is_some());
    let dropped = limit.curve.iter().any(|point| point.dropped.is_some_and(|n| n.max > 0));
    let several = limit.seeds.1 - limit.seeds.0 > 1;
    let time = |ns: Option<u64>| ns.map_or("-".to_owned(), seconds);
    let mut rows = vec![vec![
        limit.noun().to_owned(),
        if several { "seeds".to_owned() } else { String::new() },
        "p95".to_owned(),
        if queued { "wait p95".to_owned() } else { String::new() },
        "refused".to_owned(),
        if dropped { "dropped".to_owned() } else { String::new() },
        "throughput".to_owned(),
    ]];
    let cells = |point: &LoadPoint| {
        vec![
            number(&point.load),
            if several { format!("{}/{}", point.held, point.seeds) } else { String::new() },
            time(point.response_p95_ns.map(|p95| p95.max)),
            if queued { time(point.queue_wait_p95_ns.map(|p95| p95.max)) } else { String::new() },
            point.refused.map_or("-".to_owned(), |refused| count(refused.max)),
            match (dropped, point.dropped) {
                (true, Some(dropped)) => count(dropped.max),
                _ => String::new(),
            },
            point.throughput_milli.map_or("-".to_owned(), |t| format!("{} /s", milli(t.min))),
        ]
    };
    rows.extend(limit.curve.iter().map(cells));
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    // Where all loads break alike it has been told above.
    let mut told: Vec<&str> = limit
        .curve
        .iter()
        .filter_map(|point| Some(point.broken.first()?.failure.name.as_str()))
        .collect();
    told.dedup();
    let used = 8 + widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum::<usize>();
    let left = WIDTH.saturating_sub(used + 3);
    let mut text = String::new();
    for (i, row) in rows.iter().enumerate() {
        let point = i.checked_sub(1).map(|i| &limit.curve[i]);
        let lead = match point {
            None => "        ".to_owned(),
            Some(point) if point.broken.is_empty() => format!("  {} ", style.good("holds")),
            Some(_) => format!("  {}", style.bad("breaks")),
        };
        let mut line = lead;
        for (cell, width) in row.iter().zip(&widths).filter(|(_, width)| **width > 0) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        let broke = match point {
            _ if told.len() < 2 => "",
            None => "broke first",
            Some(point) => point.broken.first().map_or("", |broken| &broken.failure.name),
        };
        line.push_str(&format!("   {}", cut(broke, left)));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text in this many columns.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}
