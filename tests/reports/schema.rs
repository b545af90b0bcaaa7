//! The JSON of `run` against the schema that is checked in: real outputs keep it, and an output with a key more or
//! less, at any depth, does not.

use hyperlapse::report::json::SCHEMA;
use jsonschema::Validator;
use serde_json::{Value, json};

/// Objects whose keys are names of things: one less is still one of these.
const MAPS: [&str; 14] = [
    "by_tag",
    "custom",
    "decisions",
    "disks",
    "failed",
    "faults",
    "files",
    "kinds",
    "links",
    "properties",
    "refused",
    "set",
    "tags",
    "views",
];

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("it is a schema");
    jsonschema::draft202012::new(&schema).expect("it can be compiled")
}

/// The real output of a command.
fn output(args: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args = [&["conversation-load", "run"], args, &["--format", "json", "--out", out]].concat();
    let mut printed = Vec::new();
    let args = args.iter().map(std::ffi::OsString::from);
    conversation_load::suite().main_with(args, &mut printed);
    serde_json::from_slice(&printed).expect("it is JSON")
}

fn outputs() -> Vec<Value> {
    let failing = output(&["concurrent-users", "mixed", "--system", "off-by-one"]);
    assert_eq!(failing["runs"][0]["verdict"], "fail");
    assert_ne!(failing["explanations"], json!([]), "a failure is explained");
    let bent = output(&["storm", "--system", "lost-grant", "--seeds", "0..3"]);
    let swept = output(&["queue", "idle-users", "--seeds", "3..5"]);
    let passing = output(&["sustained", "--set", "duration=60s"]);
    assert_eq!(passing["runs"][0]["verdict"], "pass");
    assert!(passing["runs"][0]["memory"].is_object());
    let thresholds = [
        "completions <= 50 else abort",
        "response.p95 over 1s < 1ms",
        "response.p95 after 1s < 1h",
        "response.p95 trend < 5%",
        "response.p95 worst of seeds < 1h",
    ];
    let set = format!("thresholds={thresholds:?}");
    let aborted = output(&["sustained", "--set", &set, "--no-shrink"]);
    assert!(aborted["runs"][0]["outcome"]["aborted"].is_object(), "{aborted}");
    let system = if cfg!(tokio_unstable) { "gateway" } else { "manager-store" };
    let moving =
        output(&["database-load", "--system", system, "--set", "duration=1s", "--no-shrink"]);
    assert!(moving["runs"][0]["io"]["disks"].as_object().is_some_and(|disks| !disks.is_empty()));
    vec![passing, failing, swept, bent, aborted, moving]
}

#[test]
fn what_run_prints_keeps_the_schema() {
    let validator = validator();
    for output in outputs() {
        let errors: Vec<String> = validator
            .iter_errors(&output)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{}", errors.join("\n"));
    }
}

#[test]
fn a_shard_keeps_the_schema_and_says_which_it_is() {
    let shard = output(&["queue", "idle-users", "--seeds", "3..6", "--shard", "2/4"]);
    assert_eq!(shard["shard"], "2/4");
    let validator = validator();
    assert!(validator.is_valid(&shard));
    for wrong in [json!("0/4"), json!("2"), json!(2)] {
        let mut shard = shard.clone();
        shard["shard"] = wrong;
        assert!(!validator.is_valid(&shard), "{}", shard["shard"]);
    }
}

#[test]
fn a_key_more_or_less_breaks_the_schema_at_any_depth() {
    let validator = validator();
    let mut broken = 0;
    for output in outputs() {
        assert!(validator.is_valid(&output));
        let mut pointers = Vec::new();
        objects(&output, String::new(), &mut pointers);
        for pointer in pointers {
            let mut more = output.clone();
            let object = more.pointer_mut(&pointer).unwrap().as_object_mut().unwrap();
            object.insert("unexpected".to_owned(), json!({ "one": [] }));
            assert!(!validator.is_valid(&more), "a key more at {pointer:?} goes unseen");
            broken += 1;
            let parts: Vec<&str> = pointer.rsplit('/').collect();
            let is_map = MAPS.contains(&parts[0]);
            let keys: Vec<String> = match is_map {
                true => continue,
                false => {
                    output.pointer(&pointer).unwrap().as_object().unwrap().keys().cloned().collect()
                }
            };
            for key in keys {
                let mut less = output.clone();
                less.pointer_mut(&pointer).unwrap().as_object_mut().unwrap().remove(&key);
                assert!(!validator.is_valid(&less), "{key} can be left out at {pointer:?}");
                broken += 1;
            }
        }
    }
    assert!(broken > 500, "only {broken} ways to break it were tried");
}

#[test]
fn a_number_below_zero_a_fraction_and_another_format_break_the_schema() {
    let validator = validator();
    let good = output(&["user-limit"]);
    assert!(validator.is_valid(&good));
    for (pointer, bad) in [
        ("/format", json!(hyperlapse::FORMAT + 1)),
        ("/runs/0/seed", json!(-1)),
        ("/runs/0/virtual_ns", json!(0.5)),
        ("/runs/0/verdict", json!("passed")),
        ("/runs/0/fingerprint", json!("xyz")),
        ("/runs/0/outcome", json!("unknown")),
        ("/runs/0/metrics/operations/response/buckets", json!([[1]])),
    ] {
        let mut output = good.clone();
        *output.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is not there")) = bad;
        assert!(!validator.is_valid(&output), "{pointer}");
    }
}

/// Pointers to every object, the first of a list standing for the others.
fn objects(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            found.push(pointer.clone());
            for (key, value) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                objects(value, format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                objects(first, format!("{pointer}/0"), found);
            }
        }
        _ => {}
    }
}
