//! `compare`: two results, or a folder of them. Exit code 1 when something got worse than it may.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{CompareArgs, CompareFormat};
use super::{Stop, Terminal, exit, output};
use crate::compare::{Comparison, History, Runs, Tolerances};
use crate::input::{InputError, Source};
use crate::report::compare::{self as report, Told};

pub(super) fn compare(args: &CompareArgs, terminal: &mut Terminal<'_>) -> Result<u8, Stop> {
    let mut tolerances = Tolerances::default();
    if let Some(path) = &args.tolerance_file {
        tolerances.add_file(&Source::read(path)?)?;
    }
    // Behind those of the file: what is later goes first.
    for text in &args.tolerance {
        tolerances.add(text)?;
    }
    let told = Told { all: args.all, coloured: terminal.coloured() };
    let of = match &args.new {
        Some(new) => Found::Two(Comparison::of(&read(&args.base)?, &read(new)?, &tolerances)?),
        None => Found::Many(History::of(&folder(&args.base)?, &tolerances)?),
    };
    for (format, path) in &args.reports {
        let text = of.text(*format, Told { coloured: false, ..told });
        output::replace(path, &text)
            .map_err(|error| Stop::Io(format!("write {}", path.display()), error))?;
    }
    terminal.print(&of.text(args.format, told))?;
    Ok(if of.regressed() { exit::FAILED } else { exit::HELD })
}

/// What was asked for.
enum Found {
    Two(Comparison),
    Many(History),
}

impl Found {
    fn regressed(&self) -> bool {
        match self {
            Found::Two(of) => of.regressed(),
            Found::Many(of) => of.regressed(),
        }
    }

    fn text(&self, format: CompareFormat, told: Told) -> String {
        match (self, format) {
            (Found::Two(of), CompareFormat::Text) => report::comparison(of, told),
            (Found::Two(of), CompareFormat::Markdown) => report::comparison_markdown(of, told),
            (Found::Two(of), CompareFormat::Html) => report::comparison_html(of),
            (Found::Two(of), CompareFormat::Json) => json(of, of.regressed()),
            (Found::Many(of), CompareFormat::Text) => report::history(of, told),
            (Found::Many(of), CompareFormat::Markdown) => report::history_markdown(of, told),
            (Found::Many(of), CompareFormat::Html) => report::history_html(of),
            (Found::Many(of), CompareFormat::Json) => json(of, of.regressed()),
        }
    }
}

fn read(path: &Path) -> Result<Runs, InputError> {
    if path.is_dir() {
        let what = format!("{} is a folder", path.display());
        return Err(InputError::new(what)
            .help("two results are two files; a folder stands alone, and is a history"));
    }
    Runs::read(path)
}

/// Every JSON file of a folder, in the order of their names.
fn folder(path: &Path) -> Result<Vec<Runs>, InputError> {
    let name = path.display();
    if path.is_file() {
        return Err(InputError::new(format!("{name} is compared with what?"))
            .help("give a second file, or a folder of files alone"));
    }
    let cannot = |error| InputError::new(format!("cannot read {name}: {error}"));
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in path.read_dir().map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        if file.extension().is_some_and(|extension| extension == "json") {
            files.push(file);
        }
    }
    files.sort();
    if files.len() < 2 {
        let found = match files.len() {
            0 => "no file".to_owned(),
            _ => "only one file".to_owned(),
        };
        return Err(InputError::new(format!("there is {found} with the ending .json in {name}"))
            .help("a history is made of two results or more"));
    }
    let mut history = Vec::new();
    for file in files {
        let mut runs = Runs::read(&file)?;
        // All are in one folder, which is named once.
        runs.name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        history.push(runs);
    }
    Ok(history)
}

/// What was found, and first whether it is all right.
fn json(of: &impl Serialize, regressed: bool) -> String {
    #[derive(Serialize)]
    struct Judged<'a, T> {
        verdict: &'static str,
        #[serde(flatten)]
        of: &'a T,
    }
    let verdict = if regressed { "fail" } else { "pass" };
    let json = serde_json::to_string(&Judged { verdict, of });
    json.expect("a comparison is plain data with text keys") + "\n"
}
