//! A calibration: simulated beside real, for a terminal of 80 columns, and as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::page::{Page, WIDTH};
use super::style::{Style, wrap};
use crate::build_info::Build;
use crate::calibrate::{AGREES_NS, AGREES_PERCENT, Calibration, Figure, FigureUnit, Trusted};
use crate::clock::Clock;
use crate::record::{Host, Record};
use crate::units::{bytes, count, milli, seconds};

/// Timers that are so late at the 99th percentile are those of a host that is busy: a millisecond is tokio's own.
const BUSY_NS: u64 = 5_000_000;

/// Version of the JSON of `calibrate`.
const CALIBRATION_FORMAT: u32 = 1;

/// The report. `about` and `load` are the scenario's.
pub fn calibration(
    of: &Calibration,
    simulated: &Record,
    about: &str,
    load: &str,
    coloured: bool,
) -> String {
    let style = Style { coloured };
    let Record { scenario, system, seed, .. } = simulated;
    let mut page = Page::default();
    let title = format!("calibrate  {scenario} on {system}, seed {seed}");
    page.text = format!("{}\n", style.strong(&title));
    for line in wrap(about, WIDTH - 2).iter().filter(|line| !line.is_empty()) {
        page.text.push_str(&format!("  {line}\n"));
    }
    for (path, value) in &simulated.set {
        page.line("set", &format!("{path} = {value}"));
    }
    page.prose("load", load);
    page.text.push('\n');
    let head = ["simulated", "real", "difference", "", "trusted"].map(str::to_owned);
    row(&mut page, "", &head);
    for figure in &of.figures {
        row(&mut page, &figure.name, &cells(figure, style));
    }
    page.text.push('\n');
    verdict(&mut page, of, simulated, style);
    page.text.push_str("\nWhat the real clock has, and the simulation has not\n");
    reasons(&mut page, of);
    page.text
}

fn row(page: &mut Page, name: &str, [simulated, real, difference, percent, trusted]: &[String; 5]) {
    let line =
        format!("  {name:<17} {simulated:>12} {real:>12} {difference:>12} {percent:>9}  {trusted}");
    page.text.push_str(line.trim_end());
    page.text.push('\n');
}

fn cells(figure: &Figure, style: Style) -> [String; 5] {
    let percent = figure.milli_percent.map(|percent| format!("{} %", signed(percent, milli)));
    [
        shown(figure.unit, figure.simulated),
        shown(figure.unit, figure.real),
        match figure.difference {
            0 => "-".to_owned(),
            difference => plus(difference) + &shown(figure.unit, difference),
        },
        percent.filter(|_| figure.difference != 0).unwrap_or_default(),
        match figure.trusted {
            Trusted::Yes => style.good("yes"),
            Trusted::No => style.bad("NO"),
            Trusted::NotJudged(_) => "--".to_owned(),
        },
    ]
}

fn plus(n: i64) -> String {
    if n > 0 { "+".to_owned() } else { String::new() }
}

fn signed(n: i64, show: fn(u64) -> String) -> String {
    let sign = if n < 0 { "-" } else { "+" };
    format!("{sign}{}", show(n.unsigned_abs()))
}

fn shown(unit: FigureUnit, n: i64) -> String {
    let minus = if n < 0 { "-" } else { "" };
    let n_abs = n.unsigned_abs();
    match unit {
        FigureUnit::Nanoseconds => format!("{minus}{}", fine(n_abs)),
        FigureUnit::Count => format!("{minus}{}", count(n_abs)),
        FigureUnit::MilliPerSecond => format!("{minus}{} /s", milli(n_abs)),
        FigureUnit::Bytes => bytes(n),
    }
}

/// Below ten seconds in milliseconds and hundredths of them: differences are that small.
fn fine(ns: u64) -> String {
    const TEN_SECONDS: u64 = 10_000_000_000;
    if ns >= TEN_SECONDS {
        return seconds(ns);
    }
    let hundredths = (ns + 5_000) / 10_000;
    format!("{}.{:02} ms", count(hundredths / 100), hundredths % 100)
}

/// What can be trusted, what not, and what is not judged.
fn verdict(page: &mut Page, of: &Calibration, simulated: &Record, style: Style) {
    let named = |wanted: Trusted| {
        let these = of.figures.iter().filter(move |figure| figure.trusted == wanted);
        these.map(|figure| figure.name.as_str()).collect::<Vec<_>>()
    };
    let (yes, no) = (named(Trusted::Yes), named(Trusted::No));
    let Record { scenario, system, .. } = simulated;
    let rule =
        format!("within {AGREES_PERCENT} % or {} ms of the real ones", AGREES_NS / 1_000_000);
    if let Some(why) = &of.cut_off {
        let text = format!("nothing can be said of {scenario} on {system}: {why}");
        return page.prose(&style.bad("no"), &text);
    }
    let judged = yes.len() + no.len();
    let text = match no.is_empty() {
        true => format!(
            "the simulation of {scenario} on {system} can be trusted: all {judged} figures that are judged are {rule}"
        ),
        false => format!(
            "the simulation of {scenario} on {system} can be trusted with {} of {judged} figures, which are {rule}",
            yes.len()
        ),
    };
    page.prose("trusted", &text);
    if !no.is_empty() {
        page.prose("not trusted", &no.join(", "));
    }
    let mut told: Vec<&str> = Vec::new();
    for figure in &of.figures {
        if let Trusted::NotJudged(why) = figure.trusted
            && !told.contains(&why)
        {
            told.push(why);
        }
    }
    for (number, why) in told.into_iter().enumerate() {
        page.prose(if number == 0 { "not judged" } else { "" }, why);
    }
}

fn reasons(page: &mut Page, of: &Calibration) {
    let late = of.spent.timers;
    let busy = match late.p99_ns {
        BUSY_NS.. => ". This host had much else to do: on a quiet one they would come nearer",
        _ => "",
    };
    page.prose(
        "timers",
        &format!(
            "came {} late at the median, {} at p99, {} at most: tokio's go by the millisecond and wait for a core; in \
             virtual time they are never late, so that each sleep of a script is up to so much shorter there{busy}",
            fine(late.p50_ns),
            fine(late.p99_ns),
            fine(late.max_ns)
        ),
    );
    let processor = match of.processor_milli() {
        None => "the platform does not tell what the process under test took".to_owned(),
        Some(share) => {
            let busy = match share {
                800.. => {
                    "it was saturated: waiting for a core is in every time, and nothing of it simulated"
                }
                300..800 => "waiting for a core may be in the slowest times",
                _ => "it was not what anybody waited for",
            };
            // Thousandths of all cores as a percentage.
            format!(
                "{} % of {} taken by the process under test; {busy}",
                milli(share * 100),
                crate::units::plural(of.cores, "core")
            )
        }
    };
    page.prose("processor", &processor);
    if of.spent.other_process {
        page.prose(
            "process",
            "the system's own: sockets of the kernel between it and its users, a disk that takes its time to \
             sync, and two processes that share the cores. What a simulation takes for these stands in its scenario",
        );
    }
    page.prose(
        "order",
        "several threads, whose order nobody decides: what happens at one instant in virtual time happens one after \
         the other",
    );
}

#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    build: &'a Build,
    scenario: &'a str,
    system: &'a str,
    seed: u64,
    set: BTreeMap<&'a str, &'a str>,
    trusted: bool,
    #[serde(flatten)]
    calibration: &'a Calibration,
    processor_milli: Option<u64>,
    host: Hosts,
}

/// What the host measured of each run.
#[derive(Serialize)]
struct Hosts {
    simulated: Host,
    real: Host,
}

/// The same for programs: one object.
pub fn calibration_json(
    of: &Calibration,
    simulated: &Record,
    real: &Record,
    build: &Build,
) -> String {
    debug_assert_eq!((simulated.clock, real.clock), (Clock::Virtual, Clock::Real));
    let report = Report {
        format: CALIBRATION_FORMAT,
        build,
        scenario: &simulated.scenario,
        system: &simulated.system,
        seed: simulated.seed,
        set: simulated.set.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect(),
        trusted: of.holds(),
        calibration: of,
        processor_milli: of.processor_milli(),
        host: Hosts { simulated: simulated.host, real: real.host },
    };
    let text = serde_json::to_string_pretty(&report).expect("a calibration is plain data");
    text + "\n"
}
