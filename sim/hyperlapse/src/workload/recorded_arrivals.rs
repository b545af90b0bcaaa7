//! An open model: the arrivals of a recording of production.
//!
//! A recording is CSV with a header, or JSON lines; by the ending of its name. Each entry has the instant of an
//! arrival (a number of seconds, or a time such as `1.5s` as [`units::duration`] has it), and may have the kind of its
//! user. Instants count from the first unless they are told to count from the beginning of the recording; entries may
//! stand in any order.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::intake::arriving;
use super::part::whole_ms;
use super::{Arrival, Arrivals, FileError, Intake, InvalidField, Part, Workload};
use crate::input::{InputError, Source};
use crate::units;

pub(super) const ABOUT: &str =
    "the arrivals of a recording (CSV or JSON lines), each a user with one iteration";

/// `kind = "recorded-arrivals"`: the arrivals of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedArrivals {
    /// The file: beside the scenario file, or one that the suite brings.
    pub file: String,
    /// The column or key of the instants.
    #[serde(default = "at")]
    pub at: String,
    /// The column or key of the kinds of users; nobody has a kind where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<String>,
    /// How many times faster than recorded, in whole percent: `200` is twice as fast.
    #[serde(default = "as_it_was")]
    pub speed: u64,
    /// How many are there at a time.
    #[serde(skip)]
    pub intake: Intake,
    #[serde(skip)]
    list: Arc<[Arrival]>,
}

fn at() -> String {
    "at".to_owned()
}

fn as_it_was() -> u64 {
    100
}

impl RecordedArrivals {
    /// Arrivals at these instants since the start of the load, in any order.
    pub fn at(instants: impl IntoIterator<Item = Duration>) -> Self {
        let arrival = |at| Arrival { at, kind: None };
        Self::of("a list", instants.into_iter().map(arrival).collect())
    }

    /// The recording of this text, in the format that the ending of its name says.
    ///
    /// # Errors
    /// When it is not one.
    pub fn read(source: &Source) -> Result<Self, InputError> {
        let mut this = Self::of(&source.name, Vec::new());
        this.list = this.arrivals_of(source)?;
        Ok(this)
    }

    fn of(name: &str, list: Vec<Arrival>) -> Self {
        Self {
            file: name.to_owned(),
            at: at(),
            kinds: None,
            speed: as_it_was(),
            intake: Intake::default(),
            list: in_order(list),
        }
    }

    fn arrivals_of(&self, source: &Source) -> Result<Arc<[Arrival]>, InputError> {
        let entries = match source.name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("csv") => csv(source, &self.at, self.kinds.as_deref())?,
            Some("jsonl" | "ndjson") => json_lines(source, &self.at, self.kinds.as_deref())?,
            _ => {
                let message = format!("{} is no recording that can be read", source.name);
                return Err(InputError::new(message)
                    .label("expected a name that ends with .csv, .jsonl or .ndjson"));
            }
        };
        if entries.is_empty() {
            return Err(InputError::new(format!("{} has no arrivals", source.name)));
        }
        let first = entries.iter().map(|(ns, _)| *ns).min().unwrap_or(0);
        let scaled = |ns: u64| u128::from(ns - first) * 100 / u128::from(self.speed);
        let arrival = |(ns, kind)| Arrival { at: Duration::from_nanos(scaled(ns) as u64), kind };
        Ok(in_order(entries.into_iter().map(arrival).collect()))
    }
}

arriving!(RecordedArrivals);

fn in_order(mut list: Vec<Arrival>) -> Arc<[Arrival]> {
    for arrival in &mut list {
        arrival.at = whole_ms(units::nanos(arrival.at));
    }
    // Stable: who stands first arrives first.
    list.sort_by_key(|arrival| arrival.at);
    list.into()
}

impl Workload for RecordedArrivals {
    fn validate(&self) -> Result<(), InvalidField> {
        if self.speed == 0 {
            return Err(InvalidField::new("speed", "is 0: expected whole percent, such as 100"));
        }
        self.intake.validate()
    }

    fn describe(&self) -> String {
        let speed = match self.speed {
            100 => String::new(),
            speed => format!(" at {speed} % of its speed"),
        };
        let last = self.list.last().map_or(Duration::ZERO, |last| last.at);
        format!(
            "{} of {} over {}{speed}{}",
            units::plural(self.list.len() as u64, "arrival"),
            self.file,
            units::text(last),
            self.intake.describe()
        )
    }

    fn parts(&self) -> Vec<Part> {
        vec![Part::open(Arrivals::Listed(Arc::clone(&self.list)), &self.intake)]
    }

    fn intake(&mut self) -> Option<&mut Intake> {
        Some(&mut self.intake)
    }

    fn read_files(
        &mut self,
        read: &dyn Fn(&str) -> Result<Source, InputError>,
    ) -> Result<(), FileError> {
        let source = read(&self.file).map_err(|error| FileError::Unreadable("file", error))?;
        self.list = self.arrivals_of(&source).map_err(FileError::Malformed)?;
        Ok(())
    }
}

type Entry = (u64, Option<Arc<str>>);

/// A cell as an instant, in nanoseconds.
fn instant(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !whole.is_empty() && digits(whole) && digits(part) && whole.len() <= 10 && part.len() <= 9 {
        let whole: u64 = whole.parse().ok()?;
        let part: u64 = format!("{part:0<9}").parse().ok()?;
        return Some(whole * 1_000_000_000 + part);
    }
    units::duration::parse(text).ok().map(units::nanos)
}

fn no_instant(source: &Source, span: std::ops::Range<usize>) -> InputError {
    InputError::new("this is no instant")
        .at(source, span)
        .label("expected a number of seconds such as 12.5, or a time such as 1m 30s")
}

/// The lines of a text that are not empty, with where they begin.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let begins = at;
        at += line.len();
        let line = line.trim_end_matches(['\n', '\r']);
        (!line.trim().is_empty()).then_some((begins, line))
    })
}

/// The cells of a line of CSV (RFC 4180, without line breaks in cells), each with where it stands.
pub(super) fn cells(
    source: &Source,
    begins: usize,
    line: &str,
) -> Result<Vec<(String, std::ops::Range<usize>)>, InputError> {
    let mut cells = Vec::new();
    let mut at = 0;
    loop {
        let rest = &line[at..];
        let (text, length) = match rest.strip_prefix('"') {
            None => {
                let length = rest.find(',').unwrap_or(rest.len());
                (rest[..length].trim().to_owned(), length)
            }
            Some(quoted) => {
                let (mut text, mut end) = (String::new(), 0);
                loop {
                    let Some(quote) = quoted[end..].find('"') else {
                        let span = begins + at..begins + line.len();
                        let error = InputError::new("this quote is never closed");
                        return Err(error.at(source, span));
                    };
                    text.push_str(&quoted[end..end + quote]);
                    end += quote + 1;
                    if !quoted[end..].starts_with('"') {
                        break;
                    }
                    text.push('"');
                    end += 1;
                }
                (text, end + 1)
            }
        };
        cells.push((text, begins + at..begins + at + length));
        at += length;
        match line[at..].chars().next() {
            None => return Ok(cells),
            Some(',') => at += 1,
            Some(_) => {
                let error = InputError::new("text behind a quoted cell");
                return Err(error
                    .at(source, begins + at..begins + line.len())
                    .label("expected a comma"));
            }
        }
    }
}

fn csv(source: &Source, at: &str, kinds: Option<&str>) -> Result<Vec<Entry>, InputError> {
    let mut lines = lines(&source.text);
    let Some((begins, header)) = lines.next() else { return Ok(Vec::new()) };
    let header_span = begins..begins + header.len();
    let header = cells(source, begins, header)?;
    let column = |name: &str| {
        header.iter().position(|(cell, _)| cell == name).ok_or_else(|| {
            InputError::new(format!("this recording has no column `{name}`"))
                .at(source, header_span.clone())
                .nearest(name, header.iter().map(|(cell, _)| cell.as_str()))
        })
    };
    let (at, kinds) = (column(at)?, kinds.map(column).transpose()?);
    let entry = |(begins, line): (usize, &str)| {
        let cells = cells(source, begins, line)?;
        let cell = |column: usize| {
            cells.get(column).ok_or_else(|| {
                let expected = header.len();
                InputError::new("this line has too few cells")
                    .at(source, begins..begins + line.len())
                    .label(format!("expected {expected}, as in the first line"))
            })
        };
        let (text, span) = cell(at)?;
        let ns = instant(text).ok_or_else(|| no_instant(source, span.clone()))?;
        let kind = kinds.map(cell).transpose()?.map(|(kind, _)| Arc::from(kind.as_str()));
        Ok((ns, kind))
    };
    lines.map(entry).collect()
}

fn json_lines(source: &Source, at: &str, kinds: Option<&str>) -> Result<Vec<Entry>, InputError> {
    let entry = |(begins, line): (usize, &str)| {
        let span = begins..begins + line.len();
        let wrong = |message: String| InputError::new(message).at(source, span.clone());
        let value: serde_json::Value = serde_json::from_str(line).map_err(|error| {
            let column = begins + error.column().saturating_sub(1).min(line.len());
            InputError::new("this line is not JSON").at(source, column..span.end)
        })?;
        let field =
            |key: &str| value.get(key).ok_or_else(|| wrong(format!("this line has no `{key}`")));
        let ns = match field(at)? {
            serde_json::Value::String(text) => instant(text),
            serde_json::Value::Number(number) => instant(&number.to_string()),
            _ => None,
        };
        let ns = ns.ok_or_else(|| no_instant(source, span.clone()))?;
        let kind = match kinds {
            None => None,
            Some(key) => match field(key)? {
                serde_json::Value::String(kind) => Some(Arc::from(kind.as_str())),
                _ => {
                    return Err(wrong(format!(
                        "`{key}` is not a text: expected the name of a kind"
                    )));
                }
            },
        };
        Ok((ns, kind))
    };
    lines(&source.text).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(name: &str, text: &str, kinds: Option<&str>) -> Result<Vec<(u128, String)>, String> {
        let mut recorded = RecordedArrivals {
            kinds: kinds.map(str::to_owned),
            ..RecordedArrivals::of(name, Vec::new())
        };
        let source = Source::new(name, text);
        match recorded.read_files(&|_| Ok(source.clone())) {
            Ok(()) => Ok(recorded
                .list
                .iter()
                .map(|a| (a.at.as_millis(), a.kind.as_deref().unwrap_or("").to_owned()))
                .collect()),
            Err(FileError::Malformed(error)) => Err(error.to_string()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn csv_and_json_lines_say_the_same() {
        let csv = "id,at,who\n1,12.5,quick\n2,10,\"slow, very\"\n\n3,1m,quick\n";
        let json = "{\"at\": 12.5, \"who\": \"quick\"}\n{\"at\": 10, \"who\": \"slow, very\"}\n{\"at\": \"1m\", \"who\": \"quick\"}\n";
        let expected = [(0, "slow, very"), (2_500, "quick"), (50_000, "quick")];
        let expected: Vec<_> = expected.map(|(ms, kind)| (ms, kind.to_owned())).into();
        assert_eq!(read("x.csv", csv, Some("who")).unwrap(), expected);
        assert_eq!(read("x.jsonl", json, Some("who")).unwrap(), expected);
    }

    #[test]
    fn twice_as_fast_takes_half_the_time() {
        let mut recorded =
            RecordedArrivals { speed: 200, ..RecordedArrivals::of("x.csv", Vec::new()) };
        recorded.read_files(&|_| Ok(Source::new("x.csv", "at\n0\n3\n"))).unwrap();
        assert_eq!(recorded.list[1].at, Duration::from_millis(1_500));
        assert_eq!(recorded.describe(), "2 arrivals of x.csv over 1s 500ms at 200 % of its speed");
    }

    #[test]
    fn what_is_wrong_with_a_recording_is_said_at_its_place() {
        let said = [
            read("x.csv", "att\n1\n", None),
            read("x.csv", "at,who\n1,a\nsoon,b\n", None),
            read("x.csv", "at,who\n1\n", Some("who")),
            read("x.csv", "at\n\"1\n", None),
            read("x.csv", "at\n\"1\"2\n", None),
            read("x.csv", "at\n", None),
            read("x.jsonl", "{\"at\": 1}\n{\"at\": }\n", None),
            read("x.jsonl", "{\"when\": 1}\n", None),
            read("x.jsonl", "{\"at\": -1}\n", None),
            read("x.jsonl", "{\"at\": 1, \"who\": 2}\n", Some("who")),
            read("x.txt", "1\n", None),
        ]
        .map(|said| said.map_or_else(|error| error, |list| panic!("read as {list:?}")));
        insta::assert_snapshot!(said.join("\n\n"));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "(?s).{0,200}", csv in any::<bool>()) {
            let _ = read(if csv { "x.csv" } else { "x.jsonl" }, &text, Some("who"));
            let text = format!("at,who\n{text}");
            let _ = read(if csv { "x.csv" } else { "x.jsonl" }, &text, Some("who"));
        }
    }
}
