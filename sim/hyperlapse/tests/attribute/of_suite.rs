//! A function that gives a suite as a test: what it plays, finds, keeps.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyperlapse::kit::{
    self,
    limiter::{Job, Limiter},
};
use hyperlapse::{NotHeld, Property, Sim, Suite, SuiteTest};
use tokio::sync::Semaphore;

use super::again::{again, files, without_variables};

#[derive(Clone)]
struct Permits(Arc<Semaphore>);

impl Limiter for Permits {
    async fn run(&self, job: Job) -> Result<(), String> {
        let _permit = self.0.acquire().await.map_err(|error| error.to_string())?;
        job.await;
        Ok(())
    }
}

#[hyperlapse::test(seeds = 100)]
fn a_kit() -> Suite<Permits> {
    kit::limiter::suite(|limit| Permits(Arc::new(Semaphore::new(limit))))
}

#[hyperlapse::test(seeds = 5..8, strategy = "none", isolate)]
fn options_of_its_own() -> Suite<Permits> {
    kit::limiter::suite(|limit| {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let before = RUNS.fetch_add(1, Ordering::Relaxed);
        assert_eq!(before, 0, "no run sees what another has left in the process");
        Permits(Arc::new(Semaphore::new(limit)))
    })
}

/// Looks whether there is room, and takes it when somebody else may have.
#[derive(Clone)]
struct Counted(Arc<AtomicUsize>, usize);

impl Limiter for Counted {
    async fn run(&self, job: Job) -> Result<(), String> {
        if self.0.load(Ordering::Relaxed) >= self.1 {
            return Err("busy".to_owned());
        }
        tokio::task::yield_now().await;
        self.0.fetch_add(1, Ordering::Relaxed);
        job.await;
        self.0.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

/// What this test binary runs again with another environment.
#[hyperlapse::test(seeds = 1_000)]
#[ignore = "it fails: others start it"]
fn planted() -> Suite<Counted> {
    kit::limiter::suite(|limit| Counted(Arc::default(), limit))
}

#[test]
fn a_failure_is_kept_apart_told_and_played_first_from_then_on() {
    let out = tempfile::tempdir().unwrap();
    let (held, told) = again("of_suite::planted", out.path(), &[]);
    assert!(!held);
    assert!(told.contains("of_suite::planted fails with seed "), "{told}");
    assert_eq!(files(out.path()), ["hyperlapse.attribute.of_suite.planted"]);
    let folder = out.path().join("hyperlapse.attribute.of_suite.planted");
    let names = files(&folder);
    assert!(names[1].starts_with("of_suite.planted-limiter-limiter-seed-"), "{names:?}");
    assert!(names[0].ends_with("-shrunk.toml"), "{names:?}");
    assert_eq!(names.len(), 2, "the first failure ends it: {names:?}");
    let file = folder.join(&names[0]);
    let line = format!(
        "HYPERLAPSE_REPLAY={} cargo test -p hyperlapse --test attribute -- --exact of_suite::planted",
        file.display()
    );
    assert!(told.contains(&line), "{told}");
    // First of all, although only another seed is asked for.
    let (held, told) =
        again("of_suite::planted", out.path(), &[("HYPERLAPSE_SEEDS", "9000..9001")]);
    assert!(!held);
    let first = format!("of_suite::planted fails by {}", folder.join(&names[0]).display());
    assert!(told.contains(&first), "{told}");
    assert_eq!(files(&folder), names, "a replay writes nothing");
    // By its line.
    let empty = tempfile::tempdir().unwrap();
    let replay = [("HYPERLAPSE_REPLAY", file.to_str().unwrap())];
    let (held, told) = again("of_suite::planted", empty.path(), &replay);
    assert!(!held && told.contains("it has come back"), "{told}");
    // Another test of the same kit, which does not fail by it.
    let (held, told) = again("of_suite::a_kit", empty.path(), &replay);
    assert!(held && told.contains("of_suite::a_kit: 0 seeds and 1 seed file held"), "{told}");
    // One of another scenario is no business of this suite.
    let text =
        fs::read_to_string(&file).unwrap().replace("scenario = \"limiter\"", "scenario = \"pool\"");
    fs::write(&file, text).unwrap();
    let (held, told) = again("of_suite::planted", empty.path(), &replay);
    assert!(!held && told.contains("is of another test: pool on limiter"), "{told}");
}

#[test]
fn what_is_kept_in_the_package_is_played_by_each_test_of_that_kit() {
    let out = tempfile::tempdir().unwrap();
    assert!(!again("of_suite::planted", out.path(), &[]).0);
    let found = out.path().join("hyperlapse.attribute.of_suite.planted");
    let package = tempfile::tempdir().unwrap();
    fs::create_dir(package.path().join("seeds")).unwrap();
    let kept = package.path().join("seeds/two-at-once.toml");
    fs::copy(found.join(&files(&found)[0]), &kept).unwrap();
    let empty = tempfile::tempdir().unwrap();
    let variables =
        [("CARGO_MANIFEST_DIR", package.path().to_str().unwrap()), ("HYPERLAPSE_SEEDS", "1")];
    let (held, told) = again("of_suite::planted", empty.path(), &variables);
    assert!(!held && told.contains(&format!("fails by {}", kept.display())), "{told}");
    let (held, told) = again("of_suite::a_kit", empty.path(), &variables);
    assert!(held && told.contains("of_suite::a_kit: 1 seed and 1 seed file held"), "{told}");
}

#[test]
fn its_options_are_those_that_stand_there() {
    let out = tempfile::tempdir().unwrap();
    let (held, told) = again("of_suite::options_of_its_own", out.path(), &[]);
    assert!(held && told.contains("of_suite::options_of_its_own: 3 seeds held"), "{told}");
    // Without a process for each run it fails; the environment can only ask for one.
    let variables = [("HYPERLAPSE_ISOLATE", "true"), ("HYPERLAPSE_SEEDS", "2")];
    let (held, told) = again("of_suite::a_kit", out.path(), &variables);
    assert!(held && told.contains("of_suite::a_kit: 2 seeds held"), "{told}");
}

const HERE: Property = Property::always("here", "something holds").over_the_sweep();
const SOMEWHERE: Property =
    Property::always("somewhere", "something holds where no run comes by").over_the_sweep();

async fn one_of_two(sim: Sim, (): ()) {
    sim.check(&HERE, true);
    sim.drive(|_| async {}).await;
}

async fn breaks(sim: Sim, (): ()) {
    sim.check(&HERE, false);
    sim.drive(|_| async {}).await;
}

fn scenario(name: &str, script: &str, more: &str) -> String {
    let workload = "workload = { kind = \"all-at-once\", users = 1 }";
    format!("name = \"{name}\"\nscript = \"{script}\"\n{workload}\n{more}\n")
}

fn two_scenarios(properties: &'static [Property]) -> Suite<()> {
    Suite::new("checks", "0.1.0")
        .system("nothing", "nothing", |_| ())
        .system("another", "nothing, too", |_| ())
        .script("checks", "checks one of two", properties, one_of_two)
        .script("breaks", "breaks one", &[HERE], breaks)
        .scenario("one.toml", &scenario("one", "checks", ""))
        .scenario("two.toml", &scenario("two", "checks", ""))
}

/// What this test binary runs again with another environment.
#[hyperlapse::test(seeds = 99)]
fn several() -> Suite<()> {
    let breaks = scenario("three", "breaks", "");
    two_scenarios(&[HERE, SOMEWHERE]).scenario_on_demand("three.toml", &breaks)
}

#[test]
fn every_scenario_of_a_bare_run_is_played_and_the_seed_files_of_all() {
    let out = tempfile::tempdir().unwrap();
    let (held, told) = again("of_suite::several", out.path(), &[]);
    assert!(held && told.contains("of_suite::several: 198 seeds held"), "{told}");
    // A seed file of the third, from a test that sweeps it.
    let breaks = scenario("three", "breaks", "");
    let test = SuiteTest::new("of_suite::other").out(out.path());
    let broken = test.check(two_scenarios(&[HERE]).scenario("three.toml", &breaks)).unwrap_err();
    assert!(broken.to_string().contains("of_suite::other fails with seed 0"));
    let folder = out.path().join(&files(out.path())[0]);
    let file = folder.join(files(&folder).last().unwrap());
    let replay = |path: &std::path::Path| {
        again("of_suite::several", out.path(), &[("HYPERLAPSE_REPLAY", path.to_str().unwrap())])
    };
    let (held, told) = replay(&file);
    assert!(!held && told.contains("of_suite::several fails by "), "{told}");
    // On another system, and of another scenario.
    let text = fs::read_to_string(&file).unwrap();
    let changed = out.path().join("changed.toml");
    fs::write(&changed, text.replace("system = \"nothing\"", "system = \"another\"")).unwrap();
    let (held, told) = replay(&changed);
    assert!(!held && told.contains("is of another test: three on another"), "{told}");
    assert!(told.contains("this one is three on nothing"), "{told}");
    fs::write(&changed, text.replace("scenario = \"three\"", "scenario = \"four\"")).unwrap();
    let (held, told) = replay(&changed);
    assert!(!held && told.contains("this one has one, two, three"), "{told}");
    // Kept in the package it is played, though the scenario is not swept.
    let package = tempfile::tempdir().unwrap();
    fs::create_dir(package.path().join("seeds")).unwrap();
    fs::copy(&file, package.path().join("seeds/third.toml")).unwrap();
    let variables = [("CARGO_MANIFEST_DIR", package.path().to_str().unwrap())];
    let (held, told) = again("of_suite::several", out.path(), &variables);
    assert!(!held && told.contains("third.toml"), "{told}");
}

#[test]
fn what_cannot_be_played_is_said() {
    let test = || SuiteTest::new("checks").seeds(1);
    let told = test().check(Suite::<()>::new("empty", "0.1.0")).unwrap_err().to_string();
    assert!(told.contains("no scenario that a test would play"), "{told}");
    let told = test().strategy("rnd").check(two_scenarios(&[HERE])).unwrap_err().to_string();
    assert!(told.contains("expected one of none, random"), "{told}");
}

#[test]
fn what_all_seeds_together_break_fails_a_test() {
    if without_variables("of_suite::what_all_seeds_together_break_fails_a_test") {
        return;
    }
    let out = tempfile::tempdir().unwrap();
    let test = |seeds| SuiteTest::new("checks").out(out.path()).seeds(0..seeds);
    test(99).check(two_scenarios(&[HERE, SOMEWHERE])).unwrap();
    let never = test(100).check(two_scenarios(&[HERE, SOMEWHERE])).unwrap_err();
    assert!(matches!(never, NotHeld::OverTheSweep { seeds: 100, .. }), "{never}");
    insta::assert_snapshot!(never, @r"
    checks: of one each seed holds, and all 100 together do not
      somewhere: never checked in 100 runs
    ");
    let slow = scenario("slow", "checks", "thresholds = [\"completions worst of seeds > 1\"]");
    let suite = two_scenarios(&[HERE]).scenario("slow.toml", &slow);
    let slow = test(2).check(suite).unwrap_err();
    assert!(matches!(slow, NotHeld::OverTheSweep { seeds: 2, .. }), "{slow}");
}

/// rustdoc compiles no `#[test]`: the attribute's examples stand in this crate, too.
#[test]
fn the_examples_of_the_attribute_are_compiled() {
    let lib = include_str!("../../src/lib.rs");
    let page = lib.split("pub use hyperlapse_macros::test;").next().unwrap();
    let page: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("///")).collect();
    let told: String = page.join("\n").split_whitespace().collect();
    let squeezed = |text: &str| text.split_whitespace().collect::<String>();
    let ours = squeezed(include_str!("accepts.rs")) + &squeezed(include_str!("of_suite.rs"));
    let functions =
        told.split("#[hyperlapse::test(seeds=").skip(1).map(|it| it.split("```").next().unwrap());
    let mut examples = 0;
    for function in functions {
        let function = function.split_once(']').unwrap().1;
        assert!(ours.contains(function), "{function}");
        examples += 1;
    }
    assert_eq!(examples, 2);
}
