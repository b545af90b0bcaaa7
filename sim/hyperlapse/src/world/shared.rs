//! What all handles of one run share: its scenario and plan, its clock, the record that it writes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::biased::Biased;
use super::context::{self, Life};
use super::drive::Wanted;
use super::moved::Moved;
use super::recorder::Recorder;
use super::{Ended, Reached, RunOptions, real};
use crate::alloc;
use crate::clock::Clock;
use crate::decision::{DecisionKind, Fault, Strategy, StrategyChoice};
use crate::event::{Actor, Event, EventKind};
use crate::metrics::{Memory, Tags};
use crate::plan::Plan;
use crate::property::Property;
use crate::random::Streams;
use crate::record::{Host, Outcome, Record};
use crate::scenario::Scenario;
use crate::units;

/// What all handles of one run share.
pub(crate) struct Shared {
    pub(super) scenario: Scenario,
    pub(super) plan: Plan,
    pub(super) streams: Streams,
    strategy: StrategyChoice,
    pub(super) clock: Clock,
    /// What the process under test takes, on the real clock.
    pub(super) process: real::Process,
    start: OnceLock<Instant>,
    recorder: Biased<Recording>,
    last_event_ns: AtomicU64,
    /// On several threads: how far the record has come.
    recorded_ns: AtomicU64,
    memory: Mutex<MemoryMarks>,
    moved: Moved,
    operations: AtomicU64,
    iterations: AtomicU64,
    driven: AtomicBool,
    aborted: OnceLock<Outcome>,
    pub(super) wanted: Wanted,
    pub(super) life: Life,
    reached: Option<Reached>,
}

/// Where a run's record is in its life.
enum Recording {
    /// It is being written.
    Open(Box<Recorder>),
    /// The run is over: what happens while tasks are torn down is not part of it.
    Closed(Box<Recorder>),
    /// It was handed over.
    Taken,
}

#[derive(Default)]
struct MemoryMarks {
    before: Option<(i64, u64)>,
    after: Option<Memory>,
}

impl Shared {
    pub(super) fn new(scenario: &Scenario, options: &RunOptions) -> Self {
        let plan = Plan::new(scenario, options.seed);
        let mut recorder = Recorder::new(scenario, &plan, options.keep, &options.properties);
        let process = real::Process::default();
        if options.clock == Clock::Real {
            recorder.collector.watch_memory(process.resident());
        }
        Self {
            scenario: scenario.clone(),
            plan,
            streams: Streams::new(options.seed),
            strategy: options.strategy.clone(),
            clock: options.clock,
            process,
            start: OnceLock::new(),
            recorder: Biased::new(Recording::Open(Box::new(recorder))),
            last_event_ns: AtomicU64::new(0),
            recorded_ns: AtomicU64::new(0),
            memory: Mutex::default(),
            moved: Moved::default(),
            operations: AtomicU64::new(0),
            iterations: AtomicU64::new(0),
            driven: AtomicBool::new(false),
            aborted: OnceLock::new(),
            wanted: Wanted::default(),
            life: Life::default(),
            reached: options.reached.clone(),
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(super) fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    pub(super) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// What bends this run.
    pub(super) fn strategy(&self) -> Option<Box<dyn Strategy>> {
        self.strategy.make(&self.streams, self.scenario.decisions(), self.scenario.faults())
    }

    /// Whether it is to be found out where operations could be cancelled.
    pub(super) fn surveys(&self) -> bool {
        self.strategy == StrategyChoice::CancelEach
    }

    /// What a dependency says when it fails at this site.
    pub(super) fn fault_error(&self, site: &str) -> String {
        let at_site = |fault: &&Fault| fault.site == site && fault.kind == DecisionKind::Error;
        let fault = self.scenario.faults().iter().find(at_site);
        fault.map_or_else(|| "injected error".to_owned(), |fault| fault.error.clone())
    }

    pub(super) fn start_clock(&self) {
        self.start.set(Instant::now()).expect("the clock of a run is started once");
    }

    /// Virtual time since the start, in nanoseconds.
    #[inline]
    pub(super) fn now_ns(&self) -> u64 {
        context::now_ns(self)
    }

    /// The same as tokio's clock says now.
    pub(super) fn read_clock(&self) -> u64 {
        self.start.get().map_or(0, |start| units::nanos(start.elapsed()))
    }

    /// The moment so long after the start.
    ///
    /// Whoever sleeps for a while need not ask tokio's clock for the time, as `tokio::time::sleep` does: the world
    /// has read it in this poll already.
    #[inline]
    pub(super) fn instant(&self, at: Duration) -> Instant {
        /// What tokio itself takes for "far in the future".
        const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);
        let start = *self.start.get().expect("nobody sleeps before the clock runs");
        start.checked_add(at).unwrap_or_else(|| start + FAR)
    }

    /// Tells who waits how far the run has come.
    pub(super) fn tell_reached(&self, now_ns: u64) {
        if let Some(reached) = &self.reached {
            reached.tell(now_ns);
        }
    }

    /// This moment, without a look at tokio's clock.
    pub(super) fn now(&self) -> Instant {
        self.instant(Duration::from_nanos(self.now_ns()))
    }

    /// The number of the next operation, from 0.
    pub(super) fn next_operation(&self) -> u64 {
        self.next(&self.operations)
    }

    /// Counts one, and gives what was before.
    fn next(&self, counter: &AtomicU64) -> u64 {
        if self.clock == Clock::Real {
            return counter.fetch_add(1, Ordering::Relaxed);
        }
        // Only the run's own thread counts: no need to pay for a locked instruction.
        let number = counter.load(Ordering::Relaxed);
        counter.store(number + 1, Ordering::Relaxed);
        number
    }

    /// Counts an iteration that begins.
    pub(super) fn iteration_begins(&self) {
        self.next(&self.iterations);
    }

    /// How many users the script wants.
    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Whether this is the first load that the run drives.
    pub(super) fn drives_first(&self) -> bool {
        !self.driven.swap(true, Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn emit(&self, actor: Actor, kind: EventKind) {
        self.emit_tagged(actor, kind, Tags::default());
    }

    /// Inlined, and then only lent: an event that is passed on by value is moved in parts that are read as one, for
    /// which a processor waits until they are stored (30 ns a conversation). The log copies what it keeps.
    #[inline(always)]
    pub(super) fn emit_tagged(&self, actor: Actor, kind: EventKind, tags: Tags) {
        let event = Event { at_ns: self.now_ns(), actor, kind, tags };
        match self.clock {
            Clock::Virtual => self.record(&event),
            Clock::Real => self.record_in_order(event),
        }
    }

    fn record(&self, event: &Event) {
        self.life.beat();
        self.recorder.with(|recording| self.push(recording, event));
        self.look_if_it_starts(event);
    }

    /// The same on several threads. Who looked at the clock first need not come to the record first: whoever comes behind a
    /// later one is told at the time of that, some microseconds late. The record goes on in the order of its times.
    #[cold]
    fn record_in_order(&self, mut event: Event) {
        self.life.beat();
        self.recorder.with(|recording| {
            event.at_ns = self.in_order(event.at_ns);
            self.push(recording, &event);
        });
        self.look_if_it_starts(&event);
    }

    /// This moment, or the last one that the record has come to. For whoever is inside of the recorder, on several threads.
    fn in_order(&self, at_ns: u64) -> u64 {
        at_ns.max(self.recorded_ns.fetch_max(at_ns, Ordering::Relaxed))
    }

    #[inline(always)]
    fn push(&self, recording: &mut Recording, event: &Event) {
        if let Recording::Open(recorder) = recording {
            self.last_event_ns.store(event.at_ns, Ordering::Relaxed);
            // Nothing of the recorder's counts.
            let _uncounted = alloc::uncounted();
            if recorder.push(event) {
                self.abort(recording, event.at_ns);
            }
        }
    }

    #[inline(always)]
    fn look_if_it_starts(&self, event: &Event) {
        if matches!(event.kind, EventKind::LoadStarted) {
            self.life.look();
        }
    }

    /// Looks whether a window that ends now breaks a threshold for good.
    pub(super) fn look(&self) {
        let now_ns = self.now_ns();
        let _uncounted = alloc::uncounted();
        self.recorder.with(|recording| {
            let now_ns = if self.clock == Clock::Real { self.in_order(now_ns) } else { now_ns };
            if let Recording::Open(recorder) = recording {
                recorder.collector.come_to(now_ns);
                if recorder.collector.broken().is_some() {
                    self.abort(recording, now_ns);
                }
            }
        });
    }

    /// When to look next, in virtual time since the start.
    pub(super) fn next_look_ns(&self) -> Option<u64> {
        self.with(|recorder| recorder.collector.next_look_ns())
    }

    /// Ends the run here: what tasks do until they are torn down is not part of it.
    #[cold]
    fn abort(&self, recording: &mut Recording, at_ns: u64) {
        let Recording::Open(mut open) = std::mem::replace(recording, Recording::Taken) else {
            return;
        };
        if let Some(broken) = open.collector.broken() {
            let threshold = self.scenario.thresholds()[broken.threshold].to_string();
            let kind = EventKind::Aborted(threshold.clone().into());
            open.push(&Event::new(at_ns, Actor::World, kind));
            let _ = self.aborted.set(Outcome::Aborted { threshold, at_ns });
        }
        *recording = Recording::Closed(open);
        self.life.look();
    }

    /// How the run ended, if a threshold ended it.
    pub(super) fn aborted(&self) -> Option<Outcome> {
        self.aborted.get().cloned()
    }

    /// When the clock was started.
    pub(super) fn started(&self) -> Instant {
        *self.start.get().expect("the clock was started before anybody looks at it")
    }

    /// What `f` allocates does not count as the run's; it must not free what does.
    pub(super) fn with<T: Default>(&self, f: impl FnOnce(&mut Recorder) -> T) -> T {
        let _uncounted = alloc::uncounted();
        self.with_open(f)
    }

    fn with_open<T: Default>(&self, f: impl FnOnce(&mut Recorder) -> T) -> T {
        let done = self.recorder.with(|recording| match recording {
            Recording::Open(recorder) => Some(f(recorder)),
            Recording::Closed(_) | Recording::Taken => None,
        });
        done.flatten().unwrap_or_default()
    }

    /// Counts one check that holds: the way that nearly all of them go.
    pub(super) fn holds(&self, property: &Property) {
        let at_ns = self.now_ns();
        // Nothing of the scenario's runs, and nothing panics, while the recorder is locked.
        let counted = self.with_open(|recorder| Some(recorder.properties.holds(property, at_ns)));
        // `None`: the run is over.
        if let Some(Err(wrong_kind)) = counted {
            panic!("{wrong_kind}");
        }
    }

    /// Counts one check that does not hold.
    #[cold]
    pub(super) fn fails(&self, property: &Property, detail: String) {
        let at_ns = self.now_ns();
        match self.with(|recorder| Some(recorder.properties.fails(property, at_ns, &detail))) {
            Some(Err(wrong_kind)) => panic!("{wrong_kind}"),
            Some(Ok(true)) => {
                let property = property.name().into();
                self.emit(context::actor(), EventKind::Violated { property, detail });
            }
            Some(Ok(false)) | None => {}
        }
    }

    /// The record is written by this thread from here on.
    pub(super) fn open(&self) {
        self.recorder.own();
    }

    /// The record is complete.
    pub(super) fn close(&self) {
        self.recorder.with(|recording| {
            *recording = match std::mem::replace(recording, Recording::Taken) {
                Recording::Open(open) => Recording::Closed(open),
                // The watcher has given the run up meanwhile.
                other => other,
            };
        });
        self.recorder.disown();
    }

    pub(super) fn last_event_ns(&self) -> u64 {
        self.last_event_ns.load(Ordering::Relaxed)
    }

    pub(super) fn mark_memory_before(&self) {
        if self.clock == Clock::Real {
            return self.process.begin();
        }
        let mut marks = lock(&self.memory);
        alloc::reset_peak();
        marks.before = Some((alloc::live_bytes(), alloc::allocations()));
    }

    /// The load is over: what was moved, and the heap, are those of this moment. The first time counts.
    pub(super) fn mark_after(&self) {
        self.mark_memory_after();
        let _uncounted = alloc::uncounted();
        self.moved.over();
    }

    /// What disks and links did until the load was over.
    pub(super) fn moved(&self) -> &Moved {
        &self.moved
    }

    /// The first mark counts.
    pub(super) fn mark_memory_after(&self) {
        if self.clock == Clock::Real {
            return self.process.end();
        }
        let mut marks = lock(&self.memory);
        if let (Some((before, allocations)), None) = (marks.before, &marks.after) {
            let (after, peak) = (alloc::live_bytes(), alloc::peak_bytes());
            marks.after = Some(Memory {
                before,
                after,
                peak,
                growth: after - before,
                allocations: alloc::allocations() - allocations,
                series: Vec::new(),
            });
        }
    }

    pub(super) fn memory(&self) -> Option<Memory> {
        self.mark_after();
        if self.clock == Clock::Real {
            return self.process.memory();
        }
        lock(&self.memory).after.clone().filter(|_| alloc::is_counting())
    }

    pub(super) fn into_record(
        self: Arc<Self>,
        options: RunOptions,
        ended: Ended,
        host: Host,
    ) -> Record {
        // That of a run that hangs is still open; whatever comes after this finds it taken.
        let recording = self.recorder.with(|it| std::mem::replace(it, Recording::Taken));
        let recorder = match recording {
            Some(Recording::Open(recorder) | Recording::Closed(recorder)) => recorder,
            Some(Recording::Taken) | None => panic!("the record of a run is taken once"),
        };
        let iterations = self.iterations.load(Ordering::Relaxed);
        recorder.finish(&self.scenario, options, ended, iterations, host)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // What is done under these locks cannot panic half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
