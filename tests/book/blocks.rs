//! Every code block has somebody who checks it.

use std::fs;

use hyperlapse::{InputError, Source};

use super::pages::{self, Block, root};
use super::shell;

/// What is wrong with a block.
fn wrong(block: &Block<'_>) -> Option<String> {
    if let Some(path) = block.marked("part of") {
        return not_part_of(block, path);
    }
    match block.info {
        "rust" | "rust,no_run" => not_compiled(block),
        "toml" => not_a_scenario(&block.text),
        "sh" => shell::wrong(&block.text),
        // `tests/cli.rs` runs those of the book.
        "console" if block.page.path.starts_with("docs/") => None,
        "threshold" if block.page.path == "docs/thresholds.md" => None,
        "text" => None,
        info => Some(format!("nobody checks `{info}`")),
    }
}

/// Its lines stand in this file, one behind the other, perhaps further to the right.
fn not_part_of(block: &Block<'_>, path: &str) -> Option<String> {
    let Ok(file) = fs::read_to_string(root().join(path)) else {
        return Some(format!("{path} is not there"));
    };
    let block: Vec<&str> = block.text.lines().collect();
    let file: Vec<&str> = file.lines().collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let is_there = file.windows(block.len()).any(|lines| {
        let further = indent(lines[0]).checked_sub(indent(block[0]));
        further.is_some_and(|further| {
            lines.iter().zip(&block).all(|(line, shown)| match shown.is_empty() {
                true => line.is_empty(),
                false => line
                    .split_at_checked(further)
                    .is_some_and(|(before, rest)| before.trim().is_empty() && rest == *shown),
            })
        })
    });
    (!is_there).then(|| format!("{path} has not these lines"))
}

/// A doctest, if its page is one of those that are tested.
fn not_compiled(block: &Block<'_>) -> Option<String> {
    // `tests/readme.rs` compares those of the README with what it compiles.
    if block.page.path == "README.md" {
        let named = block.marked("example").is_some_and(|name| {
            include_str!("../readme.rs").contains(&format!("example(\"{name}\")"))
        });
        return (!named).then(|| "tests/readme.rs does not know it".to_owned());
    }
    let included = format!("#[doc = include_str!(\"../{}\")]", block.page.path);
    if !include_str!("../../src/guide.rs").contains(&included) {
        return Some("src/guide.rs does not have its page".to_owned());
    }
    // rustdoc compiles no tests: whatever stands in one would pass.
    let is_test = |line: &str| line.starts_with("#[") && line.contains("test");
    block.text.lines().any(|line| is_test(line.trim())).then(|| {
        "a test in a doctest is not compiled: make it `rust,ignore`, a part of some file".to_owned()
    })
}

/// A scenario for the load suite, or a part of one.
fn not_a_scenario(text: &str) -> Option<String> {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => return Some(error.to_string()),
    };
    let mut head = String::new();
    for (key, line) in [("name", "name = \"shown\"\n"), ("script", "script = \"converse\"\n")] {
        if !table.contains_key(key) {
            head += line;
        }
    }
    let mut tail = String::new();
    if !table.contains_key("workload") {
        tail += "\n[workload]\nkind = \"all-at-once\"\nusers = 1\n";
    }
    let source = Source::new("shown", format!("{head}{text}{tail}"));
    let case = conversation_load::suite().case_from(&source, None, &[]);
    case.err().map(|error: InputError| error.to_string())
}

#[test]
fn every_block_is_checked_and_right() {
    let pages = pages::all();
    let blocks: Vec<Block<'_>> = pages.iter().flat_map(|page| page.blocks()).collect();
    let told = |block: &Block<'_>| wrong(block).map(|why| format!("{}: {why}", block.place()));
    let wrong: Vec<String> = blocks.iter().filter_map(told).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(blocks.len() > 60, "only {} blocks were seen", blocks.len());
}

#[test]
fn what_is_wrong_with_a_block_is_seen() {
    let page = pages::Page {
        path: "docs/x.md".into(),
        text: [
            "```\nno language\n```",
            "```json\n{}\n```",
            "```rust\nlet x = 1;\n```",
            "```rust,ignore\nlet x = 1;\n```",
            "<!-- part of: rustfmt.toml -->\n```toml\nmax_width = 7\n```",
            "<!-- part of: nosuch -->\n```rust,ignore\nfn\n```",
            "```toml\nthresholds = [\"response.p95 < fast\"]\n```",
            "```toml\nnosuch = 1\n```",
            "```threshold\nresponse.p95 < 1s\n```",
        ]
        .join("\n"),
    };
    let blocks = page.blocks();
    assert_eq!(blocks.len(), 9);
    for block in &blocks {
        assert!(wrong(block).is_some(), "{}", block.text);
    }
    let page = pages::Page {
        path: "docs/testing.md".into(),
        text: "```rust\n#[hyperlapse::test]\nasync fn x() {}\n```\n```rust\nlet x = 1;\n```\n"
            .into(),
    };
    let [test, plain] = &page.blocks()[..] else { panic!("two blocks") };
    assert!(wrong(test).is_some() && wrong(plain).is_none());
}

/// Doctests are of the pages that are named there: all of them.
#[test]
fn the_doctests_are_of_every_page() {
    let included = include_str!("../../src/guide.rs");
    for page in pages::book() {
        let line = format!("#[doc = include_str!(\"../{}\")]\n", page.path);
        assert_eq!(included.matches(&line).count(), 1, "{}", page.path);
    }
}
