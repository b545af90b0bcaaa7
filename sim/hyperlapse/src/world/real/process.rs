//! What the process under test takes of the host: this one, or a child that the system says it is.
//!
//! Linux tells it in `/proc`, of any process; elsewhere only of this one. A child's processor time comes in steps of 10 ms.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::metrics::{Latencies, Memory};
use crate::record::{Spent, TimerLateness};
use crate::units;

/// The process under test.
#[derive(Default)]
pub(in crate::world) struct Process {
    /// The child; 0 when it is this process.
    child: AtomicU32,
    /// Its resident memory as it was seen last.
    resident: Arc<AtomicI64>,
    marks: Mutex<Marks>,
}

#[derive(Default)]
struct Marks {
    before: Option<i64>,
    /// User and system time, in nanoseconds, that it had taken before.
    cpu_before: Option<(u64, u64)>,
    most: i64,
    /// How late timers came.
    late: Latencies,
    after: Option<(Memory, Spent)>,
}

impl Process {
    pub(in crate::world) fn resident(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.resident)
    }

    fn id(&self) -> Option<u32> {
        Some(self.child.load(Ordering::Relaxed)).filter(|id| *id != 0)
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on it is this one.
    pub(in crate::world) fn watch(&self, child: u32) {
        self.child.store(child, Ordering::Relaxed);
        self.begin();
    }

    /// What it takes counts from here on.
    pub(in crate::world) fn begin(&self) {
        let id = self.id();
        if id.is_none() {
            host::forget_peak();
        }
        let mut marks = self.marks();
        if let Some(resident) = host::resident(id) {
            self.resident.store(resident, Ordering::Relaxed);
            (marks.before, marks.most) = (Some(resident), resident);
        }
        marks.cpu_before = host::cpu(id);
    }

    /// A timer came so late.
    pub(in crate::world) fn timer(&self, late: Duration) {
        self.marks().late.record(units::nanos(late));
    }

    /// Looks at its memory.
    pub(in crate::world) fn look(&self) {
        let Some(resident) = host::resident(self.id()) else { return };
        self.resident.store(resident, Ordering::Relaxed);
        let mut marks = self.marks();
        marks.most = marks.most.max(resident);
    }

    /// What it takes counts until here; the first time counts.
    pub(in crate::world) fn end(&self) {
        if self.marks().after.is_some() {
            return;
        }
        self.look();
        let id = self.id();
        let mut marks = self.marks();
        let after = self.resident.load(Ordering::Relaxed);
        let before = marks.before.unwrap_or(after);
        // What the system has kept of it is more than what was seen in between.
        let peak = host::peak(id).unwrap_or(0).max(marks.most);
        let memory =
            Memory { before, after, peak, growth: after - before, allocations: 0, series: vec![] };
        let late = marks.late.to_record();
        let timers =
            TimerLateness { p50_ns: late.p50_ns, p99_ns: late.p99_ns, max_ns: late.max_ns };
        let cpu = host::cpu(id).zip(marks.cpu_before);
        let spent = Spent {
            cpu_user_ns: cpu.map(|(now, before)| now.0.saturating_sub(before.0)),
            cpu_system_ns: cpu.map(|(now, before)| now.1.saturating_sub(before.1)),
            peak_rss_bytes: marks.before.and(u64::try_from(peak).ok()),
            other_process: id.is_some(),
            timers,
        };
        marks.after = Some((memory, spent));
    }

    /// Its memory, where the platform tells.
    pub(in crate::world) fn memory(&self) -> Option<Memory> {
        let marks = self.marks();
        marks.before.and(marks.after.as_ref().map(|(memory, _)| memory.clone()))
    }

    /// What it took.
    pub(in crate::world) fn spent(&self) -> Spent {
        self.marks().after.as_ref().map_or_else(Spent::default, |(_, spent)| *spent)
    }
}

/// What the operating system tells of a process; of this one where there is no number.
mod host {
    /// User and system time of this process, in nanoseconds.
    #[cfg(unix)]
    fn own_cpu() -> Option<(u64, u64)> {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: the structure is as large as the call expects, and is written by it.
        let done = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        // SAFETY: zeros are a valid value of it, and the call has written over them.
        let usage = unsafe { usage.assume_init() };
        let ns =
            |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000;
        (done == 0).then(|| (ns(usage.ru_utime), ns(usage.ru_stime)))
    }

    #[cfg(target_os = "linux")]
    pub(super) fn cpu(child: Option<u32>) -> Option<(u64, u64)> {
        let Some(child) = child else { return own_cpu() };
        let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
        // Its name, in brackets, may hold anything. Then come the state as the third field, and as the 14th and 15th
        // the times, in ticks.
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ').skip(14 - 3);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let (user, system) = (ticks()?, ticks()?);
        // SAFETY: it takes a number and gives one.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        let ns = 1_000_000_000 / u64::try_from(per_second).ok().filter(|ticks| *ticks > 0)?;
        Some((user * ns, system * ns))
    }

    #[cfg(target_os = "linux")]
    fn path(child: Option<u32>, file: &str) -> String {
        child.map_or_else(|| format!("/proc/self/{file}"), |child| format!("/proc/{child}/{file}"))
    }

    #[cfg(target_os = "linux")]
    pub(super) fn resident(child: Option<u32>) -> Option<i64> {
        let statm = std::fs::read_to_string(path(child, "statm")).ok()?;
        let pages: i64 = statm.split(' ').nth(1)?.parse().ok()?;
        // SAFETY: it takes a number and gives one.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        Some(pages * page as i64)
    }

    #[cfg(target_os = "linux")]
    pub(super) fn peak(child: Option<u32>) -> Option<i64> {
        let status = std::fs::read_to_string(path(child, "status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kilobytes: i64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kilobytes * 1_024)
    }

    /// The peak of this process is that of what comes: otherwise a run would be told that of the one before it.
    #[cfg(target_os = "linux")]
    pub(super) fn forget_peak() {
        // Where it is not allowed the peak is that of the process.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn cpu(child: Option<u32>) -> Option<(u64, u64)> {
        if child.is_some() { None } else { own_cpu() }
    }

    #[cfg(all(not(target_os = "linux"), feature = "cli"))]
    pub(super) fn resident(child: Option<u32>) -> Option<i64> {
        let stats = child.is_none().then(memory_stats::memory_stats).flatten()?;
        i64::try_from(stats.physical_mem).ok()
    }

    #[cfg(all(not(target_os = "linux"), not(feature = "cli")))]
    pub(super) fn resident(_: Option<u32>) -> Option<i64> {
        None
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn peak(_: Option<u32>) -> Option<i64> {
        None
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn forget_peak() {}
}
