//! One direction between two hosts: what it does to a packet by itself.
//!
//! Latency and loss are drawn from two streams of the link's own, so that changing one leaves the other as it was.

use super::NetworkOptions;
use super::wire::Fate;
use crate::io::LinkIo;
use crate::random::{RandomExt, StreamRng};
use crate::units;
use crate::workload::Distribution;
use crate::world::Sim;

pub(super) struct Link {
    latency: Distribution,
    loss: f64,
    /// Draws the latency of its packets.
    latencies: StreamRng,
    losses: StreamRng,
    cut_until_ns: u64,
    pub(super) held: bool,
    /// Where faults strike it: `users->server`.
    pub(super) site: String,
    /// Where they strike both directions: `server--users`.
    pub(super) both: String,
    pub(super) moved: LinkIo,
}

impl Link {
    pub(super) fn new(sim: &Sim, from: &str, to: &str, options: &NetworkOptions) -> Self {
        let (latency, loss) = options.link(from, to);
        let stream = |what: &str| sim.rng(format_args!("network/{from}/{to}/{what}"));
        let [first, second] = if from <= to { [from, to] } else { [to, from] };
        Self {
            latency,
            loss,
            latencies: stream("latency"),
            losses: stream("loss"),
            cut_until_ns: 0,
            held: false,
            site: format!("{from}->{to}"),
            both: format!("{first}--{second}"),
            moved: LinkIo::default(),
        }
    }

    /// What becomes of a packet that is sent now to a host that is down, or not.
    pub(super) fn fate(&mut self, now_ns: u64, down: bool) -> Fate {
        if self.held {
            return Fate::Held;
        }
        if down
            || now_ns < self.cut_until_ns
            || (self.loss > 0.0 && self.losses.unit() <= self.loss)
        {
            return Fate::Lost;
        }
        Fate::Arrives(units::nanos(self.latency.sample(&mut self.latencies)))
    }

    /// Counts what became of a packet: one more that is lost, if so.
    pub(super) fn count(&mut self, fate: &Fate) {
        self.moved.lost += u64::from(matches!(fate, Fate::Lost));
    }

    /// Counts one that has arrived.
    pub(super) fn arrived(&mut self, bytes: u64, sent_ns: u64, now_ns: u64) {
        self.moved.packets += 1;
        self.moved.bytes += bytes;
        self.moved.delayed_ns =
            self.moved.delayed_ns.saturating_add(now_ns.saturating_sub(sent_ns));
    }

    /// Lets nothing through until then, at least.
    pub(super) fn cut_until(&mut self, until_ns: u64) {
        self.cut_until_ns = self.cut_until_ns.max(until_ns);
    }
}
