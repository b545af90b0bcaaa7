//! What queueing theory says, in closed form.

use std::fmt;
use std::time::Duration;

use hyperlapse::Distribution;

/// The distribution of service times, each with a mean of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Exponential,
    Constant,
    LogNormal,
}

/// Standard deviation of the logarithm of log-normal services.
const SIGMA: f64 = 0.8;

/// What rounding up to whole milliseconds adds on average, in seconds.
const ROUNDED: f64 = 0.000_5;

impl Service {
    pub fn distribution(self) -> Distribution {
        let second = Duration::from_secs(1);
        match self {
            Service::Exponential => Distribution::Exponential(second),
            Service::Constant => Distribution::Constant(second),
            Service::LogNormal => {
                Distribution::log_normal(second.mul_f64((-SIGMA * SIGMA / 2.0).exp()), SIGMA)
            }
        }
    }

    /// Its mean in seconds, as timers make it.
    pub fn mean_s(self) -> f64 {
        if self == Service::Constant { 1.0 } else { 1.0 + ROUNDED }
    }

    /// Its variance by the square of its mean.
    fn squared_variation(self) -> f64 {
        match self {
            Service::Exponential => 1.0,
            Service::Constant => 0.0,
            Service::LogNormal => (SIGMA * SIGMA).exp() - 1.0,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Service::Exponential => "exponential",
            Service::Constant => "constant",
            Service::LogNormal => "log-normal",
        })
    }
}

/// The share of arrivals that find all of `slots` taken, for a load in erlang: Erlang, 1917, by the usual recursion.
pub fn erlang_b(slots: u32, erlang: f64) -> f64 {
    (1..=slots).fold(1.0, |b, n| erlang * b / (f64::from(n) + erlang * b))
}

/// The share of arrivals that must wait, and the mean wait of all in seconds, for arrivals a second and a mean service in
/// seconds.
pub fn erlang_c(slots: u32, rate: f64, mean_s: f64) -> (f64, f64) {
    let erlang = rate * mean_s;
    let b = erlang_b(slots, erlang);
    let busy = erlang / f64::from(slots);
    let waits = b / (1.0 - busy * (1.0 - b));
    (waits, waits * mean_s / (f64::from(slots) - erlang))
}

/// The mean wait of all for one slot, in seconds: Pollaczek, 1930; Khinchine, 1932.
pub fn pollaczek_khinchine(rate: f64, service: Service) -> f64 {
    let mean_s = service.mean_s();
    let busy = rate * mean_s;
    let second_moment = (1.0 + service.squared_variation()) * mean_s * mean_s;
    rate * second_moment / (2.0 * (1.0 - busy))
}

/// The mean wait of all for one of `slots`, in seconds: Erlang's for exponential services; Crommelin's series for constant
/// ones ("Delay probability formulae when the holding times are constant", 1932); and between them for others,
/// by their variation, which is an approximation (Page, "Queueing Theory in OR", 1972) that is exact at both ends.
pub fn mean_wait_s(slots: u32, rate: f64, service: Service) -> f64 {
    let exponential = erlang_c(slots, rate, service.mean_s()).1;
    let constant = crommelin(slots, rate, service.mean_s());
    let between = service.squared_variation();
    between * exponential + (1.0 - between) * constant
}

fn crommelin(slots: u32, rate: f64, service_s: f64) -> f64 {
    let (slots, erlang) = (u64::from(slots), rate * service_s);
    let busy = erlang / slots as f64;
    let term = |k: u64| {
        let mean = k as f64 * erlang;
        // Probabilities of a Poisson variable from `k * slots` on, until they add nothing any more.
        let first = k * slots;
        let log_factorial: f64 = (1..=first).map(|n| (n as f64).ln()).sum();
        let mut probability = (first as f64 * mean.ln() - mean - log_factorial).exp();
        let (mut from_first, mut beyond) = (probability, 0.0);
        for n in first + 1..first + 400 {
            probability *= mean / n as f64;
            from_first += probability;
            beyond += probability;
        }
        from_first - beyond / busy
    };
    (1..1_000).map(term).sum::<f64>() * service_s
}

#[test]
fn crommelins_series_is_that_of_pollaczek_and_khinchine_for_one_slot() {
    for percent in [20, 50, 80] {
        let rate = f64::from(percent) / 100.0;
        let exact = pollaczek_khinchine(rate, Service::Constant);
        assert!((crommelin(1, rate, 1.0) - exact).abs() < 1e-6, "{percent} %");
    }
}
