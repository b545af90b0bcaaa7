//! The guard names what a system depends on besides its seed, and a run in a process of its own ends as a named
//! failure however it ends. The systems are those of `examples/faulty.rs`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::SystemTime;

/// The suite of faulty systems. `cargo test` builds examples, `cargo test --test guard` does not.
fn faulty() -> &'static Path {
    static FAULTY: OnceLock<PathBuf> = OnceLock::new();
    FAULTY.get_or_init(|| {
        let this = std::env::current_exe().expect("a test has a path");
        let dependencies = this.parent().expect("it lies in a folder");
        let profile = dependencies.parent().expect("of a folder of the profile");
        let name = format!("faulty{}", std::env::consts::EXE_SUFFIX);
        let faulty = profile.join("examples").join(name);
        // What is newer than its source and the framework is as good as new. A build for itself has other features, and the
        // framework is compiled once more for them.
        let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/faulty.rs"));
        let newest = library(dependencies).max(modified(source));
        if modified(&faulty) < newest || !faulty.exists() {
            build(profile);
        }
        faulty
    })
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// When the framework was built.
fn library(dependencies: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(dependencies).ok()?.flatten().map(|entry| entry.path());
    let libraries = entries.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libhyperlapse-") && name.ends_with(".rlib")
    });
    libraries.filter_map(|path| modified(&path)).max()
}

fn build(profile: &Path) {
    let target = profile.parent().expect("the profile's folder lies in another");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "-p", "hyperlapse", "--example", "faulty", "--target-dir"]);
    build.arg(target);
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    assert!(build.status().expect("cargo can be started").success());
}

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(faulty()).args(args).current_dir(folder).output().expect("it was built")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Of each system what the guard says, from its first finding on.
#[test]
fn what_the_host_decides_is_caught_and_named() {
    if cfg!(not(tokio_unstable)) || cfg!(not(target_os = "linux")) {
        // `select!` is not seeded, or the host is not answered for.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut told = String::new();
    for (system, code) in [
        ("sound", 0),
        ("select", 0),
        ("instant-now", 3),
        ("hash-order", 3),
        ("thread-rng", 3),
        ("unseeded-select", 3),
        ("counter", 3),
    ] {
        let args = ["run", "one", "--system", system, "--check-determinism"];
        let output = run(folder.path(), &args);
        let text = text(&output);
        assert_eq!(output.status.code(), Some(code), "{system}: {text}");
        let begins = ["NONDETERMINISM", "note ", "deterministic:"];
        let from = begins.iter().filter_map(|word| text.find(&format!("\n{word}"))).min();
        told += &format!("{system}{}\n", &text[from.unwrap_or_else(|| panic!("{text}"))..]);
    }
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\.rs:\d+", ".rs:[line]");
    // What differs is another each time where nothing decides it.
    settings.add_filter(r"[ab]{16}", "[a and b]");
    settings.bind(|| insta::assert_snapshot!(told));
}

#[test]
fn in_a_process_of_its_own_every_end_is_a_named_failure_with_a_seed_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = String::new();
    for system in [
        "panic",
        "abort",
        "exit",
        "stack-overflow",
        "endless-loop",
        "spin",
        "deadlock",
        "async-deadlock",
    ] {
        let args =
            ["run", "one", "--system", system, "--isolate", "--no-shrink", "--seeds", "0..2"];
        let output = run(folder.path(), &[&args[..], &["--hang-after", "1s"]].concat());
        assert_eq!(output.status.code(), Some(1), "{system}: {}", text(&output));
        let text = text(&output);
        let from = text.find("fails\n").expect("it says what fails");
        let upto = text.find("\n1 scenario").expect("it sums up");
        told += &format!("{system} {}", &text[from..upto]);
        let file = folder.path().join(format!("target/hyperlapse/one-{system}-seed-1.toml"));
        assert!(file.exists(), "the sweep goes on after the first");
        // A hang takes as long to replay as it took to be given up.
        if !matches!(system, "endless-loop" | "deadlock") {
            // What crashed has a process again without being told.
            let again = run(folder.path(), &["replay", file.to_str().unwrap()]);
            assert_eq!(again.status.code(), Some(1), "{system} is replayed");
            assert!(self::text(&again).contains("reproduced"), "{system}: {}", self::text(&again));
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"replay     .*replay", "replay     [COMMAND] replay");
    settings.add_filter(r"\.rs:\d+:\d+", ".rs:[line]");
    settings.bind(|| insta::assert_snapshot!(told));
}

#[test]
fn a_deadlock_and_a_spinning_task_are_told_with_who_waits_where() {
    if cfg!(not(tokio_unstable)) {
        // Only users' polls count towards a livelock then: another number of them.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut told = String::new();
    for system in ["async-deadlock", "spin", "panic"] {
        let text = text(&run(folder.path(), &["run", "one", "--system", system]));
        let from = text.find("shrunk  one").expect("it is shrunk");
        told += &text[from..];
        told += "\n";
    }
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"replay         .*replay", "replay         [COMMAND] replay");
    settings.add_filter(r"\.rs:\d+(:\d+)?", ".rs:[line]");
    settings.bind(|| insta::assert_snapshot!(told));
}

#[test]
fn a_run_is_the_same_bytes_in_a_process_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let json = |more: &[&str]| {
        let args = ["run", "one", "--seeds", "0..5", "--format", "json", "--strategy", "random"];
        let output = run(folder.path(), &[&args[..], more].concat());
        let mut json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for run in json["runs"].as_array_mut().unwrap() {
            run.as_object_mut().unwrap().remove("host");
        }
        json
    };
    assert_eq!(json(&["--isolate", "--jobs", "2"]), json(&[]));
    // What outlives a run does not outlive its process.
    let counts = |more: &[&str]| {
        let args = ["run", "one", "--system", "counter", "--seeds", "0..3", "--format", "json"];
        let output = run(folder.path(), &[&args[..], more].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let runs = json["runs"].as_array().unwrap().clone();
        runs.iter().map(|run| run["fingerprint"].to_string()).collect::<Vec<_>>()
    };
    let (alone, together) = (counts(&["--isolate"]), counts(&["--jobs", "1"]));
    assert!(alone.iter().all(|fingerprint| *fingerprint == alone[0]), "{alone:?}");
    assert_ne!(together[0], together[1]);
}
