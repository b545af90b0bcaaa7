//! Expiry finds out under the lock what is due and ends it in another go: who ends it themselves in between gives
//! the slot back twice.

use super::Mistake;

pub(super) struct ExpiryOutsideLock;

impl Mistake for ExpiryOutsideLock {
    const EXPIRES_IN_ONE_GO: bool = false;
}
