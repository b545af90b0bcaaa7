//! The network of the run on this thread.
//!
//! Packets leave the hosts' kernels when the runtime has nothing left to poll, just before time moves: whatever was
//! said at one instant is on the wire together, in the order of the hosts and of their sockets. A task of the world's
//! carries out what is due. Where no network was made all of this costs the look at one flag.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::Id;
use turmoil_net::{
    EnterGuard, HostId, KernelConfig, Net, NetstatState, Packet, TcpFlags, TcpSegment, Transport,
};

use super::link::Link;
use super::owners::Owners;
use super::wire::{Fate, Flow, Wire};
use super::{NetworkOptions, Traffic, hosts};
use crate::decision::{Address, DecisionKind};
use crate::io::LinkIo;
use crate::units;
use crate::world::{Sim, strikes};

thread_local! {
    static ACTIVE: Cell<bool> = const { Cell::new(false) };
    static STATE: RefCell<Option<State>> = const { RefCell::new(None) };
}

struct State {
    sim: Sim,
    guard: EnterGuard,
    hosts: Vec<HostState>,
    by_ip: BTreeMap<IpAddr, usize>,
    /// From host to host, row by row.
    links: Vec<Link>,
    wire: Wire<Sent>,
    owners: Owners,
    /// Tells the task that delivers that something is due earlier than it knows.
    news: Arc<Notify>,
    /// Packets that leave their hosts: kept for its memory.
    leaving: Vec<Packet>,
    arrived: u64,
    bytes: u64,
}

/// A packet under way, and since when.
struct Sent {
    packet: Packet,
    at_ns: u64,
}

struct HostState {
    name: String,
    id: HostId,
    ip: IpAddr,
    down: bool,
    crashes: u64,
    power: hosts::Power,
    on_crash: Option<Rc<dyn Fn()>>,
}

fn with<T>(f: impl FnOnce(&mut State) -> T) -> T {
    STATE.with(|state| {
        let mut state = state.borrow_mut();
        f(state.as_mut().expect("a network is used in its own run, and not after it"))
    })
}

pub(super) fn begin(sim: &Sim, names: &[&str], options: &NetworkOptions) {
    assert!(!ACTIVE.get(), "a run has one network");
    // Segments are never lost to the kernels, they are late: see `wire`.
    let config = KernelConfig::default().retx_threshold(u32::MAX);
    let mut net = Net::with_config(config);
    let mut of_name = |name: &str| {
        let id = net.add_host(name);
        (id, net.lookup(name))
    };
    let hosts: Vec<HostState> = names
        .iter()
        .map(|name| {
            let (id, ip) = of_name(name);
            let name = (*name).to_owned();
            HostState {
                name,
                id,
                ip,
                down: false,
                crashes: 0,
                power: hosts::Power::default(),
                on_crash: None,
            }
        })
        .collect();
    let mut links = Vec::with_capacity(names.len() * names.len());
    for from in names {
        links.extend(names.iter().map(|to| Link::new(sim, from, to, options)));
    }
    let news = Arc::new(Notify::new());
    hosts::begin(hosts.len());
    let by_ip = hosts.iter().enumerate().map(|(index, host)| (host.ip, index)).collect();
    let state = State {
        sim: sim.clone(),
        guard: net.enter(),
        hosts,
        by_ip,
        links,
        wire: Wire::default(),
        owners: Owners::default(),
        news: Arc::clone(&news),
        leaving: Vec::new(),
        arrived: 0,
        bytes: 0,
    };
    STATE.with(|slot| *slot.borrow_mut() = Some(state));
    ACTIVE.set(true);
    crate::world::name_next_task("network".to_owned());
    tokio::spawn(deliver(sim.clone(), news));
}

/// The run is over, and its runtime gone.
pub(crate) fn end() {
    ACTIVE.set(false);
    // Dropped outside of the borrow.
    let state = STATE.with(|state| state.borrow_mut().take());
    drop(state);
}

pub(crate) fn spawned(id: Id) {
    if ACTIVE.get() {
        hosts::spawned(id);
    }
}

pub(crate) fn ended(id: Id) {
    if ACTIVE.get() {
        hosts::ended(id);
    }
}

pub(crate) fn before_poll(id: Id) {
    if ACTIVE.get() {
        let host = hosts::before_poll(id);
        let id = with(|state| state.hosts[host].id);
        turmoil_net::set_current(id);
    }
}

/// The runtime has nothing left to poll.
pub(crate) fn parking() {
    if !ACTIVE.get() {
        return;
    }
    with(State::exchange);
}

/// Carries out what is due.
async fn deliver(sim: Sim, news: Arc<Notify>) {
    loop {
        match with(|state| state.wire.next_ns()) {
            None => news.notified().await,
            Some(at_ns) if at_ns > sim.now_ns() => tokio::select! {
                biased;
                () = sim.sleep_until(Duration::from_nanos(at_ns)) => {}
                () = news.notified() => {}
            },
            Some(_) => {}
        }
        with(State::deliver_due);
    }
}

impl State {
    /// Takes what the hosts send and gives them what has arrived, until nothing moves without time.
    fn exchange(&mut self) {
        let before = self.wire.next_ns();
        self.exchange_now();
        if self.wire.next_ns() != before {
            self.news.notify_one();
        }
    }

    fn exchange_now(&mut self) {
        loop {
            let mut leaving = std::mem::take(&mut self.leaving);
            self.guard.egress_all(&mut leaving);
            let any = !leaving.is_empty();
            for packet in leaving.drain(..) {
                self.send(packet);
            }
            self.leaving = leaving;
            if !any || !self.deliver_due() {
                return;
            }
        }
    }

    fn send(&mut self, packet: Packet) {
        let now_ns = self.sim.now_ns();
        let Some(way) = self.way(&packet) else { return };
        if self.hosts[way.from].down {
            return;
        }
        let fate = self.fate(way);
        let fate = match fate {
            Fate::Arrives(_) => self.struck(way, fate),
            other => other,
        };
        self.link(way).count(&fate);
        self.wire.send(now_ns, way.flow, Sent { packet, at_ns: now_ns }, fate);
    }

    /// Whether anything arrived.
    fn deliver_due(&mut self) -> bool {
        let mut any = false;
        loop {
            let now_ns = self.sim.now_ns();
            let mut wire = std::mem::take(&mut self.wire);
            let sent = wire.arrived(now_ns, |_, sent| match self.way(&sent.packet) {
                Some(way) => {
                    let fate = self.fate(way);
                    self.link(way).count(&fate);
                    fate
                }
                None => Fate::Arrives(0),
            });
            self.wire = wire;
            let Some(sent) = sent else { return any };
            any = true;
            let Some(way) = self.way(&sent.packet) else { continue };
            if self.hosts[way.to].down {
                // It was on its way when the host went down: its sender will send it again.
                self.link(way).count(&Fate::Lost);
                self.wire.send(now_ns, way.flow, sent, Fate::Lost);
                continue;
            }
            let bytes = u64::from(sent.packet.size());
            self.arrived += 1;
            self.bytes += bytes;
            self.link(way).arrived(bytes, sent.at_ns, now_ns);
            if !self.would_orphan(way, &sent.packet) {
                self.guard.deliver(sent.packet);
            }
            self.crash_by_chance(way);
        }
    }

    /// Whether this resets a connection that is still being opened: a kernel of turmoil's then keeps it for ever, with the port
    /// that it came to, for nobody has a handle on it. Left alone it goes with its listener.
    fn would_orphan(&self, way: Way, packet: &Packet) -> bool {
        let Transport::Tcp(segment) = &packet.payload else { return false };
        segment.flags.rst
            && turmoil_net::netstat(self.hosts[way.to].ip).entries.iter().any(|entry| {
                entry.local == way.flow.to
                    && entry.peer == Some(way.flow.from)
                    && entry.state == Some(NetstatState::SynReceived)
            })
    }

    fn way(&self, packet: &Packet) -> Option<Way> {
        let (from_port, to_port, datagrams) = match &packet.payload {
            Transport::Tcp(segment) => (segment.src_port, segment.dst_port, false),
            Transport::Udp(datagram) => (datagram.src_port, datagram.dst_port, true),
        };
        let flow = Flow {
            from: SocketAddr::new(packet.src, from_port),
            to: SocketAddr::new(packet.dst, to_port),
            datagrams,
        };
        let (from, to) = (*self.by_ip.get(&packet.src)?, *self.by_ip.get(&packet.dst)?);
        Some(Way { from, to, flow })
    }

    /// What the link does to a packet, by itself.
    fn fate(&mut self, way: Way) -> Fate {
        let (now_ns, down) = (self.sim.now_ns(), self.hosts[way.to].down);
        self.link(way).fate(now_ns, down)
    }

    fn link(&mut self, way: Way) -> &mut Link {
        &mut self.links[way.from * self.hosts.len() + way.to]
    }

    /// What the scenario's faults do to it besides.
    fn struck(&mut self, way: Way, fate: Fate) -> Fate {
        const OF_A_PACKET: &[DecisionKind] =
            &[DecisionKind::Cut, DecisionKind::Lose, DecisionKind::Slow];
        let index = way.from * self.hosts.len() + way.to;
        let owner = || self.owner(way.flow);
        let both = strikes(&self.sim, owner, &self.links[index].both, OF_A_PACKET);
        let one_way = strikes(&self.sim, owner, &self.links[index].site, OF_A_PACKET);
        let mut fate = fate;
        let directed = one_way.into_iter().map(|struck| (struck, false));
        for ((kind, ms), both) in both.into_iter().map(|struck| (struck, true)).chain(directed) {
            let ns = u64::from(ms) * 1_000_000;
            match kind {
                DecisionKind::Cut => {
                    self.cut(way.from, way.to, ns);
                    if both {
                        self.cut(way.to, way.from, ns);
                    }
                    fate = Fate::Lost;
                }
                DecisionKind::Lose => fate = Fate::Lost,
                _ => {
                    if let Fate::Arrives(after_ns) = fate {
                        fate = Fate::Arrives(after_ns + ns);
                    }
                }
            }
        }
        fate
    }

    /// The host that has got a packet may crash of it.
    fn crash_by_chance(&mut self, way: Way) {
        let name = &self.hosts[way.to].name;
        for (_, ms) in strikes(&self.sim, || self.owner(way.flow), name, &[DecisionKind::Crash]) {
            self.crash(way.to, Duration::from_millis(ms.into()));
        }
    }

    /// Who opened the connection; without that its own end of it.
    fn owner(&self, flow: Flow) -> Address {
        let known = self.owners.of(&flow.from).or_else(|| self.owners.of(&flow.to));
        known.cloned().unwrap_or_else(|| {
            let (host, port) = match self.by_ip.get(&flow.from.ip()) {
                Some(host) => (self.hosts[*host].name.as_str(), flow.from.port()),
                None => ("nobody", 0),
            };
            format!("{host}-{port}").into()
        })
    }

    fn cut(&mut self, from: usize, to: usize, ns: u64) {
        let until = self.sim.now_ns().saturating_add(ns);
        let index = from * self.hosts.len() + to;
        self.links[index].cut_until(until);
    }

    fn crash(&mut self, host: usize, down_for: Duration) {
        let host = &mut self.hosts[host];
        if host.down {
            return;
        }
        host.down = true;
        host.crashes += 1;
        host.power.cut_for(down_for);
        if let Some(stop) = &host.on_crash {
            stop();
        }
    }
}

/// From where to where a packet goes.
#[derive(Clone, Copy)]
struct Way {
    from: usize,
    to: usize,
    flow: Flow,
}

pub(super) fn address(host: usize) -> IpAddr {
    with(|state| state.hosts[host].ip)
}

pub(super) fn name_connection(own: SocketAddr, owner: &Address) {
    with(|state| {
        let hosts = &state.hosts;
        state.owners.add(own, Address::clone(owner), || {
            let sockets = hosts.iter().flat_map(|host| turmoil_net::netstat(host.ip).entries);
            sockets.map(|socket| socket.local).collect()
        });
    });
}

#[cfg(test)]
#[cfg_attr(not(tokio_unstable), allow(dead_code))]
pub(super) fn owners<T>(f: impl FnOnce(&Owners) -> T) -> T {
    with(|state| f(&state.owners))
}

pub(super) fn cut(from: usize, to: usize, lasts: Duration) {
    with(|state| state.cut(from, to, units::nanos(lasts)));
}

pub(super) fn hold(from: usize, to: usize, held: bool) {
    with(|state| {
        let index = from * state.hosts.len() + to;
        state.links[index].held = held;
        if !held {
            let (now_ns, news) = (state.sim.now_ns(), Arc::clone(&state.news));
            let ends = (state.hosts[from].ip, state.hosts[to].ip);
            state.wire.release(now_ns, |flow| (flow.from.ip(), flow.to.ip()) == ends);
            news.notify_one();
        }
    });
}

/// What went over each link until now, by its direction; nothing without a network.
pub(crate) fn moved() -> BTreeMap<String, LinkIo> {
    if !ACTIVE.get() {
        return BTreeMap::new();
    }
    // A host's own connections to itself go over no link.
    let between =
        |state: &State, index: usize| index / state.hosts.len() != index % state.hosts.len();
    with(|state| {
        let links = state.links.iter().enumerate().filter(|(index, _)| between(state, *index));
        links.map(|(_, link)| (link.site.clone(), link.moved)).collect()
    })
}

pub(super) fn traffic() -> Traffic {
    with(|state| Traffic {
        packets: state.arrived,
        bytes: state.bytes,
        retransmitted: state.wire.retransmitted,
    })
}

pub(super) fn crash(host: usize, down_for: Duration) {
    with(|state| state.crash(host, down_for));
}

pub(super) fn on_crash(host: usize, stop: Rc<dyn Fn()>) {
    with(|state| state.hosts[host].on_crash = Some(stop));
}

pub(super) fn crashes(host: usize) -> u64 {
    with(|state| state.hosts[host].crashes)
}

pub(super) fn power_of(host: usize) -> hosts::Power {
    with(|state| state.hosts[host].power.clone())
}

/// The host is back. Whoever has said something to it that it never acknowledged says it again, and hears that there is
/// no such connection any more. (Their kernels do not: to them nothing is ever lost. See [`begin`].)
pub(super) fn power_on(host: usize) {
    with(|state| {
        state.hosts[host].down = false;
        let ip = state.hosts[host].ip;
        for index in 0..state.hosts.len() {
            for entry in turmoil_net::netstat(state.hosts[index].ip).entries {
                let asks = entry.send_q > 0 || entry.state == Some(NetstatState::SynSent);
                if let Some(peer) = entry.peer.filter(|peer| peer.ip() == ip && asks) {
                    state.send(reset(peer, entry.local));
                }
            }
        }
        state.news.notify_one();
    });
}

/// What says that a connection is no more.
fn reset(from: SocketAddr, to: SocketAddr) -> Packet {
    let segment = TcpSegment {
        src_port: from.port(),
        dst_port: to.port(),
        seq: 0,
        ack: 0,
        flags: TcpFlags { rst: true, ..TcpFlags::default() },
        window: 0,
        payload: Default::default(),
    };
    Packet { src: from.ip(), dst: to.ip(), ttl: 64, payload: Transport::Tcp(segment) }
}

/// Every connection of a host ends as one whose peer has gone: nobody of before hears of it or is heard any more.
pub(super) fn break_connections(host: usize) {
    with(|state| {
        // What the host had said leaves its kernel and is thrown away, as it is down.
        state.exchange();
        for entry in turmoil_net::netstat(state.hosts[host].ip).entries {
            let Some(peer) = entry.peer else { continue };
            state.guard.deliver(reset(peer, entry.local));
        }
        state.exchange();
    });
}
