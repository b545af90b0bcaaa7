//! A network in a run: hosts, links with latency, loss and partitions, crashes.
//!
//! The sockets are those of turmoil (its `turmoil-net` crate): a TCP stack for each host, without a runtime and without
//! a clock. The system's own code opens [`TcpListener`] and [`TcpStream`] where production opens those of tokio, and
//! all of it runs on the one runtime of the run. That is the reason for this crate and not for turmoil's own `Sim`,
//! which has a runtime for each host and polls every one of them at every tick: here every task of every host, those
//! that the system spawned itself among them, has its place in the spawn tree, is bent by the same decisions, and an
//! idle network costs nothing.
//!
//! What a packet meets on its way is ours (`wire`): virtual latency, loss, cuts. A TCP segment that is lost is not lost
//! to its receiver, it comes later: after the time in which the sender would have sent it again, doubled each time (RFC 6298, from
//! 200 ms as Linux has it), with all that was sent after it behind it. That is what an application sees of a bad link.
//!
//! A host crashes like a process that is killed, or a machine that loses its power: its tasks are dropped where they
//! stand, what it had sent and was not on the wire is lost, its peers hear nothing until they ask. What it leaves on
//! a disk is that disk's matter.
//!
//! | module | what it holds |
//! | --- | --- |
//! | `options` | the network as data: `[network]` in a scenario file |
//! | `link` | one direction between two hosts: what it does to a packet by itself |
//! | `wire` | packets under way: when each arrives, in which order |
//! | `owners` | who opened which connection |
//! | `hosts` | which task belongs to which host |
//! | `state` | all of it, for the thread of the run |
//!
//! Resolution is that of tokio's timers, a millisecond. It needs `--cfg tokio_unstable`: without its hooks nobody
//! knows which host a task belongs to.

mod hosts;
mod link;
mod options;
mod owners;
mod state;
mod wire;

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::JoinHandle;
pub use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};

use crate::clock::Clock;
use crate::world::Sim;
pub use options::{LinkOptions, NetworkOptions};
#[cfg(tokio_unstable)]
pub(crate) use state::{before_poll, ended, spawned};
pub(crate) use state::{end, moved, parking};

/// Why there is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Built without tokio's hooks.
    #[error("a network needs tokio's task hooks: build with RUSTFLAGS=\"--cfg tokio_unstable\"")]
    NoHooks,
    /// The run goes by the real clock.
    #[error(
        "a simulated network needs the virtual clock: on the real one a system has the host's sockets"
    )]
    RealClock,
    /// A link names a host that there is not.
    #[error("a link names the host `{host}`, which does not exist; there are {known}")]
    NoSuchHost {
        /// The name.
        host: String,
        /// The hosts that there are.
        known: String,
    },
    /// Two hosts have one name.
    #[error("there are two hosts of the name `{0}`")]
    TwoOfOneName(String),
}

/// The network of a run. Cheap to clone.
#[derive(Clone)]
pub struct Network {
    sim: Sim,
    hosts: Arc<[String]>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("hosts", &self.hosts).finish()
    }
}

impl Network {
    /// A network of these hosts in this run, from here on. What runs already, and the virtual users, are on the first.
    ///
    /// # Errors
    /// When the options name other hosts, tokio's hooks are missing, or the run goes by the real clock.
    ///
    /// # Panics
    /// When the run has a network already.
    pub fn new(sim: &Sim, hosts: &[&str], options: &NetworkOptions) -> Result<Self, NetworkError> {
        if cfg!(not(tokio_unstable)) {
            return Err(NetworkError::NoHooks);
        }
        if sim.clock() == Clock::Real {
            return Err(NetworkError::RealClock);
        }
        for (i, host) in hosts.iter().enumerate() {
            if hosts[..i].contains(host) {
                return Err(NetworkError::TwoOfOneName((*host).to_owned()));
            }
        }
        for host in options.named_hosts() {
            if !hosts.contains(&host) {
                let known = hosts.join(", ");
                return Err(NetworkError::NoSuchHost { host: host.to_owned(), known });
            }
        }
        state::begin(sim, hosts, options);
        Ok(Self { sim: sim.clone(), hosts: hosts.iter().map(|host| (*host).to_owned()).collect() })
    }

    /// The address of a host.
    ///
    /// # Panics
    /// When there is no such host.
    pub fn address(&self, host: &str) -> IpAddr {
        state::address(self.index(host))
    }

    /// Opens a connection from the host of the calling task.
    ///
    /// # Errors
    /// Refused, when nobody listens there.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let to = SocketAddr::new(self.address(host), port);
        let owner = crate::world::current_address();
        let stream = Connecting(Some(Box::pin(TcpStream::connect(to)))).await?;
        state::name_connection(stream.local_addr()?, &owner);
        Ok(stream)
    }

    /// Runs this on a host until it ends; again after each crash. Every task that it spawns is one of the host's. It should own
    /// them (a `JoinSet`, a handle that aborts): whatever it leaves behind when it is dropped goes on as a ghost, with
    /// all its connections broken.
    ///
    /// The host is down for as long as the crash says; the disk it may have is to be told by whoever makes `software`.
    pub fn run<F, Fut>(&self, host: &str, software: F) -> Host
    where
        F: Fn(Boot) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let index = self.index(host);
        let name: Arc<str> = host.into();
        let supervised = hosts::supervise(self.sim.clone(), index, Arc::clone(&name), software);
        crate::world::name_next_task(format!("{host}-power"));
        Host { index, name, power: tokio::spawn(supervised) }
    }

    /// Calls this at the very moment at which a host crashes, once for each crash: for what else of it stops then.
    /// It must not use the network.
    pub fn on_crash(&self, host: &str, stop: impl Fn() + 'static) {
        state::on_crash(self.index(host), Rc::new(stop));
    }

    /// Cuts the way from one host to another for so long: segments wait, and connections with them.
    pub fn cut(&self, from: &str, to: &str, lasts: Duration) {
        state::cut(self.index(from), self.index(to), lasts);
    }

    /// Holds every packet from one host to another until [`release`](Network::release).
    pub fn hold(&self, from: &str, to: &str) {
        state::hold(self.index(from), self.index(to), true);
    }

    /// Lets what was held arrive, at once and in its order.
    pub fn release(&self, from: &str, to: &str) {
        state::hold(self.index(from), self.index(to), false);
    }

    /// What went over the network until now.
    pub fn traffic(&self) -> Traffic {
        state::traffic()
    }

    fn index(&self, host: &str) -> usize {
        let index = self.hosts.iter().position(|known| known == host);
        index.unwrap_or_else(|| {
            panic!("there is no host `{host}`; there are {}", self.hosts.join(", "))
        })
    }
}

/// A connection that is being opened. Whoever gives it up leaves it to be opened and closed, so that the other end hears of both.
struct Connecting(Option<Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>>);

impl Future for Connecting {
    type Output = io::Result<TcpStream>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let connecting = self.0.as_mut().expect("it is polled until it is done and not longer");
        let done = connecting.as_mut().poll(cx);
        if done.is_ready() {
            self.0 = None;
        }
        done
    }
}

impl Drop for Connecting {
    fn drop(&mut self) {
        if let (Some(connecting), Ok(runtime)) =
            (self.0.take(), tokio::runtime::Handle::try_current())
        {
            drop(runtime.spawn(async move { drop(connecting.await) }));
        }
    }
}

/// How often a host was started before, and how its last life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot {
    /// 0 for the first start.
    pub crashes: u64,
}

/// A host with something that runs on it. Dropping it shuts the host down for good, as a crash without a restart.
pub struct Host {
    index: usize,
    name: Arc<str>,
    power: JoinHandle<()>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("name", &self.name).finish()
    }
}

impl Host {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Crashes it at once; it starts again after so long.
    pub fn crash(&self, down_for: Duration) {
        state::crash(self.index, down_for);
    }

    /// How often it has crashed.
    pub fn crashes(&self) -> u64 {
        state::crashes(self.index)
    }

    /// Whether its software came to its end by itself.
    pub fn has_ended(&self) -> bool {
        self.power.is_finished()
    }

    /// Waits until its software ends by itself.
    pub async fn ended(mut self) {
        // It is never aborted while somebody has it.
        let _ = (&mut self.power).await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.power.abort();
    }
}

/// What went over a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets that arrived.
    pub packets: u64,
    /// Bytes in them, headers included.
    pub bytes: u64,
    /// How often one was lost and sent again.
    pub retransmitted: u64,
}
