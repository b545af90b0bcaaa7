//! Response times of one run as HdrHistogram's interval log (V2, deflated), which its log processors and viewers read.
//!
//! An interval for each step of the time series that saw a completion, which knows its times within 0.8 %; those of
//! the whole run, in the percentile distribution, are known within 0.1 %. Values are nanoseconds, the column for people
//! is in milliseconds, and the log starts when every run's clock does, so that the bytes repeat. The deflated part
//! is that of one version of a library: compare what is read from it, not the letters.

use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::IntervalLogWriterBuilder;

use super::reporter::{Make, Needs, OneRun, Reporter};
use crate::metrics::{self, Metrics};
use crate::world::EPOCH;

/// For the log processors of HdrHistogram.
pub(super) const REPORTER: Reporter = Reporter {
    name: "hlog",
    about: "HdrHistogram's interval log (V2) of the response times of one run",
    extension: "hlog",
    make: Make::EachRun { make: hlog, needs: Needs::Nothing },
};

fn hlog(run: &OneRun<'_>) -> String {
    let record = &run.finished.record;
    let title = format!("{} on {}, seed {}", record.scenario, record.system, record.seed);
    log(&title, intervals(&record.metrics))
}

/// What was measured from then on for so long: highest value and count of each bucket.
struct Interval<'a> {
    at_ns: u64,
    length_ns: u64,
    buckets: &'a [(u64, u64)],
}

/// A step of the time series each. The steps of a long run are long, and there are 512 at most.
fn intervals(metrics: &Metrics) -> impl Iterator<Item = Interval<'_>> {
    let series = &metrics.series;
    let steps = series.response.iter().enumerate().filter(|(_, buckets)| !buckets.is_empty());
    steps.map(|(step, buckets)| {
        let at_ns = series.step_ns * step as u64;
        // What ends with the load ends the last step, which is otherwise as long as all.
        let length_ns = series.step_ns.min(metrics.duration_ns.saturating_sub(at_ns));
        Interval { at_ns, length_ns, buckets }
    })
}

fn log<'a>(title: &str, intervals: impl Iterator<Item = Interval<'a>>) -> String {
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let start = SystemTime::UNIX_EPOCH + EPOCH;
    let mut writer = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!("[{title}: response times in nanoseconds]"))
        .with_start_time(start)
        .with_base_time(start)
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut bytes, &mut serializer)
        .expect("a list of bytes takes what is written");
    for Interval { at_ns, length_ns, buckets } in intervals {
        let mut histogram = metrics::whole_histogram();
        for (highest, count) in buckets {
            histogram.saturating_record_n(*highest, *count);
        }
        let (at, length) = (Duration::from_nanos(at_ns), Duration::from_nanos(length_ns));
        writer
            .write_histogram(&histogram, at, length, None)
            .expect("a list of bytes takes what is written");
    }
    drop(writer);
    String::from_utf8(bytes).expect("an interval log is text")
}
