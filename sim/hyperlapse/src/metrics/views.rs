//! What thresholds ask for beyond the metrics of the whole run: a part of the operations, a part of the
//! time, sliding windows, and the moment at which a bound is broken for good.
//!
//! A view folds one number from the events that pass its filter. A run whose thresholds ask for none has no
//! views and pays one branch for each event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::latency::Latencies;
use super::sliding::SlidingTimes;
use super::view_spec::{Abort, Number, Of, ViewSpec};
use super::window::{Content, Ring, Windows, WindowsRecord};
use super::{Series, Stat};
use crate::event::Event;
use crate::exact::{Exact, Quantity};

/// A threshold was broken for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Which of the scenario's thresholds.
    pub(crate) threshold: usize,
}

/// What a view came to, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// One number; `None` when nothing was measured.
    Number(Option<Quantity>),
    /// A number for each window.
    Windows(WindowsRecord),
    /// A column of the time series from the end of the warm-up on: the number of each full step that has a value,
    /// and the value.
    Points(Vec<(u64, u64)>),
}

/// The state of one view.
enum State {
    Sum(u64),
    Share(u64, u64),
    Times(Box<Latencies>),
    Windows(Box<Windows>),
    /// Taken from the series at the end.
    Points,
}

struct Folding {
    spec: ViewSpec,
    state: State,
    /// The kinds of events that it may take.
    takes: u32,
}

/// All views of a run.
pub(crate) struct Views {
    views: Vec<Folding>,
    /// The kinds of events that any of them may take.
    takes: u32,
    /// When the next window of any view ends, in nanoseconds since the load began.
    next_end_ns: u64,
    broken: Option<Broken>,
}

impl Views {
    /// `None` when there are none.
    pub(crate) fn new(specs: Vec<ViewSpec>) -> Option<Box<Self>> {
        if specs.is_empty() {
            return None;
        }
        let views: Vec<Folding> = specs.into_iter().map(Folding::new).collect();
        let takes = views.iter().fold(0, |takes, view| takes | view.takes);
        let mut views = Self { views, takes, next_end_ns: 0, broken: None };
        views.next_end_ns = views.next_end();
        Some(Box::new(views))
    }

    fn next_end(&self) -> u64 {
        let ends = self.views.iter().filter_map(|view| match &view.state {
            State::Windows(windows) => Some(windows.next_end_ns()),
            _ => None,
        });
        ends.min().unwrap_or(u64::MAX)
    }

    /// When the next window ends that may end the run, in nanoseconds since the load began.
    pub(crate) fn next_look_ns(&self) -> Option<u64> {
        let looks = self.views.iter().filter_map(|view| match (&view.state, &view.spec.abort) {
            (State::Windows(windows), Some(_)) => Some(windows.next_end_ns()),
            _ => None,
        });
        looks.min()
    }

    /// Folds an event. `at_ns` is the time since the load began, if it has; `in_load` whether it goes on; `kind` that
    /// of the user.
    pub(crate) fn fold(
        &mut self,
        at_ns: Option<u64>,
        in_load: bool,
        event: &Event,
        kind: Option<u16>,
    ) {
        if let Some(at_ns) = at_ns.filter(|_| in_load) {
            self.advance(at_ns);
        }
        let kind_of_event = 1 << event.kind.tag();
        if self.takes & kind_of_event == 0 {
            return;
        }
        for view in self.views.iter_mut().filter(|view| view.takes & kind_of_event != 0) {
            if let Some(broken) = view.fold(at_ns, in_load, event, kind) {
                self.broken.get_or_insert(broken);
            }
        }
    }

    /// The load has come to this time.
    pub(crate) fn advance(&mut self, at_ns: u64) {
        if at_ns < self.next_end_ns {
            return;
        }
        for view in &mut self.views {
            if let Some(broken) = view.advance(at_ns) {
                self.broken.get_or_insert(broken);
            }
        }
        self.next_end_ns = self.next_end();
    }

    /// The first threshold that was broken for good.
    pub(crate) fn broken(&self) -> Option<Broken> {
        self.broken
    }

    /// The record of a load that lasted so long.
    pub(crate) fn finish(mut self, duration_ns: u64, series: &Series) -> BTreeMap<String, View> {
        self.advance(duration_ns);
        let record =
            |view: Folding| (view.spec.name.clone(), view.into_record(duration_ns, series));
        self.views.into_iter().map(record).collect()
    }
}

impl Folding {
    fn new(spec: ViewSpec) -> Self {
        let state = match &spec.of {
            Of::Points(_) => State::Points,
            Of::Whole(Number::Sum(_) | Number::Rate(_) | Number::Times(_, Stat::Count)) => {
                State::Sum(0)
            }
            Of::Whole(Number::Share(..)) => State::Share(0, 0),
            Of::Whole(Number::Times(..)) => State::Times(Box::default()),
            Of::Windows(number, width_ns) => {
                let content = match number {
                    Number::Sum(_) | Number::Rate(_) => Content::Sum(Ring::default()),
                    Number::Share(..) => Content::Share(Ring::default(), Ring::default()),
                    Number::Times(_, stat) => Content::Times(Box::new(SlidingTimes::new(*stat))),
                };
                State::Windows(Box::new(Windows::new(*width_ns, spec.after_ns, content)))
            }
        };
        let takes = match &spec.of {
            Of::Whole(number) | Of::Windows(number, _) => number.kinds(),
            Of::Points(_) => 0,
        };
        Self { spec, state, takes }
    }

    fn fold(
        &mut self,
        at_ns: Option<u64>,
        in_load: bool,
        event: &Event,
        kind: Option<u16>,
    ) -> Option<Broken> {
        let (number, windows) = match &self.spec.of {
            Of::Whole(number) => (*number, false),
            Of::Windows(number, _) => (*number, true),
            Of::Points(_) => return None,
        };
        let of = &event.kind;
        // What it adds first: most events add nothing, which is quickly seen.
        let (amount, whole) = match number {
            Number::Sum(amount) | Number::Rate(amount) => (amount.of(of), 0),
            Number::Share(part, whole) => (part.of(of), whole.of(of)),
            Number::Times(timed, Stat::Count) if !windows => (timed.of(of).map(|_| 1)?, 1),
            Number::Times(timed, _) => (timed.of(of)?, 1),
        };
        if amount == 0 && whole == 0 {
            return None;
        }
        let begun = at_ns.is_some_and(|at_ns| at_ns >= self.spec.after_ns);
        if (windows && !in_load)
            || (!begun && (windows || self.spec.after_ns > 0))
            || !self.spec.filter.passes(event, kind)
        {
            return None;
        }
        let amount = if self.spec.filter.is_for(of) { amount } else { 0 };
        let now = match &mut self.state {
            State::Sum(sum) => {
                *sum = sum.saturating_add(amount);
                *sum
            }
            State::Share(parts, wholes) => {
                *parts = parts.saturating_add(amount);
                *wholes = wholes.saturating_add(whole);
                return None;
            }
            State::Times(times) => {
                times.record(amount);
                amount
            }
            State::Windows(windows) => {
                match number {
                    Number::Share(..) => windows.add_share(amount, whole),
                    _ => windows.add(amount),
                }
                return None;
            }
            State::Points => return None,
        };
        let (threshold, abort) = self.spec.abort?;
        let breaks = match abort {
            Abort::Above(most) => now > most,
            Abort::Below(least) => now < least,
            Abort::Window(..) => false,
        };
        breaks.then_some(Broken { threshold })
    }

    fn advance(&mut self, at_ns: u64) -> Option<Broken> {
        let State::Windows(windows) = &mut self.state else { return None };
        let Of::Windows(number, width_ns) = &self.spec.of else { return None };
        let scale = number.scale(*width_ns);
        let mut broken = None;
        let abort = self.spec.abort;
        windows.advance(at_ns, |value| {
            if let Some((threshold, Abort::Window(comparison, bound))) = abort
                && broken.is_none()
                && !comparison.holds(value.times(scale), bound)
            {
                broken = Some(Broken { threshold });
            }
        });
        broken
    }

    fn into_record(self, duration_ns: u64, series: &Series) -> View {
        let unit = self.spec.unit;
        let lasted = duration_ns.saturating_sub(self.spec.after_ns);
        let number = |of: &Of, value: Exact| match of {
            Of::Whole(number @ Number::Rate(_)) if lasted > 0 => {
                Some(value.times(number.scale(lasted)).quantity(unit))
            }
            Of::Whole(Number::Rate(_)) => None,
            _ => Some(value.quantity(unit)),
        };
        match (self.state, &self.spec.of) {
            (State::Sum(sum), of) => View::Number(number(of, Exact::whole(sum))),
            (State::Share(_, 0), _) => View::Number(None),
            (State::Share(part, whole), of) => {
                View::Number(number(of, Exact::over(part.into(), whole.into())))
            }
            (State::Times(times), Of::Whole(Number::Times(_, stat))) => {
                let value = times.to_record().stat(*stat);
                View::Number(value.map(|value| Exact::whole(value).quantity(unit)))
            }
            (State::Windows(windows), Of::Windows(of, width_ns)) => {
                View::Windows(windows.into_record(of.scale(*width_ns), unit))
            }
            (State::Points, Of::Points(column)) => {
                View::Points(column.points(series, self.spec.after_ns, duration_ns))
            }
            _ => unreachable!("the state of a view is made from what it is of"),
        }
    }
}
