//! What there is when all faults are over, held against what users were told.

use std::collections::BTreeSet;
use std::time::Duration;

use conversation_manager::UserId;

use super::{
    Chaos, IN_ORDER, NOTHING_LOST, NOTHING_TWICE, OTHERS_ARE_HIDDEN, RECOVERS, REPLIES_ARE_WHOLE,
    SLOTS_ARE_CONVERSATIONS,
};
use crate::bot::{Message, Reason};
use crate::remote::{Audit, Entry};
use crate::scripts::NOTHING_LEFT;
use crate::settings::ManagerSettings;
use crate::transcript::parse;

/// How often something is tried that should hold now.
const TRIES_EVERY: Duration = Duration::from_millis(100);
/// How long the gateway may take to write down what has ended: it tries again every second.
const SETTLES_WITHIN: Duration = Duration::from_secs(5);
/// Of so many conversations strangers try every route.
const INTRUSIONS: usize = 2;

fn auditor() -> UserId {
    UserId::new("auditor")
}

/// A newcomer is served: a whole conversation, or a clear word that there is no room.
pub(super) async fn recovers(chaos: &Chaos, within: Duration) {
    let (sim, began) = (&chaos.sim, chaos.sim.now());
    let newcomer = UserId::new("newcomer");
    let mut last = "nobody was asked";
    while sim.now() - began <= within {
        match one_conversation(chaos, &newcomer).await {
            Ok(()) => break,
            Err(why) => last = why,
        }
        sim.sleep(TRIES_EVERY).await;
    }
    let took = sim.now() - began;
    sim.check_with(&RECOVERS, took <= within, || {
        format!("a newcomer was not served {took:?} after all faults were over: {last}")
    });
}

async fn one_conversation(chaos: &Chaos, newcomer: &UserId) -> Result<(), &'static str> {
    let talk = chaos.gateway().newcomer(newcomer).await;
    let mut talk = match talk {
        Ok(talk) => talk,
        Err("global limit" | "user limit") => return Ok(()),
        Err(why) => return Err(why),
    };
    let message = Message { user: u32::MAX, conversation: 0, turn: 0 };
    talk.turn(&message, Duration::from_millis(10)).await?;
    talk.end().come().await
}

/// Slots, conversations that the gateway holds and open ones in the store are as many, as soon as what has ended is written
/// down.
pub(super) async fn slots(chaos: &Chaos) {
    let settled = |audit: &Audit| {
        audit.unclosed == 0 && audit.active == audit.live && audit.live == audit.open
    };
    let last = until(chaos, SETTLES_WITHIN, settled).await;
    chaos
        .sim
        .check_with(&SLOTS_ARE_CONVERSATIONS, last.as_ref().is_ok_and(settled), || counted(&last));
}

/// What was counted in the end, in words.
fn counted(last: &Result<Audit, Reason>) -> String {
    match last {
        Ok(audit) => audit.to_string(),
        Err(why) => format!("the gateway does not say: {why}"),
    }
}

/// Asks again and again until it is so, or the time is over; what was heard last.
async fn until(
    chaos: &Chaos,
    within: Duration,
    holds: impl Fn(&Audit) -> bool,
) -> Result<Audit, &'static str> {
    let (sim, began) = (&chaos.sim, chaos.sim.now());
    loop {
        let last = chaos.gateway().audit(&auditor()).await;
        if last.as_ref().is_ok_and(&holds) || sim.now() - began >= within {
            return last;
        }
        sim.sleep(TRIES_EVERY).await;
    }
}

/// Every conversation that was ever acknowledged.
pub(super) async fn conversations(chaos: &Chaos) {
    for (id, entry) in chaos.gateway().ledger() {
        let stored = chaos.gateway().stored_of(&entry.user, id).await;
        let closed = chaos.gateway().is_closed(&entry.user, id).await;
        match (stored, closed) {
            (Ok(stored), Ok(closed)) => conversation(chaos, id, &entry, &stored, closed),
            (stored, closed) => {
                chaos.sim.check_with(&NOTHING_LOST, false, || {
                    format!(
                        "conversation {id} cannot be read: {:?}, {:?}",
                        stored.err(),
                        closed.err()
                    )
                });
            }
        }
    }
}

fn conversation(chaos: &Chaos, id: i64, entry: &Entry, stored: &[String], closed: bool) {
    let sim = &chaos.sim;
    sim.check_with(&NOTHING_LOST, closed || !entry.ended, || {
        format!("conversation {id} was ended, and is open")
    });
    let missing = entry.acknowledged.iter().find(|line| !stored.contains(line));
    sim.check_with(&NOTHING_LOST, missing.is_none(), || {
        format!("conversation {id}: acknowledged and not stored: {missing:?}")
    });
    let mut seen = BTreeSet::new();
    let twice = stored.iter().find(|line| !seen.insert(line.as_str()));
    sim.check_with(&NOTHING_TWICE, twice.is_none(), || {
        format!("conversation {id}: stored twice: {twice:?}")
    });
    let said: Vec<&str> = stored.iter().filter_map(|line| line.strip_prefix("user: ")).collect();
    let turns: Vec<u32> = said.iter().filter_map(|text| Some(parse(text)?.turn)).collect();
    let in_order = turns.is_sorted()
        && said.iter().all(|text| entry.sent.iter().any(|sent| sent == text))
        && in_this_order(&entry.acknowledged, stored);
    sim.check_with(&IN_ORDER, in_order, || {
        format!("conversation {id}: stored {stored:?}, acknowledged {:?}", entry.acknowledged)
    });
    let mut question = None;
    let torn = stored.iter().find(|line| match line.strip_prefix("bot: ") {
        None => {
            question = line.strip_prefix("user: ");
            false
        }
        Some(reply) => question != Some(reply),
    });
    sim.check_with(&REPLIES_ARE_WHOLE, torn.is_none(), || {
        format!("conversation {id}: {torn:?} is no whole reply to what was said before it")
    });
}

/// Whether all that is in `lines` is in `all`, in the same order; what is missing is not asked for here.
fn in_this_order(lines: &[String], all: &[String]) -> bool {
    let places = lines.iter().filter_map(|line| all.iter().position(|other| other == line));
    places.is_sorted()
}

/// Whoever is not its owner is told that there is nothing, and whoever says nothing of themselves is not let in.
pub(super) async fn strangers(chaos: &Chaos) {
    let stranger = UserId::new("stranger");
    let ledger = chaos.gateway().ledger();
    // The last ones: they may still be open.
    for (id, _) in ledger.iter().rev().take(INTRUSIONS) {
        for (asked, status) in chaos.gateway().intrude(&stranger, *id).await {
            let expected = if asked.ends_with("no token") { 401 } else { 404 };
            chaos.sim.check_with(&OTHERS_ARE_HIDDEN, status == expected, || {
                format!("{asked}: {status}, expected {expected}")
            });
        }
    }
}

/// When nobody asks any more, every slot is free in the end: at the latest when the conversations of those who went away
/// have been idle for too long.
pub(super) async fn nothing_left(chaos: &Chaos) {
    let limits = chaos.sim.settings::<ManagerSettings>().0;
    let within = limits.idle_timeout + SETTLES_WITHIN;
    let empty = |audit: &Audit| {
        (audit.active, audit.waiting, audit.live, audit.unclosed, audit.open) == (0, 0, 0, 0, 0)
    };
    // It takes nearly that long where anybody went away: no need to ask all the time.
    if !chaos.gateway().audit(&auditor()).await.is_ok_and(|audit| empty(&audit)) {
        chaos.sim.sleep(limits.idle_timeout).await;
    }
    let last = until(chaos, within, empty).await;
    chaos.sim.check_with(&NOTHING_LEFT, last.as_ref().is_ok_and(empty), || counted(&last));
}
