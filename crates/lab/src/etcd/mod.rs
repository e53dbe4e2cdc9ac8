//! A ChainFire cluster as its clients see it: the etcd v3 API, through the cluster's forwards.

pub mod admin;
pub mod ctl;
pub mod uc;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use etcd_client::{Certificate, Client, ConnectOptions, GetOptions, Identity, TlsOptions};
use history::Endpoints;
use serde::Serialize;

use crate::certs::OperatorFiles;
use crate::client::{Cluster, host_ports};
use crate::lane::Seen;

/// Of one call of a lane's own (the load has one of its own).
const CALL: Duration = Duration::from_secs(5);

/// The way into every replica, with the operator's credentials.
#[derive(Clone, Debug)]
pub struct Etcd {
    tls: TlsOptions,
    /// How much slower than usual the replicas may answer.
    patience: f64,
    /// URL of each replica on the host's loopback, by node.
    endpoints: Arc<Mutex<BTreeMap<String, String>>>,
    /// The operator's files, for foreign clients.
    pub operator: OperatorFiles,
}

/// A replica's own view of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberView {
    /// The node.
    pub node: String,
    /// Its member id.
    pub id: u64,
    /// Whom it takes for the leader; 0 for nobody.
    pub leader: u64,
    /// Raft term.
    pub term: u64,
    /// Last log index that it has applied.
    pub applied: u64,
    /// Whether it does not vote.
    pub learner: bool,
}

/// A member of the cluster as the cluster lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberEntry {
    /// Its id.
    pub id: u64,
    /// Its node; empty until it has started.
    pub name: String,
    /// Where its peers reach it.
    pub peer_urls: Vec<String>,
    /// Whether it does not vote.
    pub learner: bool,
}

impl Etcd {
    /// The replicas that have a forward now.
    pub async fn of(cluster: &Cluster) -> Result<Self> {
        let operator = OperatorFiles::below(&cluster.paths().pki());
        let read =
            |path| std::fs::read(path).with_context(|| "cannot read the operator's credentials".to_owned());
        let tls = TlsOptions::new()
            .ca_certificate(Certificate::from_pem(read(&operator.ca)?))
            .identity(Identity::from_pem(read(&operator.cert)?, read(&operator.key)?));
        let patience = crate::roles::pace(cluster.status().await?.time_scale());
        let etcd = Self { tls, patience, endpoints: Arc::default(), operator };
        etcd.look_again(cluster).await?;
        Ok(etcd)
    }

    /// Learns of replicas that came since.
    pub async fn look_again(&self, cluster: &Cluster) -> Result<()> {
        let ports = host_ports(&cluster.status().await?, "chainfire", "client");
        let found = ports.into_iter().map(|(node, port)| (node, format!("https://127.0.0.1:{port}")));
        self.lock().extend(found);
        Ok(())
    }

    /// How long is waited for what usually takes less than that.
    pub(crate) fn patient(&self, usual: Duration) -> Duration {
        usual.mul_f64(self.patience)
    }

    /// The URL of a node's replica.
    pub fn url(&self, node: &str) -> Result<String> {
        self.lock().get(node).cloned().with_context(|| format!("no forward leads to a replica on {node}"))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The ways to some of the replicas.
    pub fn ways(&self, nodes: &[&str]) -> Result<Endpoints> {
        let urls = nodes.iter().map(|n| Ok(((*n).to_owned(), self.url(n)?))).collect::<Result<Vec<_>>>()?;
        let ways = Endpoints::new(ConnectOptions::new().with_tls(self.tls.clone()), urls);
        Ok(ways.with_patience(self.patience))
    }

    /// A client of one replica. It connects when it is used.
    pub async fn client(&self, node: &str) -> Result<Client> {
        Ok(self.ways(&[node])?.client(node, CALL).await?)
    }

    /// What one replica says of the cluster.
    pub async fn view(&self, node: &str) -> Seen<MemberView> {
        let ask = async {
            let status = self.client(node).await?.status().await?;
            let id = status.header().map_or(0, etcd_client::ResponseHeader::member_id);
            anyhow::Ok(MemberView {
                node: node.to_owned(),
                id,
                leader: status.leader(),
                term: status.raft_term(),
                applied: status.raft_applied_index(),
                learner: status.is_learner(),
            })
        };
        ask.await.map_err(|e| format!("{node}: {e:#}"))
    }

    /// The views of several replicas; fails with the first that does not answer.
    pub async fn views(&self, nodes: &[&str]) -> Seen<Vec<MemberView>> {
        futures::future::try_join_all(nodes.iter().map(|n| self.view(n))).await
    }

    /// The node that all of these agree leads them.
    pub async fn leader_of(&self, nodes: &[&str]) -> Seen<String> {
        let views = self.views(nodes).await?;
        agreed_leader(&views)
    }

    /// The cluster's members, as one replica lists them.
    pub async fn members(&self, node: &str) -> Seen<Vec<MemberEntry>> {
        let ask = async { anyhow::Ok(self.client(node).await?.member_list().await?) };
        let list = ask.await.map_err(|e| format!("{node}: {e:#}"))?;
        let entry = |m: &etcd_client::Member| MemberEntry {
            id: m.id(),
            name: m.name().to_owned(),
            peer_urls: m.peer_urls().to_vec(),
            learner: m.is_learner(),
        };
        Ok(list.members().iter().map(entry).collect())
    }

    /// What a replica itself holds under a key (a serializable read).
    pub async fn local_value(&self, node: &str, key: &str) -> Seen<Option<String>> {
        let ask = async {
            let options = GetOptions::new().with_serializable();
            let got = self.client(node).await?.get(key, Some(options)).await?;
            anyhow::Ok(got.kvs().first().map(|kv| String::from_utf8_lossy(kv.value()).into_owned()))
        };
        ask.await.map_err(|e| format!("{node}: {e:#}"))
    }

    /// Writes a fresh key through `via` and waits for nothing; the value is the key.
    pub async fn put(&self, via: &str, key: &str) -> Seen<i64> {
        let ask = async { anyhow::Ok(self.client(via).await?.put(key, key, None).await?) };
        let put = ask.await.map_err(|e| format!("{via}: {e:#}"))?;
        Ok(put.header().map_or(0, etcd_client::ResponseHeader::revision))
    }

    /// Whether a replica holds a key that was put by [`Etcd::put`].
    pub async fn has(&self, node: &str, key: &str) -> Seen<()> {
        match self.local_value(node, key).await? {
            Some(value) if value == key => Ok(()),
            Some(other) => Err(format!("{node} holds {other} under {key}")),
            None => Err(format!("{node} does not hold {key} yet")),
        }
    }
}

fn agreed_leader(views: &[MemberView]) -> Seen<String> {
    let first = views.first().ok_or("nobody was asked")?;
    if let Some(other) = views.iter().find(|v| v.leader != first.leader || v.term != first.term) {
        return Err(format!(
            "{} follows {:x} in term {}, {} follows {:x} in term {}",
            first.node, first.leader, first.term, other.node, other.leader, other.term
        ));
    }
    let leader = views.iter().find(|v| v.id == first.leader && v.leader != 0);
    leader.map(|v| v.node.clone()).ok_or_else(|| format!("nobody of them leads term {}", first.term))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(node: &str, id: u64, leader: u64, term: u64) -> MemberView {
        MemberView { node: node.into(), id, leader, term, applied: 0, learner: false }
    }

    #[test]
    fn a_leader_is_one_that_all_agree_on_and_that_was_asked() {
        let agreed = [view("a", 1, 2, 5), view("b", 2, 2, 5), view("c", 3, 2, 5)];
        assert_eq!(agreed_leader(&agreed).unwrap(), "b");
        assert!(agreed_leader(&[view("a", 1, 2, 5), view("b", 2, 2, 6)]).is_err());
        assert!(agreed_leader(&[view("a", 1, 0, 5), view("b", 2, 0, 5)]).is_err());
        assert!(agreed_leader(&[view("a", 1, 2, 5), view("c", 3, 2, 5)]).is_err(), "b was not asked");
        assert!(agreed_leader(&[]).is_err());
    }
}
