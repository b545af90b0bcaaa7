//! What every virtual user is doing, since when, and how much time they spent with it.
//!
//! Users that a plan knows beforehand lie side by side, 16 bytes each. Those of an open model come one
//! after the other without end: they are known from their arrival until they leave.

use std::collections::BTreeMap;
use std::fmt;

use super::TimeSpent;
use crate::event::EventKind;

/// What a virtual user was last seen doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Absent,
    Idle,
    Requesting,
    Operating,
}

impl Doing {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Doing::Absent => "has left",
            Doing::Idle => "between operations",
            Doing::Requesting => "waiting for its operation to be accepted",
            Doing::Operating => "in an accepted operation",
        }
    }

    /// What a user does after this, if it says anything about that.
    fn after(kind: &EventKind) -> Option<Self> {
        match kind {
            EventKind::Arrived => Some(Doing::Idle),
            EventKind::Left => Some(Doing::Absent),
            EventKind::Requested => Some(Doing::Requesting),
            EventKind::Accepted { .. } => Some(Doing::Operating),
            EventKind::Refused(_)
            | EventKind::Completed { .. }
            | EventKind::Failed(_)
            | EventKind::Abandoned
            | EventKind::Cancelled => Some(Doing::Idle),
            _ => None,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct User {
    since_ns: u64,
    kind: u16,
    doing: Doing,
}

pub(crate) struct Users {
    /// Those that are known beforehand, by number.
    known: Vec<User>,
    /// Those who come beyond them, while they are there. In order, since it is told who waits.
    others: BTreeMap<u32, User>,
    /// What users of each kind have spent their time with.
    spent: Vec<TimeSpent>,
    /// How long faults have held users of each kind up, in nanoseconds.
    held_up_ns: Vec<u64>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("spent", &self.spent).finish_non_exhaustive()
    }
}

impl Users {
    /// The kinds of the users that are known beforehand, and how many kinds there are; 0 when users are all alike.
    pub(super) fn new(kind_of_user: &[u16], kinds: usize) -> Self {
        let known = kind_of_user.iter().map(|kind| User::absent(*kind)).collect();
        let kinds = kinds.max(1);
        let spent = vec![TimeSpent::default(); kinds];
        Self { known, others: BTreeMap::new(), spent, held_up_ns: vec![0; kinds] }
    }

    /// A fault holds a user up for so long.
    pub(crate) fn hold_up(&mut self, id: u32, ns: u64) {
        let user = self.known.get(id as usize).or_else(|| self.others.get(&id));
        if let Some(user) = user {
            self.held_up_ns[user.kind as usize] += ns;
        }
    }

    /// A user of this kind is about to arrive.
    pub(crate) fn announce(&mut self, id: u32, kind: u16) {
        if id as usize >= self.known.len() {
            self.others.insert(id, User::absent(kind));
        }
    }

    /// The kind of the user of this event; `None` for one outside of the load.
    pub(super) fn fold(&mut self, id: u32, at_ns: u64, kind: &EventKind) -> Option<u16> {
        let known = self.known.get_mut(id as usize);
        let is_known = known.is_some();
        let user = match known {
            Some(user) => user,
            // Who was not announced acts outside of the load; whoever is dropped never arrives.
            None => self.others.get_mut(&id)?,
        };
        let of = user.kind;
        if let Some(doing) = Doing::after(kind) {
            user.turn_to(doing, at_ns, &mut self.spent[of as usize]);
            if doing == Doing::Absent && !is_known {
                self.others.remove(&id);
            }
        }
        Some(of)
    }

    fn present(&self) -> impl Iterator<Item = (u32, &User)> {
        let all = (0..).zip(&self.known).chain(self.others.iter().map(|(id, user)| (*id, user)));
        all.filter(|(_, user)| user.doing != Doing::Absent)
    }

    /// Users that have arrived and not left: who, doing what, since when.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (u32, Doing, u64)> {
        self.present().map(|(id, user)| (id, user.doing, user.since_ns))
    }

    /// What those of each kind have spent their time with until now, those that are still there included; and how long
    /// faults have held them up, in nanoseconds.
    pub(crate) fn time_of_kinds(&self, now_ns: u64) -> Vec<(TimeSpent, u64)> {
        let mut spent = self.spent.clone();
        for (_, mut user) in self.present().map(|(id, user)| (id, *user)) {
            let kind = user.kind as usize;
            user.turn_to(Doing::Absent, now_ns, &mut spent[kind]);
        }
        spent.into_iter().zip(self.held_up_ns.iter().copied()).collect()
    }

    /// The same of all of them.
    pub(super) fn time_spent(&self, now_ns: u64) -> TimeSpent {
        let of_kinds = self.time_of_kinds(now_ns).into_iter();
        of_kinds.fold(TimeSpent::default(), |all, (of, _)| TimeSpent {
            idle_ns: all.idle_ns + of.idle_ns,
            waiting_ns: all.waiting_ns + of.waiting_ns,
            operating_ns: all.operating_ns + of.operating_ns,
        })
    }
}

impl User {
    fn absent(kind: u16) -> Self {
        Self { since_ns: 0, kind, doing: Doing::Absent }
    }

    fn turn_to(&mut self, doing: Doing, at_ns: u64, spent: &mut TimeSpent) {
        if doing == self.doing {
            return;
        }
        let time = at_ns.saturating_sub(self.since_ns);
        match self.doing {
            Doing::Absent => {}
            Doing::Idle => spent.idle_ns += time,
            Doing::Requesting => spent.waiting_ns += time,
            Doing::Operating => spent.operating_ns += time,
        }
        (self.doing, self.since_ns) = (doing, at_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_spent_alike_by_users_known_beforehand_and_by_those_who_just_come() {
        let day = [
            (5, EventKind::Arrived),
            (10, EventKind::Requested),
            (12, EventKind::Accepted { waited_ns: Some(2) }),
            (30, EventKind::Completed { response_ns: 20, late_ns: 0 }),
            (31, EventKind::Left),
        ];
        for kinds in [&[0, 1][..], &[]] {
            let mut users = Users::new(kinds, 2);
            users.announce(1, 1);
            users.announce(0, 0);
            for (at_ns, kind) in &day {
                assert_eq!(users.fold(1, *at_ns, kind), Some(1));
            }
            let spent = TimeSpent { idle_ns: 6, waiting_ns: 2, operating_ns: 18 };
            assert_eq!(users.time_spent(100), spent);
            assert_eq!(users.waiting().count(), 0);
            users.fold(0, 90, &EventKind::Arrived);
            users.fold(0, 95, &EventKind::Requested);
            assert_eq!(users.waiting().collect::<Vec<_>>(), [(0, Doing::Requesting, 95)]);
            let spent = TimeSpent { idle_ns: 11, waiting_ns: 7, operating_ns: 18 };
            assert_eq!(users.time_spent(100), spent, "those that are still there are included");
        }
    }
}
