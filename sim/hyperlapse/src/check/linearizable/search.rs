//! The search for an order.
//!
//! Wing and Gong, "Testing and Verifying Concurrent Objects" (JPDC 17, 1993): of the calls that are left, any that
//! began before the first of them returned can come next; try each, and go back when none fits. With Lowe's
//! memory ("Testing for Linearizability", CCPE 29(4), 2017): the same set of calls with the same object after them
//! is not tried twice, whatever the order was.

use std::collections::HashSet;

use super::{Model, Outcome, Taken};

/// A set of calls, by number.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Set(Vec<u64>);

impl Set {
    fn has(&self, number: usize) -> bool {
        self.0[number / 64] & (1 << (number % 64)) != 0
    }

    fn with(&self, number: usize) -> Self {
        let mut with = self.clone();
        with.0[number / 64] |= 1 << (number % 64);
        with
    }
}

/// A place in the search: what is in order, the object after it, and which call is tried next.
struct Place<M> {
    ordered: Set,
    count: usize,
    model: M,
    next: usize,
}

pub(super) fn search<M: Model>(
    calls: &[Taken<M::Call, M::Answer>],
    model: &M,
    mut steps: u64,
) -> Outcome {
    let answered = calls.iter().filter(|call| call.answer.is_some()).count();
    let none = Set(vec![0; calls.len().div_ceil(64)]);
    // Only looked up, never iterated: its order cannot be seen.
    let mut seen = HashSet::from([(none.clone(), model.clone())]);
    let mut places = vec![Place { ordered: none.clone(), count: 0, model: model.clone(), next: 0 }];
    let mut furthest = (0, none);
    while let Some(place) = places.last_mut() {
        if place.count == answered {
            return Outcome::Linearizable;
        }
        let first_return = returns(calls, &place.ordered).map(|(_, at)| at);
        let first_return = first_return.expect("some answered call is not in order yet");
        let number = place.next;
        // Calls stand in the order in which they were made: those behind cannot come next either.
        if number == calls.len() || calls[number].called > first_return {
            places.pop();
            continue;
        }
        place.next += 1;
        if place.ordered.has(number) {
            continue;
        }
        if steps == 0 {
            return Outcome::Undecided;
        }
        steps -= 1;
        let call = &calls[number];
        let answer = call.answer.as_ref().map(|(answer, _)| answer);
        let Some(model) = place.model.step(&call.call, answer) else { continue };
        let ordered = place.ordered.with(number);
        let count = place.count + usize::from(answer.is_some());
        if seen.insert((ordered.clone(), model.clone())) {
            if count > furthest.0 {
                furthest = (count, ordered.clone());
            }
            places.push(Place { ordered, count, model, next: 0 });
        }
    }
    let (stuck, _) = returns(calls, &furthest.1).expect("not everything could be put in order");
    let Taken { call, answer, .. } = &calls[stuck];
    let answer = answer.as_ref().map(|(answer, _)| answer);
    let stuck = format!("{call:?} was answered {:?}", answer.expect("it returned"));
    Outcome::Broken { ordered: furthest.0, stuck }
}

/// Of the answered calls that are not in order the one that returned first, and when.
fn returns<C, A>(calls: &[Taken<C, A>], ordered: &Set) -> Option<(usize, u64)> {
    let left = calls.iter().enumerate().filter(|(number, _)| !ordered.has(*number));
    left.filter_map(|(number, call)| Some((number, call.answer.as_ref()?.1)))
        .min_by_key(|(_, at)| *at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::{RandomExt, Streams};

    /// A counter with a limit: up (true) answers whether there was room, down (false) whether there was one.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    struct Limited(u32);

    impl Model for Limited {
        type Call = bool;
        type Answer = bool;

        fn step(&self, up: &bool, answer: Option<&bool>) -> Option<Self> {
            let done = if *up { self.0 < 2 } else { self.0 > 0 };
            let after = match (done, up) {
                (false, _) => self.0,
                (true, true) => self.0 + 1,
                (true, false) => self.0 - 1,
            };
            answer.is_none_or(|answer| *answer == done).then_some(Limited(after))
        }
    }

    type Calls = Vec<Taken<bool, bool>>;

    /// A history of a real counter: each call takes effect at one moment, and is stretched to both sides of it;
    /// some are never answered.
    fn history(seed: u64, count: usize) -> Calls {
        let mut rng = Streams::new(seed).stream("history");
        let mut object = Limited(0);
        let mut calls: Calls = (0..count as u64)
            .map(|n| {
                let up = rng.chance(1, 2);
                let done = if up { object.0 < 2 } else { object.0 > 0 };
                object = object.step(&up, Some(&done)).expect("it is its own answer");
                let moment = 100 * (n + 1);
                let (called, returned) =
                    (moment - rng.below(100 + 99 * n.min(2)), moment + rng.below(250));
                // No two instants are alike.
                let answer = Some((done, returned * 64 + n)).filter(|_| !rng.chance(1, 8));
                Taken { call: up, called: called * 64 + n, answer }
            })
            .collect();
        calls.sort_by_key(|call| call.called);
        calls
    }

    /// Every order of every subset that has all answered calls.
    fn by_force(calls: &Calls, left: &[usize], model: &Limited) -> bool {
        if left.iter().all(|number| calls[*number].answer.is_none()) {
            return true;
        }
        left.iter().any(|number| {
            let call = &calls[*number];
            let too_late = left.iter().any(|other| {
                calls[*other].answer.as_ref().is_some_and(|(_, at)| *at < call.called)
            });
            let answer = call.answer.as_ref().map(|(answer, _)| answer);
            let rest: Vec<usize> = left.iter().copied().filter(|other| other != number).collect();
            !too_late
                && model
                    .step(&call.call, answer)
                    .is_some_and(|model| by_force(calls, &rest, &model))
        })
    }

    proptest! {
        #[test]
        fn what_a_real_object_did_is_linearizable(seed in any::<u64>(), count in 1usize..40) {
            let outcome = search(&history(seed, count), &Limited(0), 1_000_000);
            prop_assert_eq!(outcome, Outcome::Linearizable);
        }

        #[test]
        fn it_says_what_trying_every_order_says(seed in any::<u64>(), count in 1usize..7, lie in 0usize..7) {
            let mut calls = history(seed, count);
            if let Some((answer, _)) = calls.get_mut(lie).and_then(|call| call.answer.as_mut()) {
                *answer = !*answer;
            }
            let all: Vec<usize> = (0..calls.len()).collect();
            let expected = by_force(&calls, &all, &Limited(0));
            let outcome = search(&calls, &Limited(0), 1_000_000);
            prop_assert_eq!(outcome == Outcome::Linearizable, expected, "{:?}", calls);
        }
    }

    #[test]
    fn a_lie_is_named_and_too_few_steps_decide_nothing() {
        let call = |call, called, answer, at| Taken { call, called, answer: Some((answer, at)) };
        let calls = vec![call(true, 1, true, 2), call(true, 3, true, 4), call(true, 5, true, 6)];
        let Outcome::Broken { ordered, stuck } = search(&calls, &Limited(0), 100) else {
            panic!("three got in where there is room for two")
        };
        assert_eq!((ordered, stuck.as_str()), (2, "true was answered true"));
        assert_eq!(search(&calls, &Limited(0), 1), Outcome::Undecided);
    }
}
