//! How far the seeds of a sweep lie apart, and which of them failed.

use serde::Serialize;

use super::super::results::{CaseResults, RunLine};
use super::super::svg::{Dot, Row, Unit, strip};
use crate::units::{count, plural};
use crate::verdict::Failure;

/// So many failed seeds are named.
const NAMED: usize = 50;
/// So many seeds have a dot of their own; of more, those that failed and as many of the others as there is room
/// for, evenly.
const DOTS: usize = 1_000;

/// What the template is given.
#[derive(Debug, Serialize)]
pub(super) struct Spread {
    charts: Vec<String>,
    failed: Vec<FailedSeed>,
    /// How many are not named.
    more: Option<String>,
}

#[derive(Debug, Serialize)]
struct FailedSeed {
    seed: u64,
    what: String,
    file: String,
}

/// The spread of a sweep.
pub(super) fn spread(of: &CaseResults) -> Spread {
    let mut charts = Vec::new();
    let shown = shown(&of.runs);
    let about = match shown.len() == of.runs.len() {
        true => format!("a dot for each of {}", plural(shown.len() as u64, "seed")),
        false => format!("{} of {} seeds", count(shown.len() as u64), count(of.runs.len() as u64)),
    };
    let mut chart = |name: &str, unit: Unit<'_>, value: &dyn Fn(&RunLine) -> Option<u64>| {
        let dot = |run: &&RunLine| {
            Some(Dot {
                value: i64::try_from(value(run)?).unwrap_or(i64::MAX),
                class: if run.passed { "good" } else { "bad" },
                name: format!("seed {}", run.seed),
            })
        };
        let dots: Vec<Dot> = shown.iter().filter_map(dot).collect();
        let differ = dots.iter().any(|dot| dot.value != dots[0].value);
        // Where all are the same there is nothing to see but that.
        if differ {
            charts.push(strip(
                &format!("{name}, {about}"),
                "",
                unit,
                &[Row { name: "", dots: &dots }],
            ));
        }
    };
    let answered = |run: &RunLine| (run.completed > 0).then_some(run.p95_ns);
    chart("Response p95", Unit::Time, &answered);
    chart("Refusals", Unit::Count, &|run| Some(run.refused));
    chart("Completions", Unit::Count, &|run| Some(run.completed));
    chart("Throughput", Unit::Rate, &|run| run.throughput_milli);
    let failed: Vec<&RunLine> = of.runs.iter().filter(|run| !run.passed).collect();
    let more = failed.len().saturating_sub(NAMED) as u64;
    Spread {
        charts,
        failed: failed.iter().take(NAMED).map(|run| named(run)).collect(),
        more: (more > 0).then(|| format!("and {}", plural(more, "more seed"))),
    }
}

/// Those that have a dot.
fn shown(runs: &[RunLine]) -> Vec<&RunLine> {
    let failed = runs.iter().filter(|run| !run.passed).count();
    let others = runs.len() - failed;
    let room = DOTS.saturating_sub(failed).max(1);
    let each = others.div_ceil(room).max(1);
    let mut nth = 0;
    let mut take = |run: &&RunLine| {
        let other = usize::from(run.passed);
        nth += other;
        other == 0 || (nth - 1).is_multiple_of(each)
    };
    runs.iter().filter(|run| take(run)).collect()
}

fn named(run: &RunLine) -> FailedSeed {
    let name = |failure: &Failure| format!("{} {}", failure.kind.text(), failure.name);
    let names: Vec<String> = run.failures.iter().map(name).collect();
    FailedSeed {
        seed: run.seed,
        what: names.join("; "),
        file: run.seed_file.as_ref().map_or(String::new(), |file| file.display().to_string()),
    }
}
