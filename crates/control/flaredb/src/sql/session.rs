//! Statements about the session rather than about data: transactions, settings, cursors, prepared statements,
//! notifications, upkeep. They are told as they were parsed; carrying them out is the caller's.

use crate::sql::names::Name;

/// What of a transaction `BEGIN` and `SET TRANSACTION` say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Modes {
    pub(crate) isolation: Option<Isolation>,
    pub(crate) read_only: Option<bool>,
    pub(crate) deferrable: Option<bool>,
}

/// How much a transaction sees of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isolation {
    ReadUncommitted,
    ReadCommitted,
    RepeatableRead,
    Serializable,
}

/// What a setting is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SetTo {
    Default,
    /// As they were written, names folded.
    Values(Vec<String>),
}

/// Where a cursor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// So many rows; negative: back.
    Forward(i64),
    ForwardAll,
    BackwardAll,
    /// To the row of this number, from the end if negative.
    Absolute(i64),
    Relative(i64),
}

/// What `DISCARD` discards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Discard {
    All,
    Plans,
    Sequences,
    Temp,
}

/// A statement about the session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Session {
    /// `BEGIN`, or `START TRANSACTION` (which has another tag).
    Begin {
        modes: Modes,
        start: bool,
    },
    Commit {
        chain: bool,
    },
    Rollback {
        chain: bool,
    },
    Savepoint(String),
    Release(String),
    RollbackTo(String),
    SetTransaction(Modes),
    /// `SET SESSION CHARACTERISTICS AS TRANSACTION`.
    SetCharacteristics(Modes),
    /// Of these, or of all.
    SetConstraints {
        names: Option<Vec<Name>>,
        deferred: bool,
    },
    Set {
        name: String,
        to: SetTo,
        local: bool,
    },
    /// None: every one.
    Show(Option<String>),
    /// None: every one.
    Reset(Option<String>),
    /// None: `NONE`.
    SetRole {
        role: Option<String>,
        local: bool,
    },
    /// None: `DEFAULT`.
    SetSessionAuthorization {
        role: Option<String>,
        local: bool,
    },
    Fetch {
        cursor: String,
        direction: Direction,
        /// `MOVE`: no rows come.
        only_move: bool,
    },
    /// None: every one.
    Close(Option<String>),
    /// None: every one.
    Deallocate(Option<String>),
    Discard(Discard),
    Listen(String),
    /// None: every one.
    Unlisten(Option<String>),
    Notify {
        channel: String,
        payload: String,
    },
    /// `VACUUM`, `ANALYZE`, `CHECKPOINT`, `CLUSTER`, `REINDEX`, by its tag, and the tables it names.
    Maintenance {
        command: &'static str,
        relations: Vec<Name>,
    },
    /// Understood, and nothing to do: its tag.
    Nothing(&'static str),
}
