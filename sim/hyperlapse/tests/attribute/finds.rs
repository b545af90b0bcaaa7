//! A planted race: found on the first run, told, kept, replayed.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use hyperlapse::{NotHeld, Sim, Test};
use tokio::sync::Mutex;

#[cfg(tokio_unstable)]
use super::again::files;
use super::again::without_variables;

/// Looks whether a seat is free, and takes it after it has let somebody else go first: two can take the last one.
#[derive(Default)]
struct Seats {
    taken: AtomicU32,
    log: Mutex<Vec<u32>>,
}

impl Seats {
    async fn take(&self, who: u32) -> bool {
        if self.taken.load(Ordering::Relaxed) >= 1 {
            return false;
        }
        self.log.lock().await.push(who);
        self.taken.fetch_add(1, Ordering::Relaxed);
        true
    }
}

async fn three_want_one_seat(_sim: Sim) {
    let seats = Arc::new(Seats::default());
    let tasks: Vec<_> = (0..3)
        .map(|who| {
            let seats = Arc::clone(&seats);
            tokio::spawn(async move { seats.take(who).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let taken = seats.taken.load(Ordering::Relaxed);
    assert_eq!(taken, 1, "one seat");
}

/// What this test binary runs again with another environment.
#[hyperlapse::test(seeds = 1000)]
#[ignore = "it fails: others start it"]
async fn planted(sim: Sim) {
    three_want_one_seat(sim).await;
}

#[cfg(tokio_unstable)]
fn again(out: &std::path::Path, variables: &[(&str, &str)]) -> (bool, String) {
    super::again::again("finds::planted", out, variables)
}

#[cfg(tokio_unstable)]
#[test]
fn a_race_is_found_shrunk_explained_and_kept_on_the_first_run() {
    let out = tempfile::tempdir().unwrap();
    let (held, told) = again(out.path(), &[]);
    assert!(!held);
    let told = told.replace(&out.path().display().to_string(), "OUT");
    let from = told.find("finds::planted fails").expect("the report is there");
    let to = told.find("note: run with").or(told.find("\nfailures:\n    ")).unwrap();
    insta::with_settings!({ filters => [(r"thread '[^']*' \(\d+\)", "thread [name]"), (r"finds\.rs:\d+:\d+", "finds.rs:[line]")] }, {
        insta::assert_snapshot!(told[from..to].trim_end());
    });
    let names = files(out.path());
    assert!(names[0].starts_with("finds.planted-attribute-seed-"), "{names:?}");
}

#[cfg(tokio_unstable)]
#[test]
fn what_was_found_is_played_first_and_by_its_line_alone() {
    let out = tempfile::tempdir().unwrap();
    again(out.path(), &[]);
    let names = files(out.path());
    // First of all, although only another seed is asked for, one that may hold.
    let (held, told) = again(out.path(), &[("HYPERLAPSE_SEEDS", "1000000..1000001")]);
    assert!(!held);
    let first = format!("finds::planted fails by {}", out.path().join(&names[0]).display());
    assert!(told.contains(&first), "{told}");
    assert!(told.contains("it has come back"), "{told}");
    assert_eq!(files(out.path()), names, "a replay writes nothing");
    // By its line alone.
    let empty = tempfile::tempdir().unwrap();
    let file = out.path().join(&names[0]);
    let (held, told) = again(empty.path(), &[("HYPERLAPSE_REPLAY", file.to_str().unwrap())]);
    assert!(!held);
    assert!(told.contains("it has come back"), "{told}");
    // And not by another test's.
    let text = std::fs::read_to_string(&file).unwrap().replace("finds.planted", "finds.other");
    std::fs::write(&file, text).unwrap();
    let (held, told) = again(empty.path(), &[("HYPERLAPSE_REPLAY", file.to_str().unwrap())]);
    assert!(!held);
    assert!(told.contains("is of another test: finds.other on attribute"), "{told}");
}

#[cfg(tokio_unstable)]
#[test]
fn a_seed_of_the_environment_is_the_only_one() {
    let out = tempfile::tempdir().unwrap();
    let seeds = (0..50).map(|seed: u64| seed.to_string());
    let held: Vec<String> = seeds
        .filter(|seed| {
            again(out.path(), &[("HYPERLAPSE_SEED", seed), ("HYPERLAPSE_NO_SHRINK", "true")]).0
        })
        .collect();
    assert!(!held.is_empty() && held.len() < 50, "some hold and some fail: {held:?}");
    // First in, first out, as tokio does it, never shows it.
    let strategy = [("HYPERLAPSE_STRATEGY", "none"), ("HYPERLAPSE_SEEDS", "2000000..2000500")];
    let empty = tempfile::tempdir().unwrap();
    assert!(again(empty.path(), &strategy).0);
}

#[cfg(tokio_unstable)]
#[test]
fn a_seed_file_that_cannot_be_written_is_told_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file");
    std::fs::write(&file, "kept").unwrap();
    let (held, told) = again(&file, &[]);
    assert!(!held);
    assert!(told.contains("its seed file cannot be written"), "{told}");
    assert!(
        told.contains("scenario = \"finds.planted\"") && told.contains("expect = \"pass\""),
        "{told}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

#[test]
fn what_failed_is_there_for_a_program() {
    if without_variables("finds::what_failed_is_there_for_a_program") {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let seven = |sim: Sim| async move { assert!(sim.seed() < 7, "seed {}", sim.seed()) };
    let not_held =
        Test::new("seven").seeds(100).strategy("none").out(out.path()).check(seven).unwrap_err();
    let NotHeld::Failed(failed) = &not_held else { panic!("{not_held}") };
    assert_eq!(failed.finished.record.seed, 7);
    assert_eq!(failed.finished.verdict.failures[0].message, "world: seed 7");
}

#[test]
fn a_test_that_cannot_be_run_says_why() {
    let body = |_sim: Sim| async {};
    let wrong = [
        Test::new("one").strategy("rnd").check(body),
        Test::new("two").decisions(["yeild"]).check(body),
        Test::new("three").threshold("response.p95 < fast").check(body),
        Test::new("four").workload_text("kind = 'all-at-once', users = 0").check(body),
        Test::new("five").scenario("strategie = 'none'").check(body),
    ];
    let told = wrong.map(|it| it.unwrap_err().to_string()).join("\n\n");
    insta::assert_snapshot!(told);
}

#[test]
fn an_error_fails_as_a_panic_does() {
    if without_variables("finds::an_error_fails_as_a_panic_does") {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let body = |_sim: Sim| async { Err::<(), _>("no luck") };
    let not_held = Test::new("luck").seeds(1).out(out.path()).check(body).unwrap_err();
    assert!(not_held.to_string().contains("with an error: \"no luck\""), "{not_held}");
}

#[test]
fn a_program_ends_with_0_when_it_holds_1_when_it_does_not_and_2_when_it_cannot_be_run() {
    if without_variables(
        "finds::a_program_ends_with_0_when_it_holds_1_when_it_does_not_and_2_when_it_cannot_be_run",
    ) {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let test = |seeds| Test::new("program").seeds(seeds).strategy("none").out(out.path());
    let seven = |sim: Sim| async move { assert!(sim.seed() < 7) };
    assert_eq!(test(0..7).main(seven), ExitCode::SUCCESS);
    assert_eq!(test(0..8).main(seven), ExitCode::FAILURE);
    assert_eq!(test(0..7).threshold("fast").main(seven), ExitCode::from(2));
}

#[test]
fn what_failed_stands_in_one_line_for_should_panic() {
    if without_variables("finds::what_failed_stands_in_one_line_for_should_panic") {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let long = "all have left, nobody holds anything any more, and it is still said to be too busy for one";
    let body = move |sim: Sim| async move { assert!(sim.seed() > 0, "{long}") };
    let test = || Test::new("long").seeds(1).out(out.path()).check(body);
    let (found, replayed) = (test().unwrap_err().to_string(), test().unwrap_err().to_string());
    assert!(found.starts_with("long fails with seed 0\n") && found.contains(long), "{found}");
    assert!(replayed.starts_with("long fails by ") && replayed.contains(long), "{replayed}");
}
