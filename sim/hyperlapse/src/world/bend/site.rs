//! Sites where the scenario's faults may strike.

use std::time::Duration;

use super::operation::{abandon, in_iteration};
use super::{ASKED, asks, place, with};
use crate::decision::{Address, Decision, DecisionKind, Kinds};
use crate::event::{EventKind, Text};
use crate::units;
use crate::world::context::{self, StruckPanic};
use crate::world::shared::Shared;

/// Who comes to a site.
pub(in crate::world) struct Visitor<'a> {
    /// `user-3`, or the address of a task.
    pub(in crate::world) actor: Address,
    /// Of a user, the iteration.
    pub(in crate::world) iteration: Option<u64>,
    /// The kind of the user.
    pub(in crate::world) kind: Option<&'a str>,
}

/// Whether any fault may strike: nobody is named where none can.
pub(in crate::world) fn may_strike() -> bool {
    ASKED.get().has_any(Kinds::FAULTS)
}

/// Comes by a site with a step that takes so long: gives how long it takes now, or the error that it comes back
/// with.
///
/// # Panics
/// When it was decided that it panics.
pub(in crate::world) async fn step(
    shared: &Shared,
    visitor: Visitor<'_>,
    site: &'static str,
    work: Duration,
) -> Result<Duration, Text> {
    let struck = visit(shared, &visitor, site, DecisionKind::OF_A_STEP);
    let mut takes = work;
    for decision in struck {
        place::decided(&decision);
        let name = format!("{} at {site}", decision.kind.text());
        shared.emit(context::actor_of(&visitor.actor), EventKind::Fault(name.into()));
        match decision.kind {
            DecisionKind::Panic => std::panic::panic_any(StruckPanic),
            DecisionKind::Abandon => {
                abandon();
                std::future::pending::<()>().await;
            }
            DecisionKind::Error => return Err(shared.fault_error(site).into()),
            DecisionKind::Slow => {
                hold_up(shared, &visitor, u64::from(decision.amount) * 1_000_000);
                tokio::time::sleep(Duration::from_millis(decision.amount.into())).await;
            }
            DecisionKind::Stall => {
                takes = work.saturating_mul(decision.amount);
                hold_up(shared, &visitor, units::nanos(takes.saturating_sub(work)));
            }
            _ => unreachable!("only faults are asked for at a site"),
        }
    }
    Ok(takes)
}

/// The visitor is held up for so long, if it is a user.
fn hold_up(shared: &Shared, visitor: &Visitor<'_>, ns: u64) {
    let user = visitor.actor.strip_prefix("user-").and_then(|id| id.parse().ok());
    if let Some(user) = user {
        shared.with(|recorder| recorder.collector.users.hold_up(user, ns));
    }
}

/// What strikes at this visit.
fn visit(
    shared: &Shared,
    visitor: &Visitor<'_>,
    site: &str,
    kinds: &[DecisionKind],
) -> Vec<Decision> {
    let at_ns = shared.now_ns();
    let key: Address = format!("{}/{site}", visitor.actor).into();
    let address: Address = match visitor.iteration {
        None => key.clone(),
        Some(iteration) => format!("{}@{iteration}/{site}", visitor.actor).into(),
    };
    let iteration = visitor.iteration.unwrap_or(0);
    with(|bend| {
        *bend.taken.sites.entry(site.to_owned()).or_default() += 1;
        let count = bend.visits.entry(key).or_default();
        if count.0 != iteration {
            *count = (iteration, 0);
        }
        let nth = count.1;
        count.1 += 1;
        let mut struck = Vec::new();
        for kind in kinds {
            let possible = *kind != DecisionKind::Abandon || in_iteration();
            if asks(*kind) && possible {
                struck.extend(bend.ask_at(*kind, &address, nth, at_ns, visitor.kind));
            }
        }
        struck
    })
    .unwrap_or_default()
}

/// What strikes where `owner` comes by a site of the network, of a host or of a disk, of these kinds: each with its amount. It is
/// told; what it does is up to who asks. Nobody asks who `owner` is where no such fault can strike.
#[cfg(any(feature = "network", feature = "disk"))]
pub(crate) fn strikes(
    sim: &crate::world::Sim,
    owner: impl FnOnce() -> Address,
    site: &str,
    kinds: &[DecisionKind],
) -> Vec<(DecisionKind, u32)> {
    if !kinds.iter().any(|kind| asks(*kind)) {
        return Vec::new();
    }
    let shared = sim.shared();
    let owner = owner();
    let visitor = Visitor { actor: Address::clone(&owner), iteration: None, kind: None };
    let struck = visit(shared, &visitor, site, kinds);
    for decision in &struck {
        place::decided(decision);
        let name = format!("{} at {site}", decision.kind.text());
        shared.emit(context::actor_of(&owner), EventKind::Fault(name.into()));
    }
    struck.into_iter().map(|decision| (decision.kind, decision.amount)).collect()
}
