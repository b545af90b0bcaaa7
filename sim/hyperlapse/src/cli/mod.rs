//! The command line of a suite.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`args`] | what can be asked for |
//! | [`calibrate`] | `calibrate` |
//! | [`environment`] | options from variables of the environment |
//! | [`run`] | `run` and `plan` |
//! | [`replay`] | `replay` |
//! | [`shrink`] | `shrink`, and what `run` does with what it finds |
//! | [`telling`] | what is told of runs, by `run` and by `merge` |
//! | [`shard`] | parts of a sweep, and their files |
//! | [`merge`] | `merge` |
//! | [`guard`] | `run --check-determinism` |
//! | [`output`] | where reports go |
//! | [`latencies`] | `run --save-latencies` |
//! | [`limit`] | `limit` |
//! | [`real`] | `run --clock real`: what makes no sense there, and Ctrl-C |
//! | [`compare`] | `compare` |
//! | [`list`] | `list` |
//! | [`init`] | `init`: a scenario file to begin with |
//! | [`flag`] | `init --tokio-unstable` |
//! | [`exit`] | what the exit code says |

mod args;
mod calibrate;
mod compare;
mod environment;
mod flag;
mod guard;
mod init;
mod latencies;
mod limit;
mod list;
mod merge;
mod output;
mod real;
mod replay;
mod run;
mod shard;
mod shrink;
mod telling;
mod waiting;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::input::InputError;
use crate::isolate::{self, NotServed};
use crate::suite::Suite;
use args::{Args, Command};

/// What the exit code of a command says.
pub mod exit {
    /// All held.
    pub const HELD: u8 = 0;
    /// A property or a threshold did not hold, or a run ended badly.
    pub const FAILED: u8 = 1;
    /// The command line or a file cannot be used.
    pub const USAGE: u8 = 2;
    /// The same binary came to something else with the same seed.
    pub const NONDETERMINISM: u8 = 3;
    /// A fault of hyperlapse's own, or of the machine.
    pub const SOFTWARE: u8 = 70;
}

/// Why a command could not be carried out.
enum Stop {
    Input(InputError),
    Io(String, io::Error),
}

impl From<InputError> for Stop {
    fn from(error: InputError) -> Self {
        Stop::Input(error)
    }
}

/// A run for the command that has started this one.
fn isolated<S: Clone + Send + 'static>(suite: &Suite<S>) -> u8 {
    let served = isolate::serve(suite);
    if let Err(error) = &served {
        complain(format_args!("{error}"));
    }
    let code = match served {
        Ok(()) => exit::HELD,
        Err(NotServed::Request(_)) => return exit::USAGE,
        Err(NotServed::Case(_) | NotServed::Reply(_)) => exit::SOFTWARE,
    };
    // A thread that does not return from its poll must not hold the process up.
    std::process::exit(i32::from(code))
}

impl<S: Clone + Send + 'static> Suite<S> {
    /// The command of this suite, for `fn main`: reads the process's arguments and does what they say.
    pub fn main(self) -> ExitCode {
        isolate::this_is_the_command();
        // A panic outside of a run is a bug of ours or of the suite; the hook has told it.
        let code = catch_unwind(AssertUnwindSafe(|| {
            self.main_with(std::env::args_os(), &mut io::stdout())
        }));
        ExitCode::from(code.unwrap_or(exit::SOFTWARE))
    }

    /// The command with these arguments, the first being its own name; gives the [`exit`] code.
    pub fn main_with(&self, args: impl IntoIterator<Item = OsString>, out: &mut dyn Write) -> u8 {
        let args: Vec<OsString> = args.into_iter().collect();
        if args.get(1).is_some_and(|arg| arg == isolate::COMMAND) {
            return isolated(self);
        }
        let command = args
            .first()
            .map_or_else(|| self.name().to_owned(), |arg| arg.to_string_lossy().into_owned());
        let parser =
            Args::command().name(self.name()).bin_name(self.name()).version(self.version());
        let mut parser = environment::document(parser);
        parser.build();
        let parsed = match parse(&parser, &args) {
            Ok(parsed) => parsed,
            Err(NotParsed::Input(error)) => {
                complain(format_args!("{error}"));
                return exit::USAGE;
            }
            Err(NotParsed::Clap(error)) => {
                // Help and version are asked for and go to standard output, the rest to standard error.
                let _ = match error.use_stderr() {
                    true => write!(io::stderr(), "{error}"),
                    false => write!(out, "{error}"),
                };
                return if error.use_stderr() { exit::USAGE } else { exit::HELD };
            }
        };
        let mut terminal = Terminal { out, command };
        let done = match parsed.command.unwrap_or_default() {
            Command::Run(args) => run::run(self, &args, &mut terminal),
            Command::Merge(args) => merge::merge(self, &args, &mut terminal),
            Command::Plan(args) => run::plan(self, &args, &mut terminal),
            Command::Init(args) => init::init(self, &args, &mut terminal),
            Command::Schema => {
                terminal.print(&format!("{:#}\n", self.schema())).map(|()| exit::HELD)
            }
            Command::Completions(args) => {
                let mut script = Vec::new();
                clap_complete::generate(args.shell, &mut parser, self.name(), &mut script);
                terminal.print(&String::from_utf8_lossy(&script)).map(|()| exit::HELD)
            }
            Command::List => list::list(self, &mut terminal),
            Command::Replay(args) => replay::replay(self, &args, &mut terminal),
            Command::Compare(args) => compare::compare(&args, &mut terminal),
            Command::Shrink(args) => shrink::shrink(self, &args, &mut terminal),
            Command::Calibrate(args) => calibrate::calibrate(self, &args, &mut terminal),
            Command::Limit(args) => limit::limit(self, &args, &mut terminal),
        };
        match done {
            Ok(code) => code,
            Err(Stop::Input(error)) => {
                complain(format_args!("{error}"));
                exit::USAGE
            }
            Err(Stop::Io(what, error)) => {
                complain(format_args!("error: cannot {what}: {error}"));
                exit::SOFTWARE
            }
        }
    }
}

enum NotParsed {
    Clap(clap::Error),
    Input(InputError),
}

impl From<clap::Error> for NotParsed {
    fn from(error: clap::Error) -> Self {
        NotParsed::Clap(error)
    }
}

/// What is asked for, on the command line and by variables.
fn parse(parser: &clap::Command, args: &[OsString]) -> Result<Args, NotParsed> {
    let mut matches = parser.clone().try_get_matches_from(args)?;
    let variables: environment::Variables = std::env::vars_os().collect();
    for warning in environment::unknown(&variables) {
        complain(format_args!("{warning}"));
    }
    let (filled, given) =
        environment::fill(parser, args, &matches, &variables).map_err(NotParsed::Input)?;
    if !given.is_empty() {
        let blame = |error| match environment::blame(&given, &error) {
            Some(error) => NotParsed::Input(error),
            None => NotParsed::Clap(error),
        };
        matches = parser.clone().try_get_matches_from(filled).map_err(blame)?;
    }
    Ok(Args::from_arg_matches(&matches).expect("clap has checked what it parsed"))
}

/// Tells people. Unlike `eprintln!` it does not panic when nobody reads standard error any more.
fn complain(what: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{what}");
}

/// Where output goes, and how this command was called.
struct Terminal<'a> {
    out: &'a mut dyn Write,
    command: String,
}

impl Terminal<'_> {
    fn print(&mut self, text: &str) -> Result<(), Stop> {
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        // Whoever read our output has seen enough. The runs go on: each failure must have its seed file,
        // and the exit code must not say that all held when nobody knows.
        let written = written.or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(error),
        });
        written.map_err(|error| Stop::Io("write the report".to_owned(), error))
    }

    /// Whether people look at it: then there are colours.
    fn coloured(&self) -> bool {
        io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
    }
}
