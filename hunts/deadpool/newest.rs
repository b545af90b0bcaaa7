//! The same for the newest deadpool, whose trait has another form.

use std::process::ExitCode;

use deadpool::managed::{Manager, Metrics, Object, Pool, RecycleError, RecycleResult};
use hyperlapse::kit::{self, Refused, pool};

struct Connections(pool::Server);

impl Manager for Connections {
    type Type = pool::Connection;
    type Error = Refused;

    async fn create(&self) -> Result<pool::Connection, Refused> {
        self.0.connect().await
    }

    async fn recycle(
        &self,
        connection: &mut pool::Connection,
        _: &Metrics,
    ) -> RecycleResult<Refused> {
        self.0.check(connection).await.map_err(RecycleError::Backend)
    }
}

#[derive(Clone)]
struct Deadpool(Pool<Connections>);

impl pool::Pool for Deadpool {
    type Lent = Object<Connections>;

    async fn get(&self) -> Result<Self::Lent, String> {
        self.0.get().await.map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    hunt::main(kit::pool::suite(|server| {
        let max = server.max();
        let pool = Pool::builder(Connections(server)).max_size(max).build();
        Deadpool(pool.expect("a pool without timeouts needs no runtime"))
    }))
}
