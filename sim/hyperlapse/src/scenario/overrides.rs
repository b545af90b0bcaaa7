//! `--set path=value`: a scenario file with some of its settings changed.
//!
//! The change is made in the text and the text is read again, so that there is one reader and one kind
//! of error. A path may be whole (`manager.max_concurrent`) or the last part alone, where the file has
//! just one setting of that name (`duration`, `users`).

use toml_edit::{DocumentMut, Item, Table, Value};

use crate::input::{InputError, Source};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Where: parts joined by dots.
    pub path: String,
    /// What: a TOML value, or anything else as a string.
    pub value: String,
}

impl Override {
    /// Whether one of the two is, or is inside of, what the other sets.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let mut parts = self.path.split('.').zip(other.path.split('.'));
        parts.all(|(a, b)| a == b)
    }
}

impl std::fmt::Display for Override {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.path, self.value)
    }
}

impl std::str::FromStr for Override {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        let malformed = |span| {
            InputError::new("this does not set anything")
                .at(&Source::new("--set", text), span)
                .label("expected the form `path=value`, such as `users=100`")
        };
        let Some((path, value)) = text.split_once('=') else {
            return Err(malformed(0..text.len()));
        };
        let (path, value) = (path.trim(), value.trim());
        if path.is_empty() || path.split('.').any(str::is_empty) || value.is_empty() {
            return Err(malformed(0..text.len()));
        }
        Ok(Self { path: path.to_owned(), value: value.to_owned() })
    }
}

/// The text of `source` with `set` applied, and the whole path that it was applied to.
pub(crate) fn apply(
    source: &Source,
    set: &Override,
    root_keys: &[&str],
) -> Result<(Source, String), InputError> {
    let mut document: DocumentMut =
        source.text.parse().map_err(|error: toml_edit::TomlError| {
            let error_text = error.message().to_owned();
            InputError::new(error_text).at(source, error.span().unwrap_or(0..0))
        })?;
    let parts = resolve(document.as_table(), &set.path, root_keys)
        .map_err(|error| error.context(format_args!("--set {set} in {}", source.name)))?;
    let value: Value = set.value.parse().unwrap_or_else(|_| Value::from(set.value.as_str()));
    put(document.as_item_mut(), &parts, value)
        .map_err(|why| InputError::new(format!("--set {set} in {}: {why}", source.name)))?;
    let name = format!("{} with --set {set}", source.name);
    Ok((source.instead(name, document.to_string()), parts.join(".")))
}

/// The whole path of a setting, of which `path` may be the last part alone.
pub(crate) fn whole_path(
    source: &Source,
    path: &str,
    root_keys: &[&str],
) -> Result<String, InputError> {
    // A text that cannot be read has been refused before.
    let document: DocumentMut = source.text.parse().unwrap_or_default();
    Ok(resolve(document.as_table(), path, root_keys)?.join("."))
}

fn resolve(root: &Table, path: &str, root_keys: &[&str]) -> Result<Vec<String>, InputError> {
    let parts: Vec<String> = path.split('.').map(str::to_owned).collect();
    if parts.len() > 1 || root_keys.contains(&parts[0].as_str()) {
        return Ok(parts);
    }
    let mut leaves = Vec::new();
    collect_leaves(root, &mut Vec::new(), &mut leaves);
    let of_name: Vec<&Vec<String>> =
        leaves.iter().filter(|leaf| leaf.last() == parts.last()).collect();
    match of_name[..] {
        [leaf] => Ok(leaf.clone()),
        [] => {
            let names = leaves.iter().filter_map(|leaf| leaf.last()).map(String::as_str);
            let message = format!("there is no setting `{path}`");
            let error = InputError::new(message).nearest(path, names);
            Err(error.label(
                "a setting that the file leaves out takes its whole path, such as `workload.users`",
            ))
        }
        _ => {
            let paths: Vec<String> =
                of_name.iter().map(|leaf| format!("`{}`", leaf.join("."))).collect();
            let message = format!("`{path}` could be {}", paths.join(" or "));
            Err(InputError::new(message).help("give the whole path"))
        }
    }
}

fn collect_leaves(table: &Table, path: &mut Vec<String>, leaves: &mut Vec<Vec<String>>) {
    for (key, item) in table {
        path.push(key.to_owned());
        match item {
            Item::Table(table) => collect_leaves(table, path, leaves),
            Item::ArrayOfTables(_) | Item::None => {}
            Item::Value(_) => leaves.push(path.clone()),
        }
        path.pop();
    }
}

fn put(item: &mut Item, path: &[String], value: Value) -> Result<(), String> {
    let (first, rest) = path.split_first().expect("a path has at least one part");
    if let Ok(index) = first.parse::<usize>() {
        let nothing = || format!("there is no entry {index}: entries count from 0");
        match item {
            Item::Value(Value::Array(array)) if rest.is_empty() => {
                *array.get_mut(index).ok_or_else(nothing)? = value;
                return Ok(());
            }
            Item::ArrayOfTables(tables) if !rest.is_empty() => {
                let table = tables.get_mut(index).ok_or_else(nothing)?;
                let mut entry = Item::Table(std::mem::take(table));
                let result = put(&mut entry, rest, value);
                *table = entry.into_table().expect("it was made from a table");
                return result;
            }
            _ => {}
        }
    }
    let Some(table) = item.as_table_like_mut() else {
        return Err(format!("`{first}` would be inside of something that is not a table"));
    };
    if rest.is_empty() {
        match table.get_mut(first) {
            // In place: what stands around the value, such as a comment, stays.
            Some(Item::Value(old)) => {
                let decor = old.decor().clone();
                *old = value;
                *old.decor_mut() = decor;
            }
            _ => drop(table.insert(first, Item::Value(value))),
        }
        return Ok(());
    }
    if table.get(first).is_none() {
        table.insert(first, Item::Table(Table::new()));
    }
    put(table.get_mut(first).expect("it was put there just now"), rest, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
name = \"x\" # its name
thresholds = [\"starts > 1\"]

[workload]
kind = \"closed\"
users = 10 # ten
duration = \"5m\"

[a]
same = 1

[b]
same = 2

[[mix]]
kind = \"quick\"
";

    fn set(text: &str) -> Result<(String, String), String> {
        let set: Override = text.parse().map_err(|e: InputError| e.to_string())?;
        let source = Source::new("x.toml", FILE);
        match apply(&source, &set, &["name", "thresholds"]) {
            Ok((source, path)) => Ok((source.text.to_string(), path)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_setting_is_changed_where_it_stands() {
        let (text, path) = set("users=25").unwrap();
        assert_eq!(path, "workload.users");
        assert_eq!(text, FILE.replace("users = 10 # ten", "users = 25 # ten"));
        assert!(set("duration=24h").unwrap().0.contains("duration = \"24h\""));
        assert!(set("thresholds.0=starts > 2").unwrap().0.contains("[\"starts > 2\"]"));
        assert!(set("mix.0.weight=3").unwrap().0.contains("kind = \"quick\"\nweight = 3"));
        assert!(set("manager.limit=3").unwrap().0.contains("[manager]\nlimit = 3"));
    }

    #[test]
    fn what_cannot_be_set_is_said_with_a_way_out() {
        insta::assert_snapshot!(set("usrs=25").unwrap_err(), @"
        error: --set usrs=25 in x.toml: there is no setting `usrs`
         |
         = note: a setting that the file leaves out takes its whole path, such as `workload.users`
         = help: did you mean `users`?
        ");
        insta::assert_snapshot!(set("same=25").unwrap_err(), @"
        error: --set same=25 in x.toml: `same` could be `a.same` or `b.same`
         |
         = help: give the whole path
        ");
        insta::assert_snapshot!(set("users").unwrap_err(), @"
        error: this does not set anything
         --> --set:1:1
          |
        1 | users
          | ^^^^^ expected the form `path=value`, such as `users=100`
        ");
        insta::assert_snapshot!(set("name.x=1").unwrap_err(), @"error: --set name.x=1 in x.toml: `x` would be inside of something that is not a table");
        insta::assert_snapshot!(set("thresholds.7=a").unwrap_err(), @"error: --set thresholds.7=a in x.toml: there is no entry 7: entries count from 0");
    }
}
