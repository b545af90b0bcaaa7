//! A run in a process of its own.
//!
//! For systems that keep something in the process (a static, a cache, a logger), and for those that take the process
//! down: a crash, an abort, a stack overflow or an exit becomes the failure of that run, with its seed file, and the
//! sweep goes on. The process is this executable again: a suite's command with a word that nobody types, or one test of a
//! test binary with a variable that nobody sets. What to run goes in by its standard input, and the record comes back in a
//! file. Address-space randomisation is off in it, so that even what depends on addresses repeats itself. It costs
//! some milliseconds for each run.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
#[cfg(feature = "cli")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decision::{Decision, Schedule, StrategyChoice};
use crate::event::{Event, Fingerprint, Keep};
use crate::input::{InputError, Source};
use crate::record::Record;
use crate::scenario::overrides::Override;
use crate::suite::{Case, Finished, Suite};
use crate::verdict::Verdict;
use crate::world::{self, RunOptions};

/// The word that nobody types.
pub(crate) const COMMAND: &str = "isolated-run";

/// The variable that nobody sets: the file for the reply.
pub(crate) const REPLY: &str = "HYPERLAPSE_ISOLATED_RUN";

/// How this executable is started again for a run.
#[derive(Debug, Clone, Default)]
pub(crate) enum Again {
    /// It is a suite's command.
    #[default]
    Command,
    /// It has this test in it, by libtest's name.
    Test(String),
    /// It has a test for each scenario, of its name.
    #[cfg_attr(not(feature = "harness"), allow(dead_code))]
    EachScenario,
}

impl Again {
    fn args<'a>(&'a self, case: &'a Case) -> Vec<&'a OsStr> {
        let test = match self {
            Again::Command => return vec![OsStr::new(COMMAND)],
            Again::Test(name) => name,
            Again::EachScenario => case.scenario.name(),
        };
        // What the test itself prints is nobody's here, but a test that panics before it answers says why.
        [test, "--exact", "--include-ignored", "--nocapture"].map(OsStr::new).to_vec()
    }
}

#[cfg(feature = "cli")]
static IS_COMMAND: AtomicBool = AtomicBool::new(false);

/// This executable is a suite's command: it can be started again for a run.
#[cfg(feature = "cli")]
pub(crate) fn this_is_the_command() {
    IS_COMMAND.store(true, Ordering::Relaxed);
}

/// Whether runs can have processes of their own.
///
/// # Errors
/// When this executable is not a suite's command, as a test is not.
#[cfg(feature = "cli")]
pub(crate) fn check(isolate: bool) -> Result<(), InputError> {
    match isolate && !IS_COMMAND.load(Ordering::Relaxed) {
        false => Ok(()),
        true => Err(InputError::new("--isolate is for a suite's own command").help(
            "its `fn main` calls `Suite::main`, which starts the command again for each run",
        )),
    }
}

/// What to run.
#[derive(Serialize, Deserialize)]
struct Request {
    scenario: String,
    text: Option<String>,
    system: String,
    set: Vec<(String, String)>,
    strategy: String,
    decisions: Vec<Decision>,
    only: Option<std::collections::BTreeSet<String>>,
    seed: u64,
    keep: Keep,
    hang_after_ms: u64,
}

/// What came of it: the record, and what its own JSON leaves out.
#[derive(Serialize, Deserialize)]
struct Reply {
    record: Record,
    decisions: Vec<Decision>,
    survey: Vec<Decision>,
    parts: Vec<String>,
    kept_events: Vec<Event>,
    checkpoints: Vec<Fingerprint>,
    replayed: bool,
    response: Vec<Vec<(u64, u64)>>,
}

/// Runs a case in a process of its own.
pub(crate) fn run(case: &Case, options: RunOptions, again: &Again) -> Finished {
    let record = match ask(case, &options, again) {
        Ok(mut reply) => Record {
            metrics: {
                reply.record.metrics.series.response = reply.response;
                reply.record.metrics
            },
            decisions: reply.decisions,
            survey: reply.survey,
            parts: reply.parts,
            kept_events: reply.kept_events,
            checkpoints: reply.checkpoints,
            replayed: reply.replayed,
            ..reply.record
        },
        Err(how) => {
            let set = case.set.iter().map(|set| (set.path.clone(), set.value.clone())).collect();
            let (system, strategy) = (case.system.clone(), case.strategy().clone());
            let options = RunOptions { system, set, strategy, ..options };
            world::crashed(&case.scenario, options, how)
        }
    };
    let verdict = Verdict::of(&record, case.scenario.thresholds());
    Finished { record, verdict }
}

/// The reply, or how the process died.
fn ask(case: &Case, options: &RunOptions, again: &Again) -> Result<Reply, String> {
    let (decisions, only) = match case.strategy() {
        StrategyChoice::Replay(Schedule { decisions, only }) => (decisions.clone(), only.clone()),
        _ => (Vec::new(), None),
    };
    let request = Request {
        scenario: case.scenario.name().to_owned(),
        text: case.text.as_deref().map(str::to_owned),
        system: case.system.clone(),
        set: case.set.iter().map(|set| (set.path.clone(), set.value.clone())).collect(),
        strategy: case.strategy().name().to_owned(),
        decisions,
        only,
        seed: options.seed,
        keep: options.keep,
        hang_after_ms: options.hang_after.as_millis() as u64,
    };
    let reply = tempfile::NamedTempFile::new().map_err(|error| format!("has no file: {error}"))?;
    let mut child = spawn(&again.args(case), reply.path())
        .map_err(|error| format!("could not be started: {error}"))?;
    let request = serde_json::to_vec(&request).expect("a request is plain data");
    let mut stdin = child.stdin.take().expect("it was asked for");
    // A process that dies before it has read everything says so by its status.
    let _ = stdin.write_all(&request);
    drop(stdin);
    let mut complaints = Vec::new();
    let _ = child.stderr.take().expect("it was asked for").read_to_end(&mut complaints);
    let status = child.wait().map_err(|error| format!("could not be waited for: {error}"))?;
    let parsed = std::fs::read(reply.path()).map(|reply| serde_json::from_slice(&reply));
    match (status.success(), parsed) {
        (true, Ok(Ok(reply))) => Ok(reply),
        _ => Err(death(status, &String::from_utf8_lossy(&complaints))),
    }
}

fn spawn(args: &[&OsStr], reply: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(args).env(REPLY, reply);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec only system calls are made, which need no lock and no memory.
    unsafe {
        command.pre_exec(|| {
            libc::personality(libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
            // It does not outlive who reads its reply.
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            Ok(())
        });
    }
    command.spawn()
}

/// How it died, with the last that it said.
fn death(status: ExitStatus, complaints: &str) -> String {
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by {}", signal_name(signal)),
        (None, Some(0)) => "exited with 0 before the run was over".to_owned(),
        (None, Some(code)) => format!("exited with {code}"),
        (None, None) => "is gone".to_owned(),
    };
    // A stack overflow tells who, and then that it aborts.
    let said = complaints.lines().find(|line| line.contains("overflowed its stack"));
    let said = said.or_else(|| complaints.lines().rfind(|line| !line.trim().is_empty()));
    // Numbers of threads are those of the host.
    let words = said.unwrap_or_default().split_whitespace();
    let words: Vec<&str> = words.filter(|word| !is_thread_number(word)).collect();
    match words.is_empty() {
        true => how,
        false => format!("{how}: {}", words.join(" ")),
    }
}

fn is_thread_number(word: &str) -> bool {
    let inner = word.strip_prefix('(').and_then(|word| word.strip_suffix(')'));
    inner.is_some_and(|inner| !inner.is_empty() && inner.bytes().all(|b| b.is_ascii_digit()))
}

fn signal_name(signal: i32) -> String {
    match signal {
        libc::SIGABRT => "SIGABRT".to_owned(),
        libc::SIGSEGV => "SIGSEGV".to_owned(),
        libc::SIGILL => "SIGILL".to_owned(),
        libc::SIGBUS => "SIGBUS".to_owned(),
        libc::SIGFPE => "SIGFPE".to_owned(),
        libc::SIGKILL => "SIGKILL".to_owned(),
        libc::SIGTRAP => "SIGTRAP".to_owned(),
        signal => format!("signal {signal}"),
    }
}

/// Why a run that came in could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotServed {
    /// Nobody who knows what to say has started this.
    #[error("error: a run for another process is for hyperlapse itself: {0}")]
    Request(serde_json::Error),
    /// It is about something that this executable does not have.
    #[error("{0}")]
    Case(InputError),
    #[error("error: the reply cannot be written: {0}")]
    Reply(std::io::Error),
}

/// The other end: runs what comes in, and writes the record down.
pub(crate) fn serve<S: Clone + Send + 'static>(suite: &Suite<S>) -> Result<(), NotServed> {
    let request = serde_json::from_reader(std::io::stdin()).map_err(NotServed::Request)?;
    let (case, options) = case_of(suite, request).map_err(NotServed::Case)?;
    let record = suite.run_here(&case, options).record;
    let reply = Reply {
        decisions: record.decisions.clone(),
        survey: record.survey.clone(),
        parts: record.parts.clone(),
        kept_events: record.kept_events.clone(),
        checkpoints: record.checkpoints.clone(),
        replayed: record.replayed,
        response: record.metrics.series.response.clone(),
        record,
    };
    let reply = serde_json::to_vec(&reply).expect("a record is plain data");
    let file = std::env::var_os(REPLY).unwrap_or_default();
    std::fs::write(file, reply).map_err(NotServed::Reply)
}

fn case_of<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    request: Request,
) -> Result<(Case, RunOptions), InputError> {
    let set = request.set.into_iter().map(|(path, value)| Override { path, value });
    let set: Vec<Override> = set.collect();
    let mut case = match request.text {
        None => suite.case(&request.scenario, Some(&request.system), &set)?,
        Some(text) => {
            let source = Source::new("scenario", Arc::<str>::from(text));
            suite.case_from(&source, Some(&request.system), &set)?
        }
    };
    case.strategy = Some(match request.strategy.as_str() {
        "replay" => {
            StrategyChoice::Replay(Schedule { decisions: request.decisions, only: request.only })
        }
        name => StrategyChoice::named(name)
            .ok_or_else(|| InputError::new(format!("unknown strategy `{name}`")))?,
    });
    let options = RunOptions {
        keep: request.keep,
        hang_after: Duration::from_millis(request.hang_after_ms),
        ..RunOptions::seed(request.seed)
    };
    Ok((case, options))
}
