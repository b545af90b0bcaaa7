//! A larger limit lets in those who wait, and then adds the new slots once more.

use super::Mistake;

pub(super) struct ResizeTwice;

impl Mistake for ResizeTwice {
    const GROWS_ONCE: bool = false;
}
