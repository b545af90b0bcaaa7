//! Text to threshold. Every error knows its column and what was expected there.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use super::metric::{Measure, Metric, STATS, Unit, Unknown, catalogue};
use super::{Bound, COMPARISONS, Comparison, Exact, Threshold};
use crate::input::{InputError, Source, list, near};

/// A threshold that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdError(Box<Problem>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    text: String,
    span: Range<usize>,
    message: String,
    label: Option<String>,
    near: Option<(String, Vec<&'static str>)>,
}

impl ThresholdError {
    /// The column, from 1, at which it goes wrong.
    pub fn column(&self) -> usize {
        self.0.text[..self.0.span.start].chars().count() + 1
    }

    /// The error with its place in `source`, in which the expression begins at `offset`.
    pub(crate) fn in_source(self, source: &Source, offset: usize) -> InputError {
        let Problem { span, message, label, near, .. } = *self.0;
        let mut error = InputError::new(message).at(source, span.start + offset..span.end + offset);
        if let Some(label) = label {
            error = error.label(label);
        }
        match near {
            Some((word, known)) => error.nearest(&word, known),
            None => error,
        }
    }
}

impl std::fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let source = Source::new("threshold", self.0.text.as_str());
        self.clone().in_source(&source, 0).fmt(f)
    }
}

impl std::error::Error for ThresholdError {}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        Parser { text, at: 0 }.threshold()
    }
}

/// Key, value, and where both stand.
type Pair<'a> = (&'a str, &'a str, Range<usize>);

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn threshold(mut self) -> Result<Threshold, ThresholdError> {
        let metric = self.metric()?;
        let unit = metric.measure.unit();
        let over = self.over(&metric)?;
        let comparison = self.comparison(over.is_none())?;
        let bound = self.bound(unit, over.is_some())?;
        self.space();
        if self.at < self.text.len() {
            let rest = self.at..self.text.len();
            return Err(self.error(rest, "the threshold should end here"));
        }
        Ok(Threshold { text: self.text.trim().to_owned(), metric, over, comparison, bound })
    }

    /// `response{kind=quick}.p95`: the selector may stand before or after the statistic.
    fn metric(&mut self) -> Result<Metric, ThresholdError> {
        self.space();
        let start = self.at;
        let mut path = self.path().to_owned();
        let mut selector = self.selector()?;
        if !selector.is_empty() && self.eat(".") {
            path = format!("{path}.{}", self.path());
        }
        if selector.is_empty() {
            selector = self.selector()?;
        }
        let span = start..self.at;
        if path.is_empty() {
            let end = self.text.len();
            let error = self.error(start..(start + 1).min(end), "a threshold begins with a metric");
            return Err(error.label("expected a metric such as `response.p95`"));
        }
        let measure = match Measure::named(&path) {
            Ok(measure) => measure,
            Err(Unknown::Metric) => {
                let known: Vec<&str> = catalogue().map(|(name, _)| name).collect();
                // Metrics of times are known without the statistic behind them.
                let word = match near(&path, &known) {
                    Some(_) => &path,
                    None => path.split('.').next().unwrap_or(&path),
                };
                return Err(self.error(span, format!("unknown metric `{path}`")).near(word, known));
            }
            Err(Unknown::Stat) => {
                let stat = path.rsplit_once('.').map_or("", |(_, stat)| stat);
                let known = STATS.to_vec();
                return Err(self
                    .error(span, format!("unknown statistic `{stat}`"))
                    .near(stat, known));
            }
            Err(Unknown::StatMissing) => {
                let stats = list(&STATS, "or");
                let error = self.error(span, format!("`{path}` is many times: which of them?"));
                return Err(error.label(format!("expected one of {stats} after it")));
            }
        };
        let mut metric = Metric { measure, kind: None, reason: None };
        for (key, value, span) in selector {
            match key {
                "kind" if measure.has_kinds() => metric.kind = Some((value.to_owned(), span)),
                "reason" if measure.has_reasons() => metric.reason = Some(value.to_owned()),
                "kind" | "reason" => {
                    return Err(self.error(span, format!("`{path}` is not known by {key}")));
                }
                _ => {
                    let error = self.error(span, format!("unknown selector `{key}`"));
                    return Err(error.near(key, vec!["kind", "reason"]));
                }
            }
        }
        Ok(metric)
    }

    /// `{kind=quick, reason=global limit}`; values run to the comma or the brace.
    fn selector(&mut self) -> Result<Vec<Pair<'a>>, ThresholdError> {
        let open = self.at;
        if !self.eat("{") {
            return Ok(Vec::new());
        }
        let Some(length) = self.text[self.at..].find('}') else {
            return Err(self.error(open..open + 1, "this brace is never closed"));
        };
        let inner = self.at..self.at + length;
        self.at = inner.end + 1;
        let mut pairs = Vec::new();
        let mut at = inner.start;
        for part in self.text[inner].split(',') {
            let span = at..at + part.len();
            at = span.end + 1;
            match part.split_once('=') {
                Some((key, value)) if !value.trim().is_empty() => {
                    pairs.push((key.trim(), value.trim(), span));
                }
                _ => {
                    let error = self.error(span, "a selector has the form `key=value`");
                    return Err(error.label("expected `kind=…` or `reason=…`"));
                }
            }
        }
        Ok(pairs)
    }

    fn over(&mut self, metric: &Metric) -> Result<Option<Duration>, ThresholdError> {
        self.space();
        let start = self.at;
        if !self.eat_word("over") {
            return Ok(None);
        }
        if metric.measure != Measure::Throughput || metric.kind.is_some() {
            let error = self.error(start..self.at, "only `throughput` is judged over windows");
            return Err(error.label("expected a comparison"));
        }
        let (exact, span) = self.number(Unit::Time)?;
        let ns = exact.numerator / exact.denominator;
        if ns < 1_000_000 {
            return Err(self.error(span, "a window is at least 1ms wide"));
        }
        Ok(Some(Duration::from_nanos(ns as u64)))
    }

    fn comparison(&mut self, or_over: bool) -> Result<Comparison, ThresholdError> {
        self.space();
        for (symbol, comparison) in COMPARISONS {
            if self.eat(symbol) {
                return Ok(comparison);
            }
        }
        let word = self.word_span();
        let or_over = if or_over { " (or `over` and a time)" } else { "" };
        let error = self.error(word, "a comparison is missing");
        Err(error.label(format!("expected one of < <= > >= == !={or_over}")))
    }

    fn bound(&mut self, unit: Unit, windows: bool) -> Result<Bound, ThresholdError> {
        self.space();
        let start = self.at;
        if windows {
            if let Ok((share, _)) = self.number(Unit::Share) {
                self.space();
                let of = self.at;
                if self.eat_word("of") && self.eat_word("median") {
                    return Ok(Bound::OfMedian(share));
                }
                let error = self.error(of..self.text.len(), "a share of what?");
                return Err(error.label("expected `of median`"));
            }
            self.at = start;
        }
        Ok(Bound::Value(self.number(unit)?.0))
    }

    fn number(&mut self, unit: Unit) -> Result<(Exact, Range<usize>), ThresholdError> {
        self.space();
        let start = self.at;
        let digits = self.take(|c| c.is_ascii_digit() || c == '.' || c == '_');
        let suffix = self.take(|c| c.is_alphabetic() || c == '%' || c == '/');
        let span = if self.at > start { start..self.at } else { self.word_span() };
        let number = decimal(digits);
        let scale = unit.suffixes().iter().find(|(name, ..)| *name == suffix);
        match (number, scale) {
            (Some(number), Some((_, by, over))) => {
                Ok((number.times(Exact::over(*by, *over)), span))
            }
            (None, _) => Err(self
                .error(span, "a number is missing")
                .label(format!("expected {}", unit.expected()))),
            (_, None) => {
                let message = match suffix {
                    "" => "a unit is missing".to_owned(),
                    _ => format!("`{suffix}` is not a unit of this metric"),
                };
                Err(self.error(span, message).label(format!("expected {}", unit.expected())))
            }
        }
    }

    fn path(&mut self) -> &'a str {
        self.take(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    }

    fn take(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = self.text[self.at..].starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        self.space();
        let rest = &self.text[self.at..];
        let ends = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let found = &rest[..ends] == word;
        if found {
            self.at += ends;
        }
        found
    }

    fn space(&mut self) {
        self.take(char::is_whitespace);
    }

    /// The word that begins here, or the place after the end.
    fn word_span(&self) -> Range<usize> {
        let rest = &self.text[self.at..];
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.at..self.at + end
    }

    fn error(&self, span: Range<usize>, message: impl Into<String>) -> ThresholdError {
        ThresholdError(Box::new(Problem {
            text: self.text.to_owned(),
            span,
            message: message.into(),
            label: None,
            near: None,
        }))
    }
}

impl ThresholdError {
    fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = Some(label.into());
        self
    }

    fn near(mut self, word: &str, known: Vec<&'static str>) -> Self {
        self.0.near = Some((word.to_owned(), known));
        self
    }
}

/// `1_000`, `99.5`, exactly. Bounded so that no comparison can overflow.
fn decimal(digits: &str) -> Option<Exact> {
    let digits = digits.replace('_', "");
    let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
    if whole.is_empty() || whole.len() > 15 || part.len() > 6 || part.contains('.') {
        return None;
    }
    let numerator = format!("{whole}{part}").parse().ok()?;
    Some(Exact::over(numerator, 10i128.pow(part.len() as u32)))
}
