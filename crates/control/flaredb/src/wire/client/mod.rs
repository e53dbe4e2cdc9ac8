//! What a session answers through. Output is buffered; whatever may grow waits for the client to take it.

mod copy;
mod row;

use std::future::Future;

use crate::base::SqlError;

use crate::wire::control::Control;
use crate::wire::io::{Output, SharedInput, lock};
use crate::wire::message::{Field, Formats, Severity, Tag, put_text, report, row_description};
pub(crate) use copy::CopyEvent;
pub(crate) use row::Row;

/// The other end of the connection.
pub(crate) struct Client {
    pub(crate) output: Output,
    pub(crate) input: SharedInput,
    control: Control,
    /// Of a message that comes.
    pub(crate) max_message: usize,
    /// During COPY something came that does not belong there: nobody knows any more who waits for what.
    pub(crate) lost: bool,
}

impl Client {
    pub(crate) fn new(output: Output, input: SharedInput, control: Control, max_message: usize) -> Self {
        Self { output, input, control, max_message, lost: false }
    }

    /// Whether the client has said already that the batch ends here.
    pub(crate) fn next_is_sync(&self) -> bool {
        lock(&self.input).next_tag() == Some(b'S')
    }

    /// What tells a statement to stop.
    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// The columns of the rows that follow: in a simple query only.
    pub(crate) fn fields(&mut self, fields: &[Field], formats: &Formats) -> Result<(), SqlError> {
        self.output.message(b'T', |out| row_description(out, fields, formats))
    }

    /// A row, written at once by `write`; if that fails, there is no row. The future waits for the client, if it
    /// is slow. It fails (08006) if the client is gone: the statement is to end then.
    pub(crate) fn row(
        &mut self,
        write: impl FnOnce(&mut Row<'_>) -> Result<(), SqlError>,
    ) -> impl Future<Output = Result<(), SqlError>> + Send {
        let written = self.output.message(b'D', |out| Row::write(out, write));
        self.relieve(written)
    }

    /// A statement of a simple query is done.
    pub(crate) fn complete(&mut self, tag: Tag) {
        self.output.short(b'C', |out| tag.put(out));
    }

    /// A simple query has no statement in it.
    pub(crate) fn empty(&mut self) {
        self.output.short(b'I', |_| ());
    }

    /// A notice or a warning.
    pub(crate) fn notice(&mut self, severity: Severity, notice: &SqlError) {
        self.output.short(b'N', |out| report(out, severity, notice));
    }

    /// A setting that clients are told of has changed.
    pub(crate) fn parameter(&mut self, name: &str, value: &str) {
        self.output.short(b'S', |out| {
            put_text(out, name);
            put_text(out, value);
        });
    }

    /// The client is to see now what there is, as before a long wait.
    pub(crate) async fn flush(&mut self) -> Result<(), SqlError> {
        self.output.flush().await
    }

    pub(crate) fn error(&mut self, severity: Severity, error: &SqlError) {
        self.output.short(b'E', |out| report(out, severity, error));
    }

    /// Flushes what is too much.
    async fn relieve(&mut self, written: Result<(), SqlError>) -> Result<(), SqlError> {
        written?;
        if self.output.is_full() { self.output.flush().await } else { Ok(()) }
    }
}
