//! What must hold of the fold for any stream of events.

use proptest::prelude::*;

use super::*;
use crate::event::{Actor, Event, EventKind};

const TOKENS: Metric = Metric::counter("tokens", "");
const HIT: Metric = Metric::rate("hit", "");
const TURN: Metric = Metric::trend("turn", "");

fn kinds() -> impl Strategy<Value = EventKind> {
    let sample = prop_oneof![
        any::<u32>().prop_map(|n| ("tokens", Sample::Added(u64::from(n)))),
        any::<bool>().prop_map(|yes| ("hit", Sample::Was(yes))),
        any::<u32>().prop_map(|n| ("turn", Sample::Took(u64::from(n)))),
    ];
    prop_oneof![
        Just(EventKind::Arrived),
        Just(EventKind::Left),
        Just(EventKind::Requested),
        prop::option::of(1u64..1 << 40).prop_map(|waited_ns| EventKind::Accepted { waited_ns }),
        prop::sample::select(vec!["full", "closed"]).prop_map(|why| EventKind::Refused(why.into())),
        (0u64..1 << 40, 0u64..1 << 20).prop_map(|(service, late_ns)| EventKind::Completed {
            response_ns: service + late_ns,
            late_ns: if service % 2 == 0 { late_ns } else { 0 },
        }),
        Just(EventKind::Failed("broken".into())),
        Just(EventKind::Abandoned),
        Just(EventKind::Cancelled),
        Just(EventKind::Dropped),
        Just(EventKind::Interrupted),
        Just(EventKind::Fault("error at site".into())),
        Just(EventKind::Decision("yield".into())),
        Just(EventKind::Violated { property: "p".into(), detail: String::new() }),
        sample.prop_map(|(metric, sample)| EventKind::Sample { metric: metric.into(), sample }),
    ]
}

/// Some hundred events, some of them far apart, so that the series is coarsened now and then.
fn streams() -> impl Strategy<Value = Vec<Event>> {
    let gap = prop_oneof![8 => 0u64..5, 2 => 0u64..200, 1 => 0u64..20_000];
    prop::collection::vec((gap, 0u32..6, kinds()), 0..300).prop_map(|steps| {
        let mut at_ns = 17;
        let world = |at_ns, kind| Event::new(at_ns, Actor::World, kind);
        let mut events = vec![world(at_ns, EventKind::LoadStarted)];
        for (gap, user, kind) in steps {
            at_ns += gap;
            events.push(Event::new(at_ns, Actor::User(user), kind));
        }
        events.push(world(at_ns + 1, EventKind::LoadEnded));
        events
    })
}

fn folded(events: &[Event], step_ns: u64, known: &[u16]) -> Metrics {
    let mut collector = Collector::new(known, 2, &[TOKENS, HIT, TURN], step_ns, Vec::new());
    for event in events {
        if let (EventKind::Arrived, Actor::User(id)) = (&event.kind, &event.actor) {
            collector.users.announce(*id, (id % 2) as u16);
        }
        collector.fold(event);
    }
    let names = ["even".to_owned(), "odd".to_owned()];
    let now = events.last().unwrap().at_ns;
    let (metrics, memory) = collector.finish(&names, 0, now, 0);
    assert_eq!(memory.len(), metrics.series.completed.len());
    metrics
}

/// The kinds of all users that the events speak of.
const KNOWN: &[u16] = &[0, 1, 0, 1, 0, 1];

fn sum(column: &[u64]) -> u64 {
    column.iter().sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_columns_of_the_series_add_up_to_the_totals(events in streams(), step_ns in 1u64..50) {
        let metrics = folded(&events, step_ns, KNOWN);
        let (series, of) = (&metrics.series, &metrics.operations);
        let counted = |matches: fn(&EventKind) -> bool| {
            events.iter().filter(|event| matches(&event.kind)).count() as u64
        };
        prop_assert_eq!(sum(&series.requested), of.requested);
        prop_assert_eq!(sum(&series.accepted), of.accepted);
        prop_assert_eq!(sum(&series.refused), of.refused_total());
        prop_assert_eq!(sum(&series.completed), of.completed);
        prop_assert_eq!(sum(&series.failed), of.failed_total());
        prop_assert_eq!(sum(&series.dropped), metrics.iterations.dropped);
        prop_assert_eq!(sum(&series.faults), counted(|k| matches!(k, EventKind::Fault(_))));
        prop_assert_eq!(sum(&series.decisions), counted(|k| matches!(k, EventKind::Decision(_))));
        prop_assert_eq!(sum(&series.violations), counted(|k| matches!(k, EventKind::Violated { .. })));
        let of_steps: Vec<u64> = series.response.iter().map(|of| of.iter().map(|b| b.1).sum()).collect();
        prop_assert_eq!(&of_steps, &series.completed);
        prop_assert_eq!(series.response_max_ns.iter().max().copied().unwrap_or(0), of.response.max_ns);
        for (name, metric) in &metrics.custom {
            let column = |part: &str| series.custom.get(&format!("{name}{part}")).map_or(0, |c| sum(c));
            match &metric.all {
                CustomValue::Counter { total } => prop_assert_eq!(column(""), *total),
                CustomValue::Rate { yes, total } => {
                    prop_assert_eq!((column(""), column(".total")), (*yes, *total));
                }
                CustomValue::Trend(trend) => prop_assert_eq!(column(".count"), trend.count),
                CustomValue::Gauge { .. } => {}
            }
        }
        let points = series.completed.len();
        prop_assert!(points <= series::POINTS);
        prop_assert!(points as u64 * series.step_ns >= metrics.duration_ns);
        for column in [&series.requested, &series.active, &series.waiting, &series.users,
            &series.response_p50_ns, &series.queue_wait_p95_ns] {
            prop_assert_eq!(column.len(), points);
        }
    }

    #[test]
    fn the_percentiles_of_a_step_are_within_a_hundredth(events in streams(), step_ns in 1u64..50) {
        let metrics = folded(&events, step_ns, KNOWN);
        let series = &metrics.series;
        let mut exact = vec![Vec::new(); series.completed.len()];
        for event in &events {
            if let EventKind::Completed { response_ns, .. } = event.kind {
                exact[((event.at_ns - 17) / series.step_ns) as usize].push(response_ns);
            }
        }
        for (step, mut times) in exact.into_iter().enumerate() {
            times.sort_unstable();
            let columns = [(50, &series.response_p50_ns), (95, &series.response_p95_ns),
                (99, &series.response_p99_ns), (100, &series.response_max_ns)];
            for (percent, column) in columns {
                let rank = (times.len() * percent).div_ceil(100);
                let exact = rank.checked_sub(1).map_or(0, |place| times[place]);
                prop_assert!(column[step].abs_diff(exact) * 100 <= exact,
                    "p{percent} of step {step}: {} instead of {exact}", column[step]);
            }
        }
    }

    /// The step that a series began with decides how fine it is, and nothing else.
    #[test]
    fn a_coarser_series_is_the_sum_of_its_finer_one(events in streams(), step_ns in 1u64..20) {
        let fine = folded(&events, step_ns, KNOWN).series;
        let coarse = folded(&events, 2 * fine.step_ns, KNOWN).series;
        prop_assume!(coarse.step_ns == 2 * fine.step_ns);
        let pairs = |column: &[u64], join: fn(u64, u64) -> u64| -> Vec<u64> {
            column.chunks(2).map(|pair| pair.iter().copied().reduce(join).unwrap()).collect()
        };
        prop_assert_eq!(&coarse.completed, &pairs(&fine.completed, |a, b| a + b));
        prop_assert_eq!(&coarse.active, &pairs(&fine.active, u64::max));
        prop_assert_eq!(&coarse.waiting, &pairs(&fine.waiting, u64::max));
        prop_assert_eq!(&coarse.response_max_ns, &pairs(&fine.response_max_ns, u64::max));
        let merged: Vec<_> = fine.response.chunks(2).map(|pair| match pair {
            [one] => one.clone(),
            [one, other] => dense::merged(one, other),
            _ => unreachable!(),
        }).collect();
        prop_assert_eq!(&coarse.response, &merged);
    }

    #[test]
    fn kinds_add_up_and_service_is_response_less_delay(events in streams()) {
        let metrics = folded(&events, 10, KNOWN);
        let of = |f: fn(&OperationMetrics) -> u64| metrics.kinds.values().map(f).sum::<u64>();
        prop_assert_eq!(of(|kind| kind.completed), metrics.operations.completed);
        prop_assert_eq!(of(|kind| kind.response.count), metrics.operations.response.count);
        let served = events.iter().filter_map(|event| match event.kind {
            EventKind::Completed { response_ns, late_ns } => Some(response_ns - late_ns),
            _ => None,
        });
        let (service, most) = (&metrics.operations.service, served.clone().max().unwrap_or(0));
        prop_assert_eq!((service.count, service.max_ns), (served.count() as u64, most));
    }

    /// Users of an open model are known only while they are there: what is measured of the others is the same.
    #[test]
    fn users_known_beforehand_or_not_spend_the_same_time(events in streams()) {
        let mut here = [false; 6];
        let events: Vec<Event> = events.into_iter().filter(|event| {
            let Actor::User(id) = event.actor else { return true };
            let here = &mut here[id as usize];
            match event.kind {
                EventKind::Arrived => !std::mem::replace(here, true),
                EventKind::Left => std::mem::replace(here, false),
                _ => *here,
            }
        }).collect();
        prop_assert_eq!(folded(&events, 10, KNOWN), folded(&events, 10, &[]));
    }
}
