//! What can be done to a manager.

use std::time::Duration;

use conversation_manager::Limits;
use proptest::prelude::*;

pub(crate) const USERS: u8 = 4;

#[derive(Clone, Debug)]
pub(crate) enum Op {
    TryStart(u8),
    Start(u8, Option<u64>),
    Poll(usize),
    Cancel(usize),
    Touch(usize),
    End(usize),
    Fail(usize),
    Drop(usize),
    Watch(usize),
    Unwatch(usize),
    Advance(u64),
    Resize(Limits),
    Drain(u64),
    PollDrain(usize),
    DropDrain(usize),
    Look,
}

pub(crate) fn limits() -> impl Strategy<Value = Limits> {
    (1..6usize, 1..4usize, 1..40u64, 1..60u64, 0..6usize).prop_map(
        |(all, one, idle, longest, waiting)| Limits {
            max_concurrent: all,
            max_per_user: one,
            idle_timeout: Duration::from_nanos(idle),
            max_duration: Duration::from_nanos(longest),
            max_waiting: waiting,
        },
    )
}

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let any = 0..100usize;
    prop_oneof![
        12 => (0..USERS).prop_map(Op::TryStart),
        16 => (0..USERS, prop::option::of(0..20u64)).prop_map(|(user, within)| Op::Start(user, within)),
        12 => any.clone().prop_map(Op::Poll),
        6 => any.clone().prop_map(Op::Cancel),
        10 => any.clone().prop_map(Op::Touch),
        8 => any.clone().prop_map(Op::End),
        2 => any.clone().prop_map(Op::Fail),
        4 => any.clone().prop_map(Op::Drop),
        6 => any.clone().prop_map(Op::Watch),
        2 => any.clone().prop_map(Op::Unwatch),
        12 => (0..12u64).prop_map(Op::Advance),
        3 => limits().prop_map(Op::Resize),
        1 => (0..30u64).prop_map(Op::Drain),
        1 => any.clone().prop_map(Op::PollDrain),
        1 => any.prop_map(Op::DropDrain),
        8 => Just(Op::Look),
    ]
}
