//! The examples keep what is said of them: each is short, is in their list, has a test that `cargo test` runs, and prints what
//! is written down here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No examples of how to test something: they start the gateway, with models. Their page is `docs/gateway.md`.
const OF_THE_GATEWAY: [&str; 2] = ["gateway", "model_gateway"];

/// An example has fewer lines than this.
const LINES: usize = 60;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The examples of the manifest whose tests `cargo test` runs, in its order.
fn tested() -> Vec<String> {
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let examples = manifest["example"].as_array().unwrap().iter();
    let tested =
        examples.filter(|example| example.get("test").is_some_and(|test| test == &true.into()));
    tested.map(|example| example["name"].as_str().unwrap().to_owned()).collect()
}

/// Every program in the folder, but those of the gateway.
fn examples() -> BTreeSet<String> {
    let entries = root().join("examples").read_dir().unwrap().map(|entry| entry.unwrap().path());
    let programs = entries.filter(|path| {
        path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").exists()
    });
    let names = programs.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| !OF_THE_GATEWAY.contains(&name.as_str())).collect()
}

#[test]
fn each_example_is_short_is_tested_and_says_how_it_is_run() {
    assert_eq!(examples(), tested().into_iter().collect(), "`test = true` in the manifest");
    for name in examples() {
        let source = text(&format!("examples/{name}.rs"));
        let lines = source.lines().count();
        assert!(lines < LINES, "{name} has {lines} lines");
        assert!(source.contains("#[hyperlapse::test("), "{name} has no test");
        let header: Vec<&str> =
            source.lines().map_while(|line| line.strip_prefix("//!").map(str::trim)).collect();
        let header = header.join(" ");
        for command in ["run", "test"] {
            let command = format!("`cargo {command} --example {name}`");
            assert!(header.contains(&command), "{name} does not say {command}");
        }
    }
}

#[test]
fn each_example_is_in_the_list_in_the_order_of_the_manifest() {
    let list = text("examples/README.md");
    let (list, of_the_gateway) = list.split_once("## Of the gateway").unwrap();
    let linked = |name: &String| list.find(&format!("[{name}.rs]({name}.rs)"));
    let places: Vec<Option<usize>> = tested().iter().map(linked).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}");
    for name in OF_THE_GATEWAY {
        assert!(of_the_gateway.contains(&format!("({name}")), "{name}");
    }
}

#[test]
fn what_each_example_prints_is_written_down() {
    let profile = build(&tested());
    for name in tested() {
        let without_hooks = match name.as_str() {
            _ if cfg!(tokio_unstable) => "",
            // There is no network then.
            "axum_service" => continue,
            // What yields does so at fewer awaits then: another run.
            "semaphore" | "cache" | "tower_stack" => "-without-hooks",
            _ => "",
        };
        insta::assert_snapshot!(format!("{name}{without_hooks}"), printed(&profile, &name));
    }
}

/// Builds them beside this test, with the features that `cargo test` builds them with: the folder of the profile.
fn build(examples: &[String]) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).expect("a test lies below its profile");
    let folder = profile.file_name().unwrap().to_str().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--workspace", "--locked", "--target-dir"]);
    cargo.arg(profile.parent().unwrap()).current_dir(root());
    cargo.args(["--profile", if folder == "debug" { "dev" } else { folder }]);
    cargo.args(examples.iter().flat_map(|name| ["--example", name]));
    assert!(cargo.status().expect("cargo can be started").success());
    profile.to_owned()
}

/// What it prints as cargo starts it, where nothing was found before.
fn printed(profile: &Path, name: &str) -> String {
    let found = tempfile::tempdir().unwrap();
    let program = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let mut command = Command::new(program);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HYPERLAPSE_")) {
        command.env_remove(name);
    }
    let package = [("CARGO_PKG_NAME", env!("CARGO_PKG_NAME")), ("RUST_BACKTRACE", "0")];
    command.env("HYPERLAPSE_OUT", found.path()).envs(package).current_dir(root());
    let output = command.output().expect("it was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    // Only on Linux is the host's clock that of the run.
    let of_every_host = |line: &&str| !line.starts_with("  host           asked for the time");
    let printed: Vec<&str> = printed.lines().filter(of_every_host).collect();
    let printed = printed.join("\n").replace(&found.path().display().to_string(), "FOUND");
    // What a build without tokio's hooks says of itself.
    let note = |paragraph: &&str| !paragraph.starts_with("  note: built without");
    printed.split("\n\n").filter(note).collect::<Vec<_>>().join("\n\n")
}
