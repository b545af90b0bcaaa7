//! What a virtual user does.

use std::future::Future;

use crate::world::user::User;

/// What a virtual user does in each of its iterations, as a type of its own.
///
/// A closure, as [`Sim::drive`](crate::Sim::drive) takes it, gives away a handle on whatever users share in each iteration, and gets a user of
/// its own; a script lends both. That is four reference counts less, some 20 ns, and for users of which there are a
/// million some bytes of each.
///
/// ```
/// use std::time::Duration;
///
/// use hyperlapse::{AllAtOnce, RunOptions, Scenario, Script, User};
/// use tokio::sync::Semaphore;
///
/// struct Visiting {
///     seats: Semaphore,
/// }
///
/// impl Script for Visiting {
///     async fn iteration(&self, user: &User) {
///         let mut operation = user.operation();
///         let _seat = self.seats.acquire().await.unwrap();
///         operation.accepted();
///         user.sleep(Duration::from_millis(10)).await;
///         operation.completed();
///     }
/// }
///
/// let scenario = Scenario::builder("visits", AllAtOnce::users(6)).build().unwrap();
/// let record = hyperlapse::run(&scenario, RunOptions::seed(0), |sim| async move {
///     sim.play(Visiting { seats: Semaphore::new(2) }).await;
/// });
/// assert_eq!(record.metrics.duration_ns / 1_000_000, 30);
/// ```
pub trait Script: Send + Sync + 'static {
    /// Goes through the script once. `user` is in one of its iterations.
    fn iteration<'a>(&'a self, user: &'a User) -> impl Future<Output = ()> + Send + 'a;
}

/// A closure as a script.
pub struct Closure<F>(pub(in crate::world) F);

impl<F, Fut> Script for Closure<F>
where
    F: Fn(User) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn iteration<'a>(&'a self, user: &'a User) -> impl Future<Output = ()> + Send + 'a {
        self.0(user.clone())
    }
}
