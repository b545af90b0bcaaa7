//! Hosts, links and crashes of a network in a run.
#![cfg(tokio_unstable)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyperlapse::decision::{DecisionKind, Fault, StrategyChoice};
use hyperlapse::net::{LinkOptions, Network, NetworkError, NetworkOptions, TcpListener, TcpStream};
use hyperlapse::{AllAtOnce, Distribution, Outcome, Property, Record, RunOptions, Scenario, Sim};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;

/// Sends back what it gets, in connections that it owns.
async fn echo(address: std::net::IpAddr) {
    let listener = TcpListener::bind((address, 80)).await.expect("the port is free after a crash");
    let mut connections = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.expect("the network is there");
        connections.spawn(async move {
            let mut buffer = [0; 1_024];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                if stream.write_all(&buffer[..read]).await.is_err() {
                    break;
                }
            }
        });
    }
}

async fn ask(stream: &mut TcpStream, question: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(question).await?;
    let mut answer = vec![0; question.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn latency(latency: u64) -> NetworkOptions {
    NetworkOptions { latency: Distribution::Constant(ms(latency)), ..NetworkOptions::default() }
}

const DONE: Property = Property::eventually("done", "the body came to its end");

fn run_with<F, Fut>(scenario: &Scenario, options: RunOptions, body: F) -> Record
where
    F: FnOnce(Sim) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let record = hyperlapse::run(scenario, options, |sim| async move {
        body(sim.clone()).await;
        sim.check(&DONE, true);
    });
    assert_eq!(record.outcome, Outcome::Finished, "{:?}", record.panics);
    record
}

fn run<F, Fut>(body: F) -> Record
where
    F: FnOnce(Sim) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let scenario = Scenario::builder("network", AllAtOnce::users(1)).build().unwrap();
    run_with(&scenario, RunOptions::seed(1), body)
}

/// A network of users and a server that echoes.
fn with_echo(sim: &Sim, options: &NetworkOptions) -> (Network, hyperlapse::net::Host) {
    let network = Network::new(sim, &["users", "server"], options).unwrap();
    let address = network.address("server");
    let server = network.run("server", move |_| echo(address));
    (network, server)
}

#[test]
fn an_answer_takes_the_latency_of_both_ways() {
    run(|sim| async move {
        let mut options = latency(10);
        options.links.push(LinkOptions {
            from: "server".to_owned(),
            to: "users".to_owned(),
            latency: Some(Distribution::Constant(ms(35))),
            loss: None,
        });
        let (network, _server) = with_echo(&sim, &options);
        let mut stream = network.connect("server", 80).await.unwrap();
        assert_eq!(sim.now(), ms(45), "there and back once, for the handshake");
        assert_eq!(ask(&mut stream, b"hello").await.unwrap(), b"hello");
        assert_eq!(sim.now(), ms(90));
        // More than a segment, and more than a window.
        let long: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let question = long.clone();
        let asked = tokio::spawn(async move { writer.write_all(&question).await });
        let mut answer = vec![0; long.len()];
        reader.read_exact(&mut answer).await.unwrap();
        asked.await.unwrap().unwrap();
        assert!(answer == long);
        assert!(network.traffic().bytes > 400_000);
    });
}

#[test]
fn nobody_listens_is_refused_and_a_dead_host_is_silent_until_it_is_back() {
    run(|sim| async move {
        let (network, server) = with_echo(&sim, &latency(5));
        let refused = network.connect("server", 81).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);

        let mut stream = network.connect("server", 80).await.unwrap();
        server.crash(ms(3_000));
        let at = sim.now();
        let answer = tokio::time::timeout(ms(1_000), ask(&mut stream, b"anybody?")).await;
        assert!(answer.is_err(), "a host that has crashed answers nothing: {answer:?}");
        // What was sent meanwhile is sent again, until somebody answers that there is no such connection.
        let mut byte = [0];
        let reset = stream.read(&mut byte).await.unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        assert!(sim.now() - at >= ms(3_000), "not before it is back: {:?}", sim.now() - at);
        assert_eq!(server.crashes(), 1);
        let mut stream = network.connect("server", 80).await.unwrap();
        assert_eq!(ask(&mut stream, b"again").await.unwrap(), b"again");
    });
}

#[test]
fn what_ran_on_a_host_is_dropped_when_it_crashes_and_starts_from_its_beginning() {
    struct Alive(Arc<AtomicU64>);
    impl Drop for Alive {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    run(|sim| async move {
        let network = Network::new(&sim, &["users", "server"], &latency(1)).unwrap();
        let (alive, starts) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (of_host, counted) = (Arc::clone(&alive), Arc::clone(&starts));
        let server = network.run("server", move |boot| {
            let (alive, starts) = (Arc::clone(&of_host), Arc::clone(&counted));
            async move {
                assert_eq!(starts.fetch_add(1, Ordering::Relaxed), boot.crashes);
                let mut children = JoinSet::new();
                for _ in 0..10 {
                    alive.fetch_add(1, Ordering::Relaxed);
                    let guard = Alive(Arc::clone(&alive));
                    children.spawn(async move {
                        let _guard = guard;
                        std::future::pending::<()>().await;
                    });
                }
                std::future::pending::<()>().await;
            }
        });
        for crash in 0..3 {
            sim.sleep(ms(100)).await;
            assert_eq!(alive.load(Ordering::Relaxed), 10);
            server.crash(ms(50));
            sim.sleep(ms(10)).await;
            assert_eq!(alive.load(Ordering::Relaxed), 0, "after crash {crash}");
        }
        sim.sleep(ms(100)).await;
        assert_eq!((server.crashes(), starts.load(Ordering::Relaxed)), (3, 4));
        drop(server);
        sim.sleep(ms(1)).await;
        assert_eq!(alive.load(Ordering::Relaxed), 0, "with its host");
    });
}

#[test]
fn a_cut_delays_what_is_sent_until_the_next_attempt_after_it() {
    run(|sim| async move {
        let (network, _server) = with_echo(&sim, &latency(5));
        let mut stream = network.connect("server", 80).await.unwrap();
        let at = sim.now();
        // One way: the question arrives, the answer is sent again after 200, 600, 1,400 ms.
        network.cut("server", "users", ms(1_000));
        assert_eq!(ask(&mut stream, b"hello").await.unwrap(), b"hello");
        assert_eq!(sim.now() - at, ms(5 + 1_400 + 5));
        let at = sim.now();
        network.hold("users", "server");
        let asking = tokio::spawn(async move { ask(&mut stream, b"held").await });
        sim.sleep(ms(7_000)).await;
        assert!(!asking.is_finished());
        network.release("users", "server");
        assert_eq!(asking.await.unwrap().unwrap(), b"held");
        assert_eq!(sim.now() - at, ms(7_000 + 5), "what was held has been under way");
    });
}

fn lossy(seed: u64) -> Record {
    let scenario = Scenario::builder("network", AllAtOnce::users(5))
        .decisions([DecisionKind::Yield, DecisionKind::Postpone, DecisionKind::Delay])
        .build()
        .unwrap();
    let options = RunOptions { strategy: StrategyChoice::Random, ..RunOptions::seed(seed) };
    run_with(&scenario, options, |sim| async move {
        let options = NetworkOptions {
            latency: Distribution::Uniform(ms(1), ms(20)),
            loss: 0.05,
            ..NetworkOptions::default()
        };
        let (network, _server) = with_echo(&sim, &options);
        let of_users = network.clone();
        sim.drive(move |user| {
            let network = of_users.clone();
            async move {
                let mut operation = user.operation();
                let mut stream = network.connect("server", 80).await.unwrap();
                operation.accepted();
                for turn in 0..20u8 {
                    let question = [turn; 3_000];
                    assert_eq!(ask(&mut stream, &question).await.unwrap(), question);
                }
                operation.completed();
            }
        })
        .await;
        assert!(network.traffic().retransmitted > 10);
    })
}

#[test]
fn with_loss_everything_arrives_later_and_the_same_seed_is_the_same_run() {
    let record = lossy(3);
    assert_eq!(record.metrics.operations.completed, 5);
    assert!(record.metrics.operations.response.max_ns > 1_000_000_000);
    assert_eq!(lossy(3).fingerprint, record.fingerprint);
    assert_ne!(lossy(4).fingerprint, record.fingerprint);
}

fn struck(faults: &[Fault], strategy: StrategyChoice, seed: u64) -> Record {
    let mut scenario = Scenario::builder("network", AllAtOnce::users(3));
    for fault in faults {
        scenario = scenario.fault(fault.clone());
    }
    let options = RunOptions { strategy, ..RunOptions::seed(seed) };
    run_with(&scenario.build().unwrap(), options, |sim| async move {
        let (network, _server) = with_echo(&sim, &latency(2));
        sim.drive(move |user| {
            let network = network.clone();
            async move {
                let mut operation = user.operation();
                operation.accepted();
                // A client that tries again until it has its answers. Without a deadline it would wait for ever for one
                // from a host that crashed after it had acknowledged the question.
                let mut answers = 0;
                while answers < 10 {
                    let Ok(mut stream) = network.connect("server", 80).await else {
                        user.sleep(ms(100)).await;
                        continue;
                    };
                    while answers < 10 {
                        let answer = tokio::time::timeout(ms(5_000), ask(&mut stream, b"question"));
                        let Ok(Ok(_)) = answer.await else { break };
                        answers += 1;
                    }
                }
                operation.completed();
            }
        })
        .await;
    })
}

#[test]
fn faults_of_the_network_strike_as_decisions_that_are_replayed() {
    let fault = |kind, site: &str, rate| Fault::new(kind, site, rate);
    let all = [
        fault(DecisionKind::Lose, "users->server", 0.1),
        fault(DecisionKind::Slow, "server->users", 0.1),
        Fault { at_most: Some(1), ..fault(DecisionKind::Cut, "server--users", 0.05) },
        Fault { at_most: Some(2), amount: 700, ..fault(DecisionKind::Crash, "server", 0.05) },
    ];
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..10 {
        let record = struck(&all, StrategyChoice::None, seed);
        assert_eq!(record.metrics.operations.completed, 3);
        seen.extend(record.decisions.iter().map(|decision| decision.kind));
        let again = StrategyChoice::replay(record.decisions.clone());
        let replayed = struck(&all, again, seed);
        assert_eq!(replayed.fingerprint, record.fingerprint, "seed {seed}");
        assert_eq!(replayed.decisions, record.decisions);
    }
    let kinds = [DecisionKind::Slow, DecisionKind::Lose, DecisionKind::Cut, DecisionKind::Crash];
    assert!(kinds.iter().all(|kind| seen.contains(kind)), "{seen:?}");
}

#[test]
fn hosts_that_are_not_there_are_an_error() {
    run(|sim| async move {
        let mut options = latency(1);
        options.links.push(LinkOptions {
            from: "users".to_owned(),
            to: "sever".to_owned(),
            latency: None,
            loss: Some(0.5),
        });
        let error = Network::new(&sim, &["users", "server"], &options).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a link names the host `sever`, which does not exist; there are users, server"
        );
        let error = Network::new(&sim, &["a", "a"], &latency(1)).unwrap_err();
        assert_eq!(error, NetworkError::TwoOfOneName("a".to_owned()));
    });
}

#[test]
fn links_count_what_arrives_what_is_lost_and_how_long_it_was_under_way() {
    let scenario = Scenario::builder("counted", AllAtOnce::users(1)).build().unwrap();
    let run = |loss: f64| {
        let traffic = Arc::new(std::sync::Mutex::new(None));
        let told = Arc::clone(&traffic);
        let record = run_with(&scenario, RunOptions::seed(3), move |sim| async move {
            let options = NetworkOptions { loss, ..latency(4) };
            let network = Network::new(&sim, &["users", "server"], &options).unwrap();
            let address = network.address("server");
            let _host = network.run("server", move |_| echo(address));
            tokio::time::sleep(ms(1)).await;
            let mut stream = network.connect("server", 80).await.unwrap();
            for _ in 0..100 {
                assert_eq!(ask(&mut stream, b"0123456789").await.unwrap(), b"0123456789");
            }
            *told.lock().unwrap() = Some(network.traffic());
        });
        let traffic = traffic.lock().unwrap().unwrap();
        (record.io.links, traffic)
    };
    let (links, traffic) = run(0.0);
    assert_eq!(links.keys().collect::<Vec<_>>(), ["server->users", "users->server"]);
    let sum = |of: fn(&hyperlapse::LinkIo) -> u64| links.values().map(of).sum::<u64>();
    assert_eq!((sum(|of| of.packets), sum(|of| of.bytes)), (traffic.packets, traffic.bytes));
    assert_eq!(sum(|of| of.delayed_ns), traffic.packets * 4_000_000);
    assert_eq!(sum(|of| of.lost), 0);
    assert!(links["users->server"].bytes > 100 * 10);

    let (lossy, traffic) = run(0.1);
    let lost: u64 = lossy.values().map(|of| of.lost).sum();
    assert_eq!(lost, traffic.retransmitted, "what is lost is sent again");
    assert!(lost > 10, "{lost}");
    let late = lossy.values().map(|of| of.delayed_ns).sum::<u64>();
    assert!(late > traffic.packets * 4_000_000 + lost * 200_000_000, "and waits 200 ms at least");
}

#[test]
fn a_test_has_its_network_from_its_scenario() {
    let out = tempfile::tempdir().unwrap();
    let body = |sim: Sim| async move {
        let (network, _server) = with_echo(&sim, sim.settings());
        network.connect("server", 80).await.unwrap();
        assert_eq!(sim.now(), ms(14), "there and back");
    };
    let test = || hyperlapse::Test::new("from_scenario").seeds(3).strategy("none").out(out.path());
    let held = test().scenario("network = { latency = '7ms' }").check(body).unwrap();
    assert_eq!(held.seeds, 3);
    let without = test().scenario("").check(body).unwrap_err().to_string();
    assert!(without.contains("2ms"), "a millisecond each way: {without}");
    let wrong = test().scenario("network = { loss = 2 }").check(body).unwrap_err().to_string();
    assert!(wrong.contains("expected a share from 0 to below 1"), "{wrong}");
}
