//! How much of large answers may be in memory at a time.
//!
//! An answer is as large as what was asked for, and it stays until its client has read it, or is gone. A small
//! one costs nothing here; a large one takes a share of a common budget and gives it back when its last byte
//! has been handed to the connection. One that is larger than the whole budget takes all of it.

use std::sync::Arc;

use prost::Message;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::{Response, Status};

use crate::convert::Rejection;

/// An answer below this size is small.
const SMALL: usize = 64 << 10;
/// The budget is counted in units of so many bytes.
const UNIT: usize = 1 << 10;
/// Reads of ranges at a time: each makes one answer before it is known how large it is.
const READS: usize = 16;

/// The budget. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    budget: Arc<Semaphore>,
    units: usize,
    reads: Arc<Semaphore>,
}

/// A share of the budget, held by an answer until it is sent. An extension of the response.
#[derive(Clone, Debug)]
pub(super) struct Share {
    _permit: Arc<OwnedSemaphorePermit>,
}

impl Answers {
    /// A budget of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self { budget: Arc::new(Semaphore::new(units)), units, reads: Arc::new(Semaphore::new(READS)) }
    }

    /// Waits for its turn to read a range.
    pub(super) async fn read(&self) -> Result<OwnedSemaphorePermit, Rejection> {
        self.reads.clone().acquire_owned().await.map_err(|_| Rejection::Stopped)
    }

    /// Lets an answer out, if there is room for it.
    pub(super) fn hold<M: Message>(&self, mut answer: Response<M>) -> Result<Response<M>, Status> {
        let bytes = answer.get_ref().encoded_len();
        if bytes > SMALL {
            let units = u32::try_from((bytes / UNIT).min(self.units)).unwrap_or(u32::MAX);
            let permit = self.budget.clone().try_acquire_many_owned(units);
            let permit = permit.map_err(|_| Rejection::TooManyRequests)?;
            answer.extensions_mut().insert(Share { _permit: Arc::new(permit) });
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::mvccpb::KeyValue;

    fn answer(bytes: usize) -> Response<KeyValue> {
        Response::new(KeyValue { value: vec![0; bytes].into(), ..Default::default() })
    }

    #[test]
    fn large_answers_share_the_budget_and_small_ones_do_not_need_any() {
        let answers = Answers::new(1 << 20);
        let held: Vec<_> = (0..4).map(|_| answers.hold(answer(200 << 10)).unwrap()).collect();
        let refused = answers.hold(answer(300 << 10)).unwrap_err();
        assert_eq!(refused.message(), "etcdserver: too many requests");
        answers.hold(answer(1000)).unwrap();
        drop(held);
        // The largest goes alone.
        let whole = answers.hold(answer(9 << 20)).unwrap();
        assert!(answers.hold(answer(100 << 10)).is_err());
        drop(whole);
        answers.hold(answer(100 << 10)).unwrap();
    }
}
