//! tower: a service under `ConcurrencyLimit`, called once at a time and with `call_all`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::task::{Context, Poll};

use futures_util::stream::{StreamExt, unfold};
use hyperlapse::kit::limiter::{self, Job, Jobs, Limiter};
use tower::limit::ConcurrencyLimit;
use tower::{Service, ServiceExt};

/// The service: it does what it is asked for.
#[derive(Clone)]
struct Does;

impl Service<Job> for Does {
    type Response = ();
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<(), Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, job: Job) -> Self::Future {
        Box::pin(async move {
            job.await;
            Ok(())
        })
    }
}

#[derive(Clone)]
struct Limited(ConcurrencyLimit<Does>);

impl Limiter for Limited {
    async fn run(&self, job: Job) -> Result<(), String> {
        self.0.clone().oneshot(job).await.map_err(|error| error.to_string())
    }

    async fn run_all(&self, jobs: Jobs) -> Result<(), String> {
        let jobs = unfold(jobs, |mut jobs| async { jobs.next().await.map(|job| (job, jobs)) });
        let jobs = std::pin::pin!(jobs);
        let mut done = self.0.clone().call_all(jobs);
        while let Some(done) = done.next().await {
            done.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn main() -> ExitCode {
    hunt::main(limiter::suite(|limit| Limited(ConcurrencyLimit::new(Does, limit))))
}
