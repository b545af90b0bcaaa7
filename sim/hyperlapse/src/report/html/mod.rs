//! One page that holds everything: the verdict first, what failed and the line that replays it, then each scenario
//! with its figures, its charts on one time axis, and the story of its failure.
//!
//! The page needs nothing but itself: no network, no script. It is written by a template that escapes every word of
//! the run; only charts, which escape their own, go in as they are. Its bytes repeat for the same runs, but for what
//! it marks as of this build (`of-build`): heap bytes.
//!
//! | module | what it makes |
//! | --- | --- |
//! | [`verdict`] | what failed, in plain words |
//! | [`case`] | a scenario: figures, judgements, tables |
//! | [`over_time`] | charts over virtual time |
//! | [`spread`] | how far the seeds of a sweep lie apart |
//! | [`story`] | a failure, step by step |

mod case;
mod over_time;
mod spread;
mod story;
#[cfg(test)]
mod tests;
mod verdict;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value};
use serde::Serialize;

use super::reporter::{Make, Reporter};
use super::results::Results;
use super::svg;

/// One self-contained page.
pub(super) const REPORTER: Reporter = Reporter {
    name: "html",
    about: "One page for a browser: verdict, charts, the story of a failure; works offline",
    extension: "html",
    make: Make::Whole(page),
};

/// What the template is given.
#[derive(Debug, Serialize)]
struct Page<'a> {
    style: String,
    word: &'static str,
    passed: bool,
    sweep: bool,
    headline: String,
    subline: String,
    broken: Vec<verdict::Broken>,
    cases: Vec<case::Case<'a>>,
    notes: Vec<String>,
    /// Whether the same seed gives the page again.
    repeats: bool,
    clock: &'static str,
    build: String,
}

/// A name with a value, and what may be said beside it.
#[derive(Debug, Serialize)]
struct Figure {
    name: &'static str,
    value: String,
    more: String,
}

/// The page of these results.
fn page(results: &Results) -> String {
    let passed = results.passed();
    let (headline, subline) = verdict::headline(results);
    let page = Page {
        style: [svg::STYLE, include_str!("style.css")].concat(),
        word: if passed { "PASS" } else { "FAIL" },
        passed,
        sweep: !results.single(),
        headline,
        subline,
        broken: verdict::broken(results),
        cases: (0..results.cases.len()).map(|n| case::case(results, n)).collect(),
        notes: results
            .build
            .limits()
            .map(str::to_owned)
            .into_iter()
            .chain(results.of_part())
            .collect(),
        repeats: results.clock.is_virtual(),
        clock: results.clock.text(),
        build: format!("{}, hyperlapse {}", results.build.suite, results.build.hyperlapse),
    };
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the delimiters are those that it knows"));
    let templates = [
        ("page.html", include_str!("page.html")),
        ("case.html", include_str!("case.html")),
        ("story.html", include_str!("story.html")),
    ];
    for (name, source) in templates {
        environment.add_template(name, source).expect("the templates are constants that are right");
    }
    environment.add_function("mark", mark);
    let template = environment.get_template("page.html").expect("it was added");
    template.render(Serde(page)).expect("the template knows what it is given")
}

/// A verdict as a small box.
fn mark(passed: bool) -> Value {
    let (class, word) = if passed { ("good", "PASS") } else { ("bad", "FAIL") };
    Value::from_safe_string(format!("<span class=\"mark {class}\">{word}</span>"))
}

/// Where a case stands in the page.
fn id(case: usize) -> String {
    format!("case-{}", case + 1)
}

/// Where a story stands in the page, by its number among all.
fn story_id(story: usize) -> String {
    format!("story-{}", story + 1)
}
