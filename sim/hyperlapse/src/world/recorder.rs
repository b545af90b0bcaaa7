//! Takes what happens in a run and leaves a record of it.

use std::collections::BTreeMap;

use crate::event::{Event, EventKind, EventLog, Keep};
use crate::metrics::Collector;
use crate::plan::Plan;
use crate::property::{Properties, Property};
use crate::record::{Host, MAX_PANICS, Panic, Record};
use crate::scenario::Scenario;
use crate::units;
use crate::world::{Ended, RunOptions};

pub(super) struct Recorder {
    log: EventLog,
    pub(super) collector: Collector,
    pub(super) properties: Properties,
    panics: Vec<Panic>,
    faults: BTreeMap<String, u64>,
}

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
                plan.kind_of_user.iter().copied(),
                scenario.kinds().len(),
                units::nanos(scenario.series_step()),
                &scenario.windows_ns(),
                units::nanos(plan.expected()),
            ),
            properties: declared,
            panics: Vec::new(),
            faults: BTreeMap::new(),
        }
    }

    pub(super) fn push(&mut self, event: Event) {
        if let EventKind::Fault(name) = &event.kind {
            *self.faults.entry(name.to_string()).or_default() += 1;
        }
        self.collector.fold(&event);
        self.log.push(event);
    }

    pub(super) fn panic(&mut self, panic: Panic) {
        if self.panics.len() < MAX_PANICS {
            self.panics.push(panic);
        }
    }

    pub(super) fn finish(
        self,
        scenario: &Scenario,
        options: RunOptions,
        ended: Ended,
        host: Host,
    ) -> Record {
        let Ended { outcome, virtual_ns, memory, decisions, decisions_total } = ended;
        let kinds: Vec<String> = scenario.kinds().iter().map(|kind| kind.name.clone()).collect();
        let (fingerprint, events) = (self.log.fingerprint(), self.log.count());
        let (kept_events, checkpoints) = self.log.into_kept();
        Record {
            scenario: scenario.name().to_owned(),
            system: options.system,
            operation: scenario.operation().to_owned(),
            seed: options.seed,
            set: options.set,
            fingerprint,
            events,
            virtual_ns,
            outcome,
            metrics: self.collector.finish(&kinds, virtual_ns),
            properties: self.properties.into_records(),
            panics: self.panics,
            faults: self.faults,
            decisions,
            decisions_total,
            memory,
            kept_events,
            checkpoints,
            host,
        }
    }
}
