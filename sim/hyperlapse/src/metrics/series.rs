//! What happened when: counts per step of virtual time, in bounded memory.
//!
//! A run does not know beforehand how long it will be. The series starts with a fine step; when it is
//! full, neighbours are added up and the step doubles. Five minutes are told second by second, a week
//! in steps of about half an hour, and both need the same few kilobytes.

use serde::{Deserialize, Serialize};

/// Points before the step doubles.
pub(crate) const POINTS: usize = 512;

/// Counts per step of virtual time since the load started. All columns are equally long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Series {
    /// Virtual time that a point stands for, in nanoseconds.
    pub step_ns: u64,
    /// Operations accepted in the step.
    pub accepted: Vec<u64>,
    /// Operations refused in the step.
    pub refused: Vec<u64>,
    /// Operations completed in the step.
    pub completed: Vec<u64>,
    /// The most operations that were active at one time in the step.
    pub active: Vec<u64>,
    /// Active after the last event.
    #[serde(skip)]
    level: u64,
}

/// A count that an event adds to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    Accepted,
    Refused,
    Completed,
}

impl Series {
    pub(crate) fn new(step_ns: u64) -> Self {
        assert!(step_ns > 0, "a series with steps of no length");
        let column = || Vec::with_capacity(POINTS);
        Self {
            step_ns,
            accepted: column(),
            refused: column(),
            completed: column(),
            active: column(),
            level: 0,
        }
    }

    /// Notes one event at `at_ns` since the load started, with `active` operations after it.
    pub(crate) fn add(&mut self, at_ns: u64, column: Option<Column>, active: u64) {
        let mut point = (at_ns / self.step_ns) as usize;
        while point >= POINTS {
            self.coarsen();
            point = (at_ns / self.step_ns) as usize;
        }
        if point >= self.active.len() {
            // What was active goes on being active in steps in which nothing happened.
            let before = self.level;
            let len = point + 1;
            self.accepted.resize(len, 0);
            self.refused.resize(len, 0);
            self.completed.resize(len, 0);
            self.active.resize(len, before);
        }
        match column {
            Some(Column::Accepted) => self.accepted[point] += 1,
            Some(Column::Refused) => self.refused[point] += 1,
            Some(Column::Completed) => self.completed[point] += 1,
            None => {}
        }
        self.active[point] = self.active[point].max(active);
        self.level = active;
    }

    fn coarsen(&mut self) {
        self.step_ns *= 2;
        for column in [&mut self.accepted, &mut self.refused, &mut self.completed] {
            halve(column, |a, b| a + b);
        }
        halve(&mut self.active, u64::max);
    }
}

fn halve(column: &mut Vec<u64>, join: impl Fn(u64, u64) -> u64) {
    let len = column.len().div_ceil(2);
    for i in 0..len {
        let second = column.get(2 * i + 1).copied();
        column[i] = second.map_or(column[2 * i], |second| join(column[2 * i], second));
    }
    column.truncate(len);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarsening_keeps_every_count_and_bounds_the_points() {
        let mut series = Series::new(10);
        for at in 0..100_000 {
            series.add(at, Some(Column::Completed), at % 7);
        }
        assert!(series.completed.len() <= POINTS);
        assert_eq!(series.completed.iter().sum::<u64>(), 100_000);
        assert_eq!(series.step_ns, 320);
        assert!(series.completed[..series.completed.len() - 1].iter().all(|n| *n == 320));
    }

    #[test]
    fn what_is_active_stays_active_while_nothing_happens() {
        let mut series = Series::new(10);
        series.add(5, Some(Column::Accepted), 3);
        series.add(45, Some(Column::Completed), 2);
        assert_eq!(series.active, [3, 3, 3, 3, 3]);
    }
}
