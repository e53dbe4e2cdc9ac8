//! An interactive transaction, on the replica that leads: carried out as its statements come, in a transaction of
//! SQLite's that becomes visible when the log says so. Of all others it is known by what it has changed.

use std::sync::Arc;

use super::EngineError;
use super::digest::Digest;
use super::sequence::Standing;
use super::session::{self, Recorder};
use super::tables::State;
use super::writer::{Outcome, Writer, failed, foreign_key};
use crate::base::{Catalog, SqlState};
use crate::proto::log::{Commit, Ddl, Done, Failure, Segment, SequencePosition, Statement, Write, segment};

/// The open transaction of a writer.
pub(crate) struct Open {
    /// Whose.
    id: [u8; 16],
    recorder: Option<Recorder>,
    segments: Vec<Segment>,
    /// The innermost last.
    savepoints: Vec<Mark>,
    standing: Standing,
    /// The catalogue before it.
    catalog: Arc<Catalog>,
    affected: u64,
    hash: u64,
}

impl Open {
    /// The hash before it.
    pub(super) fn hash(&self) -> u64 {
        self.hash
    }
}

/// How things stood at a savepoint.
struct Mark {
    name: String,
    segments: usize,
    catalog: Arc<Catalog>,
}

impl Writer {
    /// Begins a transaction. One at a time: whoever asks holds the database's write slot.
    pub(crate) fn open_transaction(&mut self, id: [u8; 16]) -> Result<(), EngineError> {
        self.abort_transaction()?;
        self.budget.pardon();
        self.begin()?;
        self.open = Some(Open {
            id,
            recorder: None,
            segments: Vec::new(),
            savepoints: Vec::new(),
            standing: self.sequences.standing(),
            catalog: self.catalog.clone(),
            affected: 0,
            hash: self.digest.get(),
        });
        self.record()
    }

    /// Whose transaction is open.
    pub(crate) fn transaction(&self) -> Option<[u8; 16]> {
        self.open.as_ref().map(|open| open.id)
    }

    /// Whether this transaction is the open one.
    pub(crate) fn is_open(&self, id: &[u8]) -> bool {
        self.open.as_ref().is_some_and(|open| open.id == id)
    }

    /// Whether this transaction is the open one and nothing is in its way.
    fn may_go_on(&self, id: &[u8]) -> bool {
        self.is_open(id) && !self.budget.is_doomed()
    }

    /// Carries out a statement of the open transaction. How long it may take, its caller's stopper decides.
    pub(crate) fn in_transaction(&mut self, id: &[u8], write: &Write) -> Result<Outcome, EngineError> {
        use crate::proto::log::write::Body;
        if !self.may_go_on(id) {
            return Ok(Err(lost()));
        }
        if let Some(failure) = self.is_stale(write) {
            return Ok(Err(failure));
        }
        self.budget.begin();
        self.evaluate_with(write)?;
        let outcome = match &write.body {
            Some(Body::Statement(statement)) => self.transact(statement),
            Some(Body::Ddl(ddl)) => self.transact_ddl(write, ddl),
            None => Ok(Err(failed(SqlState::INTERNAL_ERROR, "an empty write"))),
        };
        let outcome = match outcome {
            Err(EngineError::Undone(failure)) => {
                self.forget_transaction()?;
                Err(*failure)
            }
            other => other?,
        };
        if let (Ok(done), Some(open)) = (&outcome, &mut self.open) {
            open.affected += done.affected;
        }
        Ok(outcome)
    }

    fn transact(&mut self, statement: &Statement) -> Result<Outcome, EngineError> {
        self.contained(|writer| writer.statement(statement))
    }

    /// A change of the schema is carried out by everybody, between what was changed before and after it.
    fn transact_ddl(&mut self, write: &Write, ddl: &Ddl) -> Result<Outcome, EngineError> {
        self.cut()?;
        let outcome = self.contained(|writer| writer.ddl(ddl))?;
        if let (Ok(_), Some(open)) = (&outcome, &mut self.open) {
            open.segments.push(Segment { body: Some(segment::Body::Ddl(write.clone())) });
        }
        self.record()?;
        Ok(outcome)
    }

    /// `SAVEPOINT`: a segment ends, so that what comes can be taken back without it.
    pub(crate) fn set_savepoint(
        &mut self,
        id: &[u8],
        name: &str,
    ) -> Result<Result<(), Failure>, EngineError> {
        if !self.may_go_on(id) {
            return Ok(Err(lost()));
        }
        self.cut()?;
        self.run(&format!("SAVEPOINT {}", quoted(name)))?;
        let catalog = self.catalog.clone();
        if let Some(open) = &mut self.open {
            open.savepoints.push(Mark { name: name.to_owned(), segments: open.segments.len(), catalog });
        }
        self.record().map(Ok)
    }

    /// `ROLLBACK TO`.
    pub(crate) fn roll_back_to(&mut self, id: &[u8], name: &str) -> Result<Result<(), Failure>, EngineError> {
        let place = match self.savepoint(id, name) {
            Ok(place) => place,
            Err(failure) => return Ok(Err(failure)),
        };
        self.cut()?;
        self.run(&format!("ROLLBACK TO {}", quoted(name)))?;
        let mut catalog = None;
        if let Some(open) = &mut self.open {
            open.savepoints.truncate(place + 1);
            open.segments.truncate(open.savepoints[place].segments);
            catalog = Some(open.savepoints[place].catalog.clone());
        }
        catalog.into_iter().for_each(|catalog| self.adopt(catalog));
        self.record().map(Ok)
    }

    /// `RELEASE`.
    pub(crate) fn release(&mut self, id: &[u8], name: &str) -> Result<Result<(), Failure>, EngineError> {
        let place = match self.savepoint(id, name) {
            Ok(place) => place,
            Err(failure) => return Ok(Err(failure)),
        };
        self.run(&format!("RELEASE {}", quoted(name)))?;
        if let Some(open) = &mut self.open {
            open.savepoints.truncate(place);
        }
        Ok(Ok(()))
    }

    fn savepoint(&self, id: &[u8], name: &str) -> Result<usize, Failure> {
        let open = self.open.as_ref().filter(|_| self.may_go_on(id)).ok_or_else(lost)?;
        open.savepoints.iter().rposition(|mark| mark.name == name).ok_or_else(|| {
            failed(SqlState::INVALID_SAVEPOINT_SPECIFICATION, &format!("savepoint \"{name}\" does not exist"))
        })
    }

    /// What the transaction has changed, to be replicated. It can do nothing more.
    pub(crate) fn close_transaction(
        &mut self,
        id: &[u8],
        key: &str,
    ) -> Result<Result<Commit, Failure>, EngineError> {
        if !self.may_go_on(id) {
            return Ok(Err(lost()));
        }
        if session::dangling(&self.connection)? {
            return Ok(Err(foreign_key()));
        }
        self.cut()?;
        let Some(open) = &mut self.open else {
            return Ok(Err(lost()));
        };
        let moved = self.sequences.moved_since(&open.standing).into_iter();
        Ok(Ok(Commit {
            id: open.id.to_vec().into(),
            base: self.state.changed,
            segments: std::mem::take(&mut open.segments),
            sequences: moved.map(|(sequence, last)| SequencePosition { sequence, last }).collect(),
            key: key.to_owned(),
            affected: open.affected,
            term: 0,
            now: 0,
        }))
    }

    /// Undoes the open transaction, if there is one.
    pub(crate) fn abort_transaction(&mut self) -> Result<(), EngineError> {
        if self.open.is_some() {
            self.budget.allow_all();
            self.connection.execute_batch("ROLLBACK")?;
        }
        self.forget_transaction()
    }

    /// SQLite has undone the open transaction, if there was one.
    fn forget_transaction(&mut self) -> Result<(), EngineError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        drop(open.recorder);
        self.budget.pardon();
        self.sequences.restore(open.standing);
        self.adopt(open.catalog);
        self.digest.watch(&mut self.connection)?;
        self.digest.set(open.hash);
        Ok(())
    }

    /// The log has the transaction: what was carried out here becomes visible, and its place in the log with it.
    pub(crate) fn finish_transaction(&mut self, commit: &Commit, state: State) -> Result<(), EngineError> {
        if let Some(open) = self.open.take() {
            drop(open.recorder);
            self.digest.watch(&mut self.connection)?;
            self.digest.set(open.hash);
        }
        mix(&self.digest, commit);
        self.keep_commit(commit)?;
        self.commit(state)
    }

    /// Carries out what another replica's transaction has changed. The number of conflicts: none, unless this
    /// replica has diverged.
    pub(crate) fn follow_transaction(&mut self, commit: &Commit) -> Result<u64, EngineError> {
        let hash = self.digest.get();
        let mut conflicts = 0;
        for segment in &commit.segments {
            match &segment.body {
                Some(segment::Body::Changeset(changes)) => {
                    conflicts += session::apply(&self.connection, changes)?;
                }
                Some(segment::Body::Ddl(write)) => conflicts += u64::from(self.write(write)?.is_err()),
                None => {}
            }
        }
        for moved in &commit.sequences {
            self.sequences.follow(moved.sequence, moved.last);
        }
        self.digest.set(hash);
        mix(&self.digest, commit);
        self.keep_commit(commit)?;
        Ok(conflicts)
    }

    fn keep_commit(&self, commit: &Commit) -> Result<(), EngineError> {
        let done = Done { affected: commit.affected, ..Done::default() };
        self.keep(&commit.key, commit.now, &done)
    }

    fn record(&mut self) -> Result<(), EngineError> {
        Digest::unwatch(&mut self.connection)?;
        let recorder = Recorder::begin(&self.connection)?;
        if let Some(open) = &mut self.open {
            open.recorder = Some(recorder);
        }
        Ok(())
    }

    /// Ends a segment of changes.
    fn cut(&mut self) -> Result<(), EngineError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let Some(recorder) = open.recorder.take() else { return Ok(()) };
        let changes = recorder.changeset()?;
        if !changes.is_empty() {
            open.segments.push(Segment { body: Some(segment::Body::Changeset(changes.into())) });
        }
        Ok(())
    }
}

/// What the client of a transaction is told that another one came before.
fn lost() -> Failure {
    failed(
        SqlState::SERIALIZATION_FAILURE,
        "could not serialize access: the leader or the database has changed",
    )
}

/// Not to be mixed up with our own.
fn quoted(savepoint: &str) -> String {
    format!("\"user {}\"", savepoint.replace('"', "\"\""))
}

fn mix(digest: &Digest, commit: &Commit) {
    for segment in &commit.segments {
        match &segment.body {
            Some(segment::Body::Changeset(changes)) => digest.mix(changes),
            Some(segment::Body::Ddl(write)) => digest.mix(&prost::Message::encode_to_vec(write)),
            None => {}
        }
    }
}
