//! mobc: a pool that looks its connections over when it lends them.

use std::process::ExitCode;

use async_trait::async_trait;
use hyperlapse::kit::{self, Refused, pool};
use mobc::{Manager, Pool};

struct Connections(pool::Server);

#[async_trait]
impl Manager for Connections {
    type Connection = pool::Connection;
    type Error = Refused;

    async fn connect(&self) -> Result<pool::Connection, Refused> {
        self.0.connect().await
    }

    async fn check(&self, connection: pool::Connection) -> Result<pool::Connection, Refused> {
        self.0.check(&connection).await?;
        Ok(connection)
    }

    fn validate(&self, connection: &mut pool::Connection) -> bool {
        !connection.is_broken()
    }
}

#[derive(Clone)]
struct Mobc(Pool<Connections>);

impl pool::Pool for Mobc {
    type Lent = mobc::Connection<Connections>;

    async fn get(&self) -> Result<Self::Lent, String> {
        self.0.get().await.map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    hunt::main(kit::pool::suite(|server| {
        // Its timeout goes by the clock of the host.
        let pool = Pool::builder().max_open(server.max() as u64).get_timeout(None);
        Mobc(pool.build(Connections(server)))
    }))
}
