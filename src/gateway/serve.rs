//! A gateway from its first connection to its last.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::Ordering;

use tokio::time::timeout;

use super::connection::{self, Connections};
use super::listener::{self, Listener};
use super::live::reconcile;
use super::recovery::recover;
use super::routes;
use super::service::Shared;
use crate::stats::DrainReport;
use crate::store::StoreError;

/// How a gateway has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// What became of the conversations.
    pub drained: DrainReport,
    /// Conversations whose end the store would not write down in time. The next gateway finds them open.
    pub unclosed: usize,
}

/// Why a gateway did not begin to serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The store would not say which conversations are open.
    #[error("cannot find the conversations that were open: {0}")]
    Recovery(#[from] StoreError),
}

pub(crate) async fn serve<L: Listener>(
    shared: Shared,
    mut listener: L,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<Served, ServeError> {
    // Dropped with this future, and everything that runs for the gateway with it.
    let _owner = shared.tasks.open();
    shared.tasks.spawn(shared.manager.run_expiry());
    recover(&shared).await?;
    shared.tasks.spawn(reconcile(shared.clone()));
    shared.tasks.spawn(prune(shared.clone()));

    let connections = Connections::new(shared.options.max_connections);
    let drained = {
        let mut accepting = pin!(accept(&shared, &mut listener, &connections));
        let mut stopping = pin!(async {
            shutdown.await;
            stop(&shared).await
        });
        tokio::select! {
            biased;
            drained = &mut stopping => drained,
            never = &mut accepting => never,
        }
    };
    drop(listener);
    connections.close.cancel();
    let _ = timeout(shared.options.close_time, connections.closed()).await;
    Ok(Served { drained, unclosed: shared.live.unclosed() })
}

/// Accepts for as long as it is polled.
async fn accept<L: Listener, Never>(
    shared: &Shared,
    listener: &mut L,
    connections: &Connections,
) -> Never {
    let router = routes::router(shared);
    loop {
        let (io, peer) = listener::next(listener).await;
        tracing::trace!(%peer, "connected");
        let permit = connections.place(shared).await;
        shared.tasks.spawn(connection::serve(
            io,
            router.clone(),
            shared.clone(),
            connections.clone(),
            permit,
        ));
    }
}

/// Lets those who talk finish, and writes down how it ended.
async fn stop(shared: &Shared) -> DrainReport {
    shared.draining.store(true, Ordering::SeqCst);
    let drained = shared.manager.drain(shared.options.drain_time).await;
    let _ = timeout(shared.options.close_time, shared.live.quiet()).await;
    drained
}

/// Keeps the store within its bounds.
async fn prune(shared: Shared) {
    let Some(every) = shared.options.prune_every else { return };
    loop {
        tokio::time::sleep(every).await;
        if let Err(error) = shared.store.prune(shared.now()).await {
            shared.store_failed(&error);
        }
    }
}
