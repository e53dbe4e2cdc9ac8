//! What a client is told went wrong: an SQLSTATE, a sentence, and where.

use std::fmt;

/// Five characters (PostgreSQL's documentation, appendix A).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SqlState(pub(crate) [u8; 5]);

/// Declares the states by name.
impl SqlState {
    pub(crate) const SUCCESSFUL_COMPLETION: Self = Self(*b"00000");
    pub(crate) const CONNECTION_FAILURE: Self = Self(*b"08006");
    /// The transaction may have been committed.
    pub(crate) const TRANSACTION_RESOLUTION_UNKNOWN: Self = Self(*b"08007");
    pub(crate) const PROTOCOL_VIOLATION: Self = Self(*b"08P01");
    pub(crate) const FEATURE_NOT_SUPPORTED: Self = Self(*b"0A000");
    pub(crate) const CARDINALITY_VIOLATION: Self = Self(*b"21000");
    pub(crate) const STRING_DATA_RIGHT_TRUNCATION: Self = Self(*b"22001");
    pub(crate) const NUMERIC_VALUE_OUT_OF_RANGE: Self = Self(*b"22003");
    pub(crate) const NULL_VALUE_NOT_ALLOWED: Self = Self(*b"22004");
    pub(crate) const INVALID_DATETIME_FORMAT: Self = Self(*b"22007");
    pub(crate) const DATETIME_FIELD_OVERFLOW: Self = Self(*b"22008");
    pub(crate) const INVALID_TIME_ZONE: Self = Self(*b"22009");
    pub(crate) const SUBSTRING_ERROR: Self = Self(*b"22011");
    pub(crate) const DIVISION_BY_ZERO: Self = Self(*b"22012");
    pub(crate) const INVALID_ARGUMENT_FOR_LOGARITHM: Self = Self(*b"2201E");
    pub(crate) const INVALID_ARGUMENT_FOR_POWER_FUNCTION: Self = Self(*b"2201F");
    pub(crate) const CHARACTER_NOT_IN_REPERTOIRE: Self = Self(*b"22021");
    pub(crate) const INVALID_PARAMETER_VALUE: Self = Self(*b"22023");
    pub(crate) const INVALID_ESCAPE_SEQUENCE: Self = Self(*b"22025");
    pub(crate) const INVALID_TEXT_REPRESENTATION: Self = Self(*b"22P02");
    pub(crate) const INVALID_BINARY_REPRESENTATION: Self = Self(*b"22P03");
    pub(crate) const BAD_COPY_FILE_FORMAT: Self = Self(*b"22P04");
    pub(crate) const UNTRANSLATABLE_CHARACTER: Self = Self(*b"22P05");
    pub(crate) const INVALID_REGULAR_EXPRESSION: Self = Self(*b"2201B");
    pub(crate) const INVALID_ROW_COUNT_IN_LIMIT: Self = Self(*b"2201W");
    pub(crate) const INVALID_ROW_COUNT_IN_OFFSET: Self = Self(*b"2201X");
    pub(crate) const ARRAY_SUBSCRIPT_ERROR: Self = Self(*b"2202E");
    pub(crate) const INTEGRITY_CONSTRAINT_VIOLATION: Self = Self(*b"23000");
    pub(crate) const NOT_NULL_VIOLATION: Self = Self(*b"23502");
    pub(crate) const FOREIGN_KEY_VIOLATION: Self = Self(*b"23503");
    pub(crate) const UNIQUE_VIOLATION: Self = Self(*b"23505");
    pub(crate) const CHECK_VIOLATION: Self = Self(*b"23514");
    pub(crate) const ACTIVE_SQL_TRANSACTION: Self = Self(*b"25001");
    pub(crate) const READ_ONLY_SQL_TRANSACTION: Self = Self(*b"25006");
    pub(crate) const NO_ACTIVE_SQL_TRANSACTION: Self = Self(*b"25P01");
    pub(crate) const IN_FAILED_SQL_TRANSACTION: Self = Self(*b"25P02");
    pub(crate) const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: Self = Self(*b"25P03");
    pub(crate) const INVALID_SQL_STATEMENT_NAME: Self = Self(*b"26000");
    pub(crate) const INVALID_AUTHORIZATION_SPECIFICATION: Self = Self(*b"28000");
    pub(crate) const INVALID_PASSWORD: Self = Self(*b"28P01");
    pub(crate) const DEPENDENT_OBJECTS_STILL_EXIST: Self = Self(*b"2BP01");
    pub(crate) const INVALID_CURSOR_NAME: Self = Self(*b"34000");
    pub(crate) const INVALID_SAVEPOINT_SPECIFICATION: Self = Self(*b"3B001");
    pub(crate) const INVALID_CATALOG_NAME: Self = Self(*b"3D000");
    pub(crate) const INVALID_SCHEMA_NAME: Self = Self(*b"3F000");
    pub(crate) const SERIALIZATION_FAILURE: Self = Self(*b"40001");
    pub(crate) const STATEMENT_COMPLETION_UNKNOWN: Self = Self(*b"40003");
    pub(crate) const SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION: Self = Self(*b"42000");
    pub(crate) const INSUFFICIENT_PRIVILEGE: Self = Self(*b"42501");
    pub(crate) const SYNTAX_ERROR: Self = Self(*b"42601");
    pub(crate) const INVALID_NAME: Self = Self(*b"42602");
    pub(crate) const INVALID_COLUMN_DEFINITION: Self = Self(*b"42611");
    pub(crate) const NAME_TOO_LONG: Self = Self(*b"42622");
    pub(crate) const DUPLICATE_COLUMN: Self = Self(*b"42701");
    pub(crate) const AMBIGUOUS_COLUMN: Self = Self(*b"42702");
    pub(crate) const UNDEFINED_COLUMN: Self = Self(*b"42703");
    pub(crate) const UNDEFINED_OBJECT: Self = Self(*b"42704");
    pub(crate) const DUPLICATE_OBJECT: Self = Self(*b"42710");
    pub(crate) const DUPLICATE_ALIAS: Self = Self(*b"42712");
    pub(crate) const AMBIGUOUS_FUNCTION: Self = Self(*b"42725");
    pub(crate) const INVALID_GRANT_OPERATION: Self = Self(*b"0LP01");
    pub(crate) const INVALID_OBJECT_DEFINITION: Self = Self(*b"42P17");
    pub(crate) const WINDOWING_ERROR: Self = Self(*b"42P20");
    pub(crate) const GROUPING_ERROR: Self = Self(*b"42803");
    pub(crate) const DATATYPE_MISMATCH: Self = Self(*b"42804");
    pub(crate) const WRONG_OBJECT_TYPE: Self = Self(*b"42809");
    pub(crate) const INVALID_FOREIGN_KEY: Self = Self(*b"42830");
    pub(crate) const CANNOT_COERCE: Self = Self(*b"42846");
    pub(crate) const UNDEFINED_FUNCTION: Self = Self(*b"42883");
    pub(crate) const GENERATED_ALWAYS: Self = Self(*b"428C9");
    pub(crate) const RESERVED_NAME: Self = Self(*b"42939");
    pub(crate) const UNDEFINED_TABLE: Self = Self(*b"42P01");
    pub(crate) const UNDEFINED_PARAMETER: Self = Self(*b"42P02");
    pub(crate) const DUPLICATE_CURSOR: Self = Self(*b"42P03");
    pub(crate) const DUPLICATE_DATABASE: Self = Self(*b"42P04");
    pub(crate) const DUPLICATE_PREPARED_STATEMENT: Self = Self(*b"42P05");
    pub(crate) const DUPLICATE_SCHEMA: Self = Self(*b"42P06");
    pub(crate) const DUPLICATE_TABLE: Self = Self(*b"42P07");
    pub(crate) const AMBIGUOUS_PARAMETER: Self = Self(*b"42P08");
    pub(crate) const AMBIGUOUS_ALIAS: Self = Self(*b"42P09");
    pub(crate) const INVALID_COLUMN_REFERENCE: Self = Self(*b"42P10");
    pub(crate) const INVALID_TABLE_DEFINITION: Self = Self(*b"42P16");
    pub(crate) const INDETERMINATE_DATATYPE: Self = Self(*b"42P18");
    pub(crate) const WITH_CHECK_OPTION_VIOLATION: Self = Self(*b"44000");
    pub(crate) const INSUFFICIENT_RESOURCES: Self = Self(*b"53000");
    pub(crate) const DISK_FULL: Self = Self(*b"53100");
    pub(crate) const OUT_OF_MEMORY: Self = Self(*b"53200");
    pub(crate) const TOO_MANY_CONNECTIONS: Self = Self(*b"53300");
    pub(crate) const CONFIGURATION_LIMIT_EXCEEDED: Self = Self(*b"53400");
    pub(crate) const PROGRAM_LIMIT_EXCEEDED: Self = Self(*b"54000");
    pub(crate) const STATEMENT_TOO_COMPLEX: Self = Self(*b"54001");
    pub(crate) const TOO_MANY_COLUMNS: Self = Self(*b"54011");
    pub(crate) const TOO_MANY_ARGUMENTS: Self = Self(*b"54023");
    pub(crate) const OBJECT_NOT_IN_PREREQUISITE_STATE: Self = Self(*b"55000");
    pub(crate) const OBJECT_IN_USE: Self = Self(*b"55006");
    pub(crate) const LOCK_NOT_AVAILABLE: Self = Self(*b"55P03");
    pub(crate) const QUERY_CANCELED: Self = Self(*b"57014");
    pub(crate) const ADMIN_SHUTDOWN: Self = Self(*b"57P01");
    pub(crate) const CANNOT_CONNECT_NOW: Self = Self(*b"57P03");
    pub(crate) const IO_ERROR: Self = Self(*b"58030");
    pub(crate) const INTERNAL_ERROR: Self = Self(*b"XX000");
    pub(crate) const DATA_CORRUPTED: Self = Self(*b"XX001");

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XX000")
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error as PostgreSQL's protocol tells it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SqlError {
    /// Its class.
    pub(crate) state: SqlState,
    /// What and why, one line, PostgreSQL's words where it has them (drivers' tests compare them).
    pub(crate) message: String,
    /// More about it.
    pub(crate) detail: Option<String>,
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// Where in the statement, in characters from 1.
    pub(crate) position: Option<u32>,
    /// The schema, table, column and constraint that it is about.
    pub(crate) about: Option<Box<About>>,
}

/// The object that an error is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) schema: Option<String>,
    pub(crate) table: Option<String>,
    pub(crate) column: Option<String>,
    pub(crate) constraint: Option<String>,
}

impl SqlError {
    /// With nothing but a message.
    pub(crate) fn new(state: SqlState, message: impl Into<String>) -> Self {
        Self { state, message: message.into(), detail: None, hint: None, position: None, about: None }
    }

    /// What is not supported, by the name of the construct.
    pub(crate) fn unsupported(construct: impl fmt::Display) -> Self {
        Self::new(SqlState::FEATURE_NOT_SUPPORTED, format!("{construct} is not supported"))
    }

    #[must_use]
    pub(crate) fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub(crate) fn at(mut self, position: u32) -> Self {
        self.position = Some(position);
        self
    }

    #[must_use]
    pub(crate) fn about(mut self, about: About) -> Self {
        self.about = Some(Box::new(about));
        self
    }
}
