//! A slot that is granted at the very moment of the timeout is given back by the timeout and by the place in the
//! queue: twice.

use super::Mistake;

pub(super) struct DoubleReturn;

impl Mistake for DoubleReturn {
    const GIVES_BACK_ONCE: bool = false;
}
