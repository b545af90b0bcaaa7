//! `list`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Stop, Terminal, exit};
use crate::suite::Suite;
use crate::threshold;
use crate::workload;

pub(super) fn list<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Stop> {
    let mut out = String::new();
    let scenarios = suite.scenarios();
    let of = |by_default: bool| {
        let chosen = scenarios.iter().filter(move |(_, default)| *default == by_default);
        chosen.map(|(scenario, _)| (scenario.name(), scenario.about()))
    };
    section(&mut out, "Scenarios", of(true));
    section(&mut out, "Scenarios that are run when they are named", of(false));
    section(&mut out, "Systems", suite.systems().map(|entry| (entry.name, entry.about)));
    section(&mut out, "Scripts", suite.scripts().map(|(entry, _)| (entry.name, entry.about)));
    // Scripts may share a property; it is listed once.
    let properties: BTreeMap<&str, &str> = suite
        .scripts()
        .flat_map(|(_, properties)| properties.iter().map(|p| (p.name(), p.about())))
        .collect();
    section(&mut out, "Properties", properties.into_iter());
    section(&mut out, "Workloads", workload::models());
    section(&mut out, "Metrics for thresholds", threshold::catalogue());
    section(&mut out, "Forms of thresholds", threshold::grammar());
    to_go_on(&mut out, suite.name(), scenarios.first().map_or("FILE", |(one, _)| one.name()));
    terminal.print(out.trim_start())?;
    Ok(exit::HELD)
}

/// What to type next.
fn to_go_on(out: &mut String, command: &str, scenario: &str) {
    let next = [
        (format!("{command} plan {scenario}"), "what a run of it will do"),
        (format!("{command} run {scenario}"), "a run of it"),
        (format!("{command} run {scenario} --seeds 0..1000"), "a sweep over seeds"),
        (format!("{command} init my-own.toml"), "a commented scenario file to begin with"),
        (format!("{command} schema"), "a JSON Schema of scenario files, for editors"),
    ];
    section(out, "To go on", next.iter().map(|(command, about)| (command.as_str(), *about)));
}

fn section<'a>(out: &mut String, title: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    let entries: Vec<(&str, &str)> = entries.collect();
    if entries.is_empty() {
        return;
    }
    writeln!(out, "\n{title}").expect("a string takes any text");
    let longest = entries.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let width = (longest + 2).clamp(24, 40);
    for (name, about) in entries {
        let mut lines = crate::report::wrap(about, 78 - width);
        if name.chars().count() + 2 > width {
            lines.insert(0, String::new());
        }
        for (i, line) in lines.iter().enumerate() {
            let name = if i == 0 { name } else { "" };
            let line = format!("  {name:<width$}{line}");
            writeln!(out, "{}", line.trim_end()).expect("a string takes any text");
        }
    }
}
