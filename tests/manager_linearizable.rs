//! The manager against its sequential model: whatever many users ask at once, there is an order of it that a manager
//! would answer alike that serves one after the other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use conversation_load::bot::{ManagedBot, System};
use conversation_load::zoo::MEMBERS;
use conversation_manager::{Limits, UserId};
use hyperlapse::check::linearizable::{History, Model, Outcome};
use hyperlapse::decision::{DecisionKind, StrategyChoice};
use hyperlapse::{PerUserIterations, RandomExt, RunOptions, Scenario};

const LIMITS: Limits = Limits {
    max_concurrent: 2,
    max_per_user: 1,
    idle_timeout: Duration::from_secs(60),
    max_duration: Duration::from_secs(60),
    max_waiting: 100,
};

/// Steps of the search, far above what these histories take.
const STEPS: u64 = 5_000_000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    /// Now or not at all.
    TryStart(u32),
    /// After a wait where need be.
    Start(u32),
    End(u32),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    Done,
    Refused(&'static str),
}

/// A manager that serves one call after the other: how many conversations each user has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Sequential(BTreeMap<u32, usize>);

impl Sequential {
    fn refusal(&self, user: u32) -> Option<&'static str> {
        if self.0.values().sum::<usize>() >= LIMITS.max_concurrent {
            return Some("global limit");
        }
        let of_user = self.0.get(&user).copied().unwrap_or(0);
        (of_user >= LIMITS.max_per_user).then_some("user limit")
    }
}

impl Model for Sequential {
    type Call = Call;
    type Answer = Answer;

    fn step(&self, call: &Call, answer: Option<&Answer>) -> Option<Self> {
        let mut after = self.clone();
        let user = match call {
            Call::TryStart(user) | Call::Start(user) => user,
            Call::End(user) => {
                let of_user = after.0.get_mut(user)?;
                *of_user -= 1;
                if *of_user == 0 {
                    after.0.remove(user);
                }
                return Some(after);
            }
        };
        match (self.refusal(*user), answer?) {
            (None, Answer::Done) => *after.0.entry(*user).or_default() += 1,
            (Some(reason), Answer::Refused(told)) if reason == *told => {}
            _ => return None,
        }
        Some(after)
    }
}

type Calls = History<Call, Answer>;

async fn visit(bot: &System, calls: &Calls, user: u32, waits: bool, stays: Duration) {
    let name = UserId::new(format!("user-{user}"));
    let call = calls.call(if waits { Call::Start(user) } else { Call::TryStart(user) });
    let started = if waits { bot.start(&name).await } else { bot.try_start(&name).come().await };
    let talk = match started {
        Ok(talk) => talk,
        Err(reason) => return call.returned(Answer::Refused(reason)),
    };
    call.returned(Answer::Done);
    tokio::time::sleep(stays).await;
    let call = calls.call(Call::End(user));
    talk.end().come().await.expect("its time is not over");
    call.returned(Answer::Done);
}

/// The history of a simulated load, in an order that the seed bends.
fn simulated(make: impl Fn() -> System + Send + 'static, seed: u64) -> Calls {
    let load = PerUserIterations::new(6, 3).pause(Duration::from_millis(1));
    let bends = [DecisionKind::Yield, DecisionKind::Postpone, DecisionKind::Delay];
    let scenario = Scenario::builder("history", load).decisions(bends).build().unwrap();
    let options = RunOptions { strategy: StrategyChoice::Random, ..RunOptions::seed(seed) };
    let calls = Calls::new();
    let taken = calls.clone();
    hyperlapse::run(&scenario, options, move |sim| async move {
        let bot = make();
        sim.drive(move |user| {
            let (bot, calls) = (Arc::clone(&bot), taken.clone());
            async move {
                let mut draw = user.rng("visit");
                let (waits, stays) = (draw.chance(1, 2), Duration::from_millis(draw.below(3)));
                // Three names for six users, so that both limits matter.
                visit(&bot, &calls, user.id() / 2, waits, stays).await;
            }
        })
        .await;
    });
    assert!(calls.len() >= 18, "{} calls", calls.len());
    calls
}

#[test]
fn what_the_manager_does_under_a_bent_load_is_linearizable() {
    for seed in 0..300 {
        let calls = simulated(|| Arc::new(ManagedBot::new(LIMITS)), seed);
        let outcome = calls.check(&Sequential::default(), STEPS);
        assert_eq!(outcome, Outcome::Linearizable, "seed {seed}");
    }
}

#[test]
fn what_the_manager_does_on_real_threads_is_linearizable() {
    for _ in 0..20 {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .enable_time()
            .build()
            .unwrap();
        let calls = Calls::new();
        runtime.block_on(async {
            let bot: System = Arc::new(ManagedBot::new(LIMITS));
            let users: Vec<_> = (0..6)
                .map(|user| {
                    let (bot, calls) = (Arc::clone(&bot), calls.clone());
                    tokio::spawn(async move {
                        for n in 0..10 {
                            let waits = (user + n) % 2 == 0;
                            visit(&bot, &calls, user / 2, waits, Duration::ZERO).await;
                        }
                    })
                })
                .collect();
            for user in users {
                user.await.unwrap();
            }
        });
        assert_eq!(calls.check(&Sequential::default(), STEPS), Outcome::Linearizable);
    }
}

#[test]
fn bots_that_break_their_limit_are_not_linearizable() {
    // The first is right, the others let too many in: one always, one when the order of tasks is bent.
    for (name, broken) in [("handmade", false), ("off-by-one", true), ("check-then-act", true)] {
        if name == "check-then-act" && cfg!(not(tokio_unstable)) {
            continue;
        }
        let member = MEMBERS.iter().find(|member| member.name == name).unwrap();
        let outcomes: Vec<Outcome> = (0..200)
            .map(|seed| simulated(|| (member.make)(LIMITS), seed))
            .map(|calls| calls.check(&Sequential::default(), STEPS))
            .collect();
        let found = outcomes.iter().find(|outcome| **outcome != Outcome::Linearizable);
        match found {
            None => assert!(!broken, "{name} is not found in 200 seeds"),
            Some(Outcome::Broken { stuck, .. }) => {
                assert!(broken && stuck.contains("tart("), "{name}: {stuck}");
            }
            Some(other) => panic!("{name}: {other:?}"),
        }
    }
}
