//! Markdown for a pull request: the verdict in a table, what failed with the line that replays it, and the report
//! of each scenario to be unfolded.
//!
//! Short, and never longer than what a comment holds. Heap bytes are those of one build and stay out, so that the
//! same source gives the same comment.

use super::reporter::{Make, Reporter};
use super::results::{CaseResults, Results};
use super::run::Detail;
use super::style::Style;
use super::summary::{replay_line, span};
use crate::clock::Clock;
use crate::units::{count, plural, seconds};

/// For pull requests.
pub(super) const REPORTER: Reporter = Reporter {
    name: "markdown",
    about: "Markdown for a pull request",
    extension: "md",
    make: Make::Whole(markdown),
};

/// GitHub takes 65,536 characters in a comment.
const MOST: usize = 60_000;

/// So many failures of a case are told, each of another kind or name.
const FAILURES: usize = 8;

fn markdown(results: &Results) -> String {
    let failed = results.cases.iter().filter(|case| !case.passed()).count() as u64;
    let scenarios = plural(results.cases.len() as u64, "scenario");
    let verdict = match failed {
        0 => format!("✅ {scenarios}: all held"),
        failed => format!("❌ {scenarios}: {} failed", count(failed)),
    };
    let mut text = format!("### {verdict}\n\n");
    if let Some(note) = results.of_part() {
        text.push_str(&format!("This is {note}.\n\n"));
    }
    table(results, &mut text);
    for case in results.cases.iter().filter(|case| !case.passed()) {
        failures(results, case, &mut text);
    }
    let mut left_out = 0;
    for case in &results.cases {
        let details = details(results, case);
        match text.len() + details.len() < MOST {
            true => text.push_str(&details),
            false => left_out += 1,
        }
    }
    if left_out > 0 {
        let left_out = plural(left_out, "scenario");
        text.push_str(&format!("The details of {left_out} would be too long here.\n\n"));
    }
    let build = &results.build;
    text.push_str(&format!("<sub>{}, {}", build.suite, seeds(results)));
    text.push_str(match results.clock {
        Clock::Virtual => ", the same for the same source</sub>\n",
        Clock::Real => ", on the real clock: another run comes to other figures</sub>\n",
    });
    text
}

fn seeds(results: &Results) -> String {
    match results.single() {
        true => format!("seed {}", results.seeds.start),
        false => format!("seeds {}..{}", results.seeds.start, results.seeds.end),
    }
}

fn table(results: &Results, text: &mut String) {
    let sweep = !results.single();
    let more = if sweep { " seeds | failed |" } else { "" };
    text.push_str(&format!(
        "| | scenario | system |{more} completed | refused | p95 | {} |\n",
        results.clock.time()
    ));
    let more = if sweep { "--:|--:|" } else { "" };
    text.push_str(&format!("|:-:|---|---|{more}--:|--:|--:|--:|\n"));
    for case in &results.cases {
        let summary = &case.summary;
        let mark = if case.passed() { "✅" } else { "❌" };
        let runs = match sweep {
            true => format!(" {} | {} |", count(summary.runs), count(summary.failed)),
            false => String::new(),
        };
        let p95 = match summary.p95_ns {
            None => "-".to_owned(),
            Some((low, high)) if low == high => seconds(low),
            Some((low, high)) => span(&seconds(low), &seconds(high)),
        };
        text.push_str(&format!(
            "| {mark} | {} | {} |{runs} {} | {} | {p95} | {} |\n",
            cell(case.case.scenario.name()),
            cell(&case.case.system),
            count(summary.completed),
            count(summary.refused),
            seconds(summary.virtual_ns)
        ));
    }
    text.push('\n');
}

/// What failed in a case, each failure once, with the line that replays its first seed.
fn failures(results: &Results, case: &CaseResults, text: &mut String) {
    let summary = &case.summary;
    text.push_str(&format!(
        "#### {} on {}\n\n",
        prose(case.case.scenario.name()),
        prose(&case.case.system)
    ));
    for missing in summary.broken_over_the_sweep() {
        text.push_str(&format!("- **sweep** {}\n", prose(&missing)));
    }
    for ((kind, name), group) in summary.failures.iter().take(FAILURES) {
        let of = match results.single() {
            true => String::new(),
            false => format!(
                " (in {} of {}, first in seed {})",
                count(group.seeds),
                plural(summary.runs, "seed"),
                group.first_seed
            ),
        };
        let (name, message) = (code(name), prose(&group.message));
        text.push_str(&format!("- **{}** {name}: {message}{of}\n", kind.text()));
    }
    let more = summary.failures.len().saturating_sub(FAILURES);
    if more > 0 {
        text.push_str(&format!("- and {more} more\n"));
    }
    text.push('\n');
    let files = summary.failures.values().filter_map(|group| group.seed_file.as_ref());
    let mut lines: Vec<String> = Vec::new();
    let explained = results
        .explanations
        .iter()
        .filter(|one| one.scenario == case.case.scenario.name() && one.system == case.case.system);
    for file in explained.map(|one| &one.seed_file).chain(files) {
        let line = replay_line(&results.command, file);
        if !lines.contains(&line) && lines.len() < FAILURES {
            lines.push(line);
        }
    }
    if !lines.is_empty() {
        text.push_str(&format!("```sh\n{}\n```\n\n", lines.join("\n")));
    }
}

/// The report of one run of a case, to be unfolded: the first that failed, or the first.
fn details(results: &Results, case: &CaseResults) -> String {
    const PLAIN: Detail = Detail { memory: false, coloured: false };
    let failed = case.kept.values().find(|kept| !kept.finished.verdict.passed());
    let Some(kept) = failed.or_else(|| case.kept.values().next()) else {
        return String::new();
    };
    let scenario = &case.case.scenario;
    let load = scenario.workload().describe();
    let mut report = super::run(&kept.finished, scenario.about(), &load, PLAIN);
    if !results.single() {
        report.push('\n');
        let style = Style { coloured: false };
        case.summary.seen.table(&plural(case.summary.runs, "run"), &mut report, style);
    }
    // A fence that nothing within it can end.
    let fence = "`".repeat(longest_run_of_ticks(&report).max(2) + 1);
    format!(
        "<details><summary>{} on {}, seed {}</summary>\n\n{fence}text\n{}\n{fence}\n\n</details>\n\n",
        html(scenario.name()),
        html(&case.case.system),
        kept.finished.record.seed,
        report.trim_end()
    )
}

/// Text that Markdown and HTML take for nothing but text, in one line.
fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '@' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// In a cell of a table nothing may end the cell.
fn cell(text: &str) -> String {
    prose(text)
}

/// As code in a line: with more ticks around it than there are in it.
fn code(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    match longest_run_of_ticks(&text) {
        0 => format!("`{text}`"),
        ticks => {
            let fence = "`".repeat(ticks + 1);
            format!("{fence} {text} {fence}")
        }
    }
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn longest_run_of_ticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_system_says_stays_text() {
        assert_eq!(prose("a|b <script> @you\n*c*"), "a\\|b &lt;script> \\@you \\*c\\*");
        assert_eq!(code("a ``b`` c"), "``` a ``b`` c ```");
        assert_eq!(code("x < 5"), "`x < 5`");
    }
}
