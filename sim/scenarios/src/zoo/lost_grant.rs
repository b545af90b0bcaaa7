//! A slot is granted to a waiter, who goes away before hearing of it: the slot is nobody's, for ever.

use super::Mistake;

pub(super) struct LostGrant;

impl Mistake for LostGrant {
    const PASSES_A_GRANT_ON: bool = false;
}
