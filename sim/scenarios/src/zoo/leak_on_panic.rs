//! The slot is freed by `end` alone: a conversation whose task panics never comes there.

use super::Mistake;

pub(super) struct LeakOnPanic;

impl Mistake for LeakOnPanic {
    const FREES_ON_DROP: bool = false;
}
