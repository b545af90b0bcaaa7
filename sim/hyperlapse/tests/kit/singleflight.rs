use std::collections::BTreeMap;
use std::mem::ManuallyDrop;
use std::sync::{Arc, Mutex};

use hyperlapse::kit::singleflight::{self, Group, Load, Value};
use tokio::sync::watch;

use crate::{finds, holds};

type Answer = Option<Result<Value, String>>;
type Waiting = watch::Receiver<Answer>;

/// Forgets the key of a load that is over, however it ended.
struct Forget(Arc<Mutex<BTreeMap<u32, Waiting>>>, u32);

impl Drop for Forget {
    fn drop(&mut self) {
        self.0.lock().unwrap().remove(&self.1);
    }
}

async fn answer(mut waiting: Waiting) -> Result<Value, String> {
    let answer = waiting.wait_for(Option::is_some).await;
    answer.map_err(|_| "whoever loaded is gone".to_owned())?.clone().unwrap()
}

/// Each load is a task of its own, which nobody's going away can stop.
#[derive(Clone, Default)]
struct Spawned(Arc<Mutex<BTreeMap<u32, Waiting>>>);

impl Group for Spawned {
    async fn get(&self, key: u32, load: Load) -> Result<Value, String> {
        let spawn = || {
            let (answer, waiting) = watch::channel(None);
            let forget = Forget(Arc::clone(&self.0), key);
            tokio::spawn(async move {
                let value = load.await.map_err(|error| error.to_string());
                drop(forget);
                answer.send_replace(Some(value));
            });
            waiting
        };
        let waiting = self.0.lock().unwrap().entry(key).or_insert_with(spawn).clone();
        answer(waiting).await
    }
}

#[test]
fn loads_of_their_own_tasks_hold() {
    holds(&singleflight::suite(Spawned::default));
}

/// Who comes first loads, and tells the others in the end: if it comes to that.
#[derive(Clone, Default)]
struct Led {
    waiting: Arc<Mutex<BTreeMap<u32, Waiting>>>,
    /// The key is forgotten when the load is over, and not when it is dropped.
    keeps_the_key: bool,
}

impl Group for Led {
    async fn get(&self, key: u32, load: Load) -> Result<Value, String> {
        let (sender, waiting) = watch::channel(None);
        let others = {
            let mut all = self.waiting.lock().unwrap();
            let others = all.get(&key).cloned();
            if others.is_none() {
                all.insert(key, waiting);
            }
            others
        };
        if let Some(others) = others {
            return answer(others).await;
        }
        let forget = Forget(Arc::clone(&self.waiting), key);
        let forget = if self.keeps_the_key { Err(ManuallyDrop::new(forget)) } else { Ok(forget) };
        let value = load.await.map_err(|error| error.to_string());
        drop(forget.map_err(ManuallyDrop::into_inner));
        sender.send_replace(Some(value.clone()));
        value
    }
}

#[test]
fn an_error_that_comes_of_the_leaders_going_away_is_seen() {
    let (name, _) = finds(&singleflight::suite(Led::default));
    assert_eq!(name, "an error for a reason");
}

#[test]
fn a_key_that_is_never_loaded_again_is_seen() {
    let (name, _) = finds(&singleflight::suite(|| Led { keeps_the_key: true, ..Led::default() }));
    assert!(["loads again", "an error for a reason"].contains(&&*name), "{name}");
}

/// Everybody loads.
#[derive(Clone)]
struct Everybody;

impl Group for Everybody {
    async fn get(&self, _: u32, load: Load) -> Result<Value, String> {
        load.await.map_err(|error| error.to_string())
    }
}

#[test]
fn a_key_that_everybody_loads_is_seen() {
    let (name, _) = finds(&singleflight::suite(|| Everybody));
    assert_eq!(name, "one load at a time");
}
