//! The framework's numbers against queueing theory.
//!
//! A pool of slots with Poisson arrivals is a system whose refusals and waits are known in closed form. Each case is
//! run on twenty seeds; what theory says must lie in the confidence interval of their mean (Student's t, 99.9 %, so that
//! sixty comparisons do not fail by chance, and the seeds are fixed). The table stands in `docs/theory.md`:
//! `THEORY=write cargo test -p hyperlapse --test theory` writes it anew.
//!
//! Timers round a service up to a whole millisecond, half of one on average: theory is told so.

mod formulas;
mod pool;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use formulas::Service;
use pool::{Measured, Pool};

/// Student's t for 19 degrees of freedom, two-sided 99.9 %.
const T: f64 = 3.883;

/// One comparison.
struct Row {
    system: String,
    service: Service,
    load: String,
    what: &'static str,
    theory: f64,
    mean: f64,
    half_width: f64,
}

impl Row {
    fn new(
        pool: &Pool,
        load: String,
        what: &'static str,
        theory: f64,
        seeds: &[Measured],
        figure: impl Fn(&Measured) -> f64,
    ) -> Self {
        let figures: Vec<f64> = seeds.iter().map(figure).collect();
        let n = figures.len() as f64;
        let mean = figures.iter().sum::<f64>() / n;
        let variance = figures.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let half_width = T * (variance / n).sqrt();
        Self { system: pool.name(), service: pool.service, load, what, theory, mean, half_width }
    }

    fn holds(&self) -> bool {
        (self.mean - self.theory).abs() <= self.half_width
    }

    /// An interval that says nothing holds anything.
    fn is_sharp(&self) -> bool {
        self.half_width <= 0.15 * self.theory
    }

    fn cells(&self) -> String {
        let Row { system, service, load, what, theory, mean, half_width } = self;
        format!(
            "| {system} | {service} | {load} | {what} | {theory:.4} | {mean:.4} | ± {half_width:.4} |"
        )
    }
}

fn held(title: &str, rows: &[Row]) -> String {
    let mut table = format!(
        "### {title}\n\n| system | service | load | figure | theory | measured | 99.9 % |\n"
    );
    table.push_str("| --- | --- | --- | --- | ---: | ---: | ---: |\n");
    for row in rows {
        writeln!(table, "{}", row.cells()).expect("a string takes any text");
    }
    let wrong: Vec<String> = rows.iter().filter(|row| !row.holds()).map(Row::cells).collect();
    assert!(wrong.is_empty(), "theory lies outside of the interval:\n{}", wrong.join("\n"));
    let blunt: Vec<String> = rows.iter().filter(|row| !row.is_sharp()).map(Row::cells).collect();
    assert!(blunt.is_empty(), "the interval is too wide to say anything:\n{}", blunt.join("\n"));
    table
}

/// The documentation shows what was just measured.
fn documented(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/theory.md");
    let text = fs::read_to_string(&path).expect("the page is there");
    let title = table.lines().next().expect("a table has a title");
    let from = text.find(title).unwrap_or_else(|| panic!("docs/theory.md has no `{title}`"));
    let to = text[from..].find("\n\n### ").map_or(text.len(), |length| from + length + 1);
    if std::env::var_os("THEORY").is_some() {
        let text = format!("{}{table}{}", &text[..from], &text[to..]);
        fs::write(&path, text).expect("the page can be written");
        return;
    }
    assert_eq!(text[from..to].trim_end(), table.trim_end(), "docs/theory.md shows something else");
}

const SHAPES: [Service; 3] = [Service::Exponential, Service::Constant, Service::LogNormal];

#[test]
fn refusals_are_those_of_erlang_b_whatever_the_service() {
    let mut rows = Vec::new();
    for service in SHAPES {
        for load in [6, 9, 12] {
            let pool = Pool { slots: 10, waits: false, per_second: load, service, seconds: 1_500 };
            let theory = formulas::erlang_b(10, f64::from(load) * pool.service.mean_s());
            let seeds = pool.run_on_seeds();
            let load = format!("{load} erlang");
            rows.push(Row::new(&pool, load, "refused", theory, &seeds, Measured::refused));
        }
    }
    documented(&held("Erlang B: a pool without a queue", &rows));
}

#[test]
fn waits_are_those_of_erlang_c() {
    let mut rows = Vec::new();
    for service in SHAPES {
        for load in [6, 7, 8] {
            let pool = Pool { slots: 10, waits: true, per_second: load, service, seconds: 3_000 };
            let rate = f64::from(load);
            let seeds = pool.run_on_seeds();
            let load = format!("{load} erlang");
            let wait_s = formulas::mean_wait_s(10, rate, service);
            if service == Service::Exponential {
                let waits = formulas::erlang_c(10, rate, service.mean_s()).0;
                rows.push(Row::new(
                    &pool,
                    load.clone(),
                    "must wait",
                    waits,
                    &seeds,
                    Measured::waiting,
                ));
            }
            rows.push(Row::new(&pool, load, "mean wait, s", wait_s, &seeds, Measured::mean_wait_s));
        }
    }
    documented(&held("Erlang C: a pool with a queue", &rows));
}

#[test]
fn waits_for_one_slot_are_those_of_pollaczek_and_khinchine() {
    let mut rows = Vec::new();
    for service in SHAPES {
        for percent in [30, 50, 70] {
            // A service of a second on average: the load is the rate.
            let pool = Pool { slots: 1, waits: true, per_second: 0, service, seconds: 20_000 };
            let rate = f64::from(percent) / 100.0;
            let theory = formulas::pollaczek_khinchine(rate, service);
            let seeds = pool.at_percent_of_a_second(percent).run_on_seeds();
            let load = format!("{percent} %");
            rows.push(Row::new(&pool, load, "mean wait, s", theory, &seeds, Measured::mean_wait_s));
        }
    }
    documented(&held("Pollaczek-Khinchine: one slot with a queue", &rows));
}
