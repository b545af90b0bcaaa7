//! Distributions of times, sampled by inverse CDF.
//!
//! `libm` and not `std`: the logarithm of the platform's library may differ in the last digit from one
//! machine to the next, and samples must not. Tokio's timers have a resolution of a millisecond under a
//! paused clock, so a sample is rounded up to one when it is slept.

use std::time::Duration;

use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::InvalidField;
use crate::random::{RandomExt, StreamRng};
use crate::units;

/// A distribution of times. In a scenario file: `"50ms"`, `{ uniform = ["20ms", "80ms"] }`,
/// `{ exponential = "50ms" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distribution {
    /// Always the same.
    Constant(Duration),
    /// Anything from the first to the second, equally likely.
    Uniform(Duration, Duration),
    /// Exponential with this mean: the time between independent events.
    Exponential(Duration),
}

impl Default for Distribution {
    fn default() -> Self {
        Distribution::Constant(Duration::ZERO)
    }
}

impl From<Duration> for Distribution {
    fn from(duration: Duration) -> Self {
        Distribution::Constant(duration)
    }
}

impl Distribution {
    /// Whether sampling draws from the stream at all.
    pub fn is_random(&self) -> bool {
        !matches!(self, Distribution::Constant(_))
    }

    /// One time.
    pub fn sample(&self, rng: &mut StreamRng) -> Duration {
        match self {
            Distribution::Constant(time) => *time,
            Distribution::Uniform(low, high) => {
                let (low, high) = (units::nanos(*low), units::nanos(*high));
                Duration::from_nanos(low + rng.below((high - low).saturating_add(1)))
            }
            Distribution::Exponential(mean) => {
                let ns = -libm::log(rng.unit()) * units::nanos(*mean) as f64;
                Duration::from_nanos(ns as u64)
            }
        }
    }

    /// The mean.
    pub fn mean(&self) -> Duration {
        match self {
            Distribution::Constant(time) | Distribution::Exponential(time) => *time,
            Distribution::Uniform(low, high) => low.saturating_add(*high) / 2,
        }
    }

    /// Whether it can be sampled.
    ///
    /// # Errors
    /// When the ends of a uniform distribution are the wrong way round.
    pub fn validate(&self, field: &'static str) -> Result<(), InvalidField> {
        match self {
            Distribution::Uniform(low, high) if low > high => Err(InvalidField {
                field,
                why: format!(
                    "is uniform from {} to {}: expected the lower time first",
                    units::text(*low),
                    units::text(*high)
                ),
            }),
            _ => Ok(()),
        }
    }

    /// Words for a report, after `lead`; nothing when it is constantly zero.
    pub(crate) fn describe(&self, lead: &str) -> String {
        match self {
            Distribution::Constant(Duration::ZERO) => String::new(),
            Distribution::Constant(time) => format!("{lead}{}", units::text(*time)),
            Distribution::Uniform(low, high) => {
                format!("{lead}{} to {}", units::text(*low), units::text(*high))
            }
            Distribution::Exponential(mean) => {
                format!("{lead}{} on average (exponential)", units::text(*mean))
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
struct Table {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uniform: Option<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exponential: Option<String>,
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct TextOrTable;

        impl<'de> Visitor<'de> for TextOrTable {
            type Value = Distribution;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(
                    "a time such as \"50ms\", { uniform = [\"20ms\", \"80ms\"] } or { exponential = \"50ms\" }",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Distribution, E> {
                units::duration::parse(text).map(Distribution::Constant).map_err(E::custom)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Distribution, A::Error> {
                let time = |text: &str| units::duration::parse(text).map_err(A::Error::custom);
                match Table::deserialize(MapAccessDeserializer::new(map))? {
                    Table { uniform: Some((low, high)), exponential: None } => {
                        Ok(Distribution::Uniform(time(&low)?, time(&high)?))
                    }
                    Table { uniform: None, exponential: Some(mean) } => {
                        Ok(Distribution::Exponential(time(&mean)?))
                    }
                    _ => Err(A::Error::custom("expected either `uniform` or `exponential`")),
                }
            }
        }

        from.deserialize_any(TextOrTable)
    }
}

impl Serialize for Distribution {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let table = match self {
            Distribution::Constant(time) => return to.collect_str(&units::text(*time)),
            Distribution::Uniform(low, high) => {
                Table { uniform: Some((units::text(*low), units::text(*high))), exponential: None }
            }
            Distribution::Exponential(mean) => {
                Table { uniform: None, exponential: Some(units::text(*mean)) }
            }
        };
        table.serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Streams;

    fn mean_of(distribution: &Distribution) -> u64 {
        let mut rng = Streams::new(1).stream("distribution");
        let sum: u64 = (0..100_000).map(|_| units::nanos(distribution.sample(&mut rng))).sum();
        sum / 100_000
    }

    #[test]
    fn samples_have_the_stated_mean() {
        let ms = Duration::from_millis;
        for distribution in [
            Distribution::Constant(ms(50)),
            Distribution::Uniform(ms(20), ms(80)),
            Distribution::Exponential(ms(50)),
        ] {
            let mean = mean_of(&distribution);
            assert!(mean.abs_diff(50_000_000) < 500_000, "{distribution:?}: {mean}");
        }
    }

    #[test]
    fn samples_stay_the_same_across_releases() {
        let mut rng = Streams::new(7).stream("distribution");
        let exponential = Distribution::Exponential(Duration::from_millis(50));
        let samples: Vec<u128> = (0..3).map(|_| exponential.sample(&mut rng).as_nanos()).collect();
        insta::assert_debug_snapshot!(samples, @"
        [
            46215441,
            22660039,
            88396361,
        ]
        ");
    }

    #[test]
    fn every_form_is_read_and_written() {
        #[derive(Debug, Serialize, Deserialize)]
        struct Form {
            pause: Distribution,
        }
        for text in [
            "pause = \"50ms\"\n",
            "[pause]\nuniform = [\"20ms\", \"80ms\"]\n",
            "[pause]\nexponential = \"1s\"\n",
        ] {
            let form: Form = toml::from_str(text).unwrap();
            assert_eq!(toml::to_string(&form).unwrap(), text);
        }
        let error = toml::from_str::<Form>("pause = 5").unwrap_err();
        insta::assert_snapshot!(error.message(), @r#"invalid type: integer `5`, expected a time such as "50ms", { uniform = ["20ms", "80ms"] } or { exponential = "50ms" }"#);
    }
}
