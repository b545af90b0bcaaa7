//! Where a test stands: its package, its binary, the folders of its seed files, and the line that replays one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::input::{InputError, Source};
use crate::seed_file::SeedFile;

/// Where a test stands.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// As libtest knows it.
    pub(super) name: String,
    /// The scenario that its seed files name: the test itself, or one of a suite.
    scenario: String,
    /// The folder of its own among those of found failures, where its scenario may be that of other tests, too.
    apart: Option<String>,
    /// The name of its binary, without what cargo puts behind it.
    binary: &'static str,
    /// The name of what it tests: that of its binary, or a system of a suite.
    pub(super) system: &'static str,
    /// Cargo's word for the sort of binary.
    target: Option<&'static str>,
    package: Option<String>,
    folder: Option<PathBuf>,
}

impl Place {
    /// Of a test in this process.
    pub(super) fn of(name: String) -> Self {
        let exe = std::env::current_exe().unwrap_or_default();
        let stem = exe.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let binary = without_hash(&stem).replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let package = std::env::var("CARGO_PKG_NAME").ok();
        let folder = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let in_examples = exe.parent().is_some_and(|folder| folder.ends_with("examples"));
        let of_library = package.as_ref().is_some_and(|name| name.replace('-', "_") == binary);
        let target = match (in_examples, of_library) {
            (true, _) => Some("--example"),
            (false, true) => None,
            (false, false) => Some("--test"),
        };
        // A suite's names are constants; a process has one binary.
        let binary = intern(binary);
        let scenario = as_scenario(&name);
        Self { name, scenario, apart: None, binary, system: binary, target, package, folder }
    }

    /// Of a case of a suite, on this system.
    #[cfg(feature = "harness")]
    pub(super) fn on(self, system: &'static str) -> Self {
        Self { system, ..self }
    }

    /// Of a test that plays this scenario of a suite, on this system.
    pub(super) fn playing(self, scenario: &str, system: &'static str) -> Self {
        let package = self.package.as_ref().map_or(String::new(), |package| format!("{package}."));
        let apart = Some(format!("{package}{}.{}", self.binary, as_scenario(&self.name)));
        Self { scenario: scenario.to_owned(), apart, system, ..self }
    }

    /// What was known when it was compiled, where cargo does not say it now.
    pub(super) fn compiled_in(&mut self, package: &str, folder: &Path) {
        self.package.get_or_insert_with(|| package.to_owned());
        self.folder.get_or_insert_with(|| folder.to_owned());
    }

    /// The scenario that its seed files name.
    pub(super) fn scenario(&self) -> &str {
        &self.scenario
    }

    /// Whether a seed file is one of this test.
    pub(super) fn has(&self, seed_file: &SeedFile) -> bool {
        seed_file.scenario == self.scenario && seed_file.system == self.system
    }

    /// Where found failures go: in this folder, or that of what is built, `target/hyperlapse`.
    pub(super) fn found(&self, asked: Option<&Path>) -> PathBuf {
        let exe = std::env::current_exe().unwrap_or_default();
        let found = asked.map(Path::to_owned).unwrap_or_else(|| {
            // `target/debug/deps/binary`, with the name of a platform before `debug` perhaps.
            let built = exe.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
            built.unwrap_or(Path::new("target")).join("hyperlapse")
        });
        self.apart.as_ref().map_or(found.clone(), |apart| found.join(apart))
    }

    /// The name for a seed file of this test: copied into `seeds`, it meets none of another.
    pub(super) fn file_name(&self, seed_file: &SeedFile) -> String {
        format!("{}{}", self.prefix(), seed_file.file_name())
    }

    /// What tells the files of one test from those of another, where their scenario does not.
    fn prefix(&self) -> String {
        match self.apart {
            Some(_) => format!("{}-", as_scenario(&self.name)),
            None => String::new(),
        }
    }

    /// The seed files of this test, kept ones first, in the order of their names.
    ///
    /// # Errors
    /// When one that has the name of this test cannot be read.
    pub(super) fn seed_files(
        &self,
        found: &Path,
    ) -> Result<Vec<(PathBuf, Source, SeedFile)>, InputError> {
        let kept = self.folder.as_ref().map(|folder| folder.join("seeds"));
        let ours = format!("{}{}-{}-seed-", self.prefix(), self.scenario, self.system);
        let mut files = Vec::new();
        for folder in kept.as_deref().into_iter().chain([found]) {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
            paths.sort();
            for path in paths {
                let named = path.file_name().unwrap_or_default().to_string_lossy();
                match read(&path) {
                    Ok((source, seed_file)) if self.has(&seed_file) => {
                        files.push((path, source, seed_file));
                    }
                    // Whatever else lies there is somebody else's; a file with our name is ours.
                    Err(error) if named.starts_with(&ours) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(files)
    }

    /// The line that replays a seed file, to paste.
    pub(super) fn replay(&self, path: &Path) -> String {
        crate::seed_file::replay_line(&self.replay_command(), &crate::report::pasteable(path))
    }

    /// The same with `{}` for the file.
    pub(super) fn replay_command(&self) -> String {
        let package = self.package.as_ref().map(|name| format!(" -p {name}")).unwrap_or_default();
        let target = match self.target {
            Some(kind) => format!(" {kind} {}", self.binary),
            None => String::new(),
        };
        format!("HYPERLAPSE_REPLAY={{}} cargo test{package}{target} -- --exact {}", self.name)
    }
}

/// Reads a seed file.
pub(super) fn read(path: &Path) -> Result<(Source, SeedFile), InputError> {
    let source = Source::read(path)?;
    let seed_file = SeedFile::parse(&source)?;
    Ok((source, seed_file))
}

/// The name of a test as that of a scenario, which becomes part of file names.
fn as_scenario(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = name.replace("::", ".");
    let name: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    match name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        true => name,
        false => format!("t{name}"),
    }
}

/// Cargo names a test binary `name-0123456789abcdef`.
fn without_hash(stem: &str) -> &str {
    match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            name
        }
        _ => stem,
    }
}

fn intern(name: String) -> &'static str {
    static NAME: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    NAME.get_or_init(|| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        Place {
            name: name.to_owned(),
            scenario: as_scenario(name),
            apart: None,
            binary: "race",
            system: "race",
            target: Some("--test"),
            package: Some("my-pool".to_owned()),
            folder: None,
        }
    }

    #[test]
    fn what_cargo_puts_behind_a_name_is_taken_off() {
        assert_eq!(without_hash("race-0123456789abcdef"), "race");
        assert_eq!(without_hash("my-pool"), "my-pool");
    }

    #[test]
    fn a_test_becomes_a_scenario_and_a_line_to_paste() {
        assert_eq!(place("pools::none_is_lost").scenario(), "pools.none_is_lost");
        assert_eq!(place("_first").scenario(), "t_first");
        assert_eq!(place("pools::none_is_lost").playing("pool", "small").scenario(), "pool");
        assert_eq!(
            place("pools::none_is_lost").replay(Path::new("target/hyperlapse/a b.toml")),
            "HYPERLAPSE_REPLAY='target/hyperlapse/a b.toml' cargo test -p my-pool --test race -- --exact \
             pools::none_is_lost"
        );
    }
}
