//! flume: a channel of many senders and many receivers.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use flume::{Receiver, Sender};
use hyperlapse::kit;
use hyperlapse::kit::queue::{Item, Queue};

#[derive(Clone)]
struct Channel {
    sender: Arc<Mutex<Option<Sender<Item>>>>,
    receiver: Receiver<Item>,
}

impl Queue for Channel {
    async fn send(&self, item: Item) -> bool {
        let sender = self.sender.lock().unwrap().clone();
        match sender {
            Some(sender) => sender.send_async(item).await.is_ok(),
            None => false,
        }
    }

    async fn receive(&self) -> Option<Item> {
        self.receiver.recv_async().await.ok()
    }

    fn close(&self) {
        self.sender.lock().unwrap().take();
    }
}

fn main() -> ExitCode {
    hunt::main(kit::queue::suite(|capacity| {
        let (sender, receiver) = flume::bounded(capacity);
        Channel { sender: Arc::new(Mutex::new(Some(sender))), receiver }
    }))
}
