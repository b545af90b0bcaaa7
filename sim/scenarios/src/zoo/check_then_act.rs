//! A free slot is seen, something else is awaited, and the slot is taken without looking again.

use super::Mistake;

pub(super) struct CheckThenAct;

impl Mistake for CheckThenAct {
    const CHECKS_AND_TAKES_AT_ONCE: bool = false;
}
