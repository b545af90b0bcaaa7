//! The OpenAPI document: what it lists is what there is, and what comes over the wire is what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use conversation_manager::gateway::{Code, Gateway, GatewayOptions};
use serde_json::{Value, json};

use crate::client::Answer;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(Gateway::openapi()).unwrap());

/// A thing that may be a reference into the document.
fn resolved(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(path) => {
            DOCUMENT.pointer(path.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{path}"))
        }
        None => value,
    }
}

/// Every operation: method, path, and what stands there.
fn operations() -> impl Iterator<Item = (String, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap();
        methods
            .iter()
            .map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    })
}

/// The path of the document that fits a path of the wire.
fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap();
    let fits = |template: &str| {
        let (mut parts, mut wanted) = (path.split('/'), template.split('/'));
        loop {
            match (parts.next(), wanted.next()) {
                (None, None) => return true,
                (Some(part), Some(wanted)) if part == wanted || wanted.starts_with('{') => {}
                _ => return false,
            }
        }
    };
    DOCUMENT["paths"].as_object().unwrap().keys().map(String::as_str).find(|known| fits(known))
}

/// Whether `body` is what `schema` of the document says.
fn assert_fits(schema: &Value, body: &Value, what: &str) {
    let mut schema = schema.clone();
    schema["components"] = DOCUMENT["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let errors: Vec<String> = validator.iter_errors(body).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{what}: {errors:?} in {body}");
}

/// Holds an answer to the document.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let what = format!("{method} {path} -> {}", answer.status);
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    let kind = answer.header("content-type");
    if kind == "application/problem+json" {
        let problem = answer.json();
        assert_fits(&json!({ "$ref": "#/components/schemas/Problem" }), &problem, &what);
        assert_eq!(problem["status"], answer.status, "{what}");
        let code = code(&problem);
        assert_eq!(code.status().as_u16(), answer.status, "{what}");
        let retry_after = answer.headers.contains_key("retry-after");
        assert_eq!(retry_after, code.is_retryable(), "{what}: {problem}");
    }
    let Some(template) = template(path) else {
        assert_eq!(answer.status, 404, "{what}");
        return;
    };
    let Some(operation) = DOCUMENT["paths"][template].get(method.to_lowercase()) else {
        assert_eq!(answer.status, 405, "{what}");
        return;
    };
    let responses = operation["responses"].as_object().unwrap();
    let response = responses.get(&answer.status.to_string());
    let response = resolved(response.unwrap_or_else(|| panic!("{what} is not in the document")));
    match response.get("content") {
        None => assert_eq!(answer.text, "", "{what}"),
        Some(content) => {
            let essence = kind.split(';').next().unwrap();
            let media = content.get(essence).unwrap_or_else(|| panic!("{what}: {kind}"));
            if essence.ends_with("json") {
                assert_fits(&media["schema"], &answer.json(), &what);
            }
        }
    }
    for header in
        response.get("headers").and_then(Value::as_object).into_iter().flat_map(|it| it.keys())
    {
        // Of the codes of a conflict only some can be tried again.
        if header != "Retry-After" {
            assert!(answer.headers.contains_key(header), "{what} has no {header}");
        }
    }
}

fn code(problem: &Value) -> Code {
    let name = problem["code"].as_str().unwrap();
    *Code::ALL.iter().find(|code| code.as_str() == name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn the_document_lists_exactly_the_routes() {
    let listed: BTreeSet<(String, &str)> =
        operations().map(|(method, path, _)| (method, path)).collect();
    let routed: BTreeSet<(String, &str)> =
        Gateway::routes().map(|(method, path, _)| (method.to_owned(), path)).collect();
    assert_eq!(listed, routed);
}

#[test]
fn the_document_asks_for_a_token_exactly_where_the_routes_do() {
    assert_eq!(DOCUMENT["security"], json!([{ "bearer": [] }]));
    let open: BTreeMap<(&str, &str), bool> =
        Gateway::routes().map(|(method, path, guarded)| ((method, path), !guarded)).collect();
    for (method, path, operation) in operations() {
        let is_open = operation.get("security") == Some(&json!([]));
        assert_eq!(is_open, open[&(method.as_str(), path)], "{method} {path}");
        assert_eq!(operation["responses"].get("401").is_none(), is_open, "{method} {path}");
    }
}

#[test]
fn the_document_knows_every_code_under_its_status_and_no_other() {
    let listed = &DOCUMENT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
    let listed: Vec<&str> =
        listed.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed, known);
    for (name, response) in DOCUMENT["components"]["responses"].as_object().unwrap() {
        for (code_name, example) in
            response["content"]["application/problem+json"]["examples"].as_object().unwrap()
        {
            let problem = &example["value"];
            assert_fits(&json!({ "$ref": "#/components/schemas/Problem" }), problem, name);
            let code = code(problem);
            assert_eq!(code.as_str(), code_name);
            assert_eq!(problem["status"], code.status().as_u16(), "{name}");
            assert_eq!(problem["title"], code.status().canonical_reason().unwrap(), "{name}");
        }
    }
}

#[test]
fn every_example_fits_its_schema() {
    let mut checked = 0;
    for (method, path, operation) in operations() {
        let bodies = operation.get("requestBody").into_iter();
        let answers = operation["responses"].as_object().unwrap().values();
        for side in bodies.chain(answers) {
            let Some(content) = resolved(side).get("content").and_then(Value::as_object) else {
                continue;
            };
            for (kind, media) in content {
                let Some(example) = media.get("example") else { continue };
                let what = format!("{method} {path}");
                if kind == "text/event-stream" {
                    // As it is on the wire: each event for itself.
                    for event in example.as_str().unwrap().split_terminator("\n\n") {
                        let (name, data) = event.split_once('\n').unwrap();
                        let name = name.strip_prefix("event: ").unwrap();
                        let data = data.strip_prefix("data: ").unwrap();
                        assert_fits(
                            &media["schema"],
                            &json!({ "event": name, "data": data }),
                            &what,
                        );
                    }
                } else {
                    assert_fits(&media["schema"], example, &what);
                }
                checked += 1;
            }
        }
    }
    assert!(checked >= 10, "{checked}");
}

#[test]
fn every_reference_of_the_document_leads_somewhere_and_everything_is_used() {
    let text = Gateway::openapi();
    let used: BTreeSet<&str> =
        text.split("\"$ref\": \"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    for path in &used {
        assert!(DOCUMENT.pointer(path).is_some(), "{path}");
    }
    for kind in ["parameters", "headers", "responses", "schemas"] {
        for name in DOCUMENT["components"][kind].as_object().unwrap().keys() {
            let path = format!("/components/{kind}/{name}");
            assert!(used.contains(path.as_str()), "{path} is not used");
        }
    }
}

#[test]
fn the_document_is_of_this_version_and_tells_the_default_bounds() {
    assert_eq!(DOCUMENT["info"]["version"], env!("CARGO_PKG_VERSION"));
    let options = GatewayOptions::default();
    let limit = &DOCUMENT["components"]["parameters"]["Limit"]["schema"];
    assert_eq!(
        (&limit["maximum"], &limit["default"]),
        (&json!(options.max_page), &json!(options.max_page))
    );
    let start = &DOCUMENT["paths"]["/v1/conversations"]["post"]["parameters"];
    let wait = start.as_array().unwrap().iter().find(|it| it["name"] == "wait").unwrap();
    assert_eq!(wait["schema"]["maximum"], options.max_wait.as_secs());
}

#[test]
fn the_document_is_as_it_was_reviewed() {
    // Each operation in a line: what changes here changes what clients rely on.
    let mut lines = String::new();
    for (method, path, operation) in operations() {
        let statuses: Vec<&str> =
            operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
        let id = operation["operationId"].as_str().unwrap();
        lines += &format!("{method} {path} ({id}): {}\n", statuses.join(" "));
    }
    insta::assert_snapshot!(lines);
}
