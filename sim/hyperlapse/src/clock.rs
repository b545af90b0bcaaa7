//! Which clock a run goes by.

use serde::{Deserialize, Serialize};

/// The clock of a run: [`RunOptions::clock`](crate::RunOptions::clock).
///
/// ```
/// use hyperlapse::{AllAtOnce, Clock, RunOptions, Scenario};
///
/// let scenario = Scenario::builder("crowd", AllAtOnce::users(3)).build().unwrap();
/// let options = RunOptions { clock: Clock::Real, ..RunOptions::seed(0) };
/// let record = hyperlapse::run(&scenario, options, |sim| async move {
///     assert_eq!(sim.clock(), Clock::Real);
///     sim.drive(|user| async move {
///         let mut operation = user.operation();
///         operation.accepted();
///         operation.completed();
///     })
///     .await;
/// });
/// assert_eq!(record.metrics.operations.completed, 3);
/// assert!(record.host.spent.is_some());
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Clock {
    /// tokio's paused clock on one thread: it moves when everybody waits, and the same seed gives the same run.
    #[default]
    Virtual,
    /// That of the host, with the tasks on as many threads as it has cores. The seed still decides what users do; when
    /// things happen, in which order, and hence every figure is another one each time.
    Real,
}

impl Clock {
    /// The word that files and the command line use.
    pub const fn text(self) -> &'static str {
        match self {
            Clock::Virtual => "virtual",
            Clock::Real => "real",
        }
    }

    /// Whether it is the virtual one, of which records and reports say nothing.
    pub(crate) fn is_virtual(&self) -> bool {
        *self == Clock::Virtual
    }

    /// What times of this clock are called.
    pub(crate) const fn time(self) -> &'static str {
        match self {
            Clock::Virtual => "virtual time",
            Clock::Real => "real time",
        }
    }
}
