//! How others speak to a running connection: cancel what it does, let it finish, end it. Any thread may.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::base::{SqlError, SqlState};
use tokio::sync::Notify;

/// The statement that runs is to stop.
const CANCEL: u8 = 1;
/// Nobody reads the answers any more.
const GONE: u8 = 2;
/// The connection is to end as soon as it does nothing.
const DRAIN: u8 = 4;
/// The connection is to end.
const TERMINATE: u8 = 8;

/// The handle of one connection. Clones are the same handle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Control(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    bits: AtomicU8,
    changed: Notify,
}

impl Control {
    /// Of a connection that nobody wants to stop yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Whether both are of the same connection.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Cancels the statement that runs (57014). Without one, nothing happens.
    pub(crate) fn cancel(&self) {
        self.raise(CANCEL);
    }

    /// Ends the connection (57P01) when it is idle: between two statements, in no transaction.
    pub(crate) fn drain(&self) {
        self.raise(DRAIN);
    }

    /// Cancels what runs and ends the connection (57P01).
    pub(crate) fn terminate(&self) {
        self.raise(TERMINATE);
    }

    /// Why a statement should stop now, if it should. Cheap enough for every row.
    pub(crate) fn stopped(&self) -> Option<SqlError> {
        let bits = self.bits();
        if bits & GONE != 0 {
            Some(SqlError::new(SqlState::CONNECTION_FAILURE, "connection to client lost"))
        } else if bits & TERMINATE != 0 {
            Some(shut_down())
        } else if bits & CANCEL != 0 {
            Some(SqlError::new(SqlState::QUERY_CANCELED, "canceling statement due to user request"))
        } else {
            None
        }
    }

    /// Waits until a statement should stop, and says why.
    pub(crate) async fn until_stopped(&self) -> SqlError {
        self.until(GONE | TERMINATE | CANCEL).await;
        self.stopped().unwrap_or_else(shut_down)
    }

    /// A statement begins: who wanted to cancel meant another one.
    pub(crate) fn begin(&self) {
        if self.bits() & CANCEL != 0 {
            self.0.bits.fetch_and(!CANCEL, Ordering::AcqRel);
        }
    }

    /// Nobody will read an answer.
    pub(crate) fn client_is_gone(&self) {
        self.raise(GONE);
    }

    /// Whether it has left while something was done for it.
    pub(crate) fn is_client_gone(&self) -> bool {
        self.bits() & GONE != 0
    }

    /// Whether the connection is to end.
    pub(crate) fn is_ended(&self, idle: bool) -> bool {
        self.bits() & ending(idle) != 0
    }

    /// Waits until answers need not be waited for.
    pub(crate) async fn until_broken(&self) {
        self.until(GONE | TERMINATE).await;
    }

    /// Waits until the connection is to end.
    pub(crate) async fn until_ended(&self, idle: bool) {
        self.until(ending(idle)).await;
    }

    fn bits(&self) -> u8 {
        self.0.bits.load(Ordering::Acquire)
    }

    fn raise(&self, bit: u8) {
        self.0.bits.fetch_or(bit, Ordering::AcqRel);
        self.0.changed.notify_waiters();
    }

    async fn until(&self, bits: u8) {
        loop {
            let mut changed = std::pin::pin!(self.0.changed.notified());
            // Listens before it looks, or a change between both would be missed.
            changed.as_mut().enable();
            if self.bits() & bits != 0 {
                return;
            }
            changed.await;
        }
    }
}

fn ending(idle: bool) -> u8 {
    if idle { TERMINATE | DRAIN } else { TERMINATE }
}

/// What a client is told whose connection is ended.
pub(crate) fn shut_down() -> SqlError {
    SqlError::new(SqlState::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_statement_learns_why_it_should_stop() {
        let control = Control::new();
        assert_eq!(control.stopped(), None);
        control.drain();
        assert_eq!(control.stopped(), None, "it may finish");
        control.cancel();
        assert_eq!(control.until_stopped().await.state, SqlState::QUERY_CANCELED);
        control.terminate();
        assert_eq!(control.until_stopped().await.state, SqlState::ADMIN_SHUTDOWN);
        control.client_is_gone();
        assert_eq!(control.until_stopped().await.state, SqlState::CONNECTION_FAILURE);
    }

    #[tokio::test]
    async fn a_cancel_is_forgotten_when_the_next_statement_begins_and_an_end_is_not() {
        let control = Control::new();
        control.cancel();
        control.begin();
        assert_eq!(control.stopped(), None);
        control.terminate();
        control.begin();
        assert!(control.stopped().is_some());
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let control = Control::new();
        let (error, ()) = tokio::join!(control.until_stopped(), async {
            tokio::task::yield_now().await;
            control.cancel();
        });
        assert_eq!(error.message, "canceling statement due to user request");
    }
}
