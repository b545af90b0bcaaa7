//! Several workloads in one scenario, side by side: each with its own beginning, and users of its own.

use std::time::Duration;

use super::{InvalidField, Part, Workload};
use crate::units;

/// Workloads that are played together. In a scenario file: `[[workload]]` once for each, with `start` for when it begins
/// and `of` for the kind of its users.
///
/// ```
/// use std::time::Duration;
/// use hyperlapse::{Bursts, ConstantUsers, SideBySide};
///
/// let minute = Duration::from_secs(60);
/// let load = SideBySide::new()
///     .and(ConstantUsers::new(10, 5 * minute))
///     .and_at(minute, Bursts::new(3, 50, minute));
/// ```
#[derive(Debug, Default)]
pub struct SideBySide {
    parts: Vec<Placed>,
}

#[derive(Debug)]
struct Placed {
    start: Duration,
    of: Option<String>,
    workload: Box<dyn Workload>,
}

impl SideBySide {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// And this one, from the beginning.
    pub fn and(self, workload: impl Workload + 'static) -> Self {
        self.and_at(Duration::ZERO, workload)
    }

    /// And this one, from then on.
    pub fn and_at(mut self, start: Duration, workload: impl Workload + 'static) -> Self {
        self.push(start, None, Box::new(workload));
        self
    }

    /// And this one, from then on, all of its users of this kind.
    pub fn and_of(
        mut self,
        kind: impl Into<String>,
        start: Duration,
        workload: impl Workload + 'static,
    ) -> Self {
        self.push(start, Some(kind.into()), Box::new(workload));
        self
    }

    pub(crate) fn push(
        &mut self,
        start: Duration,
        of: Option<String>,
        workload: Box<dyn Workload>,
    ) {
        self.parts.push(Placed { start, of, workload });
    }
}

impl Workload for SideBySide {
    fn validate(&self) -> Result<(), InvalidField> {
        if self.parts.is_empty() {
            return Err(InvalidField::new("workload", "is empty: expected at least one workload"));
        }
        self.parts.iter().try_for_each(|part| part.workload.validate())
    }

    fn describe(&self) -> String {
        let describe = |part: &Placed| {
            let of = part.of.as_ref().map_or(String::new(), |kind| format!(" (all {kind})"));
            match part.start.is_zero() {
                true => format!("{}{of}", part.workload.describe()),
                false => {
                    format!("from {} on {}{of}", units::text(part.start), part.workload.describe())
                }
            }
        };
        self.parts.iter().map(describe).collect::<Vec<_>>().join("; ")
    }

    fn parts(&self) -> Vec<Part> {
        let placed = |part: &Placed| {
            let (start, of) = (part.start, part.of.clone());
            let inner = part.workload.parts().into_iter();
            inner
                .map(|part| Part { start: start + part.start, of: of.clone().or(part.of), ..part })
                .collect::<Vec<_>>()
        };
        self.parts.iter().flat_map(placed).collect()
    }
}
