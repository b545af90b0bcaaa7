//! The queue is strictly first come first served: a user at their own limit holds up everybody behind.

use super::Mistake;

pub(super) struct HeadOfLine;

impl Mistake for HeadOfLine {
    const LETS_OTHERS_PASS: bool = false;
}
