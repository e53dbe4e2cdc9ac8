//! Functions as tables: SQLite's table-valued functions, with the arguments as hidden columns behind the values.

use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;

use crate::base::Evaluation;
use crate::base::error::SqlError;
use rusqlite::types::{Value, ValueRef};
use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor,
};
use rusqlite::{Connection, Result, ffi};

use crate::functions::call::internal;
use crate::functions::error::encode;

/// One row: a value for each column of a [`Source`].
pub(crate) type Row = Vec<Value>;
/// Rows, made one after the other.
pub(crate) type Rows = Box<dyn Iterator<Item = std::result::Result<Row, SqlError>>>;

/// A function that gives rows; none if an argument is NULL.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    /// In SQLite.
    pub(crate) name: &'static str,
    /// Of the values, in order.
    pub(crate) columns: &'static [&'static str],
    pub(crate) arguments: usize,
    pub(crate) run: fn(&[ValueRef<'_>], &Evaluation) -> std::result::Result<Rows, SqlError>,
}

/// Gives a connection a function that gives rows.
pub(crate) fn register(connection: &Connection, evaluation: &Evaluation, source: Source) -> Result<()> {
    const MODULE: Module<Table> = Module::eponymous_only_module();
    connection.create_module(source.name, &MODULE, Some((source, evaluation.clone())))
}

/// What SQLite has of the table.
#[repr(C)]
struct Table {
    /// SQLite's part, which has to come first.
    base: ffi::sqlite3_vtab,
    source: Source,
    evaluation: Evaluation,
}

impl Source {
    /// `CREATE TABLE x(value, ordinality, a0 HIDDEN, …)`.
    fn declaration(&self) -> String {
        let values = self.columns.join(", ");
        let hidden: String = (0..self.arguments).map(|place| format!(", a{place} HIDDEN")).collect();
        format!("CREATE TABLE x({values}, ordinality{hidden})")
    }

    /// The argument that a column is.
    fn argument(&self, column: c_int) -> Option<usize> {
        usize::try_from(column).ok()?.checked_sub(self.columns.len() + 1)
    }
}

#[expect(unsafe_code, reason = "the trait asks for the layout above: repr(C), SQLite's part first")]
unsafe impl<'vtab> VTab<'vtab> for Table {
    type Aux = (Source, Evaluation);
    type Cursor = Cursor<'vtab>;

    fn connect(
        db: &mut VTabConnection,
        aux: Option<&Self::Aux>,
        _module_name: &[u8],
        _database_name: &[u8],
        _table_name: &[u8],
        _args: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let (source, evaluation) =
            aux.ok_or_else(|| failed(internal("a table function without its source")))?;
        db.config(VTabConfig::Innocuous)?;
        let declaration = CString::new(source.declaration())?;
        let table =
            Self { base: ffi::sqlite3_vtab::default(), source: *source, evaluation: evaluation.clone() };
        Ok((Cow::Owned(declaration), table))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let mut places = vec![None; self.source.arguments];
        for (constraint, at) in info.constraints().zip(0..) {
            let Some(argument) = self.source.argument(constraint.column()) else { continue };
            if constraint.operator() != IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ {
                continue;
            }
            if !constraint.is_usable() {
                return Ok(false);
            }
            places[argument] = Some(at);
        }
        for (argument, place) in places.into_iter().enumerate() {
            let Some(place) = place else {
                return Err(failed(internal(format!("{} lacks an argument", self.source.name))));
            };
            let mut usage = info.constraint_usage(place);
            usage.set_argv_index(c_int::try_from(argument).unwrap_or(c_int::MAX) + 1);
            usage.set_omit(true);
        }
        info.set_estimated_cost(100.0);
        info.set_estimated_rows(100);
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<Cursor<'vtab>> {
        Ok(Cursor {
            base: ffi::sqlite3_vtab_cursor::default(),
            source: self.source,
            evaluation: self.evaluation.clone(),
            rows: Box::new(std::iter::empty()),
            row: None,
            number: 0,
            table: PhantomData,
        })
    }
}

/// A place among the rows.
#[repr(C)]
struct Cursor<'vtab> {
    /// SQLite's part, which has to come first.
    base: ffi::sqlite3_vtab_cursor,
    source: Source,
    evaluation: Evaluation,
    rows: Rows,
    /// None: behind the last.
    row: Option<Row>,
    /// Of the row, from 1.
    number: i64,
    table: PhantomData<&'vtab Table>,
}

#[expect(unsafe_code, reason = "the trait asks for the layout above: repr(C), SQLite's part first")]
unsafe impl VTabCursor for Cursor<'_> {
    fn filter(&mut self, _number: c_int, _name: Option<&str>, arguments: &Filters<'_>) -> Result<()> {
        let values: Vec<ValueRef<'_>> = arguments.iter().collect();
        self.number = 0;
        self.rows = if values.contains(&ValueRef::Null) {
            Box::new(std::iter::empty())
        } else {
            (self.source.run)(&values, &self.evaluation).map_err(failed)?
        };
        self.next()
    }

    fn next(&mut self) -> Result<()> {
        self.row = self.rows.next().transpose().map_err(failed)?;
        self.number += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.row.is_none()
    }

    fn column(&self, context: &mut Context, column: c_int) -> Result<()> {
        let place = usize::try_from(column).unwrap_or(usize::MAX);
        if place == self.source.columns.len() {
            return context.set_result(self.number);
        }
        match self.row.as_ref().and_then(|row| row.get(place)) {
            Some(value) => context.set_result(value),
            None => context.set_result(Value::Null),
        }
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.number)
    }
}

/// An error as SQLite carries it on.
fn failed(error: SqlError) -> rusqlite::Error {
    rusqlite::Error::ModuleError(encode(&error))
}
