//! The same for the newest moka: it goes by the clock of `std`, and does without threads of its own.

use std::process::ExitCode;

use hyperlapse::kit;
use hyperlapse::kit::cache::{self, Load, Value};

#[derive(Clone)]
struct Moka(moka::future::Cache<u32, Value>);

impl cache::Cache for Moka {
    async fn get(&self, key: u32, load: Load) -> Result<Value, String> {
        let value = self.0.try_get_with(key, load).await;
        value.map_err(|error| error.to_string())
    }

    async fn entries(&self) -> Option<u64> {
        self.0.run_pending_tasks().await;
        Some(self.0.entry_count())
    }
}

fn main() -> ExitCode {
    hunt::main(kit::cache::suite(|terms| {
        let cache = moka::future::Cache::builder().max_capacity(terms.capacity);
        Moka(cache.time_to_live(terms.lasts).build())
    }))
}
