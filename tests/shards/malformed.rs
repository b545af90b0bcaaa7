//! Files that are not the shards of one sweep by this build: one clear error, exit code 2, nothing printed or written.

use std::fs;
use std::path::Path;

use super::{SHARDS, folder, output, shards, text};

/// What `merge` says of these files.
fn refused(folder: &Path, files: &[&str]) -> String {
    let args = [&["merge"], files, &["--report", "json=merged.json"]].concat();
    let merged = output(folder, &args);
    let error = text(&merged.stderr);
    assert_eq!(merged.status.code(), Some(2), "{files:?}: {error}");
    assert!(merged.stdout.is_empty(), "{files:?} prints something beside its error");
    assert!(!folder.join("merged.json").exists(), "{files:?} writes a report");
    assert_eq!(error.matches("error: ").count(), 1, "{files:?} has not one error: {error}");
    format!("{}:\n{error}\n", files.join(" "))
}

/// Hashes are those of a build and of what it measured.
fn snapshot(name: &str, told: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("\"tokio_unstable\":.*", "\"tokio_unstable\":[..]");
    settings.add_filter("\"fingerprint\":.*", "\"fingerprint\":[..]");
    settings.add_filter("with(out)? tokio_unstable", "[with] tokio_unstable");
    settings.add_filter("[0-9a-f]{16}", "[hash]");
    settings.bind(|| insta::assert_snapshot!(name, told));
}

const RUN: [&str; 3] = ["user-limit", "--seeds", "0..6"];

/// Two good shards, `1` and `2`.
fn two(folder: &Path, run: &[&str]) -> [String; 2] {
    for shard in shards(folder, run, 2) {
        assert_eq!(shard.status.code(), Some(0), "{}", text(&shard.stderr));
    }
    ["1", "2"].map(|number| {
        let file = folder.join(SHARDS).join(format!("shard-{number}-of-2.jsonl"));
        let shard = fs::read_to_string(file).unwrap();
        fs::write(folder.join(number), &shard).unwrap();
        shard
    })
}

#[test]
fn files_that_are_no_shard_or_are_damaged_are_refused() {
    let folder = folder();
    let at = folder.path();
    let [_, second] = two(at, &RUN);
    assert_eq!(output(at, &["merge", "1", "2"]).status.code(), Some(0));
    let json = output(at, &["run", "user-limit", "--format", "json"]).stdout;
    let lines: Vec<&str> = second.lines().collect();
    assert_eq!(lines.len(), 5, "a head, three runs, an end");
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let damaged: [(&str, Vec<u8>); 13] = [
        ("empty", Vec::new()),
        ("not-a-shard", b"user,seed\n1,2\n".to_vec()),
        ("json-of-run", json),
        ("not-utf8", b"{\"shard\":\"\xff\"}\n".to_vec()),
        ("other-format", second.replacen("\"format\":1", "\"format\":2", 1).into()),
        ("no-such-shard", second.replacen("\"shard\":\"2/2\"", "\"shard\":\"3/2\"", 1).into()),
        (
            "other-build",
            second.replacen("\"suite\":\"conversation", "\"suite\":\"conservation", 1).into(),
        ),
        ("cut-in-the-head", lines[0][..40].into()),
        ("cut-in-a-run", [lines[0], "\n", &lines[1][..60]].concat().into()),
        ("cut-between-runs", joined(&lines[..3]).into()),
        ("a-run-less", joined(&[lines[0], lines[1], lines[3], lines[4]]).into()),
        (
            "a-run-twice",
            joined(&[lines[0], lines[1], lines[1], lines[2], lines[3], lines[4]]).into(),
        ),
        ("a-figure-changed", second.replacen("\"requested\":", "\"requested\":1", 1).into()),
    ];
    let mut told = String::new();
    for (name, bytes) in &damaged {
        fs::write(at.join(name), bytes).unwrap();
        told += &refused(at, &["1", name]);
    }
    fs::write(at.join("more-behind-it"), second.clone() + lines[4]).unwrap();
    fs::write(at.join("last-run-missing"), joined(&[lines[0], lines[1], lines[2], lines[4]]))
        .unwrap();
    told += &refused(at, &["1", "more-behind-it"]);
    told += &refused(at, &["1", "last-run-missing"]);
    told += &refused(at, &["1", "no-such-file"]);
    snapshot("damaged", &told);
}

#[test]
fn shards_that_do_not_make_one_sweep_are_refused() {
    let folder = folder();
    let at = folder.path();
    let [_, second] = two(at, &RUN);
    fs::write(at.join("2-again"), &second).unwrap();
    let mut told = refused(at, &["1"]);
    told += &refused(at, &["1", "2", "2-again"]);
    let others: [(&str, &[&str]); 8] = [
        ("other-seeds", &["user-limit", "--seeds", "0..7"]),
        ("other-scenario", &["bursts", "--seeds", "0..6"]),
        ("more-scenarios", &["user-limit", "bursts", "--seeds", "0..6"]),
        ("other-system", &["user-limit", "--seeds", "0..6", "--system", "handmade"]),
        ("other-setting", &["user-limit", "--seeds", "0..6", "--set", "deadline=2h"]),
        ("other-strategy", &["user-limit", "--seeds", "0..6", "--strategy", "pct"]),
        ("not-shrunk", &["user-limit", "--seeds", "0..6", "--no-shrink"]),
        ("other-patience", &["user-limit", "--seeds", "0..6", "--hang-after", "1m"]),
    ];
    for (name, run) in others {
        let other = super::folder();
        let [_, second] = two(other.path(), run);
        fs::write(at.join(name), second).unwrap();
        told += &refused(at, &["1", name]);
    }
    shards(at, &RUN, 3);
    told += &refused(at, &["1", "target/hyperlapse/shard-3-of-3.jsonl"]);
    told += &refused(at, &["target/hyperlapse/shard-2-of-3.jsonl"]);
    // Two sweeps have left theirs.
    told += &refused(at, &[SHARDS]);
    fs::create_dir(at.join("nothing")).unwrap();
    told += &refused(at, &["nothing"]);
    snapshot("not-one-sweep", &told);
}

#[test]
fn of_very_many_missing_shards_the_first_are_named() {
    let folder = folder();
    let shard = output(folder.path(), &["run", "user-limit", "--shard", "30/4000000000"]);
    assert_eq!(shard.status.code(), Some(0), "{}", text(&shard.stderr));
    snapshot("very-many-missing", &refused(folder.path(), &[SHARDS]));
}

#[test]
fn a_shard_with_any_byte_changed_or_cut_off_is_refused() {
    let folder = folder();
    let at = folder.path();
    let [_, second] = two(at, &["user-limit", "--seeds", "0..2"]);
    let second = second.into_bytes();
    let step = second.len() / 12;
    for place in (0..second.len()).step_by(step).chain([second.len() - 1]) {
        let mut changed = second.clone();
        changed[place] ^= 1;
        fs::write(at.join("damaged"), &changed).unwrap();
        refused(at, &["1", "damaged"]);
        fs::write(at.join("damaged"), &second[..place]).unwrap();
        refused(at, &["1", "damaged"]);
    }
}
