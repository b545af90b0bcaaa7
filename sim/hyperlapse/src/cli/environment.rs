//! Options from the environment: `HYPERLAPSE_SEED=7` is `--seed 7`, where the command has it.
//!
//! What the command line leaves out is filled in as if it had been typed, and parsed by the same parser. So an
//! option on the command line wins, as does one that excludes it; and what a variable may hold is what the option takes.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::environment::{PREFIX, unusable, variable};
use crate::input::{InputError, Source, near};

/// Options that have a variable, in whichever command has the option.
const EVERYWHERE: &[&str] = &[
    "seed",
    "seeds",
    "jobs",
    "system",
    "set",
    "strategy",
    "clock",
    "hang-after",
    "check-determinism",
    "isolate",
    "no-shrink",
    "shard",
];

/// How many shards there are, for systems that tell only which of them this is: read with `--shard auto`.
pub(super) const SHARDS: &str = "HYPERLAPSE_SHARDS";

/// Options that mean something else in another command: theirs are those of `run`, and of `merge`.
const OF_RUN: &[&str] = &["format", "report", "report-dir", "out"];

/// What the help says of them all.
pub(super) const HELP: &str = "Environment: [env: NAME] stands at each option that a variable can give. The command \
     line wins, an empty variable is none. Several values (HYPERLAPSE_SET) have `;` or a line break \
     between them, switches take true or false.";

/// Variables of this process.
pub(super) type Variables = BTreeMap<OsString, OsString>;

/// An option that a variable gives.
pub(super) struct Given {
    /// As clap names it in an error.
    shown: String,
    option: String,
    source: Source,
    conflicts: Vec<String>,
}

fn name(option: &str) -> String {
    format!("{PREFIX}{}", option.to_uppercase().replace('-', "_"))
}

/// The variable of an option.
fn variable_of(command: &str, arg: &Arg) -> Option<String> {
    let option = arg.get_long()?;
    let has = EVERYWHERE.contains(&option)
        || (matches!(command, "run" | "merge") && OF_RUN.contains(&option));
    has.then(|| name(option))
}

/// Says in the help of each option which variable gives it.
pub(super) fn document(parser: Command) -> Command {
    parser.mut_subcommands(|command| {
        let of = command.get_name().to_owned();
        command.mut_args(|arg| match (variable_of(&of, &arg), arg.get_help().cloned()) {
            (Some(name), Some(help)) => arg.help(format!("{help} [env: {name}]")),
            _ => arg,
        })
    })
}

/// What to say of variables that nothing reads.
pub(super) fn unknown(variables: &Variables) -> Vec<String> {
    let known: Vec<String> = EVERYWHERE.iter().chain(OF_RUN).map(|option| name(option)).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).chain([SHARDS]).collect();
    let of_ours = variables.keys().filter_map(|name| name.to_str());
    let unknown = of_ours.filter(|name| name.starts_with(PREFIX) && !known.contains(name));
    let warning = |name: &str| match near(name, &known) {
        Some(meant) => {
            format!("warning: nothing reads the variable {name}: did you mean {meant}?")
        }
        None => format!("warning: nothing reads the variable {name}"),
    };
    unknown.map(warning).collect()
}

/// The arguments with what variables give, and which those are.
///
/// # Errors
/// When a variable is not text, or two of them exclude each other.
pub(super) fn fill(
    parser: &Command,
    args: &[OsString],
    matches: &ArgMatches,
    variables: &Variables,
) -> Result<(Vec<OsString>, Vec<Given>), InputError> {
    let none = ArgMatches::default();
    let (word, typed) = matches.subcommand().unwrap_or(("run", &none));
    let Some(command) = parser.find_subcommand(word) else { return Ok((args.to_vec(), vec![])) };
    let is_typed = |id: &str| {
        typed.try_contains_id(id).is_ok()
            && typed.value_source(id) == Some(ValueSource::CommandLine)
    };
    let (mut given, mut more) = (Vec::<Given>::new(), Vec::new());
    for arg in command.get_arguments() {
        let Some(name) = variable_of(word, arg) else { continue };
        let Some(source) = variable(&name, |name| variables.get(&OsString::from(name)).cloned())?
        else {
            continue;
        };
        let conflicts = conflicts(command, arg);
        if is_typed(arg.get_id().as_str()) || conflicts.iter().any(|id| is_typed(id)) {
            continue;
        }
        let option = arg.get_long().expect("options with a variable are long").to_owned();
        let words = words(arg, &option, &source)?;
        if words.is_empty() {
            continue;
        }
        more.extend(words);
        let id = arg.get_id().as_str();
        if let Some(other) = given.iter().find(|other| other.conflicts.iter().any(|o| o == id)) {
            let message =
                format!("the variables {} and {name} exclude each other", other.source.name);
            return Err(InputError::new(message).help("set one of them"));
        }
        given.push(Given { shown: arg.to_string(), option, source, conflicts });
    }
    let behind = args.len().min(2);
    let mut filled = args[..behind].to_vec();
    if matches.subcommand().is_none() {
        filled.extend(args.is_empty().then(|| "command".into()));
        filled.push(word.into());
    }
    filled.extend(more);
    filled.extend_from_slice(&args[behind..]);
    Ok((filled, given))
}

/// What excludes an option, whichever of the two says so.
fn conflicts(command: &Command, arg: &Arg) -> Vec<String> {
    let excluded_by = |other: &&Arg| {
        command.get_arg_conflicts_with(other).iter().any(|one| one.get_id() == arg.get_id())
            || command.get_arg_conflicts_with(arg).iter().any(|one| one.get_id() == other.get_id())
    };
    let others = command.get_arguments().filter(excluded_by);
    others.map(|other| other.get_id().to_string()).collect()
}

/// An option with its values as they would be typed.
fn words(arg: &Arg, option: &str, source: &Source) -> Result<Vec<OsString>, InputError> {
    let text = source.text.trim();
    match arg.get_action() {
        ArgAction::SetTrue => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(vec![format!("--{option}").into()]),
            "false" | "0" | "no" | "off" => Ok(vec![]),
            _ => Err(unusable(source, "a switch", "expected true or false")),
        },
        ArgAction::Append => {
            let values = text.split([';', '\n']).map(str::trim).filter(|value| !value.is_empty());
            Ok(values.map(|value| format!("--{option}={value}").into()).collect())
        }
        _ => Ok(vec![format!("--{option}={text}").into()]),
    }
}

/// The error of what was filled in, told of its variable; `None` when it is about something else.
pub(super) fn blame(given: &[Given], error: &clap::Error) -> Option<InputError> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let shown = text(ContextKind::InvalidArg)?;
    let given = given.iter().find(|given| given.shown == shown)?;
    let expected = match (error.source(), error.get(ContextKind::ValidValue)) {
        (Some(why), _) => why.to_string(),
        (None, Some(ContextValue::Strings(values))) => format!("expected {}", values.join(" or ")),
        (None, _) => error.kind().to_string(),
    };
    let what = format!("a value of --{}", given.option);
    let error = unusable(&given.source, &what, expected);
    // Of several values the one that is wrong.
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let whole = &given.source.text;
    let wrong = whole.split([';', '\n']).map(str::trim).find(|one| *one == value);
    Some(match wrong.map(|one| one.as_ptr() as usize - whole.as_ptr() as usize) {
        Some(at) => error.at(&given.source, at..at + value.len()),
        None => error,
    })
}
