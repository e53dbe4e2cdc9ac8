//! Counts what held; the first thing that does not hold ends the client.

use std::cell::Cell;
use std::fmt::Debug;

/// What went wrong: the server's SQLSTATE where it said one.
#[derive(Debug)]
pub struct Failure {
    /// SQLSTATE of the server's error.
    pub state: Option<String>,
    /// What happened, for a person.
    pub message: String,
    /// Something that was checked did not hold: no reason to try again.
    pub broken: bool,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.state.as_deref().unwrap_or("no SQLSTATE"), self.message)
    }
}

impl Failure {
    /// A failure of the client's own.
    pub fn local(message: impl ToString) -> Self {
        Self { state: None, message: message.to_string(), broken: false }
    }

    /// A conflict with another transaction, which the same connection may try again.
    pub fn is_conflict(&self) -> bool {
        matches!(self.state.as_deref(), Some("40001" | "40P01"))
    }

    /// May the same be tried again? A node that stops, starts or may not write says so; a lost connection says nothing.
    pub fn may_retry(&self) -> bool {
        let Some(state) = &self.state else { return !self.broken };
        self.is_conflict()
            || state.starts_with("08")
            || matches!(state.as_str(), "57P01" | "57P02" | "57P03" | "25006")
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let message = error.as_db_error().map_or_else(|| format!("{error:?}"), |db| db.message().to_owned());
        Self { state: error.code().map(|code| code.code().to_owned()), message, broken: false }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let state = error.as_database_error().and_then(|db| db.code()).map(|code| code.into_owned());
        Self { state, message: error.to_string(), broken: false }
    }
}

/// The checks of one client.
pub struct Checks {
    client: &'static str,
    count: Cell<u64>,
}

impl Checks {
    /// No check yet, for the client of that name.
    pub fn new(client: &'static str) -> Self {
        Self { client, count: Cell::new(0) }
    }

    /// The name of the client.
    pub fn client(&self) -> &'static str {
        self.client
    }

    /// How many held.
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// Must hold.
    pub fn that(&self, what: &str, held: bool) -> Result<(), Failure> {
        if !held {
            return Err(Failure { state: None, message: format!("{what} does not hold"), broken: true });
        }
        self.count.set(self.count.get() + 1);
        Ok(())
    }

    /// Must be equal.
    pub fn eq<A: Debug + PartialEq<B>, B: Debug>(&self, what: &str, got: A, want: B) -> Result<(), Failure> {
        let held = got == want;
        self.that(&if held { String::new() } else { format!("{what}: {got:?} instead of {want:?}") }, held)
    }

    /// Must be an error of that SQLSTATE.
    pub fn fails<T, E: Into<Failure>>(
        &self,
        what: &str,
        state: &str,
        got: Result<T, E>,
    ) -> Result<(), Failure> {
        match got.map_err(Into::into) {
            Ok(_) => self.that(&format!("{what}: an error {state}"), false),
            Err(failure) => {
                self.eq(&format!("{what}: {}", failure.message), failure.state.as_deref(), Some(state))
            }
        }
    }
}
