//! Everything at once, for finding what is wrong with a bot nobody knows anything about.
//!
//! Users share names, so both limits matter; they queue or try, say something, walk away, panic, and are
//! cancelled at any of their polls. What is promised is counted here and not asked of the bot. When all
//! have left there is calm, and the bot must have exactly its limit to give.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use conversation_manager::UserId;
use hyperlapse::{Property, RandomExt, Sim, User};

use super::converse::{NEVER_ABOVE_THE_LIMIT, NO_CROSS_TALK};
use super::{NOTHING_LEFT, check_nothing_left, name};
use crate::bot::{Message, System, Talk};
use crate::settings::ManagerSettings;

/// Checked at every start.
pub const NEVER_ABOVE_A_USERS_LIMIT: Property = Property::always(
    "never above a user's limit",
    "nobody has more conversations than a user may have",
);
/// Checked while the load goes on.
pub const NOBODY_WAITS_FOR_NOTHING: Property = Property::always(
    "nobody waits for nothing",
    "while a slot is free, nobody waits who may have it",
);
/// Checked at every attempt to start.
pub const FULL_WHEN_IT_IS_FULL: Property = Property::always(
    "full when it is full",
    "the queue is full only when as many wait as it holds",
);
/// Checked in the calm at the end.
pub const CAPACITY_RESTORED: Property = Property::always(
    "capacity restored",
    "when all have left, exactly as many as the limit get in",
);

/// What the script checks.
pub const PROPERTIES: &[Property] = &[
    NEVER_ABOVE_THE_LIMIT,
    NEVER_ABOVE_A_USERS_LIMIT,
    NO_CROSS_TALK,
    NOBODY_WAITS_FOR_NOTHING,
    FULL_WHEN_IT_IS_FULL,
    CAPACITY_RESTORED,
    NOTHING_LEFT,
];

/// How many users share a name.
const SHARE: u32 = 3;

/// What is held and waited for, as the users know it.
#[derive(Debug, Default)]
struct Ledger {
    held: BTreeMap<UserId, u64>,
    waiting: BTreeMap<UserId, u64>,
    accepted: u64,
}

type SharedLedger = Arc<Mutex<Ledger>>;

fn lock(ledger: &SharedLedger) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ledger {
    fn total(&self) -> u64 {
        self.held.values().sum()
    }

    fn of(&self, name: &UserId) -> u64 {
        self.held.get(name).copied().unwrap_or(0)
    }
}

/// One entry in the ledger, until it is dropped.
struct Entry {
    ledger: SharedLedger,
    name: UserId,
    of: fn(&mut Ledger) -> &mut BTreeMap<UserId, u64>,
}

impl Entry {
    fn new(
        ledger: &SharedLedger,
        name: &UserId,
        of: fn(&mut Ledger) -> &mut BTreeMap<UserId, u64>,
    ) -> Self {
        *of(&mut lock(ledger)).entry(name.clone()).or_default() += 1;
        Self { ledger: Arc::clone(ledger), name: name.clone(), of }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut ledger = lock(&self.ledger);
        let entry = (self.of)(&mut ledger).get_mut(&self.name).expect("what was entered is there");
        *entry -= 1;
    }
}

/// A conversation with its entry: the conversation goes first, so that the ledger never says less than is
/// so.
struct Held {
    talk: Option<Box<dyn Talk>>,
    _entry: Entry,
}

/// The script.
pub async fn storm(sim: Sim, bot: System) {
    let ledger = SharedLedger::default();
    let watch = tokio::spawn(watch(sim.clone(), Arc::clone(&ledger)));
    let (users, users_ledger) = (Arc::clone(&bot), Arc::clone(&ledger));
    sim.drive(move |user| visit(user, Arc::clone(&users), Arc::clone(&users_ledger))).await;
    watch.abort();
    sim.calm();
    // Whatever the bot still has to tidy up gets its turn.
    sim.sleep(Duration::from_millis(10)).await;
    check_nothing_left(&sim, &*bot);
    probe(&sim, &bot);
}

/// Looks again and again for somebody who could have a slot and does not get it.
async fn watch(sim: Sim, ledger: SharedLedger) {
    let limits = sim.settings::<ManagerSettings>().0;
    let (limit, per_user) = (limits.max_concurrent as u64, limits.max_per_user as u64);
    let mut before: Option<(u64, UserId)> = None;
    loop {
        sim.sleep(Duration::from_millis(3)).await;
        let ledger = lock(&ledger);
        let may_start =
            |(name, waiting): &(&UserId, &u64)| **waiting > 0 && ledger.of(name) < per_user;
        let stuck = match ledger.total() < limit {
            true => ledger.waiting.iter().find(may_start).map(|(name, _)| name.clone()),
            false => None,
        };
        let now = stuck.map(|name| (ledger.accepted, name));
        drop(ledger);
        // Twice in a row and nobody got in between: between two timers every task that is ready runs.
        let waits = now.is_some() && now == before;
        sim.check_with(&NOBODY_WAITS_FOR_NOTHING, !waits, || {
            let name = now.as_ref().map(|(_, name)| name.to_string()).unwrap_or_default();
            format!("{name} waits for a slot while there is one")
        });
        before = now;
    }
}

async fn visit(user: User, bot: System, ledger: SharedLedger) {
    let mut chance = user.rng("behaviour");
    let (queues, leaves, panics) =
        (chance.chance(3, 4), chance.chance(1, 10), chance.chance(1, 30));
    let turns = chance.below(3) as u32;
    let works = (0..turns).map(|_| Duration::from_millis(1 + chance.below(12))).collect::<Vec<_>>();

    let name = name(user.id() / SHARE);
    let mut operation = user.operation();
    let started = match queues {
        true => {
            let _waiting = Entry::new(&ledger, &name, |ledger| &mut ledger.waiting);
            bot.start(&name).await
        }
        false => bot.try_start(&name),
    };
    let waiting = lock(&ledger).waiting.values().sum::<u64>();
    let holds = user.sim().settings::<ManagerSettings>().0.max_waiting as u64;
    let full = matches!(started, Err("queue full"));
    user.sim().check_with(&FULL_WHEN_IT_IS_FULL, !full || waiting >= holds, || {
        format!("{waiting} others wait, the queue holds {holds}")
    });
    let talk = match started {
        Ok(talk) => talk,
        Err(reason) => return operation.refused(reason),
    };
    operation.accepted_after(talk.waited());
    let mut held =
        Held { talk: Some(talk), _entry: Entry::new(&ledger, &name, |ledger| &mut ledger.held) };
    check_limits(&user, &ledger, &name);

    let talk = held.talk.as_deref().expect("it is held");
    let conversation = operation.number();
    for (turn, work) in works.into_iter().enumerate() {
        let message = Message { user: user.id(), conversation, turn: turn as u32 };
        if let Err(reason) = talk.turn(message, work).await {
            return operation.failed(reason);
        }
        if panics {
            user.inject_panic("in the middle of a conversation");
        }
    }
    let remembered = talk.take_transcript();
    let said = (0..turns).map(|turn| Message { user: user.id(), conversation, turn });
    user.sim().check(&NO_CROSS_TALK, said.eq(remembered));
    if leaves {
        return;
    }
    let talk = held.talk.take().expect("it is held");
    super::end(operation, talk);
}

fn check_limits(user: &User, ledger: &SharedLedger, name: &UserId) {
    let limits = user.sim().settings::<ManagerSettings>().0;
    let (total, of_user) = {
        let mut ledger = lock(ledger);
        ledger.accepted += 1;
        (ledger.total(), ledger.of(name))
    };
    user.sim().check_with(&NEVER_ABOVE_THE_LIMIT, total <= limits.max_concurrent as u64, || {
        format!("{total} are held, the limit is {}", limits.max_concurrent)
    });
    let within = of_user <= limits.max_per_user as u64;
    user.sim().check_with(&NEVER_ABOVE_A_USERS_LIMIT, within, || {
        format!("{name} holds {of_user}, a user may have {}", limits.max_per_user)
    });
}

/// In the calm: exactly the limit gets in, and all of it is given back.
fn probe(sim: &Sim, bot: &System) {
    let limit = sim.settings::<ManagerSettings>().0.max_concurrent as u32;
    let probes: Vec<Box<dyn Talk>> =
        (0..=limit).map_while(|i| bot.try_start(&UserId::new(format!("probe-{i}"))).ok()).collect();
    let got = probes.len() as u32;
    sim.check_with(&CAPACITY_RESTORED, got == limit, || {
        format!("{got} got in, the limit is {limit}")
    });
    for talk in probes {
        // A bot that refuses to end a conversation is found by what is left.
        let _ = talk.end();
    }
}
