//! What planning gives: SQLite's SQL, what goes in and comes out, and what the caller has to see to.

use crate::base::catalog::{CatalogChange, Privilege};
use crate::base::{ColumnType, SqlError, Type};

use crate::sql::copy::CopyOptions;
use crate::sql::parse::Parsed;
use crate::sql::session::Session;
use crate::sql::tree::{CursorOptions, Database, ExplainOptions};

/// A statement, ready to run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) kind: Kind,
    /// Of `$1`, `$2`, …: what is bound to `?1`, `?2`, … is a value of the type as it is kept.
    pub(crate) parameters: Vec<Type>,
    /// What the session binds behind them.
    pub(crate) hidden: Vec<Hidden>,
    /// Of the rows that come, if any do.
    pub(crate) columns: Vec<OutputColumn>,
    /// What the caller has to permit.
    pub(crate) accesses: Vec<Access>,
    /// Tables of the system that have to be there.
    pub(crate) systems: Vec<String>,
    /// Rows were to be locked: `SELECT … FOR UPDATE` and its like.
    pub(crate) locks: bool,
    /// It draws from a sequence or sets one: a query that writes.
    pub(crate) sequences: bool,
    /// Its answer depends on chance or the clock.
    pub(crate) volatile: bool,
    /// The catalogue that it was planned for.
    pub(crate) catalog_version: u64,
}

impl Plan {
    /// One that does nothing, for a catalogue's version.
    pub(crate) fn empty(catalog_version: u64) -> Self {
        Self {
            kind: Kind::Empty,
            parameters: Vec::new(),
            hidden: Vec::new(),
            columns: Vec::new(),
            accesses: Vec::new(),
            systems: Vec::new(),
            locks: false,
            sequences: false,
            volatile: false,
            catalog_version,
        }
    }
}

/// A column of the answer, as RowDescription tells it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OutputColumn {
    pub(crate) name: String,
    pub(crate) ty: ColumnType,
    /// The table's OID and the column's number, if it is just that column.
    pub(crate) origin: Option<(u32, i16)>,
}

impl From<crate::sql::query::Column> for OutputColumn {
    fn from(column: crate::sql::query::Column) -> Self {
        Self { name: column.name, ty: column.ty, origin: column.origin }
    }
}

/// What only the session knows: bound as a parameter when the statement is executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// The last value that a sequence gave to the session: `currval`.
    Currval(u32),
    /// Of whichever gave one last.
    Lastval,
    BackendPid,
    Setting {
        name: String,
        missing_ok: bool,
    },
}

/// Something that a statement does to a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) relation: u32,
    pub(crate) privilege: Privilege,
    /// Numbers of the columns; none: of no one in particular.
    pub(crate) columns: Vec<i16>,
}

/// What kind of statement it is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// Blanks and comments.
    Empty,
    /// Rows come, and nothing changes.
    Query {
        sql: String,
    },
    Write(Write),
    Ddl(Ddl),
    Session(Session),
    /// `EXPLAIN`: the columns are those of the explanation.
    Explain {
        options: ExplainOptions,
        plan: Box<Plan>,
    },
    /// To be planned with the types, when it is executed.
    Prepare {
        name: String,
        types: Vec<Option<Type>>,
        statement: Box<Parsed>,
    },
    /// Its arguments are planned by `plan_arguments`, once the types are known.
    Execute {
        name: String,
        arguments: usize,
    },
    Declare {
        name: String,
        options: CursorOptions,
        query: Box<Plan>,
    },
    CopyOut {
        sql: String,
        options: CopyOptions,
    },
    CopyIn(CopyIn),
    /// The relations' OIDs.
    Lock {
        relations: Vec<u32>,
        mode: String,
        nowait: bool,
    },
    /// About a database as a whole.
    Database(Database),
}

/// Rows change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) command: Command,
    /// The table's OID.
    pub(crate) table: u32,
    pub(crate) sql: String,
    /// Rows come back.
    pub(crate) returning: bool,
    /// Every row, for want of a WHERE.
    pub(crate) unfiltered: bool,
}

/// How rows change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Insert,
    Update,
    Delete,
}

/// `COPY … FROM STDIN`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CopyIn {
    pub(crate) table: u32,
    pub(crate) options: CopyOptions,
    /// What a line holds, in order: name and type.
    pub(crate) columns: Vec<(String, ColumnType)>,
    /// An INSERT of one row, whose `?1`, `?2`, … are the columns' values as they are kept.
    pub(crate) insert: String,
}

/// Something is defined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ddl {
    /// `CREATE TABLE`, as the command's tag has it.
    pub(crate) tag: &'static str,
    /// SQLite's SQL, in order.
    pub(crate) statements: Vec<String>,
    pub(crate) changes: Vec<CatalogChange>,
    /// The next OID to be given out, after these changes.
    pub(crate) next_oid: u32,
    pub(crate) class: Class,
    /// What is told beside: SQLSTATE's class is 00000.
    pub(crate) notices: Vec<SqlError>,
    /// Roles whose password is to be turned into a verifier: their names, and the password.
    pub(crate) passwords: Vec<(String, String)>,
    /// `CREATE TABLE AS` and `SELECT INTO`: how many rows there are is told by the last statement.
    pub(crate) rows: bool,
    /// Sequences to be set: their OID, where they stand, and whether that was given out.
    pub(crate) sequences: Vec<(u32, i64, bool)>,
}

/// How dangerous a definition is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Class {
    /// What was there stays as it is.
    Additive,
    /// It holds for what is there only if none of the proofs gives a row.
    Guarded { proofs: Vec<Proof> },
    /// Something goes: the objects, by name.
    Destructive { objects: Vec<String> },
}

/// A query of SQLite's that must give no row, and what is wrong if it does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Proof {
    pub(crate) sql: String,
    pub(crate) error: SqlError,
}
