//! COPY, in both directions.

use std::future::{Future, poll_fn};

use crate::base::{SqlError, SqlState};
use bytes::Bytes;

use super::Client;
use crate::wire::io::{Broken, CopyMessage, lock};
use crate::wire::message::{Format, copy_fail, copy_response, limit, violation};

/// What comes of data that is copied in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CopyEvent {
    /// A piece of it, at most 64 KiB, in no relation to lines or rows.
    Data(Bytes),
    /// That was all.
    Done,
}

impl Client {
    /// Asks for data: `format` is that of every column.
    pub(crate) async fn copy_in(&mut self, format: Format, columns: usize) -> Result<(), SqlError> {
        self.output.message(b'G', |out| copy_response(out, format, columns))?;
        self.output.flush().await?;
        lock(&self.input).copying = true;
        Ok(())
    }

    /// Waits for the next piece. Errors: the client gives up (57014), is gone (08006) or says what it may not
    /// (08P01). A session that stops before the end just returns its error: what still comes is passed over.
    pub(crate) async fn copy_next(&mut self) -> Result<CopyEvent, SqlError> {
        let (input, longest) = (&self.input, self.max_message);
        let next = poll_fn(|cx| lock(input).poll_copy(cx, |tag| limit(tag, longest)));
        let next = tokio::select! {
            biased;
            next = next => next,
            error = self.control.until_stopped() => return Err(self.copy_ends(error)),
        };
        match next {
            Ok(CopyMessage::Data(piece)) => Ok(CopyEvent::Data(piece)),
            Ok(CopyMessage::Done) => {
                lock(&self.input).end_copy();
                Ok(CopyEvent::Done)
            }
            Ok(CopyMessage::Failed(body)) => Err(self.copy_ends(given_up(&body))),
            Ok(CopyMessage::Unexpected(tag)) => {
                self.lost = true;
                let message = format!("unexpected message type 0x{tag:02X} during COPY from stdin");
                Err(self.copy_ends(violation(message)))
            }
            Err(Broken::Lost(error)) => {
                self.lost = true;
                Err(self.copy_ends(error))
            }
            Err(Broken::Gone) => {
                self.control.client_is_gone();
                let message = "unexpected EOF on client connection during COPY from stdin";
                Err(self.copy_ends(SqlError::new(SqlState::CONNECTION_FAILURE, message)))
            }
        }
    }

    /// Announces data: `format` is that of every column.
    pub(crate) fn copy_out(&mut self, format: Format, columns: usize) -> Result<(), SqlError> {
        self.output.message(b'H', |out| copy_response(out, format, columns))
    }

    /// Data that `write` appends: a row by custom, since clients see where it ends. Waits like [`Client::row`].
    pub(crate) fn copy_data(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), SqlError>,
    ) -> impl Future<Output = Result<(), SqlError>> + Send {
        let written = self.output.message(b'd', write);
        self.relieve(written)
    }

    /// That was all the data.
    pub(crate) fn copy_out_done(&mut self) {
        self.output.short(b'c', |_| ());
    }

    fn copy_ends(&self, error: SqlError) -> SqlError {
        lock(&self.input).end_copy();
        error
    }
}

/// The client says why.
fn given_up(body: &[u8]) -> SqlError {
    match copy_fail(body) {
        Ok(why) => SqlError::new(SqlState::QUERY_CANCELED, format!("COPY from stdin failed: {why}")),
        Err(error) => error,
    }
}
