//! What is wrong with something a person wrote: a scenario file, a seed file, `--set`, a threshold.
//!
//! One error type for all of them, which knows the text it is about and the place in it, and prints
//! the line with a mark under the place, what was expected, and the nearest word that would have done.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// A text with its name, to point into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What the reader knows it by: a path, or `--set users=x`.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
}

impl Source {
    /// A text known by this name.
    pub fn new(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// Input that cannot be used: what, where, and what was expected. The command line exits with 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    message: String,
    place: Option<(Source, Range<usize>)>,
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
        let end = source.text.len();
        let start = span.start.min(end);
        self.place = Some((source.clone(), start..span.end.clamp(start, end)));
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
        let best = known
            .iter()
            .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
            .filter(|(distance, candidate)| *distance <= 1 + candidate.len().min(word.len()) / 4)
            .min();
        match best {
            Some((_, candidate)) => self.help(format!("did you mean `{candidate}`?")),
            None if known.is_empty() => self,
            None => self.help(format!("known are {}", list(&known))),
        }
    }

    /// Puts the name of what was being read in front.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }

    /// The message alone, without place and help.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// An error of the `toml` crate, with its place.
    pub(crate) fn toml(source: &Source, error: &toml::de::Error) -> Self {
        let this = Self::new(error.message().trim().to_owned());
        match error.span() {
            Some(span) => this.at(source, span),
            None => this.at(source, 0..0),
        }
    }
}

/// `a`, `b` and `c`.
pub(crate) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut group = Group::with_title(Level::ERROR.primary_title(&*self.message));
        if let Some((source, span)) = &self.place {
            let mark = AnnotationKind::Primary.span(span.clone()).label(self.label.as_deref());
            group =
                group.element(Snippet::source(&*source.text).path(&*source.name).annotation(mark));
        } else if let Some(label) = &self.label {
            group = group.element(Level::NOTE.message(&**label));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(&**help));
        }
        f.write_str(&Renderer::plain().render(&[group]))
    }
}

impl std::error::Error for InputError {}
