use hyperlapse::{Property, Sim, Suite, kit};

const NEVER_CHECKED: Property =
    Property::always("somewhere", "something holds where no run comes by").over_the_sweep();
const CHECKED: Property = Property::always("here", "something holds");

async fn check_one(sim: Sim, (): ()) {
    sim.check(&CHECKED, true);
    sim.drive(|_| async {}).await;
}

fn suite() -> Suite<()> {
    Suite::new("checks", "0.1.0")
        .system("nothing", "nothing", |_| ())
        .script("checks", "checks one of two", &[NEVER_CHECKED, CHECKED], check_one)
        .scenario(
            "few.toml",
            r#"
            name = "few"
            script = "checks"
            workload = { kind = "all-at-once", users = 1 }
            "#,
        )
}

#[test]
fn what_no_run_checks_fails_a_sweep_that_is_long_enough() {
    let swept = kit::sweep(&suite(), 5..104).unwrap();
    assert_eq!((swept.runs, swept.checks["here"], swept.checks["somewhere"]), (99, 99, 0));
    let found = kit::sweep(&suite(), 5..105).unwrap_err();
    insta::assert_snapshot!(found, @r"
    few on nothing fails in seed 5, after 100 runs:
    property somewhere: never checked in 100 runs

    Each run holds by itself; all of them together do not.
    ");
    assert_eq!(format!("{found:?}"), found.to_string());
}
