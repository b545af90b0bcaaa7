//! What is wrong with something a person wrote: a scenario file, a seed file, `--set`, a threshold.
//!
//! One error type for all of them, which knows the text it is about and the place in it, and prints
//! the line with a mark under the place, what was expected, and the nearest word that would have done.

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::error::Category;

/// A text with its name, to point into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What the reader knows it by: a path, or `--set users=x`.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// The folder of its file, for the files that it names.
    folder: Option<Arc<Path>>,
    /// Which line of its file the text begins with, from 1.
    line: usize,
}

impl Source {
    /// A text known by this name.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into(), folder: None, line: 1 }
    }

    /// Another text in place of this one.
    pub(crate) fn instead(&self, name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into(), folder: self.folder.clone(), line: 1 }
    }

    /// The path of a file that this one names: beside it, or in the current folder where it is not a file itself.
    pub(crate) fn beside(&self, file: &str) -> PathBuf {
        self.folder.as_ref().map_or_else(|| PathBuf::from(file), |folder| folder.join(file))
    }

    /// A file that this one names: one of `known`, or beside it.
    ///
    /// # Errors
    /// When it cannot be read, or is not text.
    pub(crate) fn open(&self, name: &str, known: &[Self]) -> Result<Self, InputError> {
        match known.iter().find(|file| &*file.name == name) {
            Some(file) => Ok(file.clone()),
            None => Self::read(&self.beside(name)),
        }
    }

    /// The text of a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not text.
    pub(crate) fn read(path: &Path) -> Result<Self, InputError> {
        let name = path.display().to_string();
        let bytes = fs::read(path)
            .map_err(|error| InputError::new(format!("cannot read {name}: {error}")))?;
        Ok(Self::of_bytes(&name, 1, bytes)?.of_file(path))
    }

    /// Text that stands in a file, or is to be read as if it did: what it names is beside that.
    pub(crate) fn of_file(self, path: &Path) -> Self {
        Self { folder: path.parent().map(Arc::from), ..self }
    }

    /// A file from this line on, from 1.
    ///
    /// # Errors
    /// When it is not text.
    pub(crate) fn of_bytes(name: &str, line: usize, bytes: Vec<u8>) -> Result<Self, InputError> {
        let read = |text| Self { line, ..Self::new(name, text) };
        String::from_utf8(bytes).map(read).map_err(|error| {
            let upto = error.utf8_error().valid_up_to();
            let lossy = Self { line, ..Self::new(name, String::from_utf8_lossy(error.as_bytes())) };
            // Up to here the two are the same; the mark is on what stands for the bytes.
            let span = upto..upto + char::REPLACEMENT_CHARACTER.len_utf8();
            InputError::new("this is not a text file")
                .at(&lossy, span)
                .label(format!("expected UTF-8, found the byte 0x{:02x}", error.as_bytes()[upto]))
        })
    }
}

/// Input that cannot be used: what, where, and what was expected. The command line exits with 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    message: String,
    /// Boxed: errors are rare, and results of this type go through every layer.
    place: Option<Box<(Source, Range<usize>)>>,
    label: Option<String>,
    help: Option<String>,
}

impl InputError {
    /// An error without a place.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, label: None, help: None }
    }

    /// Where it is: a range of bytes of `source`.
    pub fn at(mut self, source: &Source, span: Range<usize>) -> Self {
        let text = &source.text;
        // Whole characters: a place behind an escape in a string is near rather than exact.
        let (mut start, mut end) = (span.start.min(text.len()), span.end.min(text.len()));
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        while !text.is_char_boundary(end) {
            end += 1;
        }
        self.place = Some(Box::new((source.clone(), start..end.max(start))));
        self
    }

    /// What is said at the mark under the place, usually what was expected.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// How to get it right.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says which of `known` is meant, when one is near, else lists them.
    pub fn nearest<'a>(self, word: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match near(word, &known) {
            Some(candidate) => self.help(format!("did you mean `{candidate}`?")),
            None if known.is_empty() => self,
            None => {
                let are = if known.len() == 1 { "is" } else { "are" };
                self.help(format!("known {are} {}", list(&known, "and")))
            }
        }
    }

    /// Puts the name of what was being read in front.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// Message and help in one line, for an error that is told as a part of another.
    pub(crate) fn in_a_line(&self) -> String {
        let help = self.help.as_ref().map(|help| format!(": {help}"));
        format!("{}{}", self.message, help.unwrap_or_default())
    }

    /// The message alone, without place and help.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An error of the `toml` crate, with its place.
    pub(crate) fn toml(source: &Source, error: &toml::de::Error) -> Self {
        Self::toml_part(source, error, 0..0)
    }

    /// An error of the `toml` crate about a part of a text, whose place is that of the part where the
    /// error has none.
    pub(crate) fn toml_part(source: &Source, error: &toml::de::Error, part: Range<usize>) -> Self {
        Self::serde(error.message().trim()).at(source, error.span().unwrap_or(part))
    }

    /// An error of the `serde_json` crate, with its place and the path to it within the whole: `runs[3].seed`.
    pub(crate) fn json(source: &Source, error: &serde_json::Error, path: &str) -> Self {
        let told = error.to_string();
        let message = told.rsplit_once(" at line ").map_or(&*told, |(message, _)| message);
        let message = match error.classify() {
            Category::Eof => "the file ends here, before it is complete".to_owned(),
            Category::Syntax => format!("this is not JSON: {message}"),
            // A struct can be read from a list of its fields too, which nobody would write.
            _ if message.contains(", expected struct ") => "expected an object".to_owned(),
            _ => message.to_owned(),
        };
        let mut this = Self::serde(&message);
        let path = path.trim_end_matches(".?");
        if !path.is_empty() && path != "." && path != "?" {
            this = this.context(format_args!("in `{path}`"));
        }
        let before: usize = source
            .text
            .split_inclusive('\n')
            .take(error.line().saturating_sub(1))
            .map(str::len)
            .sum();
        // The place is where reading stopped, behind what is wrong.
        let end = (before + error.column()).min(source.text.len());
        let wrong = |b: &u8| b.is_ascii_alphanumeric() || b"+-._".contains(b);
        let word = source.text.as_bytes()[..end].iter().rev().take_while(|b| wrong(b)).count();
        match error.is_eof() {
            true => this.at(source, end..end),
            false => this.at(source, end - word.max(1).min(end)..end),
        }
    }

    /// Whether it says where it is.
    pub(crate) fn has_place(&self) -> bool {
        self.place.is_some()
    }

    /// What serde says, in words of TOML and not of Rust.
    fn serde(message: &str) -> Self {
        let quoted = || message.split('`').skip(1).step_by(2);
        let word = quoted().next().unwrap_or_default();
        if message.starts_with("unknown field `") {
            return Self::new(format!("unknown key `{word}`")).nearest(word, quoted().skip(1));
        }
        if message.starts_with("unknown variant `") {
            return Self::new(format!("unknown value `{word}`")).nearest(word, quoted().skip(1));
        }
        if message.starts_with("missing field `") {
            return Self::new(format!("`{word}` is missing"));
        }
        for (rust, toml) in TYPES {
            if let Some(head) = message.strip_suffix(rust).filter(|h| h.ends_with(", expected ")) {
                return Self::new(format!("{head}{toml}"));
            }
        }
        Self::new(message)
    }
}

/// The one of `known` that is likely to be meant.
pub(crate) fn near<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let best = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 4)
        .min();
    best.map(|(_, candidate)| candidate)
}

/// What serde calls a type, and what somebody who writes TOML does.
const TYPES: &[(&str, &str)] = &[
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("u64", "a whole number from 0"),
    ("usize", "a whole number from 0"),
    ("i32", "a whole number"),
    ("i64", "a whole number"),
    ("f64", "a number"),
    ("a boolean", "true or false"),
    ("a sequence", "a list"),
    ("a map", "a table"),
];

/// Lines of a terminal of 80 columns, beside what stands in front of a help.
fn broken(text: &str) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 {
            let fits = column + 1 + length <= 66;
            lines.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

/// `a`, `b` and `c`, with this word before the last.
pub(crate) fn list(words: &[&str], and: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} {and} {last}", rest.join(", ")),
        None => String::new(),
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = Group::with_title(Level::ERROR.primary_title(&*self.message));
        if let Some((source, span)) = self.place.as_deref() {
            let mark = AnnotationKind::Primary.span(span.clone()).label(self.label.as_deref());
            group = group.element(
                Snippet::source(&*source.text)
                    .path(&*source.name)
                    .line_start(source.line)
                    .annotation(mark),
            );
        } else if let Some(label) = &self.label {
            group = group.element(Level::NOTE.message(&**label));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(broken(help)));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

impl std::error::Error for InputError {}
