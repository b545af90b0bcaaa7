//! Where reports go: one to standard output, any number of them into files.
//!
//! A file appears under its name whole or not at all, its folder is made where it is missing, and a file of that
//! name is replaced, since its user has named it. Within a folder reports have names that nothing else has:
//! `hyperlapse.html` for one of everything, `SCENARIO-SYSTEM-seed-N.csv` for one of each run.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Stop;
use super::args::{ReportArgs, ReportTo};
use crate::clock::Clock;
use crate::event::Keep;
use crate::input::InputError;
use crate::report::{Growing, Make, Needs, OneRun, REPORTERS, Reporter, Results};
use crate::suite::{Case, Finished, Suite};
use crate::units;
use crate::world::RunOptions;

/// Events that a report of one run gets at most: the last ones. About 100 bytes each.
pub(super) const EVENTS: usize = 200_000;

/// The reports that were asked for.
pub(super) struct Outputs {
    pub(super) of_runs: OfRuns,
    pub(super) of_all: OfAll,
}

/// Those of which each run has a file: written as soon as it is over, from any thread.
pub(super) struct OfRuns {
    /// The one on standard output, where it is one of these.
    printed: Option<&'static Reporter>,
    files: Vec<(&'static Reporter, Each)>,
    /// What files of runs are called, by the number of their case.
    stems: Vec<String>,
}

/// Where files of single runs go.
enum Each {
    Folder(PathBuf),
    /// There is one run.
    File(PathBuf),
}

/// Those with one file of everything.
pub(super) struct OfAll {
    growing: Vec<(Growing, Target)>,
    whole: Vec<(OfResults, Target)>,
    /// A folder for everything: there each run that is kept has its files too.
    folder: Option<PathBuf>,
    /// What is told of it at the end.
    told: Vec<(&'static str, PathBuf)>,
}

type OfResults = fn(&Results) -> String;

/// A file that is being written.
struct Target {
    path: PathBuf,
    file: NamedTempFile,
}

impl Outputs {
    /// Opens what was asked for, before anything is run.
    ///
    /// # Errors
    /// When one file is asked for and there are several to be written, two reports have the same path, or the file
    /// system refuses.
    pub(super) fn open(
        args: &ReportArgs,
        clock: Clock,
        cases: &[Case],
        runs: u64,
    ) -> Result<Self, Stop> {
        let of_one = |reporter: &Reporter| matches!(reporter.make, Make::EachRun { .. });
        if of_one(args.format) && runs > 1 {
            let (name, runs) = (args.format.name, units::count(runs));
            let error = format!("--format {name} prints one run, and these are {runs}");
            let help = format!(
                "name one scenario and one seed, or a folder for all: --report {name}=DIR/"
            );
            return Err(InputError::new(error).help(help).into());
        }
        let printed = Some(args.format).filter(|reporter| of_one(reporter));
        let of_runs = OfRuns { printed, files: Vec::new(), stems: stems(cases) };
        let folder = args.report_dir.clone();
        let of_all =
            OfAll { growing: Vec::new(), whole: Vec::new(), folder: folder.clone(), told: vec![] };
        let mut this = Self { of_runs, of_all };
        let mut paths: Vec<PathBuf> = Vec::new();
        for ReportTo { reporter, path } in &args.reports {
            let folder = is_folder(path);
            if of_one(reporter) && !folder && runs > 1 {
                let (name, path, runs) = (reporter.name, path.display(), units::count(runs));
                let error =
                    format!("--report {name}={path} is one file, and these are {runs} runs");
                let help = format!("a folder ends with a slash: --report {name}={path}/");
                return Err(InputError::new(error).help(help).into());
            }
            let path = match folder && !of_one(reporter) {
                true => path.join(file_name(reporter)),
                false => path.clone(),
            };
            if !(of_one(reporter) && folder) && paths.contains(&path) {
                let error = format!("two reports are to be written to {}", path.display());
                return Err(InputError::new(error).into());
            }
            paths.push(path.clone());
            this.add(reporter, path, folder)?;
        }
        if let Some(folder) = folder {
            let whole = |reporter: &&Reporter| !of_one(reporter) && clock.can_be_told_by(reporter);
            for reporter in REPORTERS.iter().filter(whole) {
                let path = folder.join(file_name(reporter));
                if !paths.contains(&path) {
                    this.add(reporter, path, false)?;
                }
            }
        }
        Ok(this)
    }

    fn add(&mut self, of: &'static Reporter, path: PathBuf, folder: bool) -> Result<(), Stop> {
        // What stands in the folder of everything is told with it.
        if self.of_all.folder.as_ref().is_none_or(|folder| path.parent() != Some(folder)) {
            self.of_all.told.push((of.name, path.clone()));
        }
        match of.make {
            Make::Whole(make) => self.of_all.whole.push((make, Target::open(path)?)),
            Make::AsTheyEnd(growing) => self.of_all.growing.push((growing, Target::open(path)?)),
            Make::EachRun { .. } => self.of_runs.files.push(match folder {
                true => (of, Each::Folder(path)),
                false => (of, Each::File(path)),
            }),
        }
        Ok(())
    }
}

impl OfRuns {
    /// Writes the reports of one run. Gives what is to be printed of it.
    pub(super) fn write<S: Clone + Send + 'static>(
        &self,
        suite: &Suite<S>,
        case: usize,
        run: OneRun<'_>,
        options: &RunOptions,
    ) -> Result<Option<String>, Stop> {
        let mut again = Again::default();
        for (reporter, to) in &self.files {
            let path = match to {
                Each::File(path) => path.clone(),
                Each::Folder(folder) => self.path(folder, reporter, case, run.finished),
            };
            write(&path, &of_run(reporter, suite, run, options, &mut again))?;
        }
        Ok(self.printed.map(|reporter| of_run(reporter, suite, run, options, &mut again)))
    }

    fn path(&self, folder: &Path, reporter: &Reporter, case: usize, of: &Finished) -> PathBuf {
        let seed = of.record.seed;
        folder.join(format!("{}-seed-{seed}.{}", self.stems[case], reporter.extension))
    }
}

impl OfAll {
    /// Whether a report is made from what is kept at the end.
    pub(super) fn needs_kept(&self) -> bool {
        !self.whole.is_empty() || self.folder.is_some()
    }

    /// Before the first run.
    pub(super) fn begin(&mut self, results: &Results) -> Result<(), Stop> {
        self.grow(|growing| (growing.head)(results))
    }

    /// A run, in order, before it is added to the results.
    pub(super) fn run(&mut self, results: &Results, run: &OneRun<'_>) -> Result<(), Stop> {
        self.grow(|growing| (growing.run)(results, run))
    }

    /// The end: writes everything that is not written yet. Gives what people are told of it.
    pub(super) fn end<S: Clone + Send + 'static>(
        mut self,
        of_runs: &OfRuns,
        suite: &Suite<S>,
        results: &Results,
        options: &RunOptions,
    ) -> Result<String, Stop> {
        self.grow(|growing| (growing.tail)(results))?;
        for (_, target) in self.growing {
            target.close()?;
        }
        for (make, mut target) in self.whole {
            target.write(&make(results))?;
            target.close()?;
        }
        if let Some(folder) = self.folder {
            for case in &results.cases {
                for kept in case.kept.values() {
                    let seed = kept.finished.record.seed;
                    let options = RunOptions { seed, ..options.clone() };
                    let mut again = Again::default();
                    let clock = options.clock;
                    let of_one = |one: &&Reporter| {
                        matches!(one.make, Make::EachRun { .. }) && clock.can_be_told_by(one)
                    };
                    for reporter in REPORTERS.iter().filter(of_one) {
                        let run = kept.as_run();
                        let text = of_run(reporter, suite, run, &options, &mut again);
                        write(&of_runs.path(&folder, reporter, case.number, run.finished), &text)?;
                    }
                }
            }
            self.told.push(("all", folder));
        }
        let told = self.told.iter();
        Ok(told.map(|(name, path)| format!("report  {name:<8}  {}\n", path.display())).collect())
    }

    fn grow(&mut self, part: impl Fn(&Growing) -> String) -> Result<(), Stop> {
        for (growing, target) in &mut self.growing {
            target.write(&part(growing))?;
        }
        Ok(())
    }
}

/// What the one file of a format is called within a folder.
fn file_name(reporter: &Reporter) -> String {
    format!("hyperlapse.{}", reporter.extension)
}

/// A run played again, once a report has asked for more than every run has.
#[derive(Default)]
struct Again {
    traced: Option<Finished>,
    profiled: Option<Finished>,
}

/// The report of one run.
fn of_run<S: Clone + Send + 'static>(
    reporter: &Reporter,
    suite: &Suite<S>,
    run: OneRun<'_>,
    options: &RunOptions,
    again: &mut Again,
) -> String {
    let Make::EachRun { make, needs } = reporter.make else {
        unreachable!("{} is no report of one run", reporter.name)
    };
    let finished = match needs {
        Needs::Nothing => return make(&run),
        // It has kept its events: played again it would be another run.
        Needs::Events if options.clock == Clock::Real => return make(&run),
        Needs::Events => again.traced.get_or_insert_with(|| {
            let options = RunOptions { keep: Keep::Last(EVENTS), ..options.clone() };
            suite.run_with(run.case, options)
        }),
        Needs::Profile => again.profiled.get_or_insert_with(|| {
            // Another process could not hand over where its time went.
            let options = RunOptions { profile: true, isolate: false, ..options.clone() };
            suite.run_with(run.case, options)
        }),
    };
    let record = &run.finished.record;
    if finished.record.fingerprint != record.fingerprint {
        super::complain(format_args!(
            "note: {} on {} came to other events when seed {} was run again for {}",
            record.scenario, record.system, record.seed, reporter.name
        ));
    }
    make(&OneRun { finished, ..run })
}

/// Scenario and system, in letters that every file system takes; a number where another case has the same.
fn stems(cases: &[Case]) -> Vec<String> {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let mut stems: Vec<String> = Vec::new();
    for case in cases {
        let name = format!("{}-{}", case.scenario.name(), case.system);
        let name: String = name.chars().map(safe).take(120).collect();
        let numbered = |n: u32| if n == 1 { name.clone() } else { format!("{name}-{n}") };
        let free = (1..).map(numbered).find(|stem| !stems.contains(stem));
        stems.push(free.expect("the numbers do not run out"));
    }
    stems
}

/// Whether a path means a folder: there is one, or it ends with a separator.
fn is_folder(path: &Path) -> bool {
    let text = path.as_os_str().to_string_lossy();
    text.ends_with(std::path::is_separator) || path.is_dir()
}

impl Target {
    fn open(path: PathBuf) -> Result<Self, Stop> {
        match temporary(&path) {
            Ok(file) => Ok(Self { path, file }),
            Err(error) => Err(cannot_write(&path, error)),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), Stop> {
        self.file.write_all(text.as_bytes()).map_err(|error| cannot_write(&self.path, error))
    }

    fn close(self) -> Result<(), Stop> {
        let closed: Result<File, _> = self.file.persist(&self.path);
        closed.map(drop).map_err(|error| cannot_write(&self.path, error.error))
    }
}

/// Writes a file anew, whole or not at all.
fn write(path: &Path, text: &str) -> Result<(), Stop> {
    replace(path, text).map_err(|error| cannot_write(path, error))
}

/// Writes a file of ours anew, whole or not at all.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut file = temporary(path)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

pub(super) fn cannot_write(path: &Path, error: io::Error) -> Stop {
    Stop::Io(format!("write {}", path.display()), error)
}

/// A file beside `path`, to be renamed to it.
pub(super) fn temporary(path: &Path) -> io::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any file that a command writes: temporary ones are their owner's alone.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
