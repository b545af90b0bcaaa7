//! A touch puts a conversation back that had ended meanwhile, and whose slot is taken by another.

use super::Mistake;

pub(super) struct TouchRevives;

impl Mistake for TouchRevives {
    const STAYS_ENDED: bool = false;
}
