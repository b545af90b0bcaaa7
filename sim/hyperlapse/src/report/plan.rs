//! A plan, for a terminal: what a run will do, before it does it, with a small chart of its load.

use std::fmt::Write as _;
use std::time::Duration;

use super::style::wrap;
use crate::plan::{Plan, PlannedPart};
use crate::suite::Case;
use crate::units::{count, plural, text};
use crate::workload::{Load, Repeat, Rhythm, Wave};

/// How many waves are told one by one.
const WAVES: usize = 12;
/// Size of a chart, in characters.
const COLUMNS: usize = 60;
const ROWS: u64 = 5;
/// More arrivals than this are not drawn one by one.
const DRAWN: u64 = 5_000_000;

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
        let label = if i == 0 { "kinds" } else { "" };
        let name = &kind.name;
        if plan.is_open() {
            push(&mut out, format_args!("  {label:<15}{name}, with a weight of {}", kind.weight));
            continue;
        }
        let users = plan.kind_of_user.iter().filter(|k| **k as usize == i).count() as u64;
        push(&mut out, format_args!("  {label:<15}{} of kind {name}", plural(users, "user")));
    }
    for (number, planned) in plan.parts.iter().enumerate() {
        part(&mut out, &plan, number, planned);
    }
    let ends = match plan.quiet {
        None => format!("when all have left, at the latest at {}", text(plan.deadline)),
        Some(quiet) => {
            format!("when all have left; fails when nothing happens for {}", text(rounded(quiet)))
        }
    };
    prose(&mut out, "ends", &ends);
    for (i, threshold) in scenario.thresholds().iter().enumerate() {
        let label = if i == 0 { "thresholds" } else { "" };
        push(&mut out, format_args!("  {label:<15}{threshold}"));
    }
    out
}

fn part(out: &mut String, plan: &Plan, number: usize, planned: &PlannedPart) {
    match &planned.part.load {
        Load::Closed { waves, rhythm } => {
            // A ramp is drawn; its users are too many to be told.
            let told = waves.iter().any(|wave| wave.told) || waves.len() == 1;
            if told {
                tell_waves(out, planned.part.start, waves, rhythm);
            }
            if waves.len() > 1 && !told || waves.iter().any(|wave| !wave.spread.is_zero()) {
                chart(out, "users", &presence(plan, planned, waves), "at once");
            }
        }
        Load::Open { arrivals, .. } => {
            let lasts = arrivals.lasts();
            let many = arrivals.expected();
            let about = if arrivals.is_random() { "about " } else { "" };
            let told = format!("{about}{} over {}", plural(many, "arrival"), text(rounded(lasts)));
            prose(out, "arrivals", &told);
            if many <= DRAWN {
                let step = step(planned.part.start + lasts);
                let mut drawn = Chart::new(step, planned.part.start + lasts);
                for (arrival, _) in plan.arrivals(number) {
                    drawn.add(planned.part.start + arrival.at, 1);
                }
                chart(out, "", &drawn, &format!("in {}", text(step)));
            }
        }
        Load::Controlled { users, duration, .. } => {
            let users = plural((*users).into(), "user");
            prose(
                out,
                "users",
                &format!("{users} at first, then as the script says, for {}", text(*duration)),
            );
        }
    }
}

/// Whole seconds where a time is long.
fn rounded(time: Duration) -> Duration {
    match time.as_secs() {
        0..60 => Duration::from_millis(time.as_millis() as u64),
        seconds => Duration::from_secs(seconds + u64::from(time.subsec_nanos() >= 500_000_000)),
    }
}

fn tell_waves(out: &mut String, start: Duration, waves: &[Wave], rhythm: &Rhythm) {
    for (i, wave) in waves.iter().take(WAVES).enumerate() {
        let label = if i == 0 { "waves" } else { "" };
        prose(out, label, &describe(start, wave, rhythm));
    }
    if waves.len() > WAVES {
        let more = count((waves.len() - WAVES) as u64);
        push(out, format_args!("  {:<15}and {more} more", ""));
    }
}

fn describe(start: Duration, wave: &Wave, rhythm: &Rhythm) -> String {
    let arriving = match wave.spread.is_zero() {
        true => String::new(),
        false => format!(", arriving over {}", text(wave.spread)),
    };
    let repeat = match wave.repeat {
        Repeat::Times(1) => "one iteration each".to_owned(),
        Repeat::Times(times) => format!("{} each", plural(times, "iteration")),
        Repeat::Shared(total) => format!("sharing {}", plural(total, "iteration")),
        Repeat::For(duration) => format!("for {}", text(duration)),
    };
    let users = plural(wave.users.len() as u64, "user");
    format!(
        "at {:<9} {users}{arriving}, {repeat}{}{}",
        text(start + wave.at),
        rhythm.pause.describe(", pausing "),
        rhythm.pacing.describe(", paced ")
    )
}

/// Values in columns of time, each of one step.
struct Chart {
    step: Duration,
    columns: Vec<u64>,
}

impl Chart {
    fn new(step: Duration, end: Duration) -> Self {
        let columns = end.as_nanos().div_ceil(step.as_nanos()).max(1) as usize;
        Self { step, columns: vec![0; columns] }
    }

    fn add(&mut self, at: Duration, n: u64) {
        let column = (at.as_nanos() / self.step.as_nanos()) as usize;
        let last = self.columns.len() - 1;
        self.columns[column.min(last)] += n;
    }
}

/// A step of a time that people know, such that all of it fits.
fn step(end: Duration) -> Duration {
    const STEPS: &[u64] = &[
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000,
        120_000, 300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000,
        43_200_000, 86_400_000,
    ];
    let fits = |ms: &&u64| end <= Duration::from_millis(**ms) * COLUMNS as u32;
    let ms = STEPS.iter().find(fits).copied();
    ms.map_or_else(|| end / COLUMNS as u32 + Duration::from_millis(1), Duration::from_millis)
}

/// How many users are there in the middle of each column, as far as the load alone decides that.
fn presence(plan: &Plan, planned: &PlannedPart, waves: &[Wave]) -> Chart {
    let start = planned.part.start;
    let lasts = |wave: &Wave| wave.at + wave.lasts().unwrap_or(wave.spread);
    let end = start + waves.iter().map(lasts).max().unwrap_or_default();
    let step = step(end);
    let mut chart = Chart::new(step, end);
    let mut changes = vec![0i64; chart.columns.len() + 1];
    // The first column whose middle is not before it.
    let column = |at: Duration| {
        let doubled = at.as_nanos() * 2;
        let column = (doubled + step.as_nanos()).div_ceil(2 * step.as_nanos()).max(1) - 1;
        (column as usize).min(chart.columns.len())
    };
    for wave in waves {
        for user in wave.users.clone() {
            let from = start + wave.at + plan.offset(planned.first_user + user);
            changes[column(from)] += 1;
            if let Some(lasts) = wave.lasts() {
                changes[column(start + wave.at + lasts)] -= 1;
            }
        }
    }
    let mut present = 0;
    for (value, change) in chart.columns.iter_mut().zip(changes) {
        present += change;
        *value = present.max(0) as u64;
    }
    chart
}

/// Bars of some rows, in eighths of a character.
fn chart(out: &mut String, label: &str, chart: &Chart, what: &str) {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = chart.columns.iter().copied().max().unwrap_or(0);
    if top == 0 {
        return;
    }
    for row in (0..ROWS).rev() {
        let cell = |value: &u64| {
            let eighths =
                (u128::from(*value) * u128::from(ROWS * 8)).div_ceil(u128::from(top)) as u64;
            EIGHTHS[eighths.saturating_sub(row * 8).min(8) as usize]
        };
        let label = if row == ROWS - 1 { label } else { "" };
        let line: String = chart.columns.iter().map(cell).collect();
        push(out, format_args!("{}", format!("  {label:<15}{line}").trim_end()));
    }
    let ends = text(rounded(chart.step * chart.columns.len() as u32));
    let most = format!("at most {} {what}", count(top));
    let width = chart.columns.len();
    // Its end stands under the end of the axis where there is room for both.
    let gap = width.saturating_sub(most.chars().count() + 3).max(1);
    push(out, format_args!("  {:<15}0  {most}{ends:>gap$}", ""));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_times_that_people_know_and_all_of_it_fits() {
        for ms in [1, 59, 60, 61, 1_234, 30_000, 300_000, 86_400_000, 31 * 86_400_000] {
            let end = Duration::from_millis(ms);
            let step = step(end);
            assert!(
                end.as_nanos().div_ceil(step.as_nanos()) <= COLUMNS as u128,
                "{end:?} in {step:?}"
            );
        }
        assert_eq!(step(Duration::from_secs(300)), Duration::from_secs(5));
        assert_eq!(crate::units::nanos(step(Duration::from_secs(86_400))), 1_800_000_000_000);
    }
}
