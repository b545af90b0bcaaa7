//! Scenario files for people: the schema by which editors complete and check them agrees with the reader, `init`
//! writes one that runs, and the reference page leaves no key out.

#[path = "cli/command.rs"]
mod command;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use hyperlapse::Source;
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every TOML file below a folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "toml") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "there are files in {folder}");
    found
}

fn validator() -> &'static Validator {
    static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| {
        let schema = conversation_load::suite().schema();
        jsonschema::draft202012::meta::validate(&schema).expect("it is a schema of that draft");
        jsonschema::draft202012::new(&schema).expect("it is a schema")
    });
    &VALIDATOR
}

/// What the schema says of a file; `None` when it is no TOML at all.
fn complaints(validator: &Validator, text: &str) -> Option<Vec<String>> {
    let table: toml::Table = text.parse().ok()?;
    let value = serde_json::to_value(table).expect("scenario files have no dates");
    Some(
        validator
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect(),
    )
}

#[test]
fn every_shipped_scenario_is_one_by_the_schema() {
    let validator = validator();
    for file in files("sim/scenarios/scenarios") {
        let text = std::fs::read_to_string(&file).unwrap();
        let told = complaints(validator, &text).expect("it is TOML");
        assert!(told.is_empty(), "{}: {told:#?}", file.display());
    }
}

/// What no schema can know: whether a text means something (that of a threshold too), and what two keys say together.
const BEYOND_A_SCHEMA: &[&str] = &[
    "fault-empty-window",
    "fault-times-of-a-panic",
    "fault-twice",
    "fault-unknown-users",
    "mix-duplicate-kind",
    "too-many-users",
    "uniform-the-wrong-way-round",
    "zero-duration",
    "zero-series-step",
    "zero-users",
];

#[test]
fn the_schema_refuses_what_the_reader_refuses_but_for_what_a_text_means() {
    let validator = validator();
    let mut taken = BTreeSet::new();
    for file in files("tests/malformed/scenario") {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let name = file.file_stem().unwrap().to_str().unwrap();
        let of_a_text = name.starts_with("threshold-");
        if complaints(validator, &text).is_some_and(|told| told.is_empty()) && !of_a_text {
            taken.insert(name.to_owned());
        }
    }
    let known: BTreeSet<String> = BEYOND_A_SCHEMA.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(taken, known, "just these are taken by the schema");
}

/// Every key of the schema, at any depth.
fn keys(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(entries) => {
            for (key, value) in entries {
                if let ("properties", Some(properties)) = (key.as_str(), value.as_object()) {
                    found.extend(properties.keys().cloned());
                    properties.values().for_each(|property| keys(property, found));
                } else {
                    keys(value, found);
                }
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| keys(entry, found)),
        _ => {}
    }
}

#[test]
fn the_reference_tells_of_every_key_and_every_kind_of_workload() {
    let page = std::fs::read_to_string(root().join("docs/scenario-files.md")).unwrap();
    let mut known = BTreeSet::new();
    keys(&conversation_load::suite().schema(), &mut known);
    assert!(known.contains("max_concurrent") && known.contains("at_most"), "{known:?}");
    known.extend(hyperlapse::workload_models().map(|(name, _)| name.to_owned()));
    let missing: Vec<&String> =
        known.iter().filter(|key| !page.contains(&format!("`{key}`"))).collect();
    assert!(missing.is_empty(), "docs/scenario-files.md says nothing of {missing:?}");
}

fn run(folder: &Path, args: &[&str]) -> Output {
    let command = &mut Command::new(command::path());
    command.args(args).current_dir(folder).env("COLUMNS", "80").output().expect("it can be started")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the command prints UTF-8")
}

#[test]
fn the_starter_runs_as_it_is_and_is_right_by_the_schema() {
    let folder = tempfile::tempdir().unwrap();
    let written = run(folder.path(), &["init", "rush hour.toml"]);
    assert_eq!(written.status.code(), Some(0), "{}", text(&written.stderr));
    let starter = std::fs::read_to_string(folder.path().join("rush hour.toml")).unwrap();
    insta::assert_snapshot!("starter", starter);
    assert!(starter.lines().all(|line| line.chars().count() <= 80), "{starter}");
    assert_eq!(complaints(validator(), &starter), Some(vec![]));
    let ran = run(folder.path(), &["run", "rush hour.toml"]);
    assert_eq!(ran.status.code(), Some(0), "{}{}", text(&ran.stdout), text(&ran.stderr));
    // What is commented out is right too.
    let mut all = String::new();
    for line in starter.lines() {
        let bare = line.trim_start().strip_prefix("# ").unwrap_or(line);
        let key = bare.split(" = ").next().filter(|_| bare.contains(" = "));
        let is_word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        let is_toml = key.is_some_and(is_word) || bare.starts_with(['[', '"']);
        all.push_str(if is_toml { bare } else { line });
        all.push('\n');
    }
    let source = Source::new("all", all.as_str());
    conversation_load::suite()
        .case_from(&source, None, &[])
        .unwrap_or_else(|e| panic!("{e}\n{all}"));
}

#[test]
fn init_overwrites_nothing_and_leaves_nothing_half_way() {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("scenario.toml");
    std::fs::write(&mine, "# mine\n").unwrap();
    for args in [&["init"][..], &["init", "scenario.toml"], &["init", "no/such/folder.toml"]] {
        let output = run(folder.path(), args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "# mine\n");
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing else is left there");
}

#[test]
fn the_command_prints_the_schema() {
    let output = run(root(), &["schema"]);
    let printed: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    assert_eq!(printed, conversation_load::suite().schema());
}

const SCENARIO: &str =
    "name = \"x\"\nscript = \"converse\"\nworkload = { kind = \"all-at-once\", users = 1 }\n";

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_time_that_the_schema_takes_is_one_that_the_reader_takes(
        time in "( ?[1-9][0-9]{0,2} ?(ns|us|ms|s|sec|min|m|hours|h|days|d|weeks|w|M|y|fortnights|S)){0,3} ?",
    ) {
        let text = format!("deadline = \"{time}\"\n{SCENARIO}");
        let read = conversation_load::suite().case_from(&Source::new("x", text.as_str()), None, &[]);
        let told = complaints(validator(), &text).unwrap();
        match read {
            Ok(_) => prop_assert!(told.is_empty(), "{time}: {told:?}"),
            Err(error) if error.message().contains("is too long") => {}
            Err(error) => prop_assert!(!told.is_empty(), "{time}: {error}"),
        }
    }
}
