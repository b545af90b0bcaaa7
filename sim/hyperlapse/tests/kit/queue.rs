use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use hyperlapse::kit::queue::{self, Item, Queue};
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc};

use crate::{finds, holds};

/// tokio's channel, its receiver shared.
#[derive(Clone)]
struct Channel {
    sender: Arc<Mutex<Option<mpsc::Sender<Item>>>>,
    receiver: Arc<AsyncMutex<mpsc::Receiver<Item>>>,
    /// Takes an item out and then does something else.
    drops: bool,
}

impl Channel {
    fn new(capacity: usize, drops: bool) -> Self {
        let (sender, receiver) = mpsc::channel(capacity);
        let sender = Arc::new(Mutex::new(Some(sender)));
        Self { sender, receiver: Arc::new(AsyncMutex::new(receiver)), drops }
    }
}

impl Queue for Channel {
    async fn send(&self, item: Item) -> bool {
        let sender = self.sender.lock().unwrap().clone();
        match sender {
            Some(sender) => sender.send(item).await.is_ok(),
            None => false,
        }
    }

    async fn receive(&self) -> Option<Item> {
        let item = self.receiver.lock().await.recv().await;
        if self.drops {
            tokio::task::yield_now().await;
        }
        item
    }

    fn close(&self) {
        self.sender.lock().unwrap().take();
    }
}

#[test]
fn tokios_channel_holds() {
    holds(&queue::suite(|capacity| Channel::new(capacity, false)));
}

#[test]
fn an_item_that_is_lost_with_a_dropped_receive_is_missed() {
    let (name, _) = finds(&queue::suite(|capacity| Channel::new(capacity, true)));
    assert_eq!(name, "nothing lost");
}

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// Wakes who waits with a permit that stays where it is when that one is gone.
    WakesOneOnly,
    /// Takes from the wrong end.
    LastFirst,
    /// Looks at the first one, and takes it in another go.
    LooksThenTakes,
    /// Does not wake those who wait.
    ClosesQuietly,
}

/// A queue by hand, with the mistakes that it is told to make.
#[derive(Clone)]
struct Handmade {
    state: Arc<Mutex<(VecDeque<Item>, bool)>>,
    capacity: usize,
    changed: Arc<Notify>,
    mistake: Mistake,
}

impl Handmade {
    fn new(capacity: usize, mistake: Mistake) -> Self {
        Self { state: Arc::default(), capacity, changed: Arc::default(), mistake }
    }

    fn tell(&self) {
        match self.mistake {
            Mistake::WakesOneOnly => self.changed.notify_one(),
            _ => self.changed.notify_waiters(),
        }
    }
}

impl Queue for Handmade {
    async fn send(&self, item: Item) -> bool {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let mut state = self.state.lock().unwrap();
                if state.1 {
                    return false;
                }
                if state.0.len() < self.capacity {
                    state.0.push_back(item);
                    drop(state);
                    self.tell();
                    return true;
                }
            }
            changed.await;
        }
    }

    async fn receive(&self) -> Option<Item> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.mistake == Mistake::LooksThenTakes {
                let first = self.state.lock().unwrap().0.front().cloned();
                if let Some(first) = first {
                    tokio::task::yield_now().await;
                    self.state.lock().unwrap().0.pop_front();
                    self.tell();
                    return Some(first);
                }
            }
            {
                let mut state = self.state.lock().unwrap();
                let item = match self.mistake {
                    Mistake::LastFirst => state.0.pop_back(),
                    _ => state.0.pop_front(),
                };
                if item.is_some() {
                    drop(state);
                    self.tell();
                    return item;
                }
                if state.1 {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn close(&self) {
        self.state.lock().unwrap().1 = true;
        if self.mistake != Mistake::ClosesQuietly {
            self.changed.notify_waiters();
        }
    }
}

#[test]
fn a_queue_by_hand_holds() {
    holds(&queue::suite(|capacity| Handmade::new(capacity, Mistake::None)));
}

#[test]
fn each_mistake_is_seen_as_what_it_is() {
    for (mistake, expected) in [
        (Mistake::WakesOneOnly, ["nobody waits for nothing", "a close ends waiters"]),
        (Mistake::LastFirst, ["in order", "in order"]),
        (Mistake::LooksThenTakes, ["nothing twice", "nothing lost"]),
        (Mistake::ClosesQuietly, ["a close ends waiters", "a close ends waiters"]),
    ] {
        let (name, found) = finds(&queue::suite(move |capacity| Handmade::new(capacity, mistake)));
        assert!(expected.contains(&&*name), "{found}");
    }
}
