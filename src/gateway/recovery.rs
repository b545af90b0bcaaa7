//! What a restart finds: conversations that were open when the process before it ended.
//!
//! They are taken in before the first request, oldest first, each with a slot of its own, as far as the limits allow; the
//! rest is closed as interrupted. So none has a slot twice, and none is open without one.

use super::live::{Live, close};
use super::options::Recovery;
use super::planted::{self, Planted};
use super::service::Shared;
use crate::request::StartRequest;
use crate::store::{Closed, Closing, StoreError, StoredConversation};

/// How often a store that refuses for the moment is asked again before the gateway gives up.
const TRIES: u32 = 10;

/// See the [module](self).
pub(crate) async fn recover(shared: &Shared) -> Result<(), StoreError> {
    for stored in open(shared).await? {
        let slot = match shared.options.recovery {
            Recovery::Interrupt => None,
            Recovery::Resume => {
                let mut request = StartRequest::new(stored.user.as_str());
                if let Some(room) = &stored.room {
                    request = request.room(room.as_str());
                }
                // Planted: it is counted once here, and once more below.
                if planted::is(Planted::RecoveredTwice)
                    && let Ok(second) = shared.manager.try_start(request.clone())
                {
                    planted::lose(second);
                }
                shared.manager.try_start(request).ok()
            }
        };
        match slot {
            Some(slot) => {
                shared.metrics.recovered("resumed");
                Live::admit(shared, stored.id, slot);
            }
            None => {
                shared.metrics.recovered("interrupted");
                let closed = Closed { how: Closing::Interrupted, at: shared.now() };
                shared.live.note_closing(stored.id, closed);
                // If the store refuses, it is tried again later, as with any other end.
                close(shared, stored.id).await;
            }
        }
    }
    Ok(())
}

async fn open(shared: &Shared) -> Result<Vec<StoredConversation>, StoreError> {
    let mut tries = 1;
    loop {
        match shared.store.open().await {
            Err(error) if error.is_transient() && tries < TRIES => {
                shared.store_failed(&error);
                tries += 1;
                tokio::time::sleep(shared.options.reconcile_every).await;
            }
            found => return found,
        }
    }
}
