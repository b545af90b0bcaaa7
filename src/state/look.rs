//! What there is to see, in one consistent look.

use super::State;
use super::effects::{Effects, Signal};
use crate::clock::Timestamp;
use crate::limits::Limits;
use crate::request::UserId;
use crate::stats::{ActiveConversation, Stats};

impl<W: Signal> State<W> {
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    pub(crate) fn stats(&mut self, now: Timestamp, fx: &mut Effects<W>) -> Stats {
        self.settle(now, fx);
        Stats {
            active: self.active.into(),
            waiting: self.waiting as u64,
            users: self.users.len() as u64,
            peak_active: self.peak_active.into(),
            peak_waiting: self.peak_waiting as u64,
            limits: self.limits,
            started_total: self.started_total,
            refused: self.refused,
            ended: self.ended,
            cancelled_waits: self.cancelled_waits,
        }
    }

    /// The active conversations, of one user or of all, in the order of their start.
    pub(crate) fn active(
        &mut self,
        now: Timestamp,
        of: Option<&UserId>,
        fx: &mut Effects<W>,
    ) -> Vec<ActiveConversation> {
        self.settle(now, fx);
        let mut found = Vec::with_capacity(if of.is_none() { self.active as usize } else { 0 });
        found.extend(self.by_start.iter(&self.slots).filter_map(|(_, slot)| {
            let user = &self.users[slot.user].name;
            of.is_none_or(|of| of == user).then(|| ActiveConversation {
                id: slot.id,
                user: user.clone(),
                room: slot.place.room.clone(),
                thread: slot.place.thread.clone(),
                started: slot.started,
                touched: slot.touched,
            })
        }));
        found
    }
}
