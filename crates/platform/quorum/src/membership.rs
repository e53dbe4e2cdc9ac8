//! Who may join, rise, go and lead: pure rules over what the leader knows.
//!
//! The rules are etcd's (`--strict-reconfig-check`): a change that could leave the group without a
//! quorum is refused before it is proposed. One change runs at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::member::Member;
use crate::status::Status;

/// Learners that may exist at once: each costs the leader as much as a follower.
const MAX_LEARNERS: usize = 1;

/// A change of who belongs to a group, or of who leads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A replica that follows without a vote.
    AddLearner(Member),
    /// A replica with a vote from the start, before it has caught up.
    AddVoter(Member),
    /// A vote for a learner that has caught up.
    Promote(u64),
    /// Out of the group; the leader too.
    Remove(u64),
    /// New name or addresses.
    Update(Member),
    /// Leadership to this voter.
    Transfer(u64),
}

/// Why a change was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// No such member.
    #[error("member {0:x} is not part of the group")]
    NotFound(u64),
    /// The id is taken.
    #[error("member {0:x} is already part of the group")]
    Exists(u64),
    /// Another member is reached there.
    #[error("the peer address {0} belongs to another member")]
    AddressInUse(String),
    /// It votes already.
    #[error("member {0:x} is not a learner")]
    NotLearner(u64),
    /// It does not vote.
    #[error("member {0:x} is a learner and cannot lead")]
    Learner(u64),
    /// It must catch up first.
    #[error("the learner has entry {matched} of {last}; wait until it has caught up")]
    NotInSync {
        /// The last entry known to be stored on the learner.
        matched: u64,
        /// The leader's last entry.
        last: u64,
    },
    /// More learners than may exist at once.
    #[error("too many learners; promote or remove one first")]
    TooManyLearners,
    /// Members that never started would be needed for a quorum.
    #[error("only {started} of {needed} needed members have started; start or remove the others first")]
    NotEnoughStarted {
        /// Members that have ever started.
        started: usize,
        /// The quorum after the change.
        needed: usize,
    },
    /// The members that answer now would not be a quorum.
    #[error("only {healthy} of {needed} needed members answer; repair them first")]
    WouldLoseQuorum {
        /// Members that answer.
        healthy: usize,
        /// The quorum after the change.
        needed: usize,
    },
    /// The only voter cannot go.
    #[error("the last voter cannot be removed")]
    LastVoter,
    /// Another change is under way.
    #[error("another change of the group is under way; try again when it is done")]
    InProgress,
    /// The target did not take over in time. Whoever leads keeps leading.
    #[error("the leadership was not taken over in time")]
    TransferTimedOut,
    /// No leader was found in time.
    #[error("no leader")]
    NoLeader,
    /// It may have been made: ask for the members.
    #[error("the outcome of the change is unknown: {0}")]
    Unknown(String),
}

/// Whether a leader with this knowledge may make the change. `silence` is how long a member may
/// have been quiet and still count as healthy.
pub(crate) fn check(change: &Change, status: &Status, silence: Duration) -> Result<(), MembershipError> {
    if status.changing && !matches!(change, Change::Transfer(_)) {
        return Err(MembershipError::InProgress);
    }
    match change {
        Change::AddLearner(member) => {
            admits(member, status)?;
            let learners = status.members.iter().filter(|m| status.is_learner(m.id)).count();
            if learners < MAX_LEARNERS { Ok(()) } else { Err(MembershipError::TooManyLearners) }
        }
        Change::AddVoter(member) => {
            admits(member, status)?;
            let mut voters = voter_set(status);
            voters.insert(member.id);
            keeps_quorum(&voters, status, silence)
        }
        Change::Promote(id) => {
            known(*id, status)?;
            if !status.is_learner(*id) {
                return Err(MembershipError::NotLearner(*id));
            }
            in_sync(*id, status)
        }
        Change::Remove(id) => {
            known(*id, status)?;
            let mut voters = voter_set(status);
            if !voters.remove(id) {
                return Ok(());
            }
            if voters.is_empty() {
                return Err(MembershipError::LastVoter);
            }
            keeps_quorum(&voters, status, silence)
        }
        Change::Update(member) => {
            known(member.id, status)?;
            address_is_free(member, status)
        }
        Change::Transfer(id) => {
            known(*id, status)?;
            match is_healthy(*id, status, silence) {
                _ if status.is_learner(*id) => Err(MembershipError::Learner(*id)),
                true => Ok(()),
                // Nobody would lead until it is noticed that it does not.
                false => Err(MembershipError::TransferTimedOut),
            }
        }
    }
}

/// Whether a refusal may be due to members that this leader has not heard of since it was elected.
pub(crate) fn is_premature(refusal: &MembershipError, status: &Status) -> bool {
    let unheard = |id: &u64| {
        *id != status.id && status.progress.get(id).is_none_or(|progress| progress.last_heard.is_none())
    };
    matches!(refusal, MembershipError::WouldLoseQuorum { .. } | MembershipError::TransferTimedOut)
        && status.leadership.is_leader
        && status.voters.iter().any(unheard)
}

/// Who should lead in this replica's place: of the voters that stay and answer, the one that has the most.
pub(crate) fn successor(status: &Status, silence: Duration) -> Option<u64> {
    let matched = |id: &u64| status.progress.get(id).and_then(|progress| progress.matched);
    let fit = |id: &u64| *id != status.id && is_healthy(*id, status, silence);
    status.remaining.iter().copied().filter(fit).max_by_key(matched)
}

fn known(id: u64, status: &Status) -> Result<(), MembershipError> {
    status.member(id).map(|_| ()).ok_or(MembershipError::NotFound(id))
}

fn admits(member: &Member, status: &Status) -> Result<(), MembershipError> {
    if status.member(member.id).is_some() {
        return Err(MembershipError::Exists(member.id));
    }
    address_is_free(member, status)
}

fn address_is_free(member: &Member, status: &Status) -> Result<(), MembershipError> {
    let others = status.members.iter().filter(|m| m.id != member.id);
    let taken: BTreeSet<&String> = others.flat_map(|m| &m.peer_addresses).collect();
    match member.peer_addresses.iter().find(|a| taken.contains(a)) {
        Some(address) => Err(MembershipError::AddressInUse(address.clone())),
        None => Ok(()),
    }
}

/// etcd's rule: within a tenth of the leader's log.
fn in_sync(id: u64, status: &Status) -> Result<(), MembershipError> {
    let matched = status.progress.get(&id).and_then(|p| p.matched).unwrap_or(0);
    let last = status.last_index;
    if matched >= last - last / 10 { Ok(()) } else { Err(MembershipError::NotInSync { matched, last }) }
}

fn voter_set(status: &Status) -> BTreeSet<u64> {
    status.voters.iter().copied().collect()
}

fn keeps_quorum(voters: &BTreeSet<u64>, status: &Status, silence: Duration) -> Result<(), MembershipError> {
    let needed = voters.len() / 2 + 1;
    let of_voters = |test: &dyn Fn(u64) -> bool| voters.iter().filter(|id| test(**id)).count();
    let started = of_voters(&|id| status.member(id).is_some_and(Member::has_started));
    // A group of one must be able to grow: its second member cannot have started yet.
    let growing_from_one = status.voters.len() == 1 && voters.len() == 2;
    if started < needed && !growing_from_one {
        return Err(MembershipError::NotEnoughStarted { started, needed });
    }
    let healthy = of_voters(&|id| is_healthy(id, status, silence));
    if healthy < needed && !growing_from_one {
        return Err(MembershipError::WouldLoseQuorum { healthy, needed });
    }
    Ok(())
}

fn is_healthy(id: u64, status: &Status, silence: Duration) -> bool {
    let heard = || status.progress.get(&id).and_then(|p| p.last_heard);
    id == status.id || heard().is_some_and(|ago| ago <= silence)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::status::{Leadership, Progress};

    const SILENCE: Duration = Duration::from_secs(1);

    fn member(id: u64) -> Member {
        Member {
            id,
            name: format!("n{id}"),
            peer_addresses: vec![format!("n{id}:1")],
            client_addresses: vec![],
        }
    }

    /// Node 1 leads; `healthy` answer now; all have started.
    fn group(voters: &[u64], learners: &[u64], healthy: &[u64]) -> Status {
        let answering = |id: &u64| Progress {
            matched: Some(100),
            last_heard: Some(if healthy.contains(id) { SILENCE / 2 } else { SILENCE * 2 }),
        };
        let others = voters.iter().chain(learners);
        Status {
            id: 1,
            last_index: 100,
            members: others.clone().map(|id| member(*id)).collect(),
            voters: voters.to_vec(),
            remaining: voters.to_vec(),
            leadership: Leadership { leader: Some(1), term: 1, is_leader: true },
            progress: others.map(|id| (*id, answering(id))).collect::<BTreeMap<_, _>>(),
            ..Status::default()
        }
    }

    #[test]
    fn a_removal_must_leave_a_quorum_that_answers() {
        let all = group(&[1, 2, 3], &[], &[1, 2, 3]);
        assert_eq!(check(&Change::Remove(3), &all, SILENCE), Ok(()));
        assert_eq!(check(&Change::Remove(1), &all, SILENCE), Ok(()), "the leader may go");
        let one_down = group(&[1, 2, 3], &[], &[1, 2]);
        assert_eq!(check(&Change::Remove(3), &one_down, SILENCE), Ok(()), "the dead one may go");
        let lost = MembershipError::WouldLoseQuorum { healthy: 1, needed: 2 };
        assert_eq!(check(&Change::Remove(2), &one_down, SILENCE), Err(lost));
        assert_eq!(
            check(&Change::Remove(1), &group(&[1], &[], &[1]), SILENCE),
            Err(MembershipError::LastVoter)
        );
    }

    #[test]
    fn a_learner_rises_only_when_it_has_caught_up() {
        let mut status = group(&[1, 2, 3], &[4], &[1, 2, 3, 4]);
        assert_eq!(check(&Change::Promote(4), &status, SILENCE), Ok(()));
        assert_eq!(check(&Change::Promote(2), &status, SILENCE), Err(MembershipError::NotLearner(2)));
        assert_eq!(check(&Change::Promote(9), &status, SILENCE), Err(MembershipError::NotFound(9)));
        status.progress.insert(4, Progress { matched: Some(89), last_heard: None });
        let lagging = MembershipError::NotInSync { matched: 89, last: 100 };
        assert_eq!(check(&Change::Promote(4), &status, SILENCE), Err(lagging));
    }

    #[test]
    fn ids_and_addresses_are_never_shared() {
        let status = group(&[1, 2, 3], &[], &[1, 2, 3]);
        assert_eq!(check(&Change::AddLearner(member(3)), &status, SILENCE), Err(MembershipError::Exists(3)));
        let squatter = Member { id: 9, ..member(2) };
        let taken = MembershipError::AddressInUse("n2:1".into());
        assert_eq!(check(&Change::AddVoter(squatter), &status, SILENCE), Err(taken));
        let moved = Member { peer_addresses: vec!["n3:1".into()], ..member(2) };
        assert!(matches!(
            check(&Change::Update(moved), &status, SILENCE),
            Err(MembershipError::AddressInUse(_))
        ));
    }

    #[test]
    fn one_learner_and_one_change_at_a_time() {
        let mut status = group(&[1, 2, 3], &[4], &[1, 2, 3, 4]);
        let add = Change::AddLearner(member(5));
        assert_eq!(check(&add, &status, SILENCE), Err(MembershipError::TooManyLearners));
        status.changing = true;
        assert_eq!(check(&Change::Remove(4), &status, SILENCE), Err(MembershipError::InProgress));
        assert_eq!(check(&Change::Transfer(2), &status, SILENCE), Ok(()));
        assert_eq!(check(&Change::Transfer(4), &status, SILENCE), Err(MembershipError::Learner(4)));
    }

    #[test]
    fn the_lead_goes_to_a_voter_that_stays_and_answers() {
        let mut status = group(&[1, 2, 3], &[4], &[1, 2, 3, 4]);
        status.progress.insert(3, Progress { matched: Some(101), last_heard: Some(SILENCE / 2) });
        assert_eq!(successor(&status, SILENCE), Some(3));
        status.remaining = vec![1, 2];
        assert_eq!(successor(&status, SILENCE), Some(2));
        let alone = group(&[1, 2, 3], &[4], &[1, 4]);
        assert_eq!(successor(&alone, SILENCE), None);
        let late = Err(MembershipError::TransferTimedOut);
        assert_eq!(check(&Change::Transfer(2), &alone, SILENCE), late, "a silent one is not waited for");
    }

    #[test]
    fn who_was_not_heard_yet_is_waited_for_and_who_is_silent_is_not() {
        let mut status = group(&[1, 2, 3], &[], &[1]);
        let lost = check(&Change::Remove(3), &status, SILENCE).unwrap_err();
        assert!(!is_premature(&lost, &status));
        status.progress.insert(2, Progress::default());
        assert!(is_premature(&lost, &status));
        assert!(!is_premature(&MembershipError::InProgress, &status));
    }

    #[test]
    fn a_group_of_one_can_grow() {
        let status = group(&[1], &[], &[1]);
        let newcomer = Member { name: String::new(), ..member(2) };
        assert_eq!(check(&Change::AddVoter(newcomer), &status, SILENCE), Ok(()));
    }

    proptest! {
        /// Whatever is allowed leaves a quorum of members that answer now.
        #[test]
        fn no_allowed_change_loses_the_quorum(
            size in 2u64..7, healthy in prop::collection::btree_set(1u64..8, 1..8), target in 1u64..8,
        ) {
            let voters: Vec<u64> = (1..=size).collect();
            let answering: Vec<u64> = healthy.into_iter().chain([1]).collect();
            let status = group(&voters, &[], &answering);
            if check(&Change::Remove(target), &status, SILENCE).is_ok() {
                let left: Vec<u64> = voters.into_iter().filter(|v| *v != target).collect();
                let alive = left.iter().filter(|v| answering.contains(v)).count();
                prop_assert!(alive > left.len() / 2);
            }
        }
    }
}
