//! One turn: the question is committed, then accepted; the reply is said as it comes, committed, then done.
//!
//! It is a task of the gateway and not of the request: a client that goes away changes nothing, and one that comes
//! back under the same key joins it. At most one turn of a conversation goes on at a time, so a question has one
//! reply, even if the process ended between the two and the question is asked again.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::planted::{self, Planted};
use super::problem::{Code, Problem};
use super::progress::{Outcome, Progress};
use super::responder::{ReplyError, ReplySender, Turn};
use super::service::Shared;
use crate::request::UserId;
use crate::store::{NewMessage, Role};

/// How often a turn says that its conversation is alive, at most and at least.
const OFTEN: Duration = Duration::from_millis(1);
const SELDOM: Duration = Duration::from_secs(3600);

/// What a turn is about.
pub(crate) struct Question {
    pub(crate) conversation: i64,
    pub(crate) user: UserId,
    pub(crate) room: Option<Arc<str>>,
}

/// Begins the turn that was claimed. It ends by itself, and gives the claim back however it ends.
pub(crate) fn begin(shared: &Shared, question: Question, progress: Arc<Progress>) {
    let claim = Claimed {
        shared: shared.clone(),
        conversation: question.conversation,
        progress,
        began: Instant::now(),
        outcome: None,
    };
    shared.tasks.spawn(async move {
        let mut claim = claim;
        let outcome = carry_out(&claim.shared, question, &claim.progress).await;
        claim.outcome = Some(outcome);
    });
}

/// The right to carry out a turn. Dropping it, in a panic too, makes room for the next.
struct Claimed {
    shared: Shared,
    conversation: i64,
    progress: Arc<Progress>,
    began: Instant,
    outcome: Option<Outcome>,
}

impl Drop for Claimed {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            Outcome::Failed(Problem::new(Code::Internal, "the turn was cut off"))
        });
        self.shared.metrics.turn(&outcome, self.began.elapsed());
        // First the room, then the news: whoever hears of the end may ask the next question.
        self.shared.live.release(self.conversation, &self.progress);
        self.progress.finish(outcome);
    }
}

async fn carry_out(shared: &Shared, question: Question, progress: &Arc<Progress>) -> Outcome {
    match ask_and_answer(shared, question, progress).await {
        Ok(seq) => Outcome::Done(seq),
        Err(problem) => Outcome::Failed(problem),
    }
}

async fn ask_and_answer(
    shared: &Shared,
    question: Question,
    progress: &Arc<Progress>,
) -> Result<i64, Problem> {
    let conversation = question.conversation;
    // Planted: it is said before it is so. The number of the message is not even known yet.
    if planted::is(Planted::AcknowledgedEarly) {
        progress.accept(0);
        planted::write_behind(shared, conversation).await;
    }
    let message = NewMessage {
        conversation,
        role: Role::User,
        text: progress.text.clone(),
        key: progress.key.clone(),
        reply_to: None,
        at: shared.now(),
    };
    let asked = shared.store.append(message).await.map_err(|error| shared.store_failed(&error))?;
    if asked.replayed
        && let Some(key) = &progress.key
    {
        let turn = shared.store.turn(conversation, key).await;
        let turn = turn.map_err(|error| shared.store_failed(&error))?;
        if let Some(reply) = turn.and_then(|turn| turn.reply) {
            progress.accept(asked.seq);
            progress.say(&reply.text, usize::MAX);
            return Ok(reply.seq);
        }
        // It was asked, and never answered: the process has ended in between, or the responder has failed.
    }
    progress.accept(asked.seq);

    let turn = Turn {
        conversation,
        user: question.user,
        room: question.room,
        text: progress.text.clone(),
        seq: asked.seq,
        store: shared.store.clone(),
    };
    answer(shared, turn, progress).await?;

    let message = NewMessage {
        conversation,
        role: Role::Bot,
        text: progress.reply(),
        key: None,
        reply_to: Some(asked.seq),
        at: shared.now(),
    };
    let replied =
        shared.store.append(message).await.map_err(|error| shared.store_failed(&error))?;
    shared.live.touch_turn(conversation);
    Ok(replied.seq)
}

/// Lets the responder speak for as long as its reply is wanted. Meanwhile the conversation is not idle.
async fn answer(shared: &Shared, turn: Turn, progress: &Arc<Progress>) -> Result<(), Problem> {
    let options = &shared.options;
    let conversation = turn.conversation;
    let deadline = Instant::now() + options.turn_deadline;
    let often = (shared.manager.limits().idle_timeout / 3).clamp(OFTEN, SELDOM);
    let mut touch_every = interval(often);
    touch_every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let reply = ReplySender::new(progress.clone(), options.max_reply_bytes);
    let mut responding = pin!(shared.responder.respond(turn, reply));
    let mut stopped = pin!(progress.stopped());
    loop {
        let silent = progress.spoke() + options.turn_idle;
        let patience = silent.min(deadline);
        tokio::select! {
            biased;
            why = &mut stopped => return Err(why),
            said = &mut responding => return said.map_err(|error| no_reply(&error)),
            _ = touch_every.tick() => shared.live.touch_turn(conversation),
            () = sleep_until(patience) => {
                // It may have spoken since the sleep began.
                if Instant::now() >= deadline {
                    return Err(Problem::new(Code::ReplyTimedOut, "the reply was not complete in time"));
                }
                if Instant::now() >= progress.spoke() + options.turn_idle {
                    return Err(Problem::new(Code::ReplyTimedOut, "the reply did not go on"));
                }
            }
        }
    }
}

fn no_reply(error: &ReplyError) -> Problem {
    let code = match error {
        ReplyError::Unavailable(_) => Code::ReplyUnavailable,
        ReplyError::Failed(_) => Code::ReplyFailed,
        ReplyError::TooLong { .. } => Code::ReplyTooLong,
    };
    tracing::warn!(%error, "a turn has no reply");
    let detail = match error {
        // What the responder says is for the log: it may name hosts and keys.
        ReplyError::Unavailable(_) => "the bot cannot answer at the moment".into(),
        ReplyError::Failed(_) => "the bot has failed to answer".into(),
        ReplyError::TooLong { .. } => error.to_string(),
    };
    Problem::new(code, detail)
}
