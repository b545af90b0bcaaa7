//! The store on a disk whose syncs fail while it is opened, and whose power goes off later: what a store that did open has
//! acknowledged is there afterwards.

use std::time::Duration;

use conversation_manager::store::{
    NewConversation, NewMessage, Role, Store, StoreError, StoreOptions, UnixMillis,
};
use hyperlapse::Streams;
use hyperlapse::disk::{self, Disk, DiskFault, DiskOp, DiskOpKind, DiskOptions};

fn options(disk: &Disk) -> StoreOptions {
    StoreOptions::new(disk.path("conversations.db")).vfs(disk::VFS).sync_names(disk::sync_names)
}

fn opened(disk: &Disk) -> Result<Store, StoreError> {
    Store::inline(options(disk), || Duration::ZERO)
}

/// From here on the operations that `which` says fail, by their number among those of its kinds.
fn fail(disk: &Disk, kinds: &'static [DiskOpKind], which: impl Fn(u64) -> bool + Send + 'static) {
    let mut number = 0;
    disk.set_faults(move |op: &DiskOp<'_>| {
        if !kinds.contains(&op.kind) {
            return None;
        }
        number += 1;
        which(number - 1).then_some(DiskFault::Error)
    });
}

async fn start(store: &Store, user: &str) -> i64 {
    let new = NewConversation { user: user.to_owned(), room: None, key: None, at: UnixMillis(1) };
    let id = store.start(new).await.expect("the disk is well").id;
    let message = NewMessage {
        conversation: id,
        role: Role::User,
        text: format!("kept of {user}"),
        key: None,
        reply_to: None,
        at: UnixMillis(2),
    };
    store.append(message).await.expect("the disk is well");
    id
}

async fn is_there(store: &Store, id: i64, user: &str) -> bool {
    let messages = store.messages(id, 0, 10).await.unwrap_or_default();
    messages.iter().any(|message| message.text == format!("kept of {user}"))
}

const SYNCS: &[DiskOpKind] = &[DiskOpKind::Sync, DiskOpKind::SyncDirectory];

/// How many syncs an open makes, for the loops below to end.
async fn failed_at(seed: u64, failing: u64, used_before: bool) -> bool {
    let disk = Disk::new("server", &Streams::new(seed), DiskOptions::default()).unwrap();
    let _mounted = disk.mount().unwrap();
    let mut kept = Vec::new();
    if used_before {
        let store = opened(&disk).unwrap();
        kept.push((start(&store, "ada").await, "ada"));
        // Its log is left as it is.
        drop(store);
        disk.crash();
    }
    fail(&disk, SYNCS, move |number| number == failing);
    let first = opened(&disk);
    let failed = first.is_err();
    drop(first);
    disk.clear_faults();
    let store = opened(&disk).expect("the disk is well again");
    kept.push((start(&store, "bob").await, "bob"));
    disk.crash();
    drop(store);
    let store = opened(&disk).expect("a crash leaves a database");
    for (id, user) in kept {
        assert!(
            is_there(&store, id, user).await,
            "seed {seed}, sync {failing} of the open failed: what was acknowledged of {user} is lost"
        );
    }
    failed
}

#[tokio::test(start_paused = true)]
async fn what_is_acknowledged_after_an_open_that_failed_survives_a_crash() {
    for used_before in [false, true] {
        let mut failed = 0;
        for failing in 0..40 {
            for seed in 0..10 {
                failed += u64::from(failed_at(seed, failing, used_before).await);
            }
        }
        // Those beyond the last sync of an open fail nothing.
        assert!(failed >= 10, "only {failed} opens failed");
    }
}
