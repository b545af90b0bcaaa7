//! Turns that wait for a real database: what was acknowledged is what is read back, its time is the disk's, and what it
//! costs the disk stands in the record.

use std::sync::Arc;
use std::time::Duration;

use conversation_load::bot::{Attempt, Bot, BoxFuture, Counts, Reason, System, Talk};
use conversation_load::settings::ManagerSettings;
use conversation_load::stored::StoredBot;
use conversation_manager::UserId;
use hyperlapse::{Finished, Outcome, Suite};

/// Those that have a store.
const SYSTEMS: &[&str] =
    if cfg!(tokio_unstable) { &["manager-store", "gateway"] } else { &["manager-store"] };

fn run_in(suite: &Suite<System>, system: &str, set: &[&str], seed: u64) -> Finished {
    let set: Vec<_> = set.iter().map(|set| set.parse().unwrap()).collect();
    let case = suite.case("database-load", Some(system), &set).unwrap();
    let finished = suite.run(&case, seed);
    assert_eq!(finished.record.outcome, Outcome::Finished, "{system}");
    finished
}

fn run(system: &str, set: &[&str], seed: u64) -> Finished {
    run_in(&conversation_load::suite(), system, set, seed)
}

#[test]
fn what_was_acknowledged_is_read_back_under_load_and_the_run_repeats_itself() {
    for system in SYSTEMS {
        let first = run(system, &["duration=12s"], 3);
        assert!(first.verdict.passed(), "{system}: {:?}", first.verdict.failures);
        let checks = |name: &str| first.record.properties[name].checked;
        assert!(checks("acknowledged is kept") > 300 && checks("kept afterwards") > 300);
        let again = run(system, &["duration=12s"], 3);
        assert_eq!(again.record.fingerprint, first.record.fingerprint, "{system}");
        assert_eq!(again.record.io, first.record.io, "{system}");
        let other = run(system, &["duration=12s"], 4);
        assert_ne!(other.record.io, first.record.io, "{system}: the disk's times are drawn");
    }
}

/// One user, a disk whose syncs take so long and nothing else, a conversation after the other without a pause.
fn least_ms(system: &str, sync: &str) -> u64 {
    let sync = format!("database.sync={sync}");
    let set = [
        "workload={kind=\"per-user-iterations\",users=1,iterations=20}",
        "database.read=0ms",
        "database.write=0ms",
        "database.sync_bytes_per_second=0",
        "network.latency=0ms",
        "thresholds=[]",
        &sync,
    ];
    run(system, &set, 0).record.metrics.operations.response.min_ns / 1_000_000
}

#[test]
fn a_conversation_takes_the_time_of_its_commits() {
    for system in SYSTEMS {
        // The start, three messages with three replies, and the end.
        assert_eq!(least_ms(system, "0ms"), 0, "{system}");
        assert_eq!(least_ms(system, "5ms"), 8 * 5, "{system}");
        assert_eq!(least_ms(system, "50ms"), 8 * 50, "{system}");
    }
}

#[test]
fn what_a_disk_holds_is_not_taken_for_memory_of_the_service() {
    for system in SYSTEMS {
        let growth = |seconds: u64| {
            let record = run(system, &[&format!("duration={seconds}s"), "thresholds=[]"], 0).record;
            let written = record.io.disks.values().next().unwrap().all.bytes_written;
            (record.memory.unwrap().growth, written)
        };
        let ((short, few), (long, many)) = (growth(5), growth(20));
        assert!(many > 3 * few && few > 10_000_000, "{system}: {few} and {many} bytes written");
        assert!(long < short + 200_000, "{system}: {short} and then {long} bytes of heap");
    }
}

#[test]
fn disks_and_links_add_up_and_what_has_none_says_so() {
    for system in SYSTEMS {
        let io = run(system, &["duration=2s"], 1).record.io;
        let disk = io.disks.values().next().unwrap();
        let sum = |of: fn(&hyperlapse::FileIo) -> u64| disk.files.values().map(of).sum::<u64>();
        assert_eq!(disk.all.bytes_written, sum(|of| of.bytes_written), "{system}");
        assert_eq!(disk.all.reads, sum(|of| of.reads), "{system}");
        assert!(disk.all.busy_ns > sum(|of| of.busy_ns), "{system}: and take their time");
        assert!(disk.all.syncs > sum(|of| of.syncs), "{system}: directories are synced, too");
        assert!(disk.calls > 100, "{system}");
        let links: Vec<&str> = io.links.keys().map(String::as_str).collect();
        let known: &[&str] =
            if *system == "gateway" { &["server->users", "users->server"] } else { &[] };
        assert_eq!(links, known);
        for link in io.links.values() {
            assert_eq!(link.delayed_ns, link.packets * 1_000_000, "a millisecond each");
        }
    }
    let set = ["thresholds=[\"disk.syncs > 0\", \"network.bytes > 0B\"]", "duration=1s"];
    let failures = run("manager", &set, 0).verdict.failures;
    let messages: Vec<&str> = failures.iter().map(|failure| failure.message.as_str()).collect();
    assert!(messages.iter().any(|message| message.contains("no disk")), "{messages:?}");
    assert!(messages.iter().any(|message| message.contains("no network")), "{messages:?}");
}

/// How a store may betray its users.
#[derive(Clone, Copy, Debug)]
enum Betrayal {
    LosesTheLast,
    MixesTheOrder,
    SaysItTwice,
    ShowsAnothers,
    ForgetsWhatIsOver,
}

/// A bot that is right but for what it reads.
struct Betrayed {
    bot: StoredBot,
    how: Betrayal,
}

impl Bot for Betrayed {
    fn try_start(&self, user: &UserId) -> Attempt<'_> {
        self.bot.try_start(user)
    }

    fn start<'a>(&'a self, user: &'a UserId) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        self.bot.start(user)
    }

    fn start_within<'a>(
        &'a self,
        user: &'a UserId,
        within: Duration,
    ) -> BoxFuture<'a, Result<Talk<'a>, Reason>> {
        self.bot.start_within(user, within)
    }

    fn resize(&self, max_concurrent: usize) {
        self.bot.resize(max_concurrent);
    }

    fn counts(&self) -> Counts {
        self.bot.counts()
    }

    fn drain(&self, within: Duration) -> BoxFuture<'_, ()> {
        self.bot.drain(within)
    }

    fn stored<'a>(
        &'a self,
        user: &'a UserId,
        id: i64,
    ) -> BoxFuture<'a, Result<Vec<String>, Reason>> {
        Box::pin(async move {
            let mut lines = self.bot.stored(user, id).await?;
            match self.how {
                // Now and then, as mistakes are.
                _ if id % 7 != 3 => {}
                Betrayal::LosesTheLast => drop(lines.pop()),
                Betrayal::MixesTheOrder => lines.swap(1, 2),
                Betrayal::SaysItTwice => lines.insert(1, lines[0].clone()),
                Betrayal::ShowsAnothers => lines.extend(self.bot.stored(user, id - 1).await?),
                Betrayal::ForgetsWhatIsOver if lines.len() == 6 && self.is_over(user, id).await => {
                    lines.clear();
                }
                Betrayal::ForgetsWhatIsOver => {}
            }
            Ok(lines)
        })
    }
}

impl Betrayed {
    /// The number of its conversations that came later tells.
    async fn is_over(&self, user: &UserId, id: i64) -> bool {
        self.bot.stored(user, id + 1).await.is_ok_and(|later| later.len() == 6)
    }
}

#[test]
fn a_store_that_betrays_its_users_is_found() {
    for (how, property) in [
        (Betrayal::LosesTheLast, "acknowledged is kept"),
        (Betrayal::MixesTheOrder, "acknowledged is kept"),
        (Betrayal::SaysItTwice, "acknowledged is kept"),
        (Betrayal::ShowsAnothers, "acknowledged is kept"),
        (Betrayal::ForgetsWhatIsOver, "kept afterwards"),
    ] {
        let suite = conversation_load::suite().system("betrayed", "reads wrongly", move |sim| {
            let limits = sim.settings::<ManagerSettings>().0;
            Arc::new(Betrayed { bot: StoredBot::in_run(limits, sim), how })
        });
        let failures = run_in(&suite, "betrayed", &["duration=2s"], 0).verdict.failures;
        let found = failures.iter().find(|failure| failure.name == property);
        let found = found.unwrap_or_else(|| panic!("{how:?} passes: {failures:?}"));
        assert!(found.message.contains("stored; message "), "{how:?}: {}", found.message);
    }
}
