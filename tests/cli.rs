//! The command line, as its users have it: what it prints, where, with which exit code.
//!
//! Sessions stand in `tests/cli/*.trycmd`, for a terminal of 80 columns; `TRYCMD=overwrite cargo test --test
//! cli` writes what is printed now into them, to be read before it is kept. What the host measures, heap
//! bytes, fingerprints and hashes are left out there by `[..]`. The rest is here.

#[path = "cli/command.rs"]
mod command;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const FAILING: [&str; 4] = ["run", "concurrent-users", "--set", "manager.max_concurrent=19"];

/// The command in a folder of its own.
fn command(folder: &Path) -> Command {
    let mut command = Command::new(command::path());
    command.current_dir(folder).env("COLUMNS", "80").env_remove("NO_COLOR");
    command
}

fn output(folder: &Path, args: &[&str]) -> Output {
    command(folder).args(args).output().expect("the command can be started")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the command prints UTF-8")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

fn seed_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn sessions_are_as_they_were() {
    let path = command::path();
    let cases = trycmd::TestCases::new();
    // Reports tell how the command was called, to be pasted.
    cases.insert_var("[COMMAND]", path.display().to_string()).expect("it is a variable's name");
    cases.env("COLUMNS", "80").register_bin("conversation-load", path);
    // Of a page the blocks of `console`.
    cases.case("tests/cli/*.trycmd").case("docs/*.md").case("docs/guide/*.md");
    if cfg!(not(tokio_unstable)) {
        // A race is bent with tokio's hooks.
        cases.skip("tests/cli/shrink.trycmd");
    }
    cases.run();
}

#[test]
fn json_is_one_object_with_every_run_in_it() {
    let folder = folder();
    let args = [&FAILING[..], &["bursts", "--seeds", "3..5", "--format", "json"]].concat();
    let output = output(folder.path(), &args);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");

    assert_eq!(keys(&report), ["build", "explanations", "format", "runs", "sweeps"]);
    assert!(report["format"].is_u64());
    assert!(keys(&report["build"]).contains(&"tokio_unstable"));
    let runs = report["runs"].as_array().expect("runs are a list");
    let told: Vec<_> = runs
        .iter()
        .map(|run| {
            let word = |key: &str| run[key].as_str().expect("it is a text").to_owned();
            (word("scenario"), word("system"), run["seed"].as_u64().unwrap(), word("verdict"))
        })
        .collect();
    let run = |scenario: &str, seed, verdict: &str| {
        (scenario.to_owned(), "manager".to_owned(), seed, verdict.to_owned())
    };
    // The limit of 19 is one too few for bursts of 20.
    let expected = [
        run("concurrent-users", 3, "fail"),
        run("concurrent-users", 4, "fail"),
        run("bursts", 3, "fail"),
        run("bursts", 4, "fail"),
    ];
    assert_eq!(told, expected);
    for run in runs {
        let fingerprint = run["fingerprint"].as_str().expect("it is a text");
        assert!(fingerprint.len() == 16 && fingerprint.bytes().all(|b| b.is_ascii_hexdigit()));
        let failure = &run["failures"][0];
        assert_eq!(keys(failure), ["kind", "message", "name"]);
        assert!(run["metrics"]["operations"].is_object());
        assert!(run["host"].is_object());
    }
    // Nothing of a run but these two is measured on the host or belongs to one build.
    let again = output_json(&folder, &args);
    assert_eq!(without_host(report), without_host(again));
}

fn output_json(folder: &tempfile::TempDir, args: &[&str]) -> Value {
    serde_json::from_slice(&output(folder.path(), args).stdout).expect("it is JSON")
}

fn keys(object: &Value) -> Vec<&str> {
    let object = object.as_object().expect("it is an object");
    let mut keys: Vec<&str> = object.keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn without_host(mut report: Value) -> Value {
    for run in report["runs"].as_array_mut().expect("runs are a list") {
        let run = run.as_object_mut().expect("a run is an object");
        run.remove("host").expect("every run has it");
    }
    for told in report["explanations"].as_array_mut().expect("explanations are a list") {
        // It got a number behind its name, the second time.
        told.as_object_mut().unwrap().remove("seed_file").expect("each has its seed file");
    }
    report
}

#[test]
fn json_of_runs_that_hold_exits_with_zero() {
    let folder = folder();
    let output = output(folder.path(), &["run", "bursts", "mixed", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    for run in report["runs"].as_array().unwrap() {
        assert_eq!((&run["verdict"], &run["failures"]), (&"pass".into(), &Value::Array(vec![])));
    }
    assert!(seed_files(&folder.path().join("target/hyperlapse")).is_empty());
}

#[test]
fn a_seed_file_goes_where_out_says_and_never_over_another() {
    let folder = folder();
    let out = folder.path().join("a/b");
    let run = || {
        let out = out.to_str().unwrap();
        let output = output(folder.path(), &[&FAILING[..], &["--out", out]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    let first = run();
    let files = seed_files(&out);
    let [file] = &files[..] else { panic!("one seed file for one failing run: {files:?}") };
    assert!(first.contains(&format!("replay {}", file.display())), "{first}");
    let content = fs::read_to_string(file).unwrap();
    assert!(!folder.path().join("target").exists(), "nothing is written anywhere else");

    // The very same run finds its file there.
    run();
    assert_eq!(seed_files(&out), files);
    assert_eq!(fs::read_to_string(file).unwrap(), content);

    // A file that says something else stays as it is.
    fs::write(file, "# mine\n").unwrap();
    let third = run();
    assert_eq!(fs::read_to_string(file).unwrap(), "# mine\n");
    let now = seed_files(&out);
    let [second] = &now.iter().filter(|path| *path != file).collect::<Vec<_>>()[..] else {
        panic!("one more seed file: {now:?}")
    };
    assert_eq!(fs::read_to_string(second).unwrap(), content);
    assert!(third.contains(&format!("replay {}", second.display())), "{third}");
}

/// All files below a folder, by their paths within it.
fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in seed_files(&next) {
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().display().to_string()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn reports_are_written_whole_in_folders_that_are_made_and_replace_what_their_user_named() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("out")).unwrap();
    fs::write(path("out/junit.xml"), "an older report").unwrap();
    fs::write(path("out/mine.txt"), "mine").unwrap();
    let args =
        ["run", "user-limit", "--report", "junit=out/junit.xml", "--report", "json=a/b/runs.json"];
    let output = output(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(files_below(folder.path()), ["a/b/runs.json", "out/junit.xml", "out/mine.txt"]);
    assert!(fs::read_to_string(path("out/junit.xml")).unwrap().starts_with("<?xml"));
    assert_eq!(fs::read_to_string(path("out/mine.txt")).unwrap(), "mine");
    let json: Value = serde_json::from_slice(&fs::read(path("a/b/runs.json")).unwrap()).unwrap();
    let printed = output_json(&folder, &["run", "user-limit", "--format", "json"]);
    assert_eq!(without_host(json), without_host(printed));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| fs::metadata(path(name)).unwrap().permissions().mode();
        assert_eq!(mode("out/junit.xml"), mode("out/mine.txt"), "as any file of this user");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_told_before_anything_runs() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    let args = [&FAILING[..], &["--report", "junit=file/junit.xml"]].concat();
    let output = output(folder.path(), &args);
    assert_eq!(output.status.code(), Some(70));
    assert!(text(&output.stderr).starts_with("error: cannot write file/junit.xml: "));
    assert_eq!((text(&output.stdout), files_below(folder.path())), ("", vec!["file".to_owned()]));
}

#[test]
fn a_folder_for_runs_has_a_file_of_each_and_a_folder_for_all_those_that_are_kept() {
    let folder = folder();
    let sweep = ["run", "queue", "--seeds", "3..9", "--jobs", "2"];
    let args = [&sweep[..], &["--report", "csv=runs/", "--report-dir", "all"]].concat();
    let output = output(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let each: Vec<String> = (3..9).map(|seed| format!("queue-manager-seed-{seed}.csv")).collect();
    assert_eq!(files_below(&folder.path().join("runs")), each);
    let all = files_below(&folder.path().join("all"));
    for whole in ["hyperlapse.json", "hyperlapse.md", "hyperlapse.txt", "hyperlapse.xml"] {
        assert!(all.iter().any(|file| file == whole), "{whole} is not in {all:?}");
    }
    // The first, the median and the slowest, each in every format of one run.
    let of = |extension: &str| {
        all.iter().filter(|file| file.starts_with("queue-") && file.ends_with(extension)).count()
    };
    let kept = of(".csv");
    assert!((2..=3).contains(&kept), "{all:?}");
    assert!([".hgrm", ".hlog", ".trace.json"].iter().all(|one| of(one) == kept), "{all:?}");
    assert!(all.contains(&"queue-manager-seed-3.csv".to_owned()));
    // Whatever else is written, a run has the same file.
    let read = |path: &str| fs::read_to_string(folder.path().join(path)).unwrap();
    assert_eq!(read("runs/queue-manager-seed-3.csv"), read("all/queue-manager-seed-3.csv"));
}

#[test]
fn two_scenarios_of_one_name_have_files_of_their_own() {
    let folder = folder();
    let args = ["run", "user-limit", "user-limit", "--report", "hgrm=runs/"];
    assert_eq!(output(folder.path(), &args).status.code(), Some(0));
    let expected = ["user-limit-manager-2-seed-0.hgrm", "user-limit-manager-seed-0.hgrm"];
    assert_eq!(files_below(&folder.path().join("runs")), expected);
}

#[test]
fn a_folder_that_takes_no_seed_file_does_not_lose_the_failure() {
    let folder = folder();
    fs::write(folder.path().join("file"), "").unwrap();
    let output = output(folder.path(), &[&FAILING[..], &["--out", "file"]].concat());
    assert_eq!(output.status.code(), Some(70));
    let told = text(&output.stderr);
    assert!(
        told.contains("[failure]\nkind = \"threshold\"\nname = \"completions == 20\"\n"),
        "{told}"
    );
    assert!(told.contains("\nerror: cannot write a seed file into file: "), "{told}");
}

#[test]
fn the_line_that_is_printed_replays_the_failure() {
    let folder = folder();
    let run = output(folder.path(), &FAILING);
    let report = text(&run.stdout);
    let line = report.lines().find_map(|line| line.trim().strip_prefix("replay "));
    let words: Vec<&str> = line.expect("a failure has its line").trim().split(' ').collect();
    let replay =
        Command::new(words[0]).args(&words[1..]).current_dir(folder.path()).output().unwrap();
    assert_eq!(replay.status.code(), Some(1));
    assert!(text(&replay.stdout).contains(": reproduced: the same failure by the same"));
}

#[test]
fn what_is_no_terminal_gets_neither_colours_nor_a_progress_bar() {
    let folder = folder();
    for args in
        [&["run", "queue", "--seeds", "0..50"][..], &FAILING, &["run", "nosuch"], &["--help"]]
    {
        let output = output(folder.path(), args);
        assert!(!output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b), "{args:?}");
        let silent = output.status.code() != Some(2);
        assert!(!silent || output.stderr.is_empty(), "{args:?}: {}", text(&output.stderr));
    }
}

/// Reads one line of standard output and closes it.
fn first_line(folder: &Path, args: &[&str]) -> (String, Option<i32>, String) {
    let mut child = command(folder)
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command can be started");
    let mut line = String::new();
    let mut stdout = BufReader::with_capacity(1, child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    drop(stdout);
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    (line, child.wait().unwrap().code(), told)
}

#[test]
fn a_reader_that_has_seen_enough_hides_no_failure() {
    let folder = folder();
    let fails = first_line(folder.path(), &[&FAILING[..], &["bursts", "queue"]].concat());
    let title = "FAIL  concurrent-users  on manager, seed 0\n".to_owned();
    assert_eq!(fails, (title, Some(1), String::new()));
    let files = seed_files(&folder.path().join("target/hyperlapse"));
    assert_eq!(files.len(), 2, "concurrent-users and bursts fail: {files:?}");

    for args in [&["list"][..], &["plan"], &["run", "mixed", "bursts"], &["run", "--help"]] {
        let (_, code, told) = first_line(folder.path(), args);
        assert_eq!((code, &*told), (Some(0), ""), "{args:?}");
    }
}

#[cfg(unix)]
#[test]
fn an_error_that_nobody_reads_is_no_panic() {
    use std::os::unix::net::UnixStream;

    let folder = folder();
    for args in [&["run", "nosuch"][..], &["run", "--seeds", "x"], &["replay", "nosuch.toml"]] {
        let (ours, closed) = UnixStream::pair().unwrap();
        drop(ours);
        let closed = Stdio::from(std::os::fd::OwnedFd::from(closed));
        let status = command(folder.path()).args(args).stderr(closed).status().unwrap();
        assert_eq!(status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_sweep_prints_the_same_with_any_number_of_jobs() {
    let folder = folder();
    let sweep = |jobs: &str| {
        let args = ["run", "queue", "mixed", "--seeds", "0..12", "--jobs", jobs];
        let output = output(folder.path(), &args);
        let report = text(&output.stdout);
        let (told, _wall_time) = report.split_once(", in ").expect("the wall time stands last");
        told.to_owned()
    };
    assert_eq!(sweep("1"), sweep("5"));
}

#[test]
fn json_of_a_breaking_point_is_one_object_and_the_same_with_any_number_of_jobs() {
    let folder = folder();
    let with = |jobs: &str| {
        let args = ["limit", "queue-limit", "--format", "json", "--jobs", jobs];
        let output = output(folder.path(), &args);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "");
        serde_json::from_slice::<Value>(&output.stdout).expect("it is JSON")
    };
    let report = with("1");
    assert_eq!(keys(&report), ["build", "format", "host", "limit"]);
    let limit = &report["limit"];
    assert_eq!(limit["setting"], "workload.users");
    let [holds, breaks] = ["holds", "breaks"].map(|key| limit[key]["value"].as_u64().unwrap());
    assert_eq!(breaks, holds + 1);
    let curve = limit["curve"].as_array().unwrap();
    let loads: Vec<u64> = curve.iter().map(|p| p["load"]["value"].as_u64().unwrap()).collect();
    assert!(loads.is_sorted() && loads.contains(&holds) && loads.contains(&breaks), "{loads:?}");
    // The seed file of the first break is there, and the second search finds the very same.
    let files = seed_files(&folder.path().join("target/hyperlapse"));
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(files[0].ends_with(report["host"]["seed_file"].as_str().unwrap()));
    assert_eq!(report, with("5"));
}

#[test]
fn the_line_that_a_breaking_point_prints_replays_its_first_break() {
    let folder = folder();
    let limit = output(folder.path(), &["limit", "breaking-point"]);
    let report = text(&limit.stdout);
    let line = report.lines().find_map(|line| line.trim().strip_prefix("replay "));
    let words: Vec<&str> = line.expect("a break has its line").trim().split(' ').collect();
    let replay =
        Command::new(words[0]).args(&words[1..]).current_dir(folder.path()).output().unwrap();
    assert_eq!(replay.status.code(), Some(1));
    let replayed = text(&replay.stdout);
    assert!(replayed.contains(": reproduced: the same failure by the same"), "{replayed}");
    assert!(replayed.contains("starts.refused == 0"), "{replayed}");
}
