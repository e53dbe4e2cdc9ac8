//! The replicated state machine: what each command in the log does to the store.
//!
//! Pure in the sense that matters: the same commands in the same order give the same store and the
//! same replies on every replica, and after a crash when the tail of the log is applied again.
//! Nothing here looks at a clock, a random number or the machine's configuration.

mod command;
mod compare;
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

use crate::auth::{AuthRefusal, Authority, Credentials};
use crate::lessor::Lessor;
use crate::proto::etcdserverpb::{CompactionRequest, CompactionResponse};
use crate::proto::internal::command::Operation;
use crate::proto::internal::reply::Outcome;
use crate::proto::internal::{AuthCommand, LessorClaimed};
use crate::store::{Batch, Store};

pub(crate) use command::{BadReply, FORMAT, decode_reply, encode, encode_as};
pub(crate) use part::{Part, PartSize};
pub(crate) use range::{Reader, header};
pub use refusal::{Failure, Refusal};
pub(crate) use txn::{is_read_only, read as read_txn};

/// The store, as replication drives it.
pub struct Machine {
    store: Arc<Store>,
    lessor: Arc<Lessor>,
    authority: Arc<Authority>,
}

impl Machine {
    /// Applies to `store` what `authority` permits, and tells `lessor` about leases.
    pub fn new(store: Arc<Store>, lessor: Arc<Lessor>, authority: Arc<Authority>) -> Self {
        Self { store, lessor, authority }
    }

    fn execute(
        &self,
        batch: &mut Batch<'_>,
        index: u64,
        who: &Credentials,
        operation: Operation,
    ) -> Result<Outcome, Failure> {
        self.authority.permit(batch, who, &operation)?;
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
        let mut batch = self.store.begin();
        let mut replies = Vec::with_capacity(commands.len());
        for Command { index, payload } in commands {
            let (who, operation) = command::decode(*index, payload.clone())?;
            replies.push(command::encode_reply(self.execute(&mut batch, *index, &who, operation))?);
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
        Ok(())
    }
}
