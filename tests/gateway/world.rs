//! A gateway under test, on connections of memory: with paused time everything takes the time that it says.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use conversation_manager::gateway::{
    Gateway, GatewayOptions, GatewayParts, Listener, ReplyError, ReplySender, Responder,
    Responding, ServeError, Served, TokenTable, Turn,
};
use conversation_manager::store::{Store, StoreOptions, UnixMillis, WallClock};
use conversation_manager::{ConversationManager, Limits};
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::client::Client;

/// Connections within the process.
pub struct Memory(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Memory {
    type Io = DuplexStream;
    type Peer = &'static str;

    async fn accept(&mut self) -> io::Result<(DuplexStream, &'static str)> {
        match self.0.recv().await {
            Some(io) => Ok((io, "memory")),
            None => std::future::pending().await,
        }
    }
}

/// How to reach a [`Memory`].
#[derive(Clone)]
pub struct Address(mpsc::UnboundedSender<DuplexStream>);

impl Address {
    pub fn connect(&self) -> DuplexStream {
        let (near, far) = tokio::io::duplex(64 * 1024);
        // Nobody listens: the other half is dropped, and the connection is closed.
        let _ = self.0.send(far);
        near
    }
}

/// A time of day that goes with the clock of the test.
pub struct Daylight(Instant);

impl WallClock for Daylight {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_700_000_000_000).saturating_add(self.0.elapsed())
    }
}

/// Does what it is told.
#[derive(Default)]
pub struct Scripted {
    /// How often it was asked.
    pub asked: AtomicUsize,
}

impl Responder for Scripted {
    fn respond<'a>(&'a self, turn: Turn, reply: ReplySender) -> Responding<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            match turn.text.split_once(' ').unwrap_or((&turn.text, "")) {
                ("slow", seconds) => {
                    for second in 1..=seconds.parse().unwrap() {
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        reply.send(&format!("{second} "))?;
                    }
                }
                ("hang", _) => std::future::pending().await,
                ("panic", _) => panic!("as it was told"),
                ("fail", _) => return Err(ReplyError::Failed("secret of the bot".into())),
                ("unavailable", _) => return Err(ReplyError::Unavailable("host x".into())),
                ("huge", _) => loop {
                    reply.send(&"x".repeat(1000))?;
                },
                ("history", _) => {
                    for message in turn.history(3).await.unwrap() {
                        reply.send(&format!("{}:{} ", message.role, message.text))?;
                    }
                }
                _ => {
                    for word in turn.text.split_inclusive(' ') {
                        reply.send(word)?;
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            }
            Ok(())
        })
    }
}

/// What a gateway is started with.
pub struct Setup {
    pub limits: Limits,
    pub options: GatewayOptions,
    /// What each call of the store takes.
    pub pace: Duration,
    pub max_bytes: Option<u64>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            options: GatewayOptions::default(),
            pace: Duration::from_millis(1),
            max_bytes: None,
        }
    }
}

/// A gateway that runs, and the folder of its database, which outlives it.
pub struct World {
    pub address: Address,
    pub manager: ConversationManager,
    pub store: Store,
    pub responder: Arc<Scripted>,
    pub path: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<Served, ServeError>>,
    folder: tempfile::TempDir,
}

impl World {
    pub fn start(setup: Setup) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), setup)
    }

    fn start_in(folder: tempfile::TempDir, setup: Setup) -> Self {
        let path = folder.path().join("conversations.sqlite3");
        let mut store = StoreOptions::new(&path);
        store.max_bytes = setup.max_bytes;
        let store = Store::inline(store, move || setup.pace).unwrap();
        let manager = ConversationManager::new(setup.limits).unwrap();
        let responder = Arc::new(Scripted::default());
        let tokens =
            [("token-of-ada", "ada"), ("token-of-grace", "grace"), ("second-of-ada", "ada")];
        let gateway = Gateway::new(GatewayParts {
            manager: manager.clone(),
            store: store.clone(),
            wall_clock: Arc::new(Daylight(Instant::now())),
            responder: responder.clone(),
            authenticator: Arc::new(TokenTable::new(tokens).unwrap()),
            options: setup.options,
        })
        .unwrap();
        let (connections, accepted) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(gateway.serve(Memory(accepted), async {
            let _ = stopped.await;
        }));
        let address = Address(connections);
        Self { address, manager, store, responder, path, stop: Some(stop), serving, folder }
    }

    /// A client of `ada`, on a connection of its own.
    pub async fn ada(&self) -> Client {
        Client::connect(self.address.connect(), Some("token-of-ada")).await
    }

    pub async fn grace(&self) -> Client {
        Client::connect(self.address.connect(), Some("token-of-grace")).await
    }

    pub async fn nobody(&self) -> Client {
        Client::connect(self.address.connect(), None).await
    }

    /// Waits until it serves: what it found in the store has its place by then.
    pub async fn ready(&self) {
        assert_eq!(self.nobody().await.get("/healthz").await.status, 200);
    }

    pub fn asked(&self) -> usize {
        self.responder.asked.load(Ordering::SeqCst)
    }

    /// Tells it to stop; [`World::stopped`] waits for it.
    pub fn tell_to_stop(&mut self) {
        self.stop = None;
    }

    pub async fn stopped(&mut self) -> Served {
        (&mut self.serving).await.unwrap().unwrap()
    }

    /// Ends it at once, as a crash would, and starts another on the same database.
    pub async fn crash_and_restart(self, setup: Setup) -> Self {
        self.serving.abort();
        assert!(self.serving.await.unwrap_err().is_cancelled());
        // Tasks that were ended are dropped by the runtime.
        tokio::time::sleep(Duration::from_millis(1)).await;
        drop((self.store, self.manager));
        let world = Self::start_in(self.folder, setup);
        world.ready().await;
        world
    }

    /// Starts another on the same database, after this one has stopped.
    pub async fn restart(self, setup: Setup) -> Self {
        assert!(self.serving.is_finished());
        Self::start_in(self.folder, setup)
    }

    /// Every slot is free, and the store has nothing open.
    pub async fn assert_nothing_left(&self) {
        let stats = self.manager.stats();
        assert_eq!((stats.active, stats.waiting), (0, 0), "{stats:?}");
        assert!(self.store.open().await.unwrap().is_empty());
    }
}

/// Ten seconds at most, by the clock of the test.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), what).await.expect("it takes too long")
}
