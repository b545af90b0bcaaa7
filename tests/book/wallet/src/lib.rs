use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use tokio::sync::Mutex;

/// What a customer has, and what was paid with it.
pub struct Wallet {
    cents: AtomicI64,
    payments: Mutex<Vec<i64>>,
}

impl Wallet {
    pub fn with(cents: i64) -> Self {
        Self { cents: AtomicI64::new(cents), payments: Mutex::default() }
    }

    pub fn cents(&self) -> i64 {
        self.cents.load(Relaxed)
    }

    /// Pays if there is enough, and says whether there was.
    pub async fn pay(&self, price: i64) -> bool {
        if self.cents() < price {
            return false;
        }
        self.payments.lock().await.push(price);
        self.cents.fetch_sub(price, Relaxed);
        true
    }
}
