//! The gateway on loopback, with a bot that says everything back:
//!
//! ```sh
//! cargo run --release --example gateway
//! curl -N -H 'authorization: Bearer s3cret-of-ada' -H 'content-type: application/json' \
//!     -d '{"text":"hello"}' http://127.0.0.1:8080/v1/conversations/1/messages
//! ```
//!
//! The first SIGINT or SIGTERM lets those who talk finish; the second ends it at once.

use std::error::Error;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use conversation_manager::gateway::{
    Echo, Gateway, GatewayOptions, GatewayParts, Recovery, TokenTable,
};
use conversation_manager::store::{Store, StoreOptions, SystemWallClock};
use conversation_manager::{ConversationManager, Limits};
use tokio::net::TcpListener;

/// Serves conversations over HTTP.
#[derive(Parser)]
struct Arguments {
    /// Where to listen; port 0 is any that is free.
    #[arg(long, env = "GATEWAY_ADDRESS", default_value = "127.0.0.1:8080")]
    address: SocketAddr,
    /// The database; created if it is missing.
    #[arg(long, env = "GATEWAY_DATABASE", default_value = "conversations.sqlite3")]
    database: PathBuf,
    /// Tokens and their users, on each line one of each. Without it: `s3cret-of-ada` of ada, `s3cret-of-grace` of grace.
    #[arg(long, env = "GATEWAY_TOKENS")]
    tokens: Option<PathBuf>,
    /// Conversations at once.
    #[arg(long, default_value_t = Limits::default().max_concurrent)]
    max_concurrent: usize,
    /// Conversations of one user at once.
    #[arg(long, default_value_t = Limits::default().max_per_user)]
    max_per_user: usize,
    /// Open connections at once.
    #[arg(long, default_value_t = GatewayOptions::default().max_connections)]
    max_connections: usize,
    /// Seconds for which conversations may go on after the signal to stop.
    #[arg(long, default_value_t = 30)]
    drain: u64,
    /// What becomes of conversations that a crash left open.
    #[arg(long, value_enum, default_value_t = AfterCrash::Resume)]
    after_crash: AfterCrash,
}

#[derive(Clone, Copy, ValueEnum)]
enum AfterCrash {
    Resume,
    Interrupt,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let tokens = match &arguments.tokens {
        Some(path) => TokenTable::read(path)?,
        None => TokenTable::parse("s3cret-of-ada ada\ns3cret-of-grace grace")?,
    };
    let limits = Limits::builder()
        .max_concurrent(arguments.max_concurrent)
        .max_per_user(arguments.max_per_user)
        .build()?;
    let recovery = match arguments.after_crash {
        AfterCrash::Resume => Recovery::Resume,
        AfterCrash::Interrupt => Recovery::Interrupt,
    };
    let store = Store::spawn(StoreOptions::new(arguments.database).exclusive(true))?;
    let gateway = Gateway::new(GatewayParts {
        manager: ConversationManager::new(limits)?,
        store: store.clone(),
        wall_clock: Arc::new(SystemWallClock),
        responder: Arc::new(Echo),
        authenticator: Arc::new(tokens),
        options: GatewayOptions {
            max_connections: arguments.max_connections,
            drain_time: Duration::from_secs(arguments.drain),
            recovery,
            ..GatewayOptions::default()
        },
    })?;
    let listener = TcpListener::bind(arguments.address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let served = gateway
        .serve(listener, async {
            stop_signal().await;
            println!("stopping: those who talk may finish; once more to end it at once");
            tokio::spawn(async {
                stop_signal().await;
                std::process::exit(130);
            });
        })
        .await?;
    store.shut_down().await?;
    println!(
        "{} conversations ended, {} were cut off",
        served.drained.ended, served.drained.expired
    );
    Ok(())
}

/// SIGINT or SIGTERM.
async fn stop_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // There are no signals to wait for.
        std::future::pending::<()>().await;
    }
}
