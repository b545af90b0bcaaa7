//! What the packages say of themselves agrees with what they are.

use std::path::Path;

use toml::{Table, Value};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(path: &str) -> Table {
    read(path).parse().unwrap()
}

/// The part of a crate's front page under this heading, to the end of the page or the next heading.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("//! # {heading}\n")).unwrap();
    let end =
        rest.lines().take_while(|line| line.starts_with("//!") && !line.starts_with("//! # "));
    &rest[..end.map(|line| line.len() + 1).sum()]
}

#[test]
fn every_feature_of_a_crate_is_explained_on_its_front_page_and_nothing_else_is() {
    for folder in [".", "sim/hyperlapse"] {
        let manifest = manifest(&format!("{folder}/Cargo.toml"));
        let features = manifest["features"].as_table().unwrap();
        let defaults = features["default"].as_array().unwrap();
        let expected: Vec<String> = features
            .keys()
            .filter(|feature| *feature != "default")
            .map(|feature| match defaults.contains(&Value::from(feature.as_str())) {
                true => format!("`{feature}` (default)"),
                false => format!("`{feature}`"),
            })
            .collect();
        let page = read(&format!("{folder}/src/lib.rs"));
        let mut explained: Vec<&str> = section(&page, "Features")
            .lines()
            .filter_map(|line| line.strip_prefix("//! - ")?.split_once(": ").map(|(name, _)| name))
            .collect();
        let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        expected.sort_unstable();
        explained.sort_unstable();
        assert_eq!(explained, expected, "{folder}/src/lib.rs");
    }
}

#[test]
fn the_oldest_compiler_is_the_same_wherever_it_is_named() {
    let workspace = manifest("Cargo.toml");
    let oldest = workspace["workspace"]["package"]["rust-version"].as_str().unwrap();
    for page in ["README.md", "CONTRIBUTING.md", ".ci/run"] {
        let text = read(page);
        let named: Vec<&str> = text
            .match_indices(" or newer")
            .map(|(at, _)| text[..at].rsplit([' ', '(']).next().unwrap())
            .filter(|version| version.parse::<f32>().is_ok())
            .collect();
        assert!(named.contains(&oldest), "{page} names {named:?}");
    }
}

#[test]
fn the_oldest_tokio_in_the_readme_is_the_one_that_the_manifest_asks_for() {
    let workspace = manifest("Cargo.toml");
    let oldest = workspace["workspace"]["dependencies"]["tokio"]["version"].as_str().unwrap();
    assert!(read("README.md").contains(&format!("tokio {oldest} or newer")), "tokio {oldest}");
}
