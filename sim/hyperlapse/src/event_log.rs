//! Takes the event stream: hashes it, counts it, keeps what is to be kept.
//!
//! Nearly all events are a few numbers. They are put into four words, of which the hash is taken, and those words are what
//! is kept of them; only an event with a text is kept as it is. In a run it is 15 ns for an event.

use twox_hash::XxHash3_64;

use crate::event::{Actor, Event, EventKind, Fingerprint, Keep, TAIL};
use crate::metrics::Sample;

pub(crate) struct EventLog {
    hash: u64,
    count: u64,
    /// How many are kept.
    most: usize,
    kept: Vec<Kept>,
    /// Where in `kept` the next one goes, once there are so many: in the place of the oldest.
    oldest: usize,
    /// The fingerprint after 1, 2, 4, 8, … events.
    checkpoints: Vec<Fingerprint>,
}

/// An event that is kept.
struct Kept {
    head: Head,
    /// As it is, where the head does not say all of it.
    full: Option<Box<Event>>,
}

impl EventLog {
    pub(crate) fn new(keep: Keep) -> Self {
        let most = match keep {
            Keep::Tail => TAIL,
            Keep::Last(events) => events.max(TAIL),
            Keep::All => usize::MAX,
        };
        // Reserved before the run's memory is first measured, so that the log does not grow in it.
        Self {
            hash: 0,
            count: 0,
            most,
            kept: Vec::with_capacity(TAIL),
            oldest: 0,
            checkpoints: Vec::with_capacity(64),
        }
    }

    pub(crate) fn push(&mut self, event: &Event) {
        let (head, is_all) = Head::of(event);
        self.hash = XxHash3_64::oneshot_with_seed(self.hash, &head.bytes());
        if !is_all {
            self.hash = with_texts(self.hash, event);
        }
        self.count += 1;
        if self.count.is_power_of_two() {
            self.checkpoints.push(self.fingerprint());
        }
        let full = (!is_all).then(|| Box::new(event.clone()));
        let kept = Kept { head, full };
        if self.kept.len() == self.most {
            self.kept[self.oldest] = kept;
            // Not a remainder: to divide by a number that is not known beforehand takes longer than all the rest.
            self.oldest = if self.oldest + 1 == self.most { 0 } else { self.oldest + 1 };
        } else {
            self.kept.push(kept);
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.hash)
    }

    pub(crate) fn into_kept(mut self) -> (Vec<Event>, Vec<Fingerprint>) {
        self.kept.rotate_left(self.oldest);
        let event = |kept: Kept| kept.full.map_or_else(|| kept.head.event(), |event| *event);
        (self.kept.into_iter().map(event).collect(), self.checkpoints)
    }
}

/// The numbers of an event, as they are hashed: time in 8 bytes, tag of the kind, tag of the actor, user in 4 bytes, a
/// number of the kind in 8, how late in 8, two zeros.
///
/// As words and not as bytes: written in parts and read in larger ones they would have to wait for each other.
#[derive(Clone, Copy)]
struct Head([u64; 4]);

impl Head {
    /// The head of an event, and whether it says all of it.
    #[inline]
    fn of(event: &Event) -> (Self, bool) {
        let (number, late, mut is_all) = match &event.kind {
            EventKind::LoadStarted
            | EventKind::LoadEnded
            | EventKind::Arrived
            | EventKind::Left
            | EventKind::Requested
            | EventKind::Abandoned
            | EventKind::Cancelled
            | EventKind::Dropped
            | EventKind::Interrupted
            | EventKind::Accepted { waited_ns: None } => (0, 0, true),
            EventKind::Accepted { waited_ns: Some(waited) } => {
                (waited.wrapping_add(1), 0, *waited < u64::MAX)
            }
            // Zeros where an operation is not late: its hash is that of streams from before there were late ones.
            EventKind::Completed { response_ns, late_ns } => (*response_ns, *late_ns, true),
            EventKind::Wave(n) => (u64::from(*n), 0, true),
            EventKind::BeganLate { late_ns } => (*late_ns, 0, true),
            EventKind::Sample { sample, .. } => {
                let number = match *sample {
                    Sample::Added(n) | Sample::Took(n) | Sample::Value(n) => n,
                    Sample::Stands(n) => n as u64,
                    Sample::Was(yes) => u64::from(yes),
                };
                (number, 0, false)
            }
            EventKind::Refused(_)
            | EventKind::Failed(_)
            | EventKind::Panicked { .. }
            | EventKind::Fault(_)
            | EventKind::Violated { .. }
            | EventKind::Decision(_)
            | EventKind::Note(_)
            | EventKind::Aborted(_) => (0, 0, false),
        };
        let (actor_tag, actor) = match &event.actor {
            Actor::World => (0, 0),
            Actor::User(id) => (1, u64::from(*id)),
            Actor::Task(_) => {
                is_all = false;
                (2, 0)
            }
        };
        is_all &= event.tags.is_empty();
        let first = u64::from(event.kind.tag()) | actor_tag << 8 | actor << 16 | number << 48;
        (Self([event.at_ns, first, number >> 16 | late << 48, late >> 16]), is_all)
    }

    fn bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (place, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The event that it says all of.
    fn event(self) -> Event {
        let [at_ns, first, second, third] = self.0;
        let (number, late_ns) = (first >> 48 | second << 16, second >> 48 | third << 16);
        let actor =
            if (first >> 8) as u8 == 0 { Actor::World } else { Actor::User((first >> 16) as u32) };
        let kind = match first as u8 {
            1 => EventKind::LoadStarted,
            2 => EventKind::LoadEnded,
            3 => EventKind::Wave(number as u32),
            4 => EventKind::Arrived,
            5 => EventKind::Left,
            6 => EventKind::Requested,
            7 => EventKind::Accepted { waited_ns: number.checked_sub(1) },
            9 => EventKind::Completed { response_ns: number, late_ns },
            11 => EventKind::Abandoned,
            16 => EventKind::Cancelled,
            18 => EventKind::Dropped,
            19 => EventKind::Interrupted,
            20 => EventKind::BeganLate { late_ns: number },
            tag => unreachable!("an event with the tag {tag} has a text and is kept as it is"),
        };
        Event::new(at_ns, actor, kind)
    }
}

/// The hash of a stream whose last event has these texts, from that of the stream with the head of it.
///
/// A chain of one-shot hashes, each seeded with the one before: for some 32 bytes XXH3 has a short way, and
/// the state of the stream is one number.
#[cold]
fn with_texts(mut hash: u64, event: &Event) -> u64 {
    let texts: [&str; 2] = match &event.kind {
        EventKind::Refused(text)
        | EventKind::Failed(text)
        | EventKind::Fault(text)
        | EventKind::Decision(text)
        | EventKind::Note(text)
        | EventKind::Aborted(text)
        | EventKind::Sample { metric: text, .. } => [text, ""],
        EventKind::Panicked { message, location } => [message, location],
        EventKind::Violated { property, detail } => [property, detail],
        _ => ["", ""],
    };
    let place = if let Actor::Task(place) = &event.actor { file_of(place) } else { "" };
    let texts = [texts[0], texts[1], place, event.tags.text()];
    for (number, text) in texts.into_iter().enumerate() {
        if !text.is_empty() {
            // The number keeps a text apart from the same one in another place.
            hash = XxHash3_64::oneshot_with_seed(hash ^ (number as u64 + 1), text.as_bytes());
        }
    }
    hash
}

/// A place without its line: a line more above where a task is spawned does not make another run of it.
fn file_of(place: &str) -> &str {
    place.split_once(".rs:").map_or(place, |(file, _)| file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TAIL;
    use crate::metrics::Tags;

    fn log(events: &[Event]) -> EventLog {
        let mut log = EventLog::new(Keep::Tail);
        for event in events {
            log.push(event);
        }
        log
    }

    fn event(at_ns: u64, kind: EventKind) -> Event {
        Event::new(at_ns, Actor::User(1), kind)
    }

    fn sample(metric: &'static str, sample: Sample) -> Event {
        event(5, EventKind::Sample { metric: metric.into(), sample })
    }

    fn tags(key: &str, value: &str) -> Tags {
        Tags::from(vec![(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn every_part_of_an_event_changes_the_fingerprint() {
        let base = event(5, EventKind::Refused("global limit".into()));
        let variants = [
            base.clone(),
            event(6, base.kind.clone()),
            Event { actor: Actor::User(2), ..base.clone() },
            Event { actor: Actor::World, ..base.clone() },
            event(5, EventKind::Refused("user limit".into())),
            event(5, EventKind::Failed("global limit".into())),
            event(5, EventKind::Accepted { waited_ns: None }),
            event(5, EventKind::Accepted { waited_ns: Some(0) }),
            event(5, EventKind::Completed { response_ns: 1, late_ns: 0 }),
            event(5, EventKind::Completed { response_ns: 1, late_ns: 1 }),
            event(5, EventKind::BeganLate { late_ns: 1 }),
            event(5, EventKind::Dropped),
            event(5, EventKind::Interrupted),
            sample("tokens", Sample::Added(1)),
            sample("tokens", Sample::Added(2)),
            sample("words", Sample::Added(1)),
            sample("tokens", Sample::Stands(1)),
            sample("tokens", Sample::Stands(-1)),
            sample("tokens", Sample::Was(true)),
            sample("tokens", Sample::Took(1)),
            sample("tokens", Sample::Value(1)),
            Event { tags: tags("model", "small"), ..base.clone() },
            Event { tags: tags("model", "large"), ..base.clone() },
        ];
        let mut seen: Vec<u64> =
            variants.iter().map(|event| log(std::slice::from_ref(event)).fingerprint().0).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), variants.len());
    }

    #[test]
    fn a_line_more_in_a_file_does_not_change_the_fingerprint() {
        let of = |place: &'static str| {
            let actor = Actor::Task(place.into());
            log(&[Event::new(1, actor, EventKind::Arrived)]).fingerprint()
        };
        assert_eq!(of("a/b.rs:96:17"), of("a/b.rs:97:9"));
        assert_ne!(of("a/b.rs:96:17"), of("a/c.rs:96:17"));
    }

    #[test]
    fn order_changes_the_fingerprint_and_the_tail_is_bounded() {
        let (a, b) = (event(1, EventKind::Arrived), event(1, EventKind::Left));
        assert_ne!(log(&[a.clone(), b.clone()]).fingerprint(), log(&[b, a.clone()]).fingerprint());
        let many: Vec<Event> =
            (0..TAIL as u64 * 3 + 5).map(|at| Event { at_ns: at, ..a.clone() }).collect();
        let log = log(&many);
        assert_eq!(log.count(), many.len() as u64);
        assert_eq!(log.into_kept().0, many[many.len() - TAIL..]);
    }

    #[test]
    fn what_is_kept_in_short_is_the_event_that_it_was() {
        let kinds = [
            EventKind::LoadStarted,
            EventKind::LoadEnded,
            EventKind::Wave(7),
            EventKind::Arrived,
            EventKind::Left,
            EventKind::Requested,
            EventKind::Accepted { waited_ns: None },
            EventKind::Accepted { waited_ns: Some(0) },
            EventKind::Accepted { waited_ns: Some(u64::MAX) },
            EventKind::Refused("full".into()),
            EventKind::Completed { response_ns: u64::MAX, late_ns: u64::MAX },
            EventKind::Failed("dependency".into()),
            EventKind::Abandoned,
            EventKind::Cancelled,
            EventKind::Panicked { message: "m".into(), location: "l".into() },
            EventKind::Note("n".into()),
            EventKind::Dropped,
            EventKind::Interrupted,
            EventKind::BeganLate { late_ns: 1 << 40 },
            EventKind::Sample { metric: "tokens".into(), sample: Sample::Stands(-1) },
            EventKind::Aborted("a".into()),
        ];
        let actors = [Actor::World, Actor::User(u32::MAX), Actor::Task("src/lib.rs:1".into())];
        let all = actors.iter().flat_map(|actor| {
            kinds.iter().map(|kind| Event::new(u64::MAX - 1, actor.clone(), kind.clone()))
        });
        let mut all: Vec<Event> = all.collect();
        all.push(Event { tags: tags("model", "small"), ..event(1, EventKind::Requested) });
        let mut log = EventLog::new(Keep::All);
        all.iter().for_each(|event| log.push(event));
        let short = log.kept.iter().filter(|kept| kept.full.is_none()).count();
        assert_eq!(short, 2 * 14, "of the world and of a user, those without a text");
        assert_eq!(log.into_kept().0, all);
    }
}
