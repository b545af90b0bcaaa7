//! Breaking points of the manager: where they are known beforehand, where they are not, and from wherever the search
//! begins.

use hyperlapse::{Limit, LimitOptions, SeedFile, report};

fn options() -> LimitOptions {
    LimitOptions::default()
}

fn from(load: &str) -> LimitOptions {
    LimitOptions { from: Some(load.to_owned()), ..options() }
}

fn limit(scenario: &str, set: &[&str], options: &LimitOptions) -> Limit {
    let suite = conversation_load::suite();
    let set: Vec<_> = set.iter().map(|set| set.parse().unwrap()).collect();
    let case = suite.case(scenario, None, &set).unwrap();
    suite.limit(&case, options).unwrap_or_else(|error| panic!("{error}"))
}

/// The last load that holds, and the next one.
fn point(limit: &Limit) -> [&str; 2] {
    [&limit.holds, &limit.breaks].map(|load| load.as_ref().map_or("none", |load| &load.text))
}

#[test]
fn twenty_slots_hold_twenty_users_from_wherever_the_search_begins() {
    for start in ["1", "5", "20", "21", "64", "1000"] {
        let limit = limit("breaking-point", &[], &from(start));
        assert_eq!(point(&limit), ["20", "21"], "from {start}");
        let broken: Vec<_> =
            limit.broken().iter().map(|b| (&*b.failure.name, &*b.failure.message)).collect();
        assert_eq!(broken, [("starts.refused == 0", "10")], "from {start}");
        for seed in &limit.of_seeds {
            assert_eq!(seed.holds, limit.holds, "seed {}", seed.seed);
        }
    }
}

#[test]
fn so_many_slots_hold_so_many_users() {
    for slots in ["1", "2", "13", "37"] {
        let limit =
            limit("breaking-point", &[&format!("manager.max_concurrent={slots}")], &options());
        assert_eq!(point(&limit)[0], slots);
    }
}

#[test]
fn waits_that_no_formula_knows_are_found_at_the_same_point_from_three_starts() {
    let limits = ["2", "40", "500"].map(|start| limit("queue-limit", &[], &from(start)));
    for limit in &limits {
        assert_eq!(point(limit), point(&limits[0]));
        assert_eq!(limit.broken(), limits[0].broken());
        assert_eq!(limit.of_seeds, limits[0].of_seeds);
        assert!(limit.breaks_below.is_empty() && limit.holds_above.is_empty());
    }
    // The joint point is the least of those of the seeds, and they differ.
    let (least, most) = limits[0].interval().unwrap();
    assert_eq!(limits[0].holds.as_ref(), Some(least));
    assert!(least.value < most.value);
    assert_eq!(limits[0].broken()[0].failure.name, "queue_wait.p95 < 500ms");
}

#[test]
fn a_time_is_found_to_its_tolerance_from_three_starts() {
    let vary = |start: &str, tolerance: Option<&str>| LimitOptions {
        vary: Some("conversation.step".to_owned()),
        tolerance: tolerance.map(str::to_owned),
        ..from(start)
    };
    // Two turns of so long each must stay below 5 s.
    for start in ["1ms", "200ms", "1m"] {
        let to_a_percent = limit("breaking-point", &[], &vary(start, None));
        assert_eq!(point(&to_a_percent), ["2s 480ms", "2s 500ms"], "from {start}");
        let exact = limit("breaking-point", &[], &vary(start, Some("1ms")));
        assert_eq!(point(&exact), ["2s 499ms", "2s 500ms"], "from {start}");
    }
}

#[test]
fn the_rate_of_an_open_model_is_found_where_its_users_are_all_busy() {
    // Eight users of 100 ms each make eighty a second, and not one more.
    for start in ["1/s", "50/s", "3000/m", "2000/s"] {
        let options = LimitOptions { tolerance: Some("1/s".to_owned()), ..from(start) };
        let limit = limit("constant-arrival-rate", &[], &options);
        assert_eq!(limit.setting, "workload.rate");
        assert_eq!(point(&limit), ["80/s", "81/s"], "from {start}");
        assert_eq!(limit.broken()[0].failure.name, "dropped == 0");
    }
}

#[test]
fn the_rate_of_arrivals_at_random_is_the_same_point_from_three_starts() {
    // Where chance makes crowds, no seed holds what a steady rate holds, and each has a point of its own.
    let limits = ["1/s", "20/s", "400/s"].map(|start| {
        let options = LimitOptions { tolerance: Some("1/s".to_owned()), ..from(start) };
        limit("poisson-arrivals", &[], &options)
    });
    for limit in &limits {
        assert_eq!(point(limit), point(&limits[0]));
        assert_eq!(limit.of_seeds, limits[0].of_seeds);
        assert!(limit.holds.is_some() && limit.breaks.is_some());
    }
}

#[test]
fn a_setting_is_lowered_to_the_least_that_holds() {
    let options =
        LimitOptions { vary: Some("manager.max_concurrent".to_owned()), lower: true, ..options() };
    for users in [5, 17] {
        let limit = limit("breaking-point", &[&format!("users={users}")], &options);
        assert_eq!(limit.holds.unwrap().value, users);
        assert_eq!(limit.breaks.unwrap().value, users - 1);
    }
}

#[test]
fn an_exact_count_breaks_at_every_other_load_and_says_nothing_of_how_much_is_too_much() {
    let plain = limit("breaking-point", &[], &options());
    assert_eq!(plain.ignored.len(), 1);
    assert_eq!(plain.ignored[0].threshold, "completions == 40");
    let all = LimitOptions { all_thresholds: true, ..options() };
    let all = limit("breaking-point", &[], &all);
    assert_eq!(all.ignored, []);
    // 40 of five users: with six there are more.
    assert_eq!(point(&all), ["5", "6"]);
    assert_eq!(all.broken()[0].failure.name, "completions == 40");
}

#[test]
fn where_nothing_breaks_up_to_the_bound_and_where_everything_breaks_it_is_said() {
    let to = LimitOptions { to: Some("12".to_owned()), ..options() };
    let unbroken = limit("breaking-point", &[], &to);
    assert_eq!(point(&unbroken), ["12", "none"]);
    assert!(unbroken.is_enough() && unbroken.first_break().is_none());
    let broken = limit("breaking-point", &["conversation.step=3s"], &options());
    assert_eq!(point(&broken), ["none", "1"]);
    assert!(!broken.is_enough());
    insta::assert_snapshot!("limit-nothing-breaks", report::limit(&unbroken, "", None, false));
    insta::assert_snapshot!("limit-everything-breaks", report::limit(&broken, "", None, false));
}

#[test]
fn a_limit_is_the_same_with_any_number_of_jobs() {
    let with = |jobs| limit("queue-limit", &[], &LimitOptions { jobs, seeds: 3..7, ..options() });
    let one = with(1);
    assert_eq!(one, with(3));
    assert_eq!(one, with(8));
}

#[test]
fn the_first_break_is_a_run_that_replays() {
    let suite = conversation_load::suite();
    let case = suite.case("queue-limit", None, &[]).unwrap();
    let limit = suite.limit(&case, &options()).unwrap();
    let (case, finished) = suite.run_first_break(&case, &limit, &options()).unwrap().unwrap();
    let build = hyperlapse::Build::of_source(suite.name(), suite.version());
    let seed_file = SeedFile::of(&case, &finished, build).unwrap();
    let (set, seed, failure) = limit.first_break().unwrap();
    assert_eq!((seed_file.seed, &seed_file.failure), (seed, failure));
    assert_eq!(seed_file.set[&set.path], set.value);
    let again = suite.replay_case(&seed_file).unwrap();
    let replayed = hyperlapse::compare_replay(&seed_file, &suite.run(&again, seed));
    assert!(replayed.as_expected(hyperlapse::Expect::Fail), "{replayed:?}");
    // And the load before it holds with the same seed.
    let held = &limit.holds.as_ref().unwrap().text;
    let set = format!("{}={held}", limit.setting).parse().unwrap();
    let before = suite.case("queue-limit", None, &[set]).unwrap();
    assert!(suite.run(&before, seed).verdict.passed());
}

#[test]
fn reports_of_breaking_points_are_as_they_were() {
    let suite = conversation_load::suite();
    for scenario in ["breaking-point", "queue-limit"] {
        let case = suite.case(scenario, None, &[]).unwrap();
        let limit = suite.limit(&case, &options()).unwrap();
        let text = report::limit(&limit, case.scenario.about(), None, false);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(format!("limit-{scenario}"), text);
    }
}
