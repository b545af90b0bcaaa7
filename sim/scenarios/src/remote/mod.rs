//! The gateway of production as the system under test: manager, store and HTTP on a simulated host, its users elsewhere.
//!
//! Nothing of it is made for the simulation: the gateway is served on simulated sockets, its store is SQLite on a simulated disk,
//! and its clients speak HTTP with hyper. What a user asks goes over links with latency and loss to a host that may crash.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `server` | the host: disk, store, gateway, crash and restart |
//! | `client` | a client as one would write it: connections that are kept, deadlines, retries under one key |
//! | `talk` | a conversation over it |
//! | `ledger` | what its users were told |
//! | `mistake` | one that the zoo plants in the gateway |
//! | `audit` | what only an auditor asks |
//! | `process` | the same gateway in a process of its own, for the real clock |
//! | `real` | the bot over that process |

mod audit;
mod client;
mod ledger;
mod mistake;
pub mod process;
mod real;
mod server;
mod talk;

use std::sync::Arc;
use std::time::Duration;

use conversation_manager::gateway::planted::Planted;
use conversation_manager::{Limits, UserId};
use hyperlapse::Sim;
use hyperlapse::net::NetworkOptions;

use crate::bot::{Attempt, Bot, BoxFuture, Counts, Reason, Talk};
use crate::settings::{ClientSettings, NetworkSettings};
pub use audit::Audit;
pub use client::RETRIED_AT_ONCE;
use client::{Client, Wire};
pub use ledger::Entry;
use mistake::Mistake;
pub use real::RealGatewayBot;
pub use server::Server;
pub use talk::RemoteTalk;

/// The host of the users, and that of the gateway.
pub const HOSTS: [&str; 2] = ["users", "server"];

/// A gateway on a host of its own, and its users' side of the network.
pub struct GatewayBot {
    server: Arc<Server>,
    client: Arc<Client>,
    /// Patient, whatever the scenario says of clients.
    auditor: Arc<Client>,
    lateness: Duration,
    _mistake: Option<Mistake>,
}

impl GatewayBot {
    /// Sets host, disk and network up in a run.
    ///
    /// # Panics
    /// When the scenario's network names hosts that are not there, or this was built without `--cfg tokio_unstable`.
    pub fn in_run(limits: Limits, sim: &Sim) -> Self {
        let NetworkSettings(network) = sim.settings();
        let server = Arc::new(Server::start(sim, network, limits));
        let settings: &ClientSettings = sim.settings();
        let client = |settings: ClientSettings| {
            Arc::new(Client::new(sim, Wire::Simulated(server.network().clone()), settings))
        };
        let (client, auditor) = (client(settings.clone()), client(ClientSettings::default()));
        // There and back, twice (a connection has to be made first), and how often a user looks whether it is over.
        let lateness = 4 * longest(network) + client::LOOKS_EVERY + Duration::from_millis(2);
        Self { server, client, auditor, lateness, _mistake: None }
    }

    /// The same, of a gateway with a mistake.
    ///
    /// # Panics
    /// As [`GatewayBot::in_run`].
    pub fn mistaken(limits: Limits, sim: &Sim, mistake: Planted) -> Self {
        let mistake = Mistake::plant(mistake);
        Self { _mistake: Some(mistake), ..Self::in_run(limits, sim) }
    }
}

/// What nearly every packet stays below.
fn longest(network: &NetworkOptions) -> Duration {
    let links = network.links.iter().filter_map(|link| link.latency.as_ref());
    let of_all = links.chain([&network.latency]).map(|latency| latency.mean());
    of_all.max().unwrap_or_default() * 3
}

impl Bot for GatewayBot {
    fn try_start(&self, user: &UserId) -> Attempt<'_> {
        let user = user.clone();
        Attempt::Later(Box::pin(async move { begin(&self.client, &user, Duration::ZERO).await }))
    }

    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(begin(&self.client, user, client::LONGEST_WAIT))
    }

    fn start_within<'a>(
        &'a self,
        user: &'a UserId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(begin(&self.client, user, within))
    }

    fn resize(&self, max_concurrent: usize) {
        self.server.with_manager(|manager| {
            let limits = Limits { max_concurrent, ..manager.limits() };
            manager.resize(limits).expect("a limit above zero is valid");
        });
    }

    fn counts(&self) -> Counts {
        let of_manager = self.server.with_manager(|manager| Counts::of(&manager.stats()));
        let counts = of_manager.unwrap_or_default();
        // Who found nobody to ask was refused, too.
        Counts { refused: counts.refused + self.client.unheard(), ..counts }
    }

    fn drain(&self, _within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.server.drain())
    }

    fn stored<'a>(
        &'a self,
        user: &'a UserId,
        id: i64,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        Box::pin(talk::stored(&self.client, user, id))
    }

    fn gateway(&self) -> Option<&GatewayBot> {
        Some(self)
    }

    fn restarts(&self) -> u64 {
        self.server.crashes()
    }

    fn lateness(&self) -> Duration {
        self.lateness
    }
}

impl GatewayBot {
    /// Host and disk, for scripts that break them.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }
}

/// A conversation of `user` over `client`, after waiting for a slot for so long at most.
async fn begin<'a>(
    client: &'a Arc<Client>,
    user: &UserId,
    wait: Duration,
) -> Result<Talk<'a>, Reason> {
    let asked = client.now();
    let id = client.start(user, wait).await?;
    let waited = client.now() - asked;
    let waited = if wait.is_zero() { Duration::ZERO } else { waited };
    let talk = RemoteTalk::new(Arc::clone(client), user.clone(), id, waited);
    Ok(Talk::Remote(Box::new(talk)))
}
