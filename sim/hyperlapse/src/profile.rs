//! Where the time of a run goes: virtual time, by what users were doing; and the host's, by task.
//!
//! A run is profiled on request only ([`RunOptions::profile`](crate::RunOptions)): two looks at the host's clock for each
//! poll take longer than most polls. Its events are those of any other run of the seed.

use std::collections::BTreeMap;

use crate::metrics::TimeSpent;

/// Where the time of one run went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceProfile {
    /// Virtual time of users by their kind; under `users` where all are alike.
    pub users: BTreeMap<String, UserTime>,
    /// Tasks by where they were spawned: known with `--cfg tokio_unstable` only.
    pub tasks: BTreeMap<String, TaskProfile>,
}

/// Virtual time of some users together, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UserTime {
    /// Between operations.
    pub idle_ns: u64,
    /// Waiting for an operation to be accepted.
    pub waiting_ns: u64,
    /// In an accepted operation, held up by faults or not.
    pub operating_ns: u64,
    /// Held up by faults. It may be in any of the three.
    pub held_up_ns: u64,
}

impl From<(TimeSpent, u64)> for UserTime {
    fn from((spent, held_up_ns): (TimeSpent, u64)) -> Self {
        let TimeSpent { idle_ns, waiting_ns, operating_ns } = spent;
        Self { idle_ns, waiting_ns, operating_ns, held_up_ns }
    }
}

/// What the tasks that were spawned at one place took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskProfile {
    /// How many there were.
    pub tasks: u64,
    /// How often they were polled.
    pub polls: u64,
    /// Polls that a wake led to: all but the first of each task. Wakes of a task that is about to be polled anyway
    /// are one.
    pub wakes: u64,
    /// Allocations in their polls, of one build; 0 without [`crate::CountingAllocator`].
    pub allocations: u64,
    /// Processor time of their polls as the host measures it, in nanoseconds: different every time.
    pub cpu_ns: u64,
}
