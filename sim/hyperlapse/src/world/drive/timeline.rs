//! When something of a plan begins: the waves and arrivals of all its parts in the order of time, those of one instant in
//! the order of the parts. Arrivals are computed one by one, so a day of them needs no memory.

use std::iter::Peekable;
use std::time::Duration;

use crate::plan::Plan;
use crate::workload::{Load, Rhythm, Wave};

/// Something begins.
pub(super) struct Moment<'a> {
    /// Since the start of the load.
    pub(super) at: Duration,
    /// Of which part.
    pub(super) part: usize,
    pub(super) what: What<'a>,
}

pub(super) enum What<'a> {
    /// A wave of users.
    Wave { number: u32, wave: &'a Wave, rhythm: &'a Rhythm, first_user: u32 },
    /// A user of this kind; its iteration is cut at this time after the start of the load.
    Arrival { kind: u16, ends: Option<Duration> },
}

type Line<'a> = Peekable<Box<dyn Iterator<Item = Moment<'a>> + Send + 'a>>;

pub(super) struct Timeline<'a> {
    lines: Vec<Line<'a>>,
}

impl<'a> Timeline<'a> {
    pub(super) fn of(plan: &'a Plan) -> Self {
        Self { lines: (0..plan.parts.len()).map(|part| line(plan, part).peekable()).collect() }
    }

    /// The next moment. One part is by far the most usual, a handful the most there is: they are looked through.
    pub(super) fn next(&mut self) -> Option<Moment<'a>> {
        let next = self.lines.iter_mut().enumerate();
        let next = next.filter_map(|(n, line)| Some((line.peek()?.at, n))).min();
        self.lines[next?.1].next()
    }
}

fn line(plan: &Plan, part: usize) -> Box<dyn Iterator<Item = Moment<'_>> + Send + '_> {
    let planned = &plan.parts[part];
    let (start, first_user) = (planned.part.start, planned.first_user);
    match &planned.part.load {
        Load::Closed { waves, rhythm } => {
            Box::new(waves.iter().enumerate().map(move |(number, wave)| {
                let what = What::Wave { number: number as u32, wave, rhythm, first_user };
                Moment { at: start + wave.at, part, what }
            }))
        }
        Load::Open { arrivals, intake } => {
            let ends = intake.graceful_stop.map(|stop| start + arrivals.lasts() + stop);
            Box::new(plan.arrivals(part).map(move |(arrival, kind)| Moment {
                at: start + arrival.at,
                part,
                what: What::Arrival { kind, ends },
            }))
        }
        // Played by itself.
        Load::Controlled { .. } => Box::new(std::iter::empty()),
    }
}
