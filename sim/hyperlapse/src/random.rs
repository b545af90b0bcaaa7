//! Named, independent streams of seeded randomness.
//!
//! Every consumer of randomness asks for a stream by a stable name (`user/17/pause`, `interleave`). A
//! stream depends on the seed and on that name alone: one more draw in one stream, or one user less,
//! leaves all the others as they were. That independence is what lets a failing run be cut down without
//! its remainder changing.
//!
//! A stream is ChaCha8 (RFC 8439's block function with 8 rounds, as `rand_chacha` has it): the key is
//! the seed, the 64-bit stream number is XXH3-64 of the name. Making one costs a hash of its name and
//! about 330 bytes of state, a first draw one ChaCha block.

use std::fmt::{self, Display, Write};
use std::hash::Hasher;

use rand::SeedableRng;
use twox_hash::XxHash3_64;

/// The random number generator behind every stream.
pub type StreamRng = rand_chacha::ChaCha8Rng;

/// All streams of one seed.
///
/// ```
/// use hyperlapse::{RandomExt, Streams};
///
/// let streams = Streams::new(7);
/// let mut a = streams.stream("user/17/pause");
/// let mut b = streams.stream(format_args!("user/{}/pause", 17));
/// assert_eq!(a.below(1_000), b.below(1_000));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// The streams of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The seed that all streams depend on.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The stream of this name, from its beginning: asking twice gives the same numbers twice.
    pub fn stream(&self, name: impl Display) -> StreamRng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&self.seed.to_le_bytes());
        key[8..26].copy_from_slice(b"hyperlapse streams");
        let mut rng = StreamRng::from_seed(key);
        rng.set_stream(hash_name(name));
        rng
    }
}

fn hash_name(name: impl Display) -> u64 {
    /// Feeds formatted text to the hasher without building a string.
    struct Sink(XxHash3_64);
    impl fmt::Write for Sink {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut sink = Sink(XxHash3_64::with_seed(0));
    write!(sink, "{name}").expect("a hasher takes any text");
    sink.0.finish()
}

/// Draws that stay the same for ever: integer arithmetic that no other crate's release or feature flag
/// can change (`rand`'s own range sampling and `rand_distr` make no such promise).
pub trait RandomExt {
    /// A whole number in `0..bound`, by Lemire's multiply-shift (the bias is below `bound / 2^64`).
    ///
    /// # Panics
    /// When `bound` is 0: there is no such number.
    fn below(&mut self, bound: u64) -> u64;

    /// A number in `(0, 1]` with 53 random bits: never zero, so that its logarithm is finite.
    fn unit(&mut self) -> f64;

    /// True with this probability, exactly: `numerator` times out of `denominator`.
    fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }
}

impl<R: rand::Rng + ?Sized> RandomExt for R {
    fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw below 0 was asked for");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_seed_and_name_alone() {
        let draw = |seed, name: &str| Streams::new(seed).stream(name).below(u64::MAX);
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
    }

    #[test]
    fn streams_keep_their_numbers_across_releases() {
        // Kept seed files mean nothing if these change.
        let mut rng = Streams::new(7).stream("user/17/pause");
        let draws: Vec<u64> = (0..4).map(|_| rng.below(1_000_000)).collect();
        insta::assert_debug_snapshot!(draws, @"
        [
            728991,
            631576,
            599836,
            50870,
        ]
        ");
    }

    #[test]
    fn unit_is_never_zero_and_never_above_one() {
        let mut rng = Streams::new(3).stream("unit");
        assert!((0..10_000).map(|_| rng.unit()).all(|x| x > 0.0 && x <= 1.0));
    }
}
