//! What a replica that does not run holds: for tools that work on its files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use kit::Context;

use crate::error::OpenError;
use crate::machine::{Command, StateMachine};
use crate::member::Member;
use crate::types::{Membership, RaftPayload, StoredMembership};
use crate::wal::{Mark, Wal, WalOptions};
use crate::wire::{Malformed, Position, from_wal_entry, from_wal_mark, log_id, proto, wal_mark};

/// Entries applied at once, and bytes of them that are read at once.
const ENTRIES: usize = 512;
const READ_BYTES: u64 = 1 << 20;
/// The place of a founded log's last entry that is not in it.
const ORIGIN: u64 = 1;

/// How a stopped replica stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remains {
    /// Everybody in the group, as far as this replica knows.
    pub members: Vec<Member>,
    /// Those who vote.
    pub voters: Vec<u64>,
    /// The last entry in its state.
    pub applied: u64,
    /// The last entry in its log; what is beyond `applied` may or may not be committed.
    pub last: u64,
    /// The term of that entry.
    pub term: u64,
}

/// How a stopped replica stands, by its state's position and its log. Recovers the log as a start would: a torn
/// tail is cut.
pub async fn look(
    context: &Context,
    dir: &Path,
    wal: WalOptions,
    group: u64,
    position: Option<Bytes>,
) -> Result<Remains, OpenError> {
    let position = decoded(position)?;
    let wal = Wal::open(context, dir.join("wal"), wal).await?;
    let last = last(&wal, group);
    wal.close().await?;
    Ok(remains(&position, last))
}

/// Begins the log of a group whose state comes from elsewhere, with the same founders on each of them; gives the
/// position that their states take. The log has no beginning to replay: whoever joins later is sent the state.
pub async fn found(
    context: &Context,
    dir: &Path,
    wal: WalOptions,
    group: u64,
    founders: &[Member],
) -> Result<Bytes, OpenError> {
    // Before whatever any leader will write.
    let origin = log_id(proto::Mark { term: 0, node: 0, index: ORIGIN });
    let members: BTreeMap<u64, Member> = founders.iter().map(|member| (member.id, member.clone())).collect();
    let voters: BTreeSet<u64> = members.keys().copied().collect();
    let membership = Membership::new(vec![voters], members)
        .map_err(|_| Malformed("a membership whose voters are not all members"))?;
    let wal = Wal::open(context, dir.join("wal"), wal).await?;
    wal.log(group).purge(wal_mark(&origin)).await?;
    wal.close().await?;
    Ok(Position { applied: Some(origin), membership: StoredMembership::new(Some(origin), membership) }
        .encode())
}

/// Applies everything that is in a stopped replica's log beyond its state, known to be committed or not: what only
/// some had stored may have been acknowledged, and nobody else is left to ask.
pub async fn catch_up(
    context: &Context,
    dir: &Path,
    wal: WalOptions,
    group: u64,
    state: &mut impl StateMachine,
) -> Result<Remains, OpenError> {
    let mut position = decoded(state.position().map_err(OpenError::State)?)?;
    let wal = Wal::open(context, dir.join("wal"), wal).await?;
    let (log, last) = (wal.log(group), last(&wal, group));
    let end = last.map_or(0, |mark| mark.index + 1);
    let mut from = position.applied.map_or(0, |id| id.index() + 1);
    while from < end {
        let part = log.read(from, end, READ_BYTES).await.map_err(OpenError::State)?;
        let Some(newest) = part.last() else {
            return Err(Malformed("a log that ends before its end").into());
        };
        from = newest.mark.index + 1;
        for chunk in part.chunks(ENTRIES) {
            let mut commands = Vec::new();
            for stored in chunk {
                let entry = from_wal_entry(stored.clone())?;
                position.applied = Some(entry.log_id);
                match entry.payload {
                    RaftPayload::Normal(payload) => {
                        commands.push(Command {
                            index: stored.mark.index,
                            term: stored.mark.term,
                            payload: payload.0,
                        });
                    }
                    RaftPayload::Membership(members) => {
                        position.membership = StoredMembership::new(Some(entry.log_id), members);
                    }
                    RaftPayload::Blank => {}
                }
            }
            state.apply(&commands, &position.encode()).map_err(OpenError::State)?;
        }
    }
    wal.close().await?;
    Ok(remains(&position, last))
}

fn decoded(position: Option<Bytes>) -> Result<Position, Malformed> {
    position.map_or_else(|| Ok(Position::default()), Position::decode)
}

fn last(wal: &Wal, group: u64) -> Option<Mark> {
    let state = wal.log(group).state();
    state.last.or(state.purged)
}

fn remains(position: &Position, last: Option<Mark>) -> Remains {
    let membership = position.membership.membership();
    let last = last.map(from_wal_mark);
    Remains {
        members: membership.nodes().map(|(_, member)| member.clone()).collect(),
        voters: membership.voter_ids().collect(),
        applied: position.applied.map_or(0, |id| id.index()),
        last: last.as_ref().map_or(0, openraft::LogId::index),
        term: last.map_or(0, |id| id.committed_leader_id().term),
    }
}
