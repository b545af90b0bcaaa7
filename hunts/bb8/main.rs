//! bb8: a pool that opens connections in tasks of its own, and throws broken ones away when they come back.

use std::process::ExitCode;

use async_trait::async_trait;
use bb8::{ManageConnection, Pool, PooledConnection};
use hyperlapse::kit::{self, Refused, pool};

struct Connections(pool::Server);

#[async_trait]
impl ManageConnection for Connections {
    type Connection = pool::Connection;
    type Error = Refused;

    async fn connect(&self) -> Result<pool::Connection, Refused> {
        self.0.connect().await
    }

    async fn is_valid(&self, connection: &mut pool::Connection) -> Result<(), Refused> {
        self.0.check(connection).await
    }

    fn has_broken(&self, connection: &mut pool::Connection) -> bool {
        connection.is_broken()
    }
}

#[derive(Clone)]
struct Bb8(Pool<Connections>);

impl pool::Pool for Bb8 {
    type Lent = PooledConnection<'static, Connections>;

    async fn get(&self) -> Result<Self::Lent, String> {
        self.0.get_owned().await.map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    hunt::main(kit::pool::suite(|server| {
        let pool = Pool::builder().max_size(server.max() as u32);
        Bb8(pool.build_unchecked(Connections(server)))
    }))
}
