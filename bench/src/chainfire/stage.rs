//! Where a scenario runs: a side, its certificates, a directory, and how much of the full load.

use std::path::Path;

use etcd_client::Client;

use crate::cluster::Cluster;
use crate::load::{self, Operation, Outcome};
use crate::peer::{MEMBERS, Peer};
use crate::pki::Pki;

/// Connections that share a load, as a client library with a small pool would.
const CONNECTIONS: usize = 4;
/// Operations before a measured run that are not counted.
const WARM_UP: u64 = 200;

/// One side, ready to be started.
pub(super) struct Stage<'a> {
    pub(super) peer: &'a dyn Peer,
    pub(super) pki: &'a Pki,
    pub(super) root: &'a Path,
    pub(super) divisor: u64,
    /// The cores of the members; all where there is none.
    pub(super) cpus: Option<&'a str>,
}

impl Stage<'_> {
    /// A fresh cluster.
    pub(super) async fn start(&self) -> anyhow::Result<Cluster> {
        Cluster::start_on(self.peer, self.pki, self.root, self.cpus).await
    }

    /// A count of the full load, cut down as the plan says.
    pub(super) fn count(&self, full: u64) -> u64 {
        (full / self.divisor).max(1)
    }

    /// A member that does not lead, or the one that does.
    pub(super) async fn member(&self, cluster: &Cluster, follower: bool) -> anyhow::Result<usize> {
        let leader = cluster.leader(self.pki).await?;
        Ok(if follower { (leader + 1) % MEMBERS.len() } else { leader })
    }

    /// A few connections to one member.
    pub(super) async fn pool(&self, cluster: &Cluster, member: usize) -> anyhow::Result<Vec<Client>> {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(cluster.client(member, self.pki).await?);
        }
        Ok(clients)
    }

    /// Measures an operation at the leader, after a warm-up.
    pub(super) async fn at_leader(
        &self,
        cluster: &Cluster,
        operation: Operation,
        outstanding: usize,
        count: u64,
    ) -> anyhow::Result<Outcome> {
        let member = self.member(cluster, false).await?;
        self.at(cluster, member, operation, outstanding, count).await
    }

    /// Measures an operation at one member, after a warm-up.
    pub(super) async fn at(
        &self,
        cluster: &Cluster,
        member: usize,
        operation: Operation,
        outstanding: usize,
        count: u64,
    ) -> anyhow::Result<Outcome> {
        let clients = self.pool(cluster, member).await?;
        let warm_up = WARM_UP.min(count);
        load::run(&clients, operation, outstanding, warm_up).await?;
        load::run(&clients, operation.after(warm_up), outstanding, count).await
    }
}
