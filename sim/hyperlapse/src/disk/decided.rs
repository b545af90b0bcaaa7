//! The faults that a scenario asks for, on a disk: decisions as all others are, in the same seed file.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Disk, DiskFault, DiskOp, DiskOpKind};
use crate::decision::DecisionKind;
use crate::world::{Sim, current_address, strikes};

/// The kinds of faults that an operation knows, the gravest last.
const fn kinds(of: DiskOpKind) -> &'static [DecisionKind] {
    use DecisionKind::{Crash, Error, Full, Lie, Slow};
    match of {
        DiskOpKind::Write | DiskOpKind::Open => &[Slow, Error, Full, Crash],
        DiskOpKind::Sync | DiskOpKind::SyncDirectory => &[Slow, Error, Lie, Crash],
        DiskOpKind::Read | DiskOpKind::Truncate | DiskOpKind::Delete => &[Slow, Error, Crash],
    }
}

/// Power cuts that were decided: see [`Disk::follow`].
#[derive(Debug)]
pub struct PowerCuts(UnboundedReceiver<Duration>);

impl PowerCuts {
    /// Resolves when the power has gone off: for how long it is to stay off. Never, once the disk is gone.
    pub async fn next(&mut self) -> Duration {
        match self.0.recv().await {
            Some(down_for) => down_for,
            None => std::future::pending().await,
        }
    }
}

impl Disk {
    /// Lets the faults of the run's scenario strike at this disk, beside the rates of its options: at the sites
    /// `HOST.read`, `HOST.write` (which stands for all that changes what is there, and for opening) and `HOST.sync`, of the kinds
    /// `slow`, `error`, `full`, `lie` and `crash`. One that makes no sense for an operation does not strike there: a read is
    /// never full.
    ///
    /// A crash is a power cut in the middle of the operation. The disk is dead then; what else is to stop with it is up to whoever
    /// waits for the [`PowerCuts`], within the same instant.
    ///
    /// An operation belongs to the task that asks for it. Takes the place of [`Disk::set_faults`].
    pub fn follow(&self, sim: &Sim) -> PowerCuts {
        let sites = ["read", "write", "sync"].map(|what| format!("{}.{what}", self.host()));
        let (sim, (cuts, cut)) = (sim.clone(), unbounded_channel());
        self.set_faults(move |op: &DiskOp<'_>| {
            let site = match op.kind {
                DiskOpKind::Read => &sites[0],
                DiskOpKind::Sync | DiskOpKind::SyncDirectory => &sites[2],
                _ => &sites[1],
            };
            let (kind, amount) = strikes(&sim, current_address, site, kinds(op.kind)).pop()?;
            let time = Duration::from_millis(amount.into());
            Some(match kind {
                DecisionKind::Slow => DiskFault::Slow(time),
                DecisionKind::Error => DiskFault::Error,
                DecisionKind::Full => DiskFault::Full,
                DecisionKind::Lie => DiskFault::Lie,
                DecisionKind::Crash => {
                    // Without anybody who waits the disk alone stops.
                    let _ = cuts.send(time);
                    DiskFault::PowerCut
                }
                _ => unreachable!("only what a disk knows is asked for"),
            })
        });
        PowerCuts(cut)
    }
}
