//! One page for a browser: the verdict first, then each scenario with what moved. It needs nothing but itself: no
//! network, no script; every word is escaped by the template, and charts escape their own.

use minijinja::Environment;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use serde::Serialize;

use super::words::{self, Mark};
use crate::compare::{
    CaseComparison, CaseHistory, Comparison, History, MetricChange, Standing, Trend,
    is_informational,
};
use crate::report::svg::{self, Axis, Band, Chart, Dot, Row, Rug, Series, lines, strip};
use crate::unit::Unit;
use crate::units::plural;

#[derive(Serialize)]
struct Page {
    style: String,
    passed: bool,
    word: &'static str,
    headline: String,
    subline: String,
    notes: Vec<String>,
    one_sided: Vec<(&'static str, String)>,
    cases: Vec<Case>,
    /// Scenarios of which there is nothing to tell, and why.
    same: Vec<(String, String)>,
    trends: Vec<Trends>,
}

#[derive(Serialize)]
struct Case {
    id: String,
    mark: &'static str,
    class: &'static str,
    title: String,
    asides: Vec<String>,
    failures: Vec<(&'static str, String)>,
    rows: Vec<Line>,
    with_seeds: bool,
    one_sided: Vec<(&'static str, String)>,
    rest: Vec<String>,
    charts: Vec<String>,
}

/// A metric of a comparison.
#[derive(Serialize)]
struct Line {
    mark: &'static str,
    class: &'static str,
    name: String,
    base: String,
    new: String,
    change: String,
    percent: String,
    seeds: String,
    tolerance: String,
}

/// A scenario of a history.
#[derive(Serialize)]
struct Trends {
    id: String,
    title: String,
    failed: String,
    rows: Vec<TrendLine>,
    charts: Vec<String>,
    still: String,
}

#[derive(Serialize)]
struct TrendLine {
    name: String,
    first: String,
    last: String,
    least: String,
    most: String,
    steps: Vec<String>,
}

fn axis_unit(unit: Unit) -> svg::Unit<'static> {
    match unit {
        Unit::Nanoseconds => svg::Unit::Time,
        Unit::Bytes => svg::Unit::Bytes,
        Unit::Count => svg::Unit::Count,
        Unit::Share => svg::Unit::Share,
        Unit::PerSecond => svg::Unit::Rate,
    }
}

fn class(standing: Standing) -> &'static str {
    match standing {
        Standing::Regression => "bad",
        Standing::Worse => "near",
        Standing::Better => "good",
        Standing::Moved | Standing::WithinSpread | Standing::Same => "",
    }
}

fn case(number: usize, of: &CaseComparison) -> Case {
    let told: Vec<&MetricChange> = of.metrics.iter().filter(|m| words::is_told(m)).collect();
    let rest = words::untold(of).into_iter();
    let beside = words::beside(of, false).into_iter();
    let rest = rest.chain(beside.map(|(group, cells)| format!("{group}: {}", cells.join(", "))));
    let asides = [words::sides(of), words::measured_otherwise(of).map(str::to_owned)];
    Case {
        id: format!("case-{}", number + 1),
        mark: Mark::of(of).text(),
        class: match Mark::of(of) {
            Mark::Worse => "bad",
            Mark::Moved => "near",
            Mark::Same => "good",
        },
        title: words::title(of),
        asides: asides.into_iter().flatten().collect(),
        failures: of.failures.iter().map(|failure| words::failure(failure, of)).collect(),
        rows: told.iter().map(|metric| line(metric)).collect(),
        with_seeds: told.iter().any(|metric| words::seeds(metric).is_some()),
        one_sided: words::one_sided(of),
        rest: rest.collect(),
        charts: told.iter().filter_map(|metric| seeds_chart(metric)).collect(),
    }
}

fn line(of: &MetricChange) -> Line {
    let [base, new, change, percent] = words::cells(of);
    Line {
        mark: words::standing(of.standing),
        class: class(of.standing),
        name: of.name.clone(),
        base,
        new,
        change,
        percent,
        seeds: words::seeds(of).unwrap_or_default(),
        tolerance: match (of.standing, &of.tolerance) {
            (Standing::Regression, Some(tolerance)) => format!("tolerance {tolerance}"),
            _ => String::new(),
        },
    }
}

/// Each seed of both sides as a dot, where there are several.
fn seeds_chart(of: &MetricChange) -> Option<String> {
    let [base, new] = &of.seeds;
    let flat = |of: &crate::compare::Spread| of.min == of.max;
    // Two numbers need no picture.
    if base.len() + new.len() < 4 || (flat(&of.base) && flat(&of.new)) {
        return None;
    }
    let dots = |values: &[(u64, i64)], class: &'static str| -> Vec<Dot> {
        let dot =
            |(seed, value): &(u64, i64)| Dot { value: *value, class, name: format!("seed {seed}") };
        values.iter().map(dot).collect()
    };
    let class = match class(of.standing) {
        "" => "c0",
        class => class,
    };
    let (base, new) = (dots(base, "quiet"), dots(new, class));
    let rows = [Row { name: "base", dots: &base }, Row { name: "new", dots: &new }];
    let about = words::seeds(of).unwrap_or_default();
    Some(strip(&of.name, &about, axis_unit(of.unit), &rows))
}

pub(super) fn comparison(of: &Comparison) -> String {
    let cases = of.cases.iter().enumerate();
    let (same, told): (Vec<_>, Vec<_>) = cases.partition(|(_, of)| Mark::of(of) == Mark::Same);
    let same = same.into_iter().map(|(_, of)| (words::title(of), words::why_same(of)));
    render(Page {
        style: style(),
        passed: !of.regressed(),
        word: if of.regressed() { "FAIL" } else { "PASS" },
        headline: headline(of),
        subline: format!(
            "{} ({}) against {} ({}). {}.",
            of.new,
            plural(of.runs.1, "run"),
            of.base,
            plural(of.runs.0, "run"),
            words::sum(of)
        ),
        notes: words::unjudged(of).map(str::to_owned).into_iter().collect(),
        one_sided: words::one_sided_cases(of),
        cases: told.into_iter().map(|(number, of)| case(number, of)).collect(),
        same: same.collect(),
        trends: Vec::new(),
    })
}

fn headline(of: &Comparison) -> String {
    match of.regressions() {
        0 => "No regression".to_owned(),
        n => plural(n, "regression"),
    }
}

pub(super) fn history(of: &History) -> String {
    let regressed = of.latest.cases.iter().enumerate().filter(|(_, case)| case.regressed());
    render(Page {
        style: style(),
        passed: !of.regressed(),
        word: if of.regressed() { "FAIL" } else { "PASS" },
        headline: format!("{} in the newest of {}", headline(&of.latest), of.files.len()),
        subline: format!(
            "{} against {}, the one before it. {}.",
            of.latest.new,
            of.latest.base,
            words::sum(&of.latest)
        ),
        notes: words::unjudged(&of.latest).map(str::to_owned).into_iter().collect(),
        one_sided: words::one_sided_cases(&of.latest),
        cases: regressed.map(|(number, of)| case(number, of)).collect(),
        same: Vec::new(),
        trends: of.cases.iter().enumerate().map(|(n, case)| trends(n, case, of)).collect(),
    })
}

fn trends(number: usize, of: &CaseHistory, history: &History) -> Trends {
    let trends = of.metrics.iter().filter(|trend| !is_informational(&trend.name));
    let (moved, still): (Vec<&Trend>, Vec<&Trend>) = trends.partition(|trend| of.moved(trend));
    let failed = of.failed.iter().zip(&history.files);
    let failed = failed.filter_map(|(of, file)| match of {
        Some((failed, runs)) if *failed > 0 => Some(format!("{file}: {failed} of {runs} failed")),
        _ => None,
    });
    Trends {
        id: format!("trend-{}", number + 1),
        title: words::case(&of.case),
        failed: failed.collect::<Vec<_>>().join(", "),
        rows: moved
            .iter()
            .map(|trend| {
                let [first, last, least, most] = words::trend(trend);
                let steps = trend.steps.iter().map(|step| words::step(trend, step, history));
                let steps = steps.collect();
                TrendLine { name: trend.name.clone(), first, last, least, most, steps }
            })
            .collect(),
        charts: {
            let names = short(&history.files);
            moved.iter().map(|trend| trend_chart(trend, &names)).collect()
        },
        still: match (moved.len(), still.len() as u64) {
            (_, 0) => String::new(),
            (0, n) => format!("{}, the same in all", plural(n, "metric")),
            (_, n) => format!("{} more, the same in all", plural(n, "metric")),
        },
    }
}

/// Names that fit under an axis: without what all of them begin and end with, and the end of those that are longer.
fn short(files: &[String]) -> Vec<String> {
    const MOST: usize = 10;
    let words = |name: &str| -> Vec<String> {
        name.split_inclusive(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect()
    };
    let mut names: Vec<Vec<String>> = files.iter().map(|name| words(name)).collect();
    for from_the_end in [false, true] {
        let end = |name: &Vec<String>| match from_the_end {
            false => name.first().cloned(),
            true => name.last().cloned(),
        };
        // One word at least is left of each.
        while names.iter().all(|name| name.len() > 1)
            && names.iter().all(|name| end(name) == end(&names[0]))
        {
            for name in &mut names {
                name.remove(if from_the_end { name.len() - 1 } else { 0 });
            }
        }
    }
    let shown = |name: Vec<String>| {
        let name = name.concat();
        let name = name.trim_end_matches(|c: char| !c.is_alphanumeric());
        match name.chars().count() {
            0..=MOST => name.to_owned(),
            length => format!("…{}", name.chars().skip(length + 1 - MOST).collect::<String>()),
        }
    };
    names.into_iter().map(shown).collect()
}

/// The median of each file, the spread of its seeds, and a line at each step.
fn trend_chart(of: &Trend, files: &[String]) -> String {
    let points: Vec<(i64, &crate::compare::Spread)> = of
        .points
        .iter()
        .enumerate()
        .filter_map(|(file, point)| Some((file as i64, point.as_ref()?)))
        .collect();
    let medians: Vec<_> = points.iter().map(|(file, spread)| (*file, spread.median)).collect();
    let between: Vec<_> = points.iter().map(|(file, of)| (*file, of.min, of.max)).collect();
    let swept = points.iter().any(|(_, spread)| spread.seeds > 1);
    let y = points.iter().flat_map(|(_, spread)| [spread.min, spread.max]);
    let rug = |name, class, wanted: &dyn Fn(Standing) -> bool| Rug {
        name,
        class,
        spans: of
            .steps
            .iter()
            .filter(|step| wanted(step.standing))
            .map(|step| (step.file as i64, step.file as i64, 1))
            .collect(),
        through: class == "bad",
    };
    let rugs = [
        rug("worse", "bad", &|s| matches!(s, Standing::Regression | Standing::Worse)),
        rug("better", "good", &|s| s == Standing::Better),
        rug("step", "near", &|s| s == Standing::Moved),
    ];
    let chart = Chart {
        name: &of.name,
        about: "the median of each result, the oldest first",
        x: Axis::new(svg::Unit::Names(files), 0, files.len() as i64 - 1),
        y: Axis::around(axis_unit(of.unit), y),
        rugs: &rugs,
    };
    let series = [Series { name: "median", class: "c0", points: &medians }];
    let band = Band { name: "least to most of its seeds", class: "c0", points: &between };
    lines(&chart, &series, swept.then_some(band), None)
}

fn style() -> String {
    [svg::STYLE, include_str!("style.css")].concat()
}

fn render(page: Page) -> String {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the syntax is a constant that is right"));
    environment
        .add_template("compare.html", include_str!("compare.html"))
        .expect("the template is a constant that is right");
    let template = environment.get_template("compare.html").expect("it was added");
    template.render(Serde(page)).expect("the template knows what it is given")
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_under_an_axis_are_what_tells_them_apart() {
        let short = |names: &[&str]| {
            super::short(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).join(" ")
        };
        assert_eq!(short(&["2026-01-nightly", "2026-02-nightly"]), "01 02");
        assert_eq!(short(&["1", "2"]), "1 2");
        assert_eq!(short(&["a-1", "a-1"]), "1 1");
        assert_eq!(short(&["nightly-1", "nightly-2-x"]), "1 2-x");
        assert_eq!(short(&["0123456789abcdef", "é"]), "…789abcdef é");
    }
}
