//! The attribute `#[hyperlapse::test]`: what it accepts, what it finds, what it says.

mod accepts;
mod finds;
mod harness;
