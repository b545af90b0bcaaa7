//! Durations as people write them, and quantities as reports print them.
//!
//! Input takes `50ms`, `1m 30s`, `24h`. Output is made of integers only, so that no report depends on
//! how a float is printed.

use std::time::Duration;

/// Nanoseconds of a duration. Virtual time is far below the 584 years that fit.
pub(crate) fn nanos(duration: Duration) -> u64 {
    // Not `as_nanos`: that is 128-bit arithmetic, and every event asks.
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos().into())
}

/// `serde(with = "units::duration")`: a duration as text, `"1m 30s"`.
pub mod duration {
    use std::borrow::Cow;
    use std::time::Duration;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
    use serde::de::{self, Error};
    use serde::{Deserializer, Serializer};

    /// Reads `"50ms"`, `"1m 30s"`, `"24h"`.
    ///
    /// # Errors
    /// When the text is not a duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = Duration;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a time such as \"50ms\", \"1m 30s\" or \"24h\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
                parse(text).map_err(E::custom)
            }
        }

        from.deserialize_str(Text)
    }

    /// Writes what [`deserialize`] reads.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_duration(*duration))
    }

    /// `serde(with = "units::duration::option")`: the same, where it may be left out (with `serde(default)`).
    pub mod option {
        use std::time::Duration;

        use serde::{Deserializer, Serializer};

        /// Reads what [`super::deserialize`] reads.
        ///
        /// # Errors
        /// When the text is not a duration.
        pub fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Duration>, D::Error> {
            super::deserialize(from).map(Some)
        }

        /// Writes it, or nothing.
        ///
        /// # Errors
        /// When the serializer fails.
        pub fn serialize<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, to),
                None => to.serialize_none(),
            }
        }
    }

    /// `schemars(schema_with = "units::duration::json_schema")`: what [`deserialize`] reads.
    pub fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Time>()
    }

    /// Stands in schemas for what is a [`Duration`] in Rust.
    pub(crate) struct Time;

    impl JsonSchema for Time {
        fn schema_name() -> Cow<'static, str> {
            "time".into()
        }

        fn json_schema(_: &mut SchemaGenerator) -> Schema {
            const UNITS: &str = "nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|min|mins|m|\
                 hours|hour|hr|hrs|h|days|day|d|weeks|week|wk|wks|w|months|month|M|years|year|yr|yrs|y";
            json_schema!({
                "type": "string",
                "pattern": format!("^\\s*([0-9]+\\s*({UNITS})\\s*)+$"),
                "description": "A time: numbers with units, such as \"50ms\", \"1m 30s\" or \"24h\".",
            })
        }
    }

    /// Far below what the nanoseconds of a run can count, so that no sum of times overflows.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

    pub(crate) fn parse(text: &str) -> Result<Duration, String> {
        let time = humantime::parse_duration(text).map_err(|_| {
            format!("`{text}` is not a time: expected one such as \"50ms\", \"1m 30s\" or \"24h\"")
        })?;
        if time > LONGEST {
            return Err(format!("`{text}` is too long: expected at most 100 years"));
        }
        Ok(time)
    }
}

/// `50ms`, `5m`, `1m 30s`: a duration somebody chose.
pub(crate) fn text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

/// A measured time in seconds with three decimals below a minute, rounded half up; coarser above.
pub(crate) fn seconds(ns: u64) -> String {
    const SECOND: u64 = 1_000_000_000;
    match ns {
        1..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{}.{:03} us", ns / 1_000, ns % 1_000),
        _ if ns < 60 * SECOND => {
            let ms = (ns + 500_000) / 1_000_000;
            format!("{}.{:03} s", ms / 1_000, ms % 1_000)
        }
        _ if ns < 3_600 * SECOND => {
            let s = ns / SECOND;
            format!("{} min {:02} s", s / 60, s % 60)
        }
        _ => {
            let min = ns / (60 * SECOND);
            format!("{} h {:02} min", min / 60, min % 60)
        }
    }
}

/// Bytes with a decimal unit (1 KB = 1,000 B) and one decimal.
pub(crate) fn bytes(bytes: i64) -> String {
    let sign = if bytes < 0 { "-" } else { "" };
    let b = bytes.unsigned_abs();
    let with = |unit: u64, name: &str| {
        let tenths = (b * 10 + unit / 2) / unit;
        format!("{sign}{}.{} {name}", tenths / 10, tenths % 10)
    };
    match b {
        0..1_000 => format!("{sign}{b} B"),
        1_000..1_000_000 => with(1_000, "KB"),
        1_000_000..1_000_000_000 => with(1_000_000, "MB"),
        _ => with(1_000_000_000, "GB"),
    }
}

/// A whole number with thousands separated: `28,800`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `count` with its noun: `1 user`, `20 users`, `3 queries`.
pub(crate) fn plural(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{} {}", count(n), plural_of(noun)) }
}

/// The plural of an English noun that has a regular one.
pub(crate) fn plural_of(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with(['s', 'x']) || noun.ends_with("ch") || noun.ends_with("sh") => {
            format!("{noun}es")
        }
        _ => format!("{noun}s"),
    }
}

/// Thousandths as a number with one decimal, rounded half up: `66.7`.
pub(crate) fn milli(thousandths: u64) -> String {
    let tenths = (thousandths + 50) / 100;
    format!("{}.{}", count(tenths / 10), tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_printed_from_integers_alone() {
        let shown = [
            seconds(0),
            seconds(999),
            seconds(1_500),
            seconds(100_499_999),
            seconds(59_999_000_000),
            seconds(300_000_000_000),
            seconds(86_400_000_000_000),
            bytes(999),
            bytes(-12_345),
            bytes(49_960_000),
            count(28_800),
            milli(66_666),
            plural(1, "user"),
            plural(3, "query"),
            plural(2, "day"),
            plural(2, "batch"),
        ];
        insta::assert_debug_snapshot!(shown, @r#"
        [
            "0.000 s",
            "999 ns",
            "1.500 us",
            "0.100 s",
            "59.999 s",
            "5 min 00 s",
            "24 h 00 min",
            "999 B",
            "-12.3 KB",
            "50.0 MB",
            "28,800",
            "66.7",
            "1 user",
            "3 queries",
            "2 days",
            "2 batches",
        ]
        "#);
    }
}
