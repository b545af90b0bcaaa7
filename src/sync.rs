//! The lock around the state: std's. The crate's own tests have shuttle's in its place, which tries one
//! interleaving of threads after the other (see `threads`); nothing else in the crate is shared by threads
//! without it.

#[cfg(test)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard};
#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard};
