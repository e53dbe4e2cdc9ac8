//! All the groups of one process: one log, one set of connections, one service.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use kit::Context;
use kit::client::ClientOptions;
use kit::tls::TlsConnector;
use tonic::{Request, Status};

use crate::error::OpenError;
use crate::group::{Group, GroupConfig};
use crate::machine::StateMachine;
use crate::member::Member;
use crate::transport::{Peers, ReplicationService};
use crate::wal::{Wal, WalOptions};
use crate::wire::proto;

/// How long a peer may take to say who a newcomer is.
const INTRODUCTION: Duration = Duration::from_secs(2);

/// What all groups of a process share.
pub struct HostConfig {
    /// Which cluster this process belongs to; peers of another one are refused.
    pub cluster: u64,
    /// What a newcomer calls the cluster before it is told its id: the same, but for a restored cluster.
    pub known_as: u64,
    /// Where the log and the images go.
    pub dir: PathBuf,
    /// The log's sizes.
    pub wal: WalOptions,
    /// This process' identity towards peers; none only in a simulation.
    pub tls: Option<TlsConnector>,
    /// How connections to peers behave.
    pub client: ClientOptions,
}

/// The groups of one process.
#[derive(Clone)]
pub struct Host {
    context: Context,
    dir: PathBuf,
    wal: Wal,
    peers: Peers,
    groups: Groups,
}

impl Host {
    /// Opens the log, replaying what survived. Damage is an error that names the place.
    pub async fn open(context: &Context, config: HostConfig) -> Result<Self, OpenError> {
        let wal = Wal::open(context, config.dir.join("wal"), config.wal).await?;
        let peers = Peers::new(context, config.tls, config.client);
        let cluster = Arc::new(AtomicU64::new(config.cluster));
        let groups = Groups { cluster, known_as: config.known_as, map: Arc::default() };
        Ok(Self { context: context.clone(), dir: config.dir, wal, peers, groups })
    }

    /// Opens a group and begins to take part in it.
    pub async fn open_group(
        &self,
        config: GroupConfig,
        state: impl StateMachine,
    ) -> Result<Group, OpenError> {
        let id = config.group;
        let images = self.dir.join("images").join(format!("{id:x}"));
        let group = Group::open(
            &self.context.part(),
            &self.wal,
            self.peers.clone(),
            self.groups.cluster(),
            images,
            config,
            state,
        )
        .await?;
        self.groups.insert(id, group.clone());
        Ok(group)
    }

    /// Takes part in a group no more: its tasks end, its log stays.
    pub async fn close_group(&self, id: u64) {
        if let Some(group) = self.groups.remove(id) {
            group.close().await;
        }
    }

    /// Closes a group that is no more, and forgets its log: it would keep old segments from being used again.
    pub async fn forget_group(&self, id: u64) -> io::Result<()> {
        self.close_group(id).await;
        self.wal.log(id).remove().await.map_err(io::Error::other)
    }

    /// The groups that have a log here, whether they are open or not.
    pub fn logs(&self) -> Vec<u64> {
        self.wal.groups()
    }

    /// The cluster that this process belongs to.
    pub fn cluster(&self) -> u64 {
        self.groups.cluster()
    }

    /// Asks `peers` (`host:port`), one after the other, which member of the group is reached at
    /// `address`. None: nobody knows such a member (yet), or nobody answered; the log says who and why.
    ///
    /// From then on this process belongs to their cluster, whose id may be another one than it was known as.
    pub async fn introduce(&self, group: u64, peers: &[String], address: &str) -> Option<Member> {
        for peer in peers.iter().filter(|p| *p != address) {
            match self.ask_who(peer, group, address).await {
                Ok(proto::IntroduceReply { member: Some(member), cluster }) => {
                    // A version that does not say it knows no other.
                    if cluster != 0 {
                        self.groups.cluster.store(cluster, Ordering::Relaxed);
                    }
                    return Some(member.into());
                }
                Ok(_) => tracing::debug!(peer, "knows no member of this address"),
                Err(e) => tracing::info!(peer, error = e.message(), "cannot be asked who this replica is"),
            }
        }
        None
    }

    async fn ask_who(&self, peer: &str, group: u64, address: &str) -> Result<proto::IntroduceReply, Status> {
        let mut client = self.peers.client_at(peer).ok_or_else(|| Status::unavailable("no such address"))?;
        let route = proto::Route { cluster: self.groups.cluster(), group, from: 0, to: 0 };
        let message = proto::IntroduceRequest { route: Some(route), peer_address: address.to_owned() };
        let mut request = Request::new(message);
        request.set_timeout(INTRODUCTION);
        Ok(client.introduce(request).await?.into_inner())
    }

    /// What peers call.
    pub fn service(&self) -> ReplicationService {
        ReplicationService::new(self.groups.clone(), self.context.tasks().stopping())
    }

    /// The log, for its figures.
    pub fn wal(&self) -> &Wal {
        &self.wal
    }
}

/// The groups by their number.
#[derive(Clone)]
pub(crate) struct Groups {
    cluster: Arc<AtomicU64>,
    known_as: u64,
    map: Arc<RwLock<BTreeMap<u64, Group>>>,
}

impl Groups {
    pub(crate) fn cluster(&self) -> u64 {
        self.cluster.load(Ordering::Relaxed)
    }

    pub(crate) fn known_as(&self) -> u64 {
        self.known_as
    }

    pub(crate) fn get(&self, group: u64) -> Option<Group> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).get(&group).cloned()
    }

    fn remove(&self, id: u64) -> Option<Group> {
        self.map.write().unwrap_or_else(PoisonError::into_inner).remove(&id)
    }

    fn insert(&self, id: u64, group: Group) {
        self.map.write().unwrap_or_else(PoisonError::into_inner).insert(id, group);
    }
}
