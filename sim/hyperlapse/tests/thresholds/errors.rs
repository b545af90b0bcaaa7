//! What is said of thresholds that cannot be understood, with the place.

use hyperlapse::{Metric, MetricUnit, Threshold};
use proptest::prelude::*;

const OWN: [Metric; 5] = [
    Metric::counter("tokens", "tokens that the model wrote"),
    Metric::counter("sent", "bytes sent").of(MetricUnit::Bytes),
    Metric::gauge("depth", "messages in the outbox"),
    Metric::rate("cached", "answers that came from the cache"),
    Metric::trend("turn", "time of a turn"),
];

const WRONG: &[&str] = &[
    "",
    "< 5s",
    "respnse.p95 < 5s",
    "response < 5s",
    "response.q95 < 5s",
    "response.p95 5s",
    "response.p95 <",
    "response.p95 < 5MB",
    "response.p95 < 5",
    "completions == 20 or so",
    "response.p95 < 9223372036h",
    // Counts and their forms.
    "starts.refused.shar < 5%",
    "starts.refused.share < 5",
    "starts.share < 5%",
    "completions.rate > 5",
    // Selectors.
    "starts.refused{kind < 5",
    "starts.refused{} < 5",
    "starts.refused{=quick} < 5",
    "starts.refused{kind=quick, kind=slow} < 5",
    "starts{reason=busy} < 5",
    "duration{kind=quick} < 5s",
    "dropped{model=small} == 0",
    // Windows and warm-ups.
    "response.p95 ovr 10s < 5s",
    "response.p95 over < 5s",
    "response.p95 over 10 < 5s",
    "response.p95 over 10us < 5s",
    "response.p95 over 1.5ms < 5s",
    "response.p95 over 10s over 20s < 5s",
    "response.p95 < 500ms over 10s",
    "duration over 10s < 5s",
    "memory.growth after 10s < 5MB",
    "disk.syncs over 10s < 5",
    "disk.written < 5",
    "disk.writes{kind=quick} < 5",
    "network.lost == 0 else abort",
    "iterations over 10s < 5",
    "throughput over 30s >= 90%",
    "throughput over 30s >= 90% of mean",
    "throughput >= 90% of median",
    "starts over 30s >= 5%",
    // Trends.
    "memory.live < 5MB",
    "service.p95 trend < 5%",
    "queue_wait.p50 trend < 5%",
    "response{kind=quick}.p95 trend < 5%",
    "response.p95 trend over 10s < 5%",
    "response.p95 trend < 5MB",
    "starts.refused trend < 5",
    // Over seeds.
    "response.p95 worst < 1s",
    "response.p95 median of runs < 1s",
    "response.p95 worst of seeds < 1s in 95% of seeds",
    "response.p95 < 1s in 95 of seeds",
    "response.p95 < 1s in 101% of seeds",
    "response.p95 < 1s in 95% of runs",
    "throughput over 30s worst of seeds >= 90% of median",
    // What may end a run.
    "failures == 0 else stop",
    "failures == 0 or else abort",
    "completions > 100 else abort",
    "completions != 100 else abort",
    "response.p95 < 5s else abort",
    "response.max > 5s else abort",
    "response.min < 5s else abort",
    "completion_rate == 100% else abort",
    "throughput over 30s >= 90% of median else abort",
    "response.p95 trend < 5% else abort",
    "response.p95 worst of seeds < 5s else abort",
    "duration < 5m else abort",
    "memory.peak < 5MB else abort",
    "iterations < 100 else abort",
    "depth.max < 10 else abort",
    // Metrics of the user's own.
    "token > 5",
    "tokens.share > 5%",
    "sent.rate > 5",
    "sent > 5",
    "depth > 5",
    "depth.p95 > 5",
    "cached > 5%",
    "cached.rate > 5%",
    "turn < 5s",
    "turn.sum < 5s",
    "depth.last over 10s < 5",
    "tokens < -5",
];

#[test]
fn each_wrong_threshold_has_one_error_that_points_at_its_column() {
    let mut told = String::new();
    for text in WRONG {
        let error = Threshold::parse(text, &OWN).expect_err(text);
        assert!((1..=text.chars().count() + 1).contains(&error.column()), "{text}");
        told.push_str(&format!("{error}\n\n"));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn each_right_threshold_prints_as_it_was_written() {
    for text in [
        "response.p99.9 < 5s",
        "response{kind=quick}.mean < 200ms",
        "response.mean{ kind = quick , model=small } < 200ms",
        "starts.refused.share{reason=global limit} <= 0.5%",
        "throughput over 1m after 30s >= 90% of median",
        "completion_rate over 10s >= 90%",
        "completion_rate over 10s >= 90% of median",
        "response.p95 after 30s over 10s < 1s in 95% of seeds",
        "queue_wait.p95 trend after 30s < 10ms",
        "throughput trend > -5%",
        "memory.live trend < 1MB",
        "memory.growth > -1MB",
        "disk.written < 10MB",
        "disk.busy < 30s",
        "disk.calls worst of seeds <= 1_000",
        "network.bytes <= 10MB in 95% of seeds",
        "dropped.share < 1%",
        "iterations.rate >= 30/m",
        "start_delay.max < 10ms else abort",
        "failures{model=small, reason=model error} <= 5 else abort",
        "response.min over 1ms > 10us else abort",
        "tokens.rate over 10s > 5/s",
        "sent <= 5MiB else abort",
        "depth.min >= -5",
        "cached.share{plan=paid} > 30%",
        "turn.p95 median of seeds < 1s",
    ] {
        match Threshold::parse(text, &OWN) {
            Ok(threshold) => assert_eq!(threshold.to_string(), text),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Words that mean something to the parser, and some that are nearly so.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "response",
        ".p95",
        ".p99.9999",
        ".mean",
        "starts.refused",
        ".share",
        ".rate",
        "{kind=quick}",
        "{model=small, plan=paid}",
        "{",
        "}",
        "=",
        ",",
        "throughput",
        "memory.live",
        "dropped",
        "tokens",
        "depth.last",
        "cached.share",
        "turn.p50",
        " over ",
        " after ",
        " trend ",
        " worst of seeds ",
        " median of seeds ",
        " worst ",
        " of ",
        "seeds",
        "30s",
        "10ms",
        "1.5ms",
        "0ms",
        " < ",
        "<=",
        " == ",
        "!",
        "5",
        "-",
        "99.5",
        "999999999999999",
        "%",
        "/s",
        "MB",
        " of median",
        " in 95% of seeds",
        " in ",
        " else abort",
        " else ",
        "abort",
        " ",
        "\u{a0}",
        "é",
        "\u{1f600}",
        "\t",
    ];
    prop::collection::vec(prop::sample::select(words.to_vec()), 0..12)
        .prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_a_threshold_or_an_error_within_it(any in any::<String>(), like in pieces()) {
        for text in [any, like] {
            match Threshold::parse(&text, &OWN) {
                Ok(threshold) => {
                    prop_assert_eq!(threshold.to_string(), text.trim());
                    prop_assert_eq!(Threshold::parse(&threshold.to_string(), &OWN).unwrap(), threshold);
                }
                Err(error) => {
                    prop_assert!((1..=text.chars().count() + 1).contains(&error.column()), "{}", error);
                    prop_assert!(error.to_string().starts_with("error: "), "{}", error);
                }
            }
        }
    }

    #[test]
    fn every_form_that_the_grammar_makes_is_understood_and_prints_as_it_was_written(
        metric in prop::sample::select(vec![
            "response.p95", "service.mean", "queue_wait.max", "starts.refused.rate", "completions.rate",
            "throughput", "failures.share", "completion_rate", "turn.p99", "tokens.rate",
        ]),
        selector in prop::sample::select(vec!["", "{kind=quick}", "{model=small}", "{a=b, c=d e}"]),
        over in prop::sample::select(vec!["", " over 10s", " over 5ms"]),
        after in prop::sample::select(vec!["", " after 30s", " after 1.5s"]),
        comparison in prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]),
        seeds in prop::sample::select(vec![("", ""), (" worst of seeds", ""), (" median of seeds", ""), ("", " in 95% of seeds")]),
        aborts in any::<bool>(),
    ) {
        let bound = match metric {
            "failures.share" | "completion_rate" => "5%",
            "throughput" | "starts.refused.rate" | "completions.rate" | "tokens.rate" => "5/s",
            _ => "5ms",
        };
        let mut text =
            format!("{metric}{selector}{over}{after}{} {comparison} {bound}{}", seeds.0, seeds.1);
        let is_final = !over.is_empty() && seeds == ("", "");
        if aborts && is_final {
            text.push_str(" else abort");
        }
        let parsed = Threshold::parse(&text, &OWN);
        prop_assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
        prop_assert_eq!(parsed.unwrap().to_string(), text);
    }
}
