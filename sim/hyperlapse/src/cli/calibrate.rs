//! `calibrate`: a scenario simulated, and the same on the real clock.

use super::args::{CalibrateArgs, TextOrJson};
use super::real::{CtrlC, can_be_run};
use super::waiting::Waiting;
use super::{Stop, Terminal, exit};
use crate::build_info::Build;
use crate::calibrate::Calibration;
use crate::clock::Clock;
use crate::plan::Plan;
use crate::report;
use crate::suite::Suite;
use crate::units::{nanos, seconds};
use crate::world::RunOptions;

pub(super) fn calibrate<S: Clone + Send + 'static>(
    suite: &Suite<S>,
    args: &CalibrateArgs,
    terminal: &mut Terminal<'_>,
) -> Result<u8, Stop> {
    let scenario = args.scenario.as_deref().or(suite.calibrates());
    let scenario = scenario.ok_or_else(|| {
        let names = suite.scenarios();
        let names = names.iter().map(|(scenario, _)| scenario.name());
        crate::input::InputError::new("which scenario is to be calibrated?").nearest("", names)
    })?;
    let case = super::run::case(suite, scenario, args.system.as_deref(), &args.set)?;
    can_be_run(&case)?;
    // Said first, for it may be minutes.
    let expected = seconds(nanos(Plan::new(&case.scenario, args.seed).expected()));
    super::complain(format_args!(
        "{} on {} is simulated first; then it runs on the real clock, which takes about {expected}. \
         --set duration=30s makes it shorter where it has a duration, Ctrl-C ends it",
        case.scenario.name(),
        case.system
    ));
    let options =
        |clock| RunOptions { clock, hang_after: args.hang_after, ..RunOptions::seed(args.seed) };
    let simulated = suite.run_with(&case, options(Clock::Virtual)).record;
    let real = {
        let on_ctrl_c = CtrlC::ends_runs();
        let waiting = Waiting::new(1, 1, Clock::Real);
        let (reached, _running) = waiting.run(&case, args.seed);
        let interrupt = Some(on_ctrl_c.interrupt());
        suite.run_with(&case, RunOptions { reached, interrupt, ..options(Clock::Real) }).record
    };
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get()) as u64;
    let found = Calibration::of(&simulated, &real, cores);
    let text = match args.format {
        TextOrJson::Text => {
            let load = case.scenario.workload().describe();
            let about = case.scenario.about();
            report::calibration(&found, &simulated, about, &load, terminal.coloured())
        }
        TextOrJson::Json => {
            let build = Build::of_source(suite.name(), suite.version());
            report::calibration_json(&found, &simulated, &real, &build)
        }
    };
    terminal.print(&text)?;
    Ok(if found.holds() { exit::HELD } else { exit::FAILED })
}
