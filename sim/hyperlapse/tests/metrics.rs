//! Metrics of the user's own, tags, the time series, and what recording costs the run.

use std::time::Duration;

use hyperlapse::report::Detail;
use hyperlapse::{
    AllAtOnce, ConstantUsers, CustomValue, Event, EventKind, Iterations, Keep, MAX_TAGS, Metric,
    MetricUnit, PerUserIterations, Record, RunOptions, Scenario, Suite, User, Workload, run,
};

#[global_allocator]
static ALLOCATOR: hyperlapse::CountingAllocator = hyperlapse::CountingAllocator::new();

const TOKENS: Metric = Metric::counter("tokens", "tokens that the model wrote");
const DEPTH: Metric = Metric::gauge("depth", "messages in the outbox");
const HIT: Metric = Metric::rate("cache_hit", "answers that came from the cache");
const TURN: Metric = Metric::trend("turn", "time of a turn");
const REPLY: Metric = Metric::trend("reply", "size of a reply").of(MetricUnit::Bytes);
const METRICS: [Metric; 5] = [TOKENS, DEPTH, HIT, TURN, REPLY];

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn scenario(workload: impl Workload + 'static) -> Scenario {
    let builder = Scenario::builder("measured", workload).series_step(ms(100));
    METRICS.iter().fold(builder, |builder, metric| builder.metric(metric)).build().unwrap()
}

fn measured<F, Fut>(workload: impl Workload + 'static, keep: Keep, user: F) -> Record
where
    F: Fn(User) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let options = RunOptions { keep, ..RunOptions::seed(0) };
    run(&scenario(workload), options, |sim| async move { sim.drive(user).await })
}

/// Every user has one turn of a tenth of a second times its number and one.
async fn turn(user: User) {
    let model = if user.id().is_multiple_of(2) { "small" } else { "large" };
    let user = user.tagged(&[("model", model)]);
    let id = u64::from(user.id());
    let mut operation = user.operation();
    operation.accepted();
    user.set(&DEPTH, id as i64 - 1);
    user.sleep(ms(100 * (id + 1))).await;
    user.add(&TOKENS, 10 * (id + 1));
    user.rate(&HIT, id == 3);
    user.observe(&TURN, ms(100 * (id + 1)));
    user.observe(&REPLY, 1_000 * id);
    operation.completed();
}

#[test]
fn metrics_of_the_users_own_add_up_by_their_kind_and_by_tag() {
    let record = measured(AllAtOnce::users(4), Keep::Tail, turn);
    let of = |name: &str| &record.metrics.custom[name];
    assert_eq!(of("tokens").all, CustomValue::Counter { total: 100 });
    assert_eq!(of("tokens").by_tag["model=small"], CustomValue::Counter { total: 40 });
    assert_eq!(of("tokens").by_tag["model=large"], CustomValue::Counter { total: 60 });
    assert_eq!(of("depth").all, CustomValue::Gauge { last: 2, min: -1, max: 2 });
    assert_eq!(of("cache_hit").all, CustomValue::Rate { yes: 1, total: 4 });
    assert_eq!(of("cache_hit").by_tag["model=small"], CustomValue::Rate { yes: 0, total: 2 });
    let CustomValue::Trend(turns) = &of("turn").all else { panic!("{:?}", of("turn")) };
    assert_eq!((turns.count, turns.min, turns.max), (4, 100_000_000, 400_000_000));
    let CustomValue::Trend(replies) = &of("reply").by_tag["model=large"] else { panic!() };
    assert_eq!((replies.min, replies.mean, replies.max), (1_000, 2_000, 3_000));
    assert_eq!(of("reply").unit, MetricUnit::Bytes);

    let tags = &record.metrics.tags;
    assert_eq!(tags.keys().collect::<Vec<_>>(), ["model=large", "model=small"]);
    assert_eq!((tags["model=small"].requested, tags["model=small"].completed), (2, 2));
    assert_eq!(tags["model=small"].response.max_ns, 300_000_000);
    assert_eq!(tags["model=large"].response.max_ns, 400_000_000);

    let series = &record.metrics.series;
    assert_eq!(series.custom["tokens"], [0, 10, 20, 30, 40]);
    assert_eq!(series.custom["depth"], [2, 2, 2, 2, 2]);
    assert_eq!(series.custom["cache_hit"], [0, 0, 0, 0, 1]);
    assert_eq!(series.custom["cache_hit.total"], [0, 1, 1, 1, 1]);
    assert_eq!(series.custom["reply.max"], [0, 0, 1_000, 2_000, 3_000]);
}

#[test]
fn samples_and_tags_stand_in_traces_and_count_for_the_fingerprint() {
    let record = measured(AllAtOnce::users(1), Keep::All, turn);
    let lines: Vec<String> = record.kept_events.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    0.000000  world       load started
    0.000000  user 0      arrived
    0.000000  user 0      requested  [model=small]
    0.000000  user 0      accepted  [model=small]
    0.000000  user 0      depth = -1  [model=small]
    0.100000  user 0      tokens +10  [model=small]
    0.100000  user 0      cache_hit: no  [model=small]
    0.100000  user 0      turn: 0.100 s  [model=small]
    0.100000  user 0      reply: 0  [model=small]
    0.100000  user 0      completed in 0.100 s  [model=small]
    0.100000  user 0      left
    0.100000  world       load ended
    ");
    let other = measured(AllAtOnce::users(1), Keep::All, |user| async move {
        turn(user.tagged(&[("route", "chat")])).await;
    });
    assert_ne!(record.fingerprint, other.fingerprint);
    // An event keeps its tags where it is written and read again.
    let json = serde_json::to_string(&other.kept_events).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Event>>(&json).unwrap(), other.kept_events);
}

#[test]
fn a_tag_too_many_is_named_and_values_that_come_again_are_none() {
    let record = measured(AllAtOnce::users(1), Keep::Tail, |user| async move {
        for n in 0..10 * MAX_TAGS {
            user.tagged(&[("few", &(n % MAX_TAGS).to_string())]).add(&TOKENS, 1);
        }
        user.tagged(&[("user", "17")]).add(&TOKENS, 1);
    });
    assert_eq!(record.metrics.custom["tokens"].by_tag.len(), MAX_TAGS);
    insta::assert_snapshot!(record.panics[0].message, @"the tag `user=17` is one too many: a run may use 128 tags, keys with a value, and 1024 sets of them; tags are for what comes in a few kinds, `note` is for what is different each time");
}

#[test]
fn a_metric_that_is_not_declared_or_of_another_kind_is_a_bug_that_is_named() {
    const SENT: Metric = Metric::counter("sent", "messages sent");
    let panics = |user: fn(User)| {
        let record = measured(AllAtOnce::users(1), Keep::Tail, move |of| async move { user(of) });
        record.panics[0].message.clone()
    };
    let said = [
        panics(|user| user.add(&SENT, 1)),
        panics(|user| user.add(&DEPTH, 1)),
        panics(|user| user.observe(&REPLY, ms(1))),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    the metric `sent` is not declared: a scenario names it by `.metric(&…)`, a suite by `.metrics(&[…])`
    `depth` is a gauge, and was recorded as a counter
    a value of another unit was observed for `reply`: it is of bytes: a number
    ");
    let taken = |metric: &Metric| {
        let builder = Scenario::builder("taken", AllAtOnce::users(1)).metric(&TOKENS);
        builder.metric(metric).build().map(|_| ()).map_err(|error| error.to_string())
    };
    assert!(taken(&TOKENS).is_ok(), "declared twice is declared");
    let said = [
        taken(&Metric::gauge("tokens", "another")).unwrap_err(),
        taken(&Metric::counter("response", "a word of thresholds")).unwrap_err(),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    error: scenario `taken`: the metric `tokens` cannot be declared: the name is that of another metric
    error: scenario `taken`: the metric `response` cannot be declared: the name is that of another metric
    ");
}

#[test]
fn a_chosen_step_of_the_series_is_honoured_in_code_and_in_files() {
    let load = || ConstantUsers::new(2, Duration::from_secs(3)).pause(ms(50));
    let work = |user: User| async move {
        let mut operation = user.operation();
        operation.accepted();
        user.sleep(ms(150)).await;
        operation.completed();
    };
    let series = measured(load(), Keep::Tail, work).metrics.series;
    assert_eq!((series.step_ns, series.completed.len()), (100_000_000, 30));
    // 200 ms each: asked for at 0, done at 150; two users.
    assert_eq!(series.completed[..4], [0, 2, 0, 2]);
    assert_eq!(series.requested[..4], [2, 0, 2, 0]);
    assert_eq!(series.active[..4], [2, 2, 2, 2]);
    assert_eq!(series.users, [2; 30]);
    assert!(series.response_p99_ns[1].abs_diff(150_000_000) < 1_500_000);
    assert_eq!(series.response_max_ns[..4], [0, 150_000_000, 0, 150_000_000]);

    let suite = Suite::new("suite", "0.1.0")
        .system("none", "nothing", |_| ())
        .script("work", "works", &[], move |sim, ()| async move { sim.drive(work).await })
        .scenario(
            "steps.toml",
            r#"
            name = "steps"
            script = "work"
            series_step = "500ms"
            workload = { kind = "constant-users", users = 2, duration = "3s", pause = "50ms" }
            "#,
        );
    let series = suite.run(&suite.case("steps", None, &[]).unwrap(), 0).record.metrics.series;
    assert_eq!((series.step_ns, series.completed.len()), (500_000_000, 6));
    assert_eq!(series.completed.iter().sum::<u64>(), 30);
}

#[test]
fn time_is_spent_by_what_users_do() {
    let record = measured(PerUserIterations::new(2, 1), Keep::Tail, |user| async move {
        user.sleep(ms(10)).await;
        let mut operation = user.operation();
        user.sleep(ms(20)).await;
        operation.accepted_after(ms(20));
        user.sleep(ms(300)).await;
        operation.completed();
    });
    let time = record.metrics.time;
    assert_eq!(time.idle_ns, 20_000_000);
    assert_eq!(time.waiting_ns, 40_000_000);
    assert_eq!(time.operating_ns, 600_000_000);
    assert_eq!(record.metrics.iterations.started, 2);
    assert_eq!(record.metrics.operations.service, record.metrics.operations.response);
    assert_eq!(record.metrics.series.queue_wait_p95_ns.iter().max(), Some(&20_000_000));
}

/// Reasons that are made anew each time, tags, samples, a long series, every event kept: all of it is the
/// recorder's, and none of it the run's.
#[test]
fn what_recording_allocates_is_not_the_runs_memory() {
    let memory = |seconds: u64, keep: Keep| {
        let load = ConstantUsers::new(4, Duration::from_secs(seconds)).pause(ms(10));
        let record = measured(load, keep, |user| async move {
            let user = user.tagged(&[("model", "small")]);
            let operation = user.operation();
            user.observe(&TURN, ms(user.iteration()));
            user.sleep(ms(10)).await;
            user.note(format!("asked {}", user.iteration()));
            operation.refused(format!("reason {}", user.iteration() % 500));
        });
        record.memory.expect("the allocator is installed")
    };
    let (short, long) = (memory(10, Keep::Tail), memory(300, Keep::Tail));
    assert_eq!(short.growth, long.growth, "thirty times the load leaves not a byte more");
    assert_eq!(memory(10, Keep::All).growth, short.growth, "nor does keeping every event");
    assert_eq!(memory(10, Keep::All).peak, short.peak);
    assert_eq!(long.series.len(), 300, "3,000 steps of 0.1 s, joined to one of 1 s");
    assert!(long.series.iter().all(|live| (long.before..=long.peak).contains(live)));
}

#[test]
fn what_the_system_leaks_shows_step_by_step() {
    let load = ConstantUsers::new(1, Duration::from_secs(1)).pause(ms(90));
    let record = measured(load, Keep::Tail, |user| async move {
        user.sleep(ms(10)).await;
        std::mem::forget(Vec::<u8>::with_capacity(1_000));
        user.note("leaks");
    });
    let live = record.memory.unwrap().series;
    let grown: Vec<i64> = live.windows(2).map(|two| two[1] - two[0]).collect();
    assert_eq!(grown[..8], [1_000; 8], "{live:?}");
}

#[test]
fn a_run_that_ends_in_the_middle_counts_who_is_still_there() {
    let record = measured(AllAtOnce::users(3), Keep::Tail, |user| async move {
        let mut operation = user.operation();
        operation.accepted();
        std::future::pending::<()>().await;
        operation.completed();
    });
    assert!(record.outcome.failure().is_some());
    let metrics = &record.metrics;
    assert_eq!(metrics.time.operating_ns, 3 * metrics.duration_ns);
    assert!(metrics.series.active.iter().all(|active| *active == 3));
    let events = record.kept_events.iter();
    assert_eq!(events.filter(|event| event.kind == EventKind::LoadEnded).count(), 0);
}

/// What a report says of an open model, whose iterations begin late, find no user, or are cut off.
#[test]
fn a_report_tells_service_from_response_and_who_came_late_or_not_at_all() {
    let suite = Suite::new("suite", "0.1.0")
        .metrics(&METRICS)
        .system("none", "nothing", |_| ())
        .script("turns", "takes turns", &[], |sim, ()| async move { sim.drive(turn).await })
        .scenario(
            "late.toml",
            r#"
            name = "late"
            script = "turns"
            workload = { kind = "all-at-once", users = 4 }
            "#,
        );
    let case = suite.case("late", None, &[]).unwrap();
    let mut finished = suite.run(&case, 0);
    let metrics = &mut finished.record.metrics;
    metrics.operations.service = metrics.tags["model=small"].response.clone();
    metrics.iterations = Iterations {
        started: 4,
        interrupted: 1,
        dropped: 2,
        start_delay: metrics.tags["model=large"].response.clone(),
    };
    let detail = Detail { memory: false, coloured: false };
    let text = hyperlapse::report::run(&finished, "", "four users", detail);
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text, @r"
    PASS  late  on none, seed 0
      load           four users
      operations     4 asked   4 accepted   0 refused   4 completed (100.0 %)
      response       p50 0.200 s   p95 0.400 s   p99 0.400 s
                     min 0.100 s   mean 0.250 s   max 0.400 s   count 4
      service        p50 0.100 s   p95 0.300 s   p99 0.300 s
                     min 0.100 s   mean 0.200 s   max 0.300 s   count 2
      queue wait     nobody queued
      throughput     10.0 /s   4 in 0.400 s
      iterations     4 begun   2 late   2 dropped: no user was free   1 interrupted
      start delay    p50 0.200 s   p95 0.400 s   p99 0.400 s
                     min 0.200 s   mean 0.300 s   max 0.400 s   count 2
      model=large    2 completed   mean 0.300 s   p95 0.400 s
      model=small    2 completed   mean 0.200 s   p95 0.300 s
      cache_hit      25.0 %   1 of 4
                     model=large: 50.0 %   1 of 2
                     model=small: 0.0 %   0 of 2
      depth          last 2   min -1   max 2
                     model=large: last 2   min 0   max 2
                     model=small: last 1   min -1   max 1
      reply          mean 1.5 KB   p95 3.0 KB   max 3.0 KB   4 times
                     model=large: mean 2.0 KB   p95 3.0 KB   max 3.0 KB   2 times
                     model=small: mean 1.0 KB   p95 2.0 KB   max 2.0 KB   2 times
      tokens         100   250.0 /s
                     model=large: 60
                     model=small: 40
      turn           mean 0.250 s   p95 0.400 s   max 0.400 s   4 times
                     model=large: mean 0.300 s   p95 0.400 s   max 0.400 s   2 times
                     model=small: mean 0.200 s   p95 0.300 s   max 0.300 s   2 times
    ");
}
