//! The store in a simulation: no thread and no time of the host's. Each call is carried out where it is polled, one
//! after the other, and then takes its time by tokio's clock before it is acknowledged.

use std::time::Duration;

use tokio::sync::Mutex;

use super::database::{Database, pending};
use super::error::StoreError;

pub(super) struct Inline {
    /// `None` once shut down. Held while a call takes its time: a disk does one thing at a time.
    database: Mutex<Option<Database>>,
    pace: Box<dyn Fn() -> Duration + Send + Sync>,
}

impl Inline {
    pub(super) fn new(
        database: Database,
        pace: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self { database: Mutex::new(Some(database)), pace: Box::new(pace) }
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (write, mut answer) = pending(work);
        self.take(move |database| {
            database.commit(vec![write]);
            answer.try_recv().unwrap_or(Err(StoreError::Stopped))
        })
        .await
    }

    pub(super) async fn read<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.take(|database| work(database)).await
    }

    pub(super) async fn shut_down(&self) -> Result<(), StoreError> {
        match self.database.lock().await.take() {
            Some(database) => database.close(),
            None => Err(StoreError::Stopped),
        }
    }

    async fn take<T>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut database = self.database.lock().await;
        let result = work(database.as_mut().ok_or(StoreError::Stopped)?);
        let pace = (self.pace)();
        if !pace.is_zero() {
            tokio::time::sleep(pace).await;
        }
        result
    }
}
