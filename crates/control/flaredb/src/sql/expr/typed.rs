//! A typed expression: SQLite's SQL that is complete in itself, its type, and what is known of it.

use crate::base::{ColumnType, SqlError, SqlState, Type};

use crate::sql::parse::too_deep;

/// SQLite refuses expressions deeper than 1000.
const DEEPEST: u32 = 900;
/// Bytes of one expression: a template that names its argument twice doubles it.
const LONGEST: usize = 48 << 20;

/// What an expression is, where that matters to what stands around it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Form {
    /// A string constant that no type has been decided for.
    Literal(String),
    /// NULL that no type has been decided for.
    Null,
    /// `$n`.
    Parameter(u32),
    /// An integer constant.
    Integer(i64),
    /// A column of a relation: its origin, if that is a table's.
    Column(Option<(u32, i16)>),
    /// `(a, b)`, or a whole row with the names of its columns.
    Row(Vec<Typed>, Option<Vec<String>>),
    Other,
}

/// What an expression uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Uses {
    /// An aggregate of the query that it stands in.
    pub(crate) aggregate: bool,
    pub(crate) window: bool,
    /// May differ from row to row for the same columns.
    pub(crate) volatile: bool,
    pub(crate) subquery: bool,
    /// Columns that no GROUP BY covers, by the depth of their query, name and position: they are errors if that
    /// query turns out to be grouped.
    pub(crate) ungrouped: Vec<Ungrouped>,
}

/// A column that stands outside of aggregates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ungrouped {
    /// The depth of the query that it belongs to.
    pub(crate) depth: usize,
    /// As `table.column`.
    pub(crate) name: String,
    pub(crate) at: u32,
}

impl Uses {
    /// Of both.
    pub(crate) fn and(&mut self, other: &Self) {
        self.aggregate |= other.aggregate;
        self.window |= other.window;
        self.volatile |= other.volatile;
        self.subquery |= other.subquery;
        for ungrouped in &other.ungrouped {
            if !self.ungrouped.contains(ungrouped) {
                self.ungrouped.push(ungrouped.clone());
            }
        }
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Typed {
    pub(crate) sql: String,
    pub(crate) ty: ColumnType,
    pub(crate) form: Form,
    pub(crate) uses: Uses,
    /// It is never NULL.
    pub(crate) not_null: bool,
    /// How deep its tree is in SQLite, at most.
    pub(crate) depth: u32,
    /// Where it stands in the statement, in characters from 1; 0: unknown.
    pub(crate) at: u32,
}

impl Typed {
    /// SQL of a type, made of these.
    pub(crate) fn made(
        sql: String,
        ty: impl Into<ColumnType>,
        of: &[&Self],
        at: u32,
    ) -> Result<Self, SqlError> {
        let mut uses = Uses::default();
        let mut depth = 0;
        for part in of {
            uses.and(&part.uses);
            depth = depth.max(part.depth);
        }
        let made =
            Self { sql, ty: ty.into(), form: Form::Other, uses, not_null: false, depth: depth + 3, at };
        made.checked()
    }

    /// A constant or a name: made of nothing.
    pub(crate) fn plain(sql: impl Into<String>, ty: impl Into<ColumnType>, form: Form, at: u32) -> Self {
        Self { sql: sql.into(), ty: ty.into(), form, uses: Uses::default(), not_null: false, depth: 1, at }
    }

    /// The same value as another type that is kept alike.
    #[must_use]
    #[expect(clippy::wrong_self_convention, reason = "it is taken apart and put together anew")]
    pub(crate) fn as_type(mut self, ty: impl Into<ColumnType>) -> Self {
        self.ty = ty.into();
        self
    }

    /// The same value in other SQL.
    pub(crate) fn rewritten(mut self, sql: String, ty: impl Into<ColumnType>) -> Result<Self, SqlError> {
        if sql != self.sql {
            self.form = Form::Other;
            self.depth += 2;
        }
        self.sql = sql;
        self.ty = ty.into();
        self.checked()
    }

    #[must_use]
    pub(crate) fn never_null(mut self, not_null: bool) -> Self {
        self.not_null = not_null;
        self
    }

    fn checked(self) -> Result<Self, SqlError> {
        if self.depth > DEEPEST {
            return Err(too_deep());
        }
        if self.sql.len() > LONGEST {
            return Err(SqlError::new(
                SqlState::PROGRAM_LIMIT_EXCEEDED,
                "the statement is too long in SQLite's SQL",
            ));
        }
        Ok(self)
    }

    /// Whether its type is not decided.
    pub(crate) fn is_unknown(&self) -> bool {
        self.ty.ty == Type::UNKNOWN
    }

    /// Whether it is the same each time, whatever the rows are.
    pub(crate) fn is_constant(&self) -> bool {
        matches!(self.form, Form::Literal(_) | Form::Null | Form::Parameter(_) | Form::Integer(_))
    }
}

/// One of SQLite's templates with its only argument.
pub(crate) fn filled(emit: &str, argument: &str) -> String {
    emit.replace("{1}", argument)
}
