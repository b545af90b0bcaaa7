//! A clock and tasks that are moved by hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

use conversation_manager::{Clock, Timestamp};

#[derive(Clone, Default)]
pub(crate) struct ByHand(pub(crate) Arc<AtomicU64>);

impl Clock for ByHand {
    type Sleep = std::future::Pending<()>;
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(SeqCst))
    }
    fn sleep_until(&self, _: Timestamp) -> Self::Sleep {
        std::future::pending()
    }
}

#[derive(Default)]
pub(crate) struct Bell(AtomicBool);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// A future with a bell of its own.
pub(crate) struct Task<T> {
    pub(crate) future: Pin<Box<dyn Future<Output = T> + Send>>,
    pub(crate) bell: Arc<Bell>,
}

impl<T> Task<T> {
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        Self { future: Box::pin(future), bell: Arc::default() }
    }

    pub(crate) fn poll(&mut self) -> Poll<T> {
        // A new waker each time: the manager must ring the last one.
        self.bell = Arc::default();
        self.future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&self.bell))))
    }

    pub(crate) fn rung(&self) -> bool {
        self.bell.0.load(SeqCst)
    }
}
