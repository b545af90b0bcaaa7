//! Random operations on a manager and on a model of it that cannot be wrong in interesting ways.
//!
//! The model keeps every conversation and request that ever was in plain lists, and counts by going through
//! them. After every operation the results must agree, and exactly those who have news must have been woken;
//! looks at the statistics and lists are operations of their own, as a look also settles what is due.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use conversation_manager::{
    Clock, Conversation, ConversationId, ConversationManager, DrainReport, Ended, Expiry, Limits,
    Refused, Timestamp, UserId,
};
use proptest::prelude::*;

// ---- the model ----

#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    Active,
    Completed,
    Failed,
    Abandoned,
    Expired(Expiry),
}

#[derive(Clone, Debug)]
struct Talk {
    user: u8,
    started: u64,
    touched: u64,
    life: Life,
}

#[derive(Clone, Debug, PartialEq)]
enum Fate {
    Waits,
    Granted { talk: usize, waited: u64 },
    Refused(Refused),
    Cancelled,
}

#[derive(Clone, Debug)]
struct Request {
    user: u8,
    since: u64,
    until: u64,
    fate: Fate,
}

struct Model {
    now: u64,
    limits: Limits,
    closing: bool,
    talks: Vec<Talk>,
    /// In the order of arrival; only those who had to wait.
    requests: Vec<Request>,
    refused_at_once: Vec<Refused>,
    peak: usize,
}

fn name(user: u8) -> UserId {
    UserId::from(format!("user-{user}"))
}

impl Model {
    fn active(&self) -> impl Iterator<Item = (usize, &Talk)> {
        self.talks
            .iter()
            .enumerate()
            .filter(|(_, talk)| talk.life == Life::Active)
    }

    fn active_of(&self, user: u8) -> usize {
        self.active().filter(|(_, talk)| talk.user == user).count()
    }

    fn waiting(&self) -> usize {
        self.requests
            .iter()
            .filter(|request| request.fate == Fate::Waits)
            .count()
    }

    fn settle(&mut self) {
        let now = self.now;
        for request in self
            .requests
            .iter_mut()
            .filter(|r| r.fate == Fate::Waits && r.until < now)
        {
            request.fate = Fate::Refused(Refused::TimedOut {
                waited: Duration::from_nanos(now - request.since),
            });
        }
        let (idle, longest) = (
            self.limits.idle_timeout.as_nanos() as u64,
            self.limits.max_duration.as_nanos() as u64,
        );
        for talk in self
            .talks
            .iter_mut()
            .filter(|talk| talk.life == Life::Active)
        {
            let (lasts, idles) = (talk.started + longest, talk.touched + idle);
            if lasts.min(idles) <= now {
                talk.life = Life::Expired(if lasts <= idles {
                    Expiry::MaxDuration
                } else {
                    Expiry::Idle
                });
            }
        }
        self.serve();
    }

    /// The first who may start does, until there are no slots or nobody may.
    fn serve(&mut self) {
        while self.active().count() < self.limits.max_concurrent {
            let may = |r: &Request| {
                r.fate == Fate::Waits && self.active_of(r.user) < self.limits.max_per_user
            };
            let Some(next) = self.requests.iter().position(may) else {
                break;
            };
            let (user, waited) = (
                self.requests[next].user,
                self.now - self.requests[next].since,
            );
            let talk = self.open(user);
            self.requests[next].fate = Fate::Granted { talk, waited };
        }
    }

    fn open(&mut self, user: u8) -> usize {
        self.talks.push(Talk {
            user,
            started: self.now,
            touched: self.now,
            life: Life::Active,
        });
        self.peak = self.peak.max(self.active().count());
        self.talks.len() - 1
    }

    fn admit(&mut self, user: u8) -> Result<usize, Refused> {
        let (active, of_user) = (self.active().count(), self.active_of(user));
        let Limits {
            max_concurrent,
            max_per_user,
            ..
        } = self.limits;
        if self.closing {
            Err(Refused::ShuttingDown)
        } else if active >= max_concurrent {
            Err(Refused::GlobalLimit {
                active,
                limit: max_concurrent,
            })
        } else if of_user >= max_per_user {
            Err(Refused::UserLimit {
                user: name(user),
                active: of_user,
                limit: max_per_user,
            })
        } else {
            Ok(self.open(user))
        }
    }

    fn refuse(&mut self, refused: Refused) -> Refused {
        self.refused_at_once.push(refused.clone());
        refused
    }

    fn try_start(&mut self, user: u8) -> Result<usize, Refused> {
        self.settle();
        self.admit(user).map_err(|refused| self.refuse(refused))
    }

    /// `Ok(None)`: it waits, as the last of `requests`.
    fn start(&mut self, user: u8, within: Option<u64>) -> Result<Option<usize>, Refused> {
        self.settle();
        match self.admit(user) {
            Ok(talk) => Ok(Some(talk)),
            Err(Refused::ShuttingDown) => Err(self.refuse(Refused::ShuttingDown)),
            Err(_) => {
                let (waiting, limit) = (self.waiting(), self.limits.max_waiting);
                if waiting >= limit {
                    return Err(self.refuse(Refused::QueueFull { waiting, limit }));
                }
                if within == Some(0) {
                    return Err(self.refuse(Refused::TimedOut {
                        waited: Duration::ZERO,
                    }));
                }
                let until = within.map_or(u64::MAX, |within| self.now + within);
                self.requests.push(Request {
                    user,
                    since: self.now,
                    until,
                    fate: Fate::Waits,
                });
                Ok(None)
            }
        }
    }

    fn poll(&mut self, request: usize) -> Fate {
        self.settle();
        let request = &mut self.requests[request];
        if request.fate == Fate::Waits && request.until <= self.now {
            let waited = Duration::from_nanos(self.now - request.since);
            request.fate = Fate::Refused(Refused::TimedOut { waited });
        }
        request.fate.clone()
    }

    fn cancel(&mut self, request: usize) {
        self.settle();
        match self.requests[request].fate {
            Fate::Waits => self.requests[request].fate = Fate::Cancelled,
            Fate::Granted { talk, .. } => drop(self.finish(talk, Life::Abandoned)),
            _ => {}
        }
    }

    fn ended(&self, talk: usize) -> Result<(), Ended> {
        match self.talks[talk].life {
            Life::Expired(how) => Err(Ended {
                id: ConversationId(talk as u64 + 1),
                how,
            }),
            _ => Ok(()),
        }
    }

    fn touch(&mut self, talk: usize) -> Result<(), Ended> {
        self.settle();
        self.ended(talk)?;
        self.talks[talk].touched = self.now;
        Ok(())
    }

    fn finish(&mut self, talk: usize, life: Life) -> Result<(), Ended> {
        self.settle();
        self.ended(talk)?;
        self.talks[talk].life = life;
        self.serve();
        Ok(())
    }

    fn resize(&mut self, limits: Limits) {
        self.settle();
        self.limits = limits;
        self.settle();
    }

    fn close(&mut self) -> u64 {
        self.settle();
        self.closing = true;
        let waiting = self.waiting() as u64;
        for request in self.requests.iter_mut().filter(|r| r.fate == Fate::Waits) {
            request.fate = Fate::Refused(Refused::ShuttingDown);
        }
        waiting
    }

    fn cut(&mut self) {
        self.settle();
        for talk in self
            .talks
            .iter_mut()
            .filter(|talk| talk.life == Life::Active)
        {
            talk.life = Life::Expired(Expiry::ShutDown);
        }
    }

    fn lives(&self, life: Life) -> u64 {
        self.talks.iter().filter(|talk| talk.life == life).count() as u64
    }

    fn refusals(&self, reason: &str) -> u64 {
        let waited = self.requests.iter().filter_map(|r| {
            if let Fate::Refused(refused) = &r.fate {
                Some(refused)
            } else {
                None
            }
        });
        self.refused_at_once
            .iter()
            .chain(waited)
            .filter(|refused| refused.reason() == reason)
            .count() as u64
    }
}

// ---- the manager, held by hand ----

#[derive(Clone, Default)]
struct ByHand(Arc<AtomicU64>);

impl Clock for ByHand {
    type Sleep = std::future::Pending<()>;
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(SeqCst))
    }
    fn sleep_until(&self, _: Timestamp) -> Self::Sleep {
        std::future::pending()
    }
}

#[derive(Default)]
struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// A future with a bell of its own.
struct Task<T> {
    future: Pin<Box<dyn Future<Output = T> + Send>>,
    bell: Arc<Bell>,
}

impl<T> Task<T> {
    fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self {
            future: Box::pin(future),
            bell: Arc::default(),
        }
    }

    fn poll(&mut self) -> Poll<T> {
        // A new waker each time: the manager must ring the last one.
        self.bell = Arc::default();
        self.future
            .as_mut()
            .poll(&mut Context::from_waker(&Waker::from(Arc::clone(
                &self.bell,
            ))))
    }

    fn rung(&self) -> bool {
        self.bell.0.load(SeqCst)
    }
}

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
        Self {
            clock,
            manager,
            model,
            talking: vec![],
            waiting: vec![],
            draining: vec![],
        }
    }

    fn hold(&mut self, talk: usize, waited: u64, conversation: Held) {
        assert_eq!(conversation.id().0, talk as u64 + 1);
        assert_eq!(conversation.user(), &name(self.model.talks[talk].user));
        assert_eq!(conversation.started().0, self.model.talks[talk].started);
        assert_eq!(conversation.waited(), Duration::from_nanos(waited));
        self.talking.push(Talking {
            talk,
            conversation: Arc::new(conversation),
            watchers: vec![],
        });
    }

    fn release(&mut self, n: usize) -> Option<(usize, Held)> {
        let n = pick(n, self.talking.len())?;
        let Talking {
            talk,
            conversation,
            watchers,
        } = self.talking.remove(n);
        drop(watchers);
        Some((talk, Arc::into_inner(conversation).unwrap()))
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::TryStart(user) => match (
                self.manager.try_start(name(user)),
                self.model.try_start(user),
            ) {
                (Ok(conversation), Ok(talk)) => self.hold(talk, 0, conversation),
                (ours, theirs) => assert_eq!(ours.map(drop), theirs.map(drop)),
            },
            Op::Start(user, within) => {
                let mut task = match within {
                    None => Task::new(self.manager.start(name(user))),
                    Some(within) => Task::new(
                        self.manager
                            .start_within(name(user), Duration::from_nanos(within)),
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
                let Talking {
                    talk, conversation, ..
                } = &self.talking[n];
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
                assert_eq!(
                    conversation.fail("on purpose"),
                    self.model.finish(talk, Life::Failed)
                );
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
                let Talking {
                    talk,
                    conversation,
                    watchers,
                } = &mut self.talking[n];
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
                self.draining.push(Draining {
                    task,
                    deadline,
                    active,
                    cut_before,
                    refused,
                });
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
                let Draining {
                    active,
                    cut_before,
                    refused,
                    ..
                } = self.draining.remove(n);
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
        let waits = |user| {
            model
                .requests
                .iter()
                .any(|r| r.fate == Fate::Waits && r.user == user)
        };
        assert_eq!(
            stats.users,
            (0..USERS)
                .filter(|&u| model.active_of(u) > 0 || waits(u))
                .count() as u64
        );
        assert_eq!(stats.ended.completed, model.lives(Life::Completed));
        assert_eq!(stats.ended.failed, model.lives(Life::Failed));
        assert_eq!(stats.ended.abandoned, model.lives(Life::Abandoned));
        assert_eq!(
            stats.ended.expired_idle,
            model.lives(Life::Expired(Expiry::Idle))
        );
        assert_eq!(
            stats.ended.expired_duration,
            model.lives(Life::Expired(Expiry::MaxDuration))
        );
        assert_eq!(
            stats.ended.expired_shutdown,
            model.lives(Life::Expired(Expiry::ShutDown))
        );
        assert_eq!(stats.started_total, stats.active + stats.ended.total());
        assert_eq!(stats.refused.global_limit, model.refusals("global limit"));
        assert_eq!(stats.refused.user_limit, model.refusals("user limit"));
        assert_eq!(stats.refused.queue_full, model.refusals("queue full"));
        assert_eq!(stats.refused.timed_out, model.refusals("timed out"));
        assert_eq!(stats.refused.shutting_down, model.refusals("shutting down"));
        let cancelled = model
            .requests
            .iter()
            .filter(|r| r.fate == Fate::Cancelled)
            .count();
        assert_eq!(stats.cancelled_waits, cancelled as u64);
        let ours = |found: Vec<conversation_manager::ActiveConversation>| -> Vec<_> {
            found
                .into_iter()
                .map(|a| (a.id.0, a.user, a.started.0, a.touched.0))
                .collect()
        };
        let theirs = |of: Option<u8>| -> Vec<_> {
            let of_user = model
                .active()
                .filter(|(_, talk)| of.is_none_or(|of| of == talk.user));
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

// ---- the operations ----

const USERS: u8 = 4;

#[derive(Clone, Debug)]
enum Op {
    TryStart(u8),
    Start(u8, Option<u64>),
    Poll(usize),
    Cancel(usize),
    Touch(usize),
    End(usize),
    Fail(usize),
    Drop(usize),
    Watch(usize),
    Unwatch(usize),
    Advance(u64),
    Resize(Limits),
    Drain(u64),
    PollDrain(usize),
    DropDrain(usize),
    Look,
}

fn limits() -> impl Strategy<Value = Limits> {
    (1..6usize, 1..4usize, 1..40u64, 1..60u64, 0..6usize).prop_map(
        |(all, one, idle, longest, waiting)| Limits {
            max_concurrent: all,
            max_per_user: one,
            idle_timeout: Duration::from_nanos(idle),
            max_duration: Duration::from_nanos(longest),
            max_waiting: waiting,
        },
    )
}

fn op() -> impl Strategy<Value = Op> {
    let any = 0..100usize;
    prop_oneof![
        12 => (0..USERS).prop_map(Op::TryStart),
        16 => (0..USERS, prop::option::of(0..20u64)).prop_map(|(user, within)| Op::Start(user, within)),
        12 => any.clone().prop_map(Op::Poll),
        6 => any.clone().prop_map(Op::Cancel),
        10 => any.clone().prop_map(Op::Touch),
        8 => any.clone().prop_map(Op::End),
        2 => any.clone().prop_map(Op::Fail),
        4 => any.clone().prop_map(Op::Drop),
        6 => any.clone().prop_map(Op::Watch),
        2 => any.clone().prop_map(Op::Unwatch),
        12 => (0..12u64).prop_map(Op::Advance),
        3 => limits().prop_map(Op::Resize),
        1 => (0..30u64).prop_map(Op::Drain),
        1 => any.clone().prop_map(Op::PollDrain),
        1 => any.prop_map(Op::DropDrain),
        8 => Just(Op::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

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
