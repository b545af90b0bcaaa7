use std::ops::Deref;
use std::sync::Arc;

use hyperlapse::kit::resource::{self, Factory, Manager, Resource};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::{finds, holds};

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// Closes what is released, and not what is dropped.
    LeavesTheDropped,
    /// Takes the lock of the key only when it is open.
    OpensBeforeItsTurn,
    /// Lets the next one in before it is closed, and opens that on the side.
    LosesWhatComesLate,
}

/// A lock of each key, and a task that closes what is dropped.
#[derive(Clone)]
struct Sessions {
    factory: Factory,
    locks: [Arc<Mutex<()>>; 2],
    mistake: Mistake,
}

struct Session {
    resource: Option<Resource>,
    lock: Option<OwnedMutexGuard<()>>,
    sessions: Sessions,
}

impl Deref for Session {
    type Target = Resource;

    fn deref(&self) -> &Resource {
        self.resource.as_ref().unwrap()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.sessions.mistake == Mistake::LeavesTheDropped {
            return;
        }
        if let Some(resource) = self.resource.take() {
            let closes = self.sessions.factory.close(resource);
            let lock = self.lock.take();
            tokio::spawn(async move {
                closes.await;
                drop(lock);
            });
        }
    }
}

impl Sessions {
    fn new(factory: Factory, mistake: Mistake) -> Self {
        Self { factory, locks: Default::default(), mistake }
    }
}

impl Manager for Sessions {
    type Held = Session;

    async fn acquire(&self, key: u32) -> Result<Session, String> {
        let mut lock = None;
        if self.mistake != Mistake::OpensBeforeItsTurn {
            lock = Some(Arc::clone(&self.locks[key as usize]).lock_owned().await);
        }
        let opened = self.factory.open(key).await;
        let resource = match self.mistake {
            Mistake::LosesWhatComesLate => {
                let opened = opened.map_err(|error| error.to_string())?;
                tokio::task::yield_now().await;
                opened
            }
            _ => opened.map_err(|error| error.to_string())?,
        };
        Ok(Session { resource: Some(resource), lock, sessions: self.clone() })
    }

    async fn release(&self, mut session: Session) {
        let resource = session.resource.take().unwrap();
        self.factory.close(resource).await;
    }
}

#[test]
fn sessions_by_hand_hold() {
    holds(&resource::suite(|factory| Sessions::new(factory, Mistake::None)));
}

#[test]
fn each_mistake_is_seen_as_what_it_is() {
    for (mistake, expected) in [
        (Mistake::LeavesTheDropped, "closed"),
        (Mistake::OpensBeforeItsTurn, "one holder"),
        (Mistake::LosesWhatComesLate, "closed"),
    ] {
        let make = move |factory| Sessions::new(factory, mistake);
        let (name, found) = finds(&resource::suite(make));
        assert_eq!(name, expected, "{found}");
    }
}
