//! Statements that come while others are on their way share the next entry of the log.

use std::sync::Arc;

use kit::Context;
use prost::Message as _;
use quorum::{Group, ProposeError, Stages};
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::slot::Slot;
use crate::engine::Outcome;
use crate::machine::{decode_reply, encode};
use crate::proto::log::command::Body;
use crate::proto::log::{Batch, Write};

/// Of one entry, at most.
const WRITES: usize = 512;
const BYTES: usize = 1 << 20;

/// What came of a statement that was handed in.
#[derive(Debug)]
pub(super) enum Gathered {
    /// It was carried out, or refused by what it met; and where its time went, if it was slow.
    Outcome(Outcome, Option<Stages>),
    /// It was certainly not, and never will be.
    Not(ProposeError),
    /// It may have been, or may yet be while its term lasts.
    Unknown(String),
}

/// A statement that waits for its entry.
struct Waiting {
    term: u64,
    write: Write,
    answer: oneshot::Sender<Gathered>,
}

/// Where statements are handed in. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Gatherer(mpsc::Sender<Waiting>);

impl Gatherer {
    /// Starts to gather; at most `pipeline` entries are on their way at once, and `waiting` statements wait.
    pub(super) fn start(
        context: &Context,
        group: &Group,
        slot: &Arc<Slot>,
        (pipeline, waiting): (usize, usize),
    ) -> Self {
        let (sender, receiver) = mpsc::channel(waiting);
        let gathering = Gathering {
            context: context.clone(),
            group: group.clone(),
            slot: slot.clone(),
            pipeline: Arc::new(Semaphore::new(pipeline)),
        };
        context.tasks().spawn(gathering.run(receiver));
        Self(sender)
    }

    /// Hands a statement in, to be proposed in this term or not at all.
    pub(super) async fn write(&self, term: u64, write: Write) -> Gathered {
        let (answer, outcome) = oneshot::channel();
        match self.0.try_send(Waiting { term, write, answer }) {
            Ok(()) => outcome.await.unwrap_or_else(|_| Gathered::Unknown("the node is stopping".into())),
            Err(mpsc::error::TrySendError::Full(_)) => Gathered::Not(ProposeError::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => Gathered::Not(ProposeError::NoLeader),
        }
    }
}

struct Gathering {
    context: Context,
    group: Group,
    slot: Arc<Slot>,
    pipeline: Arc<Semaphore>,
}

impl Gathering {
    async fn run(self, mut receiver: mpsc::Receiver<Waiting>) {
        let mut next = None;
        loop {
            let first = match next.take() {
                Some(first) => first,
                None => match receiver.recv().await {
                    Some(first) => first,
                    None => return,
                },
            };
            // The way must be free, and no transaction writing: what comes until then is gathered.
            let Ok(way) = self.pipeline.clone().acquire_owned().await else { return };
            let turn = self.slot.shared().await;
            let mut waiting = vec![first];
            next = gather(&mut waiting, &mut receiver);
            let group = self.group.clone();
            self.context.tasks().spawn(async move {
                propose(&group, waiting).await;
                drop((way, turn));
            });
        }
    }
}

/// Adds what waits, as long as it fits and is of the same term. What does not fit begins the next entry.
fn gather(waiting: &mut Vec<Waiting>, receiver: &mut mpsc::Receiver<Waiting>) -> Option<Waiting> {
    let term = waiting.first()?.term;
    let mut bytes: usize = waiting.iter().map(|waiting| waiting.write.encoded_len()).sum();
    while waiting.len() < WRITES {
        let another = receiver.try_recv().ok()?;
        bytes += another.write.encoded_len();
        if another.term != term || bytes > BYTES {
            return Some(another);
        }
        waiting.push(another);
    }
    None
}

async fn propose(group: &Group, waiting: Vec<Waiting>) {
    let Some(term) = waiting.first().map(|waiting| waiting.term) else { return };
    let (writes, answers): (Vec<Write>, Vec<_>) =
        waiting.into_iter().map(|Waiting { write, answer, .. }| (write, answer)).unzip();
    let proposed = group.propose_in(term, encode(Body::Batch(Batch { writes, term }))).await;
    let mut told: Box<dyn Iterator<Item = Gathered> + Send> = match proposed {
        Ok(accepted) => match decode_reply(accepted.reply) {
            Ok(outcomes) => {
                let stages = accepted.stages;
                Box::new(outcomes.into_iter().map(move |outcome| Gathered::Outcome(outcome, stages)))
            }
            Err(e) => unknown(e.to_string()),
        },
        Err(ProposeError::Unknown(why) | ProposeError::Stopped(why)) => unknown(why),
        Err(e) => Box::new(std::iter::repeat_with(move || Gathered::Not(e.clone()))),
    };
    for answer in answers {
        let outcome = told.next().unwrap_or_else(|| Gathered::Unknown("no outcome was told".into()));
        // Whoever has gone does not want to know.
        let _ = answer.send(outcome);
    }
}

fn unknown(why: String) -> Box<dyn Iterator<Item = Gathered> + Send> {
    Box::new(std::iter::repeat_with(move || Gathered::Unknown(why.clone())))
}
