//! Counts what the tasks of a run take, by where they were spawned. For runs that are to be profiled only.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;

use super::context;
use crate::alloc;
use crate::profile::TaskProfile;

type Place = &'static Location<'static>;

thread_local! {
    static PROFILER: RefCell<Option<Profiler>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Profiler {
    /// Few places spawn tasks: they are looked through.
    places: Vec<(Place, TaskProfile)>,
    /// The poll under way: whose, processor time and allocations before it.
    poll: Option<(usize, u64, u64)>,
}

impl Profiler {
    fn at(&mut self, place: Place) -> usize {
        let found = self.places.iter().position(|(known, _)| *known == place);
        found.unwrap_or_else(|| {
            self.places.push((place, TaskProfile::default()));
            self.places.len() - 1
        })
    }
}

/// From here on this thread's tasks are counted.
pub(super) fn begin() {
    PROFILER.set(Some(Profiler::default()));
}

fn with(f: impl FnOnce(&mut Profiler)) {
    let _uncounted = alloc::uncounted();
    PROFILER.with_borrow_mut(|profiler| profiler.as_mut().map(f));
}

#[cfg_attr(not(tokio_unstable), allow(dead_code))]
pub(super) fn spawned(place: Place) {
    with(|profiler| {
        let at = profiler.at(place);
        profiler.places[at].1.tasks += 1;
    });
}

#[cfg_attr(not(tokio_unstable), allow(dead_code))]
pub(super) fn before_poll(place: Place) {
    with(|profiler| {
        let at = profiler.at(place);
        profiler.poll = Some((at, cpu_ns(), alloc::allocations()));
    });
}

#[cfg_attr(not(tokio_unstable), allow(dead_code))]
pub(super) fn after_poll() {
    let (now, allocations) = (cpu_ns(), alloc::allocations());
    with(|profiler| {
        let Some((at, began, before)) = profiler.poll.take() else { return };
        let of = &mut profiler.places[at].1;
        of.polls += 1;
        of.cpu_ns += now.saturating_sub(began);
        of.allocations += allocations - before;
    });
}

/// What was counted, by place.
pub(super) fn end() -> BTreeMap<String, TaskProfile> {
    let places = PROFILER.take().map_or_else(Vec::new, |profiler| profiler.places);
    let mut tasks = BTreeMap::<String, TaskProfile>::new();
    for (place, of) in places {
        let all = tasks.entry(context::place_of_task(place)).or_default();
        all.tasks += of.tasks;
        all.polls += of.polls;
        all.wakes += of.polls.saturating_sub(of.tasks);
        all.allocations += of.allocations;
        all.cpu_ns += of.cpu_ns;
    }
    tasks
}

/// Processor time of this thread, in nanoseconds; 0 where the system does not tell.
fn cpu_ns() -> u64 {
    #[cfg(unix)]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a value that lives, and the clock is one that every thread has.
        let told = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
        if told == 0 {
            return time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
        }
    }
    0
}
