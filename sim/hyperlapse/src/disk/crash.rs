//! What a crash leaves of what was not synced.
//!
//! A crash has a mood for each file, so that the states in which most bugs lie are common: nothing of the rest is
//! left; it is left up to some write, which is torn, and not beyond; or each write has its own luck, and later ones
//! survive earlier ones. With each sector drawn by itself alone nothing, all or a prefix of many writes would hardly
//! ever be left: of twenty one in a million.

use rand::Rng;

use super::Crash;
use super::files::{File, What, write};
use super::options::{DiskOptions, Tearing};
use crate::random::{RandomExt, StreamRng};

/// How writes are torn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tear {
    sector: usize,
    tearing: Tearing,
    powersafe: bool,
}

impl Tear {
    pub(super) fn of(options: &DiskOptions) -> Self {
        Self {
            sector: options.sector as usize,
            tearing: options.tearing,
            powersafe: options.powersafe_overwrite,
        }
    }
}

enum Mood {
    Nothing,
    /// So many are left whole; the next is torn.
    Until(u64),
    /// So many of eight are left whole; half of the others are torn.
    Each(u64),
}

impl Mood {
    fn draw(changes: u64, rng: &mut StreamRng) -> Self {
        match rng.below(4) {
            0 => Mood::Nothing,
            1 => Mood::Until(rng.below(changes + 1)),
            _ => Mood::Each(1 + rng.below(7)),
        }
    }

    fn fate(&self, index: u64, rng: &mut StreamRng) -> Fate {
        match *self {
            Mood::Nothing => Fate::Lost,
            Mood::Until(n) if index < n => Fate::Kept,
            Mood::Until(n) if index == n => Fate::Torn,
            Mood::Until(_) => Fate::Lost,
            Mood::Each(kept) if rng.chance(kept, 8) => Fate::Kept,
            Mood::Each(_) if rng.chance(1, 2) => Fate::Torn,
            Mood::Each(_) => Fate::Lost,
        }
    }
}

enum Fate {
    Kept,
    Torn,
    Lost,
}

/// The bytes of a file after the crash.
pub(super) fn left_of(file: &File, tear: &Tear, rng: &mut StreamRng, told: &mut Crash) -> Vec<u8> {
    let mut image = file.durable.clone();
    if file.unsynced.is_empty() {
        return image;
    }
    let mood = Mood::draw(file.unsynced.len() as u64, rng);
    for (index, (change, bytes)) in file.changes().enumerate() {
        if change.forgotten {
            told.lost += 1;
            continue;
        }
        let mut fate = mood.fate(index as u64, rng);
        if matches!(fate, Fate::Torn)
            && (tear.tearing == Tearing::Whole || matches!(change.what, What::Length(_)))
        {
            fate = Fate::Lost;
        }
        match (&change.what, &fate) {
            (What::Length(length), Fate::Kept) => image.resize(*length, 0),
            (What::Length(_), _) => {}
            (What::Write { offset, .. }, Fate::Kept) => write(&mut image, *offset, bytes),
            (What::Write { offset, .. }, Fate::Torn) => {
                torn(&mut image, *offset, bytes, tear, rng);
            }
            (What::Write { offset, .. }, Fate::Lost) => {
                // A length may be written before the bytes that it is there for.
                let end = offset + bytes.len();
                if tear.tearing >= Tearing::Sectors && image.len() < end && rng.chance(1, 8) {
                    image.resize(end, 0);
                }
            }
        }
        match fate {
            Fate::Kept => told.kept += 1,
            Fate::Torn => told.torn += 1,
            Fate::Lost => told.lost += 1,
        }
    }
    image
}

/// Writes some sectors of a write, some in part, some with anything in them.
fn torn(image: &mut Vec<u8>, offset: usize, bytes: &[u8], tear: &Tear, rng: &mut StreamRng) {
    let end = offset + bytes.len();
    if image.len() < end {
        image.resize(end, 0);
    }
    let kinds = match tear.tearing {
        Tearing::Whole | Tearing::Sectors => 2,
        Tearing::Bytes => 3,
        Tearing::Garbage => 4,
    };
    let mut from = offset;
    while from < end {
        let to = end.min((from / tear.sector + 1) * tear.sector);
        let new = &bytes[from - offset..to - offset];
        match rng.below(kinds) {
            0 => {}
            1 => image[from..to].copy_from_slice(new),
            2 => {
                let cut = rng.below(new.len() as u64 + 1) as usize;
                match rng.chance(1, 2) {
                    true => image[from..from + cut].copy_from_slice(&new[..cut]),
                    false => image[from + cut..to].copy_from_slice(&new[cut..]),
                }
            }
            _ if tear.powersafe => rng.fill_bytes(&mut image[from..to]),
            _ => {
                // The whole sector was being rewritten, the bytes beside these with it.
                let sector = from / tear.sector * tear.sector;
                let sector_end = image.len().min(sector + tear.sector);
                rng.fill_bytes(&mut image[sector..sector_end]);
            }
        }
        from = to;
    }
}
