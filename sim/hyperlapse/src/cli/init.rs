//! `init`: a commented scenario file to begin with, which runs as it is.
//!
//! It names the suite's own first script and system, and has the suite's own tables with every key at its default,
//! all of it from what the suite registered: it cannot fall behind.

use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use super::args::InitArgs;
use super::{Stop, Terminal, exit};
use crate::input::InputError;
use crate::report::{pasteable, wrap};
use crate::suite::{Entry, Suite};
use crate::workload;

pub(super) fn init<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    args: &InitArgs,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Stop> {
    if args.tokio_unstable {
        return super::flag::init(Path::new(""), terminal);
    }
    let file = &args.file;
    write_new(file, &starter(suite, file))?;
    let (command, shown) = (&terminal.command, pasteable(file));
    let text = format!(
        "wrote {shown}\n\n  {command} plan {shown}\n  {command} run {shown}\n\nFor an editor that completes its keys, \
         in the same folder:\n\n  {command} schema > {}\n",
        schema_file(suite)
    );
    terminal.print(&text)?;
    Ok(exit::HELD)
}

/// Writes a file that is not there yet, whole or not at all.
fn write_new(file: &Path, text: &str) -> Result<(), Stop> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => Stop::Input(
            InputError::new(format!("{} is there already", file.display()))
                .help("nothing is overwritten: give another name, or move it away"),
        ),
        ErrorKind::NotFound => Stop::Input(
            InputError::new(format!("there is no folder {}", folder.display()))
                .help("make it first, or give another name"),
        ),
        _ => Stop::Io(format!("write {}", file.display()), error),
    };
    // As any editor would have it, not as a secret.
    let ours = Permissions::from_mode(0o666);
    let temporary = tempfile::Builder::new().permissions(ours).tempfile_in(folder);
    let mut temporary = temporary.map_err(failed)?;
    temporary.write_all(text.as_bytes()).map_err(failed)?;
    temporary.persist_noclobber(file).map(drop).map_err(|error| failed(error.error))
}

fn schema_file<S: Clone + Send + 'static>(suite: &Suite<S>) -> String {
    format!("{}.schema.json", suite.name())
}

/// The text of the file.
fn starter<S: Clone + Send + 'static>(suite: &Suite<S>, file: &Path) -> String {
    let command = suite.name();
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut text = format!("#:schema ./{}\n", schema_file(suite));
    comment(
        &mut text,
        &format!(
            "A scenario of {command}: who comes when, what they do, and what must come of it. `{command} plan` \
             tells what it will do, `{command} run` does it. The line above is for editors; `{command} schema` \
             prints the schema that it names."
        ),
    );
    text.push('\n');
    comment(&mut text, "Reports and seed files call it this: letters, digits and - _ .");
    key(&mut text, "name", &name_of(&stem).into());
    key(&mut text, "about", &"what it is for, in a line".into());
    let scripts: Vec<Entry> = suite.scripts().map(|(script, _)| script).collect();
    let systems: Vec<Entry> = suite.systems().collect();
    choice(&mut text, "script", "What its users do", &scripts);
    choice(&mut text, "system", "What they do it to", &systems);
    text.push('\n');
    comment(
        &mut text,
        &format!(
            "What must hold. `{command} list` has every metric; a line without its # is judged."
        ),
    );
    text.push_str(
        "thresholds = [\n    \"starts > 0\",\n    # \"completion_rate >= 99%\",\n    # \"response.p95 < 500ms\",\n]\n\n",
    );
    comment(&mut text, "Virtual time after which a run has failed, however it stands.");
    text.push_str("# deadline = \"10m\"\n\n");
    comment(&mut text, "What bends its runs, to find races: `--strategy` has more of them.");
    text.push_str("# strategy = \"random\"\n");
    load(&mut text);
    let schema = suite.schema();
    for table in suite.tables() {
        settings(&mut text, table, &schema["properties"][table]);
    }
    rest(&mut text, suite.tables().next());
    text
}

fn load(text: &mut String) {
    text.push('\n');
    comment(text, "Who comes when. Other kinds, each with keys of its own:");
    for (name, about) in workload::models().filter(|(name, _)| *name != KIND) {
        comment(text, &format!("- {name}: {about}"));
    }
    let _ = write!(
        text,
        "[workload]\nkind = \"{KIND}\"\nusers = 10\nduration = \"30s\"\n# What a user waits after each iteration; also \
         {{ uniform = [\"20ms\", \"80ms\"] }}\n# or {{ exponential = \"50ms\" }}.\npause = \"100ms\"\n"
    );
}

/// The kind that is easiest to read.
const KIND: &str = "constant-users";

/// The suite's own table, each key at its default.
fn settings(text: &mut String, name: &str, schema: &Value) {
    text.push('\n');
    comment(text, schema["description"].as_str().unwrap_or("Settings of this suite."));
    let _ = writeln!(text, "[{name}]");
    let none = serde_json::Map::new();
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, property) in schema["properties"].as_object().unwrap_or(&none) {
        comment(text, property["description"].as_str().unwrap_or_default());
        match (property.get("default"), required.contains(&name.as_str())) {
            (Some(default), _) => key(text, name, default),
            (None, true) => key(text, name, &sample(property)),
            (None, false) => drop(writeln!(text, "# {name} = {}", toml_of(&sample(property)))),
        }
    }
}

/// Something of the right type.
fn sample(schema: &Value) -> Value {
    let of_enum = schema["enum"].as_array().and_then(|values| values.first());
    match (of_enum, schema["type"].as_str()) {
        (Some(first), _) => first.clone(),
        (_, Some("integer" | "number")) => schema.get("minimum").cloned().unwrap_or(1.into()),
        (_, Some("boolean")) => false.into(),
        (_, Some("array")) => Value::Array(Vec::new()),
        (_, Some("object")) => Value::Object(serde_json::Map::new()),
        (_, Some(_)) => "".into(),
        // A time, or a distribution of times.
        (_, None) => "1s".into(),
    }
}

/// What most scenarios do without.
fn rest(text: &mut String, table: Option<&str>) {
    text.push('\n');
    comment(text, "Kinds of users by weight, each with what differs for it in the tables above.");
    text.push_str("# [[mix]]\n# kind = \"most\"\n# weight = 9\n#\n# [[mix]]\n# kind = \"few\"\n# weight = 1\n");
    if let Some(table) = table {
        let _ = writeln!(text, "# {table} = {{ }}");
    }
    text.push('\n');
    comment(
        text,
        "What may strike: panic, stall, abandon, slow or error, at a step of the script. One that never strikes \
         fails the run, unless it is optional.",
    );
    text.push_str(
        "# [[faults]]\n# kind = \"slow\"\n# site = \"turn\"\n# rate = 0.01\n# optional = true\n",
    );
}

fn name_of(stem: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' };
    let name: String = stem.chars().map(safe).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() { "scenario".to_owned() } else { name.to_owned() }
}

fn choice(text: &mut String, name: &str, what: &str, entries: &[Entry]) {
    let Some(first) = entries.first() else { return };
    text.push('\n');
    let others: Vec<&str> = entries[1..].iter().map(|entry| entry.name).collect();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!(" Others: {}.", others.join(", ")),
    };
    comment(text, &format!("{what}: {}.{others}", first.about));
    key(text, name, &first.name.into());
}

fn key(text: &mut String, name: &str, value: &Value) {
    let _ = writeln!(text, "{name} = {}", toml_of(value));
}

/// A value as TOML, in one line.
fn toml_of(value: &Value) -> String {
    toml::Value::try_from(value).map_or_else(|_| "\"\"".to_owned(), |value| value.to_string())
}

fn comment(text: &mut String, words: &str) {
    for line in words.lines().filter(|line| !line.trim().is_empty()) {
        for line in wrap(line, 78) {
            let _ = writeln!(text, "# {line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_file_name_gives_a_name_that_a_scenario_can_have() {
        let names = ["rush hour", "-x", "...", "größe", "a.b"].map(name_of);
        assert_eq!(names, ["rush-hour", "x", "scenario", "gr--e", "a.b"]);
        for name in names {
            crate::scenario::file::check_name(&name).unwrap();
        }
    }
}
