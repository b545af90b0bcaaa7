//! The host of the gateway: what is on its disk stays when it crashes, as far as it was synced.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conversation_manager::gateway::{
    Authenticating, Authenticator, Gateway, GatewayOptions, GatewayParts, Listener, ReplySender,
    Responder, Responding, Turn,
};
use conversation_manager::store::{Store, StoreOptions};
use conversation_manager::{ConversationManager, Limits, UserId};
use hyperlapse::Sim;
use hyperlapse::disk::{self, Disk, Mounted};
use hyperlapse::net::{Boot, Host, Network, NetworkOptions, TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until};

use super::HOSTS;
use crate::settings::DrainSettings;
use crate::stored;
use crate::wall::Wall;

/// Where the gateway listens.
pub(super) const PORT: u16 = 80;

/// The server of a run.
pub struct Server {
    network: Network,
    host: Arc<Mutex<Option<Host>>>,
    disk: Disk,
    life: Arc<Life>,
    power_cuts: AbortHandle,
    _mounted: Mounted,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.power_cuts.abort();
    }
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
        let disk = stored::of_run(sim, HOSTS[1]);
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
        let mut cuts = disk.follow(sim);
        let host = Arc::new(Mutex::new(Some(host)));
        let power = Arc::clone(&host);
        let power_cuts = tokio::spawn(async move {
            loop {
                let down_for = cuts.next().await;
                // What goes off with the disk goes off in the same instant.
                if let Some(host) = &*lock(&power) {
                    host.crash(down_for);
                }
            }
        });
        Self { network, host, disk, life, power_cuts: power_cuts.abort_handle(), _mounted: mounted }
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

    /// Slots that are given at this moment; `None` while nobody serves.
    pub fn active(&self) -> Option<u64> {
        self.with_manager(|manager| manager.stats().active)
    }

    /// Switches the host off, and on again after so long.
    pub fn crash(&self, down_for: Duration) {
        if let Some(host) = &*lock(&self.host) {
            host.crash(down_for);
        }
    }

    /// Stops the gateway, within the time that the scenario says for it.
    pub(super) async fn drain(&self) {
        self.life.shutdown.notify_one();
        self.life.over.notified().await;
    }
}

/// How long whoever supervises the service waits before it starts one again that has failed.
const STARTS_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The software of the host, from its start on: the gateway, and whoever starts it again when it fails.
async fn serve(
    sim: Sim,
    life: Arc<Life>,
    disk: Disk,
    limits: Limits,
    address: std::net::SocketAddr,
    boot: Boot,
) {
    if boot.crashes > 0 {
        disk.restart();
    }
    // After a drain it stays: what was counted is asked for afterwards.
    let _up = Up(&life);
    while let Err(why) = serve_once(&sim, &life, &disk, limits, address).await {
        *lock(&life.manager) = None;
        sim.note(format!("the gateway has failed: {why}"));
        tokio::time::sleep(STARTS_AGAIN_AFTER).await;
    }
    // Who asked for the end wants the counts of what was.
    life.over.notify_one();
    std::future::pending::<()>().await;
}

/// No manager while nobody serves.
struct Up<'a>(&'a Life);

impl Drop for Up<'_> {
    fn drop(&mut self) {
        *lock(&self.0.manager) = None;
    }
}

async fn serve_once(
    sim: &Sim,
    life: &Arc<Life>,
    disk: &Disk,
    limits: Limits,
    address: std::net::SocketAddr,
) -> Result<(), String> {
    let options = StoreOptions::new(disk.path("conversations.db"))
        .vfs(disk::VFS)
        .sync_names(disk::sync_names);
    let store = Store::inline(options, stored::pace(disk.clone()));
    let store = store.map_err(|error| format!("the store does not open: {error}"))?;
    let manager = ConversationManager::new(limits).expect("the limits were validated");
    *lock(&life.manager) = Some(manager.clone());
    let parts = GatewayParts {
        manager,
        store,
        wall_clock: Arc::new(Wall::new(sim)),
        responder: Arc::new(Echo),
        authenticator: Arc::new(Tokens),
        options: gateway_options(sim.settings::<DrainSettings>().within),
    };
    let gateway = Gateway::new(parts).expect("the options are valid");
    let listener = TcpListener::bind(address).await;
    let listener = listener.map_err(|error| format!("nobody can listen: {error}"))?;
    let served = gateway.serve(Simulated(listener), life.shutdown.notified()).await;
    served.map(drop).map_err(|error| error.to_string())
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

/// A user's token is their name.
pub(super) struct Tokens;

impl Authenticator for Tokens {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authenticating<'a> {
        Box::pin(std::future::ready(Some(UserId::new(token))))
    }
}

/// Works for as long as the message says, and says it back: one half in the middle of its work, the other at the end.
pub(super) struct Echo;

impl Responder for Echo {
    fn respond<'a>(&'a self, turn: Turn, reply: ReplySender) -> Responding<'a> {
        Box::pin(async move {
            let work = turn.text.split_once(' ').and_then(|(work, _)| work.parse().ok());
            let (began, work) = (Instant::now(), Duration::from_nanos(work.unwrap_or(0)));
            let middle = turn.text.len() / 2;
            let half = (0..=middle).rev().find(|at| turn.text.is_char_boundary(*at)).unwrap_or(0);
            sleep_until(began + work / 2).await;
            reply.send(&turn.text[..half])?;
            sleep_until(began + work).await;
            reply.send(&turn.text[half..])
        })
    }
}
