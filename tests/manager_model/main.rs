//! Random operations on a manager and on a model of it that cannot be wrong in interesting ways.
//!
//! The model keeps every conversation and request that ever was in plain lists, and counts by going through
//! them. After every operation the results must agree, and exactly those who have news must have been woken;
//! looks at the statistics and lists are operations of their own, as a look also settles what is due.

mod by_hand;
mod naive;
mod operations;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;
use std::time::Duration;

use conversation_manager::{
    ActiveConversation, Conversation, ConversationManager, DrainReport, Expiry, Limits, Refused,
};
use proptest::prelude::*;

use by_hand::{ByHand, Task};
use naive::{Fate, Life, Model, name};
use operations::{Op, USERS, limits, op};

type Held = Conversation<ByHand>;

struct Talking {
    talk: usize,
    conversation: Arc<Held>,
    watchers: Vec<Task<Expiry>>,
}

struct Draining {
    task: Task<DrainReport>,
    deadline: u64,
    active: u64,
    cut_before: u64,
    refused: u64,
}

struct Bench {
    clock: ByHand,
    manager: ConversationManager<ByHand>,
    model: Model,
    talking: Vec<Talking>,
    waiting: Vec<(usize, Task<Result<Held, Refused>>)>,
    draining: Vec<Draining>,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let clock = ByHand::default();
        let manager = ConversationManager::with_clock(limits, clock.clone()).unwrap();
        let model = Model {
            now: 0,
            limits,
            closing: false,
            talks: vec![],
            requests: vec![],
            refused_at_once: vec![],
            peak: 0,
        };
        Self { clock, manager, model, talking: vec![], waiting: vec![], draining: vec![] }
    }

    fn hold(&mut self, talk: usize, waited: u64, conversation: Held) {
        assert_eq!(conversation.id().0, talk as u64 + 1);
        assert_eq!(conversation.user(), &name(self.model.talks[talk].user));
        assert_eq!(conversation.started().0, self.model.talks[talk].started);
        assert_eq!(conversation.waited(), Duration::from_nanos(waited));
        self.talking.push(Talking { talk, conversation: Arc::new(conversation), watchers: vec![] });
    }

    fn release(&mut self, n: usize) -> Option<(usize, Held)> {
        let n = pick(n, self.talking.len())?;
        let Talking { talk, conversation, watchers } = self.talking.remove(n);
        drop(watchers);
        Some((talk, Arc::into_inner(conversation).unwrap()))
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::TryStart(user) => {
                match (self.manager.try_start(name(user)), self.model.try_start(user)) {
                    (Ok(conversation), Ok(talk)) => self.hold(talk, 0, conversation),
                    (ours, theirs) => assert_eq!(ours.map(drop), theirs.map(drop)),
                }
            }
            Op::Start(user, within) => {
                let mut task = match within {
                    None => Task::new(self.manager.start(name(user))),
                    Some(within) => Task::new(
                        self.manager.start_within(name(user), Duration::from_nanos(within)),
                    ),
                };
                match (task.poll(), self.model.start(user, within)) {
                    (Poll::Ready(Ok(conversation)), Ok(Some(talk))) => {
                        self.hold(talk, 0, conversation)
                    }
                    (Poll::Ready(Err(ours)), Err(theirs)) => assert_eq!(ours, theirs),
                    (Poll::Pending, Ok(None)) => {
                        self.waiting.push((self.model.requests.len() - 1, task))
                    }
                    (ours, theirs) => panic!("{ours:?}, but the model says {theirs:?}"),
                }
            }
            Op::Poll(n) => {
                let Some(n) = pick(n, self.waiting.len()) else {
                    return;
                };
                let (request, task) = &mut self.waiting[n];
                match (task.poll(), self.model.poll(*request)) {
                    (Poll::Pending, Fate::Waits) => return,
                    (Poll::Ready(Ok(conversation)), Fate::Granted { talk, waited }) => {
                        self.hold(talk, waited, conversation)
                    }
                    (Poll::Ready(Err(ours)), Fate::Refused(theirs)) => assert_eq!(ours, theirs),
                    (ours, theirs) => panic!("{ours:?}, but the model says {theirs:?}"),
                }
                self.waiting.remove(n);
            }
            Op::Cancel(n) => {
                let Some(n) = pick(n, self.waiting.len()) else {
                    return;
                };
                let (request, task) = self.waiting.remove(n);
                drop(task);
                self.model.cancel(request);
            }
            Op::Touch(n) => {
                let Some(n) = pick(n, self.talking.len()) else {
                    return;
                };
                let Talking { talk, conversation, .. } = &self.talking[n];
                assert_eq!(conversation.touch(), self.model.touch(*talk));
            }
            Op::End(n) => {
                let Some((talk, conversation)) = self.release(n) else {
                    return;
                };
                assert_eq!(conversation.end(), self.model.finish(talk, Life::Completed));
            }
            Op::Fail(n) => {
                let Some((talk, conversation)) = self.release(n) else {
                    return;
                };
                assert_eq!(conversation.fail("on purpose"), self.model.finish(talk, Life::Failed));
            }
            Op::Drop(n) => {
                let Some((talk, conversation)) = self.release(n) else {
                    return;
                };
                drop(conversation);
                let _ = self.model.finish(talk, Life::Abandoned);
            }
            Op::Watch(n) => {
                let Some(n) = pick(n, self.talking.len()) else {
                    return;
                };
                self.model.settle();
                let Talking { talk, conversation, watchers } = &mut self.talking[n];
                let conversation = Arc::clone(conversation);
                let mut task = Task::new(async move { conversation.expired().await });
                match (task.poll(), self.model.talks[*talk].life) {
                    (Poll::Ready(ours), Life::Expired(theirs)) => assert_eq!(ours, theirs),
                    (Poll::Pending, Life::Active) => watchers.push(task),
                    (ours, theirs) => panic!("{ours:?}, but the model says {theirs:?}"),
                }
            }
            Op::Unwatch(n) => {
                let Some(n) = pick(n, self.talking.len()) else {
                    return;
                };
                self.talking[n].watchers.pop();
            }
            Op::Advance(nanos) => {
                self.model.now += nanos;
                self.clock.0.store(self.model.now, SeqCst);
            }
            Op::Resize(limits) => {
                self.manager.resize(limits).unwrap();
                self.model.resize(limits);
                assert_eq!(self.manager.limits(), limits);
            }
            Op::Drain(within) => {
                self.model.settle();
                let (active, cut_before) = (
                    self.model.active().count() as u64,
                    self.model.lives(Life::Expired(Expiry::ShutDown)),
                );
                let refused = self.model.close();
                let task = Task::new(self.manager.drain(Duration::from_nanos(within)));
                let deadline = self.model.now + within;
                self.draining.push(Draining { task, deadline, active, cut_before, refused });
                self.poll_drain(self.draining.len() - 1);
            }
            Op::PollDrain(n) => {
                if let Some(n) = pick(n, self.draining.len()) {
                    self.poll_drain(n);
                }
            }
            Op::DropDrain(n) => {
                if let Some(n) = pick(n, self.draining.len()) {
                    self.draining.remove(n);
                }
            }
            Op::Look => self.look(),
        }
        self.check_bells();
    }

    fn poll_drain(&mut self, n: usize) {
        self.model.settle();
        if self.model.now >= self.draining[n].deadline {
            self.model.cut();
        }
        let over = self.model.active().count() == 0;
        match self.draining[n].task.poll() {
            Poll::Pending => assert!(!over, "all are over, but the drain goes on"),
            Poll::Ready(report) => {
                assert!(over, "not all are over, but the drain is: {report:?}");
                let Draining { active, cut_before, refused, .. } = self.draining.remove(n);
                let expired = self.model.lives(Life::Expired(Expiry::ShutDown)) - cut_before;
                assert_eq!(
                    (report.expired, report.ended, report.refused),
                    (expired, active - expired, refused)
                );
            }
        }
    }

    /// Exactly those who have news have been woken.
    fn check_bells(&self) {
        for (request, task) in &self.waiting {
            let fate = &self.model.requests[*request].fate;
            assert_eq!(
                task.rung(),
                *fate != Fate::Waits,
                "the bell of request {request}, which is {fate:?}"
            );
        }
        for Talking { talk, watchers, .. } in &self.talking {
            let life = self.model.talks[*talk].life;
            for watcher in watchers {
                assert_eq!(
                    watcher.rung(),
                    life != Life::Active,
                    "a watcher of {talk}, which is {life:?}"
                );
            }
        }
        for draining in &self.draining {
            assert_eq!(draining.task.rung(), self.model.active().count() == 0);
        }
    }

    fn look(&mut self) {
        self.model.settle();
        let (stats, model) = (self.manager.stats(), &self.model);
        assert_eq!(stats.active, model.active().count() as u64);
        assert_eq!(stats.waiting, model.waiting() as u64);
        assert_eq!(stats.peak_active, model.peak as u64);
        assert_eq!(stats.limits, model.limits);
        assert_eq!(stats.started_total, model.talks.len() as u64);
        let waits = |user| model.requests.iter().any(|r| r.fate == Fate::Waits && r.user == user);
        assert_eq!(
            stats.users,
            (0..USERS).filter(|&u| model.active_of(u) > 0 || waits(u)).count() as u64
        );
        assert_eq!(stats.ended.completed, model.lives(Life::Completed));
        assert_eq!(stats.ended.failed, model.lives(Life::Failed));
        assert_eq!(stats.ended.abandoned, model.lives(Life::Abandoned));
        assert_eq!(stats.ended.expired_idle, model.lives(Life::Expired(Expiry::Idle)));
        assert_eq!(stats.ended.expired_duration, model.lives(Life::Expired(Expiry::MaxDuration)));
        assert_eq!(stats.ended.expired_shutdown, model.lives(Life::Expired(Expiry::ShutDown)));
        assert_eq!(stats.started_total, stats.active + stats.ended.total());
        assert_eq!(stats.refused.global_limit, model.refusals("global limit"));
        assert_eq!(stats.refused.user_limit, model.refusals("user limit"));
        assert_eq!(stats.refused.queue_full, model.refusals("queue full"));
        assert_eq!(stats.refused.timed_out, model.refusals("timed out"));
        assert_eq!(stats.refused.shutting_down, model.refusals("shutting down"));
        let cancelled = model.requests.iter().filter(|r| r.fate == Fate::Cancelled).count();
        assert_eq!(stats.cancelled_waits, cancelled as u64);
        let ours = |found: Vec<ActiveConversation>| -> Vec<_> {
            found.into_iter().map(|a| (a.id.0, a.user, a.started.0, a.touched.0)).collect()
        };
        let theirs = |of: Option<u8>| -> Vec<_> {
            let of_user = model.active().filter(|(_, talk)| of.is_none_or(|of| of == talk.user));
            of_user
                .map(|(n, talk)| (n as u64 + 1, name(talk.user), talk.started, talk.touched))
                .collect()
        };
        assert_eq!(ours(self.manager.active()), theirs(None));
        assert_eq!(ours(self.manager.active_of(&name(0))), theirs(Some(0)));
    }
}

fn pick(n: usize, of: usize) -> Option<usize> {
    (of > 0).then(|| n % of)
}

proptest! {
    // 512 cases; `PROPTEST_CASES` scales them.
    #![proptest_config({
        let usual = ProptestConfig::default();
        ProptestConfig { cases: usual.cases * 2, failure_persistence: None, ..usual }
    })]

    #[test]
    fn the_manager_does_what_the_naive_model_does(limits in limits(), ops in prop::collection::vec(op(), 1..120)) {
        let mut bench = Bench::new(limits);
        for op in &ops {
            bench.step(op);
        }
        bench.look();
        // Whatever happened, when all have let go nothing is left.
        bench.waiting.clear();
        bench.talking.clear();
        bench.draining.clear();
        let stats = bench.manager.stats();
        prop_assert_eq!((stats.active, stats.waiting, stats.users), (0, 0, 0));
        prop_assert_eq!(stats.started_total, stats.ended.total());
    }
}
