//! Sliding windows against the same windows counted by hand from the events.

use std::time::Duration;

use hyperlapse::{
    ConstantUsers, EventKind, Keep, Quantity, Record, RunOptions, Scenario, View, WindowsRecord,
};
use proptest::prelude::*;

use crate::bot;

const SECOND: u64 = 1_000_000_000;

/// What each full window measures, by its end: from all events, once more.
fn by_hand<T>(
    record: &Record,
    (width_ns, after_ns): (u64, u64),
    of: impl Fn(&EventKind) -> Option<u64>,
    value: impl Fn(&mut Vec<u64>) -> Option<T>,
) -> Vec<(u64, Option<T>)> {
    let hop_ns = (width_ns / 10).max(1_000_000);
    let begin = record.kept_events.iter().find(|event| event.kind == EventKind::LoadStarted);
    let begin = begin.expect("the load begins").at_ns;
    let mut windows = Vec::new();
    let mut end = after_ns + width_ns;
    while end <= record.metrics.duration_ns {
        let within = |at: u64| at >= begin + end - width_ns && at < begin + end;
        let mut values: Vec<u64> = record
            .kept_events
            .iter()
            .filter(|event| within(event.at_ns))
            .filter_map(|event| of(&event.kind))
            .collect();
        values.sort_unstable();
        windows.push((end, value(&mut values)));
        end += hop_ns;
    }
    windows
}

fn windows<'a>(record: &'a Record, name: &str) -> &'a WindowsRecord {
    match record.metrics.views.get(name) {
        Some(View::Windows(windows)) => windows,
        other => panic!("{name} is {other:?} among {:?}", record.metrics.views.keys()),
    }
}

fn whole(quantity: Quantity) -> u64 {
    assert_eq!(quantity.denominator, 1, "{quantity:?}");
    quantity.numerator as u64
}

/// The distribution of the values, and where the extremes were first.
fn check(windows: &WindowsRecord, expected: &[(u64, Option<u64>)]) {
    let mut values: Vec<(u64, u64)> =
        expected.iter().filter_map(|(end, value)| Some(((*value)?, *end))).collect();
    assert_eq!(windows.windows, values.len() as u64);
    assert_eq!(windows.empty, (expected.len() - values.len()) as u64);
    values.sort_unstable();
    let (Some(lowest), Some(highest)) = (values.first(), values.last()) else {
        assert_eq!((windows.lowest, windows.highest, windows.median), (None, None, None));
        return;
    };
    let first_end = |of: u64| values.iter().find(|(value, _)| *value == of).unwrap().1;
    let told = |of: &hyperlapse::WindowValue| (whole(of.value), of.first_end_ns);
    assert_eq!(told(windows.lowest.as_ref().unwrap()), (lowest.0, first_end(lowest.0)));
    assert_eq!(told(windows.highest.as_ref().unwrap()), (highest.0, first_end(highest.0)));
    assert_eq!(whole(windows.median.unwrap()), values[(values.len() - 1) / 2].0);
    let mut distribution: Vec<(u64, u64, u64)> = Vec::new();
    for (value, end) in values {
        match distribution.last_mut() {
            Some(last) if last.0 == value => last.1 += 1,
            _ => distribution.push((value, 1, end)),
        }
    }
    let told: Vec<_> =
        windows.values.iter().map(|v| (whole(v.value), v.windows, v.first_end_ns)).collect();
    assert_eq!(told, distribution);
}

fn traced(thresholds: &[&str], seed: u64) -> Record {
    let options = RunOptions { keep: Keep::All, ..RunOptions::seed(seed) };
    hyperlapse::run(&bot::with(thresholds), options, bot::body)
}

#[test]
fn windows_of_a_run_are_those_counted_by_hand() {
    let record = traced(
        &[
            "completions over 10s > 0",
            "starts.refused over 3s after 15s < 100",
            "response.max over 500ms < 1h",
            "response.count over 500ms < 1000",
        ],
        7,
    );
    let one = |kind: &EventKind, wanted: fn(&EventKind) -> bool| wanted(kind).then_some(1);
    let count = |values: &mut Vec<u64>| Some(values.len() as u64);
    let completed = |kind: &EventKind| matches!(kind, EventKind::Completed { .. });
    let refused = |kind: &EventKind| matches!(kind, EventKind::Refused(_));
    let response = |kind: &EventKind| match kind {
        EventKind::Completed { response_ns, .. } => Some(*response_ns),
        _ => None,
    };
    let expected = by_hand(&record, (10 * SECOND, 0), |kind| one(kind, completed), count);
    check(windows(&record, "completions over 10s"), &expected);
    let expected = by_hand(&record, (3 * SECOND, 15 * SECOND), |kind| one(kind, refused), count);
    check(windows(&record, "starts.refused over 3s after 15s"), &expected);
    let expected = by_hand(&record, (SECOND / 2, 0), response, count);
    check(windows(&record, "response.count over 500ms"), &expected);

    // Of extremes the distribution is told by buckets: the rest is exact.
    let expected = by_hand(&record, (SECOND / 2, 0), response, |values| values.last().copied());
    let told = windows(&record, "response.max over 500ms");
    let values: Vec<u64> = expected.iter().filter_map(|(_, value)| *value).collect();
    assert_eq!(told.windows, values.len() as u64);
    assert_eq!(told.empty, (expected.len() - values.len()) as u64);
    assert_eq!(whole(told.highest.unwrap().value), *values.iter().max().unwrap());
    assert_eq!(whole(told.lowest.unwrap().value), *values.iter().min().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn windows_of_any_width_are_those_counted_by_hand(
        width_ms in prop_oneof![1u64..20, 20u64..3_000],
        after_ms in 0u64..1_500,
        gap_ms in 0u64..2_000,
        seed in 0u64..1_000,
    ) {
        let over = format!("completions over {width_ms}ms after {after_ms}ms >= 0");
        let percentile = format!("response.p95 over {width_ms}ms after {after_ms}ms >= 0s");
        let load = ConstantUsers::new(3, Duration::from_secs(3)).pause(Duration::from_millis(gap_ms));
        let scenario = Scenario::builder("any", load).threshold(over).threshold(percentile).build().unwrap();
        let options = RunOptions { keep: Keep::All, ..RunOptions::seed(seed) };
        let record = hyperlapse::run(&scenario, options, |sim| async move {
            sim.drive(|user| async move {
                let mut operation = user.operation();
                operation.accepted();
                let ms = hyperlapse::RandomExt::below(&mut user.rng("work"), 40);
                user.sleep(Duration::from_millis(ms)).await;
                operation.completed();
            })
            .await;
        });
        let place = (width_ms * 1_000_000, after_ms * 1_000_000);
        let completed = |kind: &EventKind| match kind {
            EventKind::Completed { response_ns, .. } => Some(*response_ns),
            _ => None,
        };
        let mut views = record.metrics.views.iter();
        let View::Windows(counts) = views.next().unwrap().1 else { panic!("windows") };
        let expected = by_hand(&record, place, completed, |values| Some(values.len() as u64));
        check(counts, &expected);
        let View::Windows(times) = views.next().unwrap().1 else { panic!("windows") };
        let expected = by_hand(&record, place, completed, |values| {
            let rank = (values.len() * 95).div_ceil(100).max(1);
            values.get(rank - 1).copied()
        });
        // Percentiles are within a thousandth, as those of the run.
        let near = |a: u64, b: u64| a.abs_diff(b) * 1_000 <= b;
        let values: Vec<u64> = expected.iter().filter_map(|(_, value)| *value).collect();
        prop_assert_eq!(times.windows, values.len() as u64);
        prop_assert_eq!(times.empty, (expected.len() - values.len()) as u64);
        if let (Some(low), Some(high)) = (values.iter().min(), values.iter().max()) {
            prop_assert!(near(whole(times.lowest.unwrap().value), *low));
            prop_assert!(near(whole(times.highest.unwrap().value), *high));
        }
    }
}
