//! A slot is taken before there is a conversation that would give it back: who is cancelled in between keeps it
//! for ever.

use super::Mistake;

pub(super) struct LeakOnCancel;

impl Mistake for LeakOnCancel {
    const OWNS_WHAT_IT_TAKES: bool = false;
}
