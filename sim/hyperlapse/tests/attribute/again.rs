//! This test binary again, with another environment.

#![allow(dead_code, reason = "without tokio's flag fewer tests are there")]

use std::path::Path;
use std::process::Command;

/// Whether this test holds, and what it says.
pub fn again(test: &str, out: &Path, variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--include-ignored", "--show-output"]);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HYPERLAPSE_")) {
        command.env_remove(name);
    }
    command
        .env("HYPERLAPSE_OUT", out)
        .env("CARGO_PKG_NAME", "hyperlapse")
        .env("RUST_BACKTRACE", "0");
    command.env_remove("CARGO_MANIFEST_DIR").envs(variables.iter().copied());
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

/// Whether this process was asked for something by variables, which a test of fixed seeds cannot do: it holds without them, in
/// another process.
pub fn without_variables(test: &str) -> bool {
    let asked = |name: &str| name.starts_with("HYPERLAPSE_") && name != "HYPERLAPSE_OUT";
    let asked = std::env::vars().any(|(name, _)| asked(&name));
    if asked {
        let out = tempfile::tempdir().unwrap();
        let (held, told) = again(test, out.path(), &[]);
        assert!(held, "{told}");
    }
    asked
}

/// The names in a folder, in order.
pub fn files(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    files.sort();
    files
}
