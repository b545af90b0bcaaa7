//! `merge`: the shards of a sweep, as if one command had run them all.

use std::time::Duration;

use super::args::MergeArgs;
use super::output::Outputs;
use super::shard::read::Shards;
use super::telling::Telling;
use super::{Stop, Terminal};
use crate::build_info::Build;
use crate::clock::Clock;
use crate::report::{Kept, OneRun, Results};
use crate::suite::Suite;
use crate::world::RunOptions;

pub(super) fn merge<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    args: &MergeArgs,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Stop> {
    let shards = Shards::open(suite, &args.shards)?;
    let asked = shards.head.options;
    super::isolate::check(asked.isolate)?;
    // For reports that play a run again.
    let options = RunOptions {
        isolate: asked.isolate,
        hang_after: Duration::from_millis(asked.hang_after_ms),
        ..RunOptions::default()
    };
    let (cases, runs) = (&shards.cases, shards.order.runs());
    let Outputs { of_runs, of_all } = Outputs::open(&args.told, Clock::Virtual, cases, runs)?;
    let build = Build::of_source(suite.name(), suite.version());
    let seeds = shards.order.seeds.clone();
    let results = Results::new(build, &terminal.command, cases, seeds);
    let guarded = asked.check_determinism;
    let mut telling = Telling::new(&args.told, cases, results, of_all, guarded);
    let mut medians = Vec::new();
    telling.begin(terminal)?;
    for run in shards.runs()? {
        let (number, mut done) = run?;
        let seed = done.finished.record.seed;
        let seed_file = done.seed_file.as_deref();
        let run = OneRun { case: &done.case, finished: &done.finished, seed_file };
        let options = RunOptions { seed, ..options.clone() };
        done.printed = of_runs.write(suite, number, run, &options)?;
        if shards.medians[number] == seed {
            let (case, finished) = (done.case.clone(), done.finished.clone());
            medians.push((number, Kept { case, finished, seed_file: done.seed_file.clone() }));
        }
        telling.run(number, done, terminal)?;
    }
    telling.runs_are_over(None, terminal)?;
    let found = telling.take_found();
    found.told_by(&shards.explanations, |told| telling.explained(told.explained, terminal))?;
    if telling.needs_medians() {
        for (number, median) in medians {
            let case = telling.results().cases.iter_mut().find(|case| case.number == number);
            if let Some(case) =
                case.filter(|case| !case.kept.contains_key(&median.finished.record.seed))
            {
                case.keep(median);
            }
        }
    }
    telling.end(&of_runs, suite, &options, terminal)?;
    telling.code(terminal)
}
