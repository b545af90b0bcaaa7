//! What can be wrong with the handmade bot.

/// What a member of the zoo does otherwise than it should. The defaults are right.
pub trait Mistake: Send + Sync + 'static {
    /// Whether a conversation that is dropped without an end gives its slot back.
    const FREES_ON_DROP: bool = true;

    /// Whether a slot that was granted to somebody who has gone meanwhile passes on to the next.
    const PASSES_A_GRANT_ON: bool = true;

    /// Whether somebody who gives up waiting leaves the queue.
    const LEAVES_THE_QUEUE: bool = true;

    /// Whether a user at their own limit lets those behind pass.
    const LETS_OTHERS_PASS: bool = true;

    /// Whether it looks for a free slot and takes it in one go, or asks elsewhere in between.
    const CHECKS_AND_TAKES_AT_ONCE: bool = true;

    /// Whether a slot has an owner as soon as it is taken, or only when everything else is there too.
    const OWNS_WHAT_IT_TAKES: bool = true;

    /// Whether expiry ends a conversation under the lock under which it found it due.
    const EXPIRES_IN_ONE_GO: bool = true;

    /// Whether a slot that is granted at the very moment of a timeout is given back once.
    const GIVES_BACK_ONCE: bool = true;

    /// Whether the count of a user goes down with a slot that is passed on.
    const COUNTS_USERS_DOWN: bool = true;

    /// Whether new slots are either granted to those who wait or free.
    const GROWS_ONCE: bool = true;

    /// Whether a shutdown closes the door before it sends away those who wait.
    const CLOSES_THE_DOOR_FIRST: bool = true;

    /// Whether what has ended stays so when it is touched.
    const STAYS_ENDED: bool = true;

    /// Whether a slot is handed to who waits for it, or who waits is told to look.
    const HANDS_OVER: bool = true;

    /// Whether a reply goes to the conversation that it belongs to, or to the current one.
    const REPLIES_TO_ITS_OWN: bool = true;

    /// Whether there is no slot for one more.
    fn is_full(free: isize) -> bool {
        free <= 0
    }
}

/// No mistake.
#[derive(Debug)]
pub struct NoMistake;

impl Mistake for NoMistake {}
