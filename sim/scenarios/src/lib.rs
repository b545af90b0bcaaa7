//! The load suite of conversation-manager: scenarios, a zoo of broken managers, and the command that
//! runs them.
//!
//! | where | what |
//! | --- | --- |
//! | `scenarios/*.toml` | the scenarios, as data |
//! | [`scripts`] | what their users do, and what is checked |
//! | [`bot`] | the system under test: a bot over the manager |
//! | [`remote`] | the gateway of production on a host of its own |
//! | [`stored`] | the manager with its store beside it |
//! | [`zoo`] | bots that are each broken in one known way |
//! | [`settings`] | the suite's own tables in scenario files |

pub mod bot;
mod race;
pub mod remote;
pub mod scripts;
pub mod settings;
pub mod stored;
mod transcript;
mod wall;
pub mod zoo;

use std::process::ExitCode;
use std::sync::Arc;

use hyperlapse::{Clock, CountingAllocator, Sim, Suite};

use bot::{ManagedBot, System};
use remote::{GatewayBot, RealGatewayBot, process};
use scripts::{adaptive, chaos, converse, database, drain, limits, storm, visit};
use settings::{
    ChaosSettings, ClientSettings, ConversationSettings, DrainSettings, ManagerSettings,
    NetworkSettings, PromiseSettings, StormSettings, VisitSettings, WallClockSettings,
};
use stored::{DatabaseSettings, StoredBot};

/// Here and not in the binary, so that the tests measure memory just as the command does.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

macro_rules! scenario {
    ($name:literal) => {
        (
            concat!("sim/scenarios/scenarios/", $name, ".toml"),
            include_str!(concat!("../scenarios/", $name, ".toml")),
        )
    };
}

/// The scenarios of a bare `run`, in its order.
const SCENARIOS: &[(&str, &str)] = &[
    scenario!("concurrent-users"),
    scenario!("sustained"),
    scenario!("bursts"),
    scenario!("mixed"),
    scenario!("global-limit"),
    scenario!("user-limit"),
    scenario!("rapid-cycles"),
    scenario!("queue"),
    scenario!("idle-users"),
    scenario!("drain"),
];

/// Scenarios that are run when they are named.
const ON_DEMAND: &[(&str, &str)] = &[
    scenario!("panicking-users"),
    scenario!("storm"),
    scenario!("storm-drain"),
    scenario!("breaking-point"),
    scenario!("queue-limit"),
    scenario!("database-load"),
];

/// A scenario for each way of making a load, run when it is named.
const WORKLOADS: &[(&str, &str)] = &[
    scenario!("workloads/constant-users"),
    scenario!("workloads/ramping-users"),
    scenario!("workloads/double-wave"),
    scenario!("workloads/stepped-users"),
    scenario!("workloads/per-user-iterations"),
    scenario!("workloads/shared-iterations"),
    scenario!("workloads/constant-arrival-rate"),
    scenario!("workloads/late-arrivals"),
    scenario!("workloads/ramping-arrival-rate"),
    scenario!("workloads/randomized-ramp"),
    scenario!("workloads/stepped-arrival-rate"),
    scenario!("workloads/poisson-arrivals"),
    scenario!("workloads/stress-peak"),
    scenario!("workloads/recorded-arrivals"),
    scenario!("workloads/side-by-side"),
    scenario!("workloads/zipf-users"),
    scenario!("workloads/controlled"),
];

/// Scenarios of what may fail, run when they are named.
const CHAOS: &[(&str, &str)] = &[
    scenario!("chaos/flaky-network"),
    scenario!("chaos/partition-during-drain"),
    scenario!("chaos/crash-in-a-burst"),
    scenario!("chaos/crash-loop"),
    scenario!("chaos/slow-disk"),
    scenario!("chaos/full-disk"),
    scenario!("chaos/failing-disk"),
    scenario!("chaos/thundering-herd"),
    scenario!("chaos/retries-without-jitter"),
    scenario!("chaos/retries-with-jitter"),
    scenario!("chaos/jumping-clock"),
];

/// The names of the scenarios of what may fail.
pub fn chaos() -> impl Iterator<Item = &'static str> {
    CHAOS.iter().map(name)
}

/// The names of the scenarios that show a way of making a load each.
pub fn workloads() -> impl Iterator<Item = &'static str> {
    WORKLOADS.iter().map(name)
}

fn name((file, _): &(&'static str, &'static str)) -> &'static str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".toml").unwrap_or(name)
}

/// The command, for `fn main`. On the real clock it is started once more, as the gateway.
pub fn main() -> ExitCode {
    process::this_is_the_command();
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some(process::COMMAND) => process::serve(&arguments.next().unwrap_or_default()),
        _ => suite().main(),
    }
}

/// The suite.
pub fn suite() -> Suite<System> {
    let limits = |sim: &Sim| sim.settings::<ManagerSettings>().0;
    let mut suite = Suite::<System>::new("conversation-load", env!("CARGO_PKG_VERSION"))
        .settings::<ManagerSettings>("manager")
        .settings::<ConversationSettings>("conversation")
        .settings::<VisitSettings>("visit")
        .settings::<DrainSettings>("drain")
        .settings::<StormSettings>("storm")
        .settings::<NetworkSettings>("network")
        .settings::<ClientSettings>("client")
        .settings::<DatabaseSettings>("database")
        .settings::<ChaosSettings>("chaos")
        .promises::<PromiseSettings>("promises")
        .settings::<WallClockSettings>("wall_clock")
        .metrics(converse::METRICS)
        .metrics(database::METRICS)
        .metrics(chaos::METRICS)
        .calibrate_with("sustained")
        .file("arrivals.csv", include_str!("../scenarios/workloads/arrivals.csv"))
        .system("manager", "the conversation manager of production", move |sim| {
            Arc::new(ManagedBot::in_run(limits(sim), sim))
        })
        .system(
            "manager-store",
            "the conversation manager of production, with its store on a simulated disk",
            move |sim| Arc::new(StoredBot::in_run(limits(sim), sim)),
        )
        .system(
            "gateway",
            "the gateway of production on a host of its own, over a network",
            move |sim| match sim.clock() {
                Clock::Virtual => Arc::new(GatewayBot::in_run(limits(sim), sim)),
                Clock::Real => Arc::new(RealGatewayBot::in_run(limits(sim), sim)),
            },
        )
        .script("converse", "a conversation in turns", converse::PROPERTIES, converse::converse)
        .script(
            "adaptive",
            "a conversation in turns, by as many users as the bot bears",
            converse::PROPERTIES,
            adaptive::adaptive,
        )
        .script(
            "global-limit",
            "one start beyond the global limit",
            limits::GLOBAL,
            limits::global_limit,
        )
        .script(
            "user-limit",
            "one start beyond a user's limit",
            limits::PER_USER,
            limits::user_limit,
        )
        .script(
            "visits",
            "users who go quiet, stay active, or never stop",
            visit::PROPERTIES,
            visit::visits,
        )
        .script(
            "storm",
            "everything at once: queueing, leaving, idling, resizing, shutting down",
            storm::PROPERTIES,
            storm::storm,
        )
        .script(
            "database",
            "conversations whose turns read and write a database",
            database::PROPERTIES,
            database::database,
        )
        .script(
            "chaos",
            "a gateway whose network, disk, host and clock fail",
            chaos::PROPERTIES,
            chaos::chaos,
        )
        .script(
            "drain",
            "conversations, and a shutdown in their midst",
            drain::PROPERTIES,
            drain::drain,
        );
    for member in zoo::MEMBERS {
        suite = suite.system(member.name, member.about, move |sim| (member.make)(limits(sim)));
    }
    for broken in zoo::GATEWAYS {
        suite = suite
            .system(broken.name, broken.about, move |sim| broken.in_run(limits(sim), sim))
            .broken(broken.name, "gateway");
    }
    for (file, text) in SCENARIOS {
        suite = suite.scenario(file, text);
    }
    for (file, text) in ON_DEMAND.iter().chain(WORKLOADS).chain(CHAOS) {
        suite = suite.scenario_on_demand(file, text);
    }
    suite
}
