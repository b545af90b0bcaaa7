//! The limit is compared the wrong way round: full is "more than the limit", not "as many".

use super::Mistake;

pub(super) struct OffByOne;

impl Mistake for OffByOne {
    fn is_full(free: isize) -> bool {
        free < 0
    }
}
