//! What a connection asks of the SQL behind it.

use std::future::Future;
use std::sync::Arc;

use crate::base::{SqlError, SqlState};
use tokio::time::Instant;

use crate::wire::client::Client;
use crate::wire::message::{Field, Formats, Parameters, Tag};
use crate::wire::prepared::Prepared;

/// Where a session stands, as `ReadyForQuery` tells it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Status {
    /// `I`: in no transaction block.
    #[default]
    Idle,
    /// `T`: in one.
    InTransaction,
    /// `E`: in one that has failed.
    Failed,
}

impl Status {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::InTransaction => b'T',
            Self::Failed => b'E',
        }
    }
}

/// What a statement takes and gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Description<'a> {
    /// Types of all parameters, by OID.
    pub(crate) parameters: &'a [u32],
    /// None: it gives no rows.
    pub(crate) fields: Option<&'a [Field]>,
}

/// Values for a statement.
#[derive(Clone, Debug)]
pub(crate) struct Binding<'a> {
    /// As many as the statement takes.
    pub(crate) parameters: Parameters<'a>,
    /// Of the columns of the result.
    pub(crate) results: Formats,
}

/// How the execution of a portal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completion {
    Done(Tag),
    /// There was no statement in it.
    Empty,
    /// There may be more rows than were asked for.
    Suspended,
}

/// The SQL behind one connection. Its futures are never dropped half-way, except when the connection ends by a panic.
///
/// Of every error that a client is told, be it the session's or the protocol's, [`Session::failed`] knows first.
/// Errors that PostgreSQL ends a connection with (57P01, 57P02, 57P04, 57P05, 25P03) end it: nothing but
/// [`Session::end`] follows.
/// Everything that may take long must heed the [`crate::wire::Control`] that the session was made with.
pub(crate) trait Session: Send {
    /// A statement that is parsed and planned.
    type Statement: Send + Sync;
    /// A statement with values, executed as far as it was asked for.
    type Portal: Send;

    /// The names of statements and portals. The connection keeps what it is told by the protocol there.
    fn prepared(&mut self) -> &mut Prepared<Self::Statement, Self::Portal>;

    fn status(&self) -> Status;

    /// A simple query: any number of statements, each with its columns, rows and completion (or that there is
    /// nothing), in one implicit transaction.
    fn simple(&mut self, sql: &str, client: &mut Client)
    -> impl Future<Output = Result<(), SqlError>> + Send;

    /// At most one statement. `types` says those of the first parameters, 0 where it does not.
    fn parse(
        &mut self,
        sql: &str,
        types: &[u32],
        client: &mut Client,
    ) -> impl Future<Output = Result<Self::Statement, SqlError>> + Send;

    /// What a statement takes and gives.
    fn describe<'a>(&'a self, statement: &'a Self::Statement) -> Result<Description<'a>, SqlError>;

    /// Puts values to a statement. Their number is right, and formats are as many as columns, or one for all.
    fn bind(
        &mut self,
        statement: &Arc<Self::Statement>,
        binding: Binding<'_>,
        client: &mut Client,
    ) -> impl Future<Output = Result<Self::Portal, SqlError>> + Send;

    /// What rows of a portal look like. None: it gives none.
    fn describe_portal<'a>(
        &'a self,
        portal: &'a Self::Portal,
    ) -> Result<Option<(&'a [Field], &'a Formats)>, SqlError>;

    /// Gives rows, at most so many (none: all), or copies. Neither columns nor completion are the session's to
    /// send here. A portal that fails is closed.
    fn execute(
        &mut self,
        portal: &mut Self::Portal,
        max_rows: Option<u32>,
        client: &mut Client,
    ) -> impl Future<Output = Result<Completion, SqlError>> + Send;

    /// A batch of the extended protocol ends: what ran outside a transaction block is committed.
    fn sync(&mut self, client: &mut Client) -> impl Future<Output = Result<(), SqlError>> + Send;

    /// Something has gone wrong: what ran outside a transaction block is rolled back, a block has failed.
    fn failed(&mut self) -> impl Future<Output = ()> + Send;

    /// When the client must have said something, from now on. Asked each time it is waited for.
    fn idle_deadline(&self) -> Option<Instant> {
        None
    }

    /// It has not: what it is told, FATAL.
    fn idle_expired(&mut self) -> SqlError {
        let message = "terminating connection due to idle-session timeout";
        SqlError::new(SqlState(*b"57P05"), message)
    }

    /// The connection is over, in whatever transaction. Not called after a panic.
    fn end(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}
