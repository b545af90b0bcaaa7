//! Finds the command, for tests that run it as its users do.
//!
//! It belongs to another package, so that cargo does not tell its path. A bare `cargo test` has built it
//! beside the tests; where it was not built, or before the library that it is made of, it is built now.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

const NAME: &str = "conversation-load";

/// The path of the command in this build's profile.
pub fn path() -> PathBuf {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(find).clone()
}

fn find() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let dependencies = test.parent().expect("it lies in a folder");
    let profile = dependencies.parent().expect("of a folder of the profile");
    let command = profile.join(format!("{NAME}{}", std::env::consts::EXE_SUFFIX));
    if modified(&command) < library(dependencies) || !command.exists() {
        build(profile);
    }
    command
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// When the library was built that the command and this test are made of.
fn library(dependencies: &Path) -> Option<SystemTime> {
    let prefix = format!("lib{}-", NAME.replace('-', "_"));
    let entries = std::fs::read_dir(dependencies).ok()?.flatten().map(|entry| entry.path());
    let libraries = entries.filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&prefix) && name.ends_with(".rlib")
    });
    libraries.filter_map(|path| modified(&path)).max()
}

fn build(profile: &Path) {
    let folder = profile.file_name().expect("a profile has a name").to_string_lossy();
    let target = profile.parent().expect("it lies in the target folder");
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", NAME, "--bin", NAME, "--profile"])
        .arg(if folder == "debug" { "dev" } else { &*folder })
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be started");
    assert!(built.success(), "`cargo build --package {NAME}` failed");
}
