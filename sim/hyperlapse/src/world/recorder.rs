//! Takes what happens in a run and leaves a record of it.

use std::collections::BTreeMap;

use crate::decision::{DecisionKind, StrategyChoice};
use crate::event::{Event, EventKind, Keep};
use crate::event_log::EventLog;
use crate::metrics::Collector;
use crate::plan::Plan;
use crate::profile::{ResourceProfile, UserTime};
use crate::property::{Properties, Property};
use crate::record::{Capacity, FaultRecord, Host, MAX_PANICS, Panic, Record};
use crate::scenario::Scenario;
use crate::units;
use crate::world::{Ended, RunOptions};

pub(super) struct Recorder {
    log: EventLog,
    pub(super) collector: Collector,
    pub(super) properties: Properties,
    panics: Vec<Panic>,
    faults: BTreeMap<String, u64>,
    /// Since the run began.
    capacity: Vec<Capacity>,
}

/// Reserved, so that measuring does not grow inside of what it measures.
const LEVELS: usize = 64;
/// A system that resizes itself all the time has a curve of so many points, and no more.
const MOST_LEVELS: usize = 4_096;

impl Recorder {
    pub(super) fn new(
        scenario: &Scenario,
        plan: &Plan,
        keep: Keep,
        properties: &[Property],
    ) -> Self {
        let mut declared = Properties::default();
        declared.declare(properties);
        Self {
            log: EventLog::new(keep),
            collector: Collector::new(
                &plan.kind_of_user,
                scenario.kinds().len(),
                scenario.metrics(),
                units::nanos(scenario.series_step()),
                scenario.views(),
            ),
            properties: declared,
            panics: Vec::new(),
            faults: BTreeMap::new(),
            capacity: Vec::with_capacity(LEVELS),
        }
    }

    /// Takes an event; whether a threshold that ends the run is broken with it.
    pub(super) fn push(&mut self, event: &Event) -> bool {
        if let EventKind::Fault(name) = &event.kind {
            *self.faults.entry(name.to_string()).or_default() += 1;
        }
        self.collector.fold(event);
        self.log.push(event);
        self.collector.broken().is_some()
    }

    pub(super) fn events(&self) -> u64 {
        self.log.count()
    }

    pub(super) fn panic(&mut self, panic: &Panic) {
        if self.panics.len() < MAX_PANICS {
            self.panics.push(panic.clone());
        }
    }

    pub(super) fn capacity(&mut self, at_ns: u64, level: u64) {
        let _uncounted = crate::alloc::uncounted();
        let full = self.capacity.len() == MOST_LEVELS;
        match self.capacity.last_mut() {
            Some(last) if last.level == level => {}
            Some(last) if last.at_ns == at_ns => last.level = level,
            _ if full => {}
            _ => self.capacity.push(Capacity { at_ns, level }),
        }
    }

    pub(super) fn finish(
        self,
        scenario: &Scenario,
        options: RunOptions,
        ended: Ended,
        iterations: u64,
        host: Host,
    ) -> Record {
        let Ended { outcome, virtual_ns, mut memory, io, taken, places, asked, tasks } = ended;
        let kinds: Vec<String> = scenario.kinds().iter().map(|kind| kind.name.clone()).collect();
        let started_ns = self.collector.started_ns();
        let since_load =
            |of: Capacity| Capacity { at_ns: of.at_ns.saturating_sub(started_ns), ..of };
        let capacity = self.capacity.into_iter().map(since_load).collect();
        let (fingerprint, events) = (self.log.fingerprint(), self.log.count());
        let (kept_events, checkpoints) = self.log.into_kept();
        let live_bytes = memory.as_ref().map_or(0, |memory| memory.after);
        let profile = options.profile.then(|| {
            let of_kinds = self.collector.users.time_of_kinds(virtual_ns);
            let names = kinds.iter().map(String::as_str).chain(kinds.is_empty().then_some("users"));
            let users = names.map(str::to_owned).zip(of_kinds.into_iter().map(UserTime::from));
            ResourceProfile { users: users.collect(), tasks }
        });
        let (metrics, live) = self.collector.finish(&kinds, iterations, virtual_ns, live_bytes);
        if let Some(memory) = &mut memory {
            memory.series = live;
        }
        Record {
            scenario: scenario.name().to_owned(),
            system: options.system,
            operation: scenario.operation().to_owned(),
            seed: options.seed,
            clock: options.clock,
            set: options.set,
            fingerprint,
            events,
            virtual_ns,
            outcome,
            metrics,
            capacity,
            properties: self.properties.into_records(virtual_ns),
            panics: self.panics,
            faults: faults(scenario, self.faults, &taken.sites),
            decisions_total: taken.by_kind.values().sum(),
            decisions_by_kind: by_name(&taken.by_kind),
            decisions: taken.decisions,
            replayed: matches!(options.strategy, StrategyChoice::Replay(_)),
            survey: taken.survey,
            parts: taken.parts,
            places,
            asked_random: asked.random,
            asked_clock: asked.clock,
            askers: crate::guard::askers(asked),
            memory,
            io,
            profile,
            kept_events,
            checkpoints,
            host,
        }
    }
}

fn by_name(by_kind: &BTreeMap<DecisionKind, u64>) -> BTreeMap<String, u64> {
    by_kind.iter().map(|(kind, times)| (kind.text().to_owned(), *times)).collect()
}

/// What the scenario asked for, and what was injected besides.
fn faults(
    scenario: &Scenario,
    struck: BTreeMap<String, u64>,
    sites: &BTreeMap<String, u64>,
) -> BTreeMap<String, FaultRecord> {
    let mut faults = BTreeMap::new();
    for fault in scenario.faults() {
        let visits = sites.get(&fault.site).copied().unwrap_or(0);
        let record = FaultRecord { struck: 0, visits: Some(visits), optional: fault.optional };
        faults.insert(fault.name(), record);
    }
    for (name, times) in struck {
        let injected = FaultRecord { struck: 0, visits: None, optional: true };
        faults.entry(name).or_insert(injected).struck = times;
    }
    faults
}
