//! moka, asynchronous: a cache that loads what it does not have.

use std::process::ExitCode;

use hyperlapse::kit;
use hyperlapse::kit::cache::{self, Load, Value};

#[derive(Clone)]
struct Moka(moka::future::Cache<u32, Value>);

impl cache::Cache for Moka {
    // It reads the processor's own counter.
    const EXPIRES: bool = false;

    async fn get(&self, key: u32, load: Load) -> Result<Value, String> {
        let value = self.0.get_or_try_insert_with(key, load).await;
        value.map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    // Its clock is calibrated once in a process against that of the host, which stands still within a poll of a run.
    quanta::Instant::now();
    // As long as there is a cache, all caches share its threads.
    let _keeps_threads = moka::future::Cache::<u32, Value>::new(1);
    // Room for all: what it throws away it finds in those threads.
    hunt::main(kit::cache::suite(|_| Moka(moka::future::Cache::new(1_000))))
}
