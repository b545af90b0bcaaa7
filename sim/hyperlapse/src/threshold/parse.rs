//! Text to threshold. Every error knows its column and what was expected there.

use std::ops::Range;
use std::str::FromStr;

use super::abort;
use super::cursor::{Cursor, ThresholdError};
use super::metric::{
    KIND, Measure, MemoryPart, Metric as Named, REASON, Selector, Unknown, catalogue,
};
use super::trend;
use super::{Bound, COMPARISONS, Seeds, Threshold};
use crate::exact::{Comparison, Exact};
use crate::input::{list, near};
use crate::metrics::Metric;
use crate::unit::Unit;

impl FromStr for Threshold {
    type Err = ThresholdError;

    /// Without metrics of the user's own.
    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        Self::parse(text, &[])
    }
}

impl Threshold {
    /// Reads a threshold that may name these metrics of the user's own.
    ///
    /// ```
    /// use hyperlapse::{Metric, Threshold};
    ///
    /// const TOKENS: Metric = Metric::counter("tokens", "tokens that the model wrote");
    /// assert!(Threshold::parse("tokens > 100", &[TOKENS]).is_ok());
    /// assert!("tokens > 100".parse::<Threshold>().is_err());
    /// ```
    ///
    /// # Errors
    /// When it cannot be understood, with the column.
    pub fn parse(text: &str, own: &[Metric]) -> Result<Self, ThresholdError> {
        let cursor = Cursor { text, at: 0 };
        Parser { cursor, own }.threshold()
    }
}

/// The greatest number that a threshold may hold a quantity against, in its base unit.
const MOST: i128 = 1 << 62;

/// What stands between metric and comparison.
#[derive(Default)]
struct Scope {
    over: Option<Placed<u64>>,
    after: Option<Placed<u64>>,
    trend: Option<Range<usize>>,
    seeds: Option<Placed<Seeds>>,
}

/// Something with its place.
type Placed<T> = (T, Range<usize>);

struct Parser<'a> {
    cursor: Cursor<'a>,
    /// The metrics of the user's own.
    own: &'a [Metric],
}

impl Parser<'_> {
    fn threshold(mut self) -> Result<Threshold, ThresholdError> {
        let (metric, span) = self.metric()?;
        let mut scope = self.scope(&metric)?;
        self.check_trend(&metric, span, &scope)?;
        let comparison = self.comparison(&scope)?;
        let (bound, bound_span) = self.bound(metric.measure, &scope)?;
        self.share_of_seeds(&mut scope)?;
        if let (Bound::OfMedian(_), Some((Seeds::Worst | Seeds::Median, span))) =
            (&bound, &scope.seeds)
        {
            let message = "every run has a median of its own";
            let error = self.cursor.error(span.clone(), message);
            return Err(error.label("expected `in …% of seeds` behind the bound, or nothing"));
        }
        let aborts = self.cursor.eat_words("else").map(|otherwise| {
            let end = self.cursor.eat_words("abort");
            end.map(|abort| otherwise.start..abort.end)
        });
        let aborts = match aborts {
            Some(None) => {
                self.cursor.space();
                let error = self.cursor.error(self.cursor.word_span(), "what else?");
                return Err(error.label("expected `abort`"));
            }
            Some(Some(span)) => Some(span),
            None => None,
        };
        self.end(&scope)?;
        let threshold = Threshold {
            text: self.cursor.text.trim().to_owned(),
            metric,
            over: scope.over.map(|(ns, _)| ns),
            after: scope.after.map_or(0, |(ns, _)| ns),
            trend: scope.trend.is_some(),
            seeds: scope.seeds.map(|(seeds, _)| seeds),
            comparison,
            bound,
            aborts: aborts.is_some(),
        };
        if let (Some(span), Err(why)) = (aborts, abort::is_final(&threshold)) {
            let message = "a run is ended only by what can never be put right again";
            return Err(self.cursor.error(span, message).help(why));
        }
        let most = |value: &Exact| value.floor().abs() < MOST;
        match &threshold.bound {
            Bound::Value(value, _) | Bound::OfMedian(value) if !most(value) => {
                Err(self.cursor.error(bound_span, "this is more than can be measured"))
            }
            _ => Ok(threshold),
        }
    }

    /// Nothing is left.
    fn end(&mut self, scope: &Scope) -> Result<(), ThresholdError> {
        self.cursor.space();
        let rest = self.cursor.rest();
        if rest.is_empty() {
            return Ok(());
        }
        let before = ["over", "after", "trend", "worst", "median"];
        let early = before.iter().find(|word| self.cursor.eat_words(word).is_some());
        let error = self.cursor.error(rest, "the threshold should end here");
        Err(match early {
            Some(word) => error.label(format!("`{word}` stands before the comparison")),
            None if scope.seeds.is_some() => error,
            None => error.help("it may go on with `in …% of seeds` or `else abort`"),
        })
    }

    /// `response{kind=quick}.p95`: the selector may stand before or after the statistic.
    fn metric(&mut self) -> Result<Placed<Named>, ThresholdError> {
        self.cursor.space();
        let start = self.cursor.at;
        let mut path = self.path().to_owned();
        let mut selectors = self.selectors()?;
        if !selectors.is_empty() && self.cursor.eat(".") {
            path = format!("{path}.{}", self.path());
        }
        if selectors.is_empty() {
            selectors = self.selectors()?;
        }
        let span = start..self.cursor.at;
        let measure = self.measure(&path, span.clone())?;
        selectors.sort_by(|a, b| a.key.cmp(&b.key));
        for selector in &selectors {
            let known = match selector.key.as_str() {
                REASON => measure.has_reasons(),
                _ => measure.is_of_operations(),
            };
            if !known {
                let by = match selector.key.as_str() {
                    key @ (KIND | REASON) => key,
                    _ => "tag",
                };
                let message = format!("`{path}` is not known by {by}");
                return Err(self.cursor.error(selector.span.clone(), message));
            }
        }
        if let Some(pair) = selectors.windows(2).find(|pair| pair[0].key == pair[1].key) {
            let [first, second] = [&pair[0].span, &pair[1].span];
            let later = if first.start > second.start { first } else { second };
            let message = format!("`{}` stands here twice", pair[0].key);
            return Err(self.cursor.error(later.clone(), message));
        }
        Ok((Named { measure, selectors }, span))
    }

    fn measure(&self, path: &str, span: Range<usize>) -> Result<Measure, ThresholdError> {
        if path.is_empty() {
            let next = self.cursor.text[span.start..].chars().next();
            let one = span.start..span.start + next.map_or(0, char::len_utf8);
            let error = self.cursor.error(one, "a threshold begins with a metric");
            return Err(error.label("expected a metric such as `response.p95`"));
        }
        let unknown = match Measure::named(path, self.own) {
            Ok(measure) => return Ok(measure),
            Err(unknown) => unknown,
        };
        Err(match unknown {
            Unknown::Metric => {
                let own = self.own.iter().map(Metric::name);
                let known: Vec<&str> = catalogue().map(|(name, _)| name).chain(own).collect();
                // Metrics of times are known without the statistic behind them.
                let word = match near(path, &known) {
                    Some(_) => path,
                    None => path.split('.').next().unwrap_or(path),
                };
                self.cursor.error(span, format!("unknown metric `{path}`")).near(word, known)
            }
            Unknown::Form(known) => {
                let form = path.rsplit_once('.').map_or("", |(_, form)| form);
                let message = format!("unknown statistic `{form}`");
                let error = self.cursor.error(span, message);
                match known.is_empty() {
                    true => error.label("expected no statistic"),
                    false => error.near(form, known.to_vec()),
                }
            }
            Unknown::FormMissing(forms) => {
                let stats = list(forms, "or");
                let message = format!("`{path}` is many values: which of them?");
                let expected = if forms.len() == 1 { "expected" } else { "expected one of" };
                self.cursor.error(span, message).label(format!("{expected} {stats} after it"))
            }
        })
    }

    /// `{kind=quick, reason=global limit}`; values run to the comma or the brace.
    fn selectors(&mut self) -> Result<Vec<Selector>, ThresholdError> {
        let open = self.cursor.at;
        if !self.cursor.eat("{") {
            return Ok(Vec::new());
        }
        let Some(length) = self.cursor.text[self.cursor.at..].find('}') else {
            return Err(self.cursor.error(open..open + 1, "this brace is never closed"));
        };
        let inner = self.cursor.at..self.cursor.at + length;
        self.cursor.at = inner.end + 1;
        let mut selectors = Vec::new();
        let mut at = inner.start;
        for part in self.cursor.text[inner].split(',') {
            let end = at + part.len();
            let blank = part.len() - part.trim_start().len();
            let span = at + blank..at + part.trim_end().len().max(blank);
            at = end + 1;
            let pair = part.split_once('=').map(|(key, value)| (key.trim(), value.trim()));
            match pair {
                Some((key, value)) if !key.is_empty() && !value.is_empty() => {
                    selectors.push(Selector { key: key.to_owned(), value: value.to_owned(), span })
                }
                _ => {
                    let error = self.cursor.error(span, "a selector has the form `key=value`");
                    return Err(error.label("expected `kind=…`, `reason=…` or a tag"));
                }
            }
        }
        Ok(selectors)
    }

    fn scope(&mut self, metric: &Named) -> Result<Scope, ThresholdError> {
        let measure = metric.measure;
        let mut scope = Scope::default();
        loop {
            if let Some(span) = self.cursor.eat_words("over") {
                self.once(scope.over.is_some(), &span, "over")?;
                if !measure.is_of_events() {
                    let message = format!("`{measure}` is not judged over windows");
                    return Err(self.cursor.error(span, message).label("expected a comparison"));
                }
                scope.over = Some((self.window()?, span));
            } else if let Some(span) = self.cursor.eat_words("after") {
                self.once(scope.after.is_some(), &span, "after")?;
                if !measure.is_of_events() && measure != Measure::Memory(MemoryPart::Live) {
                    let message = format!("`{measure}` is not known of a part of the run");
                    return Err(self.cursor.error(span, message).label("expected a comparison"));
                }
                let (time, ..) = self.cursor.number(&[Unit::Nanoseconds], false)?;
                scope.after = Some((u64::try_from(time.floor()).unwrap_or(u64::MAX), span));
            } else if let Some(span) = self.cursor.eat_words("trend") {
                self.once(scope.trend.is_some(), &span, "trend")?;
                scope.trend = Some(span);
            } else if let Some(span) = self.cursor.eat_words("worst") {
                self.once(scope.seeds.is_some(), &span, "of seeds")?;
                let span = self.of_seeds(span, "the worst of what?")?;
                scope.seeds = Some((Seeds::Worst, span));
            } else if let Some(span) = self.cursor.eat_words("median") {
                self.once(scope.seeds.is_some(), &span, "of seeds")?;
                let span = self.of_seeds(span, "the median of what?")?;
                scope.seeds = Some((Seeds::Median, span));
            } else {
                return Ok(scope);
            }
        }
    }

    fn once(&self, again: bool, span: &Range<usize>, what: &str) -> Result<(), ThresholdError> {
        match again {
            true => Err(self.cursor.error(span.clone(), format!("`{what}` stands here twice"))),
            false => Ok(()),
        }
    }

    fn of_seeds(&mut self, from: Range<usize>, what: &str) -> Result<Range<usize>, ThresholdError> {
        match self.cursor.eat_words("of seeds") {
            Some(to) => Ok(from.start..to.end),
            None => {
                self.cursor.space();
                let error = self.cursor.error(self.cursor.word_span(), what);
                Err(error.label("expected `of seeds`"))
            }
        }
    }

    /// The width of windows: whole milliseconds, so that a tenth of it is whole nanoseconds.
    fn window(&mut self) -> Result<u64, ThresholdError> {
        const MS: i128 = 1_000_000;
        let (width, _, span) = self.cursor.number(&[Unit::Nanoseconds], false)?;
        let ns = width.floor();
        if ns < MS {
            return Err(self.cursor.error(span, "a window is at least 1ms wide"));
        }
        if width != Exact::whole(ns) || ns % MS != 0 {
            return Err(self.cursor.error(span, "a window is whole milliseconds wide"));
        }
        u64::try_from(ns)
            .ok()
            .filter(|ns| i128::from(*ns) < MOST)
            .ok_or_else(|| self.cursor.error(span, "this is more than can be measured"))
    }

    fn check_trend(
        &self,
        metric: &Named,
        span: Range<usize>,
        scope: &Scope,
    ) -> Result<(), ThresholdError> {
        let measure = metric.measure;
        let Some(trend) = &scope.trend else {
            return match measure {
                Measure::Memory(MemoryPart::Live) => {
                    let error = self.cursor.error(span, "`memory.live` is a whole time series");
                    Err(error.label("expected `trend` after it"))
                }
                _ => Ok(()),
            };
        };
        if let Some((_, over)) = &scope.over {
            let error = self.cursor.error(over.clone(), "a trend is one of the whole run");
            return Err(error.label("expected `after` and a time, or a comparison"));
        }
        if let Some(selector) = metric.selectors.first() {
            let message = "the time series is of all operations";
            return Err(self.cursor.error(selector.span.clone(), message));
        }
        if trend::source(measure).is_none() {
            let message = format!("the time series does not hold `{measure}`");
            let error = self.cursor.error(trend.clone(), message);
            return Err(error.help(format!("known is the trend of {}", trend::KNOWN)));
        }
        Ok(())
    }

    fn comparison(&mut self, scope: &Scope) -> Result<Comparison, ThresholdError> {
        self.cursor.space();
        for (symbol, comparison) in COMPARISONS {
            if self.cursor.eat(symbol) {
                return Ok(comparison);
            }
        }
        let span = self.cursor.word_span();
        let word = &self.cursor.text[span.clone()];
        let known = ["over", "after", "trend", "worst", "median"];
        let meant = near(word, &known);
        let or = match scope.over.is_none() && scope.trend.is_none() {
            true => " (or `over` and a time)",
            false => "",
        };
        let error = self.cursor.error(span, "a comparison is missing");
        let error = error.label(format!("expected one of < <= > >= == !={or}"));
        Err(match meant {
            Some(meant) => error.near(meant, vec![meant]),
            None => error,
        })
    }

    fn bound(&mut self, measure: Measure, scope: &Scope) -> Result<Placed<Bound>, ThresholdError> {
        self.cursor.space();
        let start = self.cursor.at;
        let unit = measure.unit();
        if scope.over.is_some() {
            if let Ok((share, _, span)) = self.cursor.number(&[Unit::Share], false) {
                self.cursor.space();
                let of = self.cursor.rest();
                if self.cursor.eat_words("of median").is_some() {
                    return Ok((Bound::OfMedian(share), span));
                }
                if unit != Unit::Share {
                    let error = self.cursor.error(of, "a share of what?");
                    return Err(error.label("expected `of median`"));
                }
            }
            self.cursor.at = start;
        } else if unit != Unit::Share && scope.trend.is_none() {
            let share = self.cursor.number(&[Unit::Share], false);
            if let (Ok((_, _, span)), Some(of)) = (share, self.cursor.eat_words("of median")) {
                let error = self.cursor.error(span.start..of.end, "only windows have a median");
                return Err(error.label("expected `over` and a time before the comparison"));
            }
            self.cursor.at = start;
        }
        let signed = measure.may_be_negative() || scope.trend.is_some();
        let own = [unit, Unit::Share];
        // A trend is told in the metric's own unit, or as a share of its median.
        let units = if scope.trend.is_some() { &own[..] } else { &own[..1] };
        let (value, unit, span) = self.cursor.number(units, signed)?;
        Ok((Bound::Value(value, unit), span))
    }

    /// `in 95% of seeds`.
    fn share_of_seeds(&mut self, scope: &mut Scope) -> Result<(), ThresholdError> {
        let Some(span) = self.cursor.eat_words("in") else { return Ok(()) };
        self.once(scope.seeds.is_some(), &span, "of seeds")?;
        let (share, _, place) = self.cursor.number(&[Unit::Share], false)?;
        if share > Exact::whole(1) {
            let error = self.cursor.error(place, "this is more than all seeds");
            return Err(error.label("expected at most `100%`"));
        }
        let span = self.of_seeds(span, "a share of what?")?;
        scope.seeds = Some((Seeds::Share(share), span));
        Ok(())
    }

    fn path(&mut self) -> &str {
        self.cursor.take(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
    }
}
