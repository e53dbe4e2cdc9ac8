//! Alarms and the notes of the self-check, as one replica applies them.

use bytes::Bytes;
use prost::Message;
use quorum::{Command, StateMachine};

use super::super::{Machine, Refusal, decode_reply, encode, encode_note};
use crate::proto::etcdserverpb::alarm_request::AlarmAction;
use crate::proto::etcdserverpb::request_op::Request;
use crate::proto::etcdserverpb::{
    AlarmRequest, AlarmType, DeleteRangeRequest, PutRequest, RequestOp, TxnRequest,
};
use crate::proto::internal::command::Operation;
use crate::proto::internal::note::Note;
use crate::proto::internal::reply::Outcome;
use crate::proto::internal::{self, LeaseGrant, NoteBegin, NoteMark, NoteStatement};
use crate::store::{Store, StoreOptions};

/// Member 1.
struct Replica {
    _dir: tempfile::TempDir,
    store: std::sync::Arc<Store>,
    machine: Machine,
    index: u64,
}

impl Replica {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), StoreOptions::default()).unwrap();
        let machine = Machine::fresh(&store);
        Self { _dir: dir, store, machine, index: 0 }
    }

    fn apply(&mut self, payload: Bytes) -> Result<Outcome, Refusal> {
        self.index += 1;
        let command = Command { index: self.index, term: 1, payload };
        let position = Bytes::from(self.index.to_be_bytes().to_vec());
        decode_reply(self.machine.apply(&[command], &position).unwrap().remove(0)).unwrap()
    }

    fn operation(&mut self, operation: Operation) -> Result<Outcome, Refusal> {
        self.apply(encode(1, operation))
    }

    fn put(&mut self) -> Result<Outcome, Refusal> {
        self.operation(Operation::Put(a_put()))
    }

    fn alarm(&mut self, action: AlarmAction, alarm: AlarmType, member_id: u64) -> Vec<u64> {
        let request = AlarmRequest { action: action.into(), member_id, alarm: alarm.into() };
        let Ok(Outcome::Alarm(answer)) = self.operation(Operation::Alarm(request)) else {
            panic!("no alarm")
        };
        answer.alarms.iter().map(|alarm| alarm.member_id).collect()
    }

    /// Notes its chain. Gives the mark.
    fn mark(&mut self) -> u64 {
        self.note(Note::Mark(NoteMark { voters: vec![1, 2, 3] }));
        self.index
    }

    fn note(&mut self, note: Note) {
        assert_eq!(self.apply(encode_note(1, note)).unwrap_err().code() % 2, 0, "6 or, when fenced, 8");
    }

    fn state(&mut self, member: u64, mark: u64, off: u64) {
        let findings = self.machine.findings().borrow().clone();
        let chain = findings.statement.expect("a mark").chain;
        let hash = chain.hash.wrapping_add(off);
        self.note(Note::Statement(NoteStatement { member, mark, origin: chain.origin, hash }));
    }

    fn is_fenced(&self) -> bool {
        self.machine.alarms.is_fenced()
    }
}

fn a_put() -> PutRequest {
    PutRequest { key: "k".into(), value: "v".into(), ..Default::default() }
}

#[test]
fn a_note_is_nothing_to_a_version_that_does_not_know_it() {
    let payload = encode_note(1, Note::Begin(NoteBegin { origin: 7 }));
    let command = internal::Command::decode(payload).unwrap();
    assert_eq!(command.format, 1, "the first format, which every version reads");
    let Some(Operation::LeaseRevoke(revoke)) = command.operation else { panic!("another carrier") };
    let mut replica = Replica::new();
    replica.put().unwrap();
    let before = (replica.store.hash_at(0).unwrap().revision(), replica.store.leases_hash());
    assert_eq!(replica.operation(Operation::LeaseRevoke(revoke)), Err(Refusal::StaleLessor));
    assert_eq!((replica.store.hash_at(0).unwrap().revision(), replica.store.leases_hash()), before);
}

#[test]
fn without_room_only_what_adds_nothing_is_done() {
    let mut replica = Replica::new();
    replica.put().unwrap();
    assert_eq!(replica.alarm(AlarmAction::Activate, AlarmType::Nospace, 2), [2]);
    assert_eq!(replica.alarm(AlarmAction::Get, AlarmType::None, 0), [2]);
    let put = RequestOp { request: Some(Request::RequestPut(a_put())) };
    let inner = TxnRequest { success: vec![put], ..Default::default() };
    let nested = RequestOp { request: Some(Request::RequestTxn(inner)) };
    for adding in [
        Operation::Put(a_put()),
        Operation::LeaseGrant(LeaseGrant { id: 1, ttl: 60 }),
        Operation::Txn(TxnRequest { failure: vec![nested], ..Default::default() }),
    ] {
        assert_eq!(replica.operation(adding), Err(Refusal::NoSpace));
    }
    replica.operation(Operation::Txn(TxnRequest::default())).unwrap();
    let delete = DeleteRangeRequest { key: "k".into(), ..Default::default() };
    replica.operation(Operation::DeleteRange(delete)).unwrap();
    assert_eq!(replica.alarm(AlarmAction::Deactivate, AlarmType::Nospace, 3), Vec::<u64>::new());
    assert_eq!(replica.put(), Err(Refusal::NoSpace));
    assert_eq!(replica.alarm(AlarmAction::Deactivate, AlarmType::Nospace, 2), [2]);
    replica.put().unwrap();
}

#[test]
fn a_replica_that_differs_from_a_majority_withholds_its_answers_until_it_is_disarmed() {
    let mut replica = Replica::new();
    replica.put().unwrap();
    let mark = replica.mark();
    replica.state(2, mark, 5);
    replica.put().unwrap();
    replica.state(3, mark, 5);
    assert!(replica.is_fenced());
    assert_eq!(replica.put(), Err(Refusal::Corrupt));
    assert!(replica.machine.findings().borrow().diverged.contains(&1));
    // It applies all the same, and what is said about alarms gets through.
    assert_eq!(replica.alarm(AlarmAction::Activate, AlarmType::Corrupt, 1), [1]);
    assert_eq!(replica.alarm(AlarmAction::Deactivate, AlarmType::Corrupt, 2), Vec::<u64>::new());
    assert!(replica.is_fenced());
    assert_eq!(replica.alarm(AlarmAction::Deactivate, AlarmType::Corrupt, 1), [1]);
    assert!(!replica.is_fenced() && replica.machine.findings().borrow().diverged.is_empty());
    replica.put().unwrap();
    // The next mark shows it again.
    let mark = replica.mark();
    replica.state(2, mark, 5);
    replica.state(3, mark, 5);
    assert!(replica.is_fenced());
}

#[test]
fn others_are_accused_and_do_not_stop_this_one() {
    let mut replica = Replica::new();
    let mark = replica.mark();
    for (member, off) in [(1, 0), (3, 9), (2, 0)] {
        replica.state(member, mark, off);
    }
    assert!(!replica.is_fenced());
    assert_eq!(replica.machine.findings().borrow().diverged.iter().collect::<Vec<_>>(), [&3]);
    assert_eq!(replica.alarm(AlarmAction::Activate, AlarmType::Corrupt, 3), [3]);
    replica.put().unwrap();
    // Where nobody has a majority, nobody serves.
    let mark = replica.mark();
    for (member, off) in [(1, 0), (2, 8), (3, 9)] {
        replica.state(member, mark, off);
    }
    assert_eq!(replica.put(), Err(Refusal::Corrupt));
    assert!(replica.machine.findings().borrow().diverged.contains(&0));
}

#[test]
fn nobody_is_judged_by_what_was_done_before_the_beginning() {
    let mut replica = Replica::new();
    let mark = replica.mark();
    replica.state(2, mark, 5);
    replica.note(Note::Begin(NoteBegin { origin: 77 }));
    replica.state(3, mark, 5);
    assert!(!replica.is_fenced());
    assert_eq!(replica.store.chain().map(|chain| (chain.origin, chain.hash)), Some((77, 0)));
    let mark = replica.mark();
    replica.state(2, mark, 0);
    replica.state(3, mark, 0);
    assert!(!replica.is_fenced());
}
