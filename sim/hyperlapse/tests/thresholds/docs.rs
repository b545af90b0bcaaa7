//! Every example in `docs/thresholds.md`, judged on the bot that it tells of.
//!
//! A block of `threshold` has a threshold in each line, how it stands behind a `#`, and what was measured. Set
//! `OVERWRITE_DOCS` to write what is measured now into the page, to be read before it is kept.

use hyperlapse::{OverSeeds, Standing, Threshold};

use crate::bot;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/thresholds.md");
const SEEDS: std::ops::Range<u64> = 0..20;

/// The threshold of a line of the page.
fn threshold_of(line: &str) -> &str {
    line.split_once(" #").map_or(line, |(threshold, _)| threshold).trim()
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Held => "held",
        Standing::Near => "near",
        Standing::Broken => "broken",
        Standing::NotJudged => "not judged",
    }
}

/// How a threshold stands on the bot, in the words of the page.
fn told(text: &str) -> String {
    let scenario = bot::with(&[text]);
    let threshold: &Threshold = &scenario.thresholds()[0];
    let (how, measured) = match OverSeeds::of(threshold) {
        None => {
            let (_, verdict) = bot::run(&scenario, 0);
            let judgement = &verdict.thresholds[0];
            (judgement.standing, judgement.measured.clone())
        }
        Some(mut over) => {
            for seed in SEEDS {
                let (record, verdict) = bot::run(&scenario, seed);
                over.add(&record, &verdict.thresholds[0]);
            }
            let judgement = over.judge();
            (judgement.standing, judgement.measured)
        }
    };
    match threshold.is_of_memory() {
        // Heap bytes are those of one build.
        true => standing(how).to_owned(),
        false => format!("{}: {measured}", standing(how)),
    }
}

/// A block, with what is measured now.
fn measured(thresholds: &[&str]) -> String {
    let width = thresholds.iter().map(|text| text.chars().count()).max().unwrap_or(0);
    let line = |text: &&str| format!("{text:<width$} # {}\n", told(text));
    thresholds.iter().map(line).collect()
}

#[test]
fn every_example_of_the_page_stands_as_it_says() {
    let page = std::fs::read_to_string(PAGE).expect("the page is there");
    let mut now = String::new();
    let (mut block, mut examples) = (None, 0);
    for line in page.lines() {
        match &mut block {
            None => {
                if line == "```threshold" {
                    block = Some(Vec::new());
                }
                now.push_str(&format!("{line}\n"));
            }
            Some(lines) if line == "```" => {
                examples += lines.len();
                now.push_str(&format!("{}```\n", measured(lines)));
                block = None;
            }
            Some(lines) => lines.push(threshold_of(line)),
        }
    }
    assert!(examples > 40, "{examples} examples");
    if std::env::var_os("OVERWRITE_DOCS").is_some() {
        std::fs::write(PAGE, &now).expect("the page can be written");
    }
    assert_same(&page, &now);
}

/// The lines that differ, rather than two pages.
fn assert_same(page: &str, now: &str) {
    let differ = page.lines().zip(now.lines()).filter(|(page, now)| page != now);
    let differ: Vec<String> =
        differ.map(|(page, now)| format!("the page: {page}\nmeasured: {now}\n")).collect();
    assert!(differ.is_empty(), "{}", differ.join("\n"));
    assert_eq!(page.lines().count(), now.lines().count());
}

/// Both outcomes of every form are shown.
#[test]
fn the_page_shows_each_form_held_and_broken() {
    let page = std::fs::read_to_string(PAGE).expect("the page is there");
    let mut missing = Vec::new();
    for form in [
        ".p95 <",
        ".mean",
        ".rate ",
        ".share ",
        "{kind=",
        "{model=",
        " over ",
        " after ",
        " trend ",
        "worst of seeds",
        "median of seeds",
        "% of seeds",
        "else abort",
        "of median",
        "tokens",
        "cached",
        "turn",
        "free_slots",
    ] {
        for how in ["held", "broken"] {
            let shown = page.lines().any(|line| {
                let (threshold, outcome) = line.split_once(" # ").unwrap_or((line, ""));
                threshold.contains(form) && outcome.starts_with(how)
            });
            if !shown {
                missing.push(format!("no example of `{form}` is {how}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}
