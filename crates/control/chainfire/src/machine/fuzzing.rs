//! Arbitrary logs, applied by two replicas that differ in everything but the log.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kit::Context;
use quorum::{Command, StateMachine};

use super::{Alarms, Machine, command};
use crate::auth::{Authority, Credentials};
use crate::fuzzing::{chunks, exported};
use crate::lessor::Lessor;
use crate::proto::internal::command::Operation;
use crate::store::{Store, StoreOptions};

/// A log of commands: each two bytes of length, whose highest bit says that one replica flushes after it,
/// and so many bytes. One replica takes each by itself, the other all at once; their replies and states
/// are the same.
pub fn log(context: &Context, input: &[u8]) {
    let readable = |(index, bytes): &(u64, Bytes)| command::decode(*index, bytes.clone()).is_ok();
    let steps = chunks(input);
    let payloads = steps.iter().map(|(bytes, _)| Bytes::copy_from_slice(bytes));
    // A replica stops at what it cannot read.
    let commands: Vec<Command> = (1..)
        .zip(payloads)
        .take_while(readable)
        .map(|(index, payload)| Command { index, term: 1, payload })
        .collect();
    let (mut slow, mut quick) = (Replica::new(context, "/slow"), Replica::new(context, "/quick"));
    let mut replies = Vec::new();
    for (command, (_, flush)) in commands.iter().zip(&steps) {
        replies.extend(slow.apply(std::slice::from_ref(command)).expect("a readable command"));
        if *flush {
            slow.store.flush().expect("a disk with room");
        }
    }
    assert_eq!(quick.apply(&commands).expect("readable commands"), replies);
    assert_eq!(exported(&quick.store), exported(&slow.store));
    for reply in replies {
        assert!(super::decode_reply(reply).is_ok(), "a reply is one that can be read");
    }
}

struct Replica {
    store: Arc<Store>,
    machine: Machine,
}

impl Replica {
    fn new(context: &Context, dir: &str) -> Self {
        let store = Store::open_in(context, Path::new(dir), StoreOptions::default()).expect("a fresh disk");
        let authority = Authority::open(&store.view(), Duration::ZERO, Duration::from_secs(300));
        let alarms = Alarms::open(&store.view(), 1).expect("an empty store");
        let authority = authority.expect("an empty store");
        let machine = Machine::new(store.clone(), Arc::new(Lessor::default()), authority, alarms);
        Self { store, machine }
    }

    fn apply(&mut self, commands: &[Command]) -> io::Result<Vec<Bytes>> {
        let last = commands.last().map_or(0, |command| command.index);
        self.machine.apply(commands, &Bytes::copy_from_slice(&last.to_be_bytes()))
    }
}

/// Keys with a history, a lease, users: something to ask.
pub(crate) fn with_history(context: &Context) -> Arc<Store> {
    use crate::proto::etcdserverpb::{CompactionRequest, DeleteRangeRequest, PutRequest};
    use crate::proto::internal::LeaseGrant;

    let put = |key: &'static str, value: &'static str, lease| {
        Operation::Put(PutRequest { key: key.into(), value: value.into(), lease, ..Default::default() })
    };
    let history = [
        Operation::LeaseGrant(LeaseGrant { id: 1, ttl: 60 }),
        put("a", "1", 0),
        put("b", "2", 1),
        put("a", "3", 1),
        put("c", "", 0),
        Operation::DeleteRange(DeleteRangeRequest { key: "b".into(), ..Default::default() }),
        put("b", "4", 0),
        put("d/e", "5", 0),
        Operation::Compact(CompactionRequest { revision: 4, physical: false }),
        put("a", "6", 0),
    ];
    let mut replica = Replica::new(context, "/history");
    for (operation, index) in history.into_iter().zip(1..) {
        let command = Command { index, term: 1, payload: super::encode(index, operation) };
        replica.apply(&[command]).expect("a good command");
        if index == 6 {
            replica.store.flush().expect("a disk with room");
        }
    }
    replica.store
}

/// What is proposed is what will be applied.
pub(crate) fn travels(operation: Operation) {
    let who = Credentials { user: "alice".into(), revision: 7 };
    let payload = super::encode_as(who.clone(), 1, operation.clone());
    let decoded = command::decode(1, payload).expect("an own command");
    assert_eq!((decoded.who, decoded.operation), (who, operation));
}
