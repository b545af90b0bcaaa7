//! A process that is killed at any moment loses nothing that it had acknowledged.
//!
//! The child is this test binary again, told by its environment which file to write. It prints each message after it was
//! acknowledged, and is killed without a warning while several tasks append. (That what was synced also survives
//! the loss of power is for a file system that can lose it: see the simulated disk.)

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use conversation_manager::store::{Closing, Store, StoreOptions, Synchronous, UnixMillis};

use crate::{Folder, check_file, keyed, of};

const FILE: &str = "STORE_TEST_FILE";
const ROUND: &str = "STORE_TEST_ROUND";
const WRITERS: u64 = 8;
const ROUNDS: u64 = 20;

/// Not a test of its own: what the parent starts, and kills.
#[test]
#[ignore = "started by the test that kills it"]
fn child() {
    let (Ok(file), Ok(round)) = (std::env::var(FILE), std::env::var(ROUND)) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = Store::spawn(StoreOptions::new(file)).unwrap();
        let mut writers = Vec::new();
        for writer in 0..WRITERS {
            let (store, round) = (store.clone(), round.clone());
            writers.push(tokio::spawn(async move {
                let id = store.start(of(&format!("user-{writer}"))).await.unwrap().id;
                say(&format!("ack start {id}"));
                for number in 0.. {
                    let text = format!("{round}/{writer}/{number}");
                    let appended = store.append(keyed(id, &text, &text)).await.unwrap();
                    say(&format!("ack message {id} {} {text}", appended.seq));
                    if number % 40 == 39 {
                        assert!(store.close(id, Closing::Completed, UnixMillis(0)).await.unwrap());
                        say(&format!("ack close {id}"));
                        return;
                    }
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
        // Not killed yet: wait for it.
        std::future::pending::<()>().await;
    });
}

/// A line by itself, at once.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").and_then(|()| out.flush()).unwrap();
}

#[derive(Default)]
struct Acknowledged {
    started: Vec<i64>,
    messages: BTreeMap<(i64, i64), String>,
    closed: Vec<i64>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let number = |word: &str| word.parse::<i64>().unwrap();
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["ack", "start", id] => self.started.push(number(id)),
            ["ack", "message", id, seq, text] => {
                let before = self.messages.insert((number(id), number(seq)), text.to_owned());
                assert_eq!(before, None, "two messages have the number {seq} in {id}");
            }
            ["ack", "close", id] => self.closed.push(number(id)),
            _ => {}
        }
    }
}

/// Starts a child, and kills it after `life` of appending. Everything that it printed counts.
fn live_and_die(file: &std::path::Path, round: u64, life: Duration, noted: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FILE, file)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("ack ")).unwrap();
    noted.note(&first);
    let killer = std::thread::spawn(move || {
        std::thread::sleep(life);
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap()
    });
    // The last line may be cut off: it then was not told, and need not be there.
    let mut rest = String::new();
    let mut out = lines.map(Result::unwrap).peekable();
    while let Some(line) = out.next() {
        rest.clear();
        rest.push_str(&line);
        if out.peek().is_some() {
            noted.note(&rest);
        }
    }
    let status = killer.join().unwrap();
    assert!(!status.success(), "it was killed, and did not fail: {status}");
}

#[tokio::test]
async fn a_killed_process_loses_nothing_acknowledged_and_stores_nothing_twice() {
    let folder = Folder::new();
    let mut noted = Acknowledged::default();
    let mut interrupted = 0;
    // Moments that differ from round to round, and from run to run.
    let spread = u64::from(std::process::id());
    for round in 0..ROUNDS {
        let life = Duration::from_micros(500 + (round * 7_919 + spread * 131) % 60_000);
        live_and_die(&folder.file(), round, life, &mut noted);

        let store = Store::spawn(folder.options().synchronous(Synchronous::Full)).unwrap();
        let mut texts = std::collections::BTreeSet::new();
        let totals = store.totals().await.unwrap();
        let mut messages = 0;
        for id in 1..=i64::try_from(totals.conversations).unwrap() {
            let conversation = store.conversation(id).await.unwrap().unwrap();
            let said = store.messages(id, 0, u32::MAX).await.unwrap();
            assert_eq!(said.len() as i64, conversation.messages);
            for (expected, message) in (1..).zip(&said) {
                assert_eq!(message.seq, expected, "numbers are dense");
                assert!(texts.insert(message.text.clone()), "`{}` is there twice", message.text);
                if let Some(acknowledged) = noted.messages.get(&(id, message.seq)) {
                    assert_eq!(&message.text, acknowledged);
                }
            }
            messages += said.len();
        }
        assert_eq!(totals.messages, messages as u64);
        for ((id, seq), text) in &noted.messages {
            assert!(texts.contains(text), "message {seq} of {id} was acknowledged and is lost");
        }
        for id in &noted.started {
            assert!(store.conversation(*id).await.unwrap().is_some(), "{id} is lost");
        }
        for id in &noted.closed {
            let closed = store.conversation(*id).await.unwrap().unwrap().closed;
            // Not interrupted by the recovery below: it was closed before.
            assert_eq!(closed.unwrap().how, Closing::Completed);
        }
        for open in store.open().await.unwrap() {
            interrupted += 1;
            assert!(store.close(open.id, Closing::Interrupted, UnixMillis(0)).await.unwrap());
        }
        store.shut_down().await.unwrap();
    }
    check_file(&folder.file());
    assert!(interrupted > 0, "some were killed in the middle");
    assert!(noted.messages.len() > 500, "{} messages were acknowledged", noted.messages.len());
    println!(
        "{ROUNDS} kills: {} starts, {} messages and {} closings acknowledged, {interrupted} interrupted",
        noted.started.len(),
        noted.messages.len(),
        noted.closed.len()
    );
}
