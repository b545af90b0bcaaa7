//! leaky-bucket: a rate limiter that is filled again at intervals, by whoever waits first.

use std::process::ExitCode;
use std::sync::Arc;

use hyperlapse::kit;
use leaky_bucket::RateLimiter;

#[derive(Clone)]
struct Bucket(Arc<RateLimiter>);

impl kit::rate::RateLimiter for Bucket {
    async fn acquire(&self) -> bool {
        self.0.acquire_one().await;
        true
    }
}

fn main() -> ExitCode {
    hunt::main(kit::rate::suite(|rate| {
        let tokens = rate.tokens as usize;
        let mut bucket = RateLimiter::builder();
        bucket.max(tokens).initial(tokens).refill(tokens).interval(rate.per);
        Bucket(Arc::new(bucket.build()))
    }))
}
