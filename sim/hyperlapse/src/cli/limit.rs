//! `limit`: the breaking point of a scenario.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::args::{LimitArgs, TextOrJson};
use super::{Stop, Terminal, exit};
use crate::build_info::Build;
use crate::limit::{Limit, LimitOptions};
use crate::report;
use crate::seed_file::SeedFile;
use crate::suite::{Case, Suite};

pub(super) fn limit<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    args: &LimitArgs,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Stop> {
    crate::isolate::check(args.isolate)?;
    let case = super::run::case(suite, &args.scenario, args.system.as_deref(), &args.set)?;
    let mut options = LimitOptions {
        vary: args.vary.clone(),
        from: args.from.clone(),
        to: args.to.clone(),
        tolerance: args.tolerance.clone(),
        lower: args.lower,
        all_thresholds: args.all_thresholds,
        at_least: args.at_least.clone(),
        seeds: args.seeds.clone(),
        isolate: args.isolate,
        hang_after: args.hang_after,
        ..LimitOptions::default()
    };
    if let Some(jobs) = args.jobs {
        options.jobs = jobs.get();
    }
    let bar = bar();
    let found = suite.limit_with(&case, &options, &mut |progress| {
        bar.set_position(progress.runs);
        bar.set_message(progress.known);
    });
    bar.finish_and_clear();
    let found = found?;
    let seed_file = seed_file(suite, &case, &options, &found, args, &terminal.command)?;
    let text = match args.format {
        TextOrJson::Text => {
            let replayed = seed_file.as_deref().map(|file| (file, terminal.command.as_str()));
            report::limit(&found, case.scenario.about(), replayed, terminal.coloured())
        }
        TextOrJson::Json => {
            let build = Build::of_source(suite.name(), suite.version());
            report::limit_json(&found, &build, seed_file.as_deref())
        }
    };
    terminal.print(&text)?;
    Ok(if found.is_enough() { exit::HELD } else { exit::FAILED })
}

/// Writes the run with which it broke first, as a seed file.
fn seed_file<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    case: &Case,
    options: &LimitOptions,
    found: &Limit,
    args: &LimitArgs,
    command: &str,
) -> Result<Option<PathBuf>, Stop> {
    let (Some((.., failure)), Some((case, finished))) =
        (found.first_break(), suite.run_first_break(case, found, options)?)
    else {
        return Ok(None);
    };
    let build = Build::of_binary(suite.name(), suite.version());
    // A system that is not deterministic may hold now.
    let Some(seed_file) = SeedFile::of(&case, &finished, build) else { return Ok(None) };
    // What may have failed beside it is left out of account: see `Limit::ignored`.
    let seed_file = SeedFile { failure: failure.clone(), ..seed_file };
    match seed_file.write(&args.out, command) {
        Ok(path) => Ok(Some(path)),
        Err(error) => {
            // Not lost, even so.
            super::complain(format_args!("{}", seed_file.text(command)));
            Err(Stop::Io(format!("write a seed file into {}", args.out.display()), error))
        }
    }
}

/// For people; nothing where standard error is not a terminal.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {pos} runs, {elapsed}; {msg}")
        .expect("the template is a constant that is right");
    ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()).with_style(style)
}
