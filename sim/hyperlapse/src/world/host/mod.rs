//! What a run would otherwise take from the host: random bytes, and the time.
//!
//! On a run's thread `getrandom` answers from the seed and `clock_gettime` from virtual time, so that `HashMap`'s
//! keys (and with them its order, and even when it grows), `rand`, `Instant::now` and `SystemTime::now` are those
//! of the seed; on every other thread the system answers as ever. The symbols are defined here and so come before
//! libc's: std, `rand`, `uuid` and `chrono` all end there. Clocks of processor time stay the host's.
//!
//! The run counts who asks, for what a simulation holds still moves in production. What the world and tokio
//! ask for while a run is set up is not counted.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`asked`] | who asked for what |
//! | [`linux`] | the symbols, on Linux |
//! | [`macos`] | the symbols, on macOS: written to its manual pages, not yet run |

pub(crate) mod asked;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use rand::Rng;

use super::context;
use super::sim::EPOCH;
use crate::guard::HostSource;
use crate::random::{RandomExt, StreamRng, Streams};
use asked::Asked;

/// What `CLOCK_MONOTONIC` says when a run begins.
const MONOTONIC: Duration = Duration::from_secs(1_000_000);
/// What a clock says more when it is perturbed.
const ANOTHER_DAY: Duration = Duration::from_nanos(86_461_000_007_919);

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    /// Virtual time as it was said last.
    static LAST_NS: Cell<u64> = const { Cell::new(0) };
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
}

struct Host {
    random: StreamRng,
    /// Moves a perturbed clock at every look, as a real one moves.
    clock: Option<(StreamRng, Duration)>,
    asked: Asked,
}

/// From here on this thread draws from the seed, and looks at virtual time. `perturbed` is a source that answers
/// otherwise than it would.
pub(super) fn seed_this_thread(streams: &Streams, perturbed: Option<HostSource>) {
    let name = |source: HostSource, name: &'static str| match perturbed == Some(source) {
        true => streams.stream(format_args!("{name}/perturbed")),
        false => streams.stream(name),
    };
    let clock = (perturbed == Some(HostSource::Clock))
        .then(|| (streams.stream("host/clock/perturbed"), ANOTHER_DAY));
    let host = |random| Host { random, clock: clock.clone(), asked: Asked::default() };
    HOST.set(Some(host(name(HostSource::Hash, "host/hash"))));
    ON.set(true);
    // Here and not wherever the first map is made: std draws the keys of a thread once.
    RandomState::new().hash_one(0);
    HOST.set(Some(host(name(HostSource::Random, "host/getrandom"))));
}

/// From here on it counts who asks; with `names`, it is noted where.
pub(super) fn count(names: bool) {
    with(|host| host.asked = Asked::counting(names));
}

/// From here on this thread asks the system again; what was asked until now.
pub(super) fn release_this_thread() -> Asked {
    ON.set(false);
    HOST.take().map(|host| host.asked).unwrap_or_default()
}

fn with<T>(f: impl FnOnce(&mut Host) -> T) -> Option<T> {
    if !ON.try_with(Cell::get).unwrap_or(false) {
        return None;
    }
    let used = HOST.try_with(|host| host.try_borrow_mut().ok()?.as_mut().map(f));
    used.ok().flatten()
}

/// Fills `bytes` from the seed; `false` on a thread that is not a run's.
fn fill(bytes: &mut [u8]) -> bool {
    let in_poll = context::in_poll();
    let filled = with(|host| {
        if in_poll {
            host.asked.by(HostSource::Random);
        }
        host.random.fill_bytes(bytes);
    });
    filled.is_some()
}

/// The clocks that there are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    /// Time since 1970.
    Wall,
    /// Time since some moment.
    Monotonic,
}

/// What a clock says on a run's thread.
fn now(clock: Clock) -> Option<Duration> {
    if !ON.try_with(Cell::get).unwrap_or(false) {
        return None;
    }
    // Before the host is borrowed: whoever is asked for the time must not ask for it again.
    let base = match clock {
        Clock::Wall => EPOCH,
        Clock::Monotonic => MONOTONIC,
    };
    let in_poll = context::in_poll();
    if cfg!(tokio_unstable) && !in_poll {
        // Twice in each turn of tokio's loop: no more than a look at what was said last.
        return Some(base + Duration::from_nanos(LAST_NS.get()));
    }
    let virtual_ns = context::virtual_ns();
    LAST_NS.set(virtual_ns);
    let virtual_now = Duration::from_nanos(virtual_ns);
    with(|host| {
        if in_poll {
            host.asked.by(HostSource::Clock);
        }
        let more = host.clock.as_mut().map_or(Duration::ZERO, |(draw, more)| {
            // From some hundred nanoseconds to a millisecond, as it happens to a thread.
            let most = 1 << (1 + draw.below(20));
            *more += Duration::from_nanos(1 + draw.below(most));
            *more
        });
        base + virtual_now + more
    })
}
