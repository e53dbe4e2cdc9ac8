//! What names mean: the relations of each query, from the innermost outwards.

use crate::base::{ColumnType, SqlError, SqlState};

/// A column that an expression may name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScopeColumn {
    /// As PostgreSQL knows it.
    pub(crate) name: String,
    /// In SQLite: `"t"."a"`, or whatever gives the value.
    pub(crate) sql: String,
    pub(crate) ty: ColumnType,
    pub(crate) not_null: bool,
    /// The table and the column that it comes from unchanged.
    pub(crate) origin: Option<(u32, i16)>,
}

/// A relation in FROM, as its columns are qualified.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Table {
    /// What qualifies its columns.
    pub(crate) alias: String,
    /// Also by its schema, if no alias was given.
    pub(crate) schema: Option<String>,
    /// In SQLite.
    pub(crate) sql_alias: String,
    pub(crate) columns: Vec<ScopeColumn>,
    /// The relation itself, if it is one of the catalogue.
    pub(crate) oid: Option<u32>,
    /// A function of one value: its name also means the value.
    pub(crate) scalar: bool,
    /// What only `excluded.a` or `old.a` may name: bare names pass it by.
    pub(crate) qualified_only: bool,
}

/// A column as a bare name, or `*`, finds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Visible {
    pub(crate) column: ScopeColumn,
    /// The table, by its place; none: merged by USING.
    pub(crate) table: Option<usize>,
}

/// What part of a query an expression stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Clause {
    #[default]
    Select,
    From,
    Where,
    On,
    GroupBy,
    Having,
    OrderBy,
    DistinctOn,
    Limit,
    Offset,
    Values,
    Set,
    Returning,
    Check,
    Default,
    Generated,
    Index,
    Predicate,
    Window,
    Filter,
    Conflict,
    Execute,
    Using,
}

impl Clause {
    /// As in `aggregate functions are not allowed in …`.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Select | Self::Having | Self::OrderBy | Self::DistinctOn => "SELECT",
            Self::From => "functions in FROM",
            Self::Where => "WHERE",
            Self::On => "JOIN conditions",
            Self::GroupBy => "GROUP BY",
            Self::Limit => "LIMIT",
            Self::Offset => "OFFSET",
            Self::Values => "VALUES",
            Self::Set => "UPDATE",
            Self::Returning => "RETURNING",
            Self::Check => "check constraints",
            Self::Default => "DEFAULT expressions",
            Self::Generated => "column generation expressions",
            Self::Index => "index expressions",
            Self::Predicate => "index predicates",
            Self::Window => "window definitions",
            Self::Filter => "FILTER",
            Self::Conflict => "ON CONFLICT",
            Self::Execute => "EXECUTE parameters",
            Self::Using => "transform expressions",
        }
    }

    /// Whether aggregates may stand here.
    pub(crate) fn aggregates(self) -> bool {
        matches!(self, Self::Select | Self::Having | Self::OrderBy | Self::DistinctOn | Self::Window)
    }

    /// Whether window functions may stand here.
    pub(crate) fn windows(self) -> bool {
        matches!(self, Self::Select | Self::OrderBy | Self::DistinctOn)
    }

    /// Whether subqueries may stand here.
    pub(crate) fn subqueries(self) -> bool {
        !matches!(
            self,
            Self::Check
                | Self::Default
                | Self::Generated
                | Self::Index
                | Self::Predicate
                | Self::Execute
                | Self::Using
        )
    }
}

/// The names of one query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    pub(crate) tables: Vec<Table>,
    pub(crate) columns: Vec<Visible>,
    /// While FROM is read, its subqueries do not see it.
    pub(crate) hidden: bool,
    pub(crate) clause: Clause,
    /// SQLite's SQL of what the query is grouped by.
    pub(crate) groups: Vec<String>,
    /// Tables, by their place, whose key is grouped by: all their columns are known.
    pub(crate) determined: Vec<usize>,
    /// How deep within the arguments of aggregates.
    pub(crate) in_aggregate: u32,
    pub(crate) in_window: bool,
    /// `WINDOW w AS (…)`.
    pub(crate) windows: Vec<(String, sqlparser::ast::WindowSpec)>,
    /// Functions that give rows, called in the select list: SQLite's FROM.
    pub(crate) set_returning: Vec<String>,
}

impl Level {
    /// For a clause, with nothing to name.
    pub(crate) fn of(clause: Clause) -> Self {
        Self { clause, ..Self::default() }
    }

    /// With this table's columns in sight.
    pub(crate) fn add(&mut self, table: Table) {
        let place = self.tables.len();
        if !table.qualified_only {
            let columns = table.columns.iter().cloned();
            self.columns.extend(columns.map(|column| Visible { column, table: Some(place) }));
        }
        self.tables.push(table);
    }

    /// The columns that a bare name finds.
    pub(crate) fn bare<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Visible> {
        self.columns.iter().filter(move |visible| visible.column.name == name)
    }

    /// The table that a qualifier means.
    pub(crate) fn table(&self, schema: Option<&str>, alias: &str) -> Option<usize> {
        self.tables
            .iter()
            .position(|table| table.alias == alias && (schema.is_none() || table.schema.as_deref() == schema))
    }
}

/// Two tables of a query under one name.
pub(crate) fn twice(alias: &str, at: u32) -> SqlError {
    SqlError::new(SqlState::DUPLICATE_ALIAS, format!("table name \"{alias}\" specified more than once"))
        .at(at)
}
