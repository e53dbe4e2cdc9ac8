//! Queries: SELECT, VALUES, UNION and its like, WITH.
//!
//! A query is planned into a [`body::Body`] first, whose values may still change their types by what stands around
//! them: the other side of a UNION, the columns that an INSERT goes into. Only then is its SQL written.

pub(crate) mod body;
mod distinct;
pub(crate) mod from;
mod group;
mod join;
mod lateral;
mod limit;
mod order;
mod relation;
mod select;
mod set;
mod values;
pub(crate) mod with;

use crate::base::{ColumnType, SqlError, Type};
use sqlparser::ast::Query;

pub(crate) use self::body::{Body, select_from};

use crate::sql::expr::typed::{Form, Typed, Uses};
use crate::sql::names::quoted;
use crate::sql::planner::Planner;

/// A column that a query gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    /// As PostgreSQL calls it; several may be called the same.
    pub(crate) name: String,
    /// In SQLite: no two are called the same.
    pub(crate) sql_name: String,
    pub(crate) ty: ColumnType,
    pub(crate) not_null: bool,
    pub(crate) origin: Option<(u32, i16)>,
}

/// A query as SQLite's SQL.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    pub(crate) sql: String,
    pub(crate) columns: Vec<Column>,
    /// What it uses of the queries around it.
    pub(crate) uses: Uses,
    pub(crate) depth: u32,
    /// It gives one row at most.
    pub(crate) at_most_one: bool,
}

impl Rendered {
    /// As a part of an expression.
    pub(crate) fn as_typed(&self, ty: impl Into<ColumnType>, at: u32) -> Typed {
        let mut typed = Typed::plain(String::new(), ty, Form::Other, at);
        typed.uses = self.uses.clone();
        typed.uses.subquery = true;
        typed.depth = self.depth + 1;
        typed
    }
}

/// A query whose values are still open, and what stands around its body.
pub(crate) struct Open {
    /// `WITH …`, with a blank behind it.
    with: String,
    pub(crate) body: Body,
    /// ORDER BY, LIMIT and OFFSET, with a blank before them.
    tail: String,
    at_most_one: bool,
    uses: Uses,
}

impl Planner<'_> {
    /// A query, inside of all that is in sight.
    pub(crate) fn query(&mut self, query: &Query) -> Result<Rendered, SqlError> {
        let open = self.open_query(query, &[])?;
        self.close_query(open)
    }

    /// The same, with the types that its values go into, as far as they are known.
    pub(crate) fn open_query(&mut self, query: &Query, wanted: &[Type]) -> Result<Open, SqlError> {
        refuse(query)?;
        self.queries += 1;
        if self.queries > MOST_NESTED {
            return Err(crate::sql::parse::too_deep());
        }
        let before = self.ctes.len();
        let planned = self.open_parts(query, wanted);
        self.ctes.truncate(before);
        self.queries -= 1;
        planned
    }

    fn open_parts(&mut self, query: &Query, wanted: &[Type]) -> Result<Open, SqlError> {
        let (with, mut uses) = match &query.with {
            Some(with) => self.with(with)?,
            None => (String::new(), Uses::default()),
        };
        if !query.locks.is_empty() {
            self.touched.locks = true;
        }
        let order = order::keys(query)?;
        self.directions = order::directions(&order)?;
        let mut body = self.body(&query.body, &order, wanted)?;
        let mut tail = match &mut body {
            // It saw to the order itself, with the names of its own FROM in sight.
            Body::Select(select) => std::mem::take(&mut select.order),
            other => self.order_of_columns(other, &order)?,
        };
        let limit = self.limit(query)?;
        let one = limit.one || matches!(&body, Body::Select(select) if select.one);
        tail.push_str(&limit.sql);
        uses.and(&limit.uses);
        Ok(Open { with, body, tail, at_most_one: one, uses })
    }

    /// Writes it.
    pub(crate) fn close_query(&mut self, open: Open) -> Result<Rendered, SqlError> {
        let Open { with, body, tail, at_most_one, uses } = open;
        let written = self.write_body(body, false)?;
        let mut uses_all = written.uses;
        uses_all.and(&uses);
        let sql = if tail.is_empty() || !written.compound {
            format!("{with}{}{tail}", written.sql)
        } else {
            format!("{with}SELECT * FROM ({}){tail}", written.sql)
        };
        Ok(Rendered { sql, columns: written.columns, uses: uses_all, depth: written.depth, at_most_one })
    }
}

/// Queries within queries: each is a frame of SQLite's and of ours.
const MOST_NESTED: u32 = 120;

/// What the grammar of the parser takes and PostgreSQL's does not.
fn refuse(query: &Query) -> Result<(), SqlError> {
    let foreign = query.for_clause.is_some()
        || query.settings.is_some()
        || query.format_clause.is_some()
        || !query.pipe_operators.is_empty();
    if foreign {
        return Err(SqlError::new(
            crate::base::SqlState::SYNTAX_ERROR,
            "syntax error in the query's last clauses",
        ));
    }
    Ok(())
}

/// Names for SQLite, where no two columns of a query may be called the same.
pub(crate) fn unique_names(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut given: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for name in names {
        let mut unique = name.clone();
        let mut number = 1_u32;
        while !seen.insert(unique.to_lowercase()) {
            number += 1;
            unique = format!("{name}:{number}");
        }
        given.push(unique);
    }
    given
}

/// `expr AS "name"`.
pub(crate) fn aliased(sql: &str, name: &str) -> String {
    format!("{sql} AS {}", quoted(name))
}
