//! The same over real sockets, on real time, with the store's thread: what memory and paused time cannot show.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use conversation_manager::gateway::{
    Echo, Gateway, GatewayOptions, GatewayParts, ServeError, Served, TokenTable,
};
use conversation_manager::store::{Store, StoreOptions, SystemWallClock};
use conversation_manager::{ConversationManager, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::{Client, names, reply};

struct Tcp {
    address: SocketAddr,
    manager: ConversationManager,
    store: Store,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<Result<Served, ServeError>>,
    _folder: tempfile::TempDir,
}

async fn serve(limits: Limits, options: GatewayOptions) -> Tcp {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::spawn(StoreOptions::new(folder.path().join("conversations.sqlite3"))).unwrap();
    let manager = ConversationManager::new(limits).unwrap();
    let gateway = Gateway::new(GatewayParts {
        manager: manager.clone(),
        store: store.clone(),
        wall_clock: Arc::new(SystemWallClock),
        responder: Arc::new(Echo),
        authenticator: Arc::new(
            TokenTable::new((0..50).map(|n| (format!("token-{n}"), format!("user {n}")))).unwrap(),
        ),
        options,
    })
    .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(gateway.serve(listener, async {
        let _ = stopped.await;
    }));
    Tcp { address, manager, store, stop, serving, _folder: folder }
}

impl Tcp {
    async fn client(&self, user: usize) -> Client {
        let io = TcpStream::connect(self.address).await.unwrap();
        Client::connect(io, Some(&format!("token-{user}"))).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_users_talk_at_once_and_the_drain_leaves_nothing() {
    let limits = Limits { max_concurrent: 50, max_per_user: 1, ..Limits::default() };
    let tcp = Arc::new(serve(limits, GatewayOptions::default()).await);
    let users: Vec<_> = (0..50)
        .map(|user| {
            let tcp = tcp.clone();
            tokio::spawn(async move {
                let mut client = tcp.client(user).await;
                let started = client.start_under("only", &serde_json::json!({})).await;
                assert_eq!(started.status, 201);
                for turn in 0..5 {
                    let text = format!("user {user} says {turn}");
                    let events =
                        client.say(started.id(), &text, Some(&format!("turn-{turn}"))).await.yes();
                    assert_eq!(
                        (names(&events).as_str(), reply(&events)),
                        ("accepted delta done", text)
                    );
                    assert_eq!(events[0].data["seq"], 2 * turn + 1);
                }
                assert_eq!(client.end(started.id()).await.status, 204);
            })
        })
        .collect();
    for user in users {
        user.await.unwrap();
    }
    let stats = tcp.manager.stats();
    assert_eq!((stats.active, stats.ended.completed), (0, 50));
    let totals = tcp.store.totals().await.unwrap();
    assert_eq!((totals.conversations, totals.open, totals.messages), (50, 0, 500));
    let tcp = Arc::into_inner(tcp).unwrap();
    drop(tcp.stop);
    let served = tcp.serving.await.unwrap().unwrap();
    assert_eq!((served.drained.expired, served.unclosed), (0, 0));
    assert!(TcpStream::connect(tcp.address).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_break_off_at_every_stage_cost_no_slot() {
    let idle_timeout = Duration::from_secs(1);
    let limits = Limits { max_concurrent: 4, max_per_user: 2, idle_timeout, ..Limits::default() };
    let tcp = serve(limits, GatewayOptions::default()).await;
    let body = r#"{"text":"one two three"}"#;
    let turn = format!(
        "POST /v1/conversations/ID/messages HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token-0\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let start = "POST /v1/conversations?wait=5 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer token-0\r\n\r\n";
    for n in 0..60 {
        let mut io = TcpStream::connect(tcp.address).await.unwrap();
        let text = if n % 2 == 0 { start } else { &turn.replace("ID", &(n / 4 + 1).to_string()) };
        // All of it, or a part of it; and then gone, after a moment or at once.
        let part = if n % 3 == 0 { text.len() } else { text.len() * (n % 7) / 7 };
        let _ = io.write_all(&text.as_bytes()[..part]).await;
        if n % 5 == 0 {
            let _ = tokio::time::timeout(Duration::from_millis(20), io.read(&mut [0; 16])).await;
        }
    }
    // Those who had started fall idle; those who waited have given their places back.
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    while tcp.manager.stats().active > 0 || tcp.manager.stats().waiting > 0 {
        assert!(tokio::time::Instant::now() < patience, "{:?}", tcp.manager.stats());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut client = tcp.client(1).await;
    assert_eq!((client.start().await.status, client.start().await.status), (201, 201));
    for open in tcp.store.open().await.unwrap() {
        assert_eq!(open.user, "user 1", "{open:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_idle_connections_do_not_keep_others_out() {
    let options = GatewayOptions { max_connections: 64, ..GatewayOptions::default() };
    let tcp = serve(Limits::default(), options).await;
    let mut idle = Vec::new();
    for n in 0..400 {
        let mut io = TcpStream::connect(tcp.address).await.unwrap();
        if n % 2 == 0 {
            let _ = io.write_all(b"GET /healthz HTTP/1.1\r\nhost").await;
        }
        idle.push(io);
    }
    let began = tokio::time::Instant::now();
    let mut client = tcp.client(0).await;
    let stats = client.get("/v1/stats").await.json();
    assert!(stats["connections"].as_u64().unwrap() <= 64, "{stats}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let id = client.start().await.id();
    assert_eq!(reply(&client.say_well(id, "hello").await), "hello");
}
