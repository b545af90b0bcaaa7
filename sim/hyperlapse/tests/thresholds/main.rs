//! Thresholds in every form: held and broken on a run, over windows, after a warm-up, by trend, by tag, over
//! seeds, and ending a run; and what is said of those that cannot be understood.

mod abort;
mod bot;
mod docs;
mod errors;
mod seeds;
mod windows;

#[global_allocator]
static ALLOCATOR: hyperlapse::CountingAllocator = hyperlapse::CountingAllocator::new();
