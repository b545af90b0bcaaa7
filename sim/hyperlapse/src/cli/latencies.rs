//! `run --save-latencies`: times that were measured, for a distribution of a later scenario.

use std::io::Write;
use std::path::Path;

use super::Stop;
use super::output::temporary;
use crate::input::InputError;
use crate::record::Record;
use crate::units::count;
use crate::workload::measured;

/// Whether the times of so many runs can be saved there.
///
/// # Errors
/// When they are not those of one run, or there is something of that name: it may be what other scenarios go by.
pub(super) fn check(path: &Path, runs: u64) -> Result<(), InputError> {
    if runs > 1 {
        let runs = count(runs);
        let message = format!("--save-latencies saves one run, and these are {runs}");
        return Err(InputError::new(message).help("name one scenario and one seed"));
    }
    match path.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(_) => Err(is_there(path)),
    }
}

fn is_there(path: &Path) -> InputError {
    InputError::new(format!("{} is there already, and is not overwritten", path.display()))
        .help("name another file, or move this one away")
}

/// Saves the times of a run, whole or not at all.
pub(super) fn save(path: &Path, record: &Record) -> Result<(), Stop> {
    let cannot = |error| Stop::Io(format!("write {}", path.display()), error);
    let mut file = temporary(path).map_err(cannot)?;
    file.write_all(measured::csv(&record.metrics).as_bytes()).map_err(cannot)?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        // It came while the run went on.
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(is_there(path).into())
        }
        Err(error) => Err(cannot(error.error)),
    }
}
