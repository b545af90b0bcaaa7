//! The manager of production with its store beside it: what is said in a turn is written to SQLite, and read from it.
//!
//! The database is the real one, on a simulated disk: what it holds is what was written, and what it costs is virtual
//! time that the disk's model says (`[database]` in a scenario file). No network lies between the users and the bot;
//! the `gateway` is the same with one.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `settings` | `[database]`: how long the disk takes, how much is said |
//! | `disk` | the disk of a run, and the pace of a store on it |
//! | `talk` | a conversation whose turns go to the store |

mod disk;
mod settings;
mod talk;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conversation_manager::store::{Closing, NewConversation, Store, StoreError, StoreOptions};
use conversation_manager::{Conversation, ConversationManager, ExpiryTask, Limits, UserId};
use hyperlapse::Sim;
use hyperlapse::disk::{self as simulated, Disk, Mounted};

use crate::bot::{Attempt, Bot, BotClock, BoxFuture, Counts, Reason, Talk};
use crate::wall::Wall;
pub(crate) use disk::{of_run, pace};
pub use settings::DatabaseSettings;
pub use talk::StoredTalk;

/// The host whose disk it is.
const HOST: &str = "bot";

/// Messages that are read at a time.
const PAGE: u32 = 1_000;

/// The bot over manager and store.
pub struct StoredBot {
    manager: ConversationManager<BotClock>,
    store: Store,
    clock: BotClock,
    wall: Wall,
    settings: DatabaseSettings,
    /// The store's number of a conversation of the manager's that goes on.
    ids: Mutex<BTreeMap<u64, i64>>,
    /// Conversations whose users walked away, still open in the store.
    left: Mutex<Vec<i64>>,
    _expiry: ExpiryTask,
    // After the store, which closes its files when it goes.
    _mounted: Mounted,
    _disk: Disk,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one call.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What users are told of a database that fails.
fn refused(error: StoreError) -> Reason {
    error.reason()
}

impl StoredBot {
    /// A bot with these limits in a run, on a disk of its own.
    pub fn in_run(limits: Limits, sim: &Sim) -> Self {
        let settings: DatabaseSettings = sim.settings::<DatabaseSettings>().clone();
        let disk = of_run(sim, HOST);
        let mounted = disk.mount().expect("a run has one bot");
        let options = StoreOptions::new(disk.path("conversations.db"))
            .vfs(simulated::VFS)
            .sync_names(simulated::sync_names);
        let store = Store::inline(options, pace(disk.clone()))
            .expect("nothing strikes a disk before there is a load");
        let clock = BotClock::Run(sim.clone());
        let manager = ConversationManager::with_clock(limits, clock.clone())
            .expect("the limits were validated when the scenario was read");
        let expiry = manager.spawn_expiry();
        Self {
            manager,
            store,
            clock,
            wall: Wall::new(sim),
            settings,
            ids: Mutex::default(),
            left: Mutex::default(),
            _expiry: expiry,
            _mounted: mounted,
            _disk: disk,
        }
    }

    /// Gives a conversation that has its slot its place in the store.
    async fn keep(&self, conversation: Conversation<BotClock>) -> Result<Talk<'_>, Reason> {
        self.close_what_was_left().await;
        let user = conversation.info().user().as_str().to_owned();
        let new = NewConversation { user, room: None, key: None, at: self.wall.millis() };
        let started = self.store.start(new).await.map_err(refused)?;
        lock(&self.ids).insert(conversation.id().0, started.id);
        Ok(Talk::Stored(Box::new(StoredTalk::new(self, conversation, started.id))))
    }

    async fn close_what_was_left(&self) {
        let left = std::mem::take(&mut *lock(&self.left));
        for id in left {
            if self.store.close(id, Closing::Failed, self.wall.millis()).await.is_err() {
                lock(&self.left).push(id);
            }
        }
    }

    /// Everything that the store has of a conversation, in its order: `ROLE: TEXT`.
    async fn read(&self, id: i64) -> Result<Vec<String>, Reason> {
        let mut lines = Vec::new();
        loop {
            let after = lines.len() as i64;
            let page = self.store.messages(id, after, PAGE).await.map_err(refused)?;
            lines.extend(page.iter().map(|said| format!("{}: {}", said.role.as_str(), said.text)));
            if page.len() < PAGE as usize {
                return Ok(lines);
            }
        }
    }
}

impl Bot for StoredBot {
    fn try_start(&self, user: &UserId) -> Attempt<'_> {
        match self.manager.try_start(user.clone()) {
            Ok(conversation) => Attempt::Later(Box::pin(self.keep(conversation))),
            Err(refused) => Attempt::Now(Err(refused.reason())),
        }
    }

    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(async move {
            let started = self.manager.start(user.clone()).await;
            self.keep(started.map_err(|refused| refused.reason())?).await
        })
    }

    fn start_within<'a>(
        &'a self,
        user: &'a UserId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(async move {
            let started = self.manager.start_within(user.clone(), within).await;
            self.keep(started.map_err(|refused| refused.reason())?).await
        })
    }

    fn resize(&self, max_concurrent: usize) {
        let limits = Limits { max_concurrent, ..self.manager.limits() };
        self.manager.resize(limits).expect("a limit above zero is valid");
    }

    fn counts(&self) -> Counts {
        Counts::of(&self.manager.stats())
    }

    fn drain(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.manager.drain(within).await;
            self.close_what_was_left().await;
        })
    }

    fn stored<'a>(
        &'a self,
        _user: &'a UserId,
        id: i64,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        Box::pin(self.read(id))
    }
}
