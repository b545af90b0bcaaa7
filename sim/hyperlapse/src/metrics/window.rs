//! Sliding windows: a number for each window of a given width that ends at a tenth of it.
//!
//! A window slides by hops of a tenth of its width, at least a millisecond. What falls into the last ten hops is
//! kept hop by hop, so that a window that ends costs one reading and the hop that leaves it is taken out
//! again: memory does not grow with the load. Of the windows themselves only the distribution of their values is
//! kept, with the first window that had each value: how steady a day was takes no more room than a minute.
//!
//! Only full windows count. A window in which nothing was measured (a percentile of no operations) has no value;
//! such windows are counted apart.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::sliding::SlidingTimes;
use crate::exact::{Exact, Quantity};
use crate::unit::Unit;

/// Into how many hops a window is divided.
pub(super) const HOPS: usize = 10;
/// The shortest hop: timers have a resolution of a millisecond.
const SHORTEST_HOP_NS: u64 = 1_000_000;

/// The values of all full windows of a run, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowsRecord {
    /// How wide a window is, in nanoseconds.
    pub width_ns: u64,
    /// How far apart the ends of two windows are, in nanoseconds.
    pub hop_ns: u64,
    /// Full windows in which something was measured.
    pub windows: u64,
    /// Full windows in which nothing was.
    pub empty: u64,
    /// The lowest value of all windows, exact; `None` when no window has one.
    pub lowest: Option<WindowValue>,
    /// The highest.
    pub highest: Option<WindowValue>,
    /// The lower median, so that it is a value that some window had.
    pub median: Option<Quantity>,
    /// Every value that a window had, ascending. Means and extremes of times are told within 0.1% here.
    pub values: Vec<WindowValue>,
}

/// A value that windows had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowValue {
    /// The value.
    pub value: Quantity,
    /// How many windows had it.
    pub windows: u64,
    /// When the first of them ended, in nanoseconds since the load began.
    pub first_end_ns: u64,
}

/// What a window measures.
pub(super) enum Content {
    /// Things that are added up.
    Sum(Ring),
    /// One sum as a share of another.
    Share(Ring, Ring),
    /// Times of operations.
    Times(Box<SlidingTimes>),
}

/// A sum over the last hops.
#[derive(Default)]
pub(super) struct Ring {
    hops: [u64; HOPS],
    sum: u64,
}

impl Ring {
    fn add(&mut self, hop: usize, amount: u64) {
        self.hops[hop] = self.hops[hop].saturating_add(amount);
        self.sum = self.sum.saturating_add(amount);
    }

    /// The hop begins anew.
    fn clear(&mut self, hop: usize) {
        self.sum -= std::mem::take(&mut self.hops[hop]);
    }
}

impl Content {
    fn is_empty(&self) -> bool {
        match self {
            Content::Sum(sum) => sum.sum == 0,
            Content::Share(part, whole) => part.sum == 0 && whole.sum == 0,
            Content::Times(times) => times.is_empty(),
        }
    }

    /// That of the window which ends now.
    fn value(&self) -> Option<Exact> {
        match self {
            Content::Sum(sum) => Some(Exact::whole(sum.sum)),
            Content::Share(part, whole) => {
                (whole.sum > 0).then(|| Exact::over(part.sum.into(), whole.sum.into()))
            }
            Content::Times(times) => times.value().map(Exact::whole),
        }
    }

    /// The value under which it is counted, so that there are not as many as windows.
    fn counted_as(&self, value: Exact) -> Exact {
        match self {
            Content::Times(times) => times.counted_as(value),
            _ => value,
        }
    }

    fn clear(&mut self, hop: usize) {
        match self {
            Content::Sum(sum) => sum.clear(hop),
            Content::Share(part, whole) => {
                part.clear(hop);
                whole.clear(hop);
            }
            Content::Times(times) => times.clear(hop),
        }
    }
}

/// The fold over the windows of one width. Times are nanoseconds since the load began.
pub(super) struct Windows {
    width_ns: u64,
    hop_ns: u64,
    /// How many hops make a window.
    hops: u64,
    /// Which hop goes on, from 0.
    hop: u64,
    /// When it ends.
    end_ns: u64,
    content: Content,
    /// How many windows had a value, and when the first of them ended.
    seen: BTreeMap<Exact, (u64, u64)>,
    lowest: Option<(Exact, u64)>,
    highest: Option<(Exact, u64)>,
    windows: u64,
    empty: u64,
}

impl Windows {
    /// Windows of this width, in whole milliseconds, that begin at `from_ns` or after.
    pub(super) fn new(width_ns: u64, from_ns: u64, content: Content) -> Self {
        let hop_ns = (width_ns / HOPS as u64).max(SHORTEST_HOP_NS);
        let hops = width_ns / hop_ns;
        Self {
            width_ns,
            hop_ns,
            hops,
            hop: 0,
            end_ns: from_ns.saturating_add(hop_ns),
            content,
            seen: BTreeMap::new(),
            lowest: None,
            highest: None,
            windows: 0,
            empty: 0,
        }
    }

    /// When the hop that goes on ends.
    pub(super) fn next_end_ns(&self) -> u64 {
        self.end_ns
    }

    /// Where what happens now belongs.
    fn place(&self) -> usize {
        (self.hop % self.hops) as usize
    }

    pub(super) fn add(&mut self, amount: u64) {
        let hop = self.place();
        match &mut self.content {
            Content::Sum(sum) => sum.add(hop, amount),
            Content::Times(times) => times.record(hop, amount),
            Content::Share(..) => unreachable!("a share has two parts"),
        }
    }

    pub(super) fn add_share(&mut self, part: u64, whole: u64) {
        let hop = self.place();
        if let Content::Share(parts, wholes) = &mut self.content {
            parts.add(hop, part);
            wholes.add(hop, whole);
        }
    }

    /// Ends every window that ends at `at_ns` or before; tells `ended` of each value.
    pub(super) fn advance(&mut self, at_ns: u64, mut ended: impl FnMut(Exact)) {
        while self.end_ns <= at_ns {
            let full = self.hop + 1 >= self.hops;
            if full && self.content.is_empty() {
                // Nothing happens until then: all these windows are alike.
                let windows = (at_ns - self.end_ns) / self.hop_ns + 1;
                if let Some(value) = self.note(windows) {
                    ended(value);
                }
                self.hop += windows;
                self.end_ns = self.end_ns.saturating_add(windows.saturating_mul(self.hop_ns));
            } else {
                if full && let Some(value) = self.note(1) {
                    ended(value);
                }
                self.hop += 1;
                self.end_ns = self.end_ns.saturating_add(self.hop_ns);
            }
            let next = self.place();
            self.content.clear(next);
        }
    }

    /// Counts windows that end as it is now, the first of them at this hop's end.
    fn note(&mut self, windows: u64) -> Option<Exact> {
        let Some(value) = self.content.value() else {
            self.empty += windows;
            return None;
        };
        self.windows += windows;
        let at = (value, self.end_ns);
        if self.lowest.is_none_or(|(lowest, _)| value < lowest) {
            self.lowest = Some(at);
        }
        if self.highest.is_none_or(|(highest, _)| value > highest) {
            self.highest = Some(at);
        }
        let seen = self.seen.entry(self.content.counted_as(value));
        seen.or_insert((0, self.end_ns)).0 += windows;
        Some(value)
    }

    /// The record of a load that lasted so long. `scale` makes what was counted one of `unit`.
    pub(super) fn into_record(mut self, scale: Exact, unit: Unit) -> WindowsRecord {
        let as_value = |value: Exact, windows: u64, first_end_ns: u64| WindowValue {
            value: value.times(scale).quantity(unit),
            windows,
            first_end_ns,
        };
        let half = self.windows.div_ceil(2);
        let mut counted = 0;
        let median = self.seen.iter().find(|(_, (windows, _))| {
            counted += windows;
            counted >= half
        });
        let median = median.map(|(value, _)| value.times(scale).quantity(unit));
        let extreme = |of: Option<(Exact, u64)>| {
            let (value, first) = of?;
            let windows = self.seen.get(&self.content.counted_as(value)).map_or(0, |(n, _)| *n);
            Some(as_value(value, windows, first))
        };
        let (lowest, highest) = (extreme(self.lowest), extreme(self.highest));
        let seen = std::mem::take(&mut self.seen).into_iter();
        WindowsRecord {
            width_ns: self.width_ns,
            hop_ns: self.hop_ns,
            windows: self.windows,
            empty: self.empty,
            lowest,
            highest,
            median,
            values: seen.map(|(value, (n, first))| as_value(value, n, first)).collect(),
        }
    }
}
