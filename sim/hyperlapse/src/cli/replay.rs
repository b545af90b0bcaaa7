//! `replay`: seed files again. A replay that is not what its file expects says so and why.

use super::args::ReplayArgs;
use super::{Stop, Terminal, exit};
use crate::build_info::Build;
use crate::event::Keep;
use crate::input::{InputError, Source};
use crate::replay::compare;
use crate::report::{self, Detail};
use crate::seed_file::{Expect, SeedFile};
use crate::suite::Suite;
use crate::verdict::{Failure, FailureKind};
use crate::world::RunOptions;

pub(super) fn replay<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    args: &ReplayArgs,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Stop> {
    crate::isolate::check(args.isolate)?;
    // All are read before any is run: a slip in the last one is not found after minutes.
    let mut cases = Vec::new();
    for path in &args.files {
        let source = Source::read(path)?;
        let seed_file = SeedFile::parse(&source)?;
        let case = suite
            .replay_case(&seed_file)
            .map_err(|error| placed(suite, &source, &seed_file, error))?;
        cases.push((path, seed_file, case));
    }
    let build = Build::of_binary(suite.name(), suite.version());
    let mut code = exit::HELD;
    for (i, (path, seed_file, case)) in cases.iter().enumerate() {
        if i > 0 {
            terminal.print("\n")?;
        }
        let isolate = args.isolate || seed_file.failure.kind == FailureKind::Crash;
        let options = RunOptions { isolate, ..RunOptions::seed(seed_file.seed) };
        let mut finished = suite.run_with(case, options.clone());
        let mut replayed = compare(seed_file, &finished);
        if args.trace || finished.record.fingerprint != seed_file.fingerprint {
            // Once more with every event kept, to show them or to find the first that differs. What is
            // judged is the first run: keeping events takes memory.
            let traced = RunOptions { keep: Keep::All, ..options };
            finished.record.kept_events = suite.run_with(case, traced).record.kept_events;
            replayed = compare(seed_file, &finished);
        }
        if args.trace {
            for event in &finished.record.kept_events {
                terminal.print(&format!("{event}\n"))?;
            }
            terminal.print("\n")?;
        }
        let detail = Detail { memory: true, coloured: terminal.coloured() };
        let load = case.scenario.workload().describe();
        terminal.print(&report::run(&finished, case.scenario.about(), &load, detail))?;
        let explained = replayed.explain(seed_file, &finished, &build);
        terminal.print(&format!("\n{}: {explained}", path.display()))?;
        if args.explain {
            let same =
                |f: &&Failure| f.kind == seed_file.failure.kind && f.name == seed_file.failure.name;
            let failures = &finished.verdict.failures;
            if let Some(failure) = failures.iter().find(same).or(failures.first()) {
                let explanation = suite.explain(case, &finished, failure);
                let text = report::explanation(&explanation, terminal.coloured());
                terminal.print(&format!("\n{text}"))?;
            }
        }
        code = code.max(if replayed.is_nondeterminism(seed_file, &finished, &build) {
            exit::NONDETERMINISM
        } else if seed_file.expect == Expect::Pass && replayed.as_expected(Expect::Pass) {
            exit::HELD
        } else {
            // The failure is there, or the file does not say what is true any more.
            exit::FAILED
        });
    }
    Ok(code)
}

/// The error of a case that cannot be made, with its place in the seed file that tells of it.
pub(super) fn placed<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    source: &Source,
    seed_file: &SeedFile,
    error: InputError,
) -> InputError {
    let at = |keys: &[&str]| error.clone().at(source, SeedFile::place(source, keys));
    // One part after the other is taken in: the part that the error comes with is what is wrong.
    if suite.case_told(seed_file, None, &[]).is_err() {
        return match seed_file.text {
            None => at(&["scenario"]),
            // Its place is one within that text, which is shown.
            Some(_) => error.context(format_args!("in `text` of {}", source.name)),
        };
    }
    let set = seed_file.overrides();
    for taken in 0..=set.len() {
        if suite.case_told(seed_file, Some(&seed_file.system), &set[..taken]).is_err() {
            return match taken.checked_sub(1) {
                None => at(&["system"]),
                Some(last) => at(&["set", &set[last].path]),
            };
        }
    }
    match seed_file.strategy().is_err() {
        true => at(&["strategy"]),
        false => error,
    }
}
