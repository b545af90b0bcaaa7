//! What a person reads and writes: limits in files, refusals, expiries, statistics.

use std::time::Duration;

use conversation_manager::{ConversationId, Ended, Expiry, InvalidLimits, Limits, Refused, UserId};
use insta::assert_snapshot;

#[test]
fn refusals_say_who_how_many_and_why() {
    let all = [
        Refused::GlobalLimit { active: 10, limit: 10 },
        Refused::UserLimit { user: UserId::from("ada"), active: 3, limit: 3 },
        Refused::QueueFull { waiting: 1000, limit: 1000 },
        Refused::TimedOut { waited: Duration::from_millis(2500) },
        Refused::ShuttingDown,
    ];
    let lines: Vec<_> =
        all.iter().map(|refused| format!("{}: {refused}", refused.reason())).collect();
    assert_snapshot!(lines.join("\n"), @r"
    global limit: 10 conversations are active, the global limit is 10
    user limit: user `ada` has 3 active conversations, the limit per user is 3
    queue full: 1000 requests are waiting, the queue holds 1000
    timed out: no slot became free within 2.5s
    shutting down: the manager is shutting down
    ");
}

#[test]
fn ends_say_which_and_how() {
    let ends = [Expiry::Idle, Expiry::MaxDuration, Expiry::ShutDown].map(|how| {
        let ended = Ended { id: ConversationId(7), how };
        format!("{how}: {ended}")
    });
    assert_snapshot!(ends.join("\n"), @r"
    idle: conversation 7 is over already: it was idle for too long
    max duration: conversation 7 is over already: it reached its longest duration
    shut down: conversation 7 is over already: the manager shut down
    ");
}

#[test]
fn wrong_limits_say_which_field_and_why() {
    let right = Limits::default();
    let wrong = [
        Limits { max_concurrent: 0, ..right },
        Limits { max_concurrent: Limits::MOST + 1, ..right },
        Limits { max_per_user: 0, ..right },
        Limits { idle_timeout: Duration::ZERO, ..right },
        Limits { max_duration: Duration::ZERO, ..right },
        Limits { max_waiting: Limits::MOST + 1, ..right },
    ];
    let messages: Vec<_> =
        wrong.iter().map(|limits| limits.validate().unwrap_err().to_string()).collect();
    assert_snapshot!(messages.join("\n"), @r"
    max_concurrent is 0, but at least 1 is needed: nobody could ever start
    max_concurrent is 1073741825, but at most 1073741824 can be counted
    max_per_user is 0, but at least 1 is needed: nobody could ever start
    idle_timeout is 0, but at least 1ns is needed: every conversation would end as it starts
    max_duration is 0, but at least 1ns is needed: every conversation would end as it starts
    max_waiting is 1073741825, but at most 1073741824 can be counted
    ");
    assert_eq!(wrong[2].validate().unwrap_err().field(), "max_per_user");
    assert!(matches!(
        conversation_manager::ConversationManager::new(wrong[0]),
        Err(InvalidLimits::Zero { field: "max_concurrent", .. })
    ));
}

#[test]
fn nobody_may_wait_and_one_user_may_have_it_all() {
    assert_eq!(
        Limits { max_waiting: 0, max_per_user: 1_000_000, ..Limits::default() }.validate(),
        Ok(())
    );
}

#[cfg(feature = "serde")]
mod in_files {
    use conversation_manager::{ConversationManager, StartRequest};
    use insta::assert_snapshot;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn limits_are_written_as_people_write_them() {
        let limits = Limits {
            idle_timeout: Duration::from_secs(90),
            max_duration: Duration::from_millis(500),
            ..Limits::default()
        };
        let text = toml::to_string(&limits).unwrap();
        assert_snapshot!(text, @r#"
        max_concurrent = 10
        max_per_user = 3
        idle_timeout = "1m30s"
        max_duration = "500ms"
        max_waiting = 1000
        "#);
        assert_eq!(toml::from_str::<Limits>(&text).unwrap(), limits);
    }

    #[test]
    fn durations_are_read_in_all_the_usual_ways() {
        for (text, seconds) in [
            ("5m", 300.0),
            ("300s", 300.0),
            ("90s", 90.0),
            ("1m30s", 90.0),
            ("1m 30s", 90.0),
            ("500ms", 0.5),
            ("2h", 7200.0),
        ] {
            let limits: Limits = toml::from_str(&format!("idle_timeout = \"{text}\"")).unwrap();
            assert_eq!(limits.idle_timeout, Duration::from_secs_f64(seconds), "{text}");
        }
    }

    #[test]
    fn mistakes_in_a_file_are_named() {
        let mistake = |text| toml::from_str::<Limits>(text).unwrap_err().message().to_owned();
        let all = [
            "idle_timout = \"5m\"",
            "idle_timeout = \"5 parsecs\"",
            "idle_timeout = \"\"",
            "idle_timeout = 300",
            "max_concurrent = -1",
            "max_concurrent = 0",
        ];
        let lines: Vec<_> = all.iter().map(|text| format!("{text} -> {}", mistake(text))).collect();
        assert_snapshot!(lines.join("\n"), @r#"
        idle_timout = "5m" -> unknown field `idle_timout`, expected one of `max_concurrent`, `max_per_user`, `idle_timeout`, `max_duration`, `max_waiting`
        idle_timeout = "5 parsecs" -> invalid value: string "5 parsecs", expected a duration such as "5m", "90s", "1m30s" or "500ms"
        idle_timeout = "" -> invalid value: string "", expected a duration such as "5m", "90s", "1m30s" or "500ms"
        idle_timeout = 300 -> invalid type: integer `300`, expected a duration such as "5m", "90s", "1m30s" or "500ms"
        max_concurrent = -1 -> invalid value: integer `-1`, expected usize
        max_concurrent = 0 -> max_concurrent is 0, but at least 1 is needed: nobody could ever start
        "#);
    }

    #[test]
    fn statistics_and_lists_are_plain_json() {
        let manager = ConversationManager::new(Limits::default()).unwrap();
        let _talking = manager.try_start(StartRequest::new("ada").room("#ops")).unwrap();
        assert_snapshot!(serde_json::to_string_pretty(&manager.stats()).unwrap(), @r#"
        {
          "active": 1,
          "waiting": 0,
          "users": 1,
          "peak_active": 1,
          "peak_waiting": 0,
          "limits": {
            "max_concurrent": 10,
            "max_per_user": 3,
            "idle_timeout": "5m",
            "max_duration": "10m",
            "max_waiting": 1000
          },
          "started_total": 1,
          "refused": {
            "global_limit": 0,
            "user_limit": 0,
            "queue_full": 0,
            "timed_out": 0,
            "shutting_down": 0
          },
          "ended": {
            "completed": 0,
            "failed": 0,
            "abandoned": 0,
            "expired_idle": 0,
            "expired_duration": 0,
            "expired_shutdown": 0
          },
          "cancelled_waits": 0
        }
        "#);
        let active = serde_json::to_value(manager.active()).unwrap();
        assert_eq!(active[0]["user"], "ada");
        assert_eq!(active[0]["room"], "#ops");
        assert!(active[0]["thread"].is_null() && active[0]["started"].is_u64());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn limits_survive_a_file(idle in 1..u64::MAX, longest in 1..u64::MAX, all in 1..1000usize, waiting in 0..1000usize) {
            let limits = Limits {
                max_concurrent: all,
                max_per_user: all,
                idle_timeout: Duration::from_nanos(idle),
                max_duration: Duration::from_nanos(longest),
                max_waiting: waiting,
            };
            let text = toml::to_string(&limits).unwrap();
            prop_assert_eq!(toml::from_str::<Limits>(&text).unwrap(), limits, "{}", text);
        }
    }
}
