//! Ports on the host's loopback that lead to ports on nodes.
//!
//! The connection is accepted on the host and dialled inside the node's own network namespace, to the
//! node's own address: it never crosses the switch, so a node that is cut off from its peers can
//! still be asked how it is.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use kit::task::Tasks;
use tokio::net::{TcpListener, TcpStream};

use crate::node::Body;

/// Of the dial; a node that is on answers at once or refuses.
const DIAL_DEADLINE: Duration = Duration::from_secs(5);

/// Starts to forward and answers the host's port: the wanted one if it is free.
pub(super) async fn start(
    tasks: &Tasks,
    body: Arc<dyn Body>,
    port: u16,
    wanted: Option<u16>,
) -> io::Result<u16> {
    let listener = listen(wanted).await?;
    let host_port = listener.local_addr()?.port();
    let inner = tasks.clone();
    tasks.spawn(async move {
        loop {
            match listener.accept().await {
                Ok((client, _)) => inner.spawn(relay(client, Arc::clone(&body), port)),
                // Out of descriptors: the next accept would fail as fast.
                Err(e) => {
                    tracing::warn!("forward to port {port} cannot accept: {e}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    Ok(host_port)
}

async fn listen(wanted: Option<u16>) -> io::Result<TcpListener> {
    if let Some(port) = wanted
        && let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
    {
        return Ok(listener);
    }
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
}

async fn relay(mut client: TcpStream, body: Arc<dyn Body>, port: u16) {
    let _ = client.set_nodelay(true);
    match tokio::time::timeout(DIAL_DEADLINE, body.dial(port)).await {
        Ok(Ok(mut node)) => {
            // How a connection ends is between its two ends.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut node).await;
        }
        Ok(Err(e)) => tracing::debug!("forward to port {port}: {e}"),
        Err(_) => tracing::debug!("forward to port {port}: no answer within {DIAL_DEADLINE:?}"),
    }
}
