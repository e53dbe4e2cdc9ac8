//! Statements as they were parsed: those of sqlparser's tree for queries and rows, our own for definitions, whose
//! grammar is PostgreSQL's and no more.

use sqlparser::ast::{DataType, Expr, Insert, Query, SelectItem, Statement as Parsed};

use crate::sql::copy::CopyOptions;
use crate::sql::names::Name;
use crate::sql::session::Session;

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Statement {
    /// Blanks and comments.
    Empty,
    /// `SELECT`, `VALUES`, `TABLE`, `WITH …`.
    Query(Box<Query>),
    Insert(Box<Insert>),
    Update(Box<sqlparser::ast::Update>),
    Delete(Box<sqlparser::ast::Delete>),
    Session(Session),
    Explain(Box<Explain>),
    Prepare(Box<Prepare>),
    Execute {
        name: String,
        arguments: Vec<Expr>,
    },
    Declare(Box<Declare>),
    Copy(Box<Copy>),
    Lock {
        relations: Vec<Name>,
        mode: String,
        nowait: bool,
    },
    Ddl(Box<Ddl>),
    /// Understood as far as to know what it is.
    Unsupported(String),
}

impl From<Parsed> for Statement {
    fn from(parsed: Parsed) -> Self {
        match parsed {
            Parsed::Query(query) => Self::Query(query),
            Parsed::Insert(insert) => Self::Insert(Box::new(insert)),
            Parsed::Update(update) => Self::Update(Box::new(update)),
            Parsed::Delete(delete) => Self::Delete(Box::new(delete)),
            Parsed::Merge(_) => Self::Unsupported("MERGE".to_owned()),
            other => {
                let words: Vec<String> =
                    other.to_string().split_whitespace().take(2).map(str::to_owned).collect();
                Self::Unsupported(words.join(" "))
            }
        }
    }
}

/// `EXPLAIN`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Explain {
    pub(crate) options: ExplainOptions,
    pub(crate) statement: Statement,
}

/// What `EXPLAIN` is to show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExplainOptions {
    pub(crate) analyze: bool,
    pub(crate) verbose: bool,
    /// Our own: how long the last commit took where.
    pub(crate) raft: bool,
    pub(crate) format: ExplainFormat,
    /// `COSTS`, `BUFFERS`, … as they were written.
    pub(crate) others: Vec<(String, bool)>,
}

/// How `EXPLAIN` shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ExplainFormat {
    #[default]
    Text,
    Json,
}

/// `PREPARE`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prepare {
    pub(crate) name: String,
    pub(crate) types: Vec<DataType>,
    pub(crate) statement: Statement,
}

/// `DECLARE … CURSOR`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Declare {
    pub(crate) name: String,
    pub(crate) options: CursorOptions,
    pub(crate) query: Statement,
}

/// What a cursor can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CursorOptions {
    pub(crate) binary: bool,
    /// None: nothing was said.
    pub(crate) scroll: Option<bool>,
    pub(crate) hold: bool,
}

/// `COPY`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Copy {
    pub(crate) source: CopySource,
    /// From the client; else to it.
    pub(crate) from: bool,
    pub(crate) options: CopyOptions,
    /// `COPY … FROM … WHERE`.
    pub(crate) filter: Option<Expr>,
}

/// What is copied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CopySource {
    /// None of the columns named: all of them.
    Table(Name, Vec<String>),
    Query(Statement),
}

/// An expression, and its text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written {
    pub(crate) expr: Expr,
    pub(crate) text: String,
}

/// A query, its text, and where that begins in the whole string, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct WrittenQuery {
    pub(crate) query: Box<Query>,
    pub(crate) text: String,
    pub(crate) from: usize,
}

/// A definition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ddl {
    CreateTable(CreateTable),
    CreateTableAs(CreateTableAs),
    CreateIndex(CreateIndex),
    CreateView(CreateView),
    CreateSequence(CreateSequence),
    CreateSchema { name: String, if_not_exists: bool, owner: Option<String> },
    AlterTable(AlterTable),
    AlterSequence(AlterSequence),
    AlterSchema { name: String, change: SchemaChange },
    Drop(Drop),
    Truncate(Truncate),
    Comment { on: Commented, text: Option<String> },
    Grant(Grant),
    GrantRole(GrantRole),
    CreateRole(RoleChange),
    AlterRole(RoleChange),
    RenameRole { name: String, to: String },
    DropRole { names: Vec<String>, if_exists: bool },
    Database(Database),
}

/// `CREATE TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateTable {
    pub(crate) name: Name,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<ColumnDef>,
    pub(crate) constraints: Vec<ConstraintDef>,
    pub(crate) like: Vec<Like>,
}

/// `LIKE table INCLUDING …` within `CREATE TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Like {
    pub(crate) table: Name,
    /// Columns before it.
    pub(crate) after: usize,
    pub(crate) defaults: bool,
    pub(crate) constraints: bool,
    pub(crate) indexes: bool,
    pub(crate) generated: bool,
    pub(crate) identity: bool,
    pub(crate) comments: bool,
}

/// `CREATE TABLE … AS`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateTableAs {
    pub(crate) name: Name,
    pub(crate) if_not_exists: bool,
    pub(crate) columns: Vec<String>,
    pub(crate) query: Box<Query>,
    pub(crate) with_data: bool,
}

/// A column to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ColumnDef {
    pub(crate) name: String,
    pub(crate) at: u32,
    pub(crate) ty: DataType,
    pub(crate) rules: Vec<ColumnRule>,
}

/// What is said of a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ColumnRule {
    NotNull,
    Null,
    Default(Written),
    Generated(Written),
    Identity {
        always: bool,
        options: Vec<SequenceOption>,
    },
    /// A constraint of this column only.
    Constraint(ConstraintDef),
}

/// A constraint to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConstraintDef {
    pub(crate) name: Option<String>,
    pub(crate) rule: Rule,
    pub(crate) at: u32,
}

/// What a constraint demands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rule {
    /// No columns: the one it stands beside.
    PrimaryKey(Vec<String>),
    Unique(Vec<String>),
    Check(Written),
    ForeignKey {
        columns: Vec<String>,
        reference: Reference,
    },
}

/// `REFERENCES`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) table: Name,
    /// None: those of its primary key.
    pub(crate) columns: Vec<String>,
    pub(crate) on_delete: crate::base::catalog::Action,
    pub(crate) on_update: crate::base::catalog::Action,
    pub(crate) deferred: bool,
}

/// An option of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SequenceOption {
    As(DataType),
    Increment(i64),
    /// None: `NO MINVALUE`.
    Min(Option<i64>),
    Max(Option<i64>),
    Start(i64),
    /// None: at its start.
    Restart(Option<i64>),
    Cycle(bool),
    /// None: `NONE`. Schema, table, column.
    OwnedBy(Option<(Name, String)>),
    Cache,
    Name(Name),
}

/// `CREATE INDEX`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateIndex {
    pub(crate) name: Option<String>,
    pub(crate) table: Name,
    pub(crate) unique: bool,
    pub(crate) if_not_exists: bool,
    pub(crate) keys: Vec<IndexPart>,
    pub(crate) predicate: Option<Written>,
}

/// A part of an index to be.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct IndexPart {
    pub(crate) key: Written,
    pub(crate) descending: bool,
    pub(crate) nulls_first: bool,
}

/// `CREATE VIEW`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateView {
    pub(crate) name: Name,
    pub(crate) or_replace: bool,
    pub(crate) columns: Vec<String>,
    pub(crate) query: WrittenQuery,
}

/// `CREATE SEQUENCE`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CreateSequence {
    pub(crate) name: Name,
    pub(crate) if_not_exists: bool,
    pub(crate) options: Vec<SequenceOption>,
}

/// `ALTER SEQUENCE` with options.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlterSequence {
    pub(crate) name: Name,
    pub(crate) if_exists: bool,
    pub(crate) options: Vec<SequenceOption>,
}

/// `ALTER TABLE`, and what `ALTER VIEW`, `ALTER INDEX` and `ALTER SEQUENCE` have in common with it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AlterTable {
    pub(crate) kind: Kind,
    pub(crate) name: Name,
    pub(crate) if_exists: bool,
    pub(crate) changes: Vec<Change>,
}

/// What kind of object a statement names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    View,
    Index,
    Sequence,
    Schema,
}

/// A change of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    AddColumn {
        if_not_exists: bool,
        column: ColumnDef,
    },
    DropColumn {
        if_exists: bool,
        name: String,
        cascade: bool,
    },
    SetDefault {
        column: String,
        default: Option<Written>,
    },
    SetNotNull {
        column: String,
        not_null: bool,
    },
    SetType {
        column: String,
        ty: DataType,
        using: Option<Written>,
    },
    AddIdentity {
        column: String,
        always: bool,
        options: Vec<SequenceOption>,
    },
    SetIdentity {
        column: String,
        always: Option<bool>,
        options: Vec<SequenceOption>,
    },
    DropIdentity {
        column: String,
        if_exists: bool,
    },
    DropExpression {
        column: String,
        if_exists: bool,
    },
    AddConstraint(ConstraintDef),
    DropConstraint {
        if_exists: bool,
        name: String,
        cascade: bool,
    },
    ValidateConstraint(String),
    RenameColumn {
        from: String,
        to: String,
    },
    RenameConstraint {
        from: String,
        to: String,
    },
    Rename(String),
    Owner(String),
    SetSchema(String),
    /// About storage or statistics, which are SQLite's business.
    Nothing,
}

/// A change of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SchemaChange {
    Rename(String),
    Owner(String),
}

/// `DROP`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Drop {
    pub(crate) kind: Kind,
    pub(crate) names: Vec<Name>,
    pub(crate) if_exists: bool,
    pub(crate) cascade: bool,
}

/// `TRUNCATE`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Truncate {
    pub(crate) tables: Vec<Name>,
    pub(crate) restart: bool,
    pub(crate) cascade: bool,
}

/// What a comment is on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Commented {
    Relation(Kind, Name),
    /// Of the relation.
    Column(Name, String),
}

/// `GRANT` or `REVOKE` of privileges.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grant {
    pub(crate) grant: bool,
    /// None: `ALL`.
    pub(crate) privileges: Option<Vec<String>>,
    pub(crate) on: GrantedOn,
    pub(crate) grantees: Vec<String>,
    /// `WITH GRANT OPTION`, `GRANT OPTION FOR`.
    pub(crate) option: bool,
    pub(crate) cascade: bool,
}

/// What privileges are on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum GrantedOn {
    Tables(Vec<Name>),
    Sequences(Vec<Name>),
    Schemas(Vec<String>),
    Databases(Vec<String>),
    AllTables(Vec<String>),
    AllSequences(Vec<String>),
}

/// `GRANT role TO role` or `REVOKE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantRole {
    pub(crate) grant: bool,
    pub(crate) roles: Vec<String>,
    pub(crate) to: Vec<String>,
}

/// `CREATE ROLE` and `ALTER ROLE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoleChange {
    pub(crate) name: String,
    pub(crate) options: Vec<RoleOption>,
}

/// What is said of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RoleOption {
    Superuser(bool),
    CreateDb(bool),
    CreateRole(bool),
    Inherit(bool),
    Login(bool),
    /// Understood, and without meaning here.
    Nothing,
    /// None: no password lets in.
    Password(Option<String>),
    ConnectionLimit(i32),
    ValidUntil(String),
    InRole(Vec<String>),
    /// These become members of it.
    Members(Vec<String>),
}

/// About a database as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Create {
        name: String,
        owner: Option<String>,
        /// `TEMPLATE`, `ENCODING`, … as they were written.
        options: Vec<(String, String)>,
    },
    Drop {
        name: String,
        if_exists: bool,
        force: bool,
    },
    Rename {
        name: String,
        to: String,
    },
    Owner {
        name: String,
        to: String,
    },
}

/// What `RETURNING` lists.
pub(crate) type Returning = Option<Vec<SelectItem>>;
