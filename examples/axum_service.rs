//! An axum service on a simulated network: packets take their time and get lost, voters ask again when they hear nothing, each
//! vote counts once. `cargo run --example axum_service` prints a report, `cargo test --example axum_service` runs the test.
//! It takes the feature `network` of hyperlapse, and `--cfg tokio_unstable`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::{Router, extract::Path, routing::put};
use hyper::{Request, client, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use hyperlapse::net::{Network, TcpListener};
use hyperlapse::{AllAtOnce, Sim, User};
use tokio::{task::JoinSet, time::timeout};

fn app(votes: Arc<Mutex<BTreeSet<u32>>>) -> Router {
    let vote = async move |Path(voter): Path<u32>| votes.lock().unwrap().insert(voter).to_string();
    Router::new().route("/votes/{voter}", put(vote))
}

async fn serve(app: Router) {
    let listener = TcpListener::bind("0.0.0.0:80").await.expect("the port is free");
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (stream, app) = (TokioIo::new(stream), TowerToHyperService::new(app.clone()));
        connections.spawn(http1::Builder::new().serve_connection(stream, app));
    }
}

#[hyperlapse::test(
    main,
    workload = AllAtOnce::users(20),
    scenario = r#"network = { latency = { uniform = ["1ms", "20ms"] }, loss = 0.05 }"#,
    thresholds = ["completions == 20", "response.p95 < 2s"]
)]
#[cfg_attr(not(tokio_unstable), ignore = "nobody knows which host a task is on")]
async fn each_vote_counts_once(sim: Sim) {
    let network = Network::new(&sim, &["users", "server"], sim.settings()).unwrap();
    let votes = Arc::default();
    let app = app(Arc::clone(&votes));
    let _server = network.run("server", move |_| serve(app.clone()));
    sim.drive_with(&network, insist).await;
    assert_eq!(votes.lock().unwrap().len(), 20);
}

async fn insist(user: User, network: Network) {
    let mut operation = user.operation();
    operation.accepted();
    while timeout(Duration::from_millis(300), vote(&network, user.id())).await.is_err() {}
    operation.completed();
}

async fn vote(network: &Network, voter: u32) {
    let stream = TokioIo::new(network.connect("server", 80).await.unwrap());
    let (mut sender, connection) = client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let request = Request::put(format!("/votes/{voter}")).body(String::new()).unwrap();
    assert_eq!(sender.send_request(request).await.unwrap().status(), 200);
}
