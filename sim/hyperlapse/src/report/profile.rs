//! Where the time of one run went, as tables: virtual time by what users were doing, and what tasks took of the host, by
//! where they were spawned; and what disks and links moved.

use super::io;
use super::reporter::{Make, Needs, OneRun, Reporter};
use super::style::wrap;
use crate::profile::{ResourceProfile, TaskProfile, UserTime};
use crate::units::{count, milli, seconds};

/// For people.
pub(super) const REPORTER: Reporter = Reporter {
    name: "profile",
    about: "where the time of one run goes: users' virtual time, and polls, wakes, allocations and the host's processor \
            time of tasks by where they were spawned; what its disks and its network moved",
    extension: "txt",
    make: Make::EachRun { make: text, needs: Needs::Profile },
};

fn text(run: &OneRun<'_>) -> String {
    let record = &run.finished.record;
    let mut text =
        format!("profile  {} on {}, seed {}\n", record.scenario, record.system, record.seed);
    match &record.profile {
        None => text.push_str("  this run was not profiled\n"),
        Some(profile) => {
            users(&mut text, profile);
            tasks(&mut text, profile);
        }
    }
    io::tables(&mut text, &record.io, record.metrics.duration_ns);
    text
}

/// A row of cells that stand to the right of a name.
pub(super) fn row(text: &mut String, name: &str, widths: &[usize], cells: &[String]) {
    let room = 78 - widths.iter().sum::<usize>();
    // A name that is too long stands above its figures.
    let fits = name.chars().count() <= room;
    let mut line =
        if fits { format!("  {name:<room$}") } else { format!("  {name}\n{:<1$}", "", room + 2) };
    for (cell, width) in cells.iter().zip(widths) {
        // One that is too long moves the others, and runs into none.
        line.push_str(&format!(" {cell:>0$}", width - 1));
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn users(text: &mut String, profile: &ResourceProfile) {
    const WIDTHS: [usize; 5] = [13, 11, 11, 11, 15];
    let headings = ["all", "waiting", "operating", "idle", "held by faults"];
    row(text, "virtual time of users", &WIDTHS, &headings.map(str::to_owned));
    for (kind, of) in &profile.users {
        let UserTime { idle_ns, waiting_ns, operating_ns, held_up_ns } = *of;
        let all = u128::from(idle_ns) + u128::from(waiting_ns) + u128::from(operating_ns);
        let share = |ns: u64| match all {
            0 => "-".to_owned(),
            all => format!("{} %", milli((u128::from(ns) * 100_000 / all) as u64)),
        };
        let whole = seconds(u64::try_from(all).unwrap_or(u64::MAX));
        let cells =
            [whole, share(waiting_ns), share(operating_ns), share(idle_ns), share(held_up_ns)];
        row(text, kind, &WIDTHS, &cells);
    }
    text.push('\n');
}

fn tasks(text: &mut String, profile: &ResourceProfile) {
    if profile.tasks.is_empty() {
        let why = "nothing is known of tasks: tokio tells of them with --cfg tokio_unstable";
        wrap(why, 78).iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        return;
    }
    const WIDTHS: [usize; 5] = [9, 11, 11, 12, 15];
    let headings = ["tasks", "polls", "wakes", "allocations", "host's time"];
    row(text, "tasks, by where spawned", &WIDTHS, &headings.map(str::to_owned));
    // Those that take the most stand first.
    let mut tasks: Vec<(&String, &TaskProfile)> = profile.tasks.iter().collect();
    tasks.sort_by_key(|(_, of)| std::cmp::Reverse(of.polls));
    for (place, of) in tasks {
        let counts = [of.tasks, of.polls, of.wakes, of.allocations].map(count);
        let cells = counts.into_iter().chain([seconds(of.cpu_ns)]);
        row(text, place, &WIDTHS, &cells.collect::<Vec<_>>());
    }
    text.push_str(
        "  allocations are those of this build, the host's time is another one every time\n",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_a_row_for_each_kind_of_user_and_each_place_of_tasks() {
        let time = |idle_ns, waiting_ns, operating_ns, held_up_ns| UserTime {
            idle_ns,
            waiting_ns,
            operating_ns,
            held_up_ns,
        };
        let task = |tasks, polls| TaskProfile {
            tasks,
            polls,
            wakes: polls - tasks,
            allocations: polls * 3,
            cpu_ns: polls * 1_234,
        };
        let profile = ResourceProfile {
            users: [
                ("quick".to_owned(), time(1_000_000_000, 0, 3_000_000_000, 0)),
                ("slow".to_owned(), time(0, 2_500_000_000, 7_500_000_000, 500_000_000)),
                ("absent".to_owned(), time(0, 0, 0, 0)),
            ]
            .into(),
            tasks: [
                ("virtual users".to_owned(), task(20, 123_456)),
                ("src/driver.rs:42:9".to_owned(), task(1, 7)),
                (
                    "some-crate-with-a-name-1.2.3/src/deep/module/file.rs:120:33".to_owned(),
                    task(3, 900),
                ),
            ]
            .into(),
        };
        let mut text = String::new();
        users(&mut text, &profile);
        tasks(&mut text, &profile);
        insta::assert_snapshot!(text);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "it fits a terminal");
    }
}
