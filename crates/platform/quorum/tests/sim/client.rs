//! A client beside each replica: writes, reads, and now and then changes the group.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Buf;
use kit::Context;
use quorum::{Change, Group, MembershipError, ProposeError};
use turmoil::sim_elapsed;

use crate::history::{Op, Record};
use crate::machine::put;
use crate::world::{Replica, World};

pub(crate) const KEYS: u64 = 3;

pub(crate) async fn run(world: World, replica: Replica, group: Group, context: Context) {
    let client =
        Client { id: world.clients.fetch_add(1, Ordering::Relaxed) as u32, world, replica, group, context };
    loop {
        let pause = if client.world.planned.load(Ordering::Relaxed) { 15 } else { 120 };
        tokio::time::sleep(client.context.entropy().jitter(Duration::from_millis(pause))).await;
        let order = client.replica.orders.lock().unwrap().pop();
        if let Some(change) = order {
            client.obey(change).await;
        }
        if client.world.quiet.load(Ordering::Relaxed) || client.is_early() {
            continue;
        }
        client.world.busy.fetch_add(1, Ordering::Relaxed);
        client.act().await;
        client.world.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Client {
    id: u32,
    world: World,
    replica: Replica,
    group: Group,
    context: Context,
}

fn now() -> Duration {
    sim_elapsed().expect("clients live in the simulation")
}

impl Client {
    /// Whether its replica has no part in the group yet. Only where there are faults is it asked all the same.
    fn is_early(&self) -> bool {
        let outside = || self.group.status().member(self.group.id()).is_none();
        self.world.planned.load(Ordering::Relaxed) && !*self.group.removal().borrow() && outside()
    }

    async fn act(&self) {
        let key = self.context.entropy().below(KEYS) as u8;
        let planned = self.world.planned.load(Ordering::Relaxed);
        match self.context.entropy().below(if planned { 97 } else { 100 }) {
            0..50 => self.write(key).await,
            50..97 => self.read(key).await,
            _ => self.change().await,
        }
    }

    async fn write(&self, key: u8) {
        let value = self.world.values.fetch_add(1, Ordering::Relaxed);
        let op = Op::Put { value, former: None };
        let history = &self.world.history;
        let id = history.begin(Record { client: self.id, key, op, called: now(), returned: None });
        match self.group.propose(put(key, value)).await {
            Ok(mut reply) => {
                history.complete(id, Op::Put { value, former: Some(reply.get_u64()) }, now());
            }
            Err(ProposeError::Stopped(_)) if *self.group.removal().borrow() => history.forget(id),
            Err(e) => {
                self.failed(&format!("a write: {e}"));
                if !matches!(e, ProposeError::Unknown(_) | ProposeError::Stopped(_)) {
                    history.forget(id);
                }
            }
        }
    }

    /// With nothing but planned changes nobody has a reason to fail, but for a removed replica.
    fn failed(&self, what: &str) {
        if self.world.planned.load(Ordering::Relaxed) && !*self.group.removal().borrow() {
            let at = now();
            self.world.failures.lock().unwrap().push(format!("{at:?} at {:?}: {what}", self.group));
        }
    }

    /// Makes a change that the test wants. Others may be under way: replicas announce themselves by changes.
    async fn obey(&self, change: Change) {
        loop {
            let outcome = self.group.change(change.clone()).await;
            tracing::info!(?change, ?outcome, "order");
            match outcome {
                Err(MembershipError::InProgress | MembershipError::NotInSync { .. }) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(e) => return self.failed(&format!("{change:?}: {e}")),
                Ok(()) => return,
            }
        }
    }

    pub(crate) async fn read(&self, key: u8) {
        let called = now();
        if let Err(e) = self.group.read_barrier().await {
            return self.failed(&format!("a read: {e}"));
        }
        let value = self.replica.registers().values.get(&key).copied().unwrap_or(0);
        let op = Op::Get { value };
        self.world.history.observe(Record { client: self.id, key, op, called, returned: Some(now()) });
    }

    async fn change(&self) {
        let status = self.group.status();
        let voters = status.voters.clone();
        let any = |ids: &[u64]| ids.get(self.context.entropy().below(ids.len() as u64) as usize).copied();
        let leaving = self.world.leaving.lock().unwrap().clone();
        let may_join = |r: &&Replica| {
            let id = r.member().id;
            status.member(id).is_none() && !leaving.contains(&id)
        };
        let absent = self.world.replicas.values().find(may_join);
        let learner = status.members.iter().find(|m| status.is_learner(m.id));
        let change = match (absent, learner, self.context.entropy().below(3)) {
            (_, Some(learner), 0 | 1) => Some(Change::Promote(learner.id)),
            (Some(replica), None, 0) => Some(Change::AddLearner(replica.member())),
            (_, _, 1) if voters.len() > 3 => any(&voters).map(Change::Remove),
            _ => any(&voters).map(Change::Transfer),
        };
        let Some(change) = change else { return };
        if let Change::Remove(id) = change {
            self.world.leaving.lock().unwrap().insert(id);
        }
        let outcome = self.group.change(change.clone()).await;
        tracing::info!(?change, ?outcome, "change");
        if let (Change::Remove(id), Ok(())) = (change, outcome)
            && let Some(gone) = self.world.by_id(id)
        {
            gone.removed.store(true, Ordering::Relaxed);
        }
    }
}
