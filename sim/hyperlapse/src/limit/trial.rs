//! A search with its runs: what of the scenario is varied and between which bounds, every load that was tried, and
//! what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::ladder::{HIGHEST, SHARES, Scale, Tolerance};
use super::observe::{self, Observed};
use super::search::{self, Tried};
use super::setting::{self, Setting, Unit};
use super::{Ignored, Limit, LimitOptions, LimitProgress, LoadPoint, LoadValue, SeedLimit};
use crate::input::InputError;
use crate::scenario::overrides::Override;
use crate::suite::{Case, Suite};
use crate::sweep;
use crate::threshold::Threshold;

/// Without a bound the search goes up to so many times the load at which it begins.
const FURTHEST: u64 = 1_024;

/// How often the point may move because a neighbour broke.
const ROUNDS: usize = 4;

/// A search under way.
pub(super) struct Trial<'a, S> {
    suite: &'a Suite<S>,
    case: &'a Case,
    options: &'a LimitOptions,
    setting: Setting,
    scale: Scale,
    from: u64,
    at_least: Option<u64>,
    tried: Tried,
    /// By load and seed; loads that only some seeds were tried with are there too.
    runs: BTreeMap<u64, BTreeMap<u64, Observed>>,
    tell: &'a mut dyn FnMut(LimitProgress),
}

impl<'a, S: Clone + Send + 'static> Trial<'a, S> {
    pub(super) fn new(
        suite: &'a Suite<S>,
        case: &'a Case,
        options: &'a LimitOptions,
        tell: &'a mut dyn FnMut(LimitProgress),
    ) -> Result<Self, InputError> {
        if options.seeds.is_empty() {
            return Err(InputError::new("there is no seed to try a load with"));
        }
        let given =
            [("--from", &options.from), ("--to", &options.to), ("--at-least", &options.at_least)];
        let mut given: Vec<(&str, &str)> =
            given.iter().filter_map(|(option, value)| Some((*option, value.as_deref()?))).collect();
        let share = options.tolerance.as_deref().is_some_and(|text| text.ends_with('%'));
        given.extend(
            options.tolerance.as_deref().filter(|_| !share).map(|text| ("--tolerance", text)),
        );
        let source = suite.effective(case);
        let path = options.vary.as_deref();
        let setting =
            Setting::find(&source, path, &suite.root_keys(), &given).map_err(|error| {
                // A setting that is left out and one that does not exist look alike: the reader knows.
                let set =
                    path.map(|path| Override { path: path.to_owned(), value: "1".to_owned() });
                let unknown = set.and_then(|set| suite.with(case, set).err());
                unknown.filter(|error| error.message().contains("unknown key")).unwrap_or(error)
            })?;
        let read = |option, text: &Option<String>| {
            text.as_deref().map(|text| setting.read(option, text)).transpose()
        };
        let (from, to) = (read("--from", &options.from)?, read("--to", &options.to)?);
        let at_least = read("--at-least", &options.at_least)?;
        let tolerance = tolerance(options.tolerance.as_deref(), &setting)?;
        let Some(from) = from.or(setting.own).filter(|from| *from > 0) else {
            let path = &setting.path;
            let error = InputError::new(format!("the scenario has 0 as `{path}`"));
            return Err(error.help("say where to begin, with --from"));
        };
        let mut this = Self {
            suite,
            case,
            options,
            scale: Scale { tolerance, easiest: 0, hardest: 0 },
            tried: Tried::new(Scale { tolerance, easiest: 0, hardest: 0 }),
            from: tolerance.floor(from).max(tolerance.first()),
            setting,
            at_least,
            runs: BTreeMap::new(),
            tell,
        };
        this.check(this.from)?;
        this.bounds(to)?;
        this.tried = Tried::new(this.scale);
        Ok(this)
    }

    /// Between which loads is searched.
    fn bounds(&mut self, to: Option<u64>) -> Result<(), InputError> {
        let (from, tolerance) = (self.from, self.scale.tolerance);
        let wrong = match self.options.lower {
            true => to.is_some_and(|to| to > from).then_some("lowered from"),
            false => to.is_some_and(|to| to < from).then_some("raised from"),
        };
        if let Some(wrong) = wrong {
            let text = |load| self.setting.unit.text(load);
            let (noun, to) = (Setting::noun(&self.setting.path), to.expect("it is wrong"));
            let error =
                InputError::new(format!("{noun} is {wrong} {}, never to {}", text(from), text(to)));
            return Err(error.label(match self.options.lower {
                true => "expected --to to be at most where the search begins (--from)",
                false => "expected --to to be at least where the search begins (--from)",
            }));
        }
        let most = from.max(self.setting.own.unwrap_or(0)).saturating_mul(FURTHEST).min(HIGHEST);
        let (least, most) = (self.nearest_valid(tolerance.first()), self.nearest_valid(most));
        let (easiest, hardest) = if self.options.lower { (most, least) } else { (least, most) };
        let to = to.map(|to| tolerance.floor(to).max(tolerance.first()));
        if let Some(to) = to {
            self.check(to)?;
        }
        self.scale = Scale { tolerance, easiest, hardest: to.unwrap_or(hardest) };
        Ok(())
    }

    /// The load nearest to a bound that the scenario can be run with, as far as halving and doubling find it.
    fn nearest_valid(&self, bound: u64) -> u64 {
        let tolerance = self.scale.tolerance;
        let mut load = tolerance.floor(bound).max(tolerance.first());
        while load != self.from && self.check(load).is_err() {
            load = match load > self.from {
                true => tolerance.floor(load / 2).max(self.from),
                false => tolerance.floor(load * 2).min(self.from),
            };
        }
        load
    }

    fn check(&self, load: u64) -> Result<(), InputError> {
        self.case_at(load).map(drop)
    }

    fn case_at(&self, load: u64) -> Result<Case, InputError> {
        let value = self.setting.unit.toml(load);
        self.suite.with(self.case, Override { path: self.setting.path.clone(), value })
    }

    fn load(&self, value: u64) -> LoadValue {
        LoadValue { value, text: self.setting.unit.toml(value) }
    }

    /// Runs what has not been run of these loads and seeds.
    fn run(&mut self, wanted: impl IntoIterator<Item = (u64, u64)>) -> Result<(), InputError> {
        let known = |load: &u64, seed: &u64| {
            self.runs.get(load).is_some_and(|seeds| seeds.contains_key(seed))
        };
        let wanted: BTreeSet<(u64, u64)> =
            wanted.into_iter().filter(|(load, seed)| !known(load, seed)).collect();
        let mut work = Vec::new();
        for (load, seed) in wanted {
            work.push((load, seed, self.case_at(load)?));
        }
        let (suite, options) = (self.suite, self.options);
        let one = |index: usize| {
            let (_, seed, case) = &work[index];
            let finished = suite.run_with(case, options.run(*seed));
            Observed::of(case, &finished, options.all_thresholds)
        };
        let mut done = Vec::new();
        sweep::in_order(work.len(), options.jobs, one, |index, observed| {
            done.push((work[index].0, work[index].1, observed));
            ControlFlow::Continue(())
        });
        for (load, seed, observed) in done {
            self.runs.entry(load).or_default().insert(seed, observed);
        }
        Ok(())
    }

    /// Tries loads with every seed.
    fn probe(&mut self, loads: &[u64]) -> Result<(), InputError> {
        let seeds = self.options.seeds.clone();
        self.run(loads.iter().flat_map(|load| seeds.clone().map(|seed| (*load, seed))))?;
        for load in loads {
            self.tried.add(*load, self.runs[load].values().all(Observed::holds));
        }
        self.report();
        Ok(())
    }

    fn report(&mut self) {
        let bracket = self.tried.bracket();
        let text = |load: u64| self.setting.unit.text(load);
        let noun = Setting::noun(&self.setting.path);
        let known = match (bracket.holds, bracket.breaks) {
            (Some(holds), Some(breaks)) => {
                format!("{noun} {} holds, {} breaks", text(holds), text(breaks))
            }
            (Some(holds), None) => format!("{noun} {} holds", text(holds)),
            (None, Some(breaks)) => format!("{noun} {} breaks", text(breaks)),
            (None, None) => String::new(),
        };
        let runs = self.count();
        (self.tell)(LimitProgress { runs, known });
    }

    fn count(&self) -> u64 {
        self.runs.values().map(|seeds| seeds.len() as u64).sum()
    }

    /// Searches the point at which all seeds hold.
    pub(super) fn search(&mut self) -> Result<(), InputError> {
        self.probe(&[self.from])?;
        for _ in 0..ROUNDS {
            self.narrow()?;
            let neighbours = self.tried.neighbours();
            if neighbours.is_empty() {
                break;
            }
            self.probe(&neighbours)?;
        }
        self.narrow()
    }

    fn narrow(&mut self) -> Result<(), InputError> {
        while let Some(load) = self.tried.next().or_else(|| self.gap()).or_else(|| self.more()) {
            self.probe(&[load])?;
        }
        Ok(())
    }

    /// Where nothing holds: a load between too little and too much.
    fn gap(&self) -> Option<u64> {
        if self.tried.bracket().holds.is_some() {
            return None;
        }
        let mut broken: Vec<(u64, BTreeSet<&str>)> = self
            .runs
            .iter()
            .map(|(load, seeds)| {
                let failures = seeds.values().flat_map(|run| &run.failures);
                (*load, failures.map(|failure| failure.name.as_str()).collect())
            })
            .collect();
        broken.sort_by_key(|(load, _)| self.scale.rank(*load));
        search::gap(self.scale, &broken)
    }

    /// Where nothing holds for want of load: more of it.
    fn more(&self) -> Option<u64> {
        let hardest = self.runs.keys().copied().max_by_key(|load| self.scale.rank(*load))?;
        let mut broken = self.runs[&hardest].values().filter(|run| !run.holds()).peekable();
        let wants_more = broken.peek().is_some() && broken.all(|run| run.wants_more);
        let none_holds = self.tried.bracket().holds.is_none();
        (none_holds && wants_more).then(|| self.scale.doubled(hardest)).flatten()
    }

    /// How far each seed holds by itself: from what is known of it, on to its own point.
    pub(super) fn points_of_seeds(&mut self) -> Result<BTreeMap<u64, Tried>, InputError> {
        loop {
            let mut points = BTreeMap::new();
            let mut wanted = Vec::new();
            for seed in self.options.seeds.clone() {
                let mut tried = Tried::new(self.scale);
                for (load, seeds) in &self.runs {
                    if let Some(run) = seeds.get(&seed) {
                        tried.add(*load, run.holds());
                    }
                }
                wanted.extend(tried.next().map(|load| (load, seed)));
                points.insert(seed, tried);
            }
            if wanted.is_empty() {
                return Ok(points);
            }
            self.run(wanted)?;
            self.report();
        }
    }

    pub(super) fn limit(self, points: BTreeMap<u64, Tried>) -> Limit {
        let bracket = self.tried.bracket();
        let (breaks_below, holds_above) = self.tried.uneven();
        let loads = |mut loads: Vec<u64>| -> Vec<LoadValue> {
            loads.sort_unstable();
            loads.into_iter().map(|load| self.load(load)).collect()
        };
        let mut curve: Vec<LoadPoint> = self
            .runs
            .iter()
            .filter(|(load, _)| self.tried.contains(**load))
            .map(|(load, seeds)| observe::point(self.load(*load), seeds))
            .collect();
        if let (Some(holds), Some(breaks)) = (bracket.holds, bracket.breaks) {
            let at = curve.iter_mut().find(|point| point.load.value == breaks);
            for broken in at.into_iter().flat_map(|point| &mut point.broken) {
                let before = self.runs[&holds].get(&broken.seeds[0]);
                broken.held_at =
                    before.and_then(|run| run.measured.get(&broken.failure.name)).cloned();
            }
        }
        let thresholds = self.case.scenario.thresholds().iter();
        // What is judged over a sweep is broken in no run of it, even where all thresholds count.
        let left_out =
            |threshold: &&Threshold| !self.options.all_thresholds || threshold.is_over_seeds();
        let ignored = thresholds.filter(left_out).filter_map(|threshold| {
            let why = threshold.is_not_of_load()?.to_owned();
            Some(Ignored { threshold: threshold.to_string(), why })
        });
        Limit {
            scenario: self.case.scenario.name().to_owned(),
            system: self.case.system.clone(),
            set: self
                .case
                .set
                .iter()
                .filter(|set| set.path != self.setting.path)
                .map(|set| (set.path.clone(), set.value.clone()))
                .collect(),
            setting: self.setting.path.clone(),
            unit: self.setting.unit.name(),
            lowered: self.options.lower,
            seeds: (self.options.seeds.start, self.options.seeds.end),
            from: self.load(self.from),
            to: self.load(self.scale.hardest),
            at_least: self.at_least.map(|load| self.load(load)),
            holds: bracket.holds.map(|load| self.load(load)),
            breaks: bracket.breaks.map(|load| self.load(load)),
            of_seeds: points
                .into_iter()
                .map(|(seed, tried)| SeedLimit {
                    seed,
                    holds: tried.bracket().holds.map(|load| self.load(load)),
                    breaks: tried.bracket().breaks.map(|load| self.load(load)),
                    holds_above: loads(tried.uneven().1),
                })
                .collect(),
            breaks_below: loads(breaks_below),
            holds_above: loads(holds_above),
            ignored: ignored.collect(),
            curve,
            runs: self.count(),
        }
    }
}

fn tolerance(text: Option<&str>, setting: &Setting) -> Result<Tolerance, InputError> {
    let Some(text) = text else {
        return Ok(match setting.unit {
            Unit::Count => Tolerance::Step(1),
            _ => Tolerance::Share(100),
        });
    };
    let Some(share) = text.strip_suffix('%') else {
        return setting.read("--tolerance", text).map(Tolerance::Step);
    };
    let share = setting::decimal(share.trim(), 2).filter(|share| SHARES.contains(share));
    share.map(Tolerance::Share).ok_or_else(|| {
        InputError::new(format!("--tolerance {text}: this is no share of a load"))
            .label("expected one from 0.01% to 10%")
    })
}
