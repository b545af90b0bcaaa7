//! The pages, and the code blocks in them.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page in Markdown.
pub struct Page {
    /// From the root: `docs/guide/recipes.md`.
    pub path: String,
    pub text: String,
}

/// A fenced block of code.
pub struct Block<'p> {
    pub page: &'p Page,
    /// The line of the fence, from 1.
    pub line: usize,
    /// What stands behind the fence: `rust,ignore`.
    pub info: &'p str,
    pub text: String,
    /// The comment on the line before it, as key and value: `<!-- part of: src/lib.rs -->`.
    pub mark: Option<(&'p str, &'p str)>,
}

impl Block<'_> {
    pub fn place(&self) -> String {
        format!("{}:{}", self.page.path, self.line)
    }

    /// The value of its mark, if it has one of this key.
    pub fn marked(&self, key: &str) -> Option<&str> {
        self.mark.filter(|(of, _)| *of == key).map(|(_, value)| value)
    }
}

impl Page {
    fn read(path: &Path) -> Self {
        let shown = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
        Self { path: shown, text: fs::read_to_string(path).unwrap() }
    }

    pub fn blocks(&self) -> Vec<Block<'_>> {
        let mut blocks = Vec::new();
        let mut lines = self.text.lines().enumerate();
        let mut before = "";
        while let Some((number, line)) = lines.next() {
            let Some(info) = line.trim_start().strip_prefix("```") else {
                before = line;
                continue;
            };
            let mut text = String::new();
            loop {
                let (_, line) = lines.next().unwrap_or_else(|| panic!("{}: no end", self.path));
                if line.trim() == "```" {
                    break;
                }
                text += line;
                text.push('\n');
            }
            let mark = before.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
            let mark = mark.and_then(|mark| mark.split_once(": "));
            blocks.push(Block { page: self, line: number + 1, info, text, mark });
            before = "";
        }
        blocks
    }

    /// The text without its code, neither blocks nor what stands in backticks, line by line.
    pub fn prose(&self) -> String {
        let mut prose = String::new();
        let (mut in_block, mut in_code) = (false, false);
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                in_block = !in_block;
            } else if line.trim().is_empty() {
                // Code may go on in the next line, and not in the next paragraph.
                in_code = false;
            } else if !in_block {
                for c in line.chars() {
                    match c {
                        '`' => in_code = !in_code,
                        c if !in_code => prose.push(c),
                        _ => {}
                    }
                }
            }
            prose.push('\n');
        }
        prose
    }
}

/// Those of the book, by their paths.
pub fn book() -> Vec<Page> {
    let mut found = Vec::new();
    below(&root().join("docs"), &mut found);
    found.retain(|path| !path.ends_with("SUMMARY.md"));
    read(found)
}

/// All of them.
pub fn all() -> Vec<Page> {
    let mut found =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| root().join(name)).to_vec();
    below(&root().join("docs"), &mut found);
    below(&root().join("examples"), &mut found);
    read(found)
}

fn read(mut paths: Vec<PathBuf>) -> Vec<Page> {
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => below(&path, found),
            false if path.extension().is_some_and(|extension| extension == "md") => {
                found.push(path)
            }
            false => {}
        }
    }
}
