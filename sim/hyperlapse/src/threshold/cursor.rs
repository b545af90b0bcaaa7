//! Goes through the text of a threshold, and says where in it something is wrong.

use std::ops::Range;

use crate::exact::Exact;
use crate::input::{InputError, Source};
use crate::unit::Unit;

/// A threshold that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdError(Box<Problem>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    text: String,
    span: Range<usize>,
    message: String,
    label: Option<String>,
    help: Option<String>,
    near: Option<(String, Vec<&'static str>)>,
}

impl ThresholdError {
    /// The column, from 1, at which it goes wrong.
    pub fn column(&self) -> usize {
        self.0.text[..self.0.span.start].chars().count() + 1
    }

    /// The error with its place in `source`, in which the expression begins at `offset`.
    pub(crate) fn in_source(self, source: &Source, offset: usize) -> InputError {
        let Problem { span, message, label, help, near, .. } = *self.0;
        let mut error = InputError::new(message).at(source, span.start + offset..span.end + offset);
        if let Some(label) = label {
            error = error.label(label);
        }
        if let Some(help) = help {
            error = error.help(help);
        }
        match near {
            Some((word, known)) => error.nearest(&word, known),
            None => error,
        }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = Some(label.into());
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(super) fn near(mut self, word: &str, known: Vec<&'static str>) -> Self {
        self.0.near = Some((word.to_owned(), known));
        self
    }
}

impl std::fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let source = Source::new("threshold", self.0.text.as_str());
        self.clone().in_source(&source, 0).fmt(f)
    }
}

impl std::error::Error for ThresholdError {}

/// A place in a text. Whatever it takes begins and ends at characters.
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    pub(super) fn space(&mut self) {
        self.take(char::is_whitespace);
    }

    pub(super) fn eat(&mut self, symbol: &str) -> bool {
        let found = self.text[self.at..].starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    /// Takes these words, one after the other, if they stand here; where they stood.
    pub(super) fn eat_words(&mut self, words: &str) -> Option<Range<usize>> {
        self.space();
        let start = self.at;
        for word in words.split(' ') {
            self.space();
            if self.take(|c| c.is_alphanumeric() || c == '_') != word {
                self.at = start;
                return None;
            }
        }
        Some(start..self.at)
    }

    /// The word that begins here, or the place after the end.
    pub(super) fn word_span(&self) -> Range<usize> {
        let rest = &self.text[self.at..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.at..self.at + end
    }

    pub(super) fn rest(&self) -> Range<usize> {
        self.at..self.text.len()
    }

    /// A number of one of these units; the first one says what is expected.
    pub(super) fn number(
        &mut self,
        units: &[Unit],
        may_be_negative: bool,
    ) -> Result<(Exact, Unit, Range<usize>), ThresholdError> {
        self.space();
        let start = self.at;
        let negative = may_be_negative && self.eat("-");
        let digits = self.take(|c| c.is_ascii_digit() || c == '.' || c == '_');
        let suffix = self.take(|c| c.is_alphabetic() || c == '%' || c == '/');
        let span = if self.at > start { start..self.at } else { self.word_span() };
        let expected: Vec<&str> = units.iter().map(|unit| unit.expected()).collect();
        let expected = format!("expected {}", expected.join(" or "));
        let Some(number) = decimal(digits) else {
            return Err(self.error(span, "a number is missing").label(expected));
        };
        let scale = units.iter().find_map(|unit| {
            let (_, by, over) = unit.suffixes().iter().find(|(name, ..)| *name == suffix)?;
            Some((*unit, Exact::over(if negative { -by } else { *by }, *over)))
        });
        match scale {
            Some((unit, scale)) => Ok((number.times(scale), unit, span)),
            None => {
                let message = match suffix {
                    "" => "a unit is missing".to_owned(),
                    _ => format!("`{suffix}` is not a unit of this metric"),
                };
                Err(self.error(span, message).label(expected))
            }
        }
    }

    pub(super) fn error(&self, span: Range<usize>, message: impl Into<String>) -> ThresholdError {
        ThresholdError(Box::new(Problem {
            text: self.text.to_owned(),
            span,
            message: message.into(),
            label: None,
            help: None,
            near: None,
        }))
    }
}

/// A number with its unit, whichever that is, and nothing behind it.
pub(crate) fn amount(text: &str) -> Option<(Exact, Unit)> {
    let all = [Unit::Nanoseconds, Unit::Bytes, Unit::Count, Unit::Share, Unit::PerSecond];
    let mut cursor = Cursor { text, at: 0 };
    let (amount, unit, _) = cursor.number(&all, false).ok()?;
    (cursor.at == text.len()).then_some((amount, unit))
}

/// `1_000`, `99.5`, exactly; with as many digits as anybody measures.
fn decimal(digits: &str) -> Option<Exact> {
    let digits = digits.replace('_', "");
    let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
    if whole.is_empty() || whole.len() > 15 || part.len() > 6 || part.contains('.') {
        return None;
    }
    let numerator = format!("{whole}{part}").parse().ok()?;
    Some(Exact::over(numerator, 10i128.pow(part.len() as u32)))
}
