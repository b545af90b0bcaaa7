//! What can be asked for on the command line.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand, ValueEnum};

use crate::clock::Clock;
use crate::decision::StrategyChoice;
use crate::environment::{hang_after, jobs, seed, seeds, strategy};
use crate::report::{self, REPORTERS, Reporter};
use crate::scenario::overrides::Override;
use crate::shard::{Shard, ShardError};

const EXIT_CODES: &str = "Exit codes: 0 all held; 1 a property or threshold failed; 2 usage or input; \
                          3 nondeterminism found; 70 a fault of our own.";

/// Rehearses load in virtual time: minutes of concurrent users in milliseconds, the same bytes for the
/// same seed. Without a command it runs every scenario.
#[derive(Debug, Parser)]
#[command(
    disable_help_subcommand = true,
    after_help = format!("{}\n\n{EXIT_CODES}", super::environment::HELP)
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenarios with one seed or many
    Run(RunArgs),
    /// Join the shards of a sweep, judge what only the whole can be judged by, and report it
    Merge(MergeArgs),
    /// Print what a run will do, without doing it
    Plan(PlanArgs),
    /// List scenarios, systems, scripts, properties, workloads and metrics
    List,
    /// Write a commented scenario file to begin with
    Init(InitArgs),
    /// Print a JSON Schema of scenario files, by which editors complete and check them
    Schema,
    /// Print completions of this command for a shell
    Completions(CompletionsArgs),
    /// Run seed files again and say whether they fail as they did
    Replay(ReplayArgs),
    /// Tell what moved between two results, or how metrics went over a folder of them
    Compare(CompareArgs),
    /// Search for the fewest decisions, users and steps that fail as a seed file does, and explain them
    Shrink(ShrinkArgs),
    /// Search for the breaking point: the most load for which everything holds
    Limit(LimitArgs),
    /// Run a scenario simulated and on the real clock, and say which figures of the simulation can be trusted
    Calibrate(CalibrateArgs),
}

impl Default for Command {
    fn default() -> Self {
        Command::Run(RunArgs::try_parse_from([""]).expect("every option of run has a default"))
    }
}

#[derive(Debug, Parser)]
pub(super) struct RunArgs {
    /// Names of scenarios, or paths of scenario files; all scenarios when none is given
    #[arg(value_name = "SCENARIO")]
    pub(super) scenarios: Vec<String>,
    /// The seed [default: 0]
    #[arg(long, value_name = "N", value_parser = seed, allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// The clock: virtual is the simulation; real drives the same scenario in real time on all cores, measures what the
    /// process under test takes, and does not repeat itself
    #[arg(long, value_name = "CLOCK", default_value = "virtual", value_parser = clocks())]
    pub(super) clock: Clock,
    /// Save the times that were measured as CSV, for `{ measured = "FILE" }` in a scenario; never over another file
    #[arg(long, value_name = "FILE")]
    pub(super) save_latencies: Option<PathBuf>,
    /// A sweep over all seeds from A up to, not including, B
    #[arg(long, value_name = "A..B", value_parser = seeds, conflicts_with = "seed")]
    pub(super) seeds: Option<Range<u64>>,
    /// The system to test, instead of the scenario's own
    #[arg(long, value_name = "NAME")]
    pub(super) system: Option<String>,
    /// Runs side by side [default: one for each core]
    #[arg(long, value_name = "N", value_parser = jobs, allow_negative_numbers = true)]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Change a setting of the scenario, such as users=100 or manager.max_concurrent=19
    #[arg(long, value_name = "PATH=VALUE", value_parser = set)]
    pub(super) set: Vec<Override>,
    /// What bends the runs, instead of what the scenario says: none, random (a rate for each kind of decision,
    /// drawn per seed), pct (priorities that change at few points), starve (one task is kept slow), mixed
    /// (one of these, drawn per seed) or cancel-each (a run for each poll at which an operation can be
    /// cancelled)
    #[arg(long, value_name = "NAME", value_parser = strategy)]
    pub(super) strategy: Option<StrategyChoice>,
    #[command(flatten)]
    pub(super) told: ReportArgs,
    /// Where seed files of failing runs go, and the file of a shard
    #[arg(long, value_name = "DIR", default_value = "target/hyperlapse")]
    pub(super) out: PathBuf,
    /// Run the K-th of N parts of all runs, and write a file for `merge` into the folder of --out. Which part, auto takes
    /// from the variables of a Kubernetes Indexed Job (with HYPERLAPSE_SHARDS=N), of GitLab, CircleCI, Buildkite
    /// or Bitbucket
    #[arg(long, value_name = "K/N|auto", value_parser = which_shard)]
    pub(super) shard: Option<WhichShard>,
    /// Run each seed again as it was, and once more for each thing of the host that a simulation holds still, and
    /// compare the events
    #[arg(long, conflicts_with = "isolate")]
    pub(super) check_determinism: bool,
    /// A process for each run: for systems with global state, or that crash
    #[arg(long)]
    pub(super) isolate: bool,
    /// Leave failures as large as they were found
    #[arg(long)]
    pub(super) no_shrink: bool,
    /// Host time without any sign of life after which a run is given up as hung
    #[arg(long, value_name = "TIME", value_parser = hang_after, default_value = "30s")]
    pub(super) hang_after: Duration,
}

/// How runs are told, by `run` and by `merge`.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// How results are printed
    #[arg(long, value_name = "FORMAT", default_value = "text", value_parser = formats())]
    pub(super) format: &'static Reporter,
    /// Write a report beside what is printed, such as junit=target/junit.xml; can be given several times. A
    /// folder ends with a slash. A file of that name is replaced
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = report_to)]
    pub(super) reports: Vec<ReportTo>,
    /// Write reports of every format into a folder; those of single runs for the first, the median, the slowest
    /// and the first failing seeds of each scenario
    #[arg(long, value_name = "DIR")]
    pub(super) report_dir: Option<PathBuf>,
}

#[derive(Debug, Parser)]
pub(super) struct MergeArgs {
    /// The files of all shards, or folders that hold them as shard-K-of-N.jsonl
    #[arg(value_name = "SHARD", required = true)]
    pub(super) shards: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) told: ReportArgs,
}

/// Which part of all runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WhichShard {
    /// The one that variables of the machine tell.
    Auto,
    /// This one.
    Given(Shard),
}

fn which_shard(text: &str) -> Result<WhichShard, String> {
    match text {
        "auto" => Ok(WhichShard::Auto),
        _ => match text.parse() {
            Ok(shard) => Ok(WhichShard::Given(shard)),
            Err(ShardError::Form) => Err(format!("{}, or auto", ShardError::Form)),
            Err(error) => Err(error.to_string()),
        },
    }
}

#[derive(Debug, Parser)]
pub(super) struct PlanArgs {
    /// Names of scenarios, or paths of scenario files; all scenarios when none is given
    #[arg(value_name = "SCENARIO")]
    pub(super) scenarios: Vec<String>,
    /// The seed
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = seed, allow_negative_numbers = true)]
    pub(super) seed: u64,
    /// The system to test, instead of the scenario's own
    #[arg(long, value_name = "NAME")]
    pub(super) system: Option<String>,
    /// Change a setting of the scenario
    #[arg(long, value_name = "PATH=VALUE", value_parser = set)]
    pub(super) set: Vec<Override>,
}

#[derive(Debug, Parser)]
pub(super) struct InitArgs {
    /// The file, which must not be there yet
    #[arg(value_name = "FILE", default_value = "scenario.toml")]
    pub(super) file: PathBuf,
    /// Instead: set tokio's flag in .cargo/config.toml of this folder, and leave the rest of it as it is
    #[arg(long, conflicts_with = "file")]
    pub(super) tokio_unstable: bool,
}

#[derive(Debug, Parser)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Parser)]
pub(super) struct ReplayArgs {
    /// Seed files
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Print every event of the run
    #[arg(long)]
    pub(super) trace: bool,
    /// Say step by step how it fails
    #[arg(long)]
    pub(super) explain: bool,
    /// A process for each run; a seed file that tells of a crash has one anyway
    #[arg(long)]
    pub(super) isolate: bool,
}

#[derive(Debug, Parser)]
pub(super) struct ShrinkArgs {
    /// A seed file
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// Where the smaller seed file goes [default: beside FILE]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Runs after which the search ends with the smallest found so far; shrinking that goes on from there
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) runs: u64,
}

#[derive(Debug, Parser)]
pub(super) struct CompareArgs {
    /// The JSON of `run` or a baseline; or, alone, a folder of such files, ordered by their names
    #[arg(value_name = "BASE")]
    pub(super) base: PathBuf,
    /// What is compared with it
    #[arg(value_name = "NEW")]
    pub(super) new: Option<PathBuf>,
    /// How much worse a metric may become: response.p95=5%, queue_wait.p95=10ms, "response.max=5% or 10ms",
    /// completion_rate=1pp, starts.refused=any; without a name it is that of all metrics that have a worse side
    #[arg(long, value_name = "[METRIC=]HOWMUCH")]
    pub(super) tolerance: Vec<String>,
    /// The same from a file: tables [tolerance] and [scenario.NAME], with a default
    #[arg(long, value_name = "FILE")]
    pub(super) tolerance_file: Option<PathBuf>,
    /// Also tell what did not move, what moved no more than seeds differ, and what the host measured
    #[arg(long)]
    pub(super) all: bool,
    /// How it is printed
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = CompareFormat::Text)]
    pub(super) format: CompareFormat,
    /// Write it beside what is printed, such as html=target/trend.html; can be given several times. A file of
    /// that name is replaced
    #[arg(long = "report", value_name = "FORMAT=PATH", value_parser = comparison_to)]
    pub(super) reports: Vec<(CompareFormat, PathBuf)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CompareFormat {
    /// For people
    Text,
    /// For a pull request
    Markdown,
    /// One page for a browser, with charts; works offline
    Html,
    /// For programs
    Json,
}

/// A report and where it goes.
#[derive(Debug, Clone)]
pub(super) struct ReportTo {
    pub(super) reporter: &'static Reporter,
    pub(super) path: PathBuf,
}

fn clocks() -> impl TypedValueParser<Value = Clock> {
    let of = |name: String| if name == Clock::Real.text() { Clock::Real } else { Clock::Virtual };
    PossibleValuesParser::new([Clock::Virtual, Clock::Real].map(Clock::text)).map(of)
}

/// The formats that there are, with their lines in the help.
fn formats() -> impl TypedValueParser<Value = &'static Reporter> {
    let formats = REPORTERS.iter().map(|one| PossibleValue::new(one.name).help(one.about));
    PossibleValuesParser::new(formats)
        .map(|name| report::reporter(&name).expect("the parser knows no other names"))
}

fn report_to(text: &str) -> Result<ReportTo, String> {
    let names = || REPORTERS.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
    let (name, path) = text
        .split_once('=')
        .filter(|(_, path)| !path.is_empty())
        .ok_or("expected the form FORMAT=PATH, such as junit=target/junit.xml")?;
    let reporter = report::reporter(name)
        .ok_or_else(|| format!("there is no format `{name}`: expected one of {}", names()))?;
    Ok(ReportTo { reporter, path: PathBuf::from(path) })
}

#[derive(Debug, Parser)]
pub(super) struct LimitArgs {
    /// The name of a scenario, or the path of a scenario file
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: String,
    /// The setting that is raised, as --set names it [default: the workload's rate, or its users]
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub(super) vary: Option<String>,
    /// The load to begin with, such as 20, 10/s or 50ms [default: what the scenario says]
    #[arg(long, value_name = "LOAD")]
    pub(super) from: Option<String>,
    /// The most load to try [default: 1,024 times the first]
    #[arg(long, value_name = "LOAD")]
    pub(super) to: Option<String>,
    /// Lower the setting instead: for one of which less is more load, such as a pause
    #[arg(long)]
    pub(super) lower: bool,
    /// How close the point is found, as a value or a share of it such as 2% [default: whole numbers exactly,
    /// others to 1%]
    #[arg(long, value_name = "N|%")]
    pub(super) tolerance: Option<String>,
    /// Seeds from A up to, not including, B: a load holds when it holds with all of them
    #[arg(long, value_name = "A..B", value_parser = seeds, default_value = "0..5")]
    pub(super) seeds: Range<u64>,
    /// Let thresholds count that ask for an exact or a least number too
    #[arg(long)]
    pub(super) all_thresholds: bool,
    /// Exit with 1 when the last load that holds is less than this
    #[arg(long, value_name = "LOAD")]
    pub(super) at_least: Option<String>,
    /// The system to test, instead of the scenario's own
    #[arg(long, value_name = "NAME")]
    pub(super) system: Option<String>,
    /// Change a setting of the scenario
    #[arg(long, value_name = "PATH=VALUE", value_parser = set)]
    pub(super) set: Vec<Override>,
    /// Runs side by side [default: one for each core]
    #[arg(long, value_name = "N", value_parser = jobs, allow_negative_numbers = true)]
    pub(super) jobs: Option<NonZeroUsize>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
    /// Where the seed file of the first break goes
    #[arg(long, value_name = "DIR", default_value = "target/hyperlapse")]
    pub(super) out: PathBuf,
    /// A process for each run: for systems with global state, or that crash
    #[arg(long)]
    pub(super) isolate: bool,
    /// Host time without any sign of life after which a run is given up as hung
    #[arg(long, value_name = "TIME", value_parser = hang_after, default_value = "30s")]
    pub(super) hang_after: Duration,
}

/// Exit code 0: every figure that is judged agrees within 10 % or 2 ms. 1: one does not, or a run did not end.
#[derive(Debug, Parser)]
pub(super) struct CalibrateArgs {
    /// The name of a scenario, or the path of a scenario file [default: the one that the suite says]
    #[arg(value_name = "SCENARIO")]
    pub(super) scenario: Option<String>,
    /// The seed of what users do, in both
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = seed, allow_negative_numbers = true)]
    pub(super) seed: u64,
    /// The system, instead of the scenario's own
    #[arg(long, value_name = "NAME")]
    pub(super) system: Option<String>,
    /// Change a setting of the scenario, in both
    #[arg(long, value_name = "PATH=VALUE", value_parser = set)]
    pub(super) set: Vec<Override>,
    /// How the result is printed
    #[arg(long, value_enum, default_value_t = TextOrJson::Text)]
    pub(super) format: TextOrJson,
    /// Host time without any sign of life after which a run is given up as hung
    #[arg(long, value_name = "TIME", value_parser = hang_after, default_value = "30s")]
    pub(super) hang_after: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TextOrJson {
    /// For people
    Text,
    /// For programs: one object
    Json,
}

fn comparison_to(text: &str) -> Result<(CompareFormat, PathBuf), String> {
    let expected = || "expected the form FORMAT=PATH, such as html=target/trend.html".to_owned();
    let (name, path) =
        text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or_else(expected)?;
    let format = CompareFormat::from_str(name, false).map_err(|_| {
        format!("there is no format `{name}`: expected one of text, markdown, html, json")
    })?;
    Ok((format, PathBuf::from(path)))
}

/// The error of an override is told without its picture: clap shows the argument itself.
fn set(text: &str) -> Result<Override, String> {
    text.parse().map_err(|_| "expected the form PATH=VALUE, such as users=100".to_owned())
}

fn path(text: &str) -> Result<String, String> {
    match text.split('.').any(|part| part.trim().is_empty()) {
        true => Err("expected the path of a setting, such as workload.users".to_owned()),
        false => Ok(text.to_owned()),
    }
}
