//! What the environment asks for, so that CI can choose a seed without touching a test or a command.
//!
//! Every variable begins with `HYPERLAPSE_` and carries the name of an option of the command line. One that is set
//! and empty counts as not set. A value that cannot be used is an error that names its variable, never a default.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::time::Duration;

use crate::decision::StrategyChoice;
use crate::input::{InputError, Source};
use crate::seed_file::MAX_SEED;
use crate::units;
use crate::world::RunOptions;

/// How every variable begins.
pub(crate) const PREFIX: &str = "HYPERLAPSE_";

/// A variable that is set to something.
///
/// # Errors
/// When it is not text.
pub(crate) fn variable(
    name: &str,
    value: impl FnOnce(&str) -> Option<OsString>,
) -> Result<Option<Source>, InputError> {
    match value(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) if text.trim().is_empty() => Ok(None),
        Some(Ok(text)) => Ok(Some(Source::new(name, text))),
        Some(Err(_)) => Err(InputError::new(format!("the variable {name} is not UTF-8"))),
    }
}

/// The error of a variable: what its value was to be, and what was expected.
pub(crate) fn unusable(source: &Source, what: &str, expected: impl Into<String>) -> InputError {
    let text = &source.text;
    let start = text.len() - text.trim_start().len();
    InputError::new(format!("the variable {} is not {what}", source.name))
        .at(source, start..start + text.trim().len())
        .label(expected)
}

impl RunOptions {
    /// The defaults, with what the environment says: `HYPERLAPSE_SEED` (a whole number), `HYPERLAPSE_STRATEGY`
    /// (a name that `--strategy` takes) and `HYPERLAPSE_HANG_AFTER` (a time such as `30s`).
    ///
    /// With it CI runs a test on another seed each night, and a failure of that night is looked at with its seed:
    /// `HYPERLAPSE_SEED=17 cargo test`. The command line of a suite reads these variables by itself.
    ///
    /// ```
    /// use hyperlapse::{InputError, RunOptions};
    ///
    /// let options = RunOptions::from_env()?;
    /// println!("seed {}", options.seed); // 0 when the environment says nothing
    /// # Ok::<(), InputError>(())
    /// ```
    ///
    /// # Errors
    /// When one of them has a value that cannot be used; the error names it.
    pub fn from_env() -> Result<Self, InputError> {
        Self::from_variables(|name| std::env::var_os(name))
    }

    fn from_variables(value: impl Fn(&str) -> Option<OsString>) -> Result<Self, InputError> {
        fn read<T>(
            of: &Result<Option<Source>, InputError>,
            what: &str,
            parse: impl Fn(&str) -> Result<T, String>,
        ) -> Result<Option<T>, InputError> {
            let Some(source) = of.as_ref().map_err(InputError::clone)? else { return Ok(None) };
            let parsed = parse(source.text.trim());
            parsed.map(Some).map_err(|expected| unusable(source, what, expected))
        }
        let of = |name: &str| variable(&format!("{PREFIX}{name}"), &value);
        let defaults = Self::default();
        Ok(Self {
            seed: read(&of("SEED"), "a seed", seed)?.unwrap_or(defaults.seed),
            strategy: read(&of("STRATEGY"), "a strategy", strategy)?.unwrap_or(defaults.strategy),
            hang_after: read(&of("HANG_AFTER"), "a time", hang_after)?
                .unwrap_or(defaults.hang_after),
            ..defaults
        })
    }
}

/// Reads a seed.
///
/// # Errors
/// Says what was expected.
pub(crate) fn seed(text: &str) -> Result<u64, String> {
    let seed = text.parse().ok().filter(|seed| *seed <= MAX_SEED);
    seed.ok_or_else(|| format!("expected a whole number from 0 to {MAX_SEED}"))
}

/// Reads the name of a strategy.
///
/// # Errors
/// Says what was expected.
pub(crate) fn strategy(text: &str) -> Result<StrategyChoice, String> {
    let known = || format!("expected one of {}", StrategyChoice::NAMES.join(", "));
    StrategyChoice::named(text).ok_or_else(known)
}

/// Reads the time after which a run is given up.
///
/// # Errors
/// Says what was expected.
pub(crate) fn hang_after(text: &str) -> Result<Duration, String> {
    let time = units::duration::parse(text)?;
    match time.is_zero() {
        true => Err("expected a time above zero: every run would be given up at once".to_owned()),
        false => Ok(time),
    }
}

/// Reads how many runs go side by side.
///
/// # Errors
/// Says what was expected.
pub(crate) fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "expected a whole number from 1".to_owned())
}

/// Reads the seeds of a sweep.
///
/// # Errors
/// Says what was expected.
pub(crate) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let expected = || format!("expected two seeds such as 0..1000, each at most {MAX_SEED}");
    let (from, to) = text.split_once("..").ok_or_else(expected)?;
    let seed = |text: &str| seed(text.trim()).map_err(|_| expected());
    let (from, to) = (seed(from)?, seed(to)?);
    if from >= to {
        return Err(format!("there is no seed from {from} up to, not including, {to}"));
    }
    Ok(from..to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(set: &[(&str, &str)]) -> Result<RunOptions, String> {
        let value = |name: &str| {
            set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        RunOptions::from_variables(value).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_chooses_seed_strategy_and_patience() {
        let options = |set: &[(&str, &str)]| options(set).unwrap();
        let set = options(&[
            ("HYPERLAPSE_SEED", " 17\n"),
            ("HYPERLAPSE_STRATEGY", "pct"),
            ("HYPERLAPSE_HANG_AFTER", "2m"),
        ]);
        assert_eq!(set.seed, 17);
        assert_eq!(set.strategy, StrategyChoice::Pct);
        assert_eq!(set.hang_after, Duration::from_secs(120));
        assert_eq!(options(&[("HYPERLAPSE_SEED", "")]).seed, 0);
        assert_eq!(options(&[]).strategy, StrategyChoice::default());
    }

    #[test]
    fn a_value_that_cannot_be_used_names_its_variable() {
        let wrong = [("HYPERLAPSE_SEED", "-3"), ("HYPERLAPSE_STRATEGY", "pkt")];
        let told = wrong.map(|set| options(&[set]).unwrap_err()).join("\n\n");
        insta::assert_snapshot!(told);
    }
}
