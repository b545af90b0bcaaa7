//! The ready files for CI in `ci/`: they are read as what will read them does, and every command in them is run as it
//! stands, by a shell, in the order of their jobs, with the real suite and a few seeds. Only `cargo` and `gh` are stand-ins.
#![cfg(unix)]

#[path = "cli/command.rs"]
mod command;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml(name: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list")).iter()
}

/// A few seeds in place of very many.
const SEEDS: &str = "0..8";

/// A checkout in which jobs run one after the other. What one of them leaves is there for the next, as artifacts are.
struct Checkout {
    folder: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("target/release")).unwrap();
        fs::create_dir_all(at("bin")).unwrap();
        fs::copy(command::path(), at("target/release/conversation-load")).unwrap();
        symlink(at("target/release/conversation-load"), at("bin/conversation-load")).unwrap();
        for name in ["cargo", "gh"] {
            let stand_in = "#!/bin/sh\necho \"$(basename \"$0\") $*\" >> \"$CALLS\"\n";
            fs::write(at("bin").join(name), stand_in).unwrap();
            fs::set_permissions(at("bin").join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Runs a script as these systems do: it ends with the first command that fails.
    fn run(&self, script: &str, variables: &BTreeMap<String, String>) -> Output {
        assert!(!script.contains("${{"), "an expression that the test does not know: {script}");
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("bash");
        // Where the tests themselves run.
        for name in ["CI_NODE_INDEX", "CI_NODE_TOTAL", "CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL"] {
            shell.env_remove(name);
        }
        shell
            .args(["-e", "-u", "-c", script])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("CALLS", self.path("calls"))
            .env("GITHUB_OUTPUT", self.path("output"))
            .env("GITHUB_STEP_SUMMARY", self.path("summary"))
            .envs(variables)
            .output()
            .expect("there is a bash")
    }

    /// The same, where it must end well.
    fn runs(&self, script: &str, variables: &BTreeMap<String, String>) -> String {
        let output = self.run(script, variables);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}\n{variables:?}\n{error}");
        assert_eq!(error, "", "{script}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// How many shards there are in the folder of seed files.
    fn shards(&self) -> usize {
        let entries = self.path("target/hyperlapse").read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("shard-")).count()
    }
}

/// The expressions of a workflow, as far as commands are given them.
struct Expressions<'a> {
    shard: Option<u64>,
    seeds: &'a str,
}

impl Expressions<'_> {
    fn fill(&self, text: &str) -> String {
        let shard = self.shard.map_or(String::new(), |shard| shard.to_string());
        [
            ("${{ matrix.shard }}", &*shard),
            ("${{ strategy.job-total }}", "8"),
            ("${{ needs.build.outputs.seeds }}", self.seeds),
            ("${{ inputs.seeds }}", ""),
            ("${{ github.token }}", "token"),
            ("${{ github.event.pull_request.html_url }}", "https://example.com/pull/1"),
        ]
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn variables(&self, of: &[&Value]) -> BTreeMap<String, String> {
        let all = of.iter().filter_map(|value| value["env"].as_object()).flatten();
        let mut variables: BTreeMap<String, String> =
            all.map(|(name, value)| (name.clone(), self.fill(word(value)))).collect();
        variables.insert("GITHUB_RUN_NUMBER".into(), "3".into());
        variables
    }
}

/// Plays the steps of a job. Gives how many commands there were.
fn play(
    checkout: &Checkout,
    workflow: &Value,
    job: &Value,
    expressions: &Expressions<'_>,
) -> usize {
    let steps: Vec<&Value> = list(&job["steps"]).filter(|step| step["run"].is_string()).collect();
    for step in &steps {
        let mut variables = expressions.variables(&[workflow, job, step]);
        if let Some(seeds) = variables.get_mut("SEEDS") {
            *seeds = SEEDS.to_owned();
        }
        checkout.runs(&expressions.fill(word(&step["run"])), &variables);
    }
    steps.len()
}

#[test]
fn the_workflow_of_a_pull_request_runs_reports_and_comments() {
    let [workflow] = &yaml("github/pull-request.yml")[..] else { panic!("one workflow") };
    let checkout = Checkout::new();
    let expressions = Expressions { shard: None, seeds: SEEDS };
    assert_eq!(play(&checkout, workflow, &workflow["jobs"]["sweep"], &expressions), 4);
    assert!(checkout.read("summary").starts_with("### ✅ 10 scenarios: all held"));
    assert!(checkout.read("target/junit.xml").contains("<testsuites"));
    let calls = checkout.read("calls");
    assert_eq!(calls.lines().count(), 2, "{calls}");
    assert!(calls.starts_with("cargo build --release --locked --package conversation-load\n"));
    let comment = "gh pr comment https://example.com/pull/1 --body-file target/report.md";
    assert!(calls.contains(comment), "{calls}");
}

#[test]
fn the_nightly_workflow_builds_once_and_merges_every_shard_of_its_matrix() {
    let [workflow] = &yaml("github/nightly.yml")[..] else { panic!("one workflow") };
    let checkout = Checkout::new();
    let jobs = &workflow["jobs"];
    let plain = Expressions { shard: None, seeds: SEEDS };
    play(&checkout, workflow, &jobs["build"], &plain);
    assert_eq!(checkout.read("output"), "seeds=60000..80000\n");
    let shards = &jobs["sweep"]["strategy"]["matrix"]["shard"];
    assert_eq!(*shards, json!([1, 2, 3, 4, 5, 6, 7, 8]));
    for shard in list(shards) {
        let expressions = Expressions { shard: shard.as_u64(), seeds: SEEDS };
        play(&checkout, workflow, &jobs["sweep"], &expressions);
    }
    assert_eq!(checkout.shards(), 8);
    play(&checkout, workflow, &jobs["merge"], &plain);
    assert!(checkout.read("summary").starts_with("### ✅ 3 scenarios: all held"));
    assert!(checkout.read("target/reports/hyperlapse.html").contains("seeds 0..8, in 24 runs"));
}

#[test]
fn paths_of_artifacts_are_where_the_commands_write() {
    for name in ["github/pull-request.yml", "github/nightly.yml"] {
        let [workflow] = &yaml(name)[..] else { panic!("one workflow") };
        let mut up = Vec::new();
        let mut down = Vec::new();
        for job in workflow["jobs"].as_object().unwrap().values() {
            for step in list(&job["steps"]).filter(|step| step["uses"].is_string()) {
                let (uses, with) = (word(&step["uses"]), &step["with"]);
                if uses.starts_with("actions/upload-artifact@") {
                    let paths = word(&with["path"]).lines().map(str::trim);
                    assert!(
                        paths.clone().all(|path| path.starts_with("target/")),
                        "{name}: {with}"
                    );
                    up.push(word(&with["name"]).replace("${{ matrix.shard }}", "1"));
                } else if uses.starts_with("actions/download-artifact@") {
                    let of = with["name"].as_str().or(with["pattern"].as_str()).unwrap();
                    down.push(of.trim_end_matches('*').to_owned());
                }
            }
        }
        for name in down {
            assert!(up.iter().any(|up| up.starts_with(&name)), "{name} is downloaded by nobody");
        }
    }
}

#[test]
fn the_pipeline_of_gitlab_merges_every_shard() {
    let [pipeline] = &yaml("gitlab.yml")[..] else { panic!("one pipeline") };
    let checkout = Checkout::new();
    let mut variables: BTreeMap<String, String> = pipeline["variables"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), word(value).to_owned()))
        .collect();
    variables.insert("SEEDS".into(), SEEDS.into());
    let play = |job: &str, more: &[(&str, String)]| {
        for script in list(&pipeline[job]["script"]) {
            let mut variables = variables.clone();
            variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            checkout.runs(word(script), &variables);
        }
    };
    play("load-build", &[]);
    let of = pipeline["load-sweep"]["parallel"].as_u64().unwrap();
    for index in 1..=of {
        let set = [("CI_NODE_INDEX", index.to_string()), ("CI_NODE_TOTAL", of.to_string())];
        play("load-sweep", &set);
    }
    assert_eq!(checkout.shards() as u64, of);
    play("load-merge", &[]);
    assert!(checkout.read("target/junit.xml").contains("<testsuites"));
}

/// What the one container of a Job is started with, and its variables.
fn container(job: &Value, volume: &Path) -> (String, BTreeMap<String, String>) {
    let [container] = &job["spec"]["template"]["spec"]["containers"].as_array().unwrap()[..] else {
        panic!("one container")
    };
    let args = list(&container["args"]).map(|arg| match word(arg) {
        "0..20000" => SEEDS.to_owned(),
        arg => arg.replace("/sweep", &volume.display().to_string()),
    });
    let args: Vec<String> = args.collect();
    let variables = container["env"].as_array().into_iter().flatten();
    let variables = variables.map(|set| (word(&set["name"]).into(), word(&set["value"]).into()));
    (format!("conversation-load {}", args.join(" ")), variables.collect())
}

#[test]
fn the_indexed_job_of_kubernetes_runs_every_shard_and_the_other_merges_them() {
    let sweep = yaml("kubernetes/sweep.yaml");
    let job = sweep.iter().find(|one| one["kind"] == "Job").unwrap();
    let spec = &job["spec"];
    assert_eq!(spec["completionMode"], "Indexed");
    let checkout = Checkout::new();
    let volume = checkout.path("target/hyperlapse");
    let (script, variables) = container(job, &volume);
    assert_eq!(variables["HYPERLAPSE_SHARDS"], spec["completions"].to_string());
    assert!(script.contains("--seeds 0..8"), "{script}");
    for index in 0..spec["completions"].as_u64().unwrap() {
        let mut variables = variables.clone();
        variables.insert("JOB_COMPLETION_INDEX".into(), index.to_string());
        checkout.runs(&script, &variables);
    }
    let [merge] = &yaml("kubernetes/merge.yaml")[..] else { panic!("one job") };
    let (script, variables) = container(merge, &volume);
    let told = checkout.runs(&script, &variables);
    assert!(told.contains("\n3 scenarios in 24 runs: 3 passed, 0 failed\n"), "{told}");
    // The codes after which a shard is not run again are those that say the same the next time.
    let codes = &spec["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"];
    let exit =
        [hyperlapse::exit::FAILED, hyperlapse::exit::USAGE, hyperlapse::exit::NONDETERMINISM];
    assert_eq!(*codes, json!(exit));
}

#[test]
fn the_profile_of_nextest_is_toml_and_hides_no_failure_behind_a_retry() {
    let profile: toml::Table = file("nextest.toml").parse().unwrap();
    let load = &profile["profile"]["load"];
    assert_eq!(load["retries"].as_integer(), Some(0));
    assert_eq!(load["fail-fast"].as_bool(), Some(false));
    assert!(load["junit"]["path"].is_str());
}

#[test]
fn every_ready_file_is_explained() {
    let page = include_str!("../docs/ci.md");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci");
    let mut folders = vec![root.clone()];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&root).unwrap().display().to_string();
            assert!(page.contains(&format!("(../ci/{name})")), "docs/ci.md says nothing of {name}");
            found += 1;
        }
    }
    assert_eq!(found, 6);
}
