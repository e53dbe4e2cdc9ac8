//! What can go wrong below a statement.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;

/// The database cannot go on. Never a statement's own failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// SQLite says so.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file.
    #[error("{path}: {source}", path = .0.display(), source = .1)]
    File(PathBuf, #[source] io::Error),
    /// A statement that was stopped took the whole transaction with it, as SQLite has it. Nothing is lost but time:
    /// whoever ran it begins again without that statement, whose failure this is.
    #[error("a stopped statement has undone its transaction")]
    Undone(Box<crate::proto::log::Failure>),
    /// What is there was not written by this version, or is damaged.
    #[error("{0}")]
    Malformed(String),
}

impl From<EngineError> for io::Error {
    fn from(e: EngineError) -> Self {
        let full = matches!(&e, EngineError::Sqlite(inner) if code(inner) == Some(ErrorCode::DiskFull));
        Self::new(if full { io::ErrorKind::StorageFull } else { io::ErrorKind::Other }, e)
    }
}

impl From<super::row::Malformed> for EngineError {
    fn from(e: super::row::Malformed) -> Self {
        Self::Malformed(e.to_string())
    }
}

fn code(e: &rusqlite::Error) -> Option<ErrorCode> {
    match e {
        rusqlite::Error::SqliteFailure(failure, _) => Some(failure.code),
        rusqlite::Error::SqlInputError { error, .. } => Some(error.code),
        _ => None,
    }
}

/// An error of a function of ours, so that SQLite hands its state on.
pub(super) fn failure(e: crate::base::SqlError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(crate::functions::encode(&e).into())
}

/// Whether every replica fails alike with it: it is about the statement and the data, not about the machine.
pub(crate) fn is_of_the_statement(e: &rusqlite::Error) -> bool {
    match code(e) {
        Some(code) => matches!(
            code,
            ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
                | ErrorCode::OperationInterrupted
                | ErrorCode::ParameterOutOfRange
                | ErrorCode::Unknown
        ),
        // What rusqlite finds wrong by itself is about the SQL.
        None => true,
    }
}
