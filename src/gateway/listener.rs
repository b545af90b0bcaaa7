//! Where connections come from.

use std::fmt::Display;
use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

/// Accepts connections: of a network, of a simulated one, of memory.
///
/// ```
/// use std::io;
/// use conversation_manager::gateway::Listener;
/// use tokio::io::DuplexStream;
/// use tokio::sync::mpsc;
///
/// /// Connections within the process, as tests want them.
/// struct InMemory(mpsc::Receiver<DuplexStream>);
///
/// impl Listener for InMemory {
///     type Io = DuplexStream;
///     type Peer = &'static str;
///     async fn accept(&mut self) -> io::Result<(DuplexStream, &'static str)> {
///         match self.0.recv().await {
///             Some(stream) => Ok((stream, "memory")),
///             None => std::future::pending().await,
///         }
///     }
/// }
/// ```
pub trait Listener: Send {
    /// A connection.
    type Io: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Who it is with, for the log.
    type Peer: Display + Send;

    /// The next connection. Dropping the future loses none.
    ///
    /// # Errors
    ///
    /// The gateway takes errors for passing ones (a peer that has gone, no file descriptors left) and asks again, after a
    /// second unless it was the peer's doing.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Io, Self::Peer)>> + Send;
}

impl Listener for tokio::net::TcpListener {
    type Io = tokio::net::TcpStream;
    type Peer = std::net::SocketAddr;

    async fn accept(&mut self) -> io::Result<(Self::Io, Self::Peer)> {
        let (stream, peer) = Self::accept(self).await?;
        // Events of a stream are small and wanted at once. If it cannot be set they come later.
        let _ = stream.set_nodelay(true);
        Ok((stream, peer))
    }
}

/// The next connection, however long that takes.
pub(crate) async fn next<L: Listener>(listener: &mut L) -> (L::Io, L::Peer) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                let by_the_peer = [ConnectionAborted, ConnectionRefused, ConnectionReset];
                if !by_the_peer.contains(&error.kind()) {
                    tracing::error!(%error, "cannot accept connections");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}
