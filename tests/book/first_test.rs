//! `docs/guide/first-test.md`: its crate stands in `wallet/`; here it goes the way of the page, in a folder of its own.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::pages::root;

const PAGE: &str = "docs/guide/first-test.md";

/// What stands in the text block of the page behind this marker.
fn shown(marker: &str) -> String {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let (_, rest) = page.split_once(&mark(marker)).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

fn mark(marker: &str) -> String {
    format!("<!-- report: {marker} -->\n```text\n")
}

/// The page shows what is printed from here up to there; with `BOOK=overwrite` it does so from now on.
fn is_shown(marker: &str, told: &str, from: &str, to: &str) {
    let start = told.find(from).unwrap_or_else(|| panic!("{from} is not printed: {told}"));
    let end = told[start..].find(to).unwrap_or_else(|| panic!("{to} is not printed: {told}"));
    let printed = format!("{}\n", told[start..start + end].trim_end());
    if std::env::var("BOOK").is_ok_and(|what| what == "overwrite") {
        let page = fs::read_to_string(root().join(PAGE)).unwrap();
        let (before, rest) = page.split_once(&mark(marker)).unwrap();
        let (_, after) = rest.split_once("```").unwrap();
        let page = format!("{before}{}{printed}```{after}", mark(marker));
        fs::write(root().join(PAGE), page).unwrap();
    }
    assert_eq!(shown(marker), printed, "{PAGE} shows something else of {told}");
}

/// Somebody's crate.
struct Wallet {
    folder: tempfile::TempDir,
}

impl Wallet {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let wallet = Self { folder };
        for name in ["Cargo.toml", "src/lib.rs", "tests/plain.rs", "tests/pay.rs"] {
            wallet.write(name, &given(name));
        }
        let framework = root().join("sim/hyperlapse").display().to_string();
        wallet.write(
            "Cargo.toml",
            &given("Cargo.toml").replace("../../../sim/hyperlapse", &framework),
        );
        fs::copy(root().join("Cargo.lock"), wallet.root().join("Cargo.lock")).unwrap();
        // One for all that is compiled as strangers do, without what earlier runs have found.
        let _ = fs::remove_dir_all(Self::target().join("hyperlapse"));
        wallet
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("wallet")
    }

    fn target() -> &'static Path {
        Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/stranger"))
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Whether its tests hold, and what they print, with the paths of one who has it all in a home.
    fn tested(&self, args: &[&str], variables: &[(&str, &str)]) -> (bool, String) {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--quiet"]).args(args).current_dir(self.root());
        cargo.env("RUST_BACKTRACE", "0").env("RUSTFLAGS", "");
        cargo.env("CARGO_TARGET_DIR", Self::target()).envs(variables.iter().copied());
        let output = cargo.output().unwrap();
        let told =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        let told = told.replace(Self::target().to_str().unwrap(), "/src/wallet/target");
        (output.status.success(), told)
    }
}

/// A file of the crate as it is kept.
fn given(name: &str) -> String {
    fs::read_to_string(root().join("tests/book/wallet").join(name)).unwrap()
}

#[test]
#[ignore = "compiles the framework once more: `.ci/run` does it"]
fn the_first_test_fails_is_told_is_replayed_and_is_put_right_as_its_page_says() {
    let wallet = Wallet::new();
    let (held, told) = wallet.tested(&["--test", "plain"], &[]);
    assert!(held, "{told}");

    let (held, told) = wallet.tested(&["--test", "pay"], &[]);
    assert!(!held, "{told}");
    is_shown("found", &told, "nobody_overdraws fails", "\n  note: built");
    is_shown("told", &told, "shrunk  nobody", "\nnote: run with");

    // The line of the smallest run.
    let line = shown("told");
    let (_, line) = line.split_once("HYPERLAPSE_REPLAY=").unwrap();
    let (file, command) = line.lines().next().unwrap().split_once(' ').unwrap();
    assert_eq!(command, "cargo test -p wallet --test pay -- --exact nobody_overdraws");
    let file = file.replace("/src/wallet/target", Wallet::target().to_str().unwrap());
    let replay = [("HYPERLAPSE_REPLAY", &*file)];
    let (held, told) = wallet.tested(&["--test", "pay"], &replay);
    assert!(!held, "{told}");
    is_shown("replayed", &told, "nobody_overdraws fails by", "\n\nFAIL");

    wallet.write("src/lib.rs", &given("fixed.rs"));
    let (held, told) = wallet.tested(&["--test", "pay", "--", "--nocapture"], &[]);
    assert!(held, "{told}");
    is_shown("held", &told, "nobody_overdraws: ", "\n");
}
