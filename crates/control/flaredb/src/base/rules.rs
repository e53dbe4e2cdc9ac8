//! The shape of the tables that say which functions, operators and casts there are, and what each becomes in
//! SQLite. The tables themselves stand beside the functions' code, so that what is declared is what runs.

use super::types::Type;

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// This type.
    Exact(Type),
    /// `anyelement`: all of these in one signature are the same scalar type.
    AnyElement,
    /// `anyarray`: an array of what `AnyElement` is.
    AnyArray,
    /// `"any"`: whatever it is.
    Any,
}

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    /// This type.
    Exact(Type),
    /// What `AnyElement` is.
    Element,
    /// An array of what `AnyElement` is.
    Array,
}

/// When the answer may differ for the same arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Volatility {
    Immutable,
    /// Not within one statement.
    Stable,
    Volatile,
}

/// How it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FunctionKind {
    Scalar,
    /// Also usable as a window function.
    Aggregate,
    /// Only with OVER.
    Window,
    /// Stands in FROM; in SQLite a table-valued function whose first column is the value.
    SetReturning,
}

/// A function of PostgreSQL's that exists here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    /// As in PostgreSQL.
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static [Pattern],
    /// More arguments of this kind may follow.
    pub(crate) variadic: Option<Pattern>,
    /// Arguments at the end that may be left out.
    pub(crate) optional: usize,
    pub(crate) result: Gives,
    pub(crate) kind: FunctionKind,
    pub(crate) volatility: Volatility,
    /// SQLite's SQL, with `{1}`, `{2}`, … for the arguments, `{*}` for all of them separated by commas, and
    /// `{zone}` for nothing (the zone comes with the evaluation). Complete in itself: the caller adds no
    /// parentheses.
    pub(crate) emit: &'static str,
}

/// An operator of PostgreSQL's that exists here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operator {
    pub(crate) symbol: &'static str,
    /// None: a prefix operator.
    pub(crate) left: Option<Pattern>,
    pub(crate) right: Pattern,
    pub(crate) result: Gives,
    /// SQLite's SQL, with `{l}` and `{r}`.
    pub(crate) emit: &'static str,
}

/// Where a cast may happen by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CastContext {
    /// Only where it is written.
    Explicit,
    /// Also when a value is put into a column.
    Assignment,
    /// Anywhere.
    Implicit,
}

/// A cast that exists here. Casts of a type to itself, of unknown literals, and with a modifier are no rows of
/// the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cast {
    pub(crate) from: Type,
    pub(crate) to: Type,
    pub(crate) context: CastContext,
    /// SQLite's SQL, with `{1}`.
    pub(crate) emit: &'static str,
}
