//! Conversations whose turns read and write a database: what was acknowledged is read back, at once and later.
//!
//! A user reads the conversation before this one again, which others have written around meanwhile; says something in each
//! turn; reads all of it back; and ends it. It needs a system with a store: one without keeps nothing, and breaks the
//! first promise at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyperlapse::{Metric, Property, Sim, User};

use super::converse::{
    ANSWERS, COUNTERS_ARE_RIGHT, NEVER_ABOVE_THE_LIMIT, TURN_TIME, Visited, check_counters,
};
use super::{NOTHING_LEFT, check_nothing_left, show_limit};
use crate::bot::System;
use crate::bot::{Message, Reason, Talk};
use crate::settings::ConversationSettings;

/// Checked before the end of every conversation.
pub const ACKNOWLEDGED_IS_KEPT: Property = Property::always(
    "acknowledged is kept",
    "a conversation is read back as it was acknowledged: all of it, in its order, and nothing else",
);
/// Checked at the beginning of every conversation but a user's first.
pub const KEPT_AFTERWARDS: Property = Property::always(
    "kept afterwards",
    "an earlier conversation, read again after others were written, is as it was acknowledged",
);
/// Checked in every turn.
pub const EACH_ITS_OWN_ANSWER: Property =
    Property::always("each its own answer", "the answer of a turn is the one to its message");

/// Sampled at the beginning of every conversation but a user's first.
pub const READ_BACK: Metric = Metric::trend("read_back", "reading an earlier conversation again");
/// What the script records beside turns and answers.
pub const METRICS: &[Metric] = &[READ_BACK];

/// What the script checks.
pub const PROPERTIES: &[Property] = &[
    ACKNOWLEDGED_IS_KEPT,
    KEPT_AFTERWARDS,
    EACH_ITS_OWN_ANSWER,
    NEVER_ABOVE_THE_LIMIT,
    COUNTERS_ARE_RIGHT,
    NOTHING_LEFT,
];

/// A conversation that is over, as its user remembers it.
struct Earlier {
    id: i64,
    acknowledged: Vec<String>,
    /// Whether it ended well: otherwise there may be more of it, which nobody acknowledged.
    whole: bool,
}

/// The last conversation of each user, by the user's number.
#[derive(Default)]
struct Diary(Mutex<BTreeMap<u32, Earlier>>);

impl Diary {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Earlier>> {
        // Each change is one call to a map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The script.
pub async fn database(sim: Sim, bot: System) {
    show_limit(&sim);
    let visited = Visited::new(&sim, &bot);
    let shared = (Arc::clone(&visited), Arc::new(Diary::default()));
    sim.drive(move |user| {
        let (visited, diary) = shared.clone();
        async move { conversation(user, &visited, &diary).await }
    })
    .await;
    check_counters(&sim, &visited);
    check_nothing_left(&sim, &*bot);
}

/// One conversation of one user.
async fn conversation(user: User, visited: &Visited, diary: &Diary) {
    let Visited { bot, names, limit, recount } = visited;
    let settings: &ConversationSettings = user.settings();
    let name = &names.of(user.id());
    let mut operation = user.operation();
    let started = match settings.queue {
        true => bot.start(name).await,
        false => bot.try_start(name).come().await,
    };
    let mut talk = match started {
        Ok(talk) => talk,
        Err(reason) => {
            recount.refused.add(1);
            return operation.refused(reason);
        }
    };
    recount.started.add(1);
    operation.accepted_after(talk.waited());
    let (active, talking) = recount.talk();
    user.sim().check_with(&NEVER_ABOVE_THE_LIMIT, active <= *limit, || {
        format!("{active} active, the limit is {limit}")
    });
    let number = operation.number();
    let spoken = async {
        read_back(&user, visited, diary).await?;
        turns(&user, &mut talk, settings, number).await?;
        check_kept(&user, visited, &talk, settings.steps).await
    };
    let spoken = spoken.await;
    let (id, acknowledged) = (talk.id(), talk.acknowledged());
    // From here on another may have the slot, whenever this user hears of it.
    drop(talking);
    let ended = match spoken {
        Ok(()) => talk.end().come().await,
        Err(reason) => Err(reason),
    };
    if let Some(id) = id {
        let earlier = Earlier { id, acknowledged, whole: ended.is_ok() };
        diary.lock().insert(user.id(), earlier);
    }
    match ended {
        Ok(()) => {
            recount.completed.add(1);
            operation.completed();
        }
        Err(reason) => operation.failed(reason),
    }
}

/// Reads the user's conversation before this one again.
async fn read_back(user: &User, visited: &Visited, diary: &Diary) -> Result<(), Reason> {
    let Some(earlier) = diary.lock().remove(&user.id()) else { return Ok(()) };
    let asked_ns = user.sim().now_ns();
    let stored = visited.bot.stored(&visited.names.of(user.id()), earlier.id).await;
    user.observe(&READ_BACK, Duration::from_nanos(user.sim().now_ns() - asked_ns));
    let Earlier { id, acknowledged, whole } = earlier;
    let stored = stored?;
    let same = match whole {
        true => stored == acknowledged,
        false => stored.starts_with(&acknowledged),
    };
    user.sim().check_with(&KEPT_AFTERWARDS, same, || differs(id, &acknowledged, &stored));
    Ok(())
}

async fn turns(
    user: &User,
    talk: &mut Talk<'_>,
    settings: &ConversationSettings,
    conversation: u64,
) -> Result<(), Reason> {
    for turn in 0..settings.steps {
        let work = settings.step.sample_for(user.id(), &mut user.rng(format_args!("step/{turn}")));
        // Where the scenario has faults they strike here.
        let work = user.step("turn", work).await.map_err(|_| "dependency")?;
        let asked_ns = user.sim().now_ns();
        let message = Message { user: user.id(), conversation, turn };
        let answer = talk.turn(&message, work).await?;
        user.sim().check_with(&EACH_ITS_OWN_ANSWER, answer == message, || {
            format!("\"{message}\" was answered as \"{answer}\"")
        });
        user.observe(&TURN_TIME, Duration::from_nanos(user.sim().now_ns() - asked_ns));
        user.add(&ANSWERS, 1);
    }
    Ok(())
}

/// Reads the conversation back while it goes on.
async fn check_kept(
    user: &User,
    visited: &Visited,
    talk: &Talk<'_>,
    turns: u32,
) -> Result<(), Reason> {
    let (sim, acknowledged) = (user.sim(), talk.acknowledged());
    let Some(id) = talk.id() else {
        sim.check_with(&ACKNOWLEDGED_IS_KEPT, false, || {
            "the system has no store and keeps nothing: choose manager-store or gateway".to_owned()
        });
        return Ok(());
    };
    let stored = visited.bot.stored(&visited.names.of(user.id()), id).await?;
    // A message and a reply in each turn.
    let all = acknowledged.len() == 2 * turns as usize;
    sim.check_with(&ACKNOWLEDGED_IS_KEPT, all && stored == acknowledged, || {
        differs(id, &acknowledged, &stored)
    });
    Ok(())
}

/// Where they part.
fn differs(id: i64, acknowledged: &[String], stored: &[String]) -> String {
    let same = acknowledged.iter().zip(stored).take_while(|(said, kept)| said == kept).count();
    let line = |lines: &[String]| match lines.get(same) {
        Some(line) => {
            // Its end says which it is.
            let from = line.char_indices().rev().nth(59).map_or(0, |(at, _)| at);
            format!("\"{}{}\"", if from > 0 { "…" } else { "" }, &line[from..])
        }
        None => "nothing".to_owned(),
    };
    format!(
        "conversation {id}: {} acknowledged, {} stored; message {} is {} and was {}",
        acknowledged.len(),
        stored.len(),
        same + 1,
        line(stored),
        line(acknowledged)
    )
}
