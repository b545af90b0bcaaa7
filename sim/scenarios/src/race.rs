//! The first of two futures, the left one where both are ready: in an order that no seed decides.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// `Err` when `first` is ready first or both are, `Ok` when `second` is.
pub(crate) async fn race<A: Future, B: Future>(
    first: A,
    second: B,
) -> Result<B::Output, A::Output> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| match (first.as_mut().poll(cx), second.as_mut().poll(cx)) {
        (Poll::Ready(first), _) => Poll::Ready(Err(first)),
        (Poll::Pending, Poll::Ready(second)) => Poll::Ready(Ok(second)),
        (Poll::Pending, Poll::Pending) => Poll::Pending,
    })
    .await
}
