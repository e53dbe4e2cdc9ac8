//! [`kit::net::Net`] over turmoil's TCP. Works only inside a simulated host.

use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use kit::net::{BoxStream, Listener, Net};
use turmoil::net::{TcpListener, TcpStream};

/// The simulated network. Names in `host:port` are those of the simulation's hosts. A listener binds to
/// the unspecified or the loopback address only, as turmoil wants it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimNet;

#[async_trait]
impl Net for SimNet {
    async fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        Ok(Box::new(SimListener(TcpListener::bind(address).await?)))
    }

    async fn connect(&self, address: &str) -> io::Result<BoxStream> {
        Ok(Box::new(TcpStream::connect(address).await?))
    }
}

struct SimListener(TcpListener);

#[async_trait]
impl Listener for SimListener {
    async fn accept(&self) -> io::Result<(BoxStream, SocketAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((Box::new(stream), peer))
    }

    fn local_address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}
