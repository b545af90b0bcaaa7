//! A place in the code at which a task stands, from a raw stack to words.

use std::collections::BTreeMap;

use backtrace::{Backtrace, BacktraceSymbol};
use serde::{Deserialize, Serialize};

use crate::decision::Decision;
use crate::world::bend::place as noted;
use crate::world::short_path;

/// Where a task stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The line: `pool/src/lib.rs:120`, of the innermost code that is neither a library's nor the framework's.
    pub line: String,
    /// The function it is in: `pool::Pool::get`; `None` where the build keeps no names.
    pub function: Option<String>,
    /// The module of the library that it waits in there: `tokio::sync::mutex`; `None` where it waits in none.
    pub awaits: Option<String>,
}

/// A decision with what is known of its task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    /// The decision.
    pub decision: Decision,
    /// Where the task stood before.
    pub before: Option<Place>,
    /// Where it stood after the poll that the decision was about.
    pub after: Option<Place>,
    /// How many events there were when the poll was over that it was about.
    pub over: Option<u64>,
    /// Where a task that the system spawned was spawned.
    pub spawned: Option<String>,
    /// The system's state before and after that poll, as the scenario shows it.
    pub state: (Option<String>, Option<String>),
}

/// Where tasks stood in a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// At each decision, in their order.
    pub(crate) decisions: Vec<Located>,
    /// What the system said, in order.
    pub(crate) logs: Vec<noted::Log>,
    /// At the end, those that the world spawned.
    pub(crate) stands: BTreeMap<String, Place>,
}

impl Places {
    /// Finds the names for raw stacks: milliseconds, the first time more.
    pub(crate) fn of(noted: noted::Places) -> Self {
        let located = |located: noted::Located| Located {
            decision: located.decision,
            before: located.before.and_then(resolve),
            after: located.after.and_then(resolve),
            over: located.over,
            spawned: located.spawned,
            state: located.state,
        };
        let stands = noted.stands.into_iter();
        Self {
            logs: noted.logs,
            decisions: noted.decisions.into_iter().map(located).collect(),
            stands: stands
                .filter_map(|(task, stack)| Some((task.to_string(), resolve(stack)?)))
                .collect(),
        }
    }
}

pub(crate) fn resolve(mut stack: Backtrace) -> Option<Place> {
    stack.resolve();
    let mut awaits = None;
    for symbol in stack.frames().iter().flat_map(|frame| frame.symbols()) {
        match origin(symbol) {
            Origin::Framework => {}
            // The last one before the system's own code is what that code called.
            Origin::Library(name) => awaits = Some(name),
            Origin::System { line, function } => return Some(Place { line, function, awaits }),
        }
    }
    None
}

enum Origin {
    /// The standard library, this crate.
    Framework,
    Library(String),
    System {
        line: String,
        function: Option<String>,
    },
}

fn origin(symbol: &BacktraceSymbol) -> Origin {
    let file = symbol.filename().map(|file| file.to_string_lossy().replace('\\', "/"));
    let (Some(file), Some(line)) = (file, symbol.lineno()) else { return Origin::Framework };
    let not_ours = !file.ends_with(".rs") || file.contains("/rustc/") || file.contains("/library/");
    if not_ours || file.contains("hyperlapse/src/") || file.contains("/backtrace-") {
        return Origin::Framework;
    }
    if file.contains("/registry/src/") || file.contains("/git/checkouts/") {
        return Origin::Library(module(&short_path(&file)));
    }
    let function = symbol.name().map(|name| plain(&format!("{name:#}")));
    // Builds that keep lines alone call every async function alike.
    let function = function.filter(|name| name.contains("::"));
    Origin::System { line: format!("{}:{line}", in_crate(&short_path(&file))), function }
}

/// The module of a library's file: `tokio::sync::mutex` of `tokio-1.2.3/src/sync/mutex.rs`.
fn module(file: &str) -> String {
    let (krate, path) = file.split_once("/src/").unwrap_or((file, ""));
    let name = krate.rsplit('/').next().unwrap_or(krate);
    // The version begins at the last dash that a digit follows.
    let mut version = name.char_indices().filter(|(i, c)| {
        *c == '-' && name[i + 1..].starts_with(|next: char| next.is_ascii_digit())
    });
    let name = version.next_back().map_or(name, |(i, _)| &name[..i]).replace('-', "_");
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    match path {
        "" | "lib" => name,
        path => format!("{name}::{}", path.replace('/', "::")),
    }
}

/// Within its crate: what comes before is of one machine. The crate's own folder too, for that of a checkout has the name that
/// somebody gave it; which crate it is stands in the name of the function.
fn in_crate(file: &str) -> &str {
    let root = ["/src/", "/tests/", "/examples/", "/benches/"];
    let at = root.iter().filter_map(|folder| file.rfind(folder)).max();
    at.map_or(file, |at| &file[at + 1..])
}

/// A function's name without its type parameters and closures.
fn plain(name: &str) -> String {
    // `<a::B<T> as c::D>::f` is `a::B::f`.
    let (mut text, mut depth) = (String::new(), 0u32);
    let mut rest = name;
    if let Some(inner) = name.strip_prefix('<') {
        let mut open = 1;
        let end = inner.find(|c| {
            open += i32::from(c == '<') - i32::from(c == '>');
            open == 0
        });
        if let Some(end) = end {
            let of = inner[..end].split(" as ").next().unwrap_or_default();
            text.push_str(&plain(of));
            rest = &inner[end + 1..];
        }
    }
    for c in rest.chars() {
        match c {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            c if depth == 0 => text.push(c),
            _ => {}
        }
    }
    let text = text.replace("::{{closure}}", "").replace("::{closure#0}", "");
    text.replace("::::", "::").trim_end_matches("::").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_functions_lose_what_a_reader_does_not_need() {
        for (name, expected) in [
            ("pool::Pool::get", "pool::Pool::get"),
            ("pool::Pool<T>::get::{{closure}}", "pool::Pool::get"),
            (
                "<zoo::Handmade<M> as bot::Bot>::start::{{closure}}::{{closure}}",
                "zoo::Handmade::start",
            ),
            ("tokio::sync::mutex::Mutex<T>::lock::{{closure}}", "tokio::sync::mutex::Mutex::lock"),
        ] {
            assert_eq!(plain(name), expected);
        }
    }

    #[test]
    fn a_library_is_known_by_its_module() {
        assert_eq!(module("tokio-1.54.1/src/sync/mutex.rs"), "tokio::sync::mutex");
        assert_eq!(module("futures-util-0.3.1/src/lib.rs"), "futures_util");
        assert_eq!(module("async-lock-3.4.0-rc.1/src/rwlock/mod.rs"), "async_lock::rwlock");
    }

    #[test]
    fn a_line_is_told_within_its_crate_wherever_that_lies() {
        assert_eq!(in_crate("/home/x/project/pool/src/a/lib.rs"), "src/a/lib.rs");
        assert_eq!(in_crate("sim/pool/tests/races.rs"), "tests/races.rs");
        assert_eq!(in_crate("main.rs"), "main.rs");
    }
}
