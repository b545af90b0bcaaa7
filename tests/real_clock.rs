//! The load suite on the real clock, through the command: what must hold however slow the machine is.
#![cfg(target_os = "linux")]

#[path = "cli/command.rs"]
mod command;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The command, with temporary files in a folder of its own.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(command::path());
    command.current_dir(folder).env("TMPDIR", folder).env("COLUMNS", "80").args(args);
    command
}

fn output(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("the command can be started")
}

/// The only run of what was printed, which keeps the schema.
fn only_run(output: &Output) -> Value {
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let schema: Value = serde_json::from_str(hyperlapse::report::json::SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let wrong: Vec<String> =
        validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let [run] = &report["runs"].as_array().unwrap()[..] else { panic!("one run") };
    run.clone()
}

/// A thousand conversations, or so many for each of ten users: nothing of it depends on who is fast.
fn cycles(folder: &Path, system: &str, iterations: &str) -> Value {
    let set = format!("iterations={iterations}");
    let args = ["run", "rapid-cycles", "--clock", "real", "--format", "json", "--system", system];
    // Its thresholds are for a machine that does nothing else.
    let more = ["--set", &set, "--set", "thresholds=[\"starts.refused == 0\"]"];
    let output = output(folder, &[&args[..], &more].concat());
    let run = only_run(&output);
    assert_eq!(output.status.code(), Some(0), "{}", run["failures"]);
    run
}

fn check_cycles(run: &Value, conversations: u64, other_process: bool) {
    assert_eq!((&run["clock"], &run["verdict"]), (&"real".into(), &"pass".into()));
    let operations = &run["metrics"]["operations"];
    for count in ["requested", "accepted", "completed"] {
        assert_eq!(operations[count], conversations, "{count}");
    }
    assert_eq!(run["properties"]["no cross-talk"]["checked"], conversations);
    let spent = &run["host"]["spent"];
    assert_eq!(spent["other_process"], other_process);
    assert!(spent["peak_rss_bytes"].as_u64().unwrap() > 1_000_000);
    assert!(spent["cpu_user_ns"].is_u64() && spent["cpu_system_ns"].is_u64());
    assert!(run["memory"]["peak"].as_i64() >= run["memory"]["after"].as_i64());
}

#[test]
fn a_thousand_conversations_are_counted_on_several_threads() {
    let folder = tempfile::tempdir().unwrap();
    check_cycles(&cycles(folder.path(), "manager", "100"), 1_000, false);
}

#[test]
fn the_gateway_in_its_own_process_holds_the_same_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    check_cycles(&cycles(folder.path(), "gateway", "10"), 100, true);
    assert_eq!(left_in(folder.path()), Vec::<PathBuf>::new());
}

fn left_in(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// A long run over a gateway, and the gateway's process.
fn long_run(folder: &Path) -> (Child, u32) {
    let args = ["run", "sustained", "--system", "gateway", "--clock", "real", "--format", "json"];
    let more = ["--set", "client.retry=never", "--set", "thresholds=[]"];
    let child = command(folder, &[&args[..], &more].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let gateway = wait_for("the gateway's process", || child_of(child.id()));
    // Its folder comes before it listens.
    wait_for("its folder", || left_in(folder).pop());
    (child, gateway)
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// State and parent of a process.
fn stat(id: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn child_of(parent: u32) -> Option<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.into_iter().find(|id| {
        let is_gateway = fs::read(format!("/proc/{id}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains("serve-gateway"));
        is_gateway && stat(*id).is_some_and(|(_, of)| of == parent)
    })
}

fn is_gone(id: u32) -> bool {
    // A zombie waits for a parent that is another's, once its own is dead.
    stat(id).is_none_or(|(state, _)| state == "Z")
}

fn signal(id: u32, signal: &str) {
    let sent = Command::new("kill").args([signal, &id.to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn ctrl_c_ends_it_with_a_report_and_takes_the_gateway_along() {
    let folder = tempfile::tempdir().unwrap();
    let (child, gateway) = long_run(folder.path());
    signal(child.id(), "-INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let run = only_run(&output);
    assert!(run["outcome"]["interrupted"]["at_ns"].is_u64(), "{}", run["outcome"]);
    assert_eq!(run["failures"][0]["kind"], "interrupted");
    assert!(is_gone(gateway));
    assert_eq!(left_in(folder.path()), Vec::<PathBuf>::new());
}

#[test]
fn the_gateway_ends_when_the_command_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, gateway) = long_run(folder.path());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("its end", || is_gone(gateway).then_some(()));
    wait_for("an empty folder", || left_in(folder.path()).is_empty().then_some(()));
}

#[test]
fn users_of_a_gateway_that_is_killed_hear_so_and_the_run_comes_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["run", "sustained", "--system", "gateway", "--clock", "real", "--format", "json"];
    let set = ["duration=1s", "client.retry=never", "thresholds=[]"];
    let mut command = command(folder.path(), &args);
    command.args(set.iter().flat_map(|set| ["--set", set]));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let gateway = wait_for("the gateway's process", || child_of(child.id()));
    wait_for("its folder", || left_in(folder.path()).pop());
    signal(gateway, "-KILL");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let run = only_run(&output);
    let told = run.to_string();
    // Killed before it listened, or in the midst of it.
    assert!(told.contains("did not begin to listen") || told.contains("unreachable"), "{told}");
}

#[test]
fn latencies_are_saved_never_over_another_file_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let save = ["run", "mixed", "--clock", "real", "--save-latencies", "times.csv"];
    // Whether its thresholds hold is this machine's matter.
    output(path, &save);
    let saved = fs::read_to_string(path.join("times.csv")).unwrap();
    assert!(saved.starts_with("metric,ns,count\nresponse,"), "{saved}");
    for metric in ["response{kind=quick}", "response{model=large}", "turn_time{model=small}"] {
        assert!(saved.contains(&format!("\n{metric},")), "{metric}");
    }

    let again = output(path, &save);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(said.contains("times.csv is there already, and is not overwritten"), "{said}");
    assert_eq!(fs::read_to_string(path.join("times.csv")).unwrap(), saved);

    let step =
        "conversation.step={ measured = \"times.csv\", metric = \"turn_time{model=large}\" }";
    let simulated = ["run", "bursts", "--format", "json", "--set", step];
    let runs: Vec<Value> = (0..2).map(|_| only_run(&output(path, &simulated))).collect();
    assert_eq!(runs[0]["fingerprint"], runs[1]["fingerprint"]);
    // Two turns, each at least as long as a timer of 50 ms takes.
    let fastest = &runs[0]["metrics"]["operations"]["response"]["min_ns"];
    assert!(fastest.as_u64().unwrap() >= 100_000_000, "{fastest}");
}

#[test]
fn a_calibration_compares_both_and_its_exit_code_is_its_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["calibrate", "--set", "duration=1s", "--format", "json"];
    let output = output(folder.path(), &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("sustained on manager is simulated first"), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let trusted = report["trusted"].as_bool().unwrap();
    assert_eq!(output.status.code(), Some(if trusted { 0 } else { 1 }));
    let figures = report["figures"].as_array().unwrap();
    let names: Vec<&str> = figures.iter().map(|figure| figure["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "throughput",
            "asked",
            "accepted",
            "refused",
            "completed",
            "failed",
            "response count",
            "response p50",
            "response p90",
            "response p95",
            "response p99",
            "response max",
            "events",
            "memory growth",
            "memory peak",
        ]
    );
    let p50 = &figures[7];
    // A timer of virtual time is exact, and one of the host never early.
    assert_eq!(p50["simulated"], 100_000_000);
    assert!(p50["real"].as_i64().unwrap() >= 100_000_000);
}
