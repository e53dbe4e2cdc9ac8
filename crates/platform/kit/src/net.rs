//! Byte streams between processes: the machine's TCP, or a simulated network.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

/// A two-way byte stream.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A stream of either network.
pub type BoxStream = Box<dyn Stream>;

/// Opens and accepts streams.
#[async_trait]
pub trait Net: Send + Sync {
    /// Starts to listen; port 0 picks a free one.
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>>;
    /// Connects to `host:port`, resolving the name.
    async fn connect(&self, address: &str) -> io::Result<BoxStream>;
}

/// Accepts streams on one address.
#[async_trait]
pub trait Listener: Send + Sync {
    /// The next stream and who opened it.
    async fn accept(&self) -> io::Result<(BoxStream, SocketAddr)>;
    /// Where it listens, with the port that was picked.
    fn local_address(&self) -> io::Result<SocketAddr>;
}

/// The machine's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tcp;

#[async_trait]
impl Net for Tcp {
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .map_err(|e| io::Error::new(e.kind(), format!("cannot listen on {address}: {e}")))?;
        Ok(Box::new(listener))
    }

    async fn connect(&self, address: &str) -> io::Result<BoxStream> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }
}

#[async_trait]
impl Listener for tokio::net::TcpListener {
    async fn accept(&self) -> io::Result<(BoxStream, SocketAddr)> {
        let (stream, peer) = tokio::net::TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok((Box::new(stream), peer))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}
