//! What a sweep says beyond its runs: how often each property held, and what must happen in some run of it.

use hyperlapse::{Property, RandomExt, Sim, Suite, exit};

const ALWAYS: Property = Property::always("always", "holds at every check");
const RARE: Property = Property::sometimes("rare", "happens in some runs").over_the_sweep();
const NEVER_SEEN: Property = Property::sometimes("never seen", "happens nowhere").over_the_sweep();

async fn body(sim: Sim, (): ()) {
    sim.check(&ALWAYS, sim.seed() != 30);
    sim.check(&RARE, sim.rng("rare").chance(1, 20));
    sim.drive(|user| async move {
        let _ = user.step("turn", std::time::Duration::ZERO).await;
    })
    .await;
}

async fn stern(sim: Sim, (): ()) {
    sim.check(&NEVER_SEEN, false);
    body(sim, ()).await;
}

fn suite() -> Suite<()> {
    let scenario = |name: &str, script: &str, rate: &str| {
        format!(
            r#"
            name = "{name}"
            script = "{script}"
            workload = {{ kind = "all-at-once", users = 2 }}

            [[faults]]
            kind = "slow"
            site = "turn"
            rate = {rate}
            by = "1ms"
            optional = true
            "#
        )
    };
    Suite::new("sweeps", "0.1.0")
        .system("nothing", "there is nothing to test", |_| ())
        .script("mild", "checks", &[ALWAYS, RARE], body)
        .script("stern", "checks what never is", &[ALWAYS, RARE, NEVER_SEEN], stern)
        .scenario("mild.toml", &scenario("mild", "mild", "0.1"))
        .scenario("stern.toml", &scenario("stern", "stern", "1e-9"))
}

fn run(args: &[&str]) -> (u8, String) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args = [&["sweeps", "run"], args, &["--no-shrink", "--out", out]].concat();
    let mut text = Vec::new();
    let code = suite().main_with(args.into_iter().map(Into::into), &mut text);
    let text = String::from_utf8(text).unwrap().replace(out, "[out]");
    // What the host measures, and what this build cannot do, is of no interest here.
    let told = |line: &&str| !line.contains("wall time") && !line.starts_with("note: ");
    let lines = text.lines().filter(told);
    (code, lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_sweep_counts_how_often_each_property_held_and_where_it_broke_first() {
    let (code, text) = run(&["mild", "--seeds", "0..120"]);
    assert_eq!(code, exit::FAILED, "seed 30 breaks one");
    insta::assert_snapshot!(text);
    let (code, text) = run(&["mild", "--seeds", "31..160"]);
    assert_eq!(code, exit::HELD, "{text}");
}

#[test]
fn what_must_happen_in_some_run_and_never_does_fails_a_long_sweep_and_not_a_short_one() {
    let (code, text) = run(&["stern", "--seeds", "100..200"]);
    assert_eq!(code, exit::FAILED);
    insta::assert_snapshot!(text);
    let (code, text) = run(&["stern", "--seeds", "100..199"]);
    assert_eq!(code, exit::HELD, "{text}");
}
