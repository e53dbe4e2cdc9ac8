//! Carries out the replicas' check of each other: the leader asks for comparisons, every replica states what it holds,
//! and one that has diverged hands the leadership on.

use std::collections::BTreeSet;
use std::time::Duration;

use quorum::jury::{Chain, Statement};
use quorum::{Change, Status};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Replica;
use crate::machine::encode;
use crate::proto::log::command::Body;
use crate::proto::log::note::{Body as Note, Mark, Stated};

/// How often the leader looks whether a comparison is due, at least.
const LOOK: Duration = Duration::from_secs(1);

/// Takes part for as long as the process lives.
pub(super) async fn run(replica: Replica) {
    let mut findings = replica.shared.findings();
    let mut looks = interval(LOOK.min(replica.options.check_interval));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = (Instant::now(), 0);
    loop {
        tokio::select! {
            biased;
            changed = findings.changed() => {
                if changed.is_err() {
                    return;
                }
                let found = findings.borrow_and_update().clone();
                if let Some(Statement { member, mark, chain: Chain { origin, hash } }) = found.statement {
                    replica.note(Note::Stated(Stated { member, mark, origin, hash })).await;
                }
                if found.fenced {
                    replica.hand_over(&found.diverged).await;
                }
            }
            _ = looks.tick() => replica.look(&mut last).await,
        }
    }
}

impl Replica {
    async fn note(&self, note: Note) -> bool {
        let entry = encode(Body::Note(crate::proto::log::Note { body: Some(note) }));
        let proposed = self.group.propose(entry).await;
        if let Err(e) = &proposed {
            tracing::debug!(error = %e, "a part of the replicas' check was not replicated; the next one will be");
        }
        proposed.is_ok()
    }

    /// `last`: when the last comparison was asked for, and what the last change was then.
    async fn look(&self, last: &mut (Instant, u64)) {
        let status = self.group.status();
        if !status.leadership.is_leader {
            return;
        }
        let found = self.shared.findings().borrow().clone();
        if found.fenced {
            return self.hand_over(&found.diverged).await;
        }
        let changed = self.shared.changed();
        if last.0.elapsed() >= self.options.check_interval
            && changed != last.1
            && self.note(Note::Mark(Mark { voters: status.voters })).await
        {
            *last = (Instant::now(), changed);
        }
    }

    /// To the voter that is furthest among those that hold what the majority does.
    async fn hand_over(&self, diverged: &BTreeSet<u64>) {
        let status: Status = self.group.status();
        if !status.leadership.is_leader {
            return;
        }
        let fit = |id: &&u64| **id != status.id && !diverged.contains(*id);
        let furthest = |id: &&u64| status.progress.get(*id).and_then(|progress| progress.matched);
        let Some(successor) = status.voters.iter().filter(fit).max_by_key(furthest) else { return };
        tracing::warn!(
            successor = format_args!("{successor:x}"),
            "a replica with a diverged state must not lead"
        );
        if let Err(e) = self.group.change(Change::Transfer(*successor)).await {
            tracing::warn!(error = %e, "the leadership could not be handed over yet; trying again");
        }
    }
}
