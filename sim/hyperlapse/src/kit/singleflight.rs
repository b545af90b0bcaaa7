//! Requests for the same key that share one load: request collapsing, singleflight.
//!
//! Users ask for few keys at once; the one whose load the others share gives up, is dropped, walks away or
//! panics, and loads fail and take longer.
//!
//! | property | what it promises |
//! | --- | --- |
//! | [`ONE_LOAD`] | no key is loaded twice at the same time |
//! | [`OWN_VALUE`] | everybody gets a value of their key |
//! | [`ERROR_FOR_A_REASON`] | an error comes from a load that failed, not from somebody who went away |
//! | [`EVERY_WAITER_ENDS`] | nobody waits for ever |
//! | [`LOADS_AGAIN`] | in the calm at the end, each key is loaded anew |

use std::future::Future;
use std::time::Duration;

use tokio::time::timeout;

pub use super::loading::{ERROR_FOR_A_REASON, Load, ONE_LOAD, OWN_VALUE, Source, Value};
use super::{EVERY_WAITER_ENDS, MS, PATIENCE};
use crate::property::Property;
use crate::random::RandomExt;
use crate::suite::Suite;
use crate::world::{Sim, User};

/// A group of requests that share loads. Cheap to clone: clones are the same group.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::{Arc, Mutex};
///
/// use hyperlapse::kit::{self, singleflight::{Group, Load, Value}};
/// use tokio::sync::broadcast;
///
/// /// Forgets the key when the load is over: not when it is dropped.
/// #[derive(Clone, Default)]
/// struct Shared(Arc<Mutex<BTreeMap<u32, broadcast::Sender<Result<Value, String>>>>>);
///
/// impl Group for Shared {
///     async fn get(&self, key: u32, load: Load) -> Result<Value, String> {
///         let others = self.0.lock().unwrap().get(&key).map(|sender| sender.subscribe());
///         if let Some(mut others) = others {
///             return others.recv().await.map_err(|error| error.to_string())?;
///         }
///         let sender = broadcast::Sender::new(1);
///         self.0.lock().unwrap().insert(key, sender.clone());
///         let value = load.await.map_err(|error| error.to_string());
///         self.0.lock().unwrap().remove(&key);
///         let _ = sender.send(value.clone());
///         value
///     }
/// }
///
/// let suite = kit::singleflight::suite(Shared::default);
/// assert!(kit::sweep(&suite, 0..100).is_err());
/// ```
pub trait Group: Clone + Send + Sync + 'static {
    /// Gets a value of the key: by this load, or from one that is under way.
    ///
    /// # Errors
    /// What the load comes to, and whatever else the group says.
    fn get(&self, key: u32, load: Load) -> impl Future<Output = Result<Value, String>> + Send;
}

/// Checked in the calm at the end.
pub const LOADS_AGAIN: Property =
    Property::always("loads again", "when all have left, each key is loaded anew, and has a value");

/// The properties of the [body].
pub const PROPERTIES: &[Property] = &[
    ONE_LOAD,
    OWN_VALUE,
    ERROR_FOR_A_REASON.over_the_sweep(),
    EVERY_WAITER_ENDS.over_the_sweep(),
    LOADS_AGAIN,
];

/// The scenario of the [suite], to be changed where it does not fit.
pub const SCENARIO: &str = r#"
name = "singleflight"
about = "requests share loads that fail and take longer, and whose owners go away"
script = "singleflight"
operation = "request"
strategy = "random"
deadline = "5m"
workload = { kind = "per-user-iterations", users = 8, iterations = 4, pause = { uniform = ["0ms", "4ms"] }, spread = "4ms" }

[[faults]]
kind = "error"
site = "load"
rate = 0.1
error = "no answer"
at_most = 4
optional = true

[[faults]]
kind = "slow"
site = "load"
rate = 0.1
by = "20ms"
at_most = 4
optional = true

[[faults]]
kind = "panic"
site = "load"
rate = 0.02
at_most = 2
optional = true
"#;

/// How many keys there are: few, so that requests meet.
const KEYS: u64 = 2;

/// A suite of this kit: `make` makes the group.
pub fn suite<G: Group>(make: impl Fn() -> G + Send + Sync + 'static) -> Suite<G> {
    Suite::new("singleflight-kit", env!("CARGO_PKG_VERSION"))
        .system("group", "the group under test", move |_| make())
        .script("singleflight", "requests share loads", PROPERTIES, body)
        .scenario("singleflight.toml", SCENARIO)
}

/// What users do and what is checked. See the [module](self).
pub async fn body<G: Group>(sim: Sim, group: G) {
    let source = Source::new(&sim);
    let (users, shared) = (group.clone(), source.clone());
    sim.drive(move |user| visit(user, users.clone(), shared.clone())).await;
    sim.calm();
    sim.sleep(100 * MS).await;
    for key in 0..KEYS as u32 {
        let before = source.of_key(key);
        let got = timeout(PATIENCE, group.get(key, source.load(key))).await;
        let loads = source.of_key(key).begun - before.begun;
        let holds = matches!(&got, Ok(Ok(value)) if value.key == key) && loads == 1;
        sim.check_with(&LOADS_AGAIN, holds, || match got {
            Err(_) => format!("key {key} had no value after {}", super::seconds(PATIENCE)),
            Ok(Err(error)) => format!("key {key} had an error: {error}"),
            Ok(Ok(value)) if loads == 1 => format!("key {key} had a value of key {}", value.key),
            Ok(Ok(_)) => format!("key {key} was loaded {loads} times"),
        });
    }
}

async fn visit<G: Group>(user: User, group: G, source: Source) {
    // Drawn before anything happens, so that what happens changes nothing of it.
    let mut draw = user.rng("intent");
    let key = draw.below(KEYS) as u32;
    let gives_up = draw.chance(1, 4).then(|| Duration::from_millis(1 + draw.below(8)));
    let mut operation = user.operation();
    operation.accepted();
    let asked = user.sim().now();
    let got = timeout(gives_up.unwrap_or(PATIENCE), group.get(key, source.load(key)));
    let got = match user.cancellable("get", got).await {
        None => return operation.failed("dropped"),
        Some(Ok(got)) => got,
        Some(Err(_)) => {
            user.sim().check_with(&EVERY_WAITER_ENDS, gives_up.is_some(), || {
                format!("user {} waits for {}", user.id(), super::seconds(PATIENCE))
            });
            return operation.failed("gave up");
        }
    };
    user.sim().check(&EVERY_WAITER_ENDS, true);
    source.judge(key, asked, 25 * MS, &got);
    match got {
        Ok(_) => operation.completed(),
        Err(error) => operation.failed(error),
    }
}
