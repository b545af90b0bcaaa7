//! Every scenario, run at full length, with the report that its user sees.
//!
//! The snapshots are documentation: what each scenario measures, in the words of the report. Heap bytes are
//! those of one build, so here it stands only whether thresholds on them hold.

use hyperlapse::decision::StrategyChoice;
use hyperlapse::report::{self, Detail};
use hyperlapse::{Case, Finished};

const SNAPSHOT: Detail = Detail { memory: false, coloured: false };

fn report_of(case: &Case, finished: &Finished) -> String {
    let load = case.scenario.workload().describe();
    report::run(finished, case.scenario.about(), &load, SNAPSHOT)
}

/// Whether this build can run it: a host that can be broken needs tokio's hooks.
fn can_run(scenario: &hyperlapse::Scenario) -> bool {
    cfg!(tokio_unstable) || scenario.system() != Some("gateway")
}

#[test]
fn every_scenario_holds_and_reports_what_it_measured() {
    let suite = conversation_load::suite();
    for (scenario, _) in suite.scenarios().into_iter().filter(|(s, _)| can_run(s)) {
        let case = suite.case(scenario.name(), None, &[]).unwrap();
        let finished = suite.run(&case, 0);
        // Without tokio's hooks fewer polls are asked about: a bent run is another one.
        if cfg!(tokio_unstable) || *scenario.strategy() == StrategyChoice::None {
            insta::assert_snapshot!(scenario.name(), report_of(&case, &finished));
        }
        assert!(
            finished.verdict.passed(),
            "{} fails: {:?}",
            scenario.name(),
            finished.verdict.failures
        );
        assert!(finished.record.memory.is_some(), "memory is measured");
    }
}

#[test]
fn every_scenario_holds_on_many_seeds() {
    let suite = conversation_load::suite();
    for (scenario, _) in suite.scenarios().into_iter().filter(|(s, _)| can_run(s)) {
        let case = suite.case(scenario.name(), None, &[]).unwrap();
        // Five minutes of load take a while without optimisation, and so does a minute of a database.
        let long = ["sustained", "database-load"].contains(&scenario.name());
        let seeds = if long { 1..4 } else { 1..50 };
        for seed in seeds {
            let finished = suite.run(&case, seed);
            let failures = &finished.verdict.failures;
            assert!(
                failures.is_empty(),
                "{} fails with seed {seed}: {failures:?}",
                scenario.name()
            );
        }
    }
}

#[test]
fn seeds_decide_what_users_do_where_a_scenario_leaves_it_to_chance() {
    let suite = conversation_load::suite();
    let fingerprint = |name: &str, seed| {
        suite.run(&suite.case(name, None, &[]).unwrap(), seed).record.fingerprint
    };
    for by_chance in ["queue", "idle-users", "drain", "panicking-users"] {
        assert_ne!(fingerprint(by_chance, 1), fingerprint(by_chance, 2), "{by_chance}");
    }
    // And where it does not, they do not.
    assert_eq!(fingerprint("global-limit", 1), fingerprint("global-limit", 2));
}

#[test]
fn plans_say_what_a_run_will_do() {
    let suite = conversation_load::suite();
    for name in ["sustained", "bursts", "mixed", "queue"] {
        let case = suite.case(name, None, &["deadline=1h".parse().unwrap()]).unwrap();
        insta::assert_snapshot!(format!("plan-{name}"), report::plan(&case, 7));
    }
}

#[test]
fn plans_draw_every_sort_of_load() {
    let suite = conversation_load::suite();
    let plans = conversation_load::workloads()
        .map(|name| report::plan(&suite.case(name, None, &[]).unwrap(), 7));
    insta::assert_snapshot!(plans.collect::<Vec<_>>().join("\n"));
}

#[test]
fn every_scenario_of_the_table_of_workloads_is_shipped_and_every_kind_has_one() {
    let page = include_str!("../docs/workloads.md");
    let suite = conversation_load::suite();
    let shipped = suite.scenarios();
    let row =
        |line: &str| line.rsplit('|').nth(1).map(|cell| cell.trim().trim_matches('`').to_owned());
    let (tables, keys) = page.split_once("## Keys").unwrap();
    let rows = tables.lines().filter(|line| line.starts_with("| ") && line.ends_with("` |"));
    let named: Vec<String> = rows.filter_map(row).collect();
    assert!(named.len() >= 30, "the tables have rows: {named:?}");
    for name in &named {
        assert!(
            shipped.iter().any(|(scenario, _)| scenario.name() == name),
            "no scenario `{name}`"
        );
    }
    for (kind, _) in hyperlapse::workload_models() {
        assert!(keys.contains(&format!("| `{kind}` |")), "no keys of `{kind}`");
    }
}

#[test]
fn a_longer_load_is_a_setting_away_and_memory_stays_flat() {
    let suite = conversation_load::suite();
    let growth = |duration: &str| {
        let set = format!("duration={duration}").parse().unwrap();
        let finished = suite.run(&suite.case("sustained", None, &[set]).unwrap(), 0);
        assert!(finished.verdict.passed(), "{duration}: {:?}", finished.verdict.failures);
        finished.record.memory.unwrap().growth
    };
    assert_eq!(growth("60s"), growth("20m"), "twenty times the load leaves not a byte more");
}
