//! How a member that was added finds out which one it is: it asks the others who is reached at its
//! own peer address.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kit::Context;
use kit::client::{AddressError, ClientOptions};
use kit::retry::Backoff;
use kit::tls::TlsConnector;
use quorum::Group;
use tonic::{Request, Response, Status, async_trait};

use crate::config::Config;
use crate::proto::internal::peers_client::PeersClient;
use crate::proto::internal::peers_server::{Peers, PeersServer};
use crate::proto::internal::{MembersRequest, MembersResponse, PeerMember};

/// How long one member may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Pauses between rounds.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Answers who belongs to the cluster, once there is a group.
#[derive(Clone, Default)]
pub(crate) struct PeerService {
    cluster: u64,
    group: Arc<OnceLock<Group>>,
}

impl PeerService {
    pub(crate) fn new(cluster: u64) -> Self {
        Self { cluster, group: Arc::default() }
    }

    /// From now on there is something to answer. The first group stays.
    pub(crate) fn open(&self, group: &Group) {
        let _ = self.group.set(group.clone());
    }

    pub(crate) fn into_server(self) -> PeersServer<Self> {
        PeersServer::new(self)
    }
}

#[async_trait]
impl Peers for PeerService {
    async fn members(&self, request: Request<MembersRequest>) -> Result<Response<MembersResponse>, Status> {
        let asked = request.into_inner().cluster;
        if asked != self.cluster {
            let text = format!(
                "this member belongs to cluster {:x}, not {asked:x}; check cluster_token",
                self.cluster
            );
            return Err(Status::failed_precondition(text));
        }
        let group = self.group.get().ok_or_else(|| Status::unavailable("this member is starting"))?;
        let member = |m: quorum::Member| PeerMember { id: m.id, addresses: m.peer_addresses };
        let members = group.status().members.into_iter().map(member).collect();
        Ok(Response::new(MembersResponse { members }))
    }
}

/// Asks the initial members until one knows this member. Waits for as long as it takes: adding a
/// member and starting it may come in either order.
pub(crate) async fn find_self(
    context: &Context,
    config: &Config,
    cluster: u64,
    tls: Option<&TlsConnector>,
) -> Result<u64, AddressError> {
    let own = &config.peer.advertise;
    let others: Vec<&str> =
        config.initial_members.iter().map(|m| m.peer.as_str()).filter(|peer| peer != own).collect();
    let mut backoff = Backoff::new(context.entropy(), FIRST, LONGEST);
    for round in 0u32.. {
        for address in &others {
            match ask(context, address, cluster, tls).await? {
                Ok(members) => {
                    if let Some(found) = members.iter().find(|m| m.addresses.contains(own)) {
                        return Ok(found.id);
                    }
                    if round.is_multiple_of(10) {
                        tracing::warn!(
                            asked = address,
                            "no member with the peer address {own} was added yet; add it: etcdctl member add {} \
                             --peer-urls=https://{own}",
                            config.name
                        );
                    }
                }
                Err(status) => {
                    tracing::info!(asked = address, error = status.message(), "cannot ask who I am");
                }
            }
        }
        tokio::time::sleep(backoff.next_delay()).await;
    }
    unreachable!("the rounds do not end")
}

async fn ask(
    context: &Context,
    address: &str,
    cluster: u64,
    tls: Option<&TlsConnector>,
) -> Result<Result<Vec<PeerMember>, Status>, AddressError> {
    let channel = kit::client::grpc(context, address, tls.cloned(), &ClientOptions::default())?;
    let mut request = Request::new(MembersRequest { cluster });
    request.set_timeout(PATIENCE);
    let answer = PeersClient::new(channel).members(request).await;
    Ok(answer.map(|response| response.into_inner().members))
}
