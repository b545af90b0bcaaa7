//! The test binary of a suite, as cargo and nextest start it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The newest binary of `tests/harness.rs`, which cargo builds beside this one.
fn binary() -> Option<PathBuf> {
    let exe = std::env::current_exe().unwrap();
    let is_it = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("harness-") && !name.contains('.')
    };
    let files = std::fs::read_dir(exe.parent().unwrap()).unwrap();
    let found = files.flatten().map(|file| file.path()).filter(|path| is_it(path));
    found.max_by_key(|path| path.metadata().and_then(|it| it.modified()).ok())
}

fn run(args: &[&str], out: &Path, variables: &[(&str, &str)]) -> Option<(bool, String)> {
    let mut command = Command::new(binary()?);
    let ours = std::env::vars().filter(|(name, _)| name.starts_with("HYPERLAPSE_"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command.args(args).env("HYPERLAPSE_OUT", out).env_remove("CARGO_MANIFEST_DIR");
    let output = command.envs(variables.iter().copied()).output().unwrap();
    Some((output.status.success(), String::from_utf8(output.stdout).unwrap()))
}

#[test]
fn each_scenario_is_a_test_that_a_runner_can_list_filter_and_isolate() {
    let out = tempfile::tempdir().unwrap();
    let Some((listed, list)) = run(&["--list", "--format", "terse"], out.path(), &[]) else {
        println!("not built: cargo builds it with all tests of the package");
        return;
    };
    assert!(listed);
    assert_eq!(list, "crowd: test\nclosed: test\n");
    let (held, told) = run(&["crowd", "--exact"], out.path(), &[]).unwrap();
    assert!(held && told.contains("1 passed; 0 failed"), "{told}");
    let isolated = [("HYPERLAPSE_ISOLATE", "true"), ("HYPERLAPSE_SEEDS", "2")];
    let (held, told) = run(&["crowd", "--exact", "--nocapture"], out.path(), &isolated).unwrap();
    assert!(held && told.contains("crowd: 2 seeds held"), "{told}");
    // One that fails tells it as a function does, and is played first by its file from then on.
    for way in ["fails with seed 0", "fails by "] {
        let (held, told) =
            run(&["closed", "--exact", "--include-ignored"], out.path(), &[]).unwrap();
        assert!(!held && told.contains(&format!("closed {way}")), "{told}");
        assert!(told.contains("AcquireError"), "{told}");
    }
}
