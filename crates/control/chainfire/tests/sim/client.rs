//! What clients do: requests of every kind, leases kept for a while, members changed.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use chainfire::proto::etcdserverpb as pb;
use chainfire::proto::etcdserverpb::cluster_client::ClusterClient;
use chainfire::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use chainfire::proto::etcdserverpb::kv_client::KvClient;
use chainfire::proto::etcdserverpb::lease_client::LeaseClient;
use chainfire::proto::etcdserverpb::maintenance_client::MaintenanceClient;
use chainfire::proto::etcdserverpb::request_op::Request as Op;
use kit::Context;
use kit::client::ClientOptions;
use tokio::time::{sleep, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::history::{Answer, Call};
use crate::watcher;
use crate::world::{CLIENT, Machine, PEER, World, elapsed};

const WORKERS: usize = 4;
const LEASERS: usize = 2;
const WATCHERS: usize = 4;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_millis(1500);

/// All clients, on one machine that has no faults.
pub(crate) async fn run(world: World, context: Context) -> Result<(), Box<dyn Error>> {
    for id in 0..WORKERS {
        context.tasks().spawn(Client::new(&world, &context, id).work());
    }
    for id in 0..LEASERS {
        context.tasks().spawn(Client::new(&world, &context, 10 + id).keep_leases());
    }
    for id in 0..WATCHERS {
        context.tasks().spawn(watcher::run(Client::new(&world, &context, 20 + id)));
    }
    if let Some(pause) = world.profile.changes {
        context.tasks().spawn(Client::new(&world, &context, 30).administer(pause));
    }
    if let Some(pause) = world.profile.rewrites {
        context.tasks().spawn(Client::new(&world, &context, 31).defragment(pause));
    }
    Client::new(&world, &context, 40).close().await;
    std::future::pending().await
}

pub(crate) struct Client {
    pub(crate) world: World,
    pub(crate) context: Context,
    pub(crate) id: usize,
    channels: BTreeMap<String, Channel>,
}

impl Client {
    fn new(world: &World, context: &Context, id: usize) -> Self {
        let options = ClientOptions {
            connect_timeout: Duration::from_millis(400),
            keepalive_interval: Duration::from_millis(500),
            keepalive_timeout: Duration::from_millis(500),
            ..ClientOptions::default()
        };
        let channel = |name: &String| {
            let address = format!("{name}:{CLIENT}");
            let channel = kit::client::grpc(context, &address, None, &options).expect("an address");
            (name.clone(), channel)
        };
        let channels = world.machines.keys().map(channel).collect();
        Self { world: world.clone(), context: context.clone(), id, channels }
    }

    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.context.entropy().below(100) < percent
    }

    pub(crate) fn below(&self, bound: usize) -> usize {
        usize::try_from(self.context.entropy().below(bound as u64)).unwrap()
    }

    pub(crate) fn any_machine(&self) -> (String, Channel) {
        let at = self.below(self.channels.len());
        let (name, channel) = self.channels.iter().nth(at).unwrap();
        (name.clone(), channel.clone())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.world.quiet.load(Ordering::Relaxed)
    }

    pub(crate) async fn pause(&self, longest: Duration) {
        sleep(self.context.entropy().jitter(longest)).await;
    }

    fn known(&self) -> i64 {
        self.world.known.load(Ordering::Relaxed).cast_signed()
    }

    async fn work(self) {
        while !self.is_over() {
            self.pause(self.world.profile.pause).await;
            if self.world.profile.flawless {
                self.ask_twice().await;
                continue;
            }
            let (name, channel) = self.any_machine();
            self.ask(&name, channel, self.draw()).await;
        }
    }

    /// Asks a voter, and if that fails another one: what a client with a list of members does.
    async fn ask_twice(&self) {
        let Some(first) = self.any_voter("") else { return };
        let why = match self.ask(&first, self.channels[&first].clone(), self.draw()).await {
            Answer::Unknown(why) => why,
            Answer::Refused(why) if why.starts_with("Unavailable") => why,
            _ => return,
        };
        let Some(second) = self.any_voter(&first) else { return };
        // Another value, so that each shows whose it is.
        let answer = self.ask(&second, self.channels[&second].clone(), self.draw()).await;
        self.world.second_tries.fetch_add(1, Ordering::Relaxed);
        let also = match answer {
            Answer::Unknown(also) => Some(also),
            Answer::Refused(also) => Some(also).filter(|also| also.starts_with("Unavailable")),
            _ => None,
        };
        if let Some(also) = also {
            let failure = format!("{:?}: {first}: {why}; then {second}: {also}", elapsed());
            self.world.failures.lock().unwrap().push(failure);
        }
    }

    fn any_voter(&self, but: &str) -> Option<String> {
        let votes = |machine: &Machine| {
            let node = machine.live.lock().unwrap().clone();
            node.is_some_and(|node| node.group().status().voters.contains(&node.group().id()))
        };
        let machines = self.world.machines.iter().filter(|(name, machine)| *name != but && votes(machine));
        let names: Vec<&String> = machines.map(|(name, _)| name).collect();
        (!names.is_empty()).then(|| names[self.below(names.len())].clone())
    }

    fn draw(&self) -> Call {
        let profile = &self.world.profile;
        let mut die = self.context.entropy().below(100);
        let mut within = |chance: u64| {
            let hit = die < chance;
            die = if hit { u64::MAX } else { die.saturating_sub(chance) };
            hit
        };
        if within(profile.compactions) {
            let revision = self.known() - i64::from(self.chance(60)) * self.below(8) as i64;
            return Call::Compact(pb::CompactionRequest { revision: revision.max(1), physical: false });
        }
        if within(profile.deletes) {
            return Call::Delete(self.delete());
        }
        if within(profile.txns) {
            return Call::Txn(self.txn());
        }
        if within(profile.reads) {
            return Call::Range(self.range());
        }
        Call::Put(self.put(self.key()))
    }

    fn key(&self) -> Bytes {
        format!("k{}", self.below(5)).into()
    }

    fn value(&self) -> Bytes {
        // Large enough that a few of them fill a watcher's buffer.
        format!("{:-<60}", self.world.unique()).into()
    }

    fn put(&self, key: Bytes) -> pb::PutRequest {
        pb::PutRequest { key, value: self.value(), prev_kv: self.chance(40), ..Default::default() }
    }

    fn span(&self) -> (Bytes, Bytes) {
        match self.below(4) {
            0 => ("k".into(), "l".into()),
            1 => ("\0".into(), "\0".into()),
            _ => (self.key(), Bytes::new()),
        }
    }

    fn delete(&self) -> pb::DeleteRangeRequest {
        let (key, range_end) = if self.chance(80) { (self.key(), Bytes::new()) } else { self.span() };
        pb::DeleteRangeRequest { key, range_end, prev_kv: self.chance(40) }
    }

    fn range(&self) -> pb::RangeRequest {
        let (key, range_end) = self.span();
        let past = self.chance(30);
        let revision = if past { (self.known() + 1 - self.below(12) as i64).max(1) } else { 0 };
        let (sort_order, sort_target) = if self.chance(20) { (2, 3) } else { (0, 0) };
        pb::RangeRequest {
            key,
            range_end,
            revision,
            sort_order,
            sort_target,
            serializable: self.chance(30),
            limit: if self.chance(20) { 2 } else { 0 },
            keys_only: self.chance(10),
            count_only: self.chance(10),
            ..Default::default()
        }
    }

    fn txn(&self) -> pb::TxnRequest {
        let op = |op: Op| pb::RequestOp { request: Some(op) };
        let key = self.key();
        let target = match self.below(3) {
            0 => (CompareTarget::Mod, TargetUnion::ModRevision(self.known() - self.below(6) as i64)),
            1 => (CompareTarget::Version, TargetUnion::Version(self.below(3) as i64)),
            _ => (CompareTarget::Create, TargetUnion::CreateRevision(0)),
        };
        let result = if self.chance(50) { CompareResult::Less } else { CompareResult::Equal };
        let compare = pb::Compare {
            result: result.into(),
            target: target.0.into(),
            key: key.clone(),
            target_union: Some(target.1),
            ..Default::default()
        };
        let read = || op(Op::RequestRange(self.range()));
        let delete = pb::DeleteRangeRequest { key: "m".into(), range_end: "n".into(), prev_kv: true };
        let success = match self.below(4) {
            0 => vec![read(), read()],
            1 => vec![op(Op::RequestPut(self.put(key.clone()))), read()],
            2 => vec![op(Op::RequestDeleteRange(delete)), op(Op::RequestPut(self.put(key.clone())))],
            _ => vec![
                op(Op::RequestPut(self.put(key.clone()))),
                op(Op::RequestPut(self.put("m0".into()))),
                op(Op::RequestPut(self.put("m1".into()))),
            ],
        };
        let failure = if self.chance(50) { vec![op(Op::RequestPut(self.put(key)))] } else { vec![read()] };
        pb::TxnRequest { compare: vec![compare], success, failure }
    }

    /// Asks, and keeps what came of it.
    pub(crate) async fn ask(&self, name: &str, channel: Channel, call: Call) -> Answer {
        let id = self.world.begin(self.id, name, call.clone());
        let answer = match timeout(PATIENCE, send(channel, call)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(status)) => failed(&status),
            Err(_) => Answer::Unknown("no answer".into()),
        };
        self.world.complete(id, answer.clone());
        answer
    }

    /// Grants leases, hangs keys on them, and keeps them alive for a while.
    async fn keep_leases(self) {
        while !self.is_over() {
            self.pause(Duration::from_millis(500)).await;
            let id = (0x1000 + self.world.unique()).cast_signed();
            let (name, channel) = self.any_machine();
            let ttl = 1 + self.below(3) as i64;
            let grant = Call::Grant(pb::LeaseGrantRequest { ttl, id });
            if !matches!(self.ask(&name, channel, grant).await, Answer::Grant(_)) {
                continue;
            }
            for n in 0..self.below(4) {
                let put = pb::PutRequest { lease: id, ..self.put(format!("m{n}").into()) };
                let (name, channel) = self.any_machine();
                self.ask(&name, channel, Call::Put(put)).await;
            }
            self.keep(id, ttl).await;
        }
    }

    async fn keep(&self, id: i64, ttl: i64) {
        let pause = Duration::from_millis(900 * ttl.unsigned_abs());
        for _ in 0..self.below(6) {
            self.pause(pause).await;
            if self.is_over() {
                return;
            }
            let (name, channel) = self.any_machine();
            if matches!(self.ask(&name, channel, Call::KeepAlive(id)).await, Answer::KeepAlive(a) if a.ttl <= 0)
            {
                return;
            }
        }
        if self.chance(40) {
            let (name, channel) = self.any_machine();
            self.ask(&name, channel, Call::Revoke(id)).await;
        } else if self.chance(50) {
            // Lets it end, and tries to use it then.
            sleep(Duration::from_secs(ttl.unsigned_abs())).await;
            let put = pb::PutRequest { lease: id, ..self.put("m3".into()) };
            let (name, channel) = self.any_machine();
            self.ask(&name, channel, Call::Put(put)).await;
        }
    }

    /// Adds, promotes, transfers and removes.
    async fn administer(self, pause: Duration) {
        while !self.is_over() {
            self.pause(pause).await;
            let (_, channel) = self.any_machine();
            // What cannot be done now is tried again, or something else is.
            let outcome = timeout(Duration::from_secs(4), self.change(channel)).await;
            tracing::debug!(?outcome, "a change of members");
        }
    }

    /// Has files rewritten.
    async fn defragment(self, pause: Duration) {
        while !self.is_over() {
            self.pause(pause).await;
            let (_, channel) = self.any_machine();
            let mut maintenance = MaintenanceClient::new(channel);
            let rewriting = maintenance.defragment(pb::DefragmentRequest {});
            let outcome = timeout(Duration::from_secs(4), rewriting).await;
            tracing::debug!(?outcome, "a rewrite");
        }
    }

    async fn change(&self, channel: Channel) -> Result<(), Status> {
        let mut cluster = ClusterClient::new(channel.clone());
        let list = cluster.member_list(pb::MemberListRequest { linearizable: true }).await?.into_inner();
        let peer = |name: &str| format!("http://{name}:{PEER}");
        let is_member = |name: &str| list.members.iter().any(|m| m.peer_ur_ls.contains(&peer(name)));
        let mut absent = None;
        for (name, machine) in &self.world.machines {
            let was = machine.member.load(Ordering::Relaxed);
            if is_member(name) {
                continue;
            }
            if was != 0 {
                machine.removed.store(true, Ordering::Relaxed);
            } else {
                absent = Some(name);
            }
        }
        let learner = list.members.iter().find(|m| m.is_learner).map(|m| m.id);
        let voters: Vec<u64> = list.members.iter().filter(|m| !m.is_learner).map(|m| m.id).collect();
        match (absent, learner) {
            (_, Some(id)) if self.chance(70) => {
                cluster.member_promote(pb::MemberPromoteRequest { id }).await?;
                let request = pb::MoveLeaderRequest { target_id: id };
                MaintenanceClient::new(channel).move_leader(request).await?;
            }
            (Some(name), None) => {
                let request = pb::MemberAddRequest { peer_ur_ls: vec![peer(name)], is_learner: true };
                cluster.member_add(request).await?;
            }
            (None, None) if voters.len() > self.world.profile.founders => {
                let id = voters[self.below(voters.len())];
                cluster.member_remove(pb::MemberRemoveRequest { id }).await?;
            }
            _ => {
                let request = pb::MoveLeaderRequest { target_id: voters[self.below(voters.len())] };
                MaintenanceClient::new(channel).move_leader(request).await?;
            }
        }
        Ok(())
    }

    /// When all is quiet: reads everything from every member, for the last time.
    async fn close(self) {
        while !self.is_over() {
            sleep(Duration::from_millis(100)).await;
        }
        loop {
            sleep(Duration::from_millis(300)).await;
            let mut told = Vec::new();
            for (name, channel) in self.channels.clone() {
                if self.world.machines[&name].live.lock().unwrap().is_none() {
                    continue;
                }
                let all = pb::RangeRequest {
                    key: "\0".into(),
                    range_end: "\0".into(),
                    serializable: true,
                    ..Default::default()
                };
                told.push(self.ask(&name, channel, Call::Range(all)).await);
            }
            if told.iter().all(|answer| matches!(answer, Answer::Range(_))) {
                self.world.closed.store(true, Ordering::Relaxed);
            }
        }
    }
}

async fn send(channel: Channel, call: Call) -> Result<Answer, Status> {
    let (mut kv, mut lease) = (KvClient::new(channel.clone()), LeaseClient::new(channel));
    Ok(match call {
        Call::Put(put) => Answer::Put(kv.put(put).await?.into_inner()),
        Call::Delete(delete) => Answer::Delete(kv.delete_range(delete).await?.into_inner()),
        Call::Txn(txn) => Answer::Txn(kv.txn(txn).await?.into_inner()),
        Call::Range(range) => Answer::Range(kv.range(range).await?.into_inner()),
        Call::Compact(compact) => Answer::Compact(kv.compact(compact).await?.into_inner()),
        Call::Grant(grant) => Answer::Grant(lease.lease_grant(grant).await?.into_inner()),
        Call::Revoke(id) => {
            Answer::Revoke(lease.lease_revoke(pb::LeaseRevokeRequest { id }).await?.into_inner())
        }
        Call::KeepAlive(id) => {
            let one = tokio_stream::iter([pb::LeaseKeepAliveRequest { id }]);
            let answer = lease.lease_keep_alive(one).await?.into_inner().message().await?;
            answer.map_or_else(|| Answer::Unknown("the stream ended".into()), Answer::KeepAlive)
        }
    })
}

/// What the server promises of a request that it refused.
fn failed(status: &Status) -> Answer {
    let text = format!("{:?}: {}", status.code(), status.message());
    let refused = match status.code() {
        Code::OutOfRange | Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition => true,
        Code::Unavailable => {
            matches!(status.message(), "etcdserver: no leader" | "etcdserver: rpc not supported for learner")
        }
        _ => false,
    };
    if refused { Answer::Refused(text) } else { Answer::Unknown(text) }
}
