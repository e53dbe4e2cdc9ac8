//! The transaction that a session is in.

use std::sync::Arc;

use super::Session;
use crate::base::{Catalog, SqlError, SqlState};
use crate::engine::Reader;
use crate::proto::call::point::Verb;
use crate::replica::{Patience, Transaction};
use crate::wire::Status;

/// A block of statements that belong together.
pub(super) struct Block {
    /// By BEGIN; else by what a client sent at once.
    pub(super) explicit: bool,
    pub(super) failed: bool,
    pub(super) read_only: bool,
    pub(super) work: Work,
    /// As its own definitions have left it.
    pub(super) catalog: Option<Arc<Catalog>>,
    /// Where the settings and the catalogue stood when each savepoint was set.
    pub(super) savepoints: Vec<(String, usize, Option<Arc<Catalog>>)>,
    /// Its time: microseconds since 1970.
    pub(super) now: i64,
}

/// What a block has done.
pub(super) enum Work {
    Nothing,
    /// Read, on this snapshot.
    Reading(Reader),
    /// Written: it holds the database's write slot.
    Writing(Transaction),
}

impl Block {
    pub(super) fn new(explicit: bool, read_only: bool, now: i64) -> Self {
        Self {
            explicit,
            failed: false,
            read_only,
            work: Work::Nothing,
            catalog: None,
            savepoints: Vec::new(),
            now,
        }
    }
}

impl Session {
    pub(super) fn block_status(&self) -> Status {
        match &self.block {
            Some(block) if block.explicit && block.failed => Status::Failed,
            Some(block) if block.explicit => Status::InTransaction,
            _ => Status::Idle,
        }
    }

    /// Ends the block with everything that it did.
    pub(super) async fn commit(&mut self) -> Result<(), SqlError> {
        let Some(block) = self.block.take() else { return Ok(()) };
        match block.work {
            Work::Nothing => {}
            Work::Reading(reader) => self.replica.give_back(reader),
            Work::Writing(transaction) => {
                let key = self.parameters.get("flaredb.idempotency_key").to_owned();
                let committed = transaction.commit(key).await;
                let outcome = committed.and_then(|outcome| {
                    outcome.map_err(|failure| super::explain::explain(failure, &self.replica.catalog(), None))
                });
                if let Err(error) = outcome {
                    let told = self.parameters.roll_back(0);
                    self.tell(told);
                    return Err(error);
                }
            }
        }
        let told = self.parameters.commit();
        self.tell(told);
        Ok(())
    }

    /// Ends the block with nothing of what it did.
    pub(super) async fn roll_back(&mut self) {
        let Some(block) = self.block.take() else { return };
        match block.work {
            Work::Nothing => {}
            Work::Reading(reader) => self.replica.give_back(reader),
            Work::Writing(transaction) => transaction.roll_back().await,
        }
        let told = self.parameters.roll_back(0);
        self.tell(told);
    }

    /// From now on the block writes: it waits for its turn. What it has read must still be so.
    pub(super) async fn begin_writing(&mut self) -> Result<(), SqlError> {
        let Some(block) = &mut self.block else { return Ok(()) };
        if block.read_only {
            let message = "cannot execute this statement in a read-only transaction";
            return Err(SqlError::new(SqlState::READ_ONLY_SQL_TRANSACTION, message));
        }
        if matches!(block.work, Work::Writing(_)) {
            return Ok(());
        }
        let patience = Patience {
            turn: self.parameters.time("lock_timeout").unwrap_or(super::TURN),
            idle: self.parameters.time("idle_in_transaction_session_timeout").unwrap_or_default(),
        };
        let transaction = self.replica.begin(patience).await?;
        if let Work::Reading(reader) = std::mem::replace(&mut block.work, Work::Nothing) {
            let seen = reader.changed();
            self.replica.give_back(reader);
            if seen.ok() != Some(transaction.changed) {
                transaction.roll_back().await;
                let message = "could not serialize access: what was read has changed since";
                return Err(SqlError::new(SqlState::SERIALIZATION_FAILURE, message).with_hint(
                    "Run the transaction again; one that begins with a write waits for its turn instead.",
                ));
            }
        }
        block.work = Work::Writing(transaction);
        Ok(())
    }

    /// `SAVEPOINT`, `ROLLBACK TO`, `RELEASE`.
    pub(super) async fn point(&mut self, verb: Verb, name: &str) -> Result<(), SqlError> {
        let mark = self.parameters.mark();
        if !self.block.as_ref().is_some_and(|block| block.explicit) {
            let word = match verb {
                Verb::Set => "SAVEPOINT",
                Verb::Back => "ROLLBACK TO SAVEPOINT",
                Verb::Release => "RELEASE SAVEPOINT",
            };
            let message = format!("{word} can only be used in transaction blocks");
            return Err(SqlError::new(SqlState::NO_ACTIVE_SQL_TRANSACTION, message));
        }
        if verb == Verb::Set {
            // What can be taken back is at the leader.
            self.begin_writing().await?;
        }
        let Some(block) = self.block.as_mut() else { return Ok(()) };
        let place = block.savepoints.iter().rposition(|(known, ..)| known == name);
        if verb != Verb::Set && place.is_none() {
            let message = format!("savepoint \"{name}\" does not exist");
            return Err(SqlError::new(SqlState::INVALID_SAVEPOINT_SPECIFICATION, message));
        }
        if let Work::Writing(transaction) = &block.work {
            let outcome = transaction.point(verb, name).await;
            outcome.map_err(crate::refusal::as_error)?;
        }
        match (verb, place) {
            (Verb::Back, Some(place)) => {
                let back = block.savepoints[place].1;
                block.catalog.clone_from(&block.savepoints[place].2);
                block.savepoints.truncate(place + 1);
                block.failed = false;
                let told = self.parameters.roll_back(back);
                self.tell(told);
            }
            (Verb::Release, Some(place)) => block.savepoints.truncate(place),
            _ => {
                let catalog = block.catalog.clone();
                block.savepoints.push((name.to_owned(), mark, catalog));
            }
        }
        Ok(())
    }
}
