//! The host of the gateway: what is on its disk stays when it crashes, as far as it was synced.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conversation_manager::gateway::{
    Authenticating, Authenticator, Gateway, GatewayOptions, GatewayParts, Listener, ReplySender,
    Responder, Responding, Turn,
};
use conversation_manager::store::{Store, StoreOptions, UnixMillis, WallClock};
use conversation_manager::{ConversationManager, Limits, UserId};
use hyperlapse::disk::{self, Disk, DiskOptions, Mounted};
use hyperlapse::net::{Boot, Host, Network, NetworkOptions, TcpListener, TcpStream};
use hyperlapse::{Sim, Streams};
use tokio::sync::Notify;

use super::HOSTS;
use crate::settings::DrainSettings;

/// Where the gateway listens.
pub(super) const PORT: u16 = 80;

/// The server of a run.
pub struct Server {
    network: Network,
    host: Mutex<Option<Host>>,
    disk: Disk,
    life: Arc<Life>,
    _mounted: Mounted,
}

/// What changes with each start of the host.
#[derive(Default)]
struct Life {
    manager: Mutex<Option<ConversationManager>>,
    shutdown: Notify,
    over: Notify,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change is one assignment.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    pub(super) fn start(sim: &Sim, network: &NetworkOptions, limits: Limits) -> Self {
        let network = Network::new(sim, &HOSTS, network).unwrap_or_else(|error| panic!("{error}"));
        let disk = Disk::new(HOSTS[1], &Streams::new(sim.seed()), DiskOptions::default())
            .expect("the default of a disk is valid");
        let mounted = disk.mount().expect("a run has one server");
        let life = Arc::new(Life::default());
        let address = network.address(HOSTS[1]);
        let (of_host, on_disk, wall) = (Arc::clone(&life), disk.clone(), sim.clone());
        let host = network.run(HOSTS[1], move |boot| {
            let (life, disk, sim) = (Arc::clone(&of_host), on_disk.clone(), wall.clone());
            serve(sim, life, disk, limits, (address, PORT).into(), boot)
        });
        let crashes = disk.clone();
        network.on_crash(HOSTS[1], move || {
            crashes.cut_power();
        });
        Self { network, host: Mutex::new(Some(host)), disk, life, _mounted: mounted }
    }

    pub(super) fn network(&self) -> &Network {
        &self.network
    }

    /// Its disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// How often it has crashed.
    pub fn crashes(&self) -> u64 {
        lock(&self.host).as_ref().map_or(0, Host::crashes)
    }

    /// The manager of the gateway that runs at this moment; none while the host is down.
    pub(super) fn with_manager<T>(&self, f: impl FnOnce(&ConversationManager) -> T) -> Option<T> {
        lock(&self.life.manager).as_ref().map(f)
    }

    /// Stops the gateway, within the time that the scenario says for it.
    pub(super) async fn drain(&self) {
        self.life.shutdown.notify_one();
        self.life.over.notified().await;
    }
}

/// The software of the host, from its start on.
async fn serve(
    sim: Sim,
    life: Arc<Life>,
    disk: Disk,
    limits: Limits,
    address: std::net::SocketAddr,
    boot: Boot,
) {
    /// No manager while nobody serves.
    struct Down<'a>(&'a Life);
    impl Drop for Down<'_> {
        fn drop(&mut self) {
            *lock(&self.0.manager) = None;
        }
    }
    if boot.crashes > 0 {
        disk.restart();
    }
    let pace = disk.clone();
    let options = StoreOptions::new(disk.path("conversations.db")).vfs(disk::VFS);
    let store = match Store::inline(options, move || pace.take_elapsed()) {
        Ok(store) => store,
        Err(error) => {
            sim.note(format!("the store does not open: {error}"));
            return;
        }
    };
    let manager = ConversationManager::new(limits).expect("the limits were validated");
    *lock(&life.manager) = Some(manager.clone());
    let down = Down(&life);
    let parts = GatewayParts {
        manager,
        store,
        wall_clock: Arc::new(Wall(sim.clone())),
        responder: Arc::new(Echo),
        authenticator: Arc::new(Tokens),
        options: gateway_options(sim.settings::<DrainSettings>().within),
    };
    let gateway = Gateway::new(parts).expect("the options are valid");
    let listener =
        TcpListener::bind(address).await.expect("the port of a host that starts is free");
    let shutdown = async {
        life.shutdown.notified().await;
    };
    let served = gateway.serve(Simulated(listener), shutdown).await;
    if let Err(error) = served {
        sim.note(format!("the gateway does not serve: {error}"));
    }
    // Who asked for the end wants the counts of what was.
    life.over.notify_one();
    std::future::pending::<()>().await;
    drop(down);
}

/// How the gateway is set up, here and in a process of its own.
pub(super) fn gateway_options(drain_time: Duration) -> GatewayOptions {
    GatewayOptions {
        // Clients that wait are waited for; who is told to stop has so long as was said.
        max_wait: super::client::LONGEST_WAIT,
        drain_time,
        max_connections: 100_000,
        header_timeout: Duration::from_secs(300),
        ..GatewayOptions::default()
    }
}

struct Simulated(TcpListener);

impl Listener for Simulated {
    type Io = TcpStream;
    type Peer = std::net::SocketAddr;

    async fn accept(&mut self) -> std::io::Result<(TcpStream, std::net::SocketAddr)> {
        self.0.accept().await
    }
}

/// The run's wall clock.
struct Wall(Sim);

impl WallClock for Wall {
    fn now(&self) -> UnixMillis {
        let since = self.0.wall_clock().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixMillis(since.as_millis() as i64)
    }
}

/// A user's token is their name.
pub(super) struct Tokens;

impl Authenticator for Tokens {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authenticating<'a> {
        Box::pin(std::future::ready(Some(UserId::new(token))))
    }
}

/// Works for as long as the message says, and then says it back.
pub(super) struct Echo;

impl Responder for Echo {
    fn respond<'a>(&'a self, turn: Turn, reply: ReplySender) -> Responding<'a> {
        Box::pin(async move {
            let work = turn.text.split_once(' ').and_then(|(work, _)| work.parse().ok());
            tokio::time::sleep(Duration::from_nanos(work.unwrap_or(0))).await;
            reply.send(&turn.text)
        })
    }
}
