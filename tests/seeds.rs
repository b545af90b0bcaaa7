//! Every file in `seeds/` is replayed and comes to what it says.
//!
//! Failures that were put right must not come back; those of the zoo must stay found, by the same events, and
//! be reported in the same words.

use std::path::{Path, PathBuf};

use hyperlapse::report::{self, Detail};
use hyperlapse::{Build, SeedFile, compare_replay};

fn seed_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.sort();
    files
}

#[test]
fn every_kept_seed_file_comes_to_what_it_says() {
    let suite = conversation_load::suite();
    let files = seed_files();
    assert!(!files.is_empty(), "there are seed files to replay");
    for path in files {
        let seed_file = SeedFile::read(&path).unwrap_or_else(|error| panic!("{error}"));
        // What was bent with tokio's hooks cannot be bent again without them.
        if seed_file.strategy != "none" && seed_file.build.tokio_unstable != cfg!(tokio_unstable) {
            continue;
        }
        let case = suite.replay_case(&seed_file).unwrap_or_else(|error| panic!("{error}"));
        let finished = suite.run(&case, seed_file.seed);
        let replayed = compare_replay(&seed_file, &finished);
        let build = Build::of_source(suite.name(), suite.version());
        let explained = replayed.explain(&seed_file, &finished, &build);
        assert!(replayed.as_expected(seed_file.expect), "{}: {explained}", path.display());

        let detail = Detail { memory: false, coloured: false };
        let load = case.scenario.workload().describe();
        let report = report::run(&finished, case.scenario.about(), &load, detail);
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let mut told = format!("{report}\n{explained}");
        if seed_file.strategy == "replay" {
            let same = |f: &&hyperlapse::Failure| f.name == seed_file.failure.name;
            let failure = finished.verdict.failures.iter().find(same).expect("it fails alike");
            let explanation = suite.explain(&case, &finished, failure);
            assert!(!explanation.disturbed, "{}", path.display());
            told = format!("{told}\n{}", report::explanation(&explanation, false));
        }
        // Lines move when a bot is edited.
        let mut settings = insta::Settings::clone_current();
        settings.add_filter(r"\.rs:\d+(:\d+)?", ".rs:[line]");
        settings.bind(|| insta::assert_snapshot!(name, told));
    }
}

#[test]
fn a_failing_run_becomes_a_file_that_replays_it() {
    let suite = conversation_load::suite();
    let set = "manager.max_concurrent=19".parse().unwrap();
    let case = suite.case("concurrent-users", None, &[set]).unwrap();
    let finished = suite.run(&case, 7);
    let build = Build::of_binary(suite.name(), suite.version());
    let written = SeedFile::of(&case, &finished, build.clone()).expect("19 slots are one too few");
    let folder = tempfile::tempdir().unwrap();
    let path = written.write(folder.path(), "conversation-load").unwrap();

    let read = SeedFile::read(&path).unwrap();
    assert_eq!(read, written);
    let replayed_case = suite.replay_case(&read).unwrap();
    let again = suite.run(&replayed_case, read.seed);
    assert_eq!(again.record.fingerprint, finished.record.fingerprint);
    assert_eq!(again.verdict, finished.verdict);
    assert_eq!(compare_replay(&read, &again), hyperlapse::Replayed::Reproduced);
}

#[test]
fn a_replay_by_other_events_says_where_they_part() {
    let suite = conversation_load::suite();
    let case = |set: &[&str]| {
        let set: Vec<_> = set.iter().map(|set| set.parse().unwrap()).collect();
        suite.case("concurrent-users", None, &set).unwrap()
    };
    let build = Build::of_source(suite.name(), suite.version());
    let recorded_case = case(&["manager.max_concurrent=19", "users=5", "conversation.steps=1"]);
    let recorded = suite.run(&recorded_case, 0);
    let seed_file = SeedFile::of(&recorded_case, &recorded, build.clone()).unwrap();
    // The same failure, of a scenario that has changed since: its step takes longer.
    let changed = suite.trace(
        &case(&["manager.max_concurrent=19", "users=5", "conversation.steps=1", "step=60ms"]),
        0,
    );
    let replayed = compare_replay(&seed_file, &changed);
    insta::assert_snapshot!(replayed.explain(&seed_file, &changed, &build));
    assert!(
        !replayed.is_nondeterminism(&seed_file, &changed, &build),
        "the binary is not known to be the same"
    );
}
