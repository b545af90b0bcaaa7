//! What a message costs on a real disk: one writer, who waits for a sync each time, against many who share it.
//!
//! Each writer appends to a conversation of their own and waits for the acknowledgement before the next. Everything is on a file
//! in the folder for temporary files (`TMPDIR` chooses another disk), fully synchronous. Both take turns, and the figure is
//! the median of the ratios of neighbouring rounds.
//!
//! `cargo bench --bench store` prints the table; a ratio below the aim makes it exit with 1.

use std::time::{Duration, Instant};

use conversation_manager::store::{
    NewConversation, NewMessage, Role, Store, StoreOptions, UnixMillis,
};

const WRITERS: i64 = 64;
const ROUND: Duration = Duration::from_millis(700);
const ROUNDS: usize = 5;

/// Sixty-four who wait together must get at least this many times the messages of one who waits alone.
const AIM: f64 = 8.0;

struct Round {
    /// Messages a second.
    rate: f64,
    /// Messages of a transaction.
    group: f64,
}

async fn round(store: &Store, writers: i64) -> Round {
    let before = store.totals().await.unwrap();
    let begin = Instant::now();
    let tasks: Vec<_> = (1..=writers)
        .map(|conversation| {
            let store = store.clone();
            tokio::spawn(async move {
                while begin.elapsed() < ROUND {
                    let message = NewMessage {
                        conversation,
                        role: Role::User,
                        text: "a message of the length that people write in a chat, more or less"
                            .into(),
                        key: None,
                        reply_to: None,
                        at: UnixMillis(0),
                    };
                    store.append(message).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let took = begin.elapsed().as_secs_f64();
    let after = store.totals().await.unwrap();
    let messages = (after.messages - before.messages) as f64;
    Round { rate: messages / took, group: messages / (after.commits - before.commits) as f64 }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let ratio = runtime.block_on(async {
        let store = Store::spawn(StoreOptions::new(folder.path().join("db"))).unwrap();
        for user in 0..WRITERS {
            let new = NewConversation {
                user: user.to_string(),
                room: None,
                key: None,
                at: UnixMillis(0),
            };
            store.start(new).await.unwrap();
        }
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push((round(&store, 1).await, round(&store, WRITERS).await));
        }
        let of = |pick: fn(&(Round, Round)) -> f64| median(rounds.iter().map(pick).collect());
        println!("{:>8}  {:>12}  {:>24}", "writers", "messages/s", "messages/transaction");
        println!("{:>8}  {:>12.0}  {:>24.1}", 1, of(|it| it.0.rate), of(|it| it.0.group));
        println!("{WRITERS:>8}  {:>12.0}  {:>24.1}", of(|it| it.1.rate), of(|it| it.1.group));
        let ratio = of(|it| it.1.rate / it.0.rate);
        println!("{WRITERS} writers get {ratio:.1} times the messages of one (aim: {AIM:.0})");

        let totals = store.totals().await.unwrap();
        let begin = Instant::now();
        store.totals().await.unwrap();
        println!("totals of {} messages: {:?}", totals.messages, begin.elapsed());
        ratio
    });
    if ratio < AIM {
        std::process::exit(1);
    }
}
