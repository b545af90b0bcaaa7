//! Which shard this is, by what a system that starts many of them says in variables.
//!
//! Taken only where `--shard auto` asks for it: a job that runs several times for another reason must not test an
//! eighth of what it did before, and pass.

use std::ffi::OsString;

use super::super::environment::SHARDS;
use crate::environment::{unusable, variable};
use crate::input::{InputError, Source};
use crate::shard::Shard;

/// How a system tells its jobs apart.
struct System {
    name: &'static str,
    /// The variable with the number of this job.
    index: &'static str,
    /// What the first one is called.
    first: u32,
    /// The variable with how many there are.
    count: &'static str,
}

/// Kubernetes does not say how many there are; the manifest does.
const SYSTEMS: [System; 5] = [
    System {
        name: "a Kubernetes Indexed Job",
        index: "JOB_COMPLETION_INDEX",
        first: 0,
        count: SHARDS,
    },
    System { name: "GitLab", index: "CI_NODE_INDEX", first: 1, count: "CI_NODE_TOTAL" },
    System { name: "CircleCI", index: "CIRCLE_NODE_INDEX", first: 0, count: "CIRCLE_NODE_TOTAL" },
    System {
        name: "Buildkite",
        index: "BUILDKITE_PARALLEL_JOB",
        first: 0,
        count: "BUILDKITE_PARALLEL_JOB_COUNT",
    },
    System {
        name: "Bitbucket",
        index: "BITBUCKET_PARALLEL_STEP",
        first: 0,
        count: "BITBUCKET_PARALLEL_STEP_COUNT",
    },
];

/// The shard that the variables of this machine tell.
///
/// # Errors
/// When none of the systems says so, or two disagree; when a variable is missing or no number that can be.
pub(in super::super) fn shard(
    value: impl Fn(&str) -> Option<OsString>,
) -> Result<Shard, InputError> {
    let mut found: Option<(&System, Shard)> = None;
    for system in &SYSTEMS {
        let Some(shard) = system.shard(&value)? else { continue };
        match found {
            Some((other, told)) if told != shard => {
                let message = format!(
                    "--shard auto: {} says {told}, and {} says {shard}",
                    other.index, system.index
                );
                return Err(InputError::new(message).help("say which by --shard K/N"));
            }
            _ => found = Some((system, shard)),
        }
    }
    found.map(|(_, shard)| shard).ok_or_else(|| {
        let names = SYSTEMS.map(|system| format!("{} ({})", system.index, system.name));
        InputError::new("--shard auto: no variable says which shard this is")
            .help(format!("it looks for {}; elsewhere say --shard K/N", names.join(", ")))
    })
}

impl System {
    /// What it says, if it is there.
    fn shard(
        &self,
        value: &impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Shard>, InputError> {
        let count = variable(self.count, value)?;
        let of = count.as_ref().map(|source| number(source, 1, u32::MAX)).transpose()?;
        let Some(index) = variable(self.index, value)? else {
            // Of a job that is not split GitLab says that there is one of it, and no more.
            return Ok(of.filter(|of| *of == 1).map(|_| Shard::WHOLE));
        };
        let Some(of) = of else {
            let message = format!("--shard auto: {} is set, and {} is not", self.index, self.count);
            return Err(InputError::new(message).help(format!(
                "set {} to how many shards there are, as in {}",
                self.count, self.name
            )));
        };
        // The last one is one less than their number where they are counted from 0.
        let last = of - 1 + self.first;
        let number = number(&index, self.first, last)? - self.first + 1;
        Ok(Shard::new(number, of))
    }
}

fn number(source: &Source, least: u32, most: u32) -> Result<u32, InputError> {
    let parsed: Option<u32> = source.text.trim().parse().ok();
    parsed.filter(|number| (least..=most).contains(number)).ok_or_else(|| {
        let what = "one of the numbers that --shard auto goes by";
        let expected = match most {
            u32::MAX => format!("expected a whole number from {least}"),
            most => format!("expected a whole number from {least} to {most}"),
        };
        unusable(source, what, expected)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(set: &[(&str, &str)]) -> Result<String, String> {
        let value = |name: &str| {
            set.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        shard(value).map(|shard| shard.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn each_system_counts_in_its_own_way() {
        for system in &SYSTEMS {
            for (place, expected) in [(0, "1/8"), (7, "8/8")] {
                let index = (system.first + place).to_string();
                let set = [(system.index, index.as_str()), (system.count, "8")];
                assert_eq!(told(&set), Ok(expected.to_owned()), "{}", system.name);
            }
        }
        assert_eq!(told(&[("CI_NODE_INDEX", "3"), ("CI_NODE_TOTAL", "8")]).unwrap(), "3/8");
        assert_eq!(told(&[("CIRCLE_NODE_INDEX", "3"), ("CIRCLE_NODE_TOTAL", "8")]).unwrap(), "4/8");
    }

    #[test]
    fn a_job_that_is_not_split_is_the_whole() {
        assert_eq!(told(&[("CI_NODE_TOTAL", "1")]).unwrap(), "1/1");
        assert_eq!(told(&[("CIRCLE_NODE_INDEX", "0"), ("CIRCLE_NODE_TOTAL", "1")]).unwrap(), "1/1");
    }

    #[test]
    fn what_cannot_be_is_said_of_its_variable() {
        let wrong: [&[(&str, &str)]; 6] = [
            &[],
            &[("JOB_COMPLETION_INDEX", "3")],
            &[("JOB_COMPLETION_INDEX", "8"), ("HYPERLAPSE_SHARDS", "8")],
            &[("CI_NODE_INDEX", "0"), ("CI_NODE_TOTAL", "8")],
            &[("BUILDKITE_PARALLEL_JOB", "0"), ("BUILDKITE_PARALLEL_JOB_COUNT", "eight")],
            &[
                ("CI_NODE_INDEX", "1"),
                ("CI_NODE_TOTAL", "2"),
                ("CIRCLE_NODE_INDEX", "1"),
                ("CIRCLE_NODE_TOTAL", "2"),
            ],
        ];
        insta::assert_snapshot!(wrong.map(|set| told(set).unwrap_err()).join("\n\n"));
    }
}
