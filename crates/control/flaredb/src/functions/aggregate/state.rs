//! What SQLite calls for an aggregate: rows come in, leave again when a window moves on, and a result is asked for.

use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::base::Evaluation;
use crate::base::error::SqlError;
use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::Value;

use crate::functions::call::{Answer, Call};
use crate::functions::pack::unpacked;
use crate::functions::register::failed;

/// What an aggregate knows of its rows.
pub(crate) trait State: Default + RefUnwindSafe + UnwindSafe + Send + 'static {
    /// Whether rows with a NULL among the arguments count.
    const NULLS: bool = false;

    /// One row more.
    fn add(&mut self, call: &Call<'_>) -> Result<(), SqlError>;

    /// The first row that was added and is still there goes.
    fn remove(&mut self, call: &Call<'_>) -> Result<(), SqlError>;
}

/// A result of a state, by the name under which SQLite asks for it: with so many arguments, or with one in which
/// they are packed.
pub(crate) struct Entry<S> {
    pub(crate) name: &'static str,
    pub(crate) arity: u8,
    /// Of no rows, the state is a new one.
    pub(crate) result: fn(&S, &Evaluation) -> Answer,
}

/// One aggregate as SQLite sees it.
struct Registered<S> {
    arity: usize,
    result: fn(&S, &Evaluation) -> Answer,
    evaluation: Evaluation,
}

/// Gives a connection the aggregates of one state.
pub(crate) fn register<S: State>(
    connection: &Connection,
    evaluation: &Evaluation,
    entries: &[Entry<S>],
) -> rusqlite::Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS | FunctionFlags::SQLITE_DETERMINISTIC;
    for entry in entries {
        for arity in 1..=entry.arity {
            let (result, evaluation) = (entry.result, evaluation.clone());
            let registered = Registered { arity: usize::from(entry.arity), result, evaluation };
            connection.create_window_function(entry.name, i32::from(arity), flags, registered)?;
        }
    }
    Ok(())
}

impl<S: State> Registered<S> {
    /// Does something with a row, unless it does not count.
    fn take(
        &self,
        context: &Context<'_>,
        state: &mut S,
        with: fn(&mut S, &Call<'_>) -> Result<(), SqlError>,
    ) -> rusqlite::Result<()> {
        let values;
        let mut call = Call::new(context, &self.evaluation);
        if call.count() < self.arity {
            values = unpacked(call.text(0).map_err(failed)?).map_err(failed)?;
            call = Call::of_values(&values, &self.evaluation);
        }
        if !S::NULLS && call.any_null() {
            return Ok(());
        }
        with(state, &call).map_err(failed)
    }
}

impl<S: State> Aggregate<S, Value> for Registered<S> {
    fn init(&self, _context: &mut Context<'_>) -> rusqlite::Result<S> {
        Ok(S::default())
    }

    fn step(&self, context: &mut Context<'_>, state: &mut S) -> rusqlite::Result<()> {
        self.take(context, state, S::add)
    }

    fn finalize(&self, _context: &mut Context<'_>, state: Option<S>) -> rusqlite::Result<Value> {
        (self.result)(&state.unwrap_or_default(), &self.evaluation).map_err(failed)
    }
}

impl<S: State> WindowAggregate<S, Value> for Registered<S> {
    fn value(&self, state: Option<&mut S>) -> rusqlite::Result<Value> {
        match state {
            Some(state) => (self.result)(state, &self.evaluation),
            None => (self.result)(&S::default(), &self.evaluation),
        }
        .map_err(failed)
    }

    fn inverse(&self, context: &mut Context<'_>, state: &mut S) -> rusqlite::Result<()> {
        self.take(context, state, S::remove)
    }
}
