//! Gateways of production with one mistake planted in each.
//!
//! The mistakes themselves are in the gateway, where they would be made: see
//! [`conversation_manager::gateway::planted`]. Adding one is its place there and a line in [`GATEWAYS`].

use std::sync::Arc;

use conversation_manager::Limits;
use conversation_manager::gateway::planted::Planted;
use hyperlapse::Sim;

use crate::bot::System;
use crate::remote::GatewayBot;

/// A gateway of the zoo.
#[derive(Debug, Clone, Copy)]
pub struct BrokenGateway {
    /// What the command line calls it.
    pub name: &'static str,
    /// What is wrong with it, in a line.
    pub about: &'static str,
    /// The same for the gateway.
    pub mistake: Planted,
    /// The scenario of what may fail in which it is looked for; others may find it, too.
    pub scenario: &'static str,
}

impl BrokenGateway {
    /// Sets it up in a run, as [`GatewayBot::in_run`] does.
    ///
    /// # Panics
    /// As there.
    pub fn in_run(&self, limits: Limits, sim: &Sim) -> System {
        Arc::new(GatewayBot::mistaken(limits, sim, self.mistake))
    }
}

const fn gateway(
    name: &'static str,
    about: &'static str,
    mistake: Planted,
    scenario: &'static str,
) -> BrokenGateway {
    BrokenGateway { name, about, mistake, scenario }
}

/// All of them. Without a mistake it is the system `gateway`.
pub const GATEWAYS: &[BrokenGateway] = &[
    gateway(
        "gateway-acknowledges-early",
        "zoo: says that a message is accepted, and writes it down some milliseconds later",
        Planted::AcknowledgedEarly,
        "crash-in-a-burst",
    ),
    gateway(
        "gateway-forgets-keys",
        "zoo: takes a request that is tried again for another one",
        Planted::KeysForgotten,
        "flaky-network",
    ),
    gateway(
        "gateway-slot-for-nobody",
        "zoo: waits on for a slot when its client has gone, and never gives it back",
        Planted::SlotForNobody,
        "flaky-network",
    ),
    gateway(
        "gateway-recovers-twice",
        "zoo: takes two slots for each conversation that it finds open after a restart",
        Planted::RecoveredTwice,
        "thundering-herd",
    ),
    gateway(
        "gateway-half-a-reply",
        "zoo: stores what a reply had come to when it was cut short, as the reply",
        Planted::HalfAReply,
        "crash-in-a-burst",
    ),
    gateway(
        "gateway-unchecked-token",
        "zoo: gives the messages of a conversation to whoever has a token",
        Planted::TokenUnchecked,
        "flaky-network",
    ),
];
