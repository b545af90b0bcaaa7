//! Text for people: each run whole, or of a sweep the summary alone; then the failures that were shrunk.

use super::reporter::{Growing, Make, OneRun, Reporter};
use super::results::{Explained, Results};
use super::run::Detail;
use super::summary::replay_line;
use crate::shrink::Size;
use crate::units::plural;

/// Plain text, as a terminal shows it.
pub(super) const REPORTER: Reporter = Reporter {
    name: "text",
    about: "For people",
    extension: "txt",
    make: Make::AsTheyEnd(Growing {
        head: |_| String::new(),
        run: |results, run| text_of_run(results, *run, PLAIN),
        tail: |results| {
            let explained = results.explanations.iter();
            let explained =
                explained.map(|one| format!("\n{}", shrunk(one, &results.command, PLAIN.coloured)));
            end(results, None, PLAIN) + &explained.collect::<String>()
        },
    }),
};

const PLAIN: Detail = Detail { memory: true, coloured: false };

/// A run, where runs are told one by one.
pub(crate) fn text_of_run(results: &Results, run: OneRun<'_>, detail: Detail) -> String {
    if !results.single() {
        return String::new();
    }
    let scenario = &run.case.scenario;
    let load = scenario.workload().describe();
    let mut text = super::run(run.finished, scenario.about(), &load, detail);
    if let Some(file) = run.seed_file {
        text.push_str(&format!("  seed file      {}\n", file.display()));
    }
    text + "\n"
}

/// The end of all runs: every case in a line, what failed, what it came to.
pub(crate) fn end(results: &Results, wall_ns: Option<u64>, detail: Detail) -> String {
    let summaries: Vec<_> = results.cases.iter().map(|case| &case.summary).collect();
    let noun = results.cases.first().map_or("operation", |case| case.case.scenario.operation());
    let mut text = super::summary(&summaries, noun, &results.command, wall_ns, detail.coloured);
    if let Some(limits) = results.build.limits() {
        text.push_str(&format!("note: {limits}\n"));
    }
    if let Some(note) = results.of_part() {
        text.push_str(&format!("{note}\n"));
    }
    if let Some((points, failed)) = results.cancelled {
        let (points, failed) = (plural(points, "poll"), plural(failed, "run"));
        text.push_str(&format!("cancelled at each of {points} in turn: {failed} failed\n"));
    }
    text
}

/// A failure that was shrunk, and why it fails.
pub(crate) fn shrunk(of: &Explained, command: &str, coloured: bool) -> String {
    let [before, after] = sizes(of);
    let mut text = format!(
        "shrunk  {} on {}, seed {}\n  {before}\n  to {after} in {}\n",
        of.scenario,
        of.system,
        of.seed,
        plural(of.runs, "run"),
    );
    for (path, value) in &of.set {
        text.push_str(&format!("  set            {path} = {value}\n"));
    }
    let line = replay_line(command, &of.seed_file);
    text.push_str(&format!("  replay         {line}\n"));
    if !of.minimal {
        text.push_str(&format!("  {NOT_MINIMAL}\n"));
    }
    text.push('\n');
    text.push_str(&super::explanation(&of.explanation, coloured));
    text
}

/// What is said of a search that found no end.
pub(super) const NOT_MINIMAL: &str =
    "note: the search ended at its bound; `shrink` of that file goes on";

/// How large the failure was, and how large it is.
pub(super) fn sizes(of: &Explained) -> [String; 2] {
    [size(of.sizes.0), size(of.sizes.1)]
}

fn size(size: Size) -> String {
    format!(
        "{}, {}, {}, {}",
        plural(size.decisions as u64, "decision"),
        plural(size.users as u64, "user"),
        plural(size.iterations as u64, "iteration"),
        plural(size.events, "event"),
    )
}
