//! Seed files: a failing run as a small TOML file that replays for ever.
//!
//! ```toml
//! format = 1
//! scenario = "concurrent-users"
//! system = "manager"
//! seed = 7
//! expect = "fail"                      # "pass" once the bug is fixed and must not come back
//! fingerprint = "5d1c4be0a1f6a0c3"     # hash of all events
//! events = 202
//! checkpoints = ["…", "…"]             # the hash after 1, 2, 4, 8, … events
//! tail = ["…"]                         # the last events, for people and to tell where replays part
//!
//! strategy = "replay"                  # "none" when left out; "random" decides by the seed
//! decisions = ["yield user-3 17"]      # of a replay
//! only = ["user-3", "user-7@2"]        # the users and iterations that take part; all when left out
//!
//! [set]                                # what was changed with --set
//! "manager.max_concurrent" = "19"
//!
//! [failure]                            # of this kind and name it must fail again
//! kind = "threshold"
//! name = "starts.refused == 30"
//! message = "31"
//!
//! [build]                              # what ran it
//! suite = "conversation-load 0.1.0"
//! tokio_unstable = true
//! binary = "0123456789abcdef"
//! ```
//!
//! `text` holds the scenario itself where it is not one that the suite brings. Seeds are below 2^63,
//! since TOML's integers are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use crate::build_info::Build;
use crate::decision::{Decision, Schedule, StrategyChoice};
use crate::event::Fingerprint;
use crate::input::{InputError, Source};
use crate::scenario::overrides::{self, Override};
use crate::suite::{Case, Finished};
use crate::verdict::Failure;

/// Version of seed files.
pub const SEED_FILE_FORMAT: u32 = 1;

/// The greatest seed that there is.
pub const MAX_SEED: u64 = i64::MAX as u64;

/// A failing run, to be replayed: a small TOML file that people can read. Seeds are below 2^63, since
/// TOML's integers are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedFile {
    /// Version of the file: [`SEED_FILE_FORMAT`].
    pub format: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The system's name.
    pub system: String,
    /// The seed.
    pub seed: u64,
    /// What a replay should come to.
    #[serde(default)]
    pub expect: Expect,
    /// Hash of all events.
    pub fingerprint: Fingerprint,
    /// How many events there were.
    pub events: u64,
    /// The hash after 1, 2, 4, 8, … events.
    #[serde(default)]
    pub checkpoints: Vec<Fingerprint>,
    /// The last events.
    #[serde(default)]
    pub tail: Vec<String>,
    /// The scenario, where the suite does not bring it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What bent the run: the name of a strategy, or `replay` of the decisions below.
    #[serde(default = "none", skip_serializing_if = "is_none")]
    pub strategy: String,
    /// The decisions to take, where the strategy is `replay`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
    /// The users (`user-3`) and iterations (`user-3@2`) that take part, where the strategy is `replay`; all when
    /// it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<BTreeSet<String>>,
    /// What was set: whole path and value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// What failed.
    pub failure: Failure,
    /// What ran it.
    pub build: Build,
}

fn none() -> String {
    "none".to_owned()
}

fn is_none(strategy: &str) -> bool {
    strategy == "none"
}

/// The line that replays a seed file: see [`SeedFile::text`].
pub(crate) fn replay_line(command: &str, file: &str) -> String {
    match command.contains("{}") {
        true => command.replace("{}", file),
        false => format!("{command} replay {file}"),
    }
}

/// What the replay of a seed file should come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The failure is there and must stay found.
    #[default]
    Fail,
    /// The failure was put right and must not come back.
    Pass,
}

impl SeedFile {
    /// The seed file of a run that failed; `None` when it did not.
    pub fn of(case: &Case, finished: &Finished, build: Build) -> Option<Self> {
        let record = &finished.record;
        let strategy = case.strategy();
        let schedule = match strategy {
            StrategyChoice::Replay(schedule) => schedule.clone(),
            _ => Schedule::default(),
        };
        Some(Self {
            format: SEED_FILE_FORMAT,
            scenario: record.scenario.clone(),
            system: record.system.clone(),
            seed: record.seed,
            expect: Expect::Fail,
            fingerprint: record.fingerprint,
            events: record.events,
            checkpoints: record.checkpoints.clone(),
            tail: record.kept_events.iter().map(ToString::to_string).collect(),
            strategy: strategy.name().to_owned(),
            decisions: schedule.decisions,
            only: schedule.only,
            text: case.text.as_deref().map(str::to_owned),
            set: case.set.iter().map(|set| (set.path.clone(), set.value.clone())).collect(),
            failure: finished.verdict.failures.first()?.clone(),
            build,
        })
    }

    /// The seed file of a run for one of its failures.
    pub(crate) fn of_failure(
        case: &Case,
        finished: &Finished,
        failure: &Failure,
        build: Build,
    ) -> Self {
        let seed_file = Self::of(case, finished, build).expect("what was shrunk still fails");
        Self { failure: failure.clone(), ..seed_file }
    }

    /// Reads a seed file.
    ///
    /// # Errors
    /// When it cannot be read or is not one; with its place.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        Self::parse(&Source::read(path)?)
    }

    pub(crate) fn parse(source: &Source) -> Result<Self, InputError> {
        #[derive(Deserialize)]
        struct Version {
            format: Option<toml::Spanned<u32>>,
        }
        let toml_error = |error: toml::de::Error| InputError::toml(source, &error);
        // The version first: of another version nothing else can be said.
        let version: Version = toml::from_str(&source.text).map_err(toml_error)?;
        let Some(format) = version.format else {
            return Err(InputError::new("this is not a seed file: it has no `format`")
                .at(source, 0..0)
                .help("`replay` takes seed files; scenario files are for `run`"));
        };
        if *format.get_ref() != SEED_FILE_FORMAT {
            return Err(InputError::new(format!("this seed file has format {}", format.get_ref()))
                .at(source, format.span())
                .label(format!(
                    "expected {SEED_FILE_FORMAT}, which is all that this build reads"
                )));
        }
        let seed_file: Self = toml::from_str(&source.text).map_err(toml_error)?;
        if seed_file.seed > MAX_SEED {
            // TOML's own integers end there; this reader's do not.
            return Err(InputError::new(format!("{} is not a seed", seed_file.seed))
                .at(source, Self::place(source, &["seed"]))
                .label(format!("expected a whole number from 0 to {MAX_SEED}")));
        }
        Ok(seed_file)
    }

    /// Where the entry under these keys stands in the text of a seed file.
    pub(crate) fn place(source: &Source, keys: &[&str]) -> Range<usize> {
        let mut place = 0..0;
        let Ok(root) = DeTable::parse(&source.text) else { return place };
        let mut table = root.get_ref();
        for key in keys {
            let Some((key, value)) = table.get_key_value(*key) else { break };
            place = key.span().start..value.span().end;
            let DeValue::Table(inner) = value.get_ref() else { break };
            table = inner;
        }
        place
    }

    /// What bends the replay.
    ///
    /// # Errors
    /// When this build has no strategy of that name.
    pub fn strategy(&self) -> Result<StrategyChoice, InputError> {
        if self.strategy == "replay" {
            let (decisions, only) = (self.decisions.clone(), self.only.clone());
            return Ok(StrategyChoice::Replay(Schedule { decisions, only }));
        }
        StrategyChoice::named(&self.strategy).ok_or_else(|| {
            let error = InputError::new(format!("unknown strategy `{}`", self.strategy));
            error.nearest(&self.strategy, StrategyChoice::NAMES.into_iter().chain(["replay"]))
        })
    }

    /// What was set, in a form that can be applied.
    pub fn overrides(&self) -> Vec<Override> {
        let set = |(path, value): (&String, &String)| Override {
            path: path.clone(),
            value: value.clone(),
        };
        overrides::in_order(self.set.iter().map(set).collect())
    }

    /// The text of the file. Replayed is it by `command replay FILE`, or by `command` with the file for the `{}` in it.
    ///
    /// # Panics
    /// Never: everything in it can be written as TOML.
    pub fn text(&self, command: &str) -> String {
        let mut text = String::from("# A failing run. It is replayed by\n");
        let line = replay_line(command, "<this file>");
        writeln!(text, "#   {line}").expect("a string takes any text");
        text.push_str(&toml::to_string_pretty(self).expect("a seed file is plain data"));
        text
    }

    /// The name that its file gets: the same run gets the same name.
    pub fn file_name(&self) -> String {
        let mut name = format!("{}-{}-seed-{}", self.scenario, self.system, self.seed);
        for (path, value) in &self.set {
            let leaf = path.rsplit('.').next().unwrap_or(path);
            write!(name, "-{leaf}-{value}").expect("a string takes any text");
        }
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let mut name: String = name.chars().map(safe).take(120).collect();
        name.push_str(".toml");
        name
    }

    /// Writes it into `directory` under its own [name](Self::file_name); see [`Self::write_as`].
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write(&self, directory: &Path, command: &str) -> io::Result<PathBuf> {
        self.write_as(directory, &self.file_name(), command)
    }

    /// Writes it into `directory`, which is made where it is missing. A file that is there stays as it
    /// is: this one gets a number behind its name, unless it is the very same.
    ///
    /// The file appears under its name whole or not at all.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn write_as(&self, directory: &Path, name: &str, command: &str) -> io::Result<PathBuf> {
        fs::create_dir_all(directory)?;
        let text = self.text(command);
        let mut temporary = tempfile::NamedTempFile::new_in(directory)?;
        temporary.write_all(text.as_bytes())?;
        let stem = name.trim_end_matches(".toml");
        for number in 1.. {
            let path = directory.join(match number {
                1 => name.to_owned(),
                _ => format!("{stem}-{number}.toml"),
            });
            match temporary.persist_noclobber(&path) {
                Ok(_) => return Ok(path),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
                        return Ok(path);
                    }
                    temporary = error.file;
                }
                Err(error) => return Err(error.error),
            }
        }
        unreachable!("the numbers do not run out before the disk does")
    }
}
