//! Stages of a ramp: each goes from where the one before ended to its target, in a straight line.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rate::Rate;
use super::{InvalidField, MAX_USERS};
use crate::units;

/// A stage of a number of users. In a scenario file: `{ duration = "10s", target = 20 }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserStage {
    /// How long it takes; zero is a jump.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub duration: Duration,
    /// How many users there are at its end.
    pub target: u64,
}

/// A stage of a rate. In a scenario file: `{ duration = "10s", target = "50/s" }`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateStage {
    /// How long it takes; zero is a jump.
    #[serde(with = "crate::units::duration")]
    #[schemars(schema_with = "crate::units::duration::json_schema")]
    pub duration: Duration,
    /// The rate at its end.
    pub target: Rate,
}

/// A level in steps: its stages, for a ramp before each step but the first and a plateau in each.
pub(super) fn steps<T: Copy>(
    levels: impl IntoIterator<Item = T>,
    lasting: Duration,
    ramps: Duration,
) -> Vec<(Duration, T)> {
    let mut stages = Vec::new();
    for (n, level) in levels.into_iter().enumerate() {
        stages.push((if n == 0 { Duration::ZERO } else { ramps }, level));
        stages.push((lasting, level));
    }
    stages
}

/// Somebody who comes and goes while the number of users follows stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) from: Duration,
    pub(super) until: Duration,
}

/// Who is there when: as many at each instant as the level, rounded to the nearest whole number. Who came last goes
/// first. In the order of coming.
pub(super) fn stays(first: u64, stages: &[UserStage]) -> Vec<Stay> {
    let (mut stays, mut present) = (Vec::<Stay>::new(), Vec::<usize>::new());
    let mut come = |at: Duration, present: &mut Vec<usize>| {
        present.push(stays.len());
        stays.push(Stay { from: at, until: Duration::MAX });
    };
    (0..first).for_each(|_| come(Duration::ZERO, &mut present));
    let mut gone = Vec::new();
    let (mut at, mut level) = (Duration::ZERO, first);
    for stage in stages {
        let distance = level.abs_diff(stage.target);
        // The n-th crossing of a half, out of `distance`.
        let crossing = |n: u64| {
            let ns = u128::from(units::nanos(stage.duration)) * u128::from(2 * n + 1);
            at + Duration::from_nanos((ns / u128::from(2 * distance)) as u64)
        };
        for n in 0..distance {
            match stage.target > level {
                true => come(crossing(n), &mut present),
                false => {
                    let who = present.pop().expect("nobody goes who has not come");
                    gone.push((who, crossing(n)));
                }
            }
        }
        at += stage.duration;
        level = stage.target;
    }
    for (who, until) in gone {
        stays[who].until = until;
    }
    for who in present {
        stays[who].until = at;
    }
    stays
}

/// Checks stages of a number of users.
pub(super) fn validate_users(stages: &[UserStage]) -> Result<(), InvalidField> {
    if stages.is_empty() {
        return Err(InvalidField::new("stages", "is empty: expected at least one stage"));
    }
    if let Some(stage) = stages.iter().find(|stage| stage.target >= MAX_USERS) {
        let why = format!("goes to {}: expected fewer than {MAX_USERS} users", stage.target);
        return Err(InvalidField::new("stages", why));
    }
    if stages.iter().all(|stage| stage.duration.is_zero()) {
        return Err(InvalidField::new("stages", "takes no time: expected a time to go on for"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn ms(stays: &[Stay]) -> Vec<(u128, u128)> {
        stays.iter().map(|stay| (stay.from.as_millis(), stay.until.as_millis())).collect()
    }

    #[test]
    fn users_come_and_go_where_the_level_passes_a_half() {
        let up_and_down =
            [UserStage { duration: s(2), target: 2 }, UserStage { duration: s(2), target: 0 }];
        assert_eq!(ms(&stays(0, &up_and_down)), [(500, 3_500), (1_500, 2_500)]);
        // A jump, a plateau, and an end.
        let jump =
            [UserStage { duration: s(0), target: 2 }, UserStage { duration: s(3), target: 2 }];
        assert_eq!(ms(&stays(0, &jump)), [(0, 3_000), (0, 3_000)]);
        assert_eq!(ms(&stays(1, &jump)), [(0, 3_000), (0, 3_000)]);
    }

    #[test]
    fn who_came_last_goes_first_and_comes_back_as_somebody_else() {
        let dip = [1, 2].map(|target| UserStage { duration: s(1), target });
        assert_eq!(ms(&stays(2, &dip)), [(0, 2_000), (0, 500), (1_500, 2_000)]);
    }

    proptest! {
        #[test]
        fn as_many_are_there_as_the_level_says(
            first in 0u64..20,
            stages in prop::collection::vec((0u64..10, 0u64..30), 1..5),
        ) {
            let stages: Vec<UserStage> =
                stages.iter().map(|(d, target)| UserStage { duration: s(*d), target: *target }).collect();
            let stays = stays(first, &stages);
            // In the middle between the beginnings of two seconds no crossing is likely to be ambiguous.
            let (mut at, mut level) = (0.0, first as f64);
            for stage in &stages {
                let seconds = stage.duration.as_secs_f64();
                for tenth in 0..(seconds * 10.0) as u64 {
                    let t = tenth as f64 / 10.0 + 0.05037;
                    let wanted = level + (stage.target as f64 - level) * t / seconds;
                    let now = Duration::from_secs_f64(at + t);
                    let there =
                        stays.iter().filter(|stay| stay.from <= now && now < stay.until).count();
                    prop_assert!((there as f64 - wanted).abs() <= 0.5 + 1e-6, "{there} at {now:?}: {wanted}");
                }
                at += seconds;
                level = stage.target as f64;
            }
        }
    }
}
