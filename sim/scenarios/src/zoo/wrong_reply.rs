//! The reply goes to the conversation that asked last, which may be another by then.

use super::Mistake;

pub(super) struct WrongReply;

impl Mistake for WrongReply {
    const REPLIES_TO_ITS_OWN: bool = false;
}
