//! Where a member lets in whom.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use kit::Context;
use kit::server::{Limits, Server, ServerMetrics};
use kit::tls::{Acceptor, Identity, TlsConnector};

use super::StartError;
use crate::config::Config;

/// An address to listen on, and how whoever comes proves who it is.
#[derive(Clone, Debug)]
pub struct Door {
    /// Port 0 picks a free one.
    pub listen: SocketAddr,
    /// None: plain.
    pub tls: Option<Acceptor>,
    /// Whether clients are let in that send a URL as the authority of a request, as etcd's before 3.5 do.
    pub url_authorities: bool,
}

/// All the doors of a member.
#[derive(Clone, Debug)]
pub struct Doors {
    /// The etcd API; at least one.
    pub clients: Vec<Door>,
    /// Replication; at least one.
    pub peers: Vec<Door>,
    /// Metrics and health alone, as etcd has them beside its API.
    pub figures: Vec<Door>,
    /// How this member proves itself at its peers' doors. None: they are plain.
    pub connector: Option<TlsConnector>,
}

impl Doors {
    /// The doors that a configuration names.
    pub(super) fn of(config: &Config, identity: Option<&Arc<Identity>>) -> Self {
        let door = |listen, allow: &kit::tls::AllowList| Door {
            listen,
            tls: identity.map(|identity| identity.server(allow.clone())),
            url_authorities: false,
        };
        Self {
            clients: vec![door(config.client.listen, &config.client.allow)],
            peers: vec![door(config.peer.listen, &config.peer.allow)],
            figures: Vec::new(),
            connector: identity.map(|identity| identity.client(config.peer.allow.clone())),
        }
    }
}

/// Opens doors to what is behind them; gives their addresses, with the ports that were picked.
pub(super) async fn open(
    context: &Context,
    name: &'static str,
    doors: &[Door],
    (router, limits, metrics): (Router, &Limits, &ServerMetrics),
) -> Result<Vec<SocketAddr>, StartError> {
    let mut addresses = Vec::with_capacity(doors.len());
    for door in doors {
        let listener = context.net().listen(door.listen).await?;
        addresses.push(listener.local_address()?);
        let mut server = Server::new(name, listener, router.clone());
        server.acceptor.clone_from(&door.tls);
        server.limits = limits.clone();
        server.metrics = metrics.clone();
        server.url_authorities = door.url_authorities;
        let owned = context.clone();
        // It says which server it was.
        context.tasks().spawn_critical("a server", async move { server.run(&owned).await });
    }
    Ok(addresses)
}
