//! Paths of settings: their parts, and what they mean in a file.
//!
//! The first part is a key of the root, or else anything in the file of that name: what stands in no list comes
//! before what stands in one, and two of the same rank are an error that names both.

use toml::{Table, Value};

use super::Override;
use crate::input::{InputError, near};

/// A place, from the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A key of a table.
    Key(String),
    /// An entry of a list.
    Entry(usize),
    /// One more entry behind the last: so many were added there before.
    Add(usize),
}

/// The parts of a path: between dots, or in quotes. `None` when one of them is empty or a quote is not closed.
pub(super) fn parts(path: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = path;
    loop {
        let part = match rest.chars().next()? {
            quote @ ('"' | '\'') => {
                let (part, after) = rest[1..].split_once(quote)?;
                rest = after;
                part
            }
            _ => {
                let end = rest.find('.').unwrap_or(rest.len());
                let part = rest[..end].trim();
                rest = &rest[end..];
                part
            }
        };
        if part.is_empty() {
            return None;
        }
        parts.push(part.to_owned());
        if rest.is_empty() {
            return Some(parts);
        }
        rest = rest.strip_prefix('.')?;
    }
}

/// What a path means in a file.
pub(super) struct Resolved {
    pub(super) steps: Vec<Step>,
}

impl Resolved {
    /// Finds what is meant.
    pub(super) fn find(
        root: &Table,
        path: &str,
        earlier: &[Override],
        root_keys: &[&str],
    ) -> Result<Self, InputError> {
        let parts = parts(path)
            .ok_or_else(|| InputError::new(format!("`{path}` is no path of a setting")))?;
        let first = parts[0].as_str();
        let known = root_keys.contains(&first) || root.contains_key(first);
        let nodes = nodes(root);
        let of_name: Vec<&Node> = match known {
            true => Vec::new(),
            false => nodes.iter().filter(|node| node.is_called(first)).collect(),
        };
        let least = of_name.iter().map(|node| node.lists).min();
        let nearest: Vec<&Node> =
            of_name.into_iter().filter(|node| Some(node.lists) == least).collect();
        let (mut steps, from) = match nearest[..] {
            [node] => (node.steps.clone(), 1),
            // A table of the file that is not there yet is made; a setting that is nowhere is a slip.
            [] if known || parts.len() > 1 => (Vec::new(), 0),
            [] => return Err(unknown(path, &nodes, root_keys)),
            _ => {
                let tail = &parts[1..];
                let paths: Vec<String> = nearest.iter().map(|node| node.shown(tail)).collect();
                return Err(ambiguous(path, &paths).help("give the whole path"));
            }
        };
        let mut at = steps.iter().try_fold(At::Table(root), At::step);
        for (i, part) in parts.iter().enumerate().skip(from) {
            let step = match at {
                Some(At::Value(Value::Array(entries))) => {
                    let list = shown(&steps);
                    entry(entries, &list, part, i + 1 == parts.len(), &steps, earlier)?
                }
                None if part.starts_with('+') && i + 1 == parts.len() => {
                    added("", part, &steps, earlier)?
                }
                None if part.bytes().all(|b| b.is_ascii_digit()) => {
                    let message = format!("there is no list `{}` in it", shown(&steps));
                    return Err(InputError::new(message));
                }
                Some(At::Value(Value::Table(_)) | At::Table(_)) | None => Step::Key(part.clone()),
                Some(At::Value(_)) => {
                    return Err(InputError::new(format!(
                        "`{part}` would be inside of something that is not a table"
                    )));
                }
            };
            at = at.and_then(|at| at.step(&step));
            steps.push(step);
        }
        Ok(Self { steps })
    }

    /// The whole path.
    pub(super) fn path(&self) -> String {
        shown(&self.steps)
    }
}

#[derive(Clone, Copy)]
enum At<'a> {
    Table(&'a Table),
    Value(&'a Value),
}

impl<'a> At<'a> {
    fn step(self, step: &Step) -> Option<Self> {
        let value = match (self, step) {
            (At::Table(table) | At::Value(Value::Table(table)), Step::Key(key)) => table.get(key),
            (At::Value(Value::Array(entries)), Step::Entry(index)) => entries.get(*index),
            _ => None,
        };
        value.map(At::Value)
    }
}

/// An entry of a list by its number, its name, or as one more.
fn entry(
    entries: &[Value],
    list: &str,
    part: &str,
    last: bool,
    steps: &[Step],
    earlier: &[Override],
) -> Result<Step, InputError> {
    if part.starts_with('+') && last {
        return added(list, part, steps, earlier);
    }
    if part.starts_with('+') {
        let error = InputError::new(format!("`{part}` adds a whole entry: nothing comes after it"));
        return Err(error.help(format!("give the entry as {list}.+={{ key = value, … }}")));
    }
    if let Ok(index) = part.parse::<usize>() {
        return match index < entries.len() {
            true => Ok(Step::Entry(index)),
            false => {
                Err(InputError::new(format!("there is no entry {index}: entries count from 0")))
            }
        };
    }
    let named: Vec<usize> =
        (0..entries.len()).filter(|i| names(&entries[*i]).iter().any(|n| n == part)).collect();
    match named[..] {
        [index] => Ok(Step::Entry(index)),
        [] => {
            let names: Vec<String> = entries.iter().flat_map(names).collect();
            let message = format!("there is no entry `{part}` in `{list}`");
            match names.is_empty() {
                true => Err(InputError::new(message).help("its entries are counted from 0")),
                false => {
                    Err(InputError::new(message).nearest(part, names.iter().map(String::as_str)))
                }
            }
        }
        _ => {
            let paths: Vec<String> = named.iter().map(|i| format!("{list}.{i}")).collect();
            Err(ambiguous(&format!("{list}.{part}"), &paths).help("give its number"))
        }
    }
}

/// One more entry. They are numbered, so that they can be kept without an order.
fn added(list: &str, part: &str, steps: &[Step], earlier: &[Override]) -> Result<Step, InputError> {
    let path = |n: usize| shown(&[steps, &[Step::Add(n)]].concat());
    let next = (0..).find(|n| earlier.iter().all(|set| set.path != path(*n)));
    let next = next.expect("numbers do not run out");
    match &part[1..] {
        "" => Ok(Step::Add(next)),
        number if number.parse() == Ok(next) => Ok(Step::Add(next)),
        _ => {
            let error = InputError::new(format!("`{part}` is not the next entry of `{list}`"));
            Err(error.help(format!("expected `+`, or `+{next}`")))
        }
    }
}

/// What an entry of a list can be called by.
fn names(entry: &Value) -> Vec<String> {
    let word = |key: &str| entry.get(key).and_then(Value::as_str);
    let name = word("name").map(str::to_owned);
    let kind = word("kind").map(str::to_owned);
    let place = word("kind").zip(word("site")).map(|(kind, site)| format!("{kind} at {site}"));
    [name, kind, place].into_iter().flatten().collect()
}

/// Something in a file.
struct Node {
    steps: Vec<Step>,
    names: Vec<String>,
    /// In how many lists it is.
    lists: usize,
    /// Its whole path, with names of entries where they have one.
    path: Vec<String>,
}

impl Node {
    fn is_called(&self, name: &str) -> bool {
        self.names.iter().any(|own| own == name)
    }

    fn shown(&self, tail: &[String]) -> String {
        self.path.iter().chain(tail).map(|part| quoted(part)).collect::<Vec<_>>().join(".")
    }
}

fn nodes(root: &Table) -> Vec<Node> {
    let mut found = Vec::new();
    in_table(root, &Node { steps: vec![], names: vec![], lists: 0, path: vec![] }, &mut found);
    found
}

fn in_table(table: &Table, of: &Node, found: &mut Vec<Node>) {
    for (key, value) in table {
        let node = Node {
            steps: [&of.steps[..], &[Step::Key(key.clone())]].concat(),
            names: vec![key.clone()],
            lists: of.lists,
            path: [&of.path[..], std::slice::from_ref(key)].concat(),
        };
        in_value(value, &node, found);
        found.push(node);
    }
}

fn in_value(value: &Value, of: &Node, found: &mut Vec<Node>) {
    match value {
        Value::Table(table) => in_table(table, of, found),
        Value::Array(entries) => {
            for (i, entry) in entries.iter().enumerate() {
                let own = names(entry);
                let unique = |name: &&String| {
                    entries.iter().filter(|other| names(other).contains(name)).count() == 1
                };
                let name = own.iter().find(unique).cloned().unwrap_or_else(|| i.to_string());
                let node = Node {
                    steps: [&of.steps[..], &[Step::Entry(i)]].concat(),
                    names: own,
                    lists: of.lists + 1,
                    path: [&of.path[..], &[name]].concat(),
                };
                in_value(entry, &node, found);
                found.push(node);
            }
        }
        _ => {}
    }
}

fn unknown(path: &str, nodes: &[Node], root_keys: &[&str]) -> InputError {
    let error = InputError::new(format!("there is no setting `{path}`"));
    let names = nodes.iter().flat_map(|node| &node.names).map(String::as_str);
    let mut known: Vec<&str> = names.chain(root_keys.iter().copied()).collect();
    known.sort_unstable();
    known.dedup();
    // All of them would be too many to read.
    let error = match near(path, &known) {
        Some(_) => error.nearest(path, known),
        None => error,
    };
    error.label("a setting that the file leaves out takes its whole path, such as `workload.users`")
}

/// More than these are not listed.
const MOST: usize = 6;

fn ambiguous(path: &str, paths: &[String]) -> InputError {
    let mut could: Vec<String> = paths.iter().take(MOST).map(|path| format!("`{path}`")).collect();
    if paths.len() > MOST {
        could.push(format!("{} more", paths.len() - MOST));
    }
    InputError::new(format!("`{path}` could be {}", could.join(" or ")))
}

fn shown(steps: &[Step]) -> String {
    let part = |step: &Step| match step {
        Step::Key(key) => quoted(key),
        Step::Entry(index) => index.to_string(),
        Step::Add(number) => format!("+{number}"),
    };
    steps.iter().map(part).collect::<Vec<_>>().join(".")
}

/// A part as it is written.
fn quoted(part: &str) -> String {
    match part.contains('.') || part.starts_with(['"', '\'']) || part.trim() != part {
        true if part.contains('\'') => format!("\"{part}\""),
        true => format!("'{part}'"),
        false => part.to_owned(),
    }
}
