//! Explanations of failures.
pub(crate) mod place;
pub use place::{Located, Place};
