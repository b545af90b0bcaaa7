//! Blocks of shell: bash reads and runs them in an empty folder, where every command is a stand-in that says how it was
//! called. What is called must be there; what is called of ours is parsed by the command itself, and planned.

#[path = "../cli/command.rs"]
mod command;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use super::pages::root;

/// Programs that are somebody else's.
const OTHERS: [&str; 11] = [
    "chromium", "curl", "kubectl", "mdbook", "perf", "pip", "seq", "valgrind", "wrk", "git",
    "rustup",
];

/// Scripts of the repository that pages name.
const SCRIPTS: [&str; 4] = [".ci/run", ".ci/nightly", "hunts/run", "tests/gateway/schemathesis.sh"];

/// What is wrong with a block, if anything is.
pub fn wrong(text: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let calls = match calls(folder.path(), text) {
        Ok(calls) => calls,
        Err(why) => return Some(why),
    };
    if calls.is_empty() {
        return Some("nothing is called in it".to_owned());
    }
    calls
        .iter()
        .find_map(|call| Some(format!("{}: {}", call.words.join(" "), call.wrong(folder.path())?)))
}

/// A command as a shell calls it.
#[derive(Debug)]
struct Call {
    words: Vec<String>,
    /// The variables of ours that it was given.
    variables: Vec<(String, String)>,
}

/// What a block calls, in order.
fn calls(folder: &Path, text: &str) -> Result<Vec<Call>, String> {
    // Ends with the byte 30; its words, and then its variables behind an empty one, each with the byte 31.
    // In one piece, since some are called side by side.
    let say = "say() { local said name; printf -v said '%s\\037' \"$@\" ''; \
               for name in ${!HYPERLAPSE_*}; do said+=$name=${!name}$'\\037'; done; \
               printf '%s\\036' \"$said\"; }";
    let log = folder.join("calls");
    let stand_in = format!("#!/bin/bash\n{say}\nsay \"${{0#./}}\" \"$@\" >> '{}'\n", log.display());
    for script in SCRIPTS {
        let path = folder.join(script);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &stand_in).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let whole = format!(
        "{say}\ncommand_not_found_handle() {{ say \"$@\" >> '{}'; }}\nPATH=/nosuch\n{text}\nwait\n",
        log.display()
    );
    let shell = Command::new("bash").args(["-u", "-c", &whole]).current_dir(folder).output();
    let shell = shell.expect("there is a bash");
    if !shell.status.success() || !shell.stderr.is_empty() {
        return Err(String::from_utf8_lossy(&shell.stderr).into_owned());
    }
    let said = fs::read_to_string(log).unwrap_or_default();
    let call = |said: &str| {
        let mut all = said.split_terminator('\u{1f}').map(str::to_owned);
        let words = all.by_ref().take_while(|word| !word.is_empty()).collect();
        let variable = |one: String| one.split_once('=').map(|(n, v)| (n.to_owned(), v.to_owned()));
        Call { words, variables: all.filter_map(variable).collect() }
    };
    Ok(said.split_terminator('\u{1e}').map(call).collect())
}

impl Call {
    /// What is wrong with it.
    fn wrong(&self, folder: &Path) -> Option<String> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match words[..] {
            ["conversation-load", ref args @ ..] => self.ours(folder, args),
            ["cargo", subcommand, ref args @ ..] => self.cargo(folder, subcommand, args),
            [name, ..] if SCRIPTS.contains(&name) => {
                let script = fs::metadata(root().join(name));
                let runs = script.is_ok_and(|script| script.permissions().mode() & 0o111 != 0);
                (!runs).then(|| "no script that can be run".to_owned())
            }
            [name, ..] if OTHERS.contains(&name) => None,
            _ => Some("nobody knows this command".to_owned()),
        }
    }

    /// A call of cargo: what it names must be there.
    fn cargo(&self, folder: &Path, subcommand: &str, args: &[&str]) -> Option<String> {
        let split = args.iter().position(|arg| *arg == "--");
        let (own, passed) = split.map_or((args, &[][..]), |at| (&args[..at], &args[at + 1..]));
        let value = |of: &[&str]| {
            let at = own.iter().position(|arg| of.contains(arg))?;
            own.get(at + 1).copied()
        };
        let package = match value(&["-p", "--package"]) {
            None | Some("conversation-manager") => root().to_owned(),
            Some("hyperlapse") => root().join("sim/hyperlapse"),
            Some("conversation-load") => root().join("sim/scenarios"),
            Some(_) => return Some("nobody knows this package".to_owned()),
        };
        let manifest = value(&["--manifest-path"]);
        if manifest.is_some_and(|path| !root().join(path).is_file()) {
            return Some("there is no such manifest".to_owned());
        }
        for (option, folder) in
            [("--example", "examples"), ("--test", "tests"), ("--bench", "benches")]
        {
            let Some(name) = value(&[option]) else { continue };
            let at = package.join(folder).join(name);
            if !at.with_extension("rs").is_file() && !at.join("main.rs").is_file() {
                return Some(format!("there is no {}", at.display()));
            }
        }
        match subcommand {
            "run" if value(&["--example"]).is_none() && manifest.is_none() => {
                self.ours(folder, passed)
            }
            "add" | "bench" | "build" | "install" | "nextest" | "run" | "test" => None,
            _ => Some("nobody knows this subcommand".to_owned()),
        }
    }

    fn command(&self, folder: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(command::path());
        command.args(args).current_dir(folder).env("COLUMNS", "80");
        command.envs(self.variables.iter().cloned()).output().expect("it was built")
    }

    /// A call of the load suite's command: its options are right, and what it is to run is there.
    fn ours(&self, folder: &Path, args: &[&str]) -> Option<String> {
        let told = |output: Output| {
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            (!output.status.success() || !error.is_empty()).then_some(error)
        };
        // Options are read in their order, so that this says first what is wrong with those before it.
        let parsed = told(self.command(folder, &[args, &["--help"]].concat()));
        if parsed.is_some() {
            return parsed;
        }
        // What later lines need is made.
        if let Some(at) = args.iter().position(|arg| *arg == "--save-latencies") {
            let of_the_page =
                "metric,ns,count\nresponse,51806207,3\nturn_time{model=small},51806207,3\n";
            fs::write(folder.join(args[at + 1]), of_the_page).unwrap();
        }
        match args {
            ["init", ..] => return told(self.command(folder, args)),
            ["run", ..] | ["limit", ..] => {}
            _ => return None,
        }
        // `plan` looks at the scenarios and at what is set, and runs nothing.
        let mut plan = vec!["plan"];
        let mut rest = args[1..].iter();
        while let Some(arg) = rest.next() {
            match *arg {
                "--set" | "--system" => plan.extend([*arg, rest.next()?]),
                option if option.starts_with("--") => {
                    if !SWITCHES.contains(&option) {
                        rest.next();
                    }
                }
                scenario => plan.push(scenario),
            }
        }
        told(self.command(folder, &plan))
    }
}

/// Options of `run` and `limit` without a value.
const SWITCHES: [&str; 6] =
    ["--all-thresholds", "--check-determinism", "--isolate", "--lower", "--no-shrink", "--trace"];

#[test]
fn what_a_shell_calls_is_seen_as_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "HYPERLAPSE_SEEDS=0..3 cargo run -- run 'a b' # c\nfor i in 1 2; do hunts/run $i & done";
    let calls = calls(folder.path(), text).unwrap();
    assert_eq!(calls[0].words, ["cargo", "run", "--", "run", "a b"]);
    assert_eq!(calls[0].variables, [("HYPERLAPSE_SEEDS".to_owned(), "0..3".to_owned())]);
    let mut scripts: Vec<String> = calls[1..].iter().map(|call| call.words.join(" ")).collect();
    scripts.sort();
    assert_eq!(scripts, ["hunts/run 1", "hunts/run 2"]);
}

#[test]
fn what_is_wrong_with_a_command_is_seen() {
    for text in [
        "# nothing",
        "for",
        "nosuch",
        "hunts/nosuch",
        "cargo frobnicate",
        "cargo test --test nosuch",
        "cargo test -p nosuch",
        "cargo run --example nosuch",
        "cargo run --release -- nosuch",
        "cargo run --release -- run --nosuch",
        "cargo run --release -- run nosuch",
        "cargo run --release -- run mixed --seeds 7",
        "cargo run --release -- run mixed --set nosuch=1",
        "conversation-load run mixed --system nosuch",
        "HYPERLAPSE_NOSUCH=1 conversation-load run mixed",
    ] {
        assert!(wrong(text).is_some(), "{text}");
    }
    assert_eq!(wrong("cargo run --release -- run mixed --seeds 0..7 --set users=3"), None);
}
