//! Carries out what the check needs: proposes notes and alarms, hands leadership on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kit::Context;
use quorum::{Change, Group, Status};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Statement;
use crate::machine::{Alarm, Alarms, encode, encode_note};
use crate::proto::etcdserverpb::alarm_request::AlarmAction;
use crate::proto::etcdserverpb::{AlarmRequest, AlarmType};
use crate::proto::internal::command::Operation;
use crate::proto::internal::note::Note;
use crate::proto::internal::{NoteBegin, NoteMark, NoteStatement};
use crate::store::{Chain, Store};

/// How often the leader looks whether a mark is due, at least.
const LOOK: Duration = Duration::from_secs(1);

/// What the applying thread has found, for those who act on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// What this replica has to state.
    pub(crate) statement: Option<Statement>,
    /// Members that have diverged; 0: nobody can say who.
    pub(crate) diverged: BTreeSet<u64>,
}

/// One replica's part in the check.
pub(crate) struct Checker {
    pub(crate) context: Context,
    pub(crate) store: Arc<Store>,
    pub(crate) alarms: Arc<Alarms>,
    pub(crate) group: Group,
    pub(crate) findings: watch::Receiver<Findings>,
    /// Between two marks at most, if anything happens at all.
    pub(crate) interval: Duration,
    /// Entries between two marks at most, to within a look.
    pub(crate) entries: u64,
}

/// The last mark that this replica has asked for, as leader.
struct LastMark {
    at: Instant,
    applied: u64,
    chain: Option<Chain>,
}

/// Takes part in the check for as long as the process lives.
pub(crate) async fn run(mut checker: Checker) {
    let mut looks = interval(LOOK.min(checker.interval));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = LastMark { at: Instant::now(), applied: 0, chain: None };
    loop {
        tokio::select! {
            biased;
            changed = checker.findings.changed() => {
                if changed.is_err() {
                    return;
                }
                let findings = checker.findings.borrow_and_update().clone();
                if let Some(statement) = findings.statement {
                    checker.state(statement).await;
                }
                if checker.alarms.is_fenced() {
                    checker.look(&mut last).await;
                }
                checker.accuse(&findings.diverged).await;
            }
            _ = looks.tick() => {
                let diverged = checker.findings.borrow().diverged.clone();
                checker.accuse(&diverged).await;
                checker.look(&mut last).await;
            }
        }
    }
}

impl Checker {
    async fn propose(&self, command: Bytes) -> bool {
        let proposed = self.group.propose(command).await;
        if let Err(e) = &proposed {
            tracing::debug!(error = %e, "a part of the self-check was not replicated; the next one will be");
        }
        proposed.is_ok()
    }

    async fn note(&self, note: Note) -> bool {
        self.propose(encode_note(self.context.entropy().id(), note)).await
    }

    async fn state(&self, statement: Statement) {
        let Statement { member, mark, chain: Chain { origin, hash } } = statement;
        self.note(Note::Statement(NoteStatement { member, mark, origin, hash })).await;
    }

    /// Raises alarms, again and again until they are.
    async fn accuse(&self, diverged: &BTreeSet<u64>) {
        for member_id in diverged.iter().copied() {
            let kind = AlarmType::Corrupt;
            if self.alarms.is_raised(Alarm::new(kind, member_id)) {
                continue;
            }
            let request =
                AlarmRequest { action: AlarmAction::Activate.into(), member_id, alarm: kind.into() };
            self.propose(encode(self.context.entropy().id(), Operation::Alarm(request))).await;
        }
    }

    async fn look(&self, last: &mut LastMark) {
        let status = self.group.status();
        if status.leadership.leader.is_none() {
            return;
        }
        if self.alarms.is_fenced() {
            if status.leadership.is_leader {
                self.hand_over(&status).await;
            }
            return;
        }
        let store = self.store.clone();
        let Some(chain) = self.context.blocking(move || store.chain()).await else { return };
        let Some(chain) = chain else {
            // Not before it has caught up: a note in the log may be its beginning.
            if status.applied >= status.committed {
                let origin = self.context.entropy().id();
                tracing::info!("the hash of the state begins here: the version before kept none");
                self.note(Note::Begin(NoteBegin { origin })).await;
            }
            return;
        };
        if !status.leadership.is_leader {
            return;
        }
        let due = last.at.elapsed() >= self.interval
            || status.applied - last.applied.min(status.applied) >= self.entries;
        if due && last.chain != Some(chain) {
            let voters = status.voters.clone();
            if self.note(Note::Mark(NoteMark { voters })).await {
                *last = LastMark { at: Instant::now(), applied: status.applied, chain: Some(chain) };
            }
        }
    }

    /// To the voter that is furthest among those that may serve.
    async fn hand_over(&self, status: &Status) {
        let fit =
            |id: &&u64| **id != status.id && !self.alarms.is_raised(Alarm::new(AlarmType::Corrupt, **id));
        let furthest = |id: &&u64| status.progress.get(*id).and_then(|progress| progress.matched);
        let Some(successor) = status.voters.iter().filter(fit).max_by_key(furthest) else { return };
        tracing::warn!(
            successor = format_args!("{successor:x}"),
            "a member with a diverged state must not lead"
        );
        if let Err(e) = self.group.change(Change::Transfer(*successor)).await {
            tracing::warn!(error = %e, "the leadership could not be handed over yet; trying again");
        }
    }
}
