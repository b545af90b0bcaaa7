//! The command as cargo builds it. That this test is here has `cargo test` build it, once and with everything else: the tests
//! of the workspace that start the command find it there.

use std::process::Command;

fn said(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_conversation-load")).args(args).output();
    let output = output.expect("cargo has built it");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}

#[test]
fn the_command_is_that_of_this_package() {
    assert_eq!(
        said(&["--version"]),
        concat!("conversation-load ", env!("CARGO_PKG_VERSION"), "\n")
    );
}

#[test]
fn it_lists_every_scenario_and_every_system_of_the_suite() {
    let list = said(&["list"]);
    let listed: Vec<&str> =
        list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let suite = conversation_load::suite();
    for (scenario, _) in suite.scenarios() {
        assert!(listed.contains(&scenario.name()), "{} is not in the list", scenario.name());
    }
    for system in suite.systems() {
        assert!(listed.contains(&system.name), "{} is not in the list", system.name);
    }
}
