//! Who opened which connection: the address of a fault that strikes one of its packets.
//!
//! Nobody tells when a connection is over, and its last packets still need their owner. So now and then, when there are
//! twice as many as were left the last time, those are forgotten whose sockets are gone: memory follows the connections
//! that are open, and each of them pays for two looks at most.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::decision::Address;

/// So many are always kept.
const FEW: usize = 512;

pub(super) struct Owners {
    /// By the end of who opened it.
    of: BTreeMap<SocketAddr, Address>,
    look_at: usize,
}

impl Default for Owners {
    fn default() -> Self {
        Self { of: BTreeMap::new(), look_at: FEW }
    }
}

impl Owners {
    /// A connection was opened from here; `sockets` says which ends are open now.
    pub(super) fn add(
        &mut self,
        own: SocketAddr,
        owner: Address,
        sockets: impl FnOnce() -> BTreeSet<SocketAddr>,
    ) {
        self.of.insert(own, owner);
        if self.of.len() > self.look_at {
            let open = sockets();
            self.of.retain(|own, _| open.contains(own));
            self.look_at = (2 * self.of.len()).max(FEW);
        }
    }

    pub(super) fn of(&self, end: &SocketAddr) -> Option<&Address> {
        self.of.get(end)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }
}

#[cfg(all(test, tokio_unstable))]
mod tests {
    use std::time::Duration;

    use tokio::io::AsyncReadExt;

    use super::super::{Network, NetworkOptions, TcpListener, state};
    use super::*;
    use crate::{AllAtOnce, Outcome, RunOptions, Scenario};

    #[test]
    fn connections_that_are_closed_are_forgotten_and_those_that_are_open_are_not() {
        let scenario = Scenario::builder("many", AllAtOnce::users(1)).build().unwrap();
        let record = crate::run(&scenario, RunOptions::seed(0), |sim| async move {
            let network = Network::new(&sim, &["a", "b"], &NetworkOptions::default()).unwrap();
            let to = network.address("b");
            let _host = network.run("b", move |_| async move {
                let listener = TcpListener::bind((to, 80)).await.unwrap();
                loop {
                    let (mut stream, _) = listener.accept().await.unwrap();
                    tokio::spawn(async move { stream.read(&mut [0; 8]).await });
                }
            });
            tokio::time::sleep(Duration::from_millis(5)).await;
            let mut kept = Vec::new();
            for n in 0..4 * FEW {
                let stream = network.connect("b", 80).await.unwrap();
                // One in sixteen stays.
                if n % 16 == 0 {
                    kept.push(stream);
                }
            }
            let (owners, open) = state::owners(|owners| {
                let open = kept.iter().filter(|it| owners.of(&it.local_addr().unwrap()).is_some());
                (owners.len(), open.count())
            });
            assert_eq!(open, kept.len(), "an open connection has lost its owner");
            assert!(owners <= FEW, "{owners} owners of {} open connections", kept.len());
        });
        assert_eq!((record.outcome, record.panics), (Outcome::Finished, Vec::new()));
    }
}
