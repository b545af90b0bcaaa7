//! async_singleflight: who comes first loads, and the others share it.

use std::process::ExitCode;
use std::sync::Arc;

use async_singleflight::Group;
use hyperlapse::kit::Refused;
use hyperlapse::kit::singleflight::{self, Load, Value};

#[derive(Clone, Default)]
struct Singleflight(Arc<Group<u32, Value, Refused>>);

impl singleflight::Group for Singleflight {
    async fn get(&self, key: u32, load: Load) -> Result<Value, String> {
        let value = self.0.work(&key, load).await;
        value.map_err(|error| error.map_or("whoever loads failed".to_owned(), |e| e.to_string()))
    }
}

fn main() -> ExitCode {
    hunt::main(singleflight::suite(Singleflight::default))
}
