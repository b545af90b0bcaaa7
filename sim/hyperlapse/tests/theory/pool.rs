//! The system that theory speaks of: slots, with a queue or without, and arrivals that know nothing of each other.

use std::sync::Arc;
use std::thread;

use hyperlapse::{PoissonArrivals, Rate, RunOptions, Scenario, Verdict};
use tokio::sync::Semaphore;

use crate::formulas::Service;

const SEEDS: u64 = 20;

#[derive(Debug, Clone, Copy)]
pub struct Pool {
    pub slots: u32,
    /// Whether who finds no slot waits for one.
    pub waits: bool,
    pub per_second: u32,
    pub service: Service,
    /// How long arrivals go on.
    pub seconds: u64,
}

/// What a run measured.
pub struct Measured {
    requested: f64,
    refused: f64,
    waited: f64,
    waited_s: f64,
}

impl Measured {
    pub fn refused(&self) -> f64 {
        self.refused / self.requested
    }

    pub fn waiting(&self) -> f64 {
        self.waited / self.requested
    }

    pub fn mean_wait_s(&self) -> f64 {
        self.waited_s / self.requested
    }
}

impl Pool {
    /// In Kendall's notation.
    pub fn name(&self) -> String {
        let service = match self.service {
            Service::Exponential => "M",
            Service::Constant => "D",
            Service::LogNormal => "G",
        };
        match self.waits {
            true => format!("M/{service}/{}", self.slots),
            false => format!("M/{service}/{}/{}", self.slots, self.slots),
        }
    }

    fn rate(self) -> Rate {
        Rate::per_second(self.per_second.into())
    }

    /// The same with this many arrivals in a hundred seconds.
    pub fn at_percent_of_a_second(self, percent: u32) -> Paced {
        let rate = format!("0.{percent:02}/s").parse().expect("it is a rate");
        Paced { pool: self, rate }
    }

    pub fn run_on_seeds(self) -> Vec<Measured> {
        Paced { pool: self, rate: self.rate() }.run_on_seeds()
    }
}

/// A pool with its rate of arrivals.
#[derive(Clone, Copy)]
pub struct Paced {
    pool: Pool,
    rate: Rate,
}

impl Paced {
    /// Every seed, on two cores.
    pub fn run_on_seeds(self) -> Vec<Measured> {
        let half = |from: u64| {
            move || (from..from + SEEDS / 2).map(|seed| self.run(seed)).collect::<Vec<_>>()
        };
        thread::scope(|scope| {
            let halves = [0, SEEDS / 2].map(|from| scope.spawn(half(from)));
            halves.into_iter().flat_map(|half| half.join().expect("runs do not panic")).collect()
        })
    }

    fn run(self, seed: u64) -> Measured {
        let Paced { pool, rate } = self;
        let load = PoissonArrivals::new(rate, std::time::Duration::from_secs(pool.seconds));
        let scenario = Scenario::builder("pool", load).build().expect("it can be run");
        let service = Arc::new(pool.service.distribution());
        let record = hyperlapse::run(&scenario, RunOptions::seed(seed), move |sim| async move {
            let slots = Arc::new(Semaphore::new(pool.slots as usize));
            sim.drive(move |user| {
                let (slots, service) = (Arc::clone(&slots), Arc::clone(&service));
                async move {
                    let mut operation = user.operation();
                    let asked = user.sim().now();
                    let slot = match pool.waits {
                        true => slots.acquire().await.ok(),
                        false => slots.try_acquire().ok(),
                    };
                    let Some(_slot) = slot else { return operation.refused("no slot") };
                    operation.accepted_after(user.sim().now() - asked);
                    user.sleep(service.sample(&mut user.rng("service"))).await;
                    operation.completed();
                }
            })
            .await;
        });
        assert!(Verdict::of(&record, &[]).passed(), "{:?}", record.outcome);
        let of = &record.metrics.operations;
        assert_eq!(of.requested, of.accepted + of.refused_total());
        assert_eq!(of.accepted, of.completed, "everybody is served in the end");
        let waited = &of.queue_wait;
        Measured {
            requested: of.requested as f64,
            refused: of.refused_total() as f64,
            waited: waited.count as f64,
            waited_s: waited.mean_ns as f64 * waited.count as f64 / 1e9,
        }
    }
}
