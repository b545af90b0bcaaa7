//! What a run says may be anything: the page shows it and never runs it.

use std::path::PathBuf;

use super::*;
use crate::build_info::Build;
use crate::explain::{Explanation, Step, WithoutLast};
use crate::input::Source;
use crate::property::Property;
use crate::report::{Explained, OneRun};
use crate::shrink::Size;
use crate::suite::{Case, Suite};
use crate::verdict::{Failure, FailureKind};

const EVIL: &str = "<script>alert('x')</script><img src=\"http://evil\" onerror=\"x\"> & more";
const BROKEN: Property = Property::always(EVIL, EVIL);

fn suite() -> Suite<()> {
    Suite::new("suite", "0.1.0").system("none", "nothing", |_| ()).script(
        "fail",
        "fails",
        &[BROKEN],
        |sim, ()| async move {
            let sim_of_users = sim.clone();
            sim.show_capacity(2);
            sim.drive(move |user| {
                let sim = sim_of_users.clone();
                async move {
                    let mut operation = user.operation();
                    if user.id() == 0 {
                        return operation.refused(EVIL);
                    }
                    operation.accepted();
                    user.sleep(std::time::Duration::from_millis(10)).await;
                    if user.id() == 1 {
                        return operation.failed(EVIL);
                    }
                    operation.completed();
                    sim.check_with(&BROKEN, false, || EVIL.to_owned());
                    sim.note(EVIL);
                }
            })
            .await;
            panic!("{EVIL}");
        },
    )
}

fn case(suite: &Suite<()>) -> Case {
    let text = format!(
        "name = \"evil\"\nabout = '''{EVIL}'''\nscript = \"fail\"\noperation = '''{EVIL}'''\n\
         workload = {{ kind = \"all-at-once\", users = 4 }}\nthresholds = [\"completions == 4\"]\n"
    );
    suite.case_from(&Source::new("evil.toml", text), None, &[]).expect("it is a scenario")
}

fn explained(file: PathBuf) -> Explained {
    let failure =
        Failure { kind: FailureKind::Property, name: EVIL.to_owned(), message: EVIL.to_owned() };
    let actors: Vec<String> = (0..3).map(|n| format!("{n} {EVIL}")).collect();
    let steps = (0..3).map(|actor| Step { at_ns: 1, actor, text: EVIL.to_owned(), decision: None });
    let size = Size { decisions: 1, users: 1, iterations: 1, events: 1 };
    Explained {
        scenario: "evil".to_owned(),
        system: "none".to_owned(),
        seed: 0,
        set: vec![(EVIL.to_owned(), EVIL.to_owned())],
        sizes: (size, size),
        runs: 1,
        minimal: false,
        explanation: Explanation {
            failure: failure.clone(),
            promise: Some(EVIL.to_owned()),
            actors,
            tasks: vec![EVIL.to_owned()],
            steps: steps.collect(),
            decisions: Vec::new(),
            without_last: Some(WithoutLast {
                failures: vec![failure],
                instead: Some((Some(EVIL.to_owned()), None)),
            }),
            waiting: vec![EVIL.to_owned()],
            disturbed: true,
        },
        seed_file: file,
    }
}

fn evil_page(seeds: std::ops::Range<u64>) -> String {
    let (suite, file) = (suite(), PathBuf::from(EVIL));
    let case = case(&suite);
    let build = Build::of_source("suite", EVIL);
    let mut results = Results::new(build, EVIL, std::slice::from_ref(&case), seeds.clone());
    for seed in seeds {
        let finished = suite.run(&case, seed);
        assert!(!finished.verdict.passed());
        results.add(0, OneRun { case: &case, finished: &finished, seed_file: Some(&file) });
    }
    results.explanations.push(explained(file));
    page(&results)
}

#[test]
fn whatever_a_run_says_is_shown_and_not_obeyed() {
    for seeds in [0..1, 0..3] {
        let page = evil_page(seeds);
        assert!(!page.contains("<script"), "a script");
        assert!(!page.contains("<img"), "an image");
        assert!(page.contains("&lt;script&gt;"), "it is told");
        for title in ["How seed 0 comes to fail", "FAIL", "Thresholds", "Properties", "Panics"] {
            assert!(page.contains(title), "{title}");
        }
    }
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let page = evil_page(0..2);
    let sources: Vec<&str> = ["src=\"", "href=\"", "url(", "@import", "<link ", "<script"]
        .iter()
        .flat_map(|what| {
            page.match_indices(what).map(|(at, _)| &page[at..(at + 40).min(page.len())])
        })
        .filter(|found| !found.starts_with("href=\"#") && !found.starts_with("href=\"data:"))
        .filter(|found| !found.starts_with("<link rel=\"icon\" href=\"data:"))
        .collect();
    assert_eq!(sources, Vec::<&str>::new());
    assert!(page.contains("default-src &#39;none&#39;") || page.contains("default-src 'none'"));
}

#[test]
fn the_same_runs_give_the_same_bytes() {
    assert_eq!(evil_page(0..2), evil_page(0..2));
}
