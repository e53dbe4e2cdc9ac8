//! Membership changes and their refusals, between replicas.

use crate::membership::{Change, MembershipError};
use crate::wire::proto::{self, ChangeRefusal, change_refusal::Kind, change_request};

impl From<change_request::Change> for Change {
    fn from(message: change_request::Change) -> Self {
        use change_request::Change as C;
        match message {
            C::AddLearner(member) => Self::AddLearner(member.into()),
            C::AddVoter(member) => Self::AddVoter(member.into()),
            C::Promote(id) => Self::Promote(id),
            C::Remove(id) => Self::Remove(id),
            C::Update(member) => Self::Update(member.into()),
            C::TransferTo(id) => Self::Transfer(id),
        }
    }
}

impl From<&Change> for change_request::Change {
    fn from(change: &Change) -> Self {
        match change {
            Change::AddLearner(member) => Self::AddLearner(member.into()),
            Change::AddVoter(member) => Self::AddVoter(member.into()),
            Change::Promote(id) => Self::Promote(*id),
            Change::Remove(id) => Self::Remove(*id),
            Change::Update(member) => Self::Update(member.into()),
            Change::Transfer(id) => Self::TransferTo(*id),
        }
    }
}

fn refusal(kind: Kind, first: u64, second: u64, text: &str) -> ChangeRefusal {
    proto::ChangeRefusal { kind: kind.into(), first, second, text: text.to_owned() }
}

impl From<MembershipError> for ChangeRefusal {
    fn from(e: MembershipError) -> Self {
        use MembershipError as E;
        match e {
            E::NotFound(id) => refusal(Kind::NotFound, id, 0, ""),
            E::Exists(id) => refusal(Kind::Exists, id, 0, ""),
            E::AddressInUse(address) => refusal(Kind::AddressInUse, 0, 0, &address),
            E::NotLearner(id) => refusal(Kind::NotLearner, id, 0, ""),
            E::Learner(id) => refusal(Kind::Learner, id, 0, ""),
            E::NotInSync { matched, last } => refusal(Kind::NotInSync, matched, last, ""),
            E::TooManyLearners => refusal(Kind::TooManyLearners, 0, 0, ""),
            E::NotEnoughStarted { started, needed } => {
                refusal(Kind::NotEnoughStarted, started as u64, needed as u64, "")
            }
            E::WouldLoseQuorum { healthy, needed } => {
                refusal(Kind::WouldLoseQuorum, healthy as u64, needed as u64, "")
            }
            E::LastVoter => refusal(Kind::LastVoter, 0, 0, ""),
            E::InProgress => refusal(Kind::InProgress, 0, 0, ""),
            E::TransferTimedOut => refusal(Kind::TransferTimedOut, 0, 0, ""),
            E::NoLeader => refusal(Kind::NoLeader, 0, 0, ""),
            E::Unknown(why) => refusal(Kind::Unknown, 0, 0, &why),
        }
    }
}

impl From<ChangeRefusal> for MembershipError {
    fn from(r: ChangeRefusal) -> Self {
        let count = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        match r.kind() {
            Kind::NotFound => Self::NotFound(r.first),
            Kind::Exists => Self::Exists(r.first),
            Kind::AddressInUse => Self::AddressInUse(r.text),
            Kind::NotLearner => Self::NotLearner(r.first),
            Kind::Learner => Self::Learner(r.first),
            Kind::NotInSync => Self::NotInSync { matched: r.first, last: r.second },
            Kind::TooManyLearners => Self::TooManyLearners,
            Kind::NotEnoughStarted => {
                Self::NotEnoughStarted { started: count(r.first), needed: count(r.second) }
            }
            Kind::WouldLoseQuorum => {
                Self::WouldLoseQuorum { healthy: count(r.first), needed: count(r.second) }
            }
            Kind::LastVoter => Self::LastVoter,
            Kind::InProgress => Self::InProgress,
            Kind::TransferTimedOut => Self::TransferTimedOut,
            Kind::NoLeader => Self::NoLeader,
            Kind::Unknown => Self::Unknown(r.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_crosses_the_wire_unchanged() {
        use MembershipError as E;
        let all = [
            E::NotFound(1),
            E::Exists(2),
            E::AddressInUse("a:1".into()),
            E::NotLearner(3),
            E::Learner(4),
            E::NotInSync { matched: 5, last: 6 },
            E::TooManyLearners,
            E::NotEnoughStarted { started: 1, needed: 2 },
            E::WouldLoseQuorum { healthy: 1, needed: 2 },
            E::LastVoter,
            E::InProgress,
            E::TransferTimedOut,
            E::NoLeader,
            E::Unknown("why".into()),
        ];
        for e in all {
            assert_eq!(E::from(ChangeRefusal::from(e.clone())), e);
        }
    }
}
