//! What a comparison says, on runs that are made by hand.

use proptest::prelude::*;

use super::*;
use crate::event::Fingerprint;
use crate::input::Source;
use crate::report::compare as report;
use crate::verdict::{Failure, FailureKind};

fn run(scenario: &str, seed: u64, measured: &[(&str, Measurement)]) -> ComparedRun {
    let text = format!("{scenario} {seed} {measured:?}");
    ComparedRun {
        scenario: scenario.to_owned(),
        system: "manager".to_owned(),
        seed,
        set: BTreeMap::new(),
        fingerprint: Fingerprint(twox_hash::XxHash3_64::oneshot(text.as_bytes())),
        verdict: Word::Pass,
        failures: Vec::new(),
        measured: measured.iter().map(|(name, q)| ((*name).to_owned(), *q)).collect(),
    }
}

fn failing(mut run: ComparedRun, name: &str, message: &str) -> ComparedRun {
    run.verdict = Word::Fail;
    let (kind, name, message) = (FailureKind::Threshold, name.to_owned(), message.to_owned());
    run.failures.push(Failure { kind, name, message });
    run
}

fn side(name: &str, runs: Vec<ComparedRun>) -> Runs {
    Runs::new(name, None, runs).unwrap()
}

fn tolerances(of: &[&str]) -> Tolerances {
    let mut tolerances = Tolerances::default();
    for text in of {
        tolerances.add(text).unwrap();
    }
    tolerances
}

const MS: i64 = 1_000_000;

fn p95(ms: i64) -> (&'static str, Measurement) {
    ("response.p95", Measurement::Ns(ms * MS))
}

/// A sweep whose p95 is these milliseconds, from seed `first` on.
fn sweep(name: &str, first: u64, ms: impl IntoIterator<Item = i64>) -> Runs {
    let runs = ms.into_iter().zip(first..);
    side(name, runs.map(|(ms, seed)| run("queue", seed, &[p95(ms)])).collect())
}

fn standing(base: &Runs, new: &Runs, of: &[&str]) -> Standing {
    Comparison::of(base, new, &tolerances(of)).unwrap().cases[0].metrics[0].standing
}

#[test]
fn one_seed_is_a_difference_and_a_regression_is_beyond_its_tolerance() {
    let of = |ms| sweep("x", 7, [ms]);
    assert_eq!(standing(&of(200), &of(200), &[]), Standing::Same);
    assert_eq!(standing(&of(200), &of(201), &[]), Standing::Worse);
    assert_eq!(standing(&of(200), &of(199), &[]), Standing::Better);
    assert_eq!(standing(&of(200), &of(210), &["response.p95=5%"]), Standing::Worse);
    assert_eq!(standing(&of(200), &of(211), &["response.p95=5%"]), Standing::Regression);
    assert_eq!(standing(&of(200), &of(211), &["response.p95=5% or 11ms"]), Standing::Worse);
    assert_eq!(standing(&of(200), &of(900), &["5%", "response.p95=any"]), Standing::Worse);
    assert_eq!(standing(&of(200), &of(100), &["0%"]), Standing::Better);
}

#[test]
fn seeds_are_compared_with_themselves_and_their_spread_is_no_change() {
    // Each seed is 3 ms slower; the seeds themselves are 200 ms apart.
    let base = sweep("base", 0, (0..20).map(|n| 100 + n * 10));
    let slower = sweep("new", 0, (0..20).map(|n| 103 + n * 10));
    assert_eq!(standing(&base, &slower, &["1ms"]), Standing::Regression);
    // With other seeds nobody can tell.
    let others = sweep("new", 20, (0..20).map(|n| 103 + n * 10));
    assert_eq!(standing(&base, &others, &["1ms"]), Standing::WithinSpread);
    // Some up and some down by much more is none either.
    let mixed = sweep("new", 0, (0..20).map(|n| 100 + n * 10 + if n % 2 == 0 { 50 } else { -40 }));
    assert_eq!(standing(&base, &mixed, &["1ms"]), Standing::WithinSpread);
    // Far enough apart they can, with other seeds too.
    let far = sweep("new", 20, (0..20).map(|n| 250 + n * 10));
    assert_eq!(standing(&base, &far, &["1ms"]), Standing::Regression);
}

#[test]
fn a_baseline_of_fewer_seeds_is_compared_on_those() {
    let base = sweep("base", 0, [100, 110, 120]);
    let new = sweep("new", 0, [100, 110, 120, 900, 900]);
    let of = Comparison::of(&base, &new, &tolerances(&[])).unwrap();
    assert_eq!((of.cases[0].pairs, of.cases[0].same_runs), (Some(3), 3));
    assert!(of.cases[0].is_same());
}

#[test]
fn what_moved_in_few_seeds_is_told_though_the_median_did_not() {
    let refused = |n: i64| ("starts.refused", Measurement::Count(n));
    let of = |name, moved: u64| {
        let value = |seed| i64::from(seed < moved);
        side(name, (0..40).map(|seed| run("queue", seed, &[refused(value(seed))])).collect())
    };
    let compared = Comparison::of(&of("base", 0), &of("new", 9), &tolerances(&["0%"])).unwrap();
    let metric = &compared.cases[0].metrics[0];
    assert_eq!((metric.change, metric.standing), (1, Standing::Regression));
    assert_eq!(standing(&of("base", 0), &of("new", 7), &["0%"]), Standing::WithinSpread);
}

#[test]
fn a_promise_that_breaks_is_a_regression_without_any_tolerance() {
    let of = |seeds: &[u64]| {
        let run = |seed| match seeds.contains(&seed) {
            true => failing(run("queue", seed, &[]), "response.p95 < 200ms", "0.312 s"),
            false => run("queue", seed, &[]),
        };
        side("x", (0..4).map(run).collect())
    };
    let change = |base: &[u64], new: &[u64]| {
        let of = Comparison::of(&of(base), &of(new), &tolerances(&[])).unwrap();
        let failure = of.cases[0].failures[0].clone();
        (failure.worse, failure.better, of.regressed())
    };
    assert_eq!(change(&[], &[2]), (true, false, true));
    assert_eq!(change(&[2], &[]), (false, true, false));
    assert_eq!(change(&[1, 2], &[2, 3]), (false, false, false));
    assert_eq!(change(&[1], &[1, 2]), (true, false, true));
}

#[test]
fn what_is_not_measured_any_more_is_missed_where_it_has_a_tolerance() {
    let base = sweep("base", 0, [100]);
    let new = side("new", vec![run("queue", 0, &[("completions", Measurement::Count(0))])]);
    let with = |of: &[&str]| Comparison::of(&base, &new, &tolerances(of)).unwrap();
    assert!(!with(&[]).regressed());
    assert!(with(&["response.p95=5%"]).regressed());
    assert!(with(&["5%"]).regressed());
    // Nobody is refused for a reason that is not told.
    let refused = ("starts.refused{reason=global limit}", Measurement::Count(3));
    let (none, some) = (side("a", vec![run("queue", 0, &[])]), run("queue", 0, &[refused]));
    let of = Comparison::of(&none, &side("b", vec![some]), &tolerances(&[])).unwrap();
    assert_eq!((of.cases[0].metrics[0].base.median, of.cases[0].metrics[0].change), (0, 3));
}

#[test]
fn memory_and_host_fail_nothing_unless_they_are_named() {
    let of = |peak| side("x", vec![run("queue", 0, &[("memory.peak", Measurement::Bytes(peak))])]);
    assert!(!Comparison::of(&of(100), &of(900), &tolerances(&["5%"])).unwrap().regressed());
    let named = tolerances(&["memory.peak=5%"]);
    assert!(Comparison::of(&of(100), &of(900), &named).unwrap().regressed());
}

#[test]
fn a_scenario_against_another_system_is_compared_when_there_is_one_of_each() {
    let with = |system: &str, set: &[(&str, &str)]| {
        let mut run = run("queue", 0, &[p95(100)]);
        run.system = system.to_owned();
        run.set = set.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        run
    };
    let compared = |base, new| Comparison::of(&side("a", base), &side("b", new), &tolerances(&[]));
    let of = compared(vec![with("manager", &[])], vec![with("rewrite", &[])]).unwrap();
    assert_eq!((of.cases.len(), of.one_sided.len()), (1, 0));
    let two = vec![with("rewrite", &[]), with("rewrite", &[("users", "7")]), with("manager", &[])];
    let of = compared(vec![with("manager", &[])], two).unwrap();
    assert_eq!((of.cases.len(), of.one_sided.len()), (1, 2));
    assert_eq!(of.cases[0].base, of.cases[0].new);
}

#[test]
fn nothing_in_common_is_an_error_and_so_is_a_tolerance_of_nothing() {
    let of = |name: &str, scenario: &str| side(name, vec![run(scenario, 0, &[p95(100)])]);
    let told = |new: &Runs, of_tolerances: &[&str]| {
        let base = of("base.json", "queue");
        Comparison::of(&base, new, &tolerances(of_tolerances)).unwrap_err().to_string()
    };
    let same = of("new.json", "queue");
    insta::assert_snapshot!(
        [
            told(&of("new.json", "bursts"), &[]),
            told(&same, &["response.p96=5%"]),
            told(&same, &["tokens=5%"]),
        ]
        .join("\n\n")
    );
}

/// Enough of everything that reports have a word for.
fn all_kinds() -> (Runs, Runs, Tolerances) {
    let queue = |seed: u64, slower: i64| {
        let n = seed as i64;
        run(
            "queue",
            seed,
            &[
                ("starts", Measurement::Count(300)),
                ("completions", Measurement::Count(300 - slower)),
                ("completion_rate", Measurement::MilliPercent(100_000 - slower * 100)),
                ("throughput", Measurement::MilliPerSecond(190_400 + n * 10)),
                ("response.mean", Measurement::Ns((200 + n) * MS)),
                ("response.p95", Measurement::Ns((279 + n + slower) * MS)),
                ("response.max", Measurement::Ns((300 + n + n % 2 * slower) * MS)),
                ("response{kind=quick, model=small}.p95", Measurement::Ns((50 - slower) * MS)),
                ("tokens", Measurement::Count(1_200 + slower)),
                ("memory.peak", Measurement::Bytes(60_000 + slower * 100)),
                ("host.wall", Measurement::Ns(n * 1_000 + slower * 50)),
            ],
        )
    };
    let one = |scenario: &str, ms, more: &[(&str, Measurement)]| {
        run(
            scenario,
            0,
            &[&[p95(ms), ("starts.refused", Measurement::Count(ms / 100))], more].concat(),
        )
    };
    let gone = ("queue_wait.p95", Measurement::Ns(20 * MS));
    let new = ("start_delay.p95", Measurement::Ns(20 * MS));
    let mut base: Vec<ComparedRun> = (0..12).map(|seed| queue(seed, 0)).collect();
    base.push(failing(one("bursts", 200, &[gone]), "starts.refused == 1", "2"));
    base.push(one("mixed", 100, &[]));
    base.push(one("drain", 100, &[]));
    base.push(one("idle|users", 100, &[]));
    let mut after: Vec<ComparedRun> = (0..12)
        .map(|seed| match seed {
            4..7 => failing(queue(seed, 30), "response.p95 < 300ms", "0.312 s"),
            _ => queue(seed, 30),
        })
        .collect();
    after.push(one("bursts", 110, &[new]));
    after.push(one("mixed", 100, &[]));
    after.push(one("a scenario with <b>markup</b> in its name", 100, &[]));
    let mut other = one("idle|users", 100, &[]);
    other.set.insert("workload.users".to_owned(), "70".to_owned());
    after.push(other);
    let of = tolerances(&["5%", "response.p95=5% or 10ms", "queue_wait.p95=any", "tokens=0%"]);
    (side("base.json", base), side("new.json", after), of)
}

#[test]
fn a_comparison_is_told_in_every_format() {
    let (base, new, tolerances) = all_kinds();
    let of = Comparison::of(&base, &new, &tolerances).unwrap();
    let brief = report::Told::default();
    let all = report::Told { all: true, ..brief };
    let text = report::comparison(&of, brief);
    for line in text.lines().chain(report::comparison(&of, all).lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    insta::assert_snapshot!("comparison", text);
    insta::assert_snapshot!("comparison_all", report::comparison(&of, all));
    insta::assert_snapshot!("comparison_markdown", report::comparison_markdown(&of, brief));
    #[cfg(feature = "cli")]
    insta::assert_snapshot!("comparison_html", body(&report::comparison_html(&of)));
}

fn five_files() -> Vec<Runs> {
    let (base, new, _) = all_kinds();
    let named = |of: &Runs, name: &str| Runs::new(name, None, of.runs().to_vec()).unwrap();
    let without = Runs::new(
        "3",
        None,
        base.runs().iter().filter(|run| run.scenario != "mixed").cloned().collect(),
    );
    vec![
        named(&base, "1"),
        named(&base, "2"),
        without.unwrap(),
        named(&new, "4"),
        named(&new, "5-with-a-name-of-some-length"),
    ]
}

#[test]
fn a_history_is_told_in_every_format() {
    let of = History::of(&five_files(), &tolerances(&["5%"])).unwrap();
    assert!(!of.regressed(), "the newest is what came before it");
    let steps = of.cases.iter().flat_map(|case| &case.metrics).flat_map(|trend| &trend.steps);
    assert!(steps.clone().count() > 3 && steps.clone().all(|step| of.files[step.file] == "4"));
    let told = report::Told::default();
    let text = report::history(&of, told);
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    insta::assert_snapshot!("history", text);
    insta::assert_snapshot!("history_markdown", report::history_markdown(&of, told));
    #[cfg(feature = "cli")]
    insta::assert_snapshot!("history_html", body(&report::history_html(&of)));
    let worse = History::of(&five_files()[..4], &tolerances(&["5%"])).unwrap();
    assert!(worse.regressed());
    insta::assert_snapshot!("history_regressed", report::history(&worse, told));
}

/// Without the style, which is the same in every page.
#[cfg(feature = "cli")]
fn body(page: &str) -> String {
    assert!(!page.contains("<b>markup</b>"), "every word is escaped");
    let addresses = page.matches("://").count();
    assert_eq!(addresses, page.matches("http://www.w3.org/2000/svg").count(), "it asks no network");
    assert!(!page.contains("<script"), "a page has no script");
    let (head, rest) = page.split_once("<style>").unwrap();
    format!("{head}<style>{}", &rest[rest.find("</style>").unwrap()..])
}

#[test]
fn a_baseline_is_read_as_it_was_written() {
    let (base, ..) = all_kinds();
    let build = crate::Build::of_source("x", "1");
    let mut text = baseline::head(&build);
    for (n, run) in base.runs().iter().enumerate() {
        text.push_str(&baseline::run(run, n == 0));
    }
    text.push_str(baseline::TAIL);
    let read = Runs::parse(&Source::new("base.json", text.as_str())).unwrap();
    assert_eq!(read.runs().len(), base.runs().len());
    for (read, run) in read.runs().iter().zip(base.runs()) {
        let mut kept = run.clone();
        kept.measured.retain(|name, _| !is_informational(name));
        assert_eq!(*read, kept);
    }
    assert!(text.lines().all(|line| line.len() < 400), "a change of it can be read");
}

/// Values of every size, and names of every sort.
fn quantities() -> impl Strategy<Value = Measurement> {
    let values = prop_oneof![any::<i64>(), -3i64..3, Just(i64::MAX), Just(i64::MIN)];
    (values, 0..5).prop_map(|(value, unit)| match unit {
        0 => Measurement::Ns(value),
        1 => Measurement::Bytes(value),
        2 => Measurement::Count(value),
        3 => Measurement::MilliPercent(value),
        _ => Measurement::MilliPerSecond(value),
    })
}

fn any_runs() -> impl Strategy<Value = Vec<ComparedRun>> {
    let names =
        ["response.p95", "starts.refused{reason=x}", "tokens", "memory.peak", "{", "}{", ""];
    let measured =
        prop::collection::btree_map(prop::sample::select(names.to_vec()), quantities(), 0..5);
    let runs = (0u64..4, measured, any::<bool>(), "[<|`{}\n a-z]{0,6}");
    prop::collection::vec(runs, 1..8).prop_map(|runs| {
        let mut seen = std::collections::BTreeSet::new();
        let made = runs.into_iter().map(|(seed, measured, fails, message)| {
            let measured: Vec<_> = measured.into_iter().collect();
            let run = run("queue", seed, &measured);
            if fails { failing(run, &message, &message) } else { run }
        });
        made.filter(|run| seen.insert(run.seed)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in the files, and however large the numbers are, there is an answer.
    #[test]
    fn any_two_results_have_a_comparison_in_every_format(base in any_runs(), new in any_runs()) {
        let of_tolerances = tolerances(&["5% or 10ms"]);
        let (base, new) = (side("base", base), side("new", new));
        let of = Comparison::of(&base, &new, &of_tolerances).unwrap();
        for all in [false, true] {
            let told = report::Told { all, coloured: all };
            report::comparison(&of, told);
            report::comparison_markdown(&of, told);
        }
        #[cfg(feature = "cli")]
        report::comparison_html(&of);
        let history = History::of(&[base.clone(), new.clone(), base.clone()], &of_tolerances).unwrap();
        report::history(&history, report::Told::default());
        report::history_markdown(&history, report::Told::default());
        #[cfg(feature = "cli")]
        report::history_html(&history);
        // A result is what it is.
        let same = Comparison::of(&base, &base, &of_tolerances).unwrap();
        prop_assert!(!same.regressed());
        prop_assert!(same.cases.iter().all(CaseComparison::is_same));
        // What is worse one way is better the other.
        let back = Comparison::of(&new, &base, &Tolerances::default()).unwrap();
        for (there, back) in of.cases[0].metrics.iter().zip(&back.cases[0].metrics) {
            prop_assert_eq!(&there.name, &back.name);
            prop_assert_eq!(there.change, -back.change);
        }
    }

    /// A comparison is data: it can be written and read again.
    #[test]
    fn a_comparison_survives_json(base in any_runs(), new in any_runs()) {
        let of = Comparison::of(&side("base", base), &side("new", new), &Tolerances::default()).unwrap();
        let text = serde_json::to_string(&of).unwrap();
        let read: Comparison = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
