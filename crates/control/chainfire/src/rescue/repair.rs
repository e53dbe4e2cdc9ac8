//! A new id and empty files for a member whose own are damaged.

use std::path::PathBuf;
use std::time::Duration;

use kit::Context;
use kit::client::{ClientOptions, grpc};
use serde::Serialize;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::{RescueError, hold, refuse_if_running, set_aside};
use crate::config::Config;
use crate::convert::{address_of_url, url_of_address};
use crate::node::{Identity, SERVICE};
use crate::proto::etcdserverpb::cluster_client::ClusterClient;
use crate::proto::etcdserverpb::{Member, MemberAddRequest, MemberListRequest, MemberRemoveRequest};

/// How long the others may take for one step.
const STEP: Duration = Duration::from_secs(15);

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// The id that is given up, in hexadecimal.
    pub old: String,
    /// The id that takes its place.
    pub new: String,
    /// Where the damaged files are.
    pub before: PathBuf,
}

/// Has a running member (`url`, its client URL) put a new member in the place of the one that a configuration
/// names, which does not run, and sets the old files aside. What was interrupted goes on where it stopped. When the
/// member is started, it gets everything from the leader.
pub async fn repair(context: &Context, config: &Config, url: &str) -> Result<Repaired, RescueError> {
    let data = &config.data_dir;
    let nobody = || RescueError::Nobody { path: data.clone() };
    let known =
        Identity::read_to_repair(&SERVICE, context, data, config.expected_cluster())?.ok_or_else(nobody)?;
    let _held = hold(context, data)?;
    refuse_if_running(context, config)?;
    let mut members = Members::at(context, config, url)?;
    let own = url_of_address(&config.peer.advertise, config.tls.is_some());
    let listed = members.list().await?;
    // One that has not started is the one that an interrupted repair has put there.
    let is_old = |member: &&Member| member.id == known.member && !member.name.is_empty();
    if listed.iter().find(is_old).is_some() {
        members.remove(known.member).await?;
    }
    let waiting = listed.iter().find(|m| !is_old(m) && m.peer_ur_ls.contains(&own));
    let new = match waiting {
        Some(member) if member.name.is_empty() => member.id,
        Some(member) => {
            let why = format!("{own} belongs to member {:x} ({}), which has started", member.id, member.name);
            return Err(RescueError::Peer { url: url.to_owned(), why });
        }
        None => members.add(own).await?,
    };
    let next = Identity { member: new, origin: None, ..known };
    let before = set_aside(context, data, &config.raft_dir(), next)?;
    next.write(context, data)?;
    let hex = |id: u64| format!("{id:x}");
    Ok(Repaired { old: hex(known.member), new: hex(new), before })
}

/// A running member, asked about all of them.
struct Members {
    client: ClusterClient<Channel>,
    url: String,
}

impl Members {
    fn at(context: &Context, config: &Config, url: &str) -> Result<Self, RescueError> {
        let peer =
            |why: &dyn std::fmt::Display| RescueError::Peer { url: url.to_owned(), why: why.to_string() };
        let address = address_of_url(url).ok_or_else(|| peer(&"it is no URL: write https://host:port"))?;
        let identity = match &config.tls {
            Some(tls) => Some(kit::tls::Identity::load(context, tls)?),
            None => None,
        };
        let tls = identity.map(|identity| identity.client(config.peer.allow.clone()));
        let channel = grpc(context, &address, tls, &ClientOptions::default()).map_err(|e| peer(&e))?;
        Ok(Self { client: ClusterClient::new(channel), url: url.to_owned() })
    }

    async fn list(&mut self) -> Result<Vec<Member>, RescueError> {
        let request = patient(MemberListRequest { linearizable: true });
        let answer = self.client.member_list(request).await;
        Ok(answer.map_err(|status| self.refused(&status))?.into_inner().members)
    }

    async fn remove(&mut self, id: u64) -> Result<(), RescueError> {
        let answer = self.client.member_remove(patient(MemberRemoveRequest { id })).await;
        answer.map(drop).map_err(|status| self.refused(&status))
    }

    async fn add(&mut self, own: String) -> Result<u64, RescueError> {
        let request = MemberAddRequest { peer_ur_ls: vec![own], is_learner: false };
        let answer = self.client.member_add(patient(request)).await;
        let added = answer.map_err(|status| self.refused(&status))?.into_inner().member;
        added.map(|member| member.id).ok_or_else(|| self.refused(&Status::internal("it named no member")))
    }

    fn refused(&self, status: &Status) -> RescueError {
        RescueError::Peer { url: self.url.clone(), why: status.message().to_owned() }
    }
}

fn patient<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(STEP);
    request
}
