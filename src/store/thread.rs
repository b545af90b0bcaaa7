//! The store in production: one thread owns the connection and takes what callers ask from a queue.
//!
//! While it commits, others queue up; it then takes all of them at once, answers the questions, and commits the writes
//! together. So the time of a sync is shared by everybody who waits for one. The queue is bounded: callers wait for a
//! place in it, and memory does not grow with load.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::database::{Database, Write, pending};
use super::error::StoreError;

/// Calls that may wait for the thread. Others wait for a place.
const QUEUE: usize = 1_024;

/// Calls that are taken at once: how many writes share a transaction at most.
const GROUP: usize = 256;

type Stopping = oneshot::Sender<Result<(), StoreError>>;

enum Job {
    Write(Box<dyn Write>, OwnedSemaphorePermit),
    Read(Box<dyn FnOnce(&Database) + Send>, OwnedSemaphorePermit),
    Stop(Stopping),
}

/// The thread, seen from the callers.
///
/// Not tokio's bounded channel: a sender that has got a place and is not polled again would hold up the end of it. Here
/// the places are permits, and the channel itself is closed by whoever takes from it, whatever the callers do.
pub(super) struct Thread {
    /// `None` once dropped.
    queue: Option<Sender<Job>>,
    places: Arc<Semaphore>,
    handle: Mutex<Option<JoinHandle<()>>>,
}

impl Thread {
    pub(super) fn spawn(database: Database) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::channel();
        let places = Arc::new(Semaphore::new(QUEUE));
        let handle = std::thread::Builder::new()
            .name("conversation-store".to_owned())
            .spawn({
                let places = Arc::clone(&places);
                move || work(database, jobs, &places)
            })
            .map_err(|error| StoreError::Io {
                detail: format!("no thread for the store: {error}"),
                code: -1,
            })?;
        Ok(Self { queue: Some(queue), places, handle: Mutex::new(Some(handle)) })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (write, answer) = pending(work);
        let place = self.place().await?;
        self.send(Job::Write(write, place), answer).await
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let read = Box::new(move |database: &Database| {
            // A caller who has gone away wants no answer.
            if !reply.is_closed() {
                let _ = reply.send(work(database));
            }
        });
        let place = self.place().await?;
        self.send(Job::Read(read, place), answer).await
    }

    pub(super) async fn shut_down(&self) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Stop(reply), answer).await
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Stopped)
    }

    async fn send<T>(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let queue = self.queue.as_ref().ok_or(StoreError::Stopped)?;
        queue.send(job).map_err(|_| StoreError::Stopped)?;
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
fn work(mut database: Database, jobs: Receiver<Job>, places: &Semaphore) {
    let mut stopping: Vec<Stopping> = Vec::new();
    loop {
        // Told to stop, it does what is in the queue, which is accepted, and waits for no more.
        let first = if stopping.is_empty() { jobs.recv().ok() } else { jobs.try_recv().ok() };
        let Some(first) = first else { break };
        let mut writes = Vec::new();
        for job in std::iter::once(first).chain(jobs.try_iter()).take(GROUP) {
            match job {
                Job::Write(write, _place) => writes.push(write),
                // Before the writes that wait with it: it sees what is committed, and only that.
                Job::Read(read, _place) => read(&database),
                Job::Stop(reply) => stopping.push(reply),
            }
        }
        if !writes.is_empty() {
            database.commit(writes);
        }
    }
    // From here on everybody is told that it has stopped: who comes, who waits for a place, who has just got in.
    drop(jobs);
    places.close();
    let closed = database.close();
    for reply in stopping {
        let _ = reply.send(closed.clone());
    }
}
