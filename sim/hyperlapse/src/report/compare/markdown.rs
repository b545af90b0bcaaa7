//! For a pull request: the verdict in the first line, what moved in tables, the rest folded away.

use std::fmt::Write as _;

use super::Told;
use super::words::{self, Mark};
use crate::compare::{
    CaseComparison, Comparison, History, MetricChange, Standing, is_informational,
};
use crate::units::plural;

/// Words that Markdown would take for its own are left as they are. A `_` within a word is none of them.
fn escaped(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    let letters: Vec<char> = words.chars().collect();
    let is_letter =
        |at: Option<usize>| at.and_then(|at| letters.get(at)).is_some_and(|c| c.is_alphanumeric());
    for (at, c) in letters.iter().enumerate() {
        match c {
            '_' if is_letter(at.checked_sub(1)) && is_letter(Some(at + 1)) => out.push('_'),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => out.extend(['\\', *c]),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(*c),
        }
    }
    out
}

fn title(of: &Comparison) -> String {
    match of.regressions() {
        0 => "no regression".to_owned(),
        n => plural(n, "regression"),
    }
}

macro_rules! line {
    ($out:expr $(, $($arg:tt)*)?) => {
        writeln!($out $(, $($arg)*)?).expect("a string takes any text")
    };
}

pub(super) fn comparison(of: &Comparison, told: Told) -> String {
    let mut out = String::new();
    line!(out, "## {}: {}", if of.regressed() { "FAIL" } else { "PASS" }, title(of));
    line!(out);
    let (base, new) = (escaped(&of.base), escaped(&of.new));
    let runs = (plural(of.runs.0, "run"), plural(of.runs.1, "run"));
    line!(out, "{base} ({}) against {new} ({}). {}.", runs.0, runs.1, words::sum(of));
    if let Some(note) = words::unjudged(of) {
        line!(out, "\n_Note: {}._", escaped(note));
    }
    for case in of.cases.iter().filter(|case| told.all || Mark::of(case) != Mark::Same) {
        one(&mut out, case, told);
    }
    let same: Vec<_> = of.cases.iter().filter(|case| Mark::of(case) == Mark::Same).collect();
    if !same.is_empty() && !told.all {
        let scenarios = plural(same.len() as u64, "scenario");
        line!(out, "\n<details><summary>{scenarios} as before</summary>\n");
        for case in same {
            line!(out, "- {}: {}", escaped(&words::title(case)), words::why_same(case));
        }
        line!(out, "\n</details>");
    }
    for (i, (word, text)) in words::one_sided_cases(of).iter().enumerate() {
        let gap = if i == 0 {
            "
"
        } else {
            ""
        };
        line!(out, "{gap}- **{word}** {}", escaped(text));
    }
    out
}

fn one(out: &mut String, case: &CaseComparison, told: Told) {
    line!(out, "\n### {}: {}\n", Mark::of(case).text(), escaped(&words::title(case)));
    if let Some(sides) = words::sides(case) {
        line!(out, "{}\n", escaped(&sides));
    }
    if let Some(why) = words::measured_otherwise(case) {
        line!(out, "_{}._\n", escaped(why));
    }
    for failure in &case.failures {
        let (word, text) = words::failure(failure, case);
        line!(out, "- **{word}** {}", escaped(&text));
    }
    if !case.failures.is_empty() {
        line!(out);
    }
    let shown = |metric: &&MetricChange| {
        words::is_told(metric) || (told.all && !is_informational(&metric.name))
    };
    let metrics: Vec<_> = case.metrics.iter().filter(shown).collect();
    table(out, &metrics);
    for (word, text) in words::one_sided(case) {
        line!(out, "- **{word}** {}", escaped(&text));
    }
    let rest = words::untold(case).filter(|_| !told.all);
    let mut beside = words::beside(case, false)
        .into_iter()
        .map(|(group, cells)| format!("{group}: {}", cells.join(", ")));
    let rest: Vec<String> =
        rest.into_iter().chain(&mut beside).map(|text| escaped(&text)).collect();
    if !rest.is_empty() {
        line!(out, "{}.", rest.join(". "));
    }
}

fn table(out: &mut String, metrics: &[&MetricChange]) {
    if metrics.is_empty() {
        return;
    }
    let seeds = metrics.iter().any(|metric| words::seeds(metric).is_some());
    let (heading, rule) = if seeds { (" seeds |", " --- |") } else { ("", "") };
    line!(out, "| | metric | base | new | change | |{heading}");
    line!(out, "| --- | --- | ---: | ---: | ---: | ---: |{rule}");
    for metric in metrics {
        let [base, new, change, percent] = words::cells(metric);
        let mark = match (metric.standing, &metric.tolerance) {
            (Standing::Regression, Some(tolerance)) => format!("**FAIL**, may be {tolerance}"),
            (standing, _) => words::standing(standing).to_owned(),
        };
        let cells =
            [mark, format!("`{}`", metric.name.replace('|', "\\|")), base, new, change, percent];
        line!(
            out,
            "| {} |{}",
            cells.join(" | "),
            match words::seeds(metric) {
                _ if !seeds => String::new(),
                None => " |".to_owned(),
                Some(seeds) => format!(" {} |", escaped(&seeds)),
            }
        );
    }
    line!(out);
}

pub(super) fn history(of: &History, told: Told) -> String {
    let mut out = String::new();
    let verdict = if of.regressed() { "FAIL" } else { "PASS" };
    line!(
        out,
        "## {verdict}: {} in the newest of {}",
        title(&of.latest),
        plural(of.files.len() as u64, "result")
    );
    line!(out);
    let (first, last) = (&of.files[0], &of.files[of.files.len() - 1]);
    line!(out, "From {} to {}. {}.", escaped(first), escaped(last), words::sum(&of.latest));
    if let Some(note) = words::unjudged(&of.latest) {
        line!(out, "\n_Note: {}._", escaped(note));
    }
    for case in of.latest.cases.iter().filter(|case| case.regressed()) {
        one(&mut out, case, Told { all: false, ..told });
    }
    for case in &of.cases {
        let shown = case
            .metrics
            .iter()
            .filter(|trend| told.all || (case.moved(trend) && !is_informational(&trend.name)));
        let shown: Vec<_> = shown.collect();
        if shown.is_empty() {
            continue;
        }
        line!(out, "\n### {}\n", escaped(&words::case(&case.case)));
        line!(out, "| metric | first | last | least | most | | steps |");
        line!(out, "| --- | ---: | ---: | ---: | ---: | --- | --- |");
        for trend in shown {
            let numbers = words::trend(trend).join(" | ");
            let steps: Vec<String> =
                trend.steps.iter().map(|step| escaped(&words::step(trend, step, of))).collect();
            let name = trend.name.replace('|', "\\|");
            let spark = words::sparkline(trend, 24);
            line!(out, "| `{name}` | {numbers} | {spark} | {} |", steps.join("; "));
        }
    }
    out
}
