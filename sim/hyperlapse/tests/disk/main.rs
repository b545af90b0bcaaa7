//! The simulated disk, and an unmodified SQLite on it: what is promised to be kept is kept after every crash, and
//! what is not promised is lost and seen to be.

mod crash;
mod determinism;
mod faults;
mod in_a_run;
mod model;
mod script;
mod speed;
