//! CSV of the time series of one run: a row for each step of virtual time, a column for each thing that is counted.
//!
//! Whole numbers only, times in nanoseconds, as in the record. Metrics of the scenario's own stand last, as
//! `custom.NAME`, since one may be called as a column is. What a spreadsheet or a notebook takes as it is.

use super::reporter::{Make, Needs, OneRun, Reporter};
use crate::metrics::Series;

/// For spreadsheets.
pub(super) const REPORTER: Reporter = Reporter {
    name: "csv",
    about: "CSV of the time series of one run: a row for each step of virtual time",
    extension: "csv",
    make: Make::EachRun { make: csv, needs: Needs::Nothing },
};

fn csv(run: &OneRun<'_>) -> String {
    let series = &run.finished.record.metrics.series;
    let columns = columns(series);
    let mut writer = ::csv::Writer::from_writer(Vec::new());
    let mut row = |cells: &mut dyn Iterator<Item = String>| {
        writer.write_record(cells).expect("a list of bytes takes what is written");
    };
    let fixed = columns.len() - series.custom.len();
    let names = columns.iter().enumerate().map(|(number, (name, _))| match number < fixed {
        true => (*name).to_owned(),
        false => format!("custom.{name}"),
    });
    row(&mut std::iter::once("at_ns".to_owned()).chain(names));
    let steps = columns.iter().map(|(_, counts)| counts.len()).max().unwrap_or(0);
    for step in 0..steps {
        let at = series.step_ns * step as u64;
        let counts = columns.iter().map(|(_, counts)| counts.get(step).copied().unwrap_or(0));
        row(&mut std::iter::once(at).chain(counts).map(|cell| cell.to_string()));
    }
    let bytes = writer.into_inner().expect("a list of bytes takes what is written");
    String::from_utf8(bytes).expect("names and digits are UTF-8")
}

/// All columns in the order in which they stand. A new one that is left out here does not compile.
fn columns(series: &Series) -> Vec<(&str, &[u64])> {
    let Series {
        step_ns: _,
        requested,
        accepted,
        refused,
        completed,
        failed,
        dropped,
        active,
        waiting,
        users,
        response_p50_ns,
        response_p95_ns,
        response_p99_ns,
        response_max_ns,
        queue_wait_p95_ns,
        faults,
        decisions,
        violations,
        custom,
        response: _,
    } = series;
    let mut columns: Vec<(&str, &[u64])> = vec![
        ("requested", requested),
        ("accepted", accepted),
        ("refused", refused),
        ("completed", completed),
        ("failed", failed),
        ("dropped", dropped),
        ("active", active),
        ("waiting", waiting),
        ("users", users),
        ("response_p50_ns", response_p50_ns),
        ("response_p95_ns", response_p95_ns),
        ("response_p99_ns", response_p99_ns),
        ("response_max_ns", response_max_ns),
        ("queue_wait_p95_ns", queue_wait_p95_ns),
        ("faults", faults),
        ("decisions", decisions),
        ("violations", violations),
    ];
    columns.extend(custom.iter().map(|(name, counts)| (name.as_str(), counts.as_slice())));
    columns
}
