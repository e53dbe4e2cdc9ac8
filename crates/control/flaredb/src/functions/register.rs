//! Gives a connection everything that the tables' SQL calls.

use crate::base::Evaluation;
use crate::base::error::SqlError;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;

use crate::functions::call::{Call, Nature, Scalar};
use crate::functions::error::encode;

/// All functions for one row.
const SCALARS: &[&[&[Scalar]]] = &[
    crate::functions::number::SCALARS,
    crate::functions::text::SCALARS,
    crate::functions::pattern::SCALARS,
    crate::functions::time::SCALARS,
    &[crate::functions::own::SCALARS, crate::functions::pack::SCALARS],
];

/// Registers all functions, aggregates, collations and tables, and makes SQLite's own that are not deterministic
/// read this evaluation.
pub(crate) fn register(connection: &Connection, evaluation: &Evaluation) -> rusqlite::Result<()> {
    for scalar in SCALARS.iter().copied().flatten().copied().flatten() {
        register_scalar(connection, evaluation, *scalar)?;
    }
    crate::functions::aggregate::register(connection, evaluation)?;
    connection.create_collation(
        crate::functions::compare::BY_INTERVAL,
        crate::value::time::interval::stored_order,
    )?;
    crate::functions::own::register(connection, evaluation)?;
    for source in crate::functions::set::SOURCES.iter().copied().flatten() {
        crate::functions::set::table::register(connection, evaluation, *source)?;
    }
    Ok(())
}

fn register_scalar(connection: &Connection, evaluation: &Evaluation, scalar: Scalar) -> rusqlite::Result<()> {
    let evaluation = evaluation.clone();
    connection.create_scalar_function(scalar.name, scalar.arity, flags(scalar.nature), move |context| {
        let call = Call::new(context, &evaluation);
        if scalar.nature.is_strict() && call.any_null() {
            return Ok(Value::Null);
        }
        (scalar.run)(&call).map_err(failed)
    })
}

fn flags(nature: Nature) -> FunctionFlags {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
    if nature.is_deterministic() { flags | FunctionFlags::SQLITE_DETERMINISTIC } else { flags }
}

/// An error in the form in which SQLite carries it on.
pub(crate) fn failed(error: SqlError) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(encode(&error).into())
}
