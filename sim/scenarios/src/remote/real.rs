//! The gateway of production in another process, over loopback TCP: the system under test on the real clock.
//!
//! Users and client are those of the simulation; the client's connections are real ones. What a scenario's `[network]` says
//! is for the simulation alone: here it is loopback's latency.

use std::sync::Arc;
use std::time::Duration;

use conversation_manager::{Limits, UserId};
use hyperlapse::Sim;

use super::begin;
use super::client::{Client, LONGEST_WAIT, LOOKS_EVERY, Wire};
use super::process::GatewayProcess;
use crate::bot::{Attempt, Bot, BoxFuture, Counts, HOST_LATENESS, Reason, Talk};
use crate::settings::{ClientSettings, DrainSettings};

/// A gateway in a process of its own, and its users' side.
pub struct RealGatewayBot {
    process: GatewayProcess,
    client: Arc<Client>,
}

impl RealGatewayBot {
    /// Starts the process, whose memory and processor time are those of the run from here on.
    ///
    /// # Panics
    /// When it cannot be started, as in a test: see [`NoProcess`](super::process::NoProcess).
    pub fn in_run(limits: Limits, sim: &Sim) -> Self {
        let drain = sim.settings::<DrainSettings>().within;
        let process =
            GatewayProcess::start(limits, drain).unwrap_or_else(|error| panic!("{error}"));
        sim.measure_process(process.id());
        let settings: &ClientSettings = sim.settings();
        let client = Client::new(sim, Wire::Tcp(process.address()), settings.clone());
        Self { process, client: Arc::new(client) }
    }
}

impl Bot for RealGatewayBot {
    fn try_start(&self, user: &UserId) -> Attempt<'_> {
        let user = user.clone();
        Attempt::Later(Box::pin(async move { begin(&self.client, &user, Duration::ZERO).await }))
    }

    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(begin(&self.client, user, LONGEST_WAIT))
    }

    fn start_within<'a>(
        &'a self,
        user: &'a UserId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        Box::pin(begin(&self.client, user, within))
    }

    fn resize(&self, max_concurrent: usize) {
        self.process.resize(max_concurrent);
    }

    fn counts(&self) -> Counts {
        let counts = self.process.counts().unwrap_or_default();
        // Who found nobody to ask was refused, too.
        Counts { refused: counts.refused + self.client.unheard(), ..counts }
    }

    fn drain(&self, _within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(self.process.drain())
    }

    fn lateness(&self) -> Duration {
        LOOKS_EVERY + HOST_LATENESS
    }
}
