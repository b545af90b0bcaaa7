//! Distributions of times, sampled by inverse CDF.
//!
//! `libm` and not `std`: the logarithm of the platform's library may differ in the last digit from one
//! machine to the next, and samples must not. Tokio's timers have a resolution of a millisecond under a
//! paused clock, so a sample is rounded up to one when it is slept.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, MapAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use super::measured::{self, Measured};
use super::{InvalidField, normal};
use crate::random::{RandomExt, StreamRng};
use crate::units;

/// A distribution of times. In a scenario file: `"50ms"`, `{ uniform = ["20ms", "80ms"] }`,
/// `{ exponential = "50ms" }`, `{ log_normal = "50ms", sigma = 0.5 }`, `{ zipf = "50ms", exponent = 1.1 }`,
/// `{ measured = "latencies.csv" }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distribution {
    /// Always the same.
    Constant(Duration),
    /// Anything from the first to the second, equally likely.
    Uniform(Duration, Duration),
    /// Exponential with this mean: the time between independent events.
    Exponential(Duration),
    /// Log-normal: most near the median, few very long. What people take to read and answer is like this.
    LogNormal {
        /// Half of the times are below it.
        median: Duration,
        /// The standard deviation of the logarithm, in thousandths.
        sigma_milli: u32,
    },
    /// Another time for each user, always the same: that of user n is `fastest` times `(n + 1) ^ exponent`. With it as
    /// a pause few users make most of the load, as Zipf's law has it: the n-th most active is `(n + 1) ^ exponent`
    /// times less active than the first.
    Zipf {
        /// The time of user 0.
        fastest: Duration,
        /// How steep it is, in thousandths.
        exponent_milli: u32,
    },
    /// One of those that were measured, each as likely as it was often.
    Measured(Measured),
}

/// No time is longer than this, however unlikely: a hundred years.
const LONGEST_NS: f64 = 3.1536e18;

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

impl From<Measured> for Distribution {
    fn from(measured: Measured) -> Self {
        Distribution::Measured(measured)
    }
}

impl Distribution {
    /// Log-normal with this median and this standard deviation of the logarithm, to a thousandth.
    pub fn log_normal(median: Duration, sigma: f64) -> Self {
        Distribution::LogNormal { median, sigma_milli: (sigma * 1_000.0).round() as u32 }
    }

    /// Zipf over users, with this exponent to a thousandth.
    pub fn zipf(fastest: Duration, exponent: f64) -> Self {
        Distribution::Zipf { fastest, exponent_milli: (exponent * 1_000.0).round() as u32 }
    }

    /// Whether sampling draws from the stream at all.
    pub fn is_random(&self) -> bool {
        !matches!(self, Distribution::Constant(_) | Distribution::Zipf { .. })
    }

    /// Whether it is the same time for everybody, always.
    pub(crate) fn constant(&self) -> Option<Duration> {
        match self {
            Distribution::Constant(time) => Some(*time),
            _ => None,
        }
    }

    /// One time, for a user by number.
    pub fn sample_for(&self, user: u32, rng: &mut StreamRng) -> Duration {
        match self {
            Distribution::Zipf { .. } => self.mean_of(user),
            other => other.sample(rng),
        }
    }

    /// One time. With Zipf over users it is that of user 0: see [`Distribution::sample_for`].
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
            Distribution::LogNormal { median, sigma_milli } => {
                // Half a step below: the inverse takes neither 0 nor 1.
                let z = normal::quantile(rng.unit() - HALF_A_STEP);
                scaled(*median, libm::exp(z * f64::from(*sigma_milli) / 1_000.0))
            }
            Distribution::Zipf { .. } => self.mean_of(0),
            Distribution::Measured(measured) => measured.sample(rng),
        }
    }

    /// The mean; with Zipf over users that of user 0.
    pub fn mean(&self) -> Duration {
        self.mean_of(0)
    }

    /// The mean of a user by number.
    pub fn mean_of(&self, user: u32) -> Duration {
        match self {
            Distribution::Constant(time) | Distribution::Exponential(time) => *time,
            Distribution::Uniform(low, high) => low.saturating_add(*high) / 2,
            Distribution::LogNormal { median, sigma_milli } => {
                let sigma = f64::from(*sigma_milli) / 1_000.0;
                scaled(*median, libm::exp(sigma * sigma / 2.0))
            }
            Distribution::Zipf { fastest, exponent_milli } => {
                let exponent = f64::from(*exponent_milli) / 1_000.0;
                scaled(*fastest, libm::pow(f64::from(user) + 1.0, exponent))
            }
            Distribution::Measured(measured) => measured.mean(),
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
            Distribution::LogNormal { median, sigma_milli } => format!(
                "{lead}{} at the median (log-normal, sigma {})",
                units::text(*median),
                thousandths(*sigma_milli)
            ),
            Distribution::Zipf { fastest, exponent_milli } => format!(
                "{lead}{} times n ^ {} for the n-th user (Zipf)",
                units::text(*fastest),
                thousandths(*exponent_milli)
            ),
            Distribution::Measured(measured) => format!("{lead}{}", measured.describe()),
        }
    }
}

/// Half of the distance between two of the numbers that [`RandomExt::unit`] draws.
const HALF_A_STEP: f64 = 1.0 / (1u64 << 54) as f64;

fn scaled(time: Duration, by: f64) -> Duration {
    Duration::from_nanos((units::nanos(time) as f64 * by).min(LONGEST_NS) as u64)
}

/// Thousandths as people write them: `1.1`.
fn thousandths(milli: u32) -> String {
    let text = format!("{}.{:03}", milli / 1_000, milli % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What stands in a scenario file: one of the names of a distribution, and what belongs to it.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, default)]
struct Table {
    #[serde(skip_serializing_if = "Option::is_none")]
    uniform: Option<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exponential: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_normal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sigma: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zipf: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exponent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metric: Option<String>,
}

impl Table {
    fn distribution(self) -> Result<Distribution, String> {
        let time = |text: &str| units::duration::parse(text);
        let names = [
            self.uniform.is_some(),
            self.exponential.is_some(),
            self.log_normal.is_some(),
            self.zipf.is_some(),
            self.measured.is_some(),
        ];
        if names.into_iter().filter(|named| *named).count() != 1 {
            return Err(
                "expected one of `uniform`, `exponential`, `log_normal`, `zipf` and `measured`"
                    .to_owned(),
            );
        }
        if self.sigma.is_some() && self.log_normal.is_none() {
            return Err("`sigma` belongs to `log_normal`".to_owned());
        }
        if self.exponent.is_some() && self.zipf.is_none() {
            return Err("`exponent` belongs to `zipf`".to_owned());
        }
        if self.metric.is_some() && self.measured.is_none() {
            return Err("`metric` belongs to `measured`".to_owned());
        }
        if let Some(file) = self.measured {
            let metric = self.metric.as_deref().unwrap_or(measured::RESPONSE);
            return measured::named(&file, metric).map(Distribution::Measured);
        }
        if let Some((low, high)) = self.uniform {
            return Ok(Distribution::Uniform(time(&low)?, time(&high)?));
        }
        if let Some(mean) = self.exponential {
            return Ok(Distribution::Exponential(time(&mean)?));
        }
        if let Some(median) = self.log_normal {
            let sigma_milli = milli("sigma", self.sigma.unwrap_or(1.0))?;
            return Ok(Distribution::LogNormal { median: time(&median)?, sigma_milli });
        }
        let fastest = self.zipf.expect("one of the five is there");
        let exponent_milli = milli("exponent", self.exponent.unwrap_or(1.0))?;
        Ok(Distribution::Zipf { fastest: time(&fastest)?, exponent_milli })
    }
}

/// A number from 0 to 10 in thousandths.
fn milli(name: &str, number: f64) -> Result<u32, String> {
    let milli = number * 1_000.0;
    let whole = (milli - milli.round()).abs() < 1e-6;
    match (0.0..=10_000.0).contains(&milli) && whole {
        true => Ok(milli.round() as u32),
        false => Err(format!(
            "`{name}` is {number}: expected a number from 0 to 10 with at most three decimals"
        )),
    }
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
                let table = Table::deserialize(MapAccessDeserializer::new(map))?;
                table.distribution().map_err(A::Error::custom)
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
                Table { uniform: Some((units::text(*low), units::text(*high))), ..Table::default() }
            }
            Distribution::Exponential(mean) => {
                Table { exponential: Some(units::text(*mean)), ..Table::default() }
            }
            Distribution::LogNormal { median, sigma_milli } => Table {
                log_normal: Some(units::text(*median)),
                sigma: Some(f64::from(*sigma_milli) / 1_000.0),
                ..Table::default()
            },
            Distribution::Zipf { fastest, exponent_milli } => Table {
                zipf: Some(units::text(*fastest)),
                exponent: Some(f64::from(*exponent_milli) / 1_000.0),
                ..Table::default()
            },
            Distribution::Measured(of) => Table {
                measured: Some(of.file().to_owned()),
                metric: Some(of.metric().to_owned()).filter(|of| of != measured::RESPONSE),
                ..Table::default()
            },
        };
        table.serialize(to)
    }
}

impl JsonSchema for Distribution {
    fn schema_name() -> Cow<'static, str> {
        "distribution".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let time = units::duration::json_schema(generator);
        let table = |name: &str, value: serde_json::Value, about: &str| {
            json_schema!({
                "type": "object", "properties": { name: value }, "required": [name],
                "additionalProperties": false, "description": about,
            })
        };
        let two =
            serde_json::json!({ "type": "array", "items": time, "minItems": 2, "maxItems": 2 });
        let uniform =
            table("uniform", two, "Anything from the first to the second, equally likely.");
        let exponential =
            table("exponential", time.clone().to_value(), "Exponential with this mean.");
        let shaped = |name: &str, shape: &str, about: &str, what: &str| {
            json_schema!({
                "type": "object", "required": [name], "additionalProperties": false, "description": about,
                "properties": {
                    name: time,
                    shape: { "type": "number", "minimum": 0, "maximum": 10, "default": 1, "description": what },
                },
            })
        };
        let log_normal = shaped(
            "log_normal",
            "sigma",
            "Log-normal with this median: most near it, few very long.",
            "The standard deviation of the logarithm.",
        );
        let zipf = shaped(
            "zipf",
            "exponent",
            "Another time for each user, always the same: that of user n is this times (n + 1) ^ exponent.",
            "How steep it is.",
        );
        let measured = json_schema!({
            "type": "object", "required": ["measured"], "additionalProperties": false,
            "description": "Times that were measured, each as likely as it was often.",
            "properties": {
                "measured": {
                    "type": "string",
                    "description": "The file that `run --save-latencies` has written, beside this one.",
                },
                "metric": {
                    "type": "string", "default": measured::RESPONSE,
                    "description": "Which of its times.",
                },
            },
        });
        json_schema!({
            "description": "Always the same time, such as \"50ms\", or a distribution of times.",
            "oneOf": [time, uniform, exponential, log_normal, zipf, measured],
        })
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
            // The mean is exp(sigma^2 / 2) times the median.
            Distribution::log_normal(Duration::from_nanos(44_124_845), 0.5),
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
            "[pause]\nlog_normal = \"1s\"\nsigma = 0.5\n",
            "[pause]\nzipf = \"1s\"\nexponent = 1.125\n",
        ] {
            let form: Form = toml::from_str(text).unwrap();
            assert_eq!(toml::to_string(&form).unwrap(), text);
        }
        let error = toml::from_str::<Form>("pause = 5").unwrap_err();
        insta::assert_snapshot!(error.message(), @r#"invalid type: integer `5`, expected a time such as "50ms", { uniform = ["20ms", "80ms"] } or { exponential = "50ms" }"#);
    }

    #[test]
    fn half_of_a_log_normal_is_below_its_median_and_a_sixth_beyond_a_sigma() {
        let mut rng = Streams::new(3).stream("distribution");
        let distribution = Distribution::log_normal(Duration::from_millis(50), 0.7);
        let samples: Vec<f64> =
            (0..100_000).map(|_| distribution.sample(&mut rng).as_secs_f64()).collect();
        let below = |bound: f64| samples.iter().filter(|s| **s < bound).count() as u64;
        assert!(below(0.05).abs_diff(50_000) < 500, "{}", below(0.05));
        assert!(below(0.05 * 0.7f64.exp()).abs_diff(84_134) < 500);
    }

    #[test]
    fn zipf_makes_the_second_user_half_as_active_as_the_first() {
        let distribution = Distribution::zipf(Duration::from_millis(10), 1.0);
        let mut rng = Streams::new(3).stream("distribution");
        let of = |user, rng: &mut StreamRng| distribution.sample_for(user, rng).as_micros();
        let times = [0, 1, 2, 99].map(|user| of(user, &mut rng));
        assert_eq!(times, [10_000, 20_000, 30_000, 1_000_000]);
    }

    #[test]
    fn what_is_no_distribution_is_said() {
        #[derive(Debug, Deserialize)]
        struct Form {
            #[allow(dead_code)]
            pause: Distribution,
        }
        let why = |text: &str| {
            let error = toml::from_str::<Form>(&format!("pause = {text}")).unwrap_err();
            error.message().trim().to_owned()
        };
        let said = [
            "{}",
            "{ uniform = ['1s', '2s'], zipf = '1s' }",
            "{ exponential = '1s', sigma = 0.5 }",
            "{ uniform = ['1s', '2s'], exponent = 2.0 }",
            "{ log_normal = '1s', sigma = -1.0 }",
            "{ uniform = ['1s', '2s'], metric = 'response' }",
            "{ zipf = '1s', exponent = 0.12345 }",
            "{ zipff = '1s' }",
        ]
        .map(why);
        insta::assert_debug_snapshot!(said, @r#"
        [
            "expected one of `uniform`, `exponential`, `log_normal`, `zipf` and `measured`",
            "expected one of `uniform`, `exponential`, `log_normal`, `zipf` and `measured`",
            "`sigma` belongs to `log_normal`",
            "`exponent` belongs to `zipf`",
            "`sigma` is -1: expected a number from 0 to 10 with at most three decimals",
            "`metric` belongs to `measured`",
            "`exponent` is 0.12345: expected a number from 0 to 10 with at most three decimals",
            "unknown field `zipff`, expected one of `uniform`, `exponential`, `log_normal`, `sigma`, `zipf`, `exponent`, `measured`, `metric`",
        ]
        "#);
    }
}
