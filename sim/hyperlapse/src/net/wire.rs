//! Packets under way: when each arrives, and in which order.
//!
//! Every direction of a connection is a queue, since TCP gives its receiver bytes in order: a segment that has to be sent
//! again holds up all that were sent after it. Its first retransmission is after 200 ms (Linux's least RTO), each further one after
//! twice the time of that before, up to two minutes (RFC 6298, 2.4 and 5.5). A datagram that is lost stays lost.
//!
//! Knows nothing of hosts and links: whoever asks it for what is due says what becomes of a packet that is sent again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

/// The time after which a segment that was lost is sent again for the first time.
const FIRST_RTO_NS: u64 = 200_000_000;
/// The longest time between two attempts.
const LONGEST_RTO_NS: u64 = 120_000_000_000;

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flow {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    /// Whether it is one of datagrams.
    pub(super) datagrams: bool,
}

/// What becomes of a packet that is sent, or sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It arrives after so long.
    Arrives(u64),
    /// It has to be sent again.
    Lost,
    /// It waits until its link lets it go.
    Held,
}

#[derive(Debug)]
enum Stage {
    Arriving { at_ns: u64 },
    Lost { again_ns: u64, rto_ns: u64 },
    Held,
}

#[derive(Debug)]
struct Queued<P> {
    packet: P,
    stage: Stage,
}

/// All packets under way.
#[derive(Debug)]
pub(super) struct Wire<P> {
    flows: BTreeMap<Flow, VecDeque<Queued<P>>>,
    /// When something is to be done with the first of each flow.
    due: BTreeSet<(u64, Flow)>,
    pub(super) retransmitted: u64,
}

impl<P> Default for Wire<P> {
    fn default() -> Self {
        Self { flows: BTreeMap::new(), due: BTreeSet::new(), retransmitted: 0 }
    }
}

impl<P> Wire<P> {
    /// A packet was sent.
    pub(super) fn send(&mut self, now_ns: u64, flow: Flow, packet: P, fate: Fate) {
        let stage = match fate {
            Fate::Arrives(after_ns) => Stage::Arriving { at_ns: now_ns.saturating_add(after_ns) },
            Fate::Lost if flow.datagrams => return,
            Fate::Lost => {
                Stage::Lost { again_ns: now_ns.saturating_add(FIRST_RTO_NS), rto_ns: FIRST_RTO_NS }
            }
            Fate::Held => Stage::Held,
        };
        let queue = self.flows.entry(flow).or_default();
        queue.push_back(Queued { packet, stage });
        if queue.len() == 1 {
            self.first_changed(flow, now_ns);
        }
    }

    /// When something is to be done next.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.due.first().map(|(at_ns, _)| *at_ns)
    }

    /// The next packet that has arrived by now. `fate` says what becomes of one that is sent again.
    pub(super) fn arrived(
        &mut self,
        now_ns: u64,
        mut fate: impl FnMut(Flow, &P) -> Fate,
    ) -> Option<P> {
        loop {
            let (at_ns, flow) = *self.due.first()?;
            if at_ns > now_ns {
                return None;
            }
            self.due.pop_first();
            let queue = self.flows.get_mut(&flow).expect("what is due has its flow");
            let first = queue.front_mut().expect("what is due is the first of its flow");
            match first.stage {
                Stage::Arriving { .. } => {
                    let Queued { packet, .. } = queue.pop_front().expect("it was there just now");
                    self.first_changed(flow, now_ns);
                    return Some(packet);
                }
                Stage::Lost { again_ns, rto_ns } => {
                    self.retransmitted += 1;
                    first.stage = match fate(flow, &first.packet) {
                        Fate::Arrives(after_ns) => {
                            Stage::Arriving { at_ns: again_ns.saturating_add(after_ns) }
                        }
                        Fate::Lost => {
                            let rto_ns = (rto_ns * 2).min(LONGEST_RTO_NS);
                            Stage::Lost { again_ns: again_ns.saturating_add(rto_ns), rto_ns }
                        }
                        Fate::Held => Stage::Held,
                    };
                    self.first_changed(flow, now_ns);
                }
                Stage::Held => unreachable!("what is held is not due"),
            }
        }
    }

    /// Lets everything arrive that is held on these flows.
    pub(super) fn release(&mut self, now_ns: u64, of: impl Fn(Flow) -> bool) {
        let flows: Vec<Flow> = self.flows.keys().copied().filter(|flow| of(*flow)).collect();
        for flow in flows {
            for queued in self.flows.get_mut(&flow).into_iter().flatten() {
                if matches!(queued.stage, Stage::Held) {
                    queued.stage = Stage::Arriving { at_ns: now_ns };
                }
            }
            self.due.retain(|(_, known)| *known != flow);
            self.first_changed(flow, now_ns);
        }
    }

    /// Another packet is the first of its flow, or it has another stage.
    fn first_changed(&mut self, flow: Flow, now_ns: u64) {
        let Some(first) = self.flows.get(&flow).and_then(VecDeque::front) else {
            self.flows.remove(&flow);
            return;
        };
        match first.stage {
            Stage::Arriving { at_ns } | Stage::Lost { again_ns: at_ns, .. } => {
                self.due.insert((at_ns.max(now_ns), flow));
            }
            Stage::Held => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flow(from: u16) -> Flow {
        let address = |port| SocketAddr::from(([192, 168, 0, 1], port));
        Flow { from: address(from), to: address(80), datagrams: false }
    }

    const MS: u64 = 1_000_000;

    /// What arrives when, in milliseconds, where everything that is sent again arrives after a millisecond.
    fn arrivals(wire: &mut Wire<u32>, until_ms: u64) -> Vec<(u64, u32)> {
        let mut seen = Vec::new();
        while let Some(at) = wire.next_ns().filter(|at| *at <= until_ms * MS) {
            while let Some(packet) = wire.arrived(at, |_, _| Fate::Arrives(MS)) {
                seen.push((at / MS, packet));
            }
        }
        seen
    }

    #[test]
    fn what_is_lost_comes_after_the_time_of_its_retransmission_and_what_was_sent_after_it_behind_it()
     {
        let mut wire = Wire::default();
        wire.send(0, flow(1), 1, Fate::Lost);
        wire.send(10 * MS, flow(1), 2, Fate::Arrives(5 * MS));
        wire.send(10 * MS, flow(2), 3, Fate::Arrives(5 * MS));
        assert_eq!(arrivals(&mut wire, 1_000), [(15, 3), (201, 1), (201, 2)]);
        assert_eq!((wire.next_ns(), wire.retransmitted), (None, 1));
    }

    #[test]
    fn each_attempt_waits_twice_as_long_as_the_one_before() {
        let mut wire = Wire::default();
        wire.send(0, flow(1), 1, Fate::Lost);
        let mut attempts = Vec::new();
        while let Some(at) = wire.next_ns().filter(|at| *at < 600_000 * MS) {
            attempts.push(at / MS);
            assert_eq!(wire.arrived(at, |_, _| Fate::Lost), None);
        }
        assert_eq!(attempts[..5], [200, 600, 1_400, 3_000, 6_200]);
        let last = attempts.len() - 1;
        assert_eq!(attempts[last] - attempts[last - 1], 120_000, "no longer than two minutes");
    }

    #[test]
    fn a_datagram_that_is_lost_stays_lost() {
        let mut wire = Wire::default();
        wire.send(0, Flow { datagrams: true, ..flow(1) }, 1, Fate::Lost);
        assert_eq!(wire.next_ns(), None);
    }

    #[test]
    fn what_is_held_arrives_when_it_is_released_in_its_order() {
        let mut wire = Wire::default();
        wire.send(0, flow(1), 1, Fate::Held);
        wire.send(MS, flow(1), 2, Fate::Arrives(MS));
        wire.send(MS, flow(2), 3, Fate::Held);
        assert_eq!(wire.next_ns(), None);
        wire.release(50 * MS, |of| of == flow(1));
        assert_eq!(arrivals(&mut wire, 1_000), [(50, 1), (50, 2)]);
        wire.release(60 * MS, |_| true);
        assert_eq!(arrivals(&mut wire, 1_000), [(60, 3)]);
    }

    proptest! {
        #[test]
        fn every_segment_arrives_once_and_in_the_order_in_which_its_flow_sent_it(
            sent in prop::collection::vec((0u16..4, 0u64..50, 0u64..40, 0u8..3), 0..60)
        ) {
            let mut wire = Wire::default();
            let (mut now, mut seen) = (0, Vec::new());
            let take = |wire: &mut Wire<u32>, now: u64, seen: &mut Vec<u32>| {
                while let Some(packet) = wire.arrived(now, |_, _| Fate::Arrives(3 * MS)) {
                    seen.push(packet);
                }
            };
            for (number, (port, after, latency, fate)) in sent.iter().enumerate() {
                now += after * MS;
                take(&mut wire, now, &mut seen);
                let fate = match fate {
                    0 => Fate::Arrives(latency * MS),
                    1 => Fate::Lost,
                    _ => Fate::Held,
                };
                wire.send(now, flow(*port), number as u32, fate);
            }
            wire.release(now, |_| true);
            while let Some(at) = wire.next_ns() {
                take(&mut wire, at, &mut seen);
            }
            for port in 0..4 {
                let of = |n: &u32| sent[*n as usize].0 == port;
                let got: Vec<u32> = seen.iter().copied().filter(of).collect();
                let all: Vec<u32> = (0..sent.len() as u32).filter(of).collect();
                prop_assert_eq!(got, all);
            }
        }
    }
}
