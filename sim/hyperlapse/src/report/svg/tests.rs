//! Each chart under snapshot, small enough to be read.

use super::axis::{TIMES, VALUES};
use super::*;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
const HOSTILE: &str = "<script>alert(\"1\")</script> & 'co'";

fn chart<'a>(name: &'a str, to: i64, y: Axis<'a>, rugs: &'a [Rug<'a>]) -> Chart<'a> {
    Chart { name, about: "a sentence", x: Axis::new(Unit::Time, 0, to), y, rugs }
}

#[test]
fn ticks_are_one_two_five_in_one_unit_and_times_those_of_a_clock() {
    let ticks = |axis: Axis<'_>, most| {
        let ticks = axis.ticks(most);
        ticks.iter().map(|tick| axis.word(*tick, most)).collect::<Vec<_>>().join("  ")
    };
    let time = |to| ticks(Axis::new(Unit::Time, 0, to), TIMES);
    let value = |unit, values: &[i64]| ticks(Axis::up_to(unit, values.iter().copied()), VALUES);
    let names = ["base".to_owned(), "new".to_owned()];
    let shown = [
        time(100 * MS),
        time(1_576 * MS),
        time(2_200 * MS),
        time(300 * SECOND),
        time(86_400 * SECOND),
        time(7 * 86_400 * SECOND),
        time(0),
        value(Unit::Count, &[20, 3]),
        value(Unit::Count, &[1]),
        value(Unit::Count, &[]),
        value(Unit::Count, &[28_800]),
        value(Unit::Count, &[5_700_000]),
        value(Unit::Rate, &[66_667]),
        value(Unit::Rate, &[1_200]),
        value(Unit::Bytes, &[-1_200, 5_000]),
        value(Unit::Bytes, &[12_345_678]),
        value(Unit::Time, &[279 * MS]),
        value(Unit::Share, &[99_400]),
        value(Unit::Count, &[i64::MAX / 2]),
        ticks(Axis::new(Unit::Names(&names), 0, 1), TIMES),
        ticks(Axis::around(Unit::Time, [262 * MS, 279 * MS]), TIMES),
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn curves_under_a_limit_with_marks_on_their_axis() {
    let points = [(0, 90 * MS), (SECOND, 110 * MS), (2 * SECOND, 140 * MS)];
    let slow: Vec<_> = points.iter().map(|(x, y)| (*x, y * 2)).collect();
    let series = [
        Series { name: "p50", class: "c0", points: &points },
        Series { name: HOSTILE, class: "c1 dashed", points: &slow },
    ];
    let rugs = [
        Rug { name: "faults", class: "near", spans: vec![(0, SECOND, 3)], through: false },
        Rug { name: "broken", class: "bad", spans: vec![(SECOND, SECOND, 1)], through: true },
        Rug { name: "never", class: "bad", spans: Vec::new(), through: true },
    ];
    let y = Axis::up_to(Unit::Time, [300 * MS]);
    let of = chart(HOSTILE, 3 * SECOND, y, &rugs);
    let svg = lines(&of, &series, None, Some(("limit", 250 * MS)));
    assert!(!svg.contains("<script>"), "{svg}");
    insta::assert_snapshot!(svg);
}

#[test]
fn a_curve_over_names_with_the_band_of_its_seeds() {
    let names: Vec<String> = ["a1", "b2", "c3"].map(str::to_owned).to_vec();
    let x = Axis::new(Unit::Names(&names), 0, 2);
    let y = Axis::up_to(Unit::Count, [30]);
    let of = Chart { name: "completions", about: "", x, y, rugs: &[] };
    let series = Series { name: "median", class: "c0", points: &[(0, 20), (1, 22), (2, 21)] };
    let band =
        Band { name: "seeds", class: "c0", points: &[(0, 18, 21), (1, 20, 25), (2, 21, 30)] };
    insta::assert_snapshot!(lines(&of, &[series], Some(band), None));
}

#[test]
fn levels_hold_until_they_change_and_so_does_the_limit() {
    let active = [(0, 3), (SECOND, 20), (2 * SECOND, 20), (3 * SECOND, 1)];
    let series = [Series { name: "active", class: "c0", points: &active }];
    let of = chart("active", 4 * SECOND, Axis::up_to(Unit::Count, [20]), &[]);
    insta::assert_snapshot!(steps(&of, &series, &[(0, 20), (2 * SECOND, 10)]));
}

#[test]
fn counts_are_stacked_and_empty_ones_leave_no_bar() {
    let accepted = [(0, 20), (SECOND, 0), (2 * SECOND, 4)];
    let refused = [(0, 30), (SECOND, 0), (2 * SECOND, 0)];
    let series = [
        Series { name: "accepted", class: "c0", points: &accepted },
        Series { name: "refused", class: "c1", points: &refused },
    ];
    let of = chart("starts", 3 * SECOND, Axis::up_to(Unit::Count, [50]), &[]);
    insta::assert_snapshot!(bars(&of, &series, SECOND));
}

#[test]
fn a_histogram_shows_the_bulk_and_the_tail() {
    let ms = |n: u64| n * 1_000_000;
    let buckets = [(ms(1), 4), (ms(90), 70), (ms(100), 900), (ms(105), 20), (ms(2_500), 6)];
    let marks = [
        Mark { name: "p50", value: 100 * MS },
        Mark { name: "p95", value: 101 * MS },
        Mark { name: "p99", value: 102 * MS },
    ];
    insta::assert_snapshot!(histogram("response", "", Unit::Time, &buckets, &marks));
}

#[test]
fn histograms_of_one_value_or_none_have_an_axis() {
    for buckets in [vec![], vec![(0, 1)], vec![(100_000_000, 5)], vec![(1 << 53, 1)]] {
        let svg = histogram("response", "", Unit::Time, &buckets, &[]);
        assert!(svg.matches("class=\"grid\"").count() >= 3, "{svg}");
        assert_eq!(svg.matches("class=\"bar c0\"").count(), buckets.len(), "{svg}");
    }
}

#[test]
fn a_strip_has_a_dot_for_each_seed_and_failed_ones_on_top() {
    let dot = |seed: i64, value, class| Dot { value, class, name: format!("seed {seed}") };
    let dots = [
        dot(0, 262 * MS, "good"),
        dot(1, 279 * MS, "bad"),
        dot(2, 279 * MS, "good"),
        dot(3, 271 * MS, "good"),
    ];
    let rows = [Row { name: "", dots: &dots }];
    let svg = strip("p95", "", Unit::Time, &rows);
    let (bad, last_good) = (svg.find("dot bad").unwrap(), svg.rfind("dot good").unwrap());
    assert!(last_good < bad, "{svg}");
    insta::assert_snapshot!(svg);
}

#[test]
fn lanes_tell_the_story_from_top_to_bottom() {
    let entry = |at_ms: u64, actor, text: &str, kind| Entry {
        at_ns: at_ms * 1_000_000,
        actor,
        text: text.to_owned(),
        kind,
    };
    let entries = [
        entry(1, 0, "requested", Kind::Plain),
        entry(1, 0, "yields", Kind::Decision(1)),
        entry(1, 1, HOSTILE, Kind::Said),
        entry(1, 1, "... 40 events ...", Kind::LeftOut),
        entry(2, 0, "refused: global limit", Kind::Near),
        entry(2, 1, "accepted after a wait of 0.100 s", Kind::Good),
        entry(2, 1, "VIOLATED", Kind::Violated),
    ];
    let actors = ["user 8".to_owned(), "user 11".to_owned()];
    let svg = lanes(&Lanes { name: "how it came", actors: &actors, entries: &entries });
    assert!(!svg.contains("<script>"), "{svg}");
    insta::assert_snapshot!(svg);
}
