//! What the environment asks of tests, so that CI and people can choose without touching one.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use crate::decision::StrategyChoice;
use crate::environment::{self, PREFIX, unusable, variable};
use crate::input::InputError;

/// What was asked for.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub(super) seed: Option<u64>,
    pub(super) seeds: Option<Range<u64>>,
    pub(super) strategy: Option<StrategyChoice>,
    pub(super) hang_after: Option<Duration>,
    pub(super) jobs: Option<NonZeroUsize>,
    pub(super) replay: Option<PathBuf>,
    pub(super) out: Option<PathBuf>,
    pub(super) isolate: bool,
    pub(super) no_shrink: bool,
}

impl Variables {
    /// Those of this process.
    ///
    /// # Errors
    /// When one has a value that cannot be used; the error names it.
    pub(super) fn of_process() -> Result<Self, InputError> {
        Self::of(|name| std::env::var_os(name))
    }

    fn of(value: impl Fn(&str) -> Option<OsString>) -> Result<Self, InputError> {
        fn read<T>(
            value: &dyn Fn(&str) -> Option<OsString>,
            name: &str,
            what: &str,
            parse: impl Fn(&str) -> Result<T, String>,
        ) -> Result<Option<T>, InputError> {
            let Some(source) = variable(&format!("{PREFIX}{name}"), value)? else {
                return Ok(None);
            };
            let parsed = parse(source.text.trim());
            parsed.map(Some).map_err(|expected| unusable(&source, what, expected))
        }
        let value: &dyn Fn(&str) -> Option<OsString> = &value;
        let path = |name: &str| read(value, name, "a path", |text| Ok(PathBuf::from(text)));
        Ok(Self {
            seed: read(value, "SEED", "a seed", environment::seed)?,
            seeds: read(value, "SEEDS", "a range of seeds", seeds)?,
            strategy: read(value, "STRATEGY", "a strategy", environment::strategy)?,
            hang_after: read(value, "HANG_AFTER", "a time", environment::hang_after)?,
            jobs: read(value, "JOBS", "a number of jobs", environment::jobs)?,
            replay: path("REPLAY")?,
            out: path("OUT")?,
            isolate: read(value, "ISOLATE", "a switch", switch)?.unwrap_or_default(),
            no_shrink: read(value, "NO_SHRINK", "a switch", switch)?.unwrap_or_default(),
        })
    }
}

/// A range, or how many from 0.
fn seeds(text: &str) -> Result<Range<u64>, String> {
    match environment::seed(text) {
        Ok(0) => Err("expected at least one seed: a test without any could not fail".to_owned()),
        Ok(count) => Ok(0..count),
        Err(_) if text.contains("..") => environment::seeds(text),
        Err(_) => Err("expected two seeds such as 0..1000, or how many from 0".to_owned()),
    }
}

fn switch(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "expected true or false".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(set: &[(&str, &str)]) -> Result<Variables, String> {
        let value = |name: &str| {
            set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        Variables::of(value).map_err(|error| error.to_string())
    }

    #[test]
    fn the_environment_chooses_what_a_test_plays() {
        let set = variables(&[
            ("HYPERLAPSE_SEEDS", "1000"),
            ("HYPERLAPSE_STRATEGY", "pct"),
            ("HYPERLAPSE_ISOLATE", "true"),
            ("HYPERLAPSE_REPLAY", "a.toml"),
            ("HYPERLAPSE_JOBS", "2"),
        ])
        .unwrap();
        assert_eq!(set.seeds, Some(0..1000));
        assert_eq!(set.strategy, Some(StrategyChoice::Pct));
        assert!(set.isolate && !set.no_shrink);
        assert_eq!(set.replay, Some(PathBuf::from("a.toml")));
        assert_eq!(variables(&[("HYPERLAPSE_SEEDS", "5..7")]).unwrap().seeds, Some(5..7));
        assert_eq!(variables(&[("HYPERLAPSE_SEED", "")]).unwrap().seed, None);
    }

    #[test]
    fn a_value_that_cannot_be_used_names_its_variable() {
        let wrong = [
            ("HYPERLAPSE_SEEDS", "7..5"),
            ("HYPERLAPSE_SEEDS", "many"),
            ("HYPERLAPSE_SEEDS", "0"),
            ("HYPERLAPSE_ISOLATE", "yes"),
            ("HYPERLAPSE_JOBS", "0"),
        ];
        let told = wrong.map(|set| variables(&[set]).unwrap_err()).join("\n\n");
        insta::assert_snapshot!(told);
    }
}
