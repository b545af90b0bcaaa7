//! Who asked the host for something that a run answers instead.

use backtrace::Backtrace;

use crate::guard::HostSource;

/// So many places are noted for each source.
const PLACES: usize = 4;
/// So many times are looked at for a new place.
const LOOKS: u64 = 64;

/// What was asked for, how often, and where first.
#[derive(Default)]
pub(crate) struct Asked {
    counting: bool,
    names: bool,
    pub(crate) random: u64,
    pub(crate) clock: u64,
    pub(crate) by: Vec<(HostSource, Backtrace)>,
}

impl Asked {
    pub(super) fn counting(names: bool) -> Self {
        Self { counting: true, names, ..Self::default() }
    }

    pub(super) fn by(&mut self, source: HostSource) {
        if !self.counting {
            return;
        }
        let count = match source {
            HostSource::Clock => &mut self.clock,
            _ => &mut self.random,
        };
        *count += 1;
        let noted = self.by.iter().filter(|(of, _)| *of == source).count();
        if self.names && *count <= LOOKS && noted < PLACES {
            // Unresolved: names are found when somebody wants to read them. Taking it must not ask again.
            self.counting = false;
            self.by.push((source, Backtrace::new_unresolved()));
            self.counting = true;
        }
    }
}
