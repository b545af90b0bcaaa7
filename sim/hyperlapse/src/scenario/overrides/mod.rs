//! `--set path=value`: a scenario file with some of its settings changed.
//!
//! The change is made in the text and the text is read again, so that there is one reader and one kind
//! of error. What is set is kept with its whole path, so that two changes of one thing are noticed.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`path`] | parts of a path; what a path means in a file |
//! | [`put`] | changes the text there, and leaves everything else as it stands |

mod path;
mod put;

use toml_edit::{DocumentMut, Value};

use crate::input::{InputError, Source};
use path::{Resolved, parts};

/// One change.
///
/// A path is made of keys and of places in lists, joined by dots:
///
/// ```text
/// manager.max_concurrent=19        a key of a table, which is made where it is missing
/// manager={ max_concurrent = 19 }  a whole table
/// users=100                        the last parts alone, where the file has one such setting
/// thresholds.0=starts > 5          an entry of a list, counted from 0
/// mix.quick.weight=3               an entry that has this `name`, `kind` or `kind at site`
/// thresholds.+=failures == 0       one more entry behind the last
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Where: parts joined by dots; a part with a dot in it stands in quotes.
    pub path: String,
    /// What: a TOML value, or anything else as a string.
    pub value: String,
}

impl Override {
    /// Whether one of the two is, or is inside of, what the other sets.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.parts(), other.parts());
        ours.iter().zip(&theirs).all(|(a, b)| a == b)
    }

    fn parts(&self) -> Vec<String> {
        parts(&self.path).unwrap_or_else(|| vec![self.path.clone()])
    }
}

/// Puts changes of whole paths in the one order that they can be applied in whatever order they were kept in:
/// entries that were added come before those that are changed, in the order in which they were added.
pub(crate) fn in_order(mut set: Vec<Override>) -> Vec<Override> {
    let key = |part: String| {
        let number = |text: &str| text.parse::<u64>().ok();
        match part.strip_prefix('+').and_then(number) {
            Some(added) => (0, added, part),
            None => (1, number(&part).unwrap_or(u64::MAX), part),
        }
    };
    set.sort_by_cached_key(|set| set.parts().into_iter().map(key).collect::<Vec<_>>());
    set
}

impl std::fmt::Display for Override {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.path, self.value)
    }
}

impl std::str::FromStr for Override {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        let malformed = || {
            InputError::new("this does not set anything")
                .at(&Source::new("--set", text), 0..text.len())
                .label("expected the form `path=value`, such as `users=100`")
        };
        let (path, value) = text.split_once('=').ok_or_else(malformed)?;
        let (path, value) = (path.trim(), value.trim());
        if parts(path).is_none() || value.is_empty() {
            return Err(malformed());
        }
        Ok(Self { path: path.to_owned(), value: value.to_owned() })
    }
}

/// The text of `source` with `set` applied, and the whole path that it was applied to. `earlier` is what was set
/// before, with whole paths.
pub(crate) fn apply(
    source: &Source,
    set: &Override,
    earlier: &[Override],
    root_keys: &[&str],
) -> Result<(Source, String), InputError> {
    let in_file = |error: InputError| error.context(format_args!("--set {set} in {}", source.name));
    let root: toml::Table =
        source.text.parse().map_err(|error| InputError::toml(source, &error))?;
    let mut document: DocumentMut =
        source.text.parse().map_err(|error: toml_edit::TomlError| {
            InputError::new(error.message()).at(source, error.span().unwrap_or(0..0))
        })?;
    let resolved = Resolved::find(&root, &set.path, earlier, root_keys).map_err(in_file)?;
    let value: Value = set.value.parse().unwrap_or_else(|_| Value::from(set.value.as_str()));
    put::put(document.as_item_mut(), &resolved.steps, value)
        .map_err(|why| in_file(InputError::new(why)))?;
    let name = format!("{} with --set {set}", source.name);
    Ok((source.instead(name, document.to_string()), resolved.path()))
}

/// The whole path of a setting, of which `path` may be the last parts alone.
pub(crate) fn whole_path(
    source: &Source,
    path: &str,
    root_keys: &[&str],
) -> Result<String, InputError> {
    // A text that cannot be read has been refused before.
    let root: toml::Table = source.text.parse().unwrap_or_default();
    Ok(Resolved::find(&root, path, &[], root_keys)?.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
name = \"x\" # its name
thresholds = [\"starts > 1\"]

[workload]
kind = \"constant-users\"
users = 10 # ten
pause = { uniform = [\"1ms\", \"2ms\"] }
duration = \"5m\"

[a]
same = 1

[b]
same = 2

# the quick ones
[[mix]]
kind = \"quick\"
talk = { steps = 1 }

[[mix]]
kind = \"slow.1\"
users = 3
talk = { steps = 9, tool = 1 }

[[faults]]
kind = \"panic\"
site = \"turn\"
rate = 0.5

[[faults]]
kind = \"panic\"
site = \"start\"
rate = 0.25
";

    const ROOT: &[&str] = &["name", "thresholds", "workload", "mix", "faults", "talk", "deadline"];

    fn changed(texts: &[&str]) -> Result<(String, Vec<Override>), String> {
        let (mut source, mut whole) = (Source::new("x.toml", FILE), Vec::new());
        for text in texts {
            let set: Override = text.parse().map_err(|e: InputError| e.to_string())?;
            let (next, path) =
                apply(&source, &set, &whole, ROOT).map_err(|error| error.to_string())?;
            source = Source::new("x.toml", next.text);
            whole.push(Override { path, value: set.value });
        }
        Ok((source.text.to_string(), whole))
    }

    fn set(text: &str) -> Result<(String, String), String> {
        changed(&[text]).map(|(text, whole)| (text, whole[0].path.clone()))
    }

    #[track_caller]
    fn replaces(text: &str, whole: &str, old: &str, new: &str) {
        let (changed, path) = set(text).unwrap();
        assert_eq!(path, whole);
        assert_eq!(changed, FILE.replace(old, new));
    }

    #[test]
    fn a_setting_is_changed_where_it_stands() {
        replaces("users=25", "workload.users", "users = 10 # ten", "users = 25 # ten");
        replaces("duration=24h", "workload.duration", "\"5m\"", "\"24h\"");
        replaces("thresholds.0=starts > 2", "thresholds.0", "starts > 1", "starts > 2");
        let (text, _) = set("manager.limit=3").unwrap();
        assert!(text.contains("[manager]\nlimit = 3"), "{text}");
        let (text, _) = set("deadline=1h").unwrap();
        assert!(text.contains("[\"starts > 1\"]\ndeadline = \"1h\"\n"), "{text}");
    }

    #[test]
    fn a_setting_is_found_in_inline_tables_and_in_entries_of_lists() {
        replaces("pause.uniform.1=9ms", "workload.pause.uniform.1", "\"2ms\"", "\"9ms\"");
        replaces("tool=5", "mix.1.talk.tool", "tool = 1", "tool = 5");
        replaces("mix.1.talk.steps=5", "mix.1.talk.steps", "steps = 9", "steps = 5");
        replaces("mix.quick.talk.steps=5", "mix.0.talk.steps", "steps = 1", "steps = 5");
        replaces("quick.talk.steps=5", "mix.0.talk.steps", "steps = 1", "steps = 5");
        replaces("mix.'slow.1'.users=4", "mix.1.users", "users = 3", "users = 4");
        replaces("faults.panic at start.rate=1", "faults.1.rate", "rate = 0.25", "rate = 1");
        let (text, path) = set("mix.quick.talk.more=2").unwrap();
        assert_eq!(path, "mix.0.talk.more");
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["mix"][0]["talk"].to_string(), "{ more = 2, steps = 1 }");
    }

    #[test]
    fn a_whole_table_or_entry_is_replaced() {
        let (text, path) = set("workload={ kind = \"bursts\", users = 3 }").unwrap();
        assert_eq!(path, "workload");
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["workload"].to_string(), r#"{ kind = "bursts", users = 3 }"#);
        let (text, path) = set("mix.quick={ kind = \"fast\" }").unwrap();
        assert_eq!(path, "mix.0");
        assert!(text.contains("[[mix]]\nkind = \"fast\"\n\n[[mix]]"), "{text}");
        let (text, _) = set("mix=[]").unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["mix"].to_string(), "[]");
    }

    #[test]
    fn entries_are_put_behind_the_last_in_whatever_order_they_are_kept() {
        let sets = ["thresholds.+=starts > 2", "thresholds.+=starts > 3"];
        let (text, whole) = changed(&sets).unwrap();
        assert!(text.contains(r#"["starts > 1", "starts > 2", "starts > 3"]"#), "{text}");
        let paths: Vec<&str> = whole.iter().map(|set| &*set.path).collect();
        assert_eq!(paths, ["thresholds.+0", "thresholds.+1"]);

        let sets: Vec<String> = (0..12).map(|n| format!("thresholds.+=starts > {n}")).collect();
        let sets: Vec<&str> = sets.iter().map(String::as_str).chain(["thresholds.0=x"]).collect();
        let (text, mut whole) = changed(&sets).unwrap();
        whole.sort_by(|a, b| a.path.cmp(&b.path));
        let kept: Vec<String> = in_order(whole).iter().map(Override::to_string).collect();
        let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
        assert_eq!(changed(&kept).unwrap().0, text);

        let (text, _) = set("mix.+={ kind = \"new\" }").unwrap();
        assert!(text.contains("tool = 1 }\n\n[[mix]]\nkind = \"new\"\n"), "{text}");
        let (text, _) = set("workload.tags.+=\"a\"").unwrap();
        assert!(text.contains("tags = [\"a\"]"), "{text}");
    }

    #[test]
    fn two_changes_of_one_thing_are_noticed() {
        let of = |text: &str| {
            let (_, path) = set(text).unwrap();
            Override { path, value: String::new() }
        };
        assert!(of("mix.quick.weight=1").overlaps(&of("mix.0.weight=2")));
        assert!(of("mix=[]").overlaps(&of("mix.+={ kind = \"a\" }")));
        assert!(of("users=1").overlaps(&of("workload={}")));
        assert!(!of("mix.0.weight=1").overlaps(&of("mix.1.weight=2")));
    }

    #[test]
    fn what_cannot_be_set_is_said_with_a_way_out() {
        let wrong = [
            "usrs=25",
            "same=25",
            "steps=2",
            "users",
            "a..b=1",
            "mix.'slow.1=1",
            "name.x=1",
            "thresholds.7=a",
            "thresholds.+1=a",
            "thresholds.+.x=a",
            "thresholds.a=b",
            "mix.quik.weight=3",
            "faults.panic.rate=1",
            "faults.0=1",
            "nothing.0.x=1",
        ];
        let told: Vec<String> = wrong.iter().map(|text| set(text).expect_err(text)).collect();
        insta::assert_snapshot!(told.join("\n\n"));
    }
}
