//! A failure is shrunk to what it needs, keeps being the same failure, and is told as a story.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hyperlapse::decision::StrategyChoice;
use hyperlapse::{
    Build, Effort, FailureKind, NotShrunk, Property, RunOptions, SeedFile, Shrunk, Sim, Suite,
    compare_replay, report,
};
use tokio::sync::Mutex;

const NEVER_TWO: Property = Property::always("never two", "one at a time holds the slot");
const COMES_BACK: Property = Property::eventually("comes back", "the slot is free in the end");
const MANY: Property = Property::sometimes("many", "five hold the slot at once");

/// A slot that is checked, then taken, with an await between.
#[derive(Default)]
struct Slot {
    holders: AtomicU32,
    log: Mutex<Vec<u32>>,
}

async fn take_turns(sim: Sim, slot: Arc<Slot>) {
    let (shown, last) = (Arc::clone(&slot), Arc::clone(&slot));
    sim.show_state(move || format!("{} hold it", shown.holders.load(Ordering::Relaxed)));
    sim.drive(move |user| {
        let slot = Arc::clone(&slot);
        async move {
            let mut operation = user.operation();
            if slot.holders.load(Ordering::Relaxed) > 0 {
                return operation.refused("taken");
            }
            slot.log.lock().await.push(user.id());
            let holders = slot.holders.fetch_add(1, Ordering::Relaxed) + 1;
            operation.accepted();
            user.sim().check(&NEVER_TWO, holders < 2);
            user.sleep(Duration::from_millis(7)).await;
            slot.holders.fetch_sub(1, Ordering::Relaxed);
            operation.completed();
        }
    })
    .await;
    sim.check(&COMES_BACK, last.holders.load(Ordering::Relaxed) == 0);
}

async fn never_many(sim: Sim, slot: Arc<Slot>) {
    sim.check(&MANY, false);
    take_turns(sim, slot).await;
}

fn suite() -> Suite<Arc<Slot>> {
    Suite::new("slots", "0.1.0")
        .system("slot", "a slot that is checked, then taken", |_| Arc::default())
        .script("turns", "takes the slot and gives it back", &[NEVER_TWO, COMES_BACK], take_turns)
        .script("many", "never comes to where it should", &[MANY], never_many)
        .scenario("crowd.toml", &scenario("crowd", "turns"))
        .scenario("few.toml", &scenario("few", "many"))
}

fn scenario(name: &str, script: &str) -> String {
    format!(
        r#"
        name = "{name}"
        script = "{script}"
        strategy = "random"
        decisions = ["yield", "postpone", "select"]
        workload = {{ kind = "per-user-iterations", users = 12, iterations = 20, pause = {{ uniform = ["1ms", "30ms"] }} }}
        "#
    )
}

fn first_failing(suite: &Suite<Arc<Slot>>, property: &str) -> (hyperlapse::Case, u64) {
    let case = suite.case("crowd", None, &[]).unwrap();
    let fails = |seed: &u64| {
        let failures = suite.run(&case, *seed).verdict.failures;
        failures.iter().any(|failure| failure.name == property)
    };
    let seed = (0..1_000).find(fails).expect("found in a thousand seeds");
    (case, seed)
}

fn shrink(effort: Effort) -> (Suite<Arc<Slot>>, Shrunk) {
    let suite = suite();
    let (case, seed) = first_failing(&suite, NEVER_TWO.name());
    let shrunk = suite.shrink(&case, RunOptions::seed(seed), None, effort, &mut |_| {}).unwrap();
    (suite, shrunk)
}

#[test]
fn a_race_is_shrunk_to_one_yield_and_two_users_and_told() {
    if cfg!(not(tokio_unstable)) {
        return;
    }
    let (suite, shrunk) = shrink(Effort::default());
    let (_, after) = shrunk.sizes;
    assert!(shrunk.minimal);
    assert_eq!((after.decisions, after.users), (1, 2));
    assert!(after.iterations < 20, "of {}", shrunk.sizes.0.iterations);
    let told = suite.explain(&shrunk.case, &shrunk.finished, &shrunk.failure);
    assert!(!told.disturbed);
    let text = report::explanation(&told, false);
    // Lines move when this file is edited.
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\.rs:\d+", ".rs:[line]");
    settings.bind(|| insta::assert_snapshot!(text));
}

#[test]
fn what_was_shrunk_is_a_seed_file_that_fails_in_the_same_way() {
    let (suite, shrunk) = shrink(Effort::default());
    let build = Build::of_source(suite.name(), suite.version());
    let seed_file = SeedFile::of(&shrunk.case, &shrunk.finished, build).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = seed_file.write(folder.path(), "slots").unwrap();
    let read = SeedFile::read(&path).unwrap();
    assert_eq!(read.strategy, "replay");
    assert!(read.only.is_some());
    let case = suite.replay_case(&read).unwrap();
    let again = suite.run(&case, read.seed);
    assert_eq!(compare_replay(&read, &again), hyperlapse::Replayed::Reproduced);
    // Once more: nothing is left to go.
    let options = RunOptions::seed(read.seed);
    let twice = suite.shrink(&case, options, None, Effort::default(), &mut |_| {}).unwrap();
    assert_eq!(twice.sizes.0, twice.sizes.1);
}

#[test]
fn a_search_that_runs_out_of_effort_goes_on_from_where_it_ended() {
    let whole = shrink(Effort::default()).1;
    let effort = Effort { runs: 150, ..Effort::default() };
    let (suite, mut part) = shrink(effort);
    assert!(!part.minimal);
    let mut searches = 1;
    while !part.minimal {
        let options = RunOptions::seed(part.finished.record.seed);
        part = suite.shrink(&part.case, options, None, effort, &mut |_| {}).unwrap();
        searches += 1;
        assert!(searches < 100, "it comes to an end");
    }
    assert!(searches > 1);
    assert_eq!(part.sizes.1.decisions, whole.sizes.1.decisions);
    assert_eq!(part.sizes.1.users, whole.sizes.1.users);
}

#[test]
fn a_failure_that_speaks_of_how_much_there_was_keeps_its_load() {
    let suite = suite();
    let case = suite.case("few", None, &[]).unwrap();
    let bent = (0..100).find(|seed| suite.run(&case, *seed).record.decisions_total > 0).unwrap();
    let options = RunOptions::seed(bent);
    let failures = suite.run(&case, bent).verdict.failures;
    let never = failures.iter().find(|failure| failure.name == MANY.name());
    let effort = Effort::default();
    let shrunk = suite.shrink(&case, options.clone(), never, effort, &mut |_| {}).unwrap();
    assert_eq!(shrunk.failure.name, MANY.name());
    assert_eq!((shrunk.sizes.1.decisions, shrunk.sizes.1.users), (0, 12));

    let mut plain = case;
    plain.strategy = Some(StrategyChoice::None);
    let nothing = suite.shrink(&plain, options, never, effort, &mut |_| {});
    assert_eq!(nothing.unwrap_err(), NotShrunk::NothingToShrink);
}

#[test]
fn a_fault_that_never_struck_is_not_taken_for_a_system_that_is_not_deterministic() {
    let suite = suite();
    let faults = r#"faults=[{ kind = "panic", site = "nowhere", rate = 1.0 }]"#.parse().unwrap();
    let case = suite.case("few", None, &[faults]).unwrap();
    let failures = suite.run(&case, 0).verdict.failures;
    let never = failures.iter().find(|failure| failure.kind == FailureKind::Fault);
    assert!(never.is_some());
    let outcome = suite.shrink(&case, RunOptions::seed(0), never, Effort::default(), &mut |_| {});
    assert_eq!(outcome.unwrap_err(), NotShrunk::NeverStruck);
}

#[test]
fn a_run_that_passes_cannot_be_shrunk() {
    let suite = suite();
    let case = suite.case("crowd", None, &["workload.users=1".parse().unwrap()]).unwrap();
    let outcome = suite.shrink(&case, RunOptions::seed(0), None, Effort::default(), &mut |_| {});
    assert_eq!(outcome.unwrap_err(), NotShrunk::Passed);
}

#[test]
fn cancelling_at_each_poll_in_turn_finds_the_poll_at_which_a_slot_is_lost() {
    let suite = suite();
    let set = ["workload.users=3".parse().unwrap(), "workload.iterations=2".parse().unwrap()];
    let case = suite.case("crowd", None, &set).unwrap();
    let each = suite.cancel_each(&case, RunOptions::seed(0));
    // Each iteration that gets the slot sleeps once, and is polled once more then: cancelled there it keeps it.
    assert!(each.points >= 2, "{} points", each.points);
    assert_eq!(each.failed, each.points);
    let (replayed, finished) = each.first;
    let StrategyChoice::Replay(schedule) = replayed.strategy() else { panic!("it is a replay") };
    assert_eq!(schedule.decisions.len(), 1);
    assert_eq!(finished.verdict.failures[0].name, COMES_BACK.name());
}
