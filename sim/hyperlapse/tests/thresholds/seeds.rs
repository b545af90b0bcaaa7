//! Thresholds over seeds: judged over a whole sweep, by nothing but its runs, in whatever order they end.

use std::time::Duration;

use hyperlapse::{
    OverSeeds, Quantity, RunOptions, Scenario, Sim, Standing, Suite, SweepJudgement, Threshold,
    Unit, Verdict, exit,
};
use serde_json::Value;

/// Each user takes as many milliseconds as the seed says; of seed 13 nobody completes.
async fn body(sim: Sim, (): ()) {
    sim.drive(|user| async move {
        let mut operation = user.operation();
        operation.accepted();
        user.sleep(Duration::from_millis(100 + user.sim().seed())).await;
        if user.sim().seed() == 13 {
            operation.failed("unlucky");
        } else {
            operation.completed();
        }
    })
    .await;
}

fn over(threshold: &str, seeds: impl IntoIterator<Item = u64>) -> SweepJudgement {
    let load = hyperlapse::AllAtOnce::users(2);
    let scenario = Scenario::builder("seeds", load).threshold(threshold).build().unwrap();
    let threshold: &Threshold = &scenario.thresholds()[0];
    let mut over = OverSeeds::of(threshold).expect("it is one over seeds");
    for seed in seeds {
        let record =
            hyperlapse::run(&scenario, RunOptions::seed(seed), |sim| async { body(sim, ()).await });
        let verdict = Verdict::of(&record, scenario.thresholds());
        assert!(verdict.passed(), "it fails no run by itself: {:?}", verdict.failures);
        assert_eq!(verdict.thresholds[0].standing, Standing::NotJudged);
        over.add(&record, &verdict.thresholds[0]);
    }
    over.judge()
}

fn ms(ms: i64) -> Option<Quantity> {
    Some(Quantity { numerator: ms * 1_000_000, denominator: 1, unit: Unit::Nanoseconds })
}

#[test]
fn the_worst_the_median_and_a_share_of_the_runs_are_those_of_the_sweep() {
    let worst = over("response.max worst of seeds < 110ms", 0..10);
    assert_eq!((worst.standing, worst.value, worst.seed), (Standing::Near, ms(109), Some(9)));
    let worst = over("response.max worst of seeds < 109ms", 0..10);
    assert_eq!((worst.standing, worst.held, worst.runs), (Standing::Broken, 9, 10));
    let least = over("response.max worst of seeds > 100ms", 0..10);
    assert_eq!((least.standing, least.value, least.seed), (Standing::Broken, ms(100), Some(0)));
    // The lower median, so that it is one that was seen.
    let median = over("response.max median of seeds <= 104ms", 0..10);
    assert_eq!((median.standing, median.value, median.seed), (Standing::Near, ms(104), Some(4)));
    let share = over("response.max < 108ms in 80% of seeds", 0..10);
    assert_eq!((share.standing, share.held, share.seed), (Standing::Held, 8, Some(8)));
    let share = over("response.max < 107ms in 80% of seeds", 0..10);
    assert_eq!((share.standing, share.held, share.seed), (Standing::Broken, 7, Some(7)));
    let all = over("completions == 2 in 100% of seeds", 0..10);
    assert_eq!((all.standing, all.held, all.seed), (Standing::Held, 10, None));
}

#[test]
fn a_run_in_which_nothing_was_measured_is_the_worst() {
    let worst = over("response.max worst of seeds < 1h", 10..15);
    assert_eq!((worst.standing, worst.value, worst.seed), (Standing::Broken, None, Some(13)));
    let median = over("response.max median of seeds < 1h", 10..15);
    assert_eq!((median.standing, median.value), (Standing::Held, ms(112)));
    let share = over("response.max < 1h in 90% of seeds", 10..15);
    assert_eq!((share.standing, share.held), (Standing::Broken, 4));
}

#[test]
fn one_run_is_a_sweep_of_one_and_the_order_of_runs_is_all_the_same() {
    for threshold in [
        "response.max worst of seeds < 108ms",
        "response.max median of seeds < 104ms",
        "response.max < 105ms in 50% of seeds",
        "completions worst of seeds == 2",
    ] {
        let forward = over(threshold, 0..20);
        assert_eq!(forward, over(threshold, (0..20).rev()));
        assert_eq!(forward, over(threshold, (0..20).map(|n| (n * 7) % 20)));
    }
    let one = over("response.max worst of seeds < 100ms", [0]);
    assert_eq!((one.standing, one.runs), (Standing::Broken, 1));
}

fn suite() -> Suite<()> {
    Suite::new("seeds", "0.1.0")
        .system("nothing", "there is nothing to test", |_| ())
        .script("wait", "waits as long as the seed says", &[], body)
        .scenario(
            "wait.toml",
            r#"
            name = "wait"
            script = "wait"
            workload = { kind = "all-at-once", users = 2 }
            thresholds = [
                "response.max worst of seeds < 110ms",
                "response.max median of seeds < 1s",
                "response.max < 105ms in 60% of seeds",
                "starts == 2",
            ]
            "#,
        )
}

fn run(args: &[&str]) -> (u8, String) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args = [&["seeds", "run", "wait"], args, &["--no-shrink", "--out", out]].concat();
    let mut text = Vec::new();
    let code = suite().main_with(args.into_iter().map(Into::into), &mut text);
    let text = String::from_utf8(text).unwrap();
    assert!(std::fs::read_dir(out).unwrap().next().is_none(), "no run failed: {text}");
    // What the host measures, what this build cannot do, and the bytes of this build are of no interest here.
    let silent = ["wall time", "  memory  "];
    let told = |line: &&str| {
        !line.starts_with("note: ") && !silent.iter().any(|silent| line.contains(silent))
    };
    (code, text.lines().filter(told).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_sweep_that_does_not_hold_them_fails_though_no_run_does() {
    let (code, held) = run(&["--seeds", "0..8"]);
    assert_eq!(code, exit::HELD, "{held}");
    let (code, broken) = run(&["--seeds", "2..12"]);
    assert_eq!(code, exit::FAILED, "{broken}");
    let (code, one) = run(&["--seed", "10"]);
    assert_eq!(code, exit::FAILED, "{one}");
    insta::assert_snapshot!(format!("{held}\n\n{broken}\n\n{one}\n"));
}

#[test]
fn the_json_has_what_each_sweep_came_to_and_any_number_of_jobs_comes_to_the_same() {
    let sweeps = |jobs: &str| {
        let (code, text) = run(&["--seeds", "2..12", "--format", "json", "--jobs", jobs]);
        assert_eq!(code, exit::FAILED);
        let report: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(report["runs"].as_array().unwrap().len(), 10);
        report["sweeps"].clone()
    };
    let one = sweeps("1");
    assert_eq!(one, sweeps("3"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&one).unwrap());
}
