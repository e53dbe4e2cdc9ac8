//! What clients asked and were told, in the order in which the simulation let it happen.

use std::time::Duration;

use chainfire::proto::etcdserverpb::{
    CompactionRequest, CompactionResponse, DeleteRangeRequest, DeleteRangeResponse, LeaseGrantRequest,
    LeaseGrantResponse, LeaseKeepAliveResponse, LeaseRevokeResponse, PutRequest, PutResponse, RangeRequest,
    RangeResponse, TxnRequest, TxnResponse, WatchResponse,
};

#[derive(Clone, Debug)]
pub(crate) enum Call {
    Put(PutRequest),
    Delete(DeleteRangeRequest),
    Txn(TxnRequest),
    Range(RangeRequest),
    Compact(CompactionRequest),
    Grant(LeaseGrantRequest),
    KeepAlive(i64),
    Revoke(i64),
}

#[derive(Clone, Debug)]
#[allow(dead_code, reason = "texts are for whoever reads a failure")]
pub(crate) enum Answer {
    Put(PutResponse),
    Delete(DeleteRangeResponse),
    Txn(TxnResponse),
    Range(RangeResponse),
    Compact(CompactionResponse),
    Grant(LeaseGrantResponse),
    KeepAlive(LeaseKeepAliveResponse),
    Revoke(LeaseRevokeResponse),
    /// It did not and will not take effect; the text says why.
    Refused(String),
    /// It may take effect at any later time, or never.
    Unknown(String),
}

/// A moment: its place in the order of everything, and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment {
    pub(crate) order: u64,
    pub(crate) at: Duration,
}

#[derive(Clone, Debug)]
#[allow(dead_code, reason = "who asked whom is for whoever reads a failure")]
pub(crate) struct Record {
    pub(crate) client: usize,
    pub(crate) asked: String,
    pub(crate) called: Moment,
    pub(crate) call: Call,
    pub(crate) returned: Option<(Moment, Answer)>,
}

impl Record {
    pub(crate) fn answer(&self) -> Option<&Answer> {
        self.returned.as_ref().map(|(_, answer)| answer)
    }
}

/// One watcher's life on one member.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// As asked for; 0: from now on.
    pub(crate) start: i64,
    /// Whether it goes on where another session of the same watcher stopped.
    pub(crate) resumed: bool,
    pub(crate) heard: Vec<(Moment, WatchResponse)>,
}

/// A watcher that goes from member to member.
#[derive(Clone, Debug)]
pub(crate) struct Watching {
    pub(crate) key: Vec<u8>,
    pub(crate) end: Vec<u8>,
    pub(crate) puts: bool,
    pub(crate) deletions: bool,
    pub(crate) prev_kv: bool,
    /// Where the next session begins; 0: it never began.
    pub(crate) next: i64,
    pub(crate) sessions: Vec<Session>,
}

impl Watching {
    pub(crate) fn wants(&self, key: &[u8], deleted: bool) -> bool {
        in_span(&self.key, &self.end, key) && if deleted { self.deletions } else { self.puts }
    }
}

/// etcd's spans: one key, from a key on (`\0`), or up to an end.
pub(crate) fn in_span(start: &[u8], end: &[u8], key: &[u8]) -> bool {
    match end {
        [] => key == start,
        [0] => key >= start,
        end => key >= start && key < end,
    }
}
