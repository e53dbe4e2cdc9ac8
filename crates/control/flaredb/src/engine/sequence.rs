//! Counters. They count in memory and are written down with the batch, so that a value costs no write of its own.
//!
//! What a failed statement has taken is not given back, as in PostgreSQL; what a transaction has taken that was never
//! committed is, since no other replica knows of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::{Connection, params};

use super::error::failure;
use crate::base::catalog::{Catalog, RelationKind, SequenceOptions};
use crate::base::{SqlError, SqlState};

/// The counters of a database, as its writer sees them. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequences(Arc<Mutex<Inner>>);

#[derive(Clone, Debug, Default)]
struct Inner {
    options: BTreeMap<u32, (String, SequenceOptions)>,
    /// The last value that was given; none before the first.
    last: BTreeMap<u32, i64>,
    /// Not written down yet.
    dirty: BTreeSet<u32>,
    /// What the statement that runs was given.
    given: BTreeMap<u32, i64>,
}

/// How the counters stood.
#[derive(Clone, Debug)]
pub(crate) struct Standing(Inner);

impl Sequences {
    /// Makes `fl_nextval`, `fl_setval` known to the writer.
    pub(crate) fn register(&self, connection: &Connection) -> rusqlite::Result<()> {
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        let sequences = self.clone();
        connection.create_scalar_function("fl_nextval", 1, flags, move |context: &mut Context<'_>| {
            sequences.lock().next(context.get(0)?).map_err(failure)
        })?;
        let sequences = self.clone();
        connection.create_scalar_function("fl_setval", 3, flags, move |context: &mut Context<'_>| {
            let (oid, value, called) = (context.get(0)?, context.get(1)?, context.get(2)?);
            sequences.lock().set(oid, value, called).map_err(failure)
        })
    }

    /// Reads where they stand.
    pub(crate) fn load(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut query = connection.prepare("SELECT oid, last FROM uc_sequence")?;
        let last = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        let mut inner = self.lock();
        inner.last = last;
        inner.dirty.clear();
        Ok(())
    }

    /// Learns which there are.
    pub(crate) fn adopt(&self, catalog: &Catalog) {
        let mut inner = self.lock();
        inner.options.clear();
        for relation in catalog.relations.values() {
            if let RelationKind::Sequence(options) = &relation.kind {
                inner.options.insert(relation.oid, (relation.name.clone(), options.clone()));
            }
        }
        let Inner { options, last, dirty, .. } = &mut *inner;
        last.retain(|oid, _| options.contains_key(oid));
        dirty.retain(|oid| options.contains_key(oid));
    }

    /// Writes down those that have moved.
    pub(crate) fn save(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut inner = self.lock();
        let dirty = std::mem::take(&mut inner.dirty);
        for oid in dirty {
            match inner.last.get(&oid) {
                Some(last) => connection
                    .prepare_cached("INSERT OR REPLACE INTO uc_sequence VALUES (?1, ?2)")?
                    .execute(params![oid, last])?,
                None => connection.execute("DELETE FROM uc_sequence WHERE oid = ?1", [oid])?,
            };
        }
        Ok(())
    }

    /// What was given since it was last asked.
    pub(crate) fn take_given(&self) -> Vec<(u32, i64)> {
        std::mem::take(&mut self.lock().given).into_iter().collect()
    }

    /// Sets one where another replica has it.
    pub(crate) fn follow(&self, oid: u32, last: i64) {
        let mut inner = self.lock();
        inner.last.insert(oid, last);
        inner.dirty.insert(oid);
    }

    /// As they stand.
    pub(crate) fn standing(&self) -> Standing {
        Standing(self.lock().clone())
    }

    /// Back to how they stood.
    pub(crate) fn restore(&self, standing: Standing) {
        *self.lock() = standing.0;
    }

    /// Those that have moved since, and where they stand.
    pub(crate) fn moved_since(&self, standing: &Standing) -> Vec<(u32, i64)> {
        let inner = self.lock();
        let moved = inner.last.iter().filter(|(oid, last)| standing.0.last.get(oid) != Some(last));
        moved.map(|(oid, last)| (*oid, *last)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn options(&self, oid: u32) -> Result<&(String, SequenceOptions), SqlError> {
        self.options
            .get(&oid)
            .ok_or_else(|| SqlError::new(SqlState::UNDEFINED_TABLE, format!("sequence {oid} does not exist")))
    }

    fn next(&mut self, oid: u32) -> Result<i64, SqlError> {
        let (name, options) = self.options(oid)?;
        let next = following(name, options, self.last.get(&oid).copied())?;
        self.last.insert(oid, next);
        self.given.insert(oid, next);
        self.dirty.insert(oid);
        Ok(next)
    }

    fn set(&mut self, oid: u32, value: i64, called: bool) -> Result<i64, SqlError> {
        let (name, options) = self.options(oid)?;
        if !(options.min..=options.max).contains(&value) {
            return Err(SqlError::new(
                SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
                format!(
                    "setval: value {value} is out of bounds for sequence \"{name}\" ({}..{})",
                    options.min, options.max
                ),
            ));
        }
        // Not called: the next one is this value itself.
        let last = if called { Some(value) } else { value.checked_sub(options.increment) };
        match last {
            Some(last) => self.last.insert(oid, last),
            None => self.last.remove(&oid),
        };
        self.dirty.insert(oid);
        Ok(value)
    }
}

/// The value after `last`.
fn following(name: &str, options: &SequenceOptions, last: Option<i64>) -> Result<i64, SqlError> {
    let Some(last) = last else { return Ok(options.start) };
    let up = options.increment > 0;
    match last.checked_add(options.increment) {
        Some(next) if next <= options.max && next >= options.min => Ok(next),
        // Set to what lies before the first: see `set`.
        Some(next) if up && next < options.min || !up && next > options.max => Ok(options.start),
        _ if options.cycle => Ok(if up { options.min } else { options.max }),
        _ => {
            let (end, limit) = if up { ("maximum", options.max) } else { ("minimum", options.min) };
            Err(SqlError::new(
                // `sequence_generator_limit_exceeded`.
                SqlState(*b"2200H"),
                format!("nextval: reached {end} value of sequence \"{name}\" ({limit})"),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::types::Type;

    fn options(increment: i64, min: i64, max: i64, cycle: bool) -> SequenceOptions {
        let start = if increment > 0 { min } else { max };
        SequenceOptions { ty: Type::INT8.into(), start, increment, min, max, cycle, owned_by: None }
    }

    #[test]
    fn it_counts_to_its_end_and_then_refuses_or_begins_again() {
        let plain = options(1, 1, 3, false);
        assert_eq!(following("s", &plain, None), Ok(1));
        assert_eq!(following("s", &plain, Some(2)), Ok(3));
        let error = following("s", &plain, Some(3)).unwrap_err();
        assert_eq!(error.message, "nextval: reached maximum value of sequence \"s\" (3)");
        assert_eq!(following("s", &options(1, 1, 3, true), Some(3)), Ok(1));
        assert_eq!(following("s", &options(-2, -5, -1, false), Some(-1)), Ok(-3));
        assert_eq!(following("s", &options(-2, -5, -1, true), Some(-5)), Ok(-1));
        assert!(following("s", &options(1, 1, i64::MAX, false), Some(i64::MAX)).is_err());
    }

    #[test]
    fn a_value_set_as_not_called_is_the_next_one() {
        let mut inner = Inner::default();
        inner.options.insert(7, ("s".into(), options(5, 1, 100, false)));
        assert_eq!(inner.set(7, 10, false), Ok(10));
        assert_eq!(inner.next(7), Ok(10));
        assert_eq!(inner.next(7), Ok(15));
        assert_eq!(inner.set(7, 20, true), Ok(20));
        assert_eq!(inner.next(7), Ok(25));
        assert!(inner.set(7, 101, true).is_err());
        assert!(inner.next(8).is_err());
    }
}
