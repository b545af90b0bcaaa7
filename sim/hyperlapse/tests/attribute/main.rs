//! The attribute `#[hyperlapse::test]`: what it accepts, what it finds, what it says.

mod accepts;
mod again;
mod finds;
mod harness;
mod of_suite;
