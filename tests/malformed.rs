//! Bad input: each malformed file gets one clear error with its place, on standard error, exit code 2, and
//! nothing is run. And whatever bytes a file holds, reading it gives an answer and never a panic.
//!
//! A file in a folder of `tests/malformed` is a case (scenarios, seed files, results to compare, tolerances); its error is
//! a snapshot.

#[path = "cli/command.rs"]
mod command;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use hyperlapse::compare::{Comparison, Runs, Tolerances};
use hyperlapse::{SeedFile, Source, Threshold};
use proptest::prelude::*;

const FOLDER: &str = "tests/malformed";

/// The files of a folder, as they are named from the root of the workspace.
fn files(kind: &str) -> Vec<PathBuf> {
    let folder = Path::new(FOLDER).join(kind);
    let entries = Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder).read_dir().unwrap();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| folder.join(entry.unwrap().file_name())).collect();
    files.sort();
    files
}

/// What the command says of each file, one below the other.
fn errors(command: &str, files: &[PathBuf]) -> String {
    errors_after(&[command], files)
}

/// The same, with more of the command line before the file.
fn errors_after(command: &[&str], files: &[PathBuf]) -> String {
    let mut told = String::new();
    for file in files {
        let output = Command::new(command::path())
            .args(command)
            .arg(file)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("the command can be started");
        let error = String::from_utf8(output.stderr).expect("errors are UTF-8");
        let name = file.display();
        assert_eq!(output.status.code(), Some(2), "{name}: {error}");
        assert!(output.stdout.is_empty(), "{name} prints something beside its error");
        assert_eq!(error.matches("error: ").count(), 1, "{name} has not one error: {error}");
        assert!(!error.contains("panicked"), "{name}: {error}");
        told.push_str(&error);
        told.push('\n');
    }
    told
}

/// Kept beside the files that it is about.
fn snapshot(name: &str, errors: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("malformed/errors");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| insta::assert_snapshot!(name, errors));
}

#[test]
fn every_malformed_scenario_file_has_one_clear_error() {
    snapshot("scenario", &errors("run", &files("scenario")));
}

#[test]
fn every_malformed_seed_file_has_one_clear_error() {
    let mut files = files("seed");
    files.push(Path::new(FOLDER).join("seed/no-such-file.toml"));
    snapshot("seed", &errors("replay", &files));
}

const BASELINE: &str = "baselines/suite.json";

#[test]
fn every_malformed_result_has_one_clear_error() {
    let mut files = files("result");
    files.push(Path::new(FOLDER).join("result/no-such-file.json"));
    files.push(Path::new(FOLDER).into());
    snapshot("result", &errors_after(&["compare", BASELINE], &files));
}

#[test]
fn every_malformed_file_of_tolerances_has_one_clear_error() {
    let command = ["compare", BASELINE, BASELINE, "--tolerance-file"];
    snapshot("tolerance", &errors_after(&command, &files("tolerance")));
}

#[test]
fn plan_tells_the_same_error_as_run() {
    for file in files("scenario") {
        let file = [file];
        assert_eq!(errors("plan", &file), errors("run", &file));
    }
}

#[test]
fn one_bad_file_among_good_ones_stops_all_before_anything_runs() {
    let good = Path::new("seeds/concurrent-users-off-by-one-seed-0.toml");
    let output = Command::new(command::path())
        .args(["replay", good.to_str().unwrap(), "tests/malformed/seed/bad-expect.toml"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the command can be started");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
}

/// Reads it in every way that the command does; the answer itself does not matter.
fn read_scenario(text: &str) {
    let suite = conversation_load::suite();
    let source = Source::new("any.toml", text);
    if let Err(error) = suite.case_from(&source, None, &[]) {
        assert!(error.to_string().starts_with("error: "), "{error}");
    }
}

fn read_seed_file(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let path = folder.path().join("any.toml");
    std::fs::write(&path, bytes).expect("there is room for a file");
    match SeedFile::read(&path) {
        Err(error) => assert!(error.to_string().starts_with("error: "), "{error}"),
        Ok(seed_file) => {
            let suite = conversation_load::suite();
            if let Err(error) = suite.replay_case(&seed_file) {
                assert!(error.to_string().starts_with("error: "), "{error}");
            }
        }
    }
}

/// As `compare` does, against itself.
fn read_result(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Runs::parse(&Source::new("any.json", text)) {
        Err(error) => assert!(error.to_string().starts_with("error: "), "{error}"),
        Ok(runs) => {
            let of = Comparison::of(&runs, &runs, &Tolerances::default());
            assert!(!of.expect("it has itself in common").regressed());
        }
    }
}

/// A run with all that a record has, as `run --format json` prints it.
fn result() -> String {
    static RESULT: OnceLock<String> = OnceLock::new();
    RESULT
        .get_or_init(|| {
            let suite = conversation_load::suite();
            let finished = suite.run(&suite.case("mixed", None, &[]).unwrap(), 0);
            let run = hyperlapse::report::json::run(&finished, None);
            format!("{{\"format\":{},\"runs\":[{run}]}}", hyperlapse::FORMAT)
        })
        .clone()
}

fn read_tolerances(text: &str) {
    let mut tolerances = Tolerances::default();
    if let Err(error) = tolerances.add_file(&Source::new("any.toml", text)) {
        assert!(error.to_string().starts_with("error: "), "{error}");
    }
    if let Err(error) = tolerances.add(text) {
        assert!(error.to_string().starts_with("error: "), "{error}");
    }
}

const TOLERANCES: &str = include_str!("cli/compare.in/compare.toml");

const SCENARIO: &str = include_str!("../sim/scenarios/scenarios/idle-users.toml");

/// A kept seed file, most of its events left out so that slips hit the rest.
fn seed_file() -> String {
    let text = include_str!("../seeds/concurrent-users-off-by-one-seed-0.toml");
    text.lines().filter(|line| !line.contains(" user ")).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_slips_are_made_in_is_right_without_them() {
    assert!(conversation_load::suite().case_from(&Source::new("x", SCENARIO), None, &[]).is_ok());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    std::fs::write(&path, seed_file()).unwrap();
    let seed_file = SeedFile::read(&path).unwrap();
    assert!(conversation_load::suite().replay_case(&seed_file).is_ok());
    assert!(Runs::parse(&Source::new("x", result())).is_ok());
    assert!(Tolerances::default().add_file(&Source::new("x", TOLERANCES)).is_ok());
}

/// Characters that mean something to TOML or to thresholds, and some that take several bytes.
const TELLING: &[&str] = &[
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "[[",
    "]]",
    "{",
    "}",
    "=",
    ",",
    ".",
    "#",
    "\n",
    "\r",
    "\\",
    "\\u00e9",
    "-1",
    "0",
    "9223372036854775808",
    "1e400",
    "é",
    "\u{1f600}",
    "\0",
    "%",
    "<",
    "==",
    "over",
    "of median",
    "\t",
];

/// Pieces of `text` cut out, doubled, moved, or replaced by telling characters.
fn mutated(text: String) -> impl Strategy<Value = String> {
    let cut = (any::<prop::sample::Index>(), 0usize..30, 0usize..4, prop::sample::select(TELLING));
    prop::collection::vec(cut, 1..6).prop_map(move |cuts| {
        let mut characters: Vec<char> = text.chars().collect();
        for (from, length, how, telling) in cuts {
            let from = from.index(characters.len() + 1);
            let to = (from + length).min(characters.len());
            let piece: Vec<char> = characters[from..to].to_vec();
            match how {
                0 => drop(characters.drain(from..to)),
                1 => drop(characters.splice(from..to, telling.chars())),
                2 => drop(characters.splice(from..from, telling.chars())),
                _ => drop(characters.splice(to..to, piece)),
            }
        }
        characters.into_iter().collect()
    })
}

/// Something like a threshold.
fn like_a_threshold() -> impl Strategy<Value = String> {
    let words = [
        "response",
        ".p95",
        ".p",
        ".p99.9999",
        ".p100.1",
        "starts.refused",
        "{kind=quick}",
        "{kind=}",
        "{",
        "}",
        "throughput",
        " over ",
        "30s",
        "0ms",
        " < ",
        "<=",
        "==",
        "!",
        "5",
        "99.5",
        ".",
        "1_0",
        "_",
        "999999999999999",
        "9999999999999999",
        "%",
        "/s",
        "MB",
        " of median",
        "é",
        "\u{1f600}",
        " ",
        "\u{a0}",
        "memory.growth",
        "completion_rate",
        "0.0000001",
        "-",
        " after ",
        " trend ",
        " worst of seeds ",
        " in 95% of seeds",
        " else abort",
        ".share",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..9)
        .prop_map(|words| words.concat())
}

fn parse_threshold(text: &str) {
    match text.parse::<Threshold>() {
        Ok(threshold) => assert_eq!(threshold.to_string(), text.trim()),
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.column()), "{error}");
            assert!(error.to_string().starts_with("error: "), "{error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_scenario_or_an_error(text in any::<String>()) {
        read_scenario(&text);
    }

    #[test]
    fn a_scenario_file_with_slips_is_a_scenario_or_an_error(text in mutated(SCENARIO.to_owned())) {
        read_scenario(&text);
    }

    #[test]
    fn any_bytes_are_a_seed_file_or_an_error(bytes in any::<Vec<u8>>()) {
        read_seed_file(&bytes);
    }

    #[test]
    fn a_seed_file_with_slips_is_a_seed_file_or_an_error(
        text in mutated(seed_file()),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        // Half of them end somewhere, perhaps within a character.
        let bytes = text.as_bytes();
        read_seed_file(&bytes[..cut.map_or(bytes.len(), |cut| cut.index(bytes.len() + 1))]);
    }

    #[test]
    fn any_text_is_a_result_and_tolerances_or_an_error(text in any::<String>()) {
        read_result(text.as_bytes());
        read_tolerances(&text);
    }

    #[test]
    fn a_result_with_slips_is_a_result_or_an_error(
        text in mutated(result()),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let bytes = text.as_bytes();
        read_result(&bytes[..cut.map_or(bytes.len(), |cut| cut.index(bytes.len() + 1))]);
    }

    #[test]
    fn tolerances_with_slips_are_tolerances_or_an_error(text in mutated(TOLERANCES.to_owned())) {
        read_tolerances(&text);
    }

    #[test]
    fn any_text_is_a_threshold_or_an_error(text in any::<String>(), like in like_a_threshold()) {
        parse_threshold(&text);
        parse_threshold(&like);
    }

    #[test]
    fn any_text_in_a_string_of_thresholds_is_told_at_its_place(like in like_a_threshold()) {
        let quoted = toml::Value::String(like).to_string();
        read_scenario(&SCENARIO.replacen("\"failures == 10\"", &quoted, 1));
        // With everything escaped, so that no place in the string is a place in the file.
        let escaped: String =
            quoted.trim_matches('"').chars().map(|c| format!("\\U{:08X}", u32::from(c))).collect();
        read_scenario(&SCENARIO.replacen("failures == 10", &escaped, 1));
    }

    #[test]
    fn any_change_is_made_or_an_error(path in "[a-z._0-9]{0,12}|manager\\.[a-z_]{0,15}", value in any::<String>()) {
        let suite = conversation_load::suite();
        let changed = format!("{path}={value}").parse().and_then(|set| suite.case("mixed", None, &[set]));
        if let Err(error) = changed {
            prop_assert!(error.to_string().starts_with("error: "), "{}", error);
        }
    }
}
