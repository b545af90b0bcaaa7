//! The slot that a cancelled waiter had been granted passes on, but still counts for that user: in the end they
//! are refused at a limit that they are far below.

use super::Mistake;

pub(super) struct UserCountStays;

impl Mistake for UserCountStays {
    const COUNTS_USERS_DOWN: bool = false;
}
