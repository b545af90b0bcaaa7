//! Where the time of one run went, as flame graphs: users' virtual time by kind and by what they were doing, which is the
//! same for the same seed; and the host's processor time by where tasks were spawned, which is not.

use inferno::flamegraph::{self, Options};

use super::reporter::{Make, Needs, OneRun, Reporter};
use crate::profile::{ResourceProfile, UserTime};

/// Virtual time.
pub(super) const OF_USERS: Reporter = Reporter {
    name: "flame",
    about: "flame graph (SVG) of one run: users' virtual time, by kind and by what they were doing",
    extension: "svg",
    make: Make::EachRun { make: of_users, needs: Needs::Profile },
};

/// The host's time.
pub(super) const OF_TASKS: Reporter = Reporter {
    name: "flame-host",
    about: "flame graph (SVG) of one run: the host's processor time, by where tasks were spawned",
    extension: "host.svg",
    make: Make::EachRun { make: of_tasks, needs: Needs::Profile },
};

fn of_users(run: &OneRun<'_>) -> String {
    graph(run, "virtual time of users", user_stacks)
}

fn of_tasks(run: &OneRun<'_>) -> String {
    graph(run, "the host's processor time", task_stacks)
}

/// A stack and what it took, in microseconds.
type Stack = (Vec<String>, u64);

fn graph(run: &OneRun<'_>, of: &str, stacks: fn(&ResourceProfile) -> Vec<Stack>) -> String {
    let record = &run.finished.record;
    let stacks = record.profile.as_ref().map_or_else(Vec::new, stacks);
    let mut lines: Vec<String> = stacks
        .into_iter()
        .filter(|(_, us)| *us > 0)
        // Semicolons part the frames of a stack.
        .map(|(frames, us)| {
            let frames: Vec<String> = frames.iter().map(|frame| frame.replace(';', ",")).collect();
            format!("{} {us}", frames.join(";"))
        })
        .collect();
    if lines.is_empty() {
        lines.push("nothing took any time 1".to_owned());
    }
    lines.sort_unstable();
    let mut options = Options::default();
    options.title = format!("{} on {}, seed {}", record.scenario, record.system, record.seed);
    options.subtitle = Some(of.to_owned());
    options.count_name = "us".to_owned();
    // Colours by name: the same graph is the same bytes.
    options.hash = true;
    options.pretty_xml = true;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .expect("stacks that were made here are stacks");
    String::from_utf8(svg).expect("SVG is text")
}

fn user_stacks(profile: &ResourceProfile) -> Vec<Stack> {
    let of_kind = |(kind, of): (&String, &UserTime)| {
        let UserTime { idle_ns, waiting_ns, operating_ns, held_up_ns } = *of;
        // Faults mostly strike in operations, and are drawn there.
        let held_up_ns = held_up_ns.min(operating_ns);
        let stack = |frames: &[&str], ns: u64| {
            let frames = std::iter::once(kind.as_str()).chain(frames.iter().copied());
            (frames.map(str::to_owned).collect::<Vec<_>>(), ns / 1_000)
        };
        [
            stack(&["between operations"], idle_ns),
            stack(&["waiting to be accepted"], waiting_ns),
            stack(&["in operations"], operating_ns - held_up_ns),
            stack(&["in operations", "held up by faults"], held_up_ns),
        ]
    };
    profile.users.iter().flat_map(of_kind).collect()
}

fn task_stacks(profile: &ResourceProfile) -> Vec<Stack> {
    let of_place = |place: &str| -> Vec<String> {
        // `crate/src/file.rs:42:9`: the file, and the line in it.
        match place.split_once(".rs:") {
            Some((file, line)) => {
                vec!["tasks of the system".to_owned(), format!("{file}.rs"), format!("line {line}")]
            }
            None => vec!["the simulation".to_owned(), place.to_owned()],
        }
    };
    profile.tasks.iter().map(|(place, of)| (of_place(place), of.cpu_ns / 1_000)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::TaskProfile;

    #[test]
    fn stacks_add_up_to_all_time_and_name_files_before_lines() {
        let time = UserTime {
            idle_ns: 1_000_000,
            waiting_ns: 2_000_000,
            operating_ns: 7_000_000,
            held_up_ns: 3_000_000,
        };
        let task = TaskProfile { cpu_ns: 5_000, ..TaskProfile::default() };
        let profile = ResourceProfile {
            users: [("quick".to_owned(), time)].into(),
            tasks: [("virtual users".to_owned(), task), ("a/src/b.rs:4:2".to_owned(), task)].into(),
        };
        let users = user_stacks(&profile);
        assert_eq!(users.iter().map(|(_, us)| us).sum::<u64>(), 10_000);
        assert_eq!(
            users[3],
            (vec!["quick".into(), "in operations".into(), "held up by faults".into()], 3_000)
        );
        let expected = ["tasks of the system", "a/src/b.rs", "line 4:2"].map(str::to_owned);
        assert_eq!(task_stacks(&profile)[0], (expected.to_vec(), 5));
    }
}
