use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use hyperlapse::kit::pool::{self, Connection, Pool, Server};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{finds, holds};

/// A pool by hand, with the mistakes that it is told to make.
#[derive(Clone)]
struct Handmade {
    server: Server,
    idle: Arc<Mutex<VecDeque<Connection>>>,
    places: Arc<Semaphore>,
    mistake: Mistake,
}

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// Does not look at what comes back.
    LendsBroken,
    /// Gives the place back when a connection comes back, and not when the wait for one is dropped.
    LosesPlaces,
    /// Has one place too many.
    OneTooMany,
}

struct Lent {
    connection: Option<Connection>,
    pool: Handmade,
    place: Option<OwnedSemaphorePermit>,
}

impl Deref for Lent {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().unwrap()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let connection = self.connection.take().unwrap();
        if !connection.is_broken() || self.pool.mistake == Mistake::LendsBroken {
            self.pool.idle.lock().unwrap().push_back(connection);
        }
        if self.place.is_none() {
            self.pool.places.add_permits(1);
        }
    }
}

impl Handmade {
    fn new(server: Server, mistake: Mistake) -> Self {
        let places = server.max() + usize::from(mistake == Mistake::OneTooMany);
        let places = Arc::new(Semaphore::new(places));
        Self { server, idle: Arc::default(), places, mistake }
    }

    async fn connection(&self) -> Result<Connection, String> {
        loop {
            let idle = self.idle.lock().unwrap().pop_front();
            let Some(idle) = idle else {
                return self.server.connect().await.map_err(|error| error.to_string());
            };
            if self.mistake == Mistake::LendsBroken || self.server.check(&idle).await.is_ok() {
                return Ok(idle);
            }
        }
    }
}

impl Pool for Handmade {
    type Lent = Lent;

    async fn get(&self) -> Result<Lent, String> {
        let place = Arc::clone(&self.places).acquire_owned().await.unwrap();
        let place = match self.mistake {
            Mistake::LosesPlaces => {
                place.forget();
                None
            }
            _ => Some(place),
        };
        let connection = Some(self.connection().await?);
        Ok(Lent { connection, pool: self.clone(), place })
    }
}

#[test]
fn a_pool_by_hand_holds() {
    holds(&pool::suite(|server| Handmade::new(server, Mistake::None)));
}

#[test]
fn a_broken_connection_that_is_lent_again_is_seen() {
    let (name, _) = finds(&pool::suite(|server| Handmade::new(server, Mistake::LendsBroken)));
    assert_eq!(name, "never a broken one");
}

#[test]
fn a_place_that_is_lost_with_a_dropped_wait_is_missed() {
    let (name, found) = finds(&pool::suite(|server| Handmade::new(server, Mistake::LosesPlaces)));
    assert!(["capacity restored", "every waiter ends"].contains(&&*name), "{found}");
}

#[test]
fn one_connection_too_many_is_seen() {
    let (name, _) = finds(&pool::suite(|server| Handmade::new(server, Mistake::OneTooMany)));
    assert!(["never above the limit", "open never above the limit"].contains(&&*name), "{name}");
}
