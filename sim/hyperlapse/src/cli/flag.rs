//! `init --tokio-unstable`: the flag by which tokio shows its hooks, in the project's own `.cargo/config.toml`.
//!
//! A dependency cannot pass the flag on. It goes where cargo looks for flags: into `build.rustflags`, and into every
//! `target.*.rustflags` that is there, since those win. What else the file holds stays as it is, comments included.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, Table, TableLike, Value, value};

use super::{Stop, Terminal, exit, output};
use crate::input::{InputError, Source};

const FLAG: &str = "tokio_unstable";

pub(super) fn init(folder: &Path, terminal: &mut Terminal<'_>) -> Result<u8, Stop> {
    let file = folder.join(".cargo/config.toml");
    let legacy = folder.join(".cargo/config");
    if legacy.is_file() {
        let message = format!("{} has the old name of cargo's configuration", legacy.display());
        return Err(InputError::new(message).help("rename it to config.toml").into());
    }
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Stop::Io(format!("read {}", file.display()), error)),
    };
    let shown = file.display();
    let said = match with_flag(&Source::new(shown.to_string(), text.as_str()))? {
        None => format!("{shown} has --cfg {FLAG} already\n"),
        Some(text) => {
            write(&file, &text)?;
            format!(
                "wrote {shown}: from now on tokio is built with --cfg {FLAG},\nso that `select!` is seeded, and tasks that \
                 the system spawns are bent and named\n"
            )
        }
    };
    terminal.print(&said)?;
    if std::env::var_os("RUSTFLAGS").is_some_and(|flags| !flags.to_string_lossy().contains(FLAG)) {
        super::complain(format_args!(
            "note: the variable RUSTFLAGS is set, and cargo takes its flags from there instead"
        ));
    }
    Ok(exit::HELD)
}

fn write(file: &Path, text: &str) -> Result<(), Stop> {
    let failed = |error| Stop::Io(format!("write {}", file.display()), error);
    let folder = file.parent().expect("it is in a folder of its own");
    fs::create_dir_all(folder).map_err(failed)?;
    output::replace(file, text).map_err(failed)
}

/// The text with the flag; `None` where it has it.
fn with_flag(source: &Source) -> Result<Option<String>, InputError> {
    let mut document: DocumentMut =
        source.text.parse().map_err(|error: toml_edit::TomlError| {
            InputError::new(error.message().to_owned()).at(source, error.span().unwrap_or(0..0))
        })?;
    let root = document.as_table_mut();
    let mut changed = false;
    let no_table =
        |name: &str| InputError::new(format!("`{name}` of {} is not a table", source.name));
    if let Some(item) = root.get_mut("target") {
        let Some(targets) = item.as_table_like_mut() else { return Err(no_table("target")) };
        for (name, target) in targets.iter_mut() {
            let of = format!("target.{name}");
            if let Some(target) = target.as_table_like_mut()
                && target.contains_key("rustflags")
            {
                changed |= add(target, source, &of)?;
            }
        }
    }
    let build = root.entry("build").or_insert_with(|| Item::Table(Table::new()));
    let Some(build) = build.as_table_like_mut() else { return Err(no_table("build")) };
    changed |= add(build, source, "build")?;
    Ok(changed.then(|| document.to_string()))
}

/// Adds the flag to the `rustflags` of a table; whether it was not there.
fn add(table: &mut dyn TableLike, source: &Source, of: &str) -> Result<bool, InputError> {
    let flags = table.entry("rustflags").or_insert_with(|| value(Array::new()));
    let has = |flag: &str| flag.contains(FLAG);
    match flags.as_value_mut() {
        Some(Value::Array(flags)) => {
            if flags.iter().filter_map(Value::as_str).any(has) {
                return Ok(false);
            }
            flags.push("--cfg");
            flags.push(FLAG);
            Ok(true)
        }
        Some(Value::String(text)) => {
            if has(text.value()) {
                return Ok(false);
            }
            let with = format!("{} --cfg {FLAG}", text.value());
            *flags = value(with.trim_start());
            Ok(true)
        }
        _ => {
            Err(InputError::new(format!("`{of}.rustflags` of {} is no list of flags", source.name)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> Option<String> {
        with_flag(&Source::new("config.toml", text)).unwrap()
    }

    #[test]
    fn the_flag_is_added_beside_whatever_is_there_and_once() {
        let texts = [
            "",
            "# ours\n[alias]\nt = \"test\" # short\n",
            "[build]\njobs = 2\nrustflags = [\"-C\", \"target-cpu=native\"]\n",
            "build.rustflags = \"-Dwarnings\"\n",
            "[target.x86_64-unknown-linux-gnu]\nlinker = \"clang\"\nrustflags = [\"-Clink-arg=-fuse-ld=lld\"]\n",
        ];
        let mut told = String::new();
        for text in texts {
            let changed = with(text).unwrap();
            assert_eq!(with(&changed), None, "it is there already");
            told.push_str(&format!("{text}-- becomes\n{changed}\n"));
        }
        insta::assert_snapshot!(told);
    }

    #[test]
    fn what_cannot_be_read_is_left_alone_and_named() {
        let wrong = ["[build", "build = 5\n", "[build]\nrustflags = 7\n", "target = 1\n"];
        let told =
            wrong.map(|text| with_flag(&Source::new("config.toml", text)).unwrap_err().to_string());
        insta::assert_snapshot!(told.join("\n\n"));
    }
}
