//! What `docs/guide/recipes.md` says of each thing, tried.

use std::collections::BTreeSet;
#[cfg(target_os = "linux")]
use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use hyperlapse::{AllAtOnce, EventKind, Record, RunOptions, Scenario, Sim, Verdict};

/// One run of a body.
fn record<Fut: Future<Output = ()> + Send + 'static>(
    seed: u64,
    body: impl FnOnce(Sim) -> Fut + Send + 'static,
) -> Record {
    let scenario = Scenario::builder("recipe", AllAtOnce::users(1)).build().unwrap();
    hyperlapse::run(&scenario, RunOptions::seed(seed), body)
}

/// What fails in it, as a report says it; nothing where it holds.
fn failure(record: &Record) -> String {
    let verdict = Verdict::of(record, &[]);
    verdict.failures.first().map_or(String::new(), |failure| failure.message.clone())
}

/// What a body comes to in a run that holds.
fn came_to<Fut: Future<Output = String> + Send + 'static>(
    seed: u64,
    body: impl FnOnce(Sim) -> Fut + Send + 'static,
) -> String {
    let record = record(seed, |sim| async move { sim.note(body(sim.clone()).await) });
    assert_eq!(failure(&record), "");
    let note = |kind: &EventKind| match kind {
        EventKind::Note(text) => Some(text.to_string()),
        _ => None,
    };
    record.kept_events.iter().find_map(|event| note(&event.kind)).expect("it was noted")
}

#[test]
fn every_clock_tells_virtual_time() {
    let minutes = Duration::from_secs(59 * 60);
    let told = came_to(0, move |sim| async move {
        let (tokio, std) = (tokio::time::Instant::now(), Instant::now());
        tokio::time::sleep(minutes).await;
        assert_eq!((sim.now(), tokio.elapsed()), (minutes, minutes));
        #[cfg(target_os = "linux")]
        assert_eq!((std.elapsed(), SystemTime::now()), (minutes, sim.wall_clock()));
        let _ = (std, SystemTime::now());
        tokio::time::sleep(Duration::from_micros(100)).await;
        format!("{:?}", tokio.elapsed() - minutes)
    });
    assert_eq!(told, "1ms");
}

#[test]
fn an_hour_without_an_event_needs_a_deadline() {
    let two_hours = Duration::from_secs(7_200);
    let fails = record(0, move |_| tokio::time::sleep(two_hours));
    assert!(failure(&fails).starts_with("after 1 h 00 min of virtual time"), "{}", failure(&fails));
    let scenario = Scenario::builder("recipe", AllAtOnce::users(1)).deadline(two_hours * 2);
    let scenario = scenario.build().unwrap();
    let holds =
        hyperlapse::run(&scenario, RunOptions::seed(0), move |_| tokio::time::sleep(two_hours));
    assert_eq!(failure(&holds), "");
}

#[test]
fn time_is_not_moved_by_hand() {
    let record = record(0, |sim| async move {
        // It is seen where somebody has looked at the time before.
        sim.note("before");
        tokio::time::advance(Duration::from_secs(1)).await;
        sim.sleep(Duration::from_secs(1)).await;
    });
    assert!(failure(&record).contains("time was moved by hand"), "{}", failure(&record));
}

#[test]
fn a_sleep_of_std_takes_the_hosts_time_and_no_other() {
    let began = Instant::now();
    let told = came_to(0, |sim| async move {
        std::thread::sleep(Duration::from_millis(30));
        format!("{:?}", sim.now())
    });
    assert!(told == "0ns" && began.elapsed() >= Duration::from_millis(30), "{told}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_map_has_an_order_for_each_seed() {
    let order = |seed| {
        came_to(seed, |_| async {
            let map: HashMap<u32, ()> = (0..8).map(|n| (n, ())).collect();
            map.keys().map(u32::to_string).collect::<Vec<_>>().join(" ")
        })
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
#[cfg(tokio_unstable)]
fn select_draws_from_the_seed() {
    let order = |seed| {
        came_to(seed, |_| async {
            let mut seen = String::new();
            for _ in 0..16 {
                tokio::select! {
                    () = std::future::ready(()) => seen.push('a'),
                    () = std::future::ready(()) => seen.push('b'),
                }
            }
            seen
        })
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
}

#[test]
fn while_something_blocks_virtual_time_stands_still_and_the_host_is_asked() {
    let told = came_to(0, |sim| async move {
        let timer = tokio::spawn(tokio::time::sleep(Duration::from_secs(5)));
        let blocks = || {
            std::thread::sleep(Duration::from_millis(20));
            SystemTime::now()
        };
        let there = tokio::task::spawn_blocking(blocks).await.unwrap();
        let here = (sim.now(), there < sim.wall_clock());
        timer.await.unwrap();
        format!("{here:?} {:?}", sim.now())
    });
    // The run's wall clock begins in 2030.
    assert_eq!(told, "(0ns, true) 5s");
}

#[test]
fn what_blocks_side_by_side_ends_in_an_order_of_the_hosts() {
    let order = || {
        came_to(3, |_| async {
            let (say, mut hear) = tokio::sync::mpsc::unbounded_channel();
            for n in 0..8 {
                let say = say.clone();
                tokio::spawn(async move {
                    tokio::task::spawn_blocking(std::thread::yield_now).await.unwrap();
                    say.send(n).unwrap();
                });
            }
            drop(say);
            let mut order = String::new();
            while let Some(n) = hear.recv().await {
                order += &format!("{n} ");
            }
            order
        })
    };
    let orders: BTreeSet<String> = (0..500).map(|_| order()).collect();
    assert!(orders.len() > 1, "{orders:?}");
}

#[test]
fn nothing_blocks_in_place() {
    let record = record(0, |_| async { tokio::task::block_in_place(|| ()) });
    assert!(failure(&record).contains("can call blocking only when"), "{}", failure(&record));
}

#[test]
fn a_run_does_not_wait_for_a_thread() {
    let record = record(0, |_| async {
        let (say, hear) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            let _ = say.send(());
        });
        hear.await.unwrap();
    });
    let told = failure(&record);
    assert!(told.contains("the scenario's body was still waiting"), "{told}");
}

#[test]
fn files_are_the_hosts_and_take_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let told = came_to(0, |sim| async move {
        std::fs::write(&path, "there").unwrap();
        format!("{} {:?}", std::fs::read_to_string(&path).unwrap(), sim.now())
    });
    assert_eq!(told, "there 0ns");
}

#[test]
fn sockets_and_signals_of_the_host_are_refused() {
    let socket = record(0, |_| async {
        let _ = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    });
    assert!(failure(&socket).contains("IO is disabled"), "{}", failure(&socket));
    let signal = record(0, |_| async {
        let _ = tokio::signal::ctrl_c().await;
    });
    assert_ne!(failure(&signal), "");
}

/// Two hosts, and a connection between them.
#[test]
#[cfg(tokio_unstable)]
fn a_socket_of_the_simulation_is_one_type_to_name() {
    use hyperlapse::net::{Network, NetworkOptions, TcpListener};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let told = came_to(0, |sim| async move {
        let network = Network::new(&sim, &["users", "server"], &NetworkOptions::default()).unwrap();
        let address = network.address("server");
        let server = network.run("server", move |_| async move {
            let listener = TcpListener::bind((address, 80)).await.unwrap();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                stream.write_all(b"hello").await.unwrap();
            }
        });
        let mut stream = network.connect("server", 80).await.unwrap();
        let mut hello = [0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        drop(server);
        String::from_utf8(hello.to_vec()).unwrap()
    });
    assert_eq!(told, "hello");
}

/// SQLite on a disk of the simulation.
#[test]
fn a_row_that_is_committed_is_there_after_a_crash() {
    use hyperlapse::Streams;
    use hyperlapse::disk::{self, Disk, DiskOptions};
    use rusqlite::{Connection, OpenFlags};

    let told = came_to(0, |sim| async move {
        let disk = Disk::new("server", &Streams::new(sim.seed()), DiskOptions::default()).unwrap();
        let _mounted = disk.mount().unwrap();
        let path = disk.path("app.db");
        let open = || Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), disk::VFS);

        let database = open().unwrap();
        database.execute_batch("PRAGMA synchronous = EXTRA; CREATE TABLE seats (n)").unwrap();
        database.execute("INSERT INTO seats VALUES (7)", ()).unwrap();
        sim.sleep(disk.take_elapsed()).await;
        disk.cut_power();
        drop(database);
        disk.restart();
        let n: i64 =
            open().unwrap().query_row("SELECT n FROM seats", (), |row| row.get(0)).unwrap();
        n.to_string()
    });
    assert_eq!(told, "7");
}

#[test]
fn a_static_outlives_a_run() {
    static SEEN: AtomicU64 = AtomicU64::new(0);
    let seen = || came_to(0, |_| async { SEEN.fetch_add(1, Ordering::Relaxed).to_string() });
    assert_eq!((seen(), seen()), ("0".to_owned(), "1".to_owned()));
}

#[test]
fn what_is_left_when_the_body_ends_is_dropped() {
    let told = record(0, |_| async {
        tokio::spawn(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            panic!("nobody comes here");
        });
    });
    assert_eq!(failure(&told), "");
}

#[test]
fn a_subscriber_hears_every_run() {
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    static HEARD: AtomicU64 = AtomicU64::new(0);

    struct Counts;

    impl Subscriber for Counts {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.target() == "recipe"
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, _: &Event<'_>) {
            HEARD.fetch_add(1, Ordering::Relaxed);
        }
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    tracing::subscriber::set_global_default(Counts).unwrap();
    let says = |_| async { tracing::info!(target: "recipe", "here") };
    hyperlapse::Test::new("says").seeds(30).run(says);
    assert_eq!(HEARD.load(Ordering::Relaxed), 30);
}
