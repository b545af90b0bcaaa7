use std::sync::{Arc, Mutex};

use hyperlapse::kit::rate::{self, Rate, RateLimiter};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{finds, holds};

/// A window that begins with who comes first in it, and the next one after it.
#[derive(Clone)]
struct Windows {
    rate: Rate,
    window: Arc<Mutex<Option<(Instant, u64)>>>,
}

impl RateLimiter for Windows {
    async fn acquire(&self) -> bool {
        loop {
            let now = Instant::now();
            let until = {
                let mut window = self.window.lock().unwrap();
                match &mut *window {
                    Some((began, granted)) if now < *began + self.rate.per => {
                        if *granted < self.rate.tokens {
                            *granted += 1;
                            return true;
                        }
                        *began + self.rate.per
                    }
                    _ => {
                        *window = Some((now, 1));
                        return true;
                    }
                }
            };
            sleep_until(until).await;
        }
    }
}

#[test]
fn windows_one_after_the_other_hold() {
    holds(&rate::suite(|rate| Windows { rate, window: Arc::default() }));
}

/// A permit comes back so long after it was taken: by whoever took it, or by a task of its own.
#[derive(Clone)]
struct ComesBack {
    rate: Rate,
    permits: Arc<Semaphore>,
    /// Takes first, looks then whether it is its turn, and forgets what it took when it is dropped there.
    loses: bool,
}

impl RateLimiter for ComesBack {
    async fn acquire(&self) -> bool {
        let permit = self.permits.acquire().await.unwrap();
        permit.forget();
        if self.loses {
            sleep(self.rate.per / 10).await;
        }
        let (permits, per) = (Arc::clone(&self.permits), self.rate.per);
        tokio::spawn(async move {
            sleep(per).await;
            permits.add_permits(1);
        });
        true
    }

    fn slack(&self, _: Rate) -> u64 {
        0
    }
}

fn comes_back(rate: Rate, loses: bool) -> ComesBack {
    ComesBack { rate, permits: Arc::new(Semaphore::new(rate.tokens as usize)), loses }
}

#[test]
fn permits_that_come_back_hold_without_any_slack() {
    holds(&rate::suite(|rate| comes_back(rate, false)));
}

#[test]
fn permits_that_are_lost_with_who_gives_up_are_missed() {
    let (name, found) = finds(&rate::suite(|rate| comes_back(rate, true)));
    assert!(["all comes back", "every waiter ends"].contains(&&*name), "{found}");
}

#[test]
fn twice_the_rate_is_seen() {
    let (name, _) =
        finds(&rate::suite(|rate| comes_back(Rate { per: rate.per / 2, ..rate }, false)));
    assert_eq!(name, "never more than the rate");
}
