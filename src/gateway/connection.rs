//! Open connections: so many and no more, and an idle one makes room for a new one.
//!
//! A connection without a request (none yet, an unfinished head, keep-alive) costs a descriptor and a few kilobytes, and
//! anybody can open ten thousand. So the bound is on all of them, and when it is reached the one that has been without
//! a request for longest goes: those who ask something are served. One that is at work is never cut off for it.

use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::service::Shared;

/// What a connection that has to go may take to send the end of its last answer.
const FAREWELL: Duration = Duration::from_secs(1);

/// See the [module](self).
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Idle>>,
    most: usize,
    /// All are to end when their answers are out.
    pub(crate) close: CancellationToken,
}

#[derive(Debug, Default)]
struct Idle {
    /// By the order in which they fell idle.
    waiting: BTreeMap<u64, CancellationToken>,
    next: u64,
    /// Somebody waits for a place while all are at work.
    wanted: bool,
}

impl Connections {
    pub(crate) fn new(most: usize) -> Self {
        let most = most.min(Semaphore::MAX_PERMITS);
        Self {
            permits: Arc::new(Semaphore::new(most)),
            idle: Arc::default(),
            most,
            close: CancellationToken::new(),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection: a free one, that of the longest idle, or the next that becomes either.
    pub(crate) async fn place(&self, shared: &Shared) -> OwnedSemaphorePermit {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return permit;
        }
        let longest = {
            let mut idle = self.idle();
            let longest = idle.waiting.pop_first();
            idle.wanted = longest.is_none();
            longest
        };
        if let Some((_, evict)) = longest {
            shared.metrics.connection_evicted();
            evict.cancel();
        }
        let permit = self.permits.clone().acquire_owned().await;
        self.idle().wanted = false;
        permit.expect("the semaphore is never closed")
    }

    /// Waits until all are closed.
    pub(crate) async fn closed(&self) {
        let all = u32::try_from(self.most).unwrap_or(u32::MAX);
        let _ = self.permits.acquire_many(all).await;
    }

    /// The connection falls idle now. Returns its place among those that are.
    fn fall_idle(&self, evict: &CancellationToken) -> u64 {
        let mut idle = self.idle();
        if std::mem::take(&mut idle.wanted) {
            evict.cancel();
        }
        let place = idle.next;
        idle.next += 1;
        idle.waiting.insert(place, evict.clone());
        place
    }
}

/// One connection between being idle and being at work.
struct Activity {
    connections: Connections,
    evict: CancellationToken,
    state: Mutex<State>,
}

struct State {
    /// The place among the idle; `None` while it is at work.
    place: Option<u64>,
    has_answered: bool,
}

impl Activity {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave_idle(&self) {
        if let Some(place) = self.state().place.take() {
            self.connections.idle().waiting.remove(&place);
        }
    }

    fn work(self: &Arc<Self>) -> Work {
        self.leave_idle();
        Work(self.clone())
    }
}

/// A request that is being worked on, until its answer is out.
struct Work(Arc<Activity>);

impl Drop for Work {
    fn drop(&mut self) {
        let place = self.0.connections.fall_idle(&self.0.evict);
        let mut state = self.0.state();
        state.place = Some(place);
        state.has_answered = true;
    }
}

/// An answer that keeps its connection at work.
struct Answer {
    body: Body,
    _work: Work,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Counts the connection for as long as it lives.
struct Counted(Shared);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.connection_closed();
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve<I>(
    io: I,
    router: Router,
    shared: Shared,
    connections: Connections,
    permit: OwnedSemaphorePermit,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    shared.metrics.connection_opened();
    let counted = Counted(shared.clone());
    let evict = CancellationToken::new();
    let place = connections.fall_idle(&evict);
    let state = Mutex::new(State { place: Some(place), has_answered: false });
    let activity =
        Arc::new(Activity { connections: connections.clone(), evict: evict.clone(), state });

    let mut io = TimeoutStream::new(io);
    io.set_write_timeout(Some(shared.options.write_timeout));
    let router = TowerToHyperService::new(router);
    let at_work = activity.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let work = at_work.work();
        let answering = router.call(request);
        async move {
            let answer: Response<Body> = answering.await?;
            Ok::<_, std::convert::Infallible>(answer.map(|body| Answer { body, _work: work }))
        }
    });
    let mut http = http1::Builder::new();
    // The date is that of our own clock; it is set with the other headers.
    http.auto_date_header(false)
        .timer(TokioTimer::new())
        .header_read_timeout(shared.options.header_timeout)
        .max_buf_size(shared.options.max_header_bytes)
        .max_headers(shared.options.max_headers);
    let mut connection = pin!(http.serve_connection(TokioIo::new(Box::pin(io)), service));
    let has_to_go = async {
        tokio::select! {
            biased;
            () = evict.cancelled() => {}
            () = connections.close.cancelled() => {}
        }
    };
    tokio::select! {
        biased;
        // How it ended is its client's affair: gone, too slow, not HTTP.
        _ = connection.as_mut() => {}
        () = has_to_go => {
            let (is_idle, has_answered) = {
                let state = activity.state();
                (state.place.is_some(), state.has_answered)
            };
            // Without an answer there is nothing to send to its end. A half of a head is no request.
            if has_answered || !is_idle {
                connection.as_mut().graceful_shutdown();
                let _ = match is_idle {
                    true => tokio::time::timeout(FAREWELL, connection.as_mut()).await,
                    false => Ok(connection.as_mut().await),
                };
            }
        }
    }
    activity.leave_idle();
    drop((counted, permit));
}
