//! The replicated state machine: what each entry of the log does to a database.
//!
//! The same entries give the same database and the same replies on every replica. On the one that leads, a
//! transaction may be carried out already when its entry comes; then it only becomes visible.
//!
//! # The open transaction
//! It holds the writer of the replica that leads, and nothing else of its leader's is proposed meanwhile. An entry
//! that changes anything and is not its commit therefore comes from another leader: the transaction has lost, and is
//! stopped and undone before the entry is applied.

mod command;
mod recent;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use kit::Context;
use quorum::jury::{Chain, Jury, Statement, Verdict};
use quorum::{Command, Flush, StateMachine};

pub(crate) use self::command::{FORMAT, decode_reply, encode};
use self::command::{decode, encode_reply};
pub(crate) use self::recent::Fate;
pub(crate) use self::shared::{Findings, Shared};
use crate::base::SqlState;
use crate::engine::{Checkpoint, EngineError, Files, Outcome, State, Writer, failed, make_durable, receive};
use crate::proto::log::command::Body;
use crate::proto::log::note::Body as Note;
use crate::proto::log::{Batch, Commit, Done, Failure, note};

/// A database, as replication drives it.
pub(crate) struct Machine {
    context: Context,
    files: Files,
    shared: Arc<Shared>,
    jury: Jury,
    member: u64,
    /// The last applied entry, if what is stored is older: entries that change nothing are not written down alone.
    pending: Option<Bytes>,
}

impl Machine {
    /// Opens the database in `dir`, as replica `member`. Blocks.
    pub(crate) fn open(
        context: &Context,
        dir: &Path,
        vfs: Option<String>,
        member: u64,
    ) -> Result<Self, EngineError> {
        let files = Files::open(context, dir, vfs.clone())?;
        let writer = Writer::open(&files.current(), vfs.as_deref())?;
        let shared = Arc::new(Shared::new(writer, files.current(), vfs));
        let context = context.clone();
        Ok(Self { context, files, shared, jury: Jury::new(member), member, pending: None })
    }

    /// What sessions use of it.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        self.shared.clone()
    }

    /// Its files.
    pub(crate) fn files(&self) -> Files {
        self.files.clone()
    }

    fn note(&mut self, state: &mut State, index: u64, note: Note) {
        let chain = Chain { origin: state.origin, hash: state.hash };
        let verdicts = match note {
            Note::Begin(begin) => {
                (state.origin, state.hash) = (begin.origin, 0);
                self.jury.forget();
                return;
            }
            Note::Mark(mark) => {
                let statement = self.jury.mark(index, mark.voters, chain);
                return self.shared.found(|findings| findings.statement = Some(statement));
            }
            Note::Stated(note::Stated { member, mark, origin, hash }) => {
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
        tracing::error!(
            member = format_args!("{member:x}"),
            ?verdict,
            "REPLICAS HAVE DIVERGED: what this replica holds is not what a majority holds (0: no majority is of one \
             mind). It serves nothing more; remove it and add it anew: see the runbook of FlareDB"
        );
        let own = member == self.member || member == 0;
        self.shared.found(|findings| {
            findings.diverged.insert(member);
            findings.fenced |= own;
        });
    }
}

/// One call of `apply`.
struct Pass<'a> {
    /// Writes that are known to take too many steps, by entry and place, and what they are told.
    stopped: &'a BTreeMap<(u64, usize), Failure>,
    /// The write under way.
    place: (u64, usize),
    /// Where to begin again if one more is found.
    since: Option<Checkpoint>,
    machine: &'a mut Machine,
    writer: &'a mut Writer,
    state: State,
    /// Whether a transaction of SQLite's is open that gathers this pass' writes.
    gathering: bool,
}

impl Machine {
    /// Carries out what was committed. A write that is stopped takes SQLite's transaction with it: then all is done
    /// again without it, as on every other replica.
    fn pass(
        &mut self,
        writer: &mut Writer,
        commands: &[Command],
        bodies: &[Option<Body>],
        position: &Bytes,
    ) -> Result<Vec<Bytes>, EngineError> {
        let mut stopped = BTreeMap::new();
        loop {
            let state = writer.state().clone();
            let mut pass = Pass {
                machine: self,
                writer,
                state,
                gathering: false,
                stopped: &stopped,
                place: (0, 0),
                since: None,
            };
            let replies = commands
                .iter()
                .zip(bodies)
                .map(|(command, body)| Ok(encode_reply(pass.apply(command, body.as_ref())?)));
            match replies.collect::<Result<Vec<Bytes>, EngineError>>() {
                Ok(replies) => return pass.finish(position).map(|()| replies),
                Err(EngineError::Undone(failure)) => {
                    let place = pass.go_back();
                    stopped.insert(place, *failure);
                }
                Err(e) => return Err(e),
            }
        }
    }
}

impl Pass<'_> {
    /// Back to where SQLite is. The write that was stopped.
    fn go_back(self) -> (u64, usize) {
        if let Some(since) = &self.since {
            self.writer.go_back(since);
        }
        self.place
    }

    fn apply(&mut self, command: &Command, body: Option<&Body>) -> Result<Vec<Outcome>, EngineError> {
        let Command { index, term, .. } = *command;
        match body {
            Some(Body::Note(note)) => {
                self.note(index, note.body.clone())?;
                Ok(Vec::new())
            }
            // Written down before a crash, in a pass that was not.
            Some(Body::Batch(_) | Body::Commit(_)) if index <= self.state.changed => Ok(Vec::new()),
            Some(Body::Batch(batch)) if is_late(batch.term, term) => {
                Ok(batch.writes.iter().map(|_| Err(late())).collect())
            }
            Some(Body::Commit(commit)) if is_late(commit.term, term) => Ok(vec![Err(late())]),
            Some(Body::Batch(batch)) => self.batch(index, batch),
            Some(Body::Commit(commit)) => self.commit(index, commit),
            None => Ok(Vec::new()),
        }
    }

    fn note(&mut self, index: u64, note: Option<Note>) -> Result<(), EngineError> {
        if matches!(note, Some(Note::Begin(_))) {
            // A new chain is written down at once.
            self.gather()?;
        }
        self.state.hash = self.writer.hash();
        note.into_iter().for_each(|note| self.machine.note(&mut self.state, index, note));
        if self.gathering {
            self.writer.set_hash(self.state.hash);
        }
        Ok(())
    }

    fn gather(&mut self) -> Result<(), EngineError> {
        if !self.gathering {
            self.writer.abort_transaction()?;
            self.since = Some(self.writer.checkpoint());
            self.writer.begin()?;
            self.gathering = true;
        }
        Ok(())
    }

    fn batch(&mut self, index: u64, batch: &Batch) -> Result<Vec<Outcome>, EngineError> {
        self.gather()?;
        self.state.changed = index;
        let mut outcomes = Vec::with_capacity(batch.writes.len());
        for (place, write) in batch.writes.iter().enumerate() {
            self.place = (index, place);
            outcomes.push(match self.stopped.get(&self.place) {
                Some(failure) => Err(failure.clone()),
                None => self.writer.write(write)?,
            });
        }
        Ok(outcomes)
    }

    fn commit(&mut self, index: u64, commit: &Commit) -> Result<Vec<Outcome>, EngineError> {
        let done = Done { affected: commit.affected, ..Done::default() };
        if self.writer.is_open(&commit.id) {
            self.state.changed = index;
            // Its place in the log is written down with it, those of what comes after it are not.
            self.writer.finish_transaction(commit, self.state.clone())?;
            self.state = self.writer.state().clone();
            return Ok(vec![Ok(done)]);
        }
        if commit.base != self.state.changed {
            return Ok(vec![Err(overtaken())]);
        }
        self.gather()?;
        self.state.changed = index;
        let conflicts = self.writer.follow_transaction(commit)?;
        if conflicts > 0 {
            tracing::error!(
                conflicts,
                index,
                "a transaction met other rows here than where it was carried out"
            );
            self.machine.judge(Verdict::Diverged(self.machine.member));
        }
        Ok(vec![Ok(done)])
    }

    fn finish(mut self, position: &Bytes) -> Result<(), EngineError> {
        self.state.position = Some(position.clone());
        if self.gathering {
            self.writer.commit(self.state)?;
            self.machine.pending = None;
        } else {
            self.writer.set_aside(self.state);
            self.machine.pending = Some(position.clone());
        }
        Ok(())
    }
}

/// Whether an entry was proposed in another term than the one that it was taken in.
fn is_late(proposed: u64, taken: u64) -> bool {
    proposed != 0 && proposed != taken
}

fn late() -> Failure {
    failed(SqlState::SERIALIZATION_FAILURE, "the leader has changed before the statement was taken")
}

fn overtaken() -> Failure {
    failed(SqlState::SERIALIZATION_FAILURE, "could not serialize access: the database has changed meanwhile")
}

impl StateMachine for Machine {
    fn position(&self) -> io::Result<Option<Bytes>> {
        Ok(self.shared.writer().state().position.clone())
    }

    fn apply(&mut self, commands: &[Command], position: &Bytes) -> io::Result<Vec<Bytes>> {
        let bodies: Vec<Option<Body>> = commands.iter().map(decode).collect::<Result<_, _>>()?;
        let shared = self.shared.clone();
        shared.make_way(&bodies);
        let mut writer = shared.writer();
        let replies = self.pass(&mut writer, commands, &bodies, position)?;
        for ((command, body), reply) in commands.iter().zip(&bodies).zip(&replies) {
            shared.remember(command.index, shared.ids(body.as_ref()), reply);
        }
        shared.publish(&writer);
        Ok(if shared.is_fenced() { commands.iter().map(|_| command::withheld()).collect() } else { replies })
    }

    fn flush(&mut self) -> io::Result<Flush> {
        if self.pending.take().is_some() {
            let shared = self.shared.clone();
            shared.make_way(&[]);
            let mut writer = shared.writer();
            writer.abort_transaction()?;
            let state = writer.state().clone();
            writer.begin()?;
            writer.commit(state)?;
        }
        let files = self.files.clone();
        Ok(Box::new(move || Ok(files.make_durable()?)))
    }

    fn export(&self) -> io::Result<Box<dyn Read + Send>> {
        let reader = self.shared.readers().take()?;
        Ok(Box::new(self.files.export(reader, self.shared.readers().clone())?))
    }

    fn import(&mut self, image: &mut dyn Read, position: &Bytes) -> io::Result<()> {
        let next = self.files.next();
        receive(&self.context, image, &next)?;
        let mut writer = Writer::open(&next, self.files.vfs())?;
        let state = State { position: Some(position.clone()), ..writer.state().clone() };
        writer.begin()?;
        writer.commit(state)?;
        make_durable(&self.context, &next, self.files.vfs())?;
        self.shared.make_way(&[]);
        // The old file is closed before the new one counts.
        self.shared.replace(writer, &next)?;
        self.files.advance()?;
        self.pending = None;
        self.jury.forget();
        Ok(())
    }
}
