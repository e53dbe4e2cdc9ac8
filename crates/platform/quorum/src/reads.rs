//! Linearizable reads: many readers share one confirmation of the leadership.
//!
//! A reader may only be answered by a round that began after the reader arrived (Raft thesis, 6.4).
//! Readers that arrive while a round is under way therefore wait for the next one.

use tokio::sync::{mpsc, oneshot};

use crate::error::ReadError;
use crate::group::Group;

/// Readers that may wait for a round.
const QUEUE: usize = 16_384;

type Answer = Result<(), ReadError>;

/// Where readers queue.
#[derive(Clone, Debug)]
pub(crate) struct Reads(mpsc::Sender<oneshot::Sender<Answer>>);

/// The other end, to be served once the group exists.
pub(crate) struct Rounds(mpsc::Receiver<oneshot::Sender<Answer>>);

pub(crate) fn queue() -> (Reads, Rounds) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    (Reads(sender), Rounds(receiver))
}

impl Reads {
    pub(crate) async fn wait(&self) -> Answer {
        let stopped = || ReadError::Stopped("the replica is stopping".into());
        let (sender, answer) = oneshot::channel();
        self.0.send(sender).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Rounds {
    /// Serves rounds until the group goes.
    pub(crate) async fn serve(mut self, group: Group) {
        let mut readers = Vec::new();
        while self.0.recv_many(&mut readers, QUEUE).await > 0 {
            let answer = group.confirm().await;
            for reader in readers.drain(..) {
                // A reader that gave up is no concern of the others.
                let _ = reader.send(answer.clone());
            }
        }
    }
}
