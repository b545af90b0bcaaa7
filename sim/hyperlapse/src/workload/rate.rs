//! Rates as people write them: `10/s`, `2.5/m`, `1000/h`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// So many in so much time, exactly.
///
/// ```
/// use hyperlapse::Rate;
///
/// let rate: Rate = "2.5/m".parse().unwrap();
/// assert_eq!(rate.to_string(), "2.5/m");
/// assert_eq!(Rate::per_second(10).to_string(), "10/s");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Thousandths of one.
    milli: u64,
    per: Per,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Per {
    Second,
    Minute,
    Hour,
}

const PER: [(Per, &str, u64); 3] =
    [(Per::Second, "s", 1), (Per::Minute, "m", 60), (Per::Hour, "h", 3_600)];

/// More than this in a second is more than timers of a millisecond can tell apart by far.
const FASTEST: u64 = 10_000_000;

impl Rate {
    /// None at all.
    pub const ZERO: Rate = Rate { milli: 0, per: Per::Second };

    /// So many in a second.
    pub const fn per_second(n: u64) -> Self {
        Self { milli: n * 1_000, per: Per::Second }
    }

    /// So many in a minute.
    pub const fn per_minute(n: u64) -> Self {
        Self { milli: n * 1_000, per: Per::Minute }
    }

    /// So many in an hour.
    pub const fn per_hour(n: u64) -> Self {
        Self { milli: n * 1_000, per: Per::Hour }
    }

    /// In a second.
    pub(super) fn in_a_second(self) -> f64 {
        let seconds = PER[self.per as usize].2;
        self.milli as f64 / (1_000 * seconds) as f64
    }

    /// Whether it is none at all.
    pub fn is_zero(self) -> bool {
        self.milli == 0
    }

    /// This rate and `times` of another.
    pub(super) fn plus(self, other: Rate, times: u32) -> Self {
        let more = |scale: u64| other.milli * u64::from(times) * scale;
        // Exact in the unit of the coarser one.
        let (mine, others) = (PER[self.per as usize].2, PER[other.per as usize].2);
        match mine >= others {
            true => Self { milli: self.milli + more(mine / others), per: self.per },
            false => Self { milli: self.milli * (others / mine) + more(1), per: other.per },
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.milli / 1_000, self.milli % 1_000);
        let part = format!("{part:03}");
        let part = part.trim_end_matches('0');
        let dot = if part.is_empty() { "" } else { "." };
        write!(f, "{whole}{dot}{part}/{}", PER[self.per as usize].1)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || {
            format!(
                "`{text}` is not a rate: expected one such as \"10/s\", \"2.5/m\" or \"1000/h\""
            )
        };
        let (number, per) = text.split_once('/').ok_or_else(malformed)?;
        let (number, per) = (number.trim(), per.trim());
        let (per, ..) = PER.into_iter().find(|(_, name, _)| *name == per).ok_or_else(malformed)?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 3 || whole.len() > 12 {
            return Err(malformed());
        }
        let milli: u64 = format!("{whole}{part:0<3}").parse().map_err(|_| malformed())?;
        let rate = Rate { milli, per };
        if rate.in_a_second() > FASTEST as f64 {
            return Err(format!("`{text}` is too fast: expected at most {FASTEST}/s"));
        }
        Ok(rate)
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "rate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let per = PER.map(|(_, name, _)| name).join("|");
        json_schema!({
            "type": "string",
            "pattern": format!("^\\s*[0-9]{{1,12}}(\\.[0-9]{{1,3}})?\\s*/\\s*({per})\\s*$"),
            "description": "A rate: so many in a second, a minute or an hour, such as \"10/s\", \"2.5/m\" or \"1000/h\".",
        })
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rate such as \"10/s\" or \"2.5/m\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Rate, E> {
                text.parse().map_err(E::custom)
            }
        }

        from.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_written_as_it_was_read() {
        for text in ["10/s", "2.5/m", "1000/h", "0.125/s", "0/s"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        assert_eq!("6/m".parse::<Rate>().unwrap().in_a_second(), 0.1);
        let plus =
            |a: &str, b: &str| a.parse::<Rate>().unwrap().plus(b.parse().unwrap(), 2).to_string();
        assert_eq!([plus("1/s", "6/m"), plus("6/m", "1/s")], ["72/m", "126/m"]);
    }

    #[test]
    fn what_is_no_rate_is_said() {
        for text in ["10", "/s", "10/d", "-1/s", "1e3/s", "1.2345/s", "1./s", ".5/s", ""] {
            let error = text.parse::<Rate>().unwrap_err();
            assert!(error.contains("expected one such as"), "{text}: {error}");
        }
        assert!("99999999/s".parse::<Rate>().unwrap_err().contains("too fast"));
    }
}
