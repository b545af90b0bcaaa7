//! The guard: what a run of a system depends on besides its seed.
//!
//! A simulation holds the host still: `HashMap`'s keys, random bytes, the clock and the order of `select!` all come
//! from the seed, so that a run repeats itself. In production they move. The guard runs a seed again as it was, and
//! then once more for each of these with that one moved, and compares the events: what differs depends on it. A
//! difference between two runs that should be alike is nondeterminism; a difference when something of the host
//! moves is a dependence that the simulation hides. The first event that differs is named, and who asked.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::Keep;
use crate::explain::place::resolve;
use crate::suite::{Case, Finished, Suite};
use crate::world::RunOptions;

/// Where something comes from that no seed decides in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostSource {
    /// The keys of `HashMap` and `HashSet`: the order in which they are iterated.
    Hash,
    /// Random bytes: `rand`'s generators, `uuid`.
    Random,
    /// The clock of the host: `std::time::Instant`, `SystemTime`.
    Clock,
    /// What `tokio::select!` draws.
    Select,
}

impl HostSource {
    /// All of them.
    pub const ALL: [HostSource; 4] =
        [HostSource::Hash, HostSource::Random, HostSource::Clock, HostSource::Select];

    /// What it is called in reports.
    pub const fn text(self) -> &'static str {
        match self {
            HostSource::Hash => "the order of a HashMap or HashSet",
            HostSource::Random => "random bytes of the host",
            HostSource::Clock => "the clock of the host",
            HostSource::Select => "the order of select!",
        }
    }
}

/// Two runs that should be alike, and are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was moved between them; `None` for two runs with nothing between them but the first.
    pub moved: Option<HostSource>,
    /// How many events are the same.
    pub same: u64,
    /// The last of these.
    pub before: Vec<String>,
    /// The first that differs, in the run and in the one with something moved; `None` where it had ended.
    pub differs: (Option<String>, Option<String>),
    /// Who asked for it, where that is known.
    pub asked: Vec<String>,
}

impl Finding {
    /// Whether a service in production must expect it of every run: `select!` draws by design.
    pub fn is_note(&self) -> bool {
        self.moved == Some(HostSource::Select)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.moved {
            None => write!(
                f,
                "the same seed came to other events the second time: something outlives a run (a static, a \
                 cache, a thread, a runtime of its own whose select! has no seed)"
            )?,
            Some(source) => write!(f, "events depend on {}", source.text())?,
        }
        for asked in &self.asked {
            write!(f, "\n  asked for in {asked}")?;
        }
        write!(f, "\n  the first {} are the same", crate::units::plural(self.same, "event"))?;
        for event in &self.before {
            write!(f, "\n            {event}")?;
        }
        let (here, there) = &self.differs;
        let or_end = |event: &Option<String>| event.clone().unwrap_or_else(|| "(ended)".to_owned());
        write!(f, "\n  then      {}\n  and then  {}", or_end(here), or_end(there))
    }
}

impl<S: Clone + Send + 'static> Suite<S> {
    /// Runs a case with a seed, and again, and again with each [`HostSource`] moved. Six runs with all events kept.
    pub fn check_determinism(&self, case: &Case, options: RunOptions) -> (Finished, Vec<Finding>) {
        let finished = self.run_with(case, options.clone());
        let noted = RunOptions { keep: Keep::All, names_askers: true, ..options };
        let first = self.run_with(case, noted.clone());
        let mut findings = Vec::new();
        let again = self.run_with(case, noted.clone());
        findings.extend(compare(None, &first, &again));
        // Of a run that does not even repeat itself nothing more can be said.
        if findings.is_empty() {
            for source in HostSource::ALL {
                let moved = RunOptions { moved: Some(source), ..noted.clone() };
                findings.extend(compare(Some(source), &first, &self.run_with(case, moved)));
            }
        }
        (finished, findings)
    }
}

fn compare(moved: Option<HostSource>, first: &Finished, other: &Finished) -> Option<Finding> {
    const BEFORE: usize = 3;
    let (a, b) = (&first.record.kept_events, &other.record.kept_events);
    let n = (0..a.len().max(b.len())).find(|n| a.get(*n) != b.get(*n))?;
    let asked = first.record.askers.iter().filter(|(source, _)| Some(*source) == moved);
    Some(Finding {
        moved,
        same: n as u64,
        before: a[n.saturating_sub(BEFORE)..n].iter().map(ToString::to_string).collect(),
        differs: (a.get(n).map(ToString::to_string), b.get(n).map(ToString::to_string)),
        asked: asked.map(|(_, place)| place.clone()).collect(),
    })
}

/// The places of those who asked, each once.
pub(crate) fn askers(asked: crate::world::host::asked::Asked) -> Vec<(HostSource, String)> {
    let mut places: Vec<(HostSource, String)> = Vec::new();
    for (source, stack) in asked.by {
        let Some(place) = resolve(stack) else { continue };
        let function = place.function.map_or(String::new(), |name| format!("{name}, "));
        let through = place.awaits.map_or(String::new(), |module| format!(", through {module}"));
        let place = (source, format!("{function}{}{through}", place.line));
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}
