//! The disk of a run, and the pace of a store on it.

use std::sync::Mutex;
use std::time::Duration;

use hyperlapse::disk::Disk;
use hyperlapse::{Sim, Streams};

use super::{DatabaseSettings, lock};

/// The disk of this host, as the scenario's `[database]` has it; the run's record tells what it does.
pub(crate) fn of_run(sim: &Sim, host: &str) -> Disk {
    let options = sim.settings::<DatabaseSettings>().disk();
    let disk = Disk::new(host, &Streams::new(sim.seed()), options)
        .expect("the distributions were validated when the scenario was read");
    sim.show_disk(&disk);
    disk
}

/// How long each call of a store takes: what its disk took for it.
///
/// tokio's timers are of whole milliseconds and round up, which would make a call of 0.3 ms one of 1 ms. What is left of
/// a millisecond is carried over to the next call instead, so that all calls together take as long as the disk did.
pub(crate) fn pace(disk: Disk) -> impl Fn() -> Duration + Send + Sync + 'static {
    let carried = Mutex::new(Duration::ZERO);
    move || {
        let mut carried = lock(&carried);
        let owed = carried.saturating_add(disk.take_elapsed());
        let whole = Duration::from_millis(u64::try_from(owed.as_millis()).unwrap_or(u64::MAX));
        *carried = owed - whole;
        whole
    }
}

#[cfg(test)]
mod tests {
    use hyperlapse::Distribution;
    use hyperlapse::disk::{DiskOptions, Latency};

    use super::*;

    #[test]
    fn what_is_left_of_a_millisecond_is_carried_over() {
        let write = Distribution::Constant(Duration::from_micros(300));
        let latency = Latency { write, ..Latency::default() };
        let options = DiskOptions { latency, ..DiskOptions::default() };
        let disk = Disk::new("server", &Streams::new(1), options).unwrap();
        let file = disk.create("file").unwrap();
        let pace = pace(disk);
        // With the creation of the file ten operations of 300 us are made in nine calls.
        let mut took = Vec::new();
        for _ in 0..9 {
            file.write_at(0, b"x").unwrap();
            took.push(pace().as_millis());
        }
        assert_eq!(took, [0, 0, 1, 0, 0, 1, 0, 0, 1]);
    }
}
