//! A JSON Schema of a suite's scenario files, for editors: they complete keys and mark slips while one types.
//!
//! What belongs to a type is derived from the type that the reader reads into; the keys of the root are here. The
//! schema knows the form of a file and not its sense: whether a threshold can be parsed, or a uniform distribution
//! has its lower time first, only the reader says.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::file::Vocabulary;
use super::load;
use crate::decision::{DecisionKind, Fault, StrategyChoice};
use crate::suite::Entry;
use crate::threshold;
use crate::units;
use crate::workload::MODELS;

/// The schema of a suite's scenario files (draft 2020-12).
pub(crate) fn schema(
    suite: &str,
    scripts: &[Entry],
    systems: &[Entry],
    vocabulary: &Vocabulary,
) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
    let tables: Vec<(&str, Value)> = vocabulary
        .tables
        .iter()
        .map(|table| (table.name, tidied((table.schema)(&mut generator).to_value())))
        .collect();
    let workload = workload(&mut generator);
    let mut properties = framework(&mut generator, scripts, systems, &tables);
    let mut required = vec!["name", "script", "workload"];
    for (name, table) in &tables {
        // One that is left out is read as if it were empty.
        let needs = table.get("required").and_then(Value::as_array);
        if needs.is_some_and(|keys| !keys.is_empty()) {
            required.push(name);
        }
        properties.insert((*name).to_owned(), table.clone());
    }
    let mut definitions = generator.take_definitions(true);
    definitions.insert("workload".to_owned(), workload);
    tidied(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("Scenario of {suite}"),
        "description": "Who comes when, what they do to which system, and what must come of it.",
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
        "$defs": definitions,
    }))
}

/// The framework's keys at the top.
fn framework(
    generator: &mut SchemaGenerator,
    scripts: &[Entry],
    systems: &[Entry],
    tables: &[(&str, Value)],
) -> Map<String, Value> {
    let bends: Vec<&str> = DecisionKind::BENDS.iter().map(|kind| kind.text()).collect();
    let time = units::duration::json_schema(generator).to_value();
    let fault = generator.subschema_for::<Fault>().to_value();
    let workload = json!({ "$ref": "#/$defs/workload" });
    let several = json!({ "type": "array", "items": workload, "minItems": 1 });
    let described = |mut schema: Value, description: &str| {
        schema["description"] = description.into();
        schema
    };
    let keys = [
        (
            "name",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
                    "description": "What reports and seed files call it: letters, digits and - _ . after a letter or digit." }),
        ),
        ("about", json!({ "type": "string", "description": "What it is for, in a line." })),
        ("script", described(named(scripts), "What its users do, and what is checked.")),
        (
            "system",
            described(
                named(systems),
                "What it is run against; the suite's first where it is left out.",
            ),
        ),
        (
            "operation",
            json!({ "type": "string", "default": "operation",
                    "description": "What reports call one operation, in the singular." }),
        ),
        (
            "deadline",
            described(
                time.clone(),
                "Virtual time after which a run has failed. Without one it fails when nothing happens for an hour.",
            ),
        ),
        (
            "series_step",
            described(
                time,
                "The step of the time series, in virtual time; 1s where it is left out.",
            ),
        ),
        (
            "strategy",
            json!({ "type": "string", "enum": StrategyChoice::NAMES, "default": "none",
                    "description": "What bends its runs, unless the command line says otherwise." }),
        ),
        (
            "decisions",
            json!({ "type": "array", "items": { "type": "string", "enum": bends }, "uniqueItems": true,
                    "description": "The kinds of decision that its users can bear; all where it is left out." }),
        ),
        ("thresholds", thresholds()),
        (
            "workload",
            json!({ "oneOf": [workload, several],
                    "description": "Who comes when: [workload], or [[workload]] once for each of several side by side." }),
        ),
        ("mix", mix(tables)),
        (
            "faults",
            json!({ "type": "array", "items": fault, "description": "What may strike: [[faults]] once for each." }),
        ),
    ];
    keys.into_iter().map(|(key, schema)| (key.to_owned(), schema)).collect()
}

/// One of several names, with what each is.
fn named(entries: &[Entry]) -> Value {
    let names: Vec<Value> = entries
        .iter()
        .map(|entry| json!({ "const": entry.name, "description": entry.about }))
        .collect();
    match names.is_empty() {
        true => json!({ "type": "string" }),
        false => json!({ "type": "string", "oneOf": names }),
    }
}

fn thresholds() -> Value {
    let metrics: Vec<String> =
        threshold::catalogue().map(|(name, about)| format!("{name}: {about}")).collect();
    let description = format!(
        "Something that a run must measure: a metric, a comparison and a number with its unit, such as \
         `response.p95 < 500ms`.\n\n{}",
        metrics.join("\n")
    );
    json!({
        "type": "array",
        "description": "What its runs must measure.",
        "items": { "type": "string", "minLength": 1, "description": description },
    })
}

/// A workload: the keys of its kind, and those that it shares with others of its sort.
fn workload(generator: &mut SchemaGenerator) -> Value {
    let time = units::duration::json_schema(generator).to_value();
    let kinds: Vec<Value> = MODELS
        .iter()
        .map(|model| {
            let mut schema = (model.schema)(generator).to_value();
            let properties = schema["properties"].as_object_mut().expect("a workload has fields");
            let mut insert = |key: &str, schema| properties.insert(key.to_owned(), schema);
            insert("kind", json!({ "const": model.name, "description": model.about }));
            for (key, schema) in load::keys(&time) {
                insert(key, schema);
            }
            match schema.get_mut("required").and_then(Value::as_array_mut) {
                Some(required) => required.insert(0, "kind".into()),
                None => schema["required"] = json!(["kind"]),
            }
            schema["title"] = model.name.into();
            schema["description"] = model.about.into();
            schema
        })
        .collect();
    json!({ "type": "object", "oneOf": kinds })
}

/// `[[mix]]`: of the suite's tables a kind of users gives what differs.
fn mix(tables: &[(&str, Value)]) -> Value {
    let mut properties = json!({
        "kind": { "type": "string", "description": "What thresholds and reports call these users." },
        "weight": { "type": "integer", "minimum": 1, "maximum": u32::MAX,
                    "description": "Their share, among all weights: with 3 beside 1 they are three in four." },
    });
    for (name, table) in tables {
        let mut table = table.clone();
        if let Some(table) = table.as_object_mut() {
            table.remove("required");
        }
        properties[*name] = table;
    }
    json!({
        "type": "array",
        "description": "Kinds of users, each with its weight and with what differs of the suite's own tables.",
        "items": { "type": "object", "properties": properties, "required": ["kind", "weight"],
                   "additionalProperties": false },
    })
}

/// Takes out what means nothing to whoever writes TOML: how wide an integer is, and null, which TOML has not.
fn tidied(mut schema: Value) -> Value {
    tidy(&mut schema);
    schema
}

fn tidy(value: &mut Value) {
    match value {
        Value::Object(entries) => {
            entries.retain(|key, value| match key.as_str() {
                // A property may have that name; it is an object then.
                "format" => !value.is_string(),
                "default" => !value.is_null(),
                _ => true,
            });
            if let Some(Value::Array(kinds)) = entries.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [only] = &kinds[..] {
                    let only = only.clone();
                    entries.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(either)) = entries.get_mut("anyOf") {
                either.retain(|one| one["type"] != "null");
                if let [Value::Object(only)] = &either[..] {
                    let only = only.clone();
                    entries.remove("anyOf");
                    for (key, value) in only {
                        entries.entry(key).or_insert(value);
                    }
                }
            }
            entries.values_mut().for_each(tidy);
        }
        Value::Array(entries) => entries.iter_mut().for_each(tidy),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::file::KEYS;

    #[test]
    fn the_schema_has_every_key_that_the_reader_knows() {
        let schema = schema("suite", &[], &[], &Vocabulary::default());
        let mut told: Vec<&str> =
            schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut known = KEYS.to_vec();
        told.sort_unstable();
        known.sort_unstable();
        assert_eq!(told, known);
    }
}
