//! Many runs on all cores, handed over in their order.
//!
//! Runs are independent and each has a thread of its own, so that neither how many go side by side nor
//! which ends first can change one of them. What is handed over comes in the order in which it was
//! asked for; only "as soon as it is done" is told out of order, to whoever must not lose a failure.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

/// How far a fast worker may run ahead of the one that is waited for.
const AHEAD: usize = 1_024;

/// Does `work` for `0..count` with this many threads, and hands the results over in order. When
/// `in_order` says so, what has not begun is left undone.
///
/// # Panics
/// When `work` panics.
pub(crate) fn in_order<T: Send>(
    count: usize,
    jobs: usize,
    work: impl Fn(usize) -> T + Sync,
    mut in_order: impl FnMut(usize, T) -> std::ops::ControlFlow<()>,
) {
    if jobs <= 1 {
        // Nothing is begun before the one before was seen: what a test leaves behind is the same every time.
        let _ = (0..count).try_for_each(|index| in_order(index, work(index)));
        return;
    }
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let handed_over = AtomicUsize::new(0);
    let (done, results) = sync_channel::<(usize, T)>(AHEAD);
    thread::scope(|scope| {
        for _ in 0..jobs.min(count) {
            let (done, next, stop, work) = (done.clone(), &next, &stop, &work);
            let handed_over = &handed_over;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    // One slow run must not make the others pile up behind it.
                    while index >= handed_over.load(Ordering::Relaxed) + AHEAD
                        && !stop.load(Ordering::Relaxed)
                    {
                        thread::sleep(Duration::from_millis(1));
                    }
                    // A receiver that is gone has seen enough.
                    if index >= count || done.send((index, work(index))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(done);
        let mut early = BTreeMap::new();
        let mut expected = 0;
        for (index, result) in results {
            early.insert(index, result);
            while let Some(result) = early.remove(&expected) {
                if in_order(expected, result).is_break() {
                    stop.store(true, Ordering::Relaxed);
                    return;
                }
                expected += 1;
                handed_over.store(expected, Ordering::Relaxed);
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn results_come_in_order_with_any_number_of_jobs() {
        for jobs in [1, 2, 7] {
            let mut seen = Vec::new();
            let work = |index: usize| {
                if index.is_multiple_of(3) {
                    thread::yield_now();
                }
                index * 2
            };
            in_order(200, jobs, work, |index, result| {
                assert_eq!(result, index * 2);
                seen.push(index);
                ControlFlow::Continue(())
            });
            assert_eq!(seen, (0..200).collect::<Vec<_>>());
        }
    }

    #[test]
    fn with_one_job_nothing_is_begun_once_enough_was_seen() {
        let (mut seen, begun) = (0, AtomicUsize::new(0));
        let work = |_| begun.fetch_add(1, Ordering::Relaxed);
        in_order(1_000, 1, work, |_, _| {
            seen += 1;
            if seen == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!((seen, begun.into_inner()), (10, 10));
    }

    #[test]
    fn a_consumer_that_has_seen_enough_ends_it() {
        let mut seen = 0;
        in_order(
            1_000_000,
            2,
            |index| index,
            |_, _| {
                seen += 1;
                if seen == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            },
        );
        assert_eq!(seen, 10);
    }
}
