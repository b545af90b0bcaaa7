//! A plan, for a terminal: what a run will do, before it does it.

use std::fmt::Write as _;

use super::style::wrap;
use crate::plan::Plan;
use crate::suite::Case;
use crate::units::{count, plural, text};
use crate::workload::{Repeat, Wave};

/// How many waves are told one by one.
const WAVES: usize = 12;

/// The plan of a case with a seed.
pub fn plan(case: &Case, seed: u64) -> String {
    let scenario = &case.scenario;
    let plan = Plan::new(scenario, seed);
    let mut out = format!("{}  on {}, seed {seed}\n", scenario.name(), case.system);
    for line in wrap(scenario.about(), 78).iter().filter(|line| !line.is_empty()) {
        push(&mut out, format_args!("  {line}"));
    }
    for set in &case.set {
        push(&mut out, format_args!("  set            {} = {}", set.path, set.value));
    }
    prose(&mut out, "load", &scenario.workload().describe());
    push(&mut out, format_args!("  script         {}", scenario.script()));
    for (i, kind) in scenario.kinds().iter().enumerate() {
        let users = plan.kind_of_user.iter().filter(|k| **k as usize == i).count() as u64;
        let label = if i == 0 { "kinds" } else { "" };
        push(
            &mut out,
            format_args!("  {label:<15}{} of kind {}", plural(users, "user"), kind.name),
        );
    }
    for (i, wave) in plan.waves.iter().take(WAVES).enumerate() {
        let label = if i == 0 { "waves" } else { "" };
        prose(&mut out, label, &describe(wave));
    }
    if plan.waves.len() > WAVES {
        push(
            &mut out,
            format_args!("  {:<15}and {} more", "", count((plan.waves.len() - WAVES) as u64)),
        );
    }
    let ends = match plan.quiet {
        None => format!("when all have left, at the latest at {}", text(plan.deadline)),
        Some(quiet) => {
            format!("when all have left; fails when nothing happens for {}", text(quiet))
        }
    };
    prose(&mut out, "ends", &ends);
    for (i, threshold) in scenario.thresholds().iter().enumerate() {
        let label = if i == 0 { "thresholds" } else { "" };
        push(&mut out, format_args!("  {label:<15}{threshold}"));
    }
    out
}

fn describe(wave: &Wave) -> String {
    let arriving = match wave.spread.is_zero() {
        true => String::new(),
        false => format!(", arriving over {}", text(wave.spread)),
    };
    let repeat = match wave.repeat {
        Repeat::Times(1) => "one iteration each".to_owned(),
        Repeat::Times(times) => format!("{} each", plural(times, "iteration")),
        Repeat::For(duration) => format!("for {}", text(duration)),
    };
    let users = plural(wave.users.len() as u64, "user");
    format!(
        "at {:<9} {users}{arriving}, {repeat}{}",
        text(wave.at),
        wave.pause.describe(", pausing ")
    )
}

/// Words behind a label, broken where a line is full.
fn prose(out: &mut String, label: &str, text: &str) {
    for (i, line) in wrap(text, 63).iter().enumerate() {
        let label = if i == 0 { label } else { "" };
        push(out, format_args!("  {label:<15}{line}"));
    }
}

fn push(out: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(out, "{line}").expect("a string takes any text");
}
