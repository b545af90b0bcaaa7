//! First come, first served.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::property::Property;
use crate::world::Sim;

/// The default property of [`FirstCome`].
pub const FIRST_COME: Property =
    Property::always("first come, first served", "who has asked first is served first");

/// A line of those who wait. Cheap to clone.
///
/// Ask for a [`Turn`] in the same poll in which the system is asked, and say [`Turn::served`] when it has
/// served; who gives up drops its turn. Whoever may be passed by (at a limit of their own, say) does not belong
/// in this line.
#[derive(Debug, Clone)]
pub struct FirstCome {
    sim: Sim,
    property: Property,
    line: Arc<Mutex<Line>>,
}

#[derive(Debug, Default)]
struct Line {
    next: u64,
    waiting: BTreeSet<u64>,
}

impl FirstCome {
    /// An empty line.
    pub fn new(sim: &Sim, property: Property) -> Self {
        Self { sim: sim.clone(), property, line: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place at the end of the line.
    pub fn asks(&self) -> Turn {
        let mut line = self.lock();
        let number = line.next;
        line.next += 1;
        line.waiting.insert(number);
        drop(line);
        Turn { line: self.clone(), number }
    }
}

/// Somebody's place in the line, until this is dropped.
#[derive(Debug)]
#[must_use = "dropping it is giving up"]
pub struct Turn {
    line: FirstCome,
    number: u64,
}

impl Turn {
    /// The system has served: nobody who asked before may still wait.
    pub fn served(self) {
        let first = self.line.lock().waiting.first().copied();
        let (sim, property) = (self.line.sim.clone(), self.line.property);
        let number = self.number;
        sim.check_with(&property, first == Some(number), || {
            let first = first.expect("who is served is in the line");
            format!("who asked as number {number} was served before number {first}")
        });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.line.lock().waiting.remove(&self.number);
    }
}
