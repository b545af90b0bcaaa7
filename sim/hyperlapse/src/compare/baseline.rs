//! Baselines: what was measured of a run and nothing else, a number on each line, so that it can live in a repository
//! and a change of it can be read there.
//!
//! A baseline has neither heap bytes nor what the host measured: it is the same bytes for the same scenarios, seeds and
//! source, in any build. It does not change with the format of records.
//!
//! ```text
//! {"baseline":1,"build":{…},"runs":[
//! {"scenario":"queue","system":"manager","seed":0,"set":{},"fingerprint":"…","verdict":"pass","failures":[],
//! "measured":{
//! "completions":{"count":300},
//! "response.p95":{"ns":279000000}
//! }}
//! ]}
//! ```

use serde::Serialize;

use super::measured::is_informational;
use super::runs::ComparedRun;
use crate::build_info::Build;

/// Version of baselines.
pub const BASELINE_FORMAT: u32 = 1;

fn json(of: &impl Serialize) -> String {
    serde_json::to_string(of).expect("it is plain data with text keys")
}

/// What stands before the first run.
pub(crate) fn head(build: &Build) -> String {
    // The same for every executable that is built of the same source.
    let build = Build { binary: String::new(), ..build.clone() };
    format!("{{\"baseline\":{BASELINE_FORMAT},\"build\":{},\"runs\":[", json(&build))
}

/// A run; all but the first have a comma in front.
pub(crate) fn run(run: &ComparedRun, first: bool) -> String {
    let measured = run.measured.iter().filter(|(name, _)| !is_informational(name));
    let measured: Vec<String> =
        measured.map(|(name, quantity)| format!("{}:{}", json(name), json(quantity))).collect();
    format!(
        "{}\n{{\"scenario\":{},\"system\":{},\"seed\":{},\"set\":{},\"fingerprint\":{},\"verdict\":{},\
         \"failures\":{},\n\"measured\":{{\n{}\n}}}}",
        if first { "" } else { "," },
        json(&run.scenario),
        json(&run.system),
        run.seed,
        json(&run.set),
        json(&run.fingerprint),
        json(&run.verdict),
        json(&run.failures),
        measured.join(",\n"),
    )
}

/// What stands behind the last run.
pub(crate) const TAIL: &str = "\n]}\n";
