//! `shrink`, and what `run` does with the failures that it finds: the smallest run that fails alike, its seed
//! file, and its story.

use std::io;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use serde::{Deserialize, Serialize};

use super::args::ShrinkArgs;
use super::telling::Failed;
use super::{Stop, Terminal, exit, output};
use crate::build_info::Build;
use crate::input::{InputError, Source};
use crate::report::{self, Explained};
use crate::seed_file::SeedFile;
use crate::shrink::{Effort, NotShrunk, Progress, Shrunk, Size};
use crate::suite::{Case, Finished, Suite};
use crate::units::{count, plural};
use crate::verdict::{Failure, FailureKind};
use crate::world::RunOptions;

/// So many failures of a sweep are shrunk; `shrink` takes the seed files of the others.
const MOST: usize = 3;

/// The failures of a sweep that differ, each as its first seed has it.
#[derive(Default)]
pub(super) struct Found(Vec<FoundOne>);

struct FoundOne {
    case: usize,
    failure: Failure,
    seed: u64,
    failed: Failed,
}

impl Found {
    /// Adds a run, if it failed in a way that is new.
    pub(super) fn add(&mut self, case: usize, finished: &Finished, failed: Option<Failed>) {
        let (Some(failed), Some(failure)) = (failed, finished.verdict.failures.first()) else {
            return;
        };
        let known = self.0.iter().any(|one| {
            one.case == case && one.failure.kind == failure.kind && one.failure.name == failure.name
        });
        if !known && self.0.len() < MOST {
            let (failure, seed) = (failure.clone(), finished.record.seed);
            self.0.push(FoundOne { case, failure, seed, failed });
        }
    }

    /// Shrinks and explains them, one after the other.
    pub(super) fn shrink<S: Clone + Send + 'static>(
        self,
        suite: &Suite<S>,
        options: &RunOptions,
        command: &str,
        mut tell: impl FnMut(Told) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        for one in self.0 {
            let bar = bar(Effort::default().runs);
            let outcome = suite.shrink(
                &one.failed.case,
                RunOptions { seed: one.seed, ..options.clone() },
                Some(&one.failure),
                Effort::default(),
                &mut |progress| show(&bar, progress),
            );
            bar.finish_and_clear();
            let explained = match outcome {
                Ok(shrunk) => told(suite, &shrunk, &one.failed.seed_file, None, command)?,
                Err(NotShrunk::NothingToShrink) => continue,
                Err(why) => {
                    let file = one.failed.seed_file.display();
                    super::complain(format_args!("note: {file} was not shrunk: {why}"));
                    continue;
                }
            };
            let FoundOne { case, failure: Failure { kind, name, .. }, .. } = one;
            tell(Told { case, kind, name, explained })?;
        }
        Ok(())
    }

    /// Takes what shards have told of them: each shard has explained those that it found, by its own first seeds, and
    /// the first seed of all is one of these.
    pub(super) fn told_by(
        self,
        shards: &[Told],
        mut tell: impl FnMut(Told) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        for one in self.0 {
            let is_it = |told: &&Told| {
                (told.case, told.explained.seed) == (one.case, one.seed)
                    && (told.kind, &told.name) == (one.failure.kind, &one.failure.name)
            };
            if let Some(told) = shards.iter().find(is_it) {
                tell(told.clone())?;
            }
        }
        Ok(())
    }
}

/// A failure that was explained, and what it is known by.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Told {
    /// The number of its case.
    pub(super) case: usize,
    /// What failed, as it was found.
    pub(super) kind: FailureKind,
    pub(super) name: String,
    pub(super) explained: Explained,
}

/// Writes the smaller seed file beside the one that was shrunk (or into `out`), and explains it.
fn told<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    shrunk: &Shrunk,
    original: &Path,
    out: Option<&Path>,
    command: &str,
) -> Result<Explained, Stop> {
    let folder = out.unwrap_or_else(|| folder_of(original));
    let name = format!("{}-shrunk.toml", stem(original));
    Explained::kept(suite, shrunk, |seed_file| seed_file.write_as(folder, &name, command))
        .map_err(|error| Stop::Io(format!("write a seed file into {}", folder.display()), error))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn stem(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let stem = stem.unwrap_or_else(|| "seed".to_owned());
    stem.strip_suffix("-shrunk").map_or(stem.clone(), str::to_owned)
}

pub(super) fn shrink<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    args: &ShrinkArgs,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Stop> {
    let read = |path: &Path| -> Result<(SeedFile, Case), InputError> {
        let source = Source::read(path)?;
        let seed_file = SeedFile::parse(&source)?;
        let case = suite
            .replay_case(&seed_file)
            .map_err(|error| super::replay::placed(suite, &source, &seed_file, error))?;
        Ok((seed_file, case))
    };
    let (original, mut case) = read(&args.file)?;
    let folder = args.out.as_deref().unwrap_or_else(|| folder_of(&args.file));
    // What an interrupted search left: the smallest so far, of this very failure.
    let unfinished = folder.join(format!("{}-shrinking.toml", stem(&args.file)));
    if unfinished.exists()
        && let Ok((so_far, its_case)) = read(&unfinished)
        && so_far.failure.kind == original.failure.kind
        && so_far.failure.name == original.failure.name
        && so_far.seed == original.seed
    {
        super::complain(format_args!("going on from {}", unfinished.display()));
        case = its_case;
    }
    let effort = Effort { runs: args.runs, events: args.runs.saturating_mul(1_000) };
    let bar = bar(effort.runs);
    let build = Build::of_binary(suite.name(), suite.version());
    let mut not_kept: Option<io::Error> = None;
    let outcome = suite.shrink(
        &case,
        RunOptions {
            isolate: original.failure.kind == FailureKind::Crash,
            ..RunOptions::seed(original.seed)
        },
        Some(&original.failure),
        effort,
        &mut |progress| {
            if let Some((case, finished)) = progress.news {
                let so_far = SeedFile::of_failure(case, finished, &original.failure, build.clone());
                let kept = output::replace(&unfinished, &so_far.text(&terminal.command));
                not_kept = kept.err().or(not_kept.take());
            }
            show(&bar, progress);
        },
    );
    bar.finish_and_clear();
    if let Some(error) = not_kept {
        return Err(Stop::Io(format!("write {}", unfinished.display()), error));
    }
    let shrunk = outcome
        .map_err(|why| InputError::new(format!("{} was not shrunk: {why}", args.file.display())))?;
    let told = told(suite, &shrunk, &args.file, Some(folder), &terminal.command)?;
    // Its result has its own file now.
    let _ = std::fs::remove_file(&unfinished);
    let text = report::shrunk(&told, &terminal.command, terminal.coloured());
    terminal.print(&text)?;
    Ok(exit::FAILED)
}

fn bar(runs: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("shrinking: {pos} runs of at most {len}; {msg}")
        .expect("the template is a constant that is right");
    ProgressBar::with_draw_target(Some(runs), ProgressDrawTarget::stderr()).with_style(style)
}

fn show(bar: &ProgressBar, progress: Progress<'_>) {
    bar.set_position(progress.runs);
    if progress.news.is_some() {
        let Size { decisions, users, .. } = progress.size;
        let users = plural(users as u64, "user");
        bar.set_message(format!("{} decisions, {users} left", count(decisions as u64)));
    }
}
