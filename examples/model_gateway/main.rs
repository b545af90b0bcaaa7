//! The gateway with a language model behind it, by the chat-completions protocol that most of them speak:
//!
//! ```sh
//! MODEL_KEY=… cargo run --release --example model_gateway -- \
//!     --endpoint http://127.0.0.1:11434/v1/chat/completions --model llama3.2
//! ```
//!
//! The endpoint is spoken to over plain HTTP: a model on this machine, or a proxy that adds TLS.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use conversation_manager::gateway::{Gateway, GatewayOptions, GatewayParts, TokenTable};
use conversation_manager::store::{Store, StoreOptions, SystemWallClock};
use conversation_manager::{ConversationManager, Limits};
use tokio::net::TcpListener;

mod model;

/// Serves conversations with a language model over HTTP.
#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, env = "GATEWAY_ADDRESS", default_value = "127.0.0.1:8080")]
    address: SocketAddr,
    /// The database; created if it is missing.
    #[arg(long, env = "GATEWAY_DATABASE", default_value = "conversations.sqlite3")]
    database: PathBuf,
    /// Tokens and their users, on each line one of each.
    #[arg(long, env = "GATEWAY_TOKENS")]
    tokens: PathBuf,
    /// The model's endpoint.
    #[arg(long, env = "MODEL_ENDPOINT")]
    endpoint: hyper::Uri,
    /// The name of the model.
    #[arg(long, env = "MODEL_NAME")]
    model: String,
    /// The key of the endpoint, if it wants one.
    #[arg(long, env = "MODEL_KEY", hide_env_values = true)]
    key: Option<String>,
    /// How many messages of a conversation the model is told besides the last.
    #[arg(long, default_value_t = 20)]
    history: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let responder = model::Model {
        endpoint: arguments.endpoint,
        name: arguments.model,
        key: arguments.key,
        history: arguments.history,
    };
    let gateway = Gateway::new(GatewayParts {
        manager: ConversationManager::new(Limits::default())?,
        store: Store::spawn(StoreOptions::new(arguments.database).exclusive(true))?,
        wall_clock: Arc::new(SystemWallClock),
        responder: Arc::new(responder),
        authenticator: Arc::new(TokenTable::read(arguments.tokens)?),
        options: GatewayOptions::default(),
    })?;
    let listener = TcpListener::bind(arguments.address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    gateway
        .serve(listener, async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
        .await?;
    Ok(())
}
