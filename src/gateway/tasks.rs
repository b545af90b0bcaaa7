//! Everything that runs for a gateway, owned in one place: when the owner goes, all of it ends.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinSet;

/// See the [module](self). Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks(Arc<Mutex<Option<JoinSet<()>>>>);

/// Ends all tasks when it is dropped.
#[derive(Debug)]
pub(crate) struct TasksOwner(Tasks);

impl Tasks {
    /// Tasks can be spawned for as long as the owner lives.
    pub(crate) fn open(&self) -> TasksOwner {
        *self.set() = Some(JoinSet::new());
        TasksOwner(self.clone())
    }

    fn set(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spawns, or drops what comes too late.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut work = Some(work);
        if let Some(tasks) = self.set().as_mut() {
            while let Some(ended) = tasks.try_join_next() {
                if let Err(error) = ended {
                    tracing::error!(%error, "a task of the gateway failed");
                }
            }
            if let Some(work) = work.take() {
                tasks.spawn(work);
            }
        }
        // What comes too late is dropped here, without the lock: it may have tasks to end, too.
        drop(work);
    }
}

impl Drop for TasksOwner {
    fn drop(&mut self) {
        let tasks = self.0.set().take();
        // Aborts them, without the lock.
        drop(tasks);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nothing_goes_on_when_the_owner_is_gone() {
        let tasks = Tasks::default();
        let owner = tasks.open();
        let ticks = Arc::new(AtomicU32::new(0));
        let counted = ticks.clone();
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        tokio::time::sleep(Duration::from_millis(3500)).await;
        drop(owner);
        let late = ticks.clone();
        tasks.spawn(async move {
            late.fetch_add(100, Ordering::SeqCst);
        });
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(ticks.load(Ordering::SeqCst), 3);
    }
}
