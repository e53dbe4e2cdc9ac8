//! The functions that look into the catalogue.

mod declared;
mod describe;
mod privilege;
mod reg;

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Value;

use crate::base::{Catalog, Evaluation, Settings};
use crate::functions::call::{Answer, Call};
use crate::functions::register::failed;

pub(crate) use declared::FUNCTIONS;
pub(crate) use reg::casts;

/// The catalogue that the functions look into; cheap to clone, set before each statement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight(Arc<Mutex<Seen>>);

/// What is seen.
#[derive(Debug, Default)]
struct Seen {
    catalog: Arc<Catalog>,
    settings: Settings,
}

impl Sight {
    /// What comes looks into these.
    pub(crate) fn set(&self, catalog: Arc<Catalog>, settings: Settings) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Seen { catalog, settings };
    }
}

/// A function that SQLite calls for each row.
#[derive(Clone, Copy)]
struct Looking {
    /// In SQLite.
    name: &'static str,
    /// How many arguments; -1: any number.
    arity: i32,
    run: fn(&Call<'_>, &Seen) -> Answer,
}

/// NULL if an argument is.
const fn looking(name: &'static str, arity: i32, run: fn(&Call<'_>, &Seen) -> Answer) -> Looking {
    Looking { name, arity, run }
}

/// Gives a connection the functions.
pub(crate) fn register(connection: &Connection, sight: &Sight) -> rusqlite::Result<()> {
    let all = [describe::LOOKING, privilege::LOOKING, reg::LOOKING];
    for one in all.into_iter().flatten() {
        let (sight, evaluation, run) = (sight.clone(), Evaluation::default(), one.run);
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        connection.create_scalar_function(one.name, one.arity, flags, move |context| {
            let call = Call::new(context, &evaluation);
            if call.any_null() {
                return Ok(Value::Null);
            }
            let seen = sight.0.lock().unwrap_or_else(PoisonError::into_inner);
            run(&call, &seen).map_err(failed)
        })?;
    }
    Ok(())
}

/// An argument that is an OID.
fn oid(call: &Call<'_>, place: usize) -> Result<u32, crate::base::SqlError> {
    Ok(u32::try_from(call.int(place)?).unwrap_or(0))
}

/// A text, or NULL.
fn optional(text: Option<impl Into<String>>) -> Answer {
    Ok(text.map_or(Value::Null, |text| Value::Text(text.into())))
}

/// A boolean, as it is kept.
fn boolean(is: bool) -> Value {
    Value::Integer(i64::from(is))
}
