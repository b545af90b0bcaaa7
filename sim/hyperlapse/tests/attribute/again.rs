//! This test binary again, with another environment.

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

/// The names in a folder, in order.
pub fn files(folder: &Path) -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    files.sort();
    files
}
