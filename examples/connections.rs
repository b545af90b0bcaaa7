//! A connection pool of crates.io, bb8, under users who go away in the middle of a query: what they did not read must not
//! reach whoever has the connection next.
//! `cargo run --example connections` prints a report, `cargo test --example connections` runs the test.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use bb8::{ManageConnection, Pool};
use hyperlapse::{PerUserIterations, Sim, User};
use tokio::time::{sleep, timeout};

/// Answers come in the order of the questions, as those of Redis or Postgres do.
type Connection = VecDeque<u32>;

struct Database;

impl ManageConnection for Database {
    type Connection = Connection;
    type Error = Infallible;

    async fn connect(&self) -> Result<Connection, Infallible> {
        sleep(Duration::from_millis(10)).await;
        Ok(Connection::new())
    }

    async fn is_valid(&self, _: &mut Connection) -> Result<(), Infallible> {
        Ok(())
    }

    /// An answer that nobody has read would be taken for the next one's.
    fn has_broken(&self, unread: &mut Connection) -> bool {
        !unread.is_empty()
    }
}

async fn query(pool: &Pool<Database>, question: u32) -> Option<u32> {
    let mut connection = pool.get().await.expect("two connections are enough");
    connection.push_back(question);
    sleep(Duration::from_millis(20)).await;
    connection.pop_front()
}

async fn ask(user: User, pool: Pool<Database>) {
    let mut operation = user.operation();
    operation.accepted();
    let Some(answer) = user.cancellable("query", query(&pool, user.id())).await else { return };
    assert_eq!(answer, Some(user.id()), "this is somebody else's answer");
    operation.completed();
}

#[hyperlapse::test(main, workload = PerUserIterations::new(6, 5), decisions = ["cancel", "timeout"])]
async fn each_answer_is_its_askers_and_no_connection_is_lost(sim: Sim) {
    let pool = Pool::builder().max_size(2).build(Database).await.expect("connecting cannot fail");
    sim.drive_with(&pool, ask).await;
    let both = async { (pool.get().await.unwrap(), pool.get().await.unwrap()) };
    timeout(Duration::from_secs(1), both).await.expect("all have left: both can be had");
}
