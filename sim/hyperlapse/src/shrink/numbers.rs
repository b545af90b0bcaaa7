//! The numbers of a scenario, and rounder, smaller ones to try in their place.

use std::time::Duration;

use toml::Value;

use crate::units;

/// What says nothing of the load or the system: names, what is judged, when a run is given up.
const NOT_NUMBERS: &[&str] = &[
    "name",
    "about",
    "script",
    "system",
    "operation",
    "strategy",
    "decisions",
    "thresholds",
    "faults",
    "deadline",
    "series_step",
];

/// A number in the text of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    /// Its whole path, as `--set` takes it.
    pub(super) path: String,
    /// What it is.
    value: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer(u64),
    Milliseconds(u64),
}

/// Every number of a scenario in the order of its paths: integers and times. None of what is `promised`.
pub(super) fn numbers(text: &str, promised: &[&str]) -> Vec<Number> {
    let Ok(root) = text.parse::<toml::Table>() else { return Vec::new() };
    let mut found = Vec::new();
    for (key, value) in &root {
        if !NOT_NUMBERS.contains(&key.as_str()) && !promised.contains(&key.as_str()) {
            collect(key, value, &mut found);
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn collect(path: &str, value: &Value, found: &mut Vec<Number>) {
    let mut add = |value| found.push(Number { path: path.to_owned(), value });
    match value {
        Value::Integer(n) => {
            if let Ok(n) = u64::try_from(*n) {
                add(Kind::Integer(n));
            }
        }
        Value::String(text) => {
            if let Ok(time) = units::duration::parse(text) {
                add(Kind::Milliseconds(time.as_millis() as u64));
            }
        }
        Value::Array(entries) => {
            for (i, entry) in entries.iter().enumerate() {
                collect(&format!("{path}.{i}"), entry, found);
            }
        }
        Value::Table(entries) => {
            for (key, entry) in entries {
                collect(&format!("{path}.{key}"), entry, found);
            }
        }
        _ => {}
    }
}

impl Number {
    /// Smaller values in the text of `--set`, the smallest first: 0, then the series of 1, 2 and 5.
    pub(super) fn smaller(&self) -> Vec<String> {
        let (Kind::Integer(now) | Kind::Milliseconds(now)) = self.value;
        let text = |n: u64| match self.value {
            Kind::Integer(_) => n.to_string(),
            Kind::Milliseconds(_) => units::text(Duration::from_millis(n)),
        };
        [0].into_iter().chain(series(now)).filter(|n| *n < now).map(text).collect()
    }
}

/// 1, 2, 3, 5, 10, 20, 30, 50, … up to `most`.
fn series(most: u64) -> impl Iterator<Item = u64> {
    let decades = (0..19).map(|exponent| 10u64.pow(exponent)).take_while(move |d| *d <= most);
    decades.flat_map(|decade| [1, 2, 3, 5].map(|digit| decade.saturating_mul(digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_wherever_they_stand_and_get_smaller_and_rounder() {
        let text = r#"
            name = "7"
            deadline = "2s"
            thresholds = ["starts > 0"]
            [workload]
            users = 47
            pause = { uniform = ["0ms", "15ms"] }
            [[mix]]
            kind = "slow"
            weight = 3
            [manager]
            idle = "1m 30s"
            [promised]
            within = "3s"
        "#;
        let found = numbers(text, &["promised"]);
        let table: Vec<String> = found
            .iter()
            .map(|number| format!("{}: {}", number.path, number.smaller().join(" ")))
            .collect();
        insta::assert_snapshot!(table.join("\n"), @"
        manager.idle: 0s 1ms 2ms 3ms 5ms 10ms 20ms 30ms 50ms 100ms 200ms 300ms 500ms 1s 2s 3s 5s 10s 20s 30s 50s
        mix.0.weight: 0 1 2
        workload.pause.uniform.0: 
        workload.pause.uniform.1: 0s 1ms 2ms 3ms 5ms 10ms
        workload.users: 0 1 2 3 5 10 20 30
        ");
    }
}
