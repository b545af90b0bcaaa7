//! The network as data.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::workload::Distribution;

/// `[network]` of a scenario file: what packets meet on their way.
///
/// ```toml
/// [network]
/// latency = { uniform = ["1ms", "5ms"] }   # one way, of each packet
/// loss = 0.001                             # the share of packets that have to be sent again
///
/// [[network.links]]                        # other than that, from one host to another
/// from = "users"
/// to = "server"
/// latency = "40ms"
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkOptions {
    /// How long a packet takes from one host to another, one way.
    pub latency: Distribution,
    /// The share of packets that are lost and sent again, from 0 to below 1.
    #[serde(deserialize_with = "share")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub loss: f64,
    /// Links that are other than that.
    pub links: Vec<LinkOptions>,
}

/// One direction between two hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkOptions {
    /// The host that sends.
    pub from: String,
    /// The host that receives.
    pub to: String,
    /// How long a packet takes; as on all links where it is left out.
    pub latency: Option<Distribution>,
    /// The share of packets that are lost and sent again; as on all links where it is left out.
    #[serde(default, deserialize_with = "maybe_share")]
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub loss: Option<f64>,
}

impl Default for NetworkOptions {
    /// A millisecond, and nothing is lost.
    fn default() -> Self {
        Self {
            latency: Distribution::Constant(Duration::from_millis(1)),
            loss: 0.0,
            links: Vec::new(),
        }
    }
}

impl NetworkOptions {
    /// Every host that a link names.
    pub(super) fn named_hosts(&self) -> impl Iterator<Item = &str> {
        self.links.iter().flat_map(|link| [link.from.as_str(), link.to.as_str()])
    }

    /// Latency and loss from one host to another: the last link that names both counts.
    pub(super) fn link(&self, from: &str, to: &str) -> (Distribution, f64) {
        let links = self.links.iter().filter(|link| link.from == from && link.to == to);
        let latency = links.clone().rev().find_map(|link| link.latency.clone());
        let loss = links.rev().find_map(|link| link.loss);
        (latency.unwrap_or_else(|| self.latency.clone()), loss.unwrap_or(self.loss))
    }
}

fn share<'de, D: serde::Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(from)?;
    match (0.0..1.0).contains(&share) {
        true => Ok(share),
        false => Err(serde::de::Error::custom(format!(
            "loss is {share}: expected a share from 0 to below 1"
        ))),
    }
}

fn maybe_share<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    share(from).map(Some)
}
