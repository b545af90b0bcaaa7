//! What a live conversation weighs, and that none of it stays behind.
//!
//! One test in a process of its own: it counts every allocation.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use conversation_manager::{Conversation, ConversationManager, Limits, UserId};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all of it is the system's allocator; only numbers are kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), SeqCst);
        ALLOCATIONS.fetch_add(1, SeqCst);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), SeqCst);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_conversation_weighs_what_the_documentation_says_and_leaves_nothing_behind() {
    const LIVE_ONES: usize = 1 << 16;
    let limits = Limits { max_concurrent: LIVE_ONES, max_per_user: LIVE_ONES, ..Limits::default() };
    let manager = ConversationManager::new(limits).unwrap();
    let user = UserId::from("ada");

    // Of one user. The table grows by doubling, so a power of two is the least that one conversation weighs.
    let mut talking = Vec::with_capacity(LIVE_ONES);
    let before = LIVE.load(SeqCst);
    talking.extend((0..LIVE_ONES).map(|_| manager.try_start(&user).unwrap()));
    let slot = (LIVE.load(SeqCst) - before) / LIVE_ONES;
    let handle = size_of::<Conversation>();
    println!("slot {slot} bytes, handle {handle} bytes");
    assert!(slot <= 128, "a slot weighs {slot} bytes");
    assert!(handle <= 112, "a handle weighs {handle} bytes");
    talking.clear();

    // Of as many users: their entries come on top.
    let users: Vec<UserId> = (0..LIVE_ONES).map(|n| UserId::from(format!("user-{n}"))).collect();
    let before = LIVE.load(SeqCst);
    talking.extend(users.iter().map(|user| manager.try_start(user).unwrap()));
    let entry = (LIVE.load(SeqCst) - before) / LIVE_ONES;
    println!("user {entry} bytes");
    assert!(entry <= 64, "a user weighs {entry} bytes");
    talking.clear();

    // The tables are as large as they ever were, so nothing allocates any more.
    let (live, allocations) = (LIVE.load(SeqCst), ALLOCATIONS.load(SeqCst));
    for user in users.iter().cycle().take(100_000) {
        manager.try_start(user).unwrap().end().unwrap();
    }
    assert_eq!(LIVE.load(SeqCst), live, "something stayed behind");
    assert_eq!(ALLOCATIONS.load(SeqCst), allocations, "a start or an end allocated");
}
