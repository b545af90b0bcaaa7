//! The store in production: one thread owns the connection and takes what callers ask from a queue.
//!
//! While it commits, others queue up; it then takes all of them at once, answers the questions, and commits the writes
//! together. So the time of a sync is shared by everybody who waits for one. The queue is bounded: callers wait for a
//! place in it, and memory does not grow with load.

use std::sync::Mutex;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::database::{Database, Write, pending};
use super::error::StoreError;

/// Calls that may wait for the thread. Others wait for a place.
const QUEUE: usize = 1_024;

/// Calls that are taken at once: how many writes share a transaction at most.
const GROUP: usize = 256;

type Stopping = oneshot::Sender<Result<(), StoreError>>;

enum Job {
    Write(Box<dyn Write>),
    Read(Box<dyn FnOnce(&Database) + Send>),
    Stop(Stopping),
}

/// The thread, seen from the callers.
pub(super) struct Thread {
    /// `None` once dropped.
    queue: Option<mpsc::Sender<Job>>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Thread {
    pub(super) fn spawn(database: Database) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let handle = std::thread::Builder::new()
            .name("conversation-store".to_owned())
            .spawn(move || work(database, jobs))
            .map_err(|error| StoreError::Io {
                detail: format!("no thread for the store: {error}"),
                code: -1,
            })?;
        Ok(Self { queue: Some(queue), handle: Mutex::new(Some(handle)) })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (write, answer) = pending(work);
        self.send(Job::Write(write), answer).await
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Read(Box::new(move |database| {
            // Nobody is told: a caller who has gone away wants no answer either.
            if !reply.is_closed() {
                let _ = reply.send(work(database));
            }
        }));
        self.send(job, answer).await
    }

    pub(super) async fn shut_down(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Stop(reply), answer).await
    }

    async fn send<T>(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Stopped)?;
        queue.send(job).await.map_err(|_| StoreError::Stopped)?;
        answer.await.unwrap_or(Err(StoreError::Stopped))
    }
}

impl Drop for Thread {
    /// Waits for what was accepted, and for the file to be closed: whoever opens it next finds it free.
    fn drop(&mut self) {
        self.queue = None;
        let handle = self.handle.get_mut().map_or(None, Option::take);
        if let Some(handle) = handle {
            // A thread that panicked has told so on the standard error.
            let _ = handle.join();
        }
    }
}

/// The life of the thread: until it is told to stop, or nobody is left to ask anything.
fn work(mut database: Database, mut jobs: mpsc::Receiver<Job>) {
    let mut stopping: Vec<Stopping> = Vec::new();
    while let Some(first) = jobs.blocking_recv() {
        let mut writes = Vec::new();
        let mut job = Some(first);
        for taken in 1.. {
            match job {
                None => break,
                Some(Job::Write(write)) => writes.push(write),
                // Before the writes that wait with it: it sees what is committed, and only that.
                Some(Job::Read(read)) => read(&database),
                Some(Job::Stop(reply)) => {
                    // What is in the queue is accepted, and still done.
                    jobs.close();
                    stopping.push(reply);
                }
            }
            job = if taken < GROUP { jobs.try_recv().ok() } else { None };
        }
        if !writes.is_empty() {
            database.commit(writes);
        }
    }
    let closed = database.close();
    for reply in stopping {
        let _ = reply.send(closed.clone());
    }
}
