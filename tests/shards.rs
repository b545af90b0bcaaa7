//! Shards: a sweep run in parts, each by a process of its own, comes to the same bytes once it is merged; what only
//! the whole can be judged by is judged there; and files that are not the shards of one sweep are refused.

#[path = "cli/command.rs"]
mod command;
#[path = "shards/malformed.rs"]
mod malformed;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The command in a folder.
fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(command::path());
    command.args(args).current_dir(folder).env("COLUMNS", "80").env_remove("NO_COLOR");
    command
}

fn output(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().expect("the command can be started")
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the command prints UTF-8")
}

/// Runs all shards side by side. Gives what each printed.
fn shards(folder: &Path, run: &[&str], of: u32) -> Vec<Output> {
    let start = |number: u32| {
        let shard = format!("{number}/{of}");
        let args = [&["run"], run, &["--jobs", "1", "--shard", &shard]].concat();
        let mut command = command(folder, &args);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().expect("the command can be started")
    };
    let children: Vec<_> = (1..=of).map(start).collect();
    children.into_iter().map(|child| child.wait_with_output().expect("it ends")).collect()
}

const SHARDS: &str = "target/hyperlapse";

/// Every report that there is.
const EVERY: &[&str] =
    &["--report-dir", "all", "--report", "csv=series/", "--report", "hlog=series/"];

/// Those that need no run played again.
const MOST: &[&str] = &[
    "--report=json=all/",
    "--report=text=all/",
    "--report=markdown=all/",
    "--report=junit=all/",
    "--report=html=all/",
    "--report=baseline=all/",
    "--report=hgrm=series/",
];

/// What the host measured stands apart in the JSON, in a part of its own.
fn without_host(json: &str) -> String {
    let mut parts = json.split(",\"host\":{");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once('}').expect("the part of the host ends");
        text.push_str(rest);
    }
    text
}

/// The line that tells how long all of it took.
fn without_wall_time(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(", in ") {
        Some((line, rest)) if rest.ends_with("of wall time") => line,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// All files of the folders of reports, but for those that tell of the host's own time.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for inner in ["all", "series"] {
        for entry in folder.join(inner).read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let is_profile = name.contains("-seed-") && name.ends_with(".txt");
            if is_profile || name.ends_with(".host.svg") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let text = if name.ends_with(".json") { without_host(&text) } else { text };
            files.insert(name, text);
        }
    }
    files
}

/// Holds the merge of so many shards against the sweep in one piece. Gives the exit code and the text of both.
fn merged_is_the_whole(run: &[&str], of: u32, reports: &[&str]) -> (i32, String) {
    let (whole, parts) = (folder(), folder());
    let one = output(whole.path(), &[&["run"], run, reports].concat());
    let code = one.status.code().expect("it ends by itself");
    assert!(code < 2, "{run:?}: {}", text(&one.stderr));

    let told = shards(parts.path(), run, of);
    let codes: Vec<_> = told.iter().map(|shard| shard.status.code().unwrap()).collect();
    assert!(codes.iter().all(|shard| *shard <= code), "{run:?}: {codes:?} and {code}");
    let merged = output(parts.path(), &[&["merge", SHARDS], reports].concat());
    assert_eq!(merged.status.code(), Some(code), "{run:?}: {}", text(&merged.stderr));
    assert_eq!(text(&merged.stderr), "", "{run:?}");

    let printed = without_wall_time(text(&merged.stdout));
    assert_eq!(printed, without_wall_time(text(&one.stdout)), "{run:?}");
    let (whole, parts) = (files(whole.path()), files(parts.path()));
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&parts), names(&whole), "{run:?}");
    assert!(whole.len() >= 7, "{run:?}: only {} reports were compared", whole.len());
    for (name, whole) in whole {
        assert!(parts[&name] == whole, "{run:?}: {name} is another file after merging");
    }
    (code, printed)
}

#[test]
fn eight_shards_merged_are_the_sweep_byte_for_byte() {
    // Seeds that eight does not divide, so that each case begins with another shard.
    let (code, _) =
        merged_is_the_whole(&["bursts", "mixed", "user-limit", "--seeds", "3..16"], 8, EVERY);
    assert_eq!(code, 0);
}

#[test]
fn so_is_a_sweep_with_failures_that_are_shrunk_and_explained() {
    let run = ["bursts", "concurrent-users", "mixed", "--system", "off-by-one", "--seeds", "0..12"];
    let (code, printed) = merged_is_the_whole(&run, 8, EVERY);
    assert_eq!(code, 1);
    assert!(printed.contains("\nshrunk  concurrent-users on off-by-one, seed 0\n"), "{printed}");
    if cfg!(tokio_unstable) {
        // Rare failures: the first seeds are in different shards.
        let (code, printed) =
            merged_is_the_whole(&["storm", "--system", "lost-grant", "--seeds", "0..40"], 8, MOST);
        assert_eq!(code, 1);
        assert!(printed.contains("\nshrunk  storm on lost-grant, seed "), "{printed}");
    }
}

/// What is printed without what it says of a build without tokio's hooks.
fn without_note(printed: impl AsRef<str>) -> String {
    let lines = printed.as_ref().split_inclusive('\n');
    lines.filter(|line| !line.starts_with("note: built without --cfg tokio_unstable")).collect()
}

const OVER_SEEDS: &str = "thresholds=[\
    \"queue_wait.p95 worst of seeds < 170ms\", \
    \"queue_wait.p95 median of seeds < 1s\", \
    \"queue_wait.p95 < 170ms in 99% of seeds\", \
    \"response.p95 < 10s\"]";

#[test]
fn thresholds_over_seeds_are_judged_after_merging_and_not_before() {
    let run = ["queue", "--seeds", "0..24", "--set", OVER_SEEDS];
    let (code, printed) = merged_is_the_whole(&run, 8, MOST);
    assert_eq!(code, 1);
    insta::assert_snapshot!("over-seeds-merged", without_note(printed));

    let folder = folder();
    for shard in shards(folder.path(), &run, 8) {
        assert_eq!(shard.status.code(), Some(0), "{}", text(&shard.stdout));
    }
    let shard = output(folder.path(), &[&["run"], &run[..], &["--shard", "3/8"]].concat());
    insta::assert_snapshot!(
        "over-seeds-shard",
        without_note(without_wall_time(text(&shard.stdout)))
    );
}

#[test]
fn what_must_happen_in_some_run_of_a_sweep_is_judged_after_merging_and_not_before() {
    // One user is refused nothing, and a fault so rare never strikes. Each shard is large enough to judge that, were it
    // the whole.
    let faults = "faults=[{kind = \"panic\", site = \"turn\", rate = 0.0000001, optional = true}]";
    let set = ["--set", "users=1", "--set", "storm.share=1", "--set", faults];
    let run = [&["storm", "--seeds", "0..220"], &set[..]].concat();
    let (code, printed) = merged_is_the_whole(&run, 2, MOST);
    assert_eq!(code, 1);
    assert!(printed.contains("  refused for a reason: never checked in 220 runs\n"), "{printed}");
    assert!(printed.contains("  panic at turn: never struck in "), "{printed}");
    let folder = folder();
    for shard in shards(folder.path(), &run, 2) {
        assert_eq!(shard.status.code(), Some(0), "{}", text(&shard.stdout));
    }
}

#[test]
fn a_storm_is_the_same_in_shards_of_any_number() {
    for of in [1, 3] {
        let (code, _) =
            merged_is_the_whole(&["storm", "storm-drain", "--seeds", "0..104"], of, MOST);
        assert_eq!(code, 0);
    }
}

#[test]
fn more_shards_than_runs_and_one_seed_of_several_scenarios() {
    merged_is_the_whole(&["bursts", "mixed", "user-limit", "--seed", "7"], 8, EVERY);
    merged_is_the_whole(&["bursts", "--seeds", "0..3"], 8, MOST);
}

#[test]
fn what_else_a_sweep_can_be_asked_for_comes_through() {
    merged_is_the_whole(&["mixed", "--seeds", "0..6", "--check-determinism"], 4, MOST);
    merged_is_the_whole(&["mixed", "--seeds", "0..6", "--strategy", "pct", "--isolate"], 4, EVERY);
    let each = ["mixed", "--seeds", "0..4", "--set", "users=4", "--set", "thresholds=[]"];
    merged_is_the_whole(
        &[&each[..], &["--strategy", "cancel-each", "--no-shrink"]].concat(),
        4,
        MOST,
    );
}

#[test]
fn a_scenario_file_is_merged_by_the_text_that_was_run() {
    let scenario = include_str!("../sim/scenarios/scenarios/bursts.toml");
    let (whole, parts) = (folder(), folder());
    for folder in [&whole, &parts] {
        fs::write(
            folder.path().join("my.toml"),
            scenario.replace("name = \"bursts\"", "name = \"mine\""),
        )
        .unwrap();
    }
    let one = output(whole.path(), &["run", "my.toml", "--seeds", "0..5", "--format", "junit"]);
    for shard in shards(parts.path(), &["my.toml", "--seeds", "0..5"], 2) {
        assert_eq!(shard.status.code(), Some(0), "{}", text(&shard.stderr));
    }
    fs::remove_file(parts.path().join("my.toml")).unwrap();
    let merged = output(parts.path(), &["merge", SHARDS, "--format", "junit"]);
    assert_eq!(text(&merged.stdout), text(&one.stdout), "{}", text(&merged.stderr));
}

#[test]
fn shards_say_in_every_report_what_they_are() {
    let folder = folder();
    let reports =
        ["--report", "json=o.json", "--report", "markdown=o.md", "--report", "junit=o.xml"];
    let more = ["--report", "html=o.html", "--shard", "2/3"];
    let args = [&["run", "bursts", "--seeds", "0..9"], &reports[..], &more].concat();
    let shard = output(folder.path(), &args);
    assert_eq!(shard.status.code(), Some(0), "{}", text(&shard.stderr));
    let told = "shard 2/3 of the runs: what is judged over all of them is judged by `merge`";
    assert!(text(&shard.stdout).contains(&format!("\n{told}\n")), "{}", text(&shard.stdout));
    let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("o.json").starts_with("{\"format\":3,\"build\":{"));
    let json: serde_json::Value = serde_json::from_str(&read("o.json")).unwrap();
    assert_eq!(json["shard"], "2/3");
    assert_eq!(json["runs"].as_array().unwrap().len(), 3);
    assert!(read("o.md").contains(&format!("\n\nThis is {told}.\n\n")), "{}", read("o.md"));
    assert!(
        read("o.xml").contains("<property name=\"shard\" value=\"2/3\"/>"),
        "{}",
        read("o.xml")
    );
    assert!(read("o.html").contains("seeds 0..9, in 3 runs, shard 2&#x2f;3</p>"));
    assert!(read("o.html").contains(&format!("<p>Note: {}.</p>", told.replace('/', "&#x2f;"))));
}

#[test]
fn a_machine_says_by_its_variables_which_shard_it_is() {
    let folder = folder();
    for index in 0..2 {
        let mut job = command(folder.path(), &["run", "bursts", "--seeds", "0..4"]);
        // Where the tests themselves run.
        for name in ["CI_NODE_INDEX", "CI_NODE_TOTAL", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL"] {
            job.env_remove(name);
        }
        let job = job.env("HYPERLAPSE_SHARD", "auto").env("HYPERLAPSE_SHARDS", "2");
        let done = job.env("JOB_COMPLETION_INDEX", index.to_string()).output().unwrap();
        assert_eq!(text(&done.stderr), "");
        let told =
            format!("shard {}/2 for `merge`  target/hyperlapse/shard-{0}-of-2.jsonl", index + 1);
        assert!(text(&done.stdout).ends_with(&format!("\n{told}\n")), "{}", text(&done.stdout));
    }
    assert_eq!(output(folder.path(), &["merge", SHARDS]).status.code(), Some(0));
}
