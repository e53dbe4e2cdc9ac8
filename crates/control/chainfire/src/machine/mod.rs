//! The replicated state machine: what each command in the log does to the store.
//!
//! Pure in the sense that matters: the same commands in the same order give the same store and the
//! same replies on every replica, and after a crash when the tail of the log is applied again.
//! Nothing here looks at a clock, a random number or the machine's configuration.

mod alarms;
mod command;
mod compare;
pub(crate) mod cost;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod keys;
mod leases;
mod part;
mod range;
mod refusal;
mod txn;

#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use quorum::{Command, Flush, StateMachine};
use tokio::sync::watch;

use crate::auth::{AuthRefusal, Authority, Credentials};
use crate::check::{Findings, Jury, Statement, Verdict};
use crate::lessor::Lessor;
use crate::proto::etcdserverpb::alarm_request::AlarmAction;
use crate::proto::etcdserverpb::{
    AlarmRequest, AlarmResponse, AlarmType, CompactionRequest, CompactionResponse,
};
use crate::proto::internal::command::Operation;
use crate::proto::internal::note::Note;
use crate::proto::internal::reply::Outcome;
use crate::proto::internal::{AuthCommand, LessorClaimed, NoteStatement};
use crate::store::{Batch, Chain, Store};

pub use alarms::Alarms;
pub(crate) use alarms::{Alarm, PREFIX as ALARMS};
use command::Decoded;
pub(crate) use command::{BadReply, FORMAT, decode_reply, encode, encode_as, encode_note};
pub(crate) use part::{Part, PartSize};
pub(crate) use range::{Reader, header};
pub use refusal::{Failure, Refusal};
pub(crate) use txn::{is_read_only, read as read_txn};

/// The store, as replication drives it.
pub struct Machine {
    store: Arc<Store>,
    lessor: Arc<Lessor>,
    authority: Arc<Authority>,
    alarms: Arc<Alarms>,
    jury: Jury,
    findings: watch::Sender<Findings>,
}

impl Machine {
    /// Applies to `store` what `authority` permits, and tells `lessor` about leases and `alarms` about alarms.
    pub fn new(
        store: Arc<Store>,
        lessor: Arc<Lessor>,
        authority: Arc<Authority>,
        alarms: Arc<Alarms>,
    ) -> Self {
        let jury = Jury::new(alarms.member());
        Self { store, lessor, authority, alarms, jury, findings: watch::Sender::default() }
    }

    /// Follows what the self-check finds.
    pub(crate) fn findings(&self) -> watch::Receiver<Findings> {
        self.findings.subscribe()
    }

    /// Over an empty store, for a test of something else.
    #[cfg(test)]
    pub(crate) fn fresh(store: &Arc<Store>) -> Self {
        let alarms = Alarms::open(&store.view(), 1).unwrap();
        Self::new(store.clone(), Arc::new(Lessor::default()), Authority::fresh(store), alarms)
    }

    fn apply_alarm(&self, batch: &mut Batch<'_>, request: &AlarmRequest) -> AlarmResponse {
        let response = self.alarms.apply(batch, request);
        if request.action() == AlarmAction::Deactivate && request.alarm() == AlarmType::Corrupt {
            // Until the next mark shows it again.
            self.findings.send_if_modified(|findings| findings.diverged.remove(&request.member_id));
        }
        response
    }

    /// Carries out a note of the self-check, after the command that brought it.
    fn hear(&mut self, batch: &mut Batch<'_>, index: u64, note: Note) {
        let verdicts = match (note, batch.state().chain) {
            (Note::Begin(begin), _) => {
                batch.begin_chain(begin.origin);
                self.jury.forget();
                return;
            }
            (_, None) => return,
            (Note::Mark(mark), Some(chain)) => {
                let statement = self.jury.mark(index, mark.voters, chain);
                self.findings.send_modify(|findings| findings.statement = Some(statement));
                return;
            }
            (Note::Statement(NoteStatement { member, mark, origin, hash }), Some(_)) => {
                self.jury.hear(Statement { member, mark, chain: Chain { origin, hash } })
            }
        };
        for verdict in verdicts {
            self.judge(verdict);
        }
    }

    fn judge(&self, verdict: Verdict) {
        let member = match verdict {
            Verdict::Diverged(member) => member,
            Verdict::Undecided => 0,
        };
        if member == self.alarms.member() || member == 0 {
            self.alarms.fence();
        }
        tracing::error!(
            member = format_args!("{member:x}"),
            ?verdict,
            "REPLICAS HAVE DIVERGED: what this member holds is not what a majority holds (0: no majority is of \
             one mind). It serves nothing more; remove it, empty its data directory, add it anew, then disarm \
             its alarm; see the section on corruption in the runbook of ChainFire"
        );
        self.findings.send_modify(|findings| {
            findings.diverged.insert(member);
        });
    }

    /// Without room only what adds nothing is carried out: etcd's capped applier.
    fn is_capped(&self, operation: &Operation) -> bool {
        let adds = match operation {
            Operation::Put(_) | Operation::LeaseGrant(_) => true,
            Operation::Txn(request) => cost::txn(request) > 0,
            _ => false,
        };
        adds && self.alarms.any(AlarmType::Nospace)
    }

    fn execute(
        &self,
        batch: &mut Batch<'_>,
        index: u64,
        who: &Credentials,
        operation: Operation,
    ) -> Result<Outcome, Failure> {
        self.authority.permit(batch, who, &operation)?;
        if self.is_capped(&operation) {
            return Err(Refusal::NoSpace.into());
        }
        Ok(match operation {
            Operation::Put(request) => Outcome::Put(keys::apply_put(batch, request)?),
            Operation::DeleteRange(request) => Outcome::DeleteRange(keys::apply_delete(batch, request)?),
            Operation::Txn(request) => Outcome::Txn(txn::apply(batch, request)?),
            Operation::Compact(request) => Outcome::Compact(compact(batch, request)?),
            Operation::LeaseGrant(request) => {
                let granted = leases::grant(batch, request)?;
                self.lessor.granted(granted.id, granted.ttl);
                Outcome::LeaseGrant(granted)
            }
            Operation::LeaseRevoke(request) => {
                let revoked = leases::revoke(batch, request)?;
                self.lessor.revoked(request.id);
                Outcome::LeaseRevoke(revoked)
            }
            Operation::LessorClaim(claim) => {
                batch.claim(claim.epoch);
                Outcome::LessorClaimed(LessorClaimed {})
            }
            Operation::Auth(AuthCommand { change }) => {
                // What an earlier version cannot know, it does not decode as a command at all.
                let change = change.ok_or(AuthRefusal::InvalidManagement)?;
                Outcome::Auth(self.authority.apply(batch, index, &change)?)
            }
            Operation::Alarm(request) => Outcome::Alarm(self.apply_alarm(batch, &request)),
        })
    }
}

fn compact(batch: &mut Batch<'_>, request: CompactionRequest) -> Result<CompactionResponse, Failure> {
    let state = batch.state();
    if request.revision <= state.compacted {
        return Err(Refusal::Compacted.into());
    }
    if request.revision > state.revision {
        return Err(Refusal::FutureRevision.into());
    }
    batch.compact(request.revision);
    Ok(CompactionResponse { header: header(batch.state().revision) })
}

impl StateMachine for Machine {
    /// A put touches one key; everything else may read or change any number of them.
    fn is_quick(&self, commands: &[Command]) -> bool {
        commands.iter().all(|command| command::is_put(&command.payload))
    }

    fn position(&self) -> io::Result<Option<Bytes>> {
        Ok(self.store.position())
    }

    fn apply(&mut self, commands: &[Command], position: &Bytes) -> io::Result<Vec<Bytes>> {
        let store = self.store.clone();
        let mut batch = store.begin();
        let mut replies = Vec::with_capacity(commands.len());
        for Command { index, payload, .. } in commands {
            let Decoded { who, operation, note } = command::decode(*index, payload.clone())?;
            let reply = command::encode_reply(self.execute(&mut batch, *index, &who, operation))?;
            if let Some(note) = note {
                self.hear(&mut batch, *index, note);
            }
            replies.push(if self.alarms.is_fenced() { command::withheld(reply)? } else { reply });
        }
        batch.finish(position)?;
        Ok(replies)
    }

    fn flush(&mut self) -> io::Result<Flush> {
        self.store.seal_now();
        let store = self.store.clone();
        Ok(Box::new(move || Ok(store.flush_sealed()?)))
    }

    fn export(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(self.store.export()))
    }

    fn import(&mut self, image: &mut dyn Read, position: &Bytes) -> io::Result<()> {
        self.store.import(image, position)?;
        self.lessor.replaced();
        self.authority.replaced(&self.store.view())?;
        self.alarms.replaced(&self.store.view())?;
        self.jury.forget();
        Ok(())
    }
}
