//! One call of a function by SQLite: its arguments, what it is evaluated with, and its answer.

use std::sync::Arc;

use crate::base::Evaluation;
use crate::base::error::{SqlError, SqlState};
use crate::base::types::Type;
use rusqlite::functions::Context;
use rusqlite::types::{Value, ValueRef};

/// The most bytes that one value may have: what grows a value refuses to go beyond it. The engine gives SQLite the
/// same limit, which has no words of PostgreSQL's for it.
pub(crate) const LARGEST: usize = 64 << 20;

/// What a function gives.
pub(crate) type Answer = Result<Value, SqlError>;

/// A function that SQLite calls for each row.
#[derive(Clone, Copy)]
pub(crate) struct Scalar {
    /// In SQLite.
    pub(crate) name: &'static str,
    /// How many arguments; -1: any number.
    pub(crate) arity: i32,
    pub(crate) nature: Nature,
    pub(crate) run: fn(&Call<'_>) -> Answer,
}

/// What SQLite may assume of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nature {
    /// The same for the same arguments, and NULL if one of them is.
    Strict,
    /// The same for the same arguments.
    Pure,
    /// Depends on the evaluation, and is NULL if an argument is.
    Evaluated,
    /// Depends on the evaluation.
    EvaluatedPure,
}

/// The same for the same arguments, and NULL if one of them is.
pub(crate) const fn strict(name: &'static str, arity: i32, run: fn(&Call<'_>) -> Answer) -> Scalar {
    Scalar { name, arity, nature: Nature::Strict, run }
}

/// The same for the same arguments; looks after NULL itself.
pub(crate) const fn pure(name: &'static str, arity: i32, run: fn(&Call<'_>) -> Answer) -> Scalar {
    Scalar { name, arity, nature: Nature::Pure, run }
}

/// Depends on the clock, the zone or the random numbers; NULL if an argument is.
pub(crate) const fn evaluated(name: &'static str, arity: i32, run: fn(&Call<'_>) -> Answer) -> Scalar {
    Scalar { name, arity, nature: Nature::Evaluated, run }
}

/// Depends on the clock, the zone or the random numbers; looks after NULL itself.
pub(crate) const fn evaluated_pure(name: &'static str, arity: i32, run: fn(&Call<'_>) -> Answer) -> Scalar {
    Scalar { name, arity, nature: Nature::EvaluatedPure, run }
}

impl Nature {
    /// Whether NULL goes in and out without a call.
    pub(crate) fn is_strict(self) -> bool {
        matches!(self, Self::Strict | Self::Evaluated)
    }

    /// Whether it may stand in an index.
    pub(crate) fn is_deterministic(self) -> bool {
        matches!(self, Self::Strict | Self::Pure)
    }
}

/// The arguments and what is beside them.
pub(crate) struct Call<'a> {
    arguments: Arguments<'a>,
    evaluation: &'a Evaluation,
}

/// Where arguments are.
enum Arguments<'a> {
    Context(&'a Context<'a>),
    /// Unpacked from one.
    Values(&'a [Value]),
}

impl<'a> Call<'a> {
    pub(crate) fn new(context: &'a Context<'a>, evaluation: &'a Evaluation) -> Self {
        Self { arguments: Arguments::Context(context), evaluation }
    }

    /// A call with arguments that SQLite does not have apart.
    pub(crate) fn of_values(values: &'a [Value], evaluation: &'a Evaluation) -> Self {
        Self { arguments: Arguments::Values(values), evaluation }
    }

    /// How many arguments there are.
    pub(crate) fn count(&self) -> usize {
        match self.arguments {
            Arguments::Context(context) => context.len(),
            Arguments::Values(values) => values.len(),
        }
    }

    /// The clock, the zone, the random numbers.
    pub(crate) fn evaluation(&self) -> &'a Evaluation {
        self.evaluation
    }

    /// An argument, as SQLite has it; one that is not there is NULL.
    pub(crate) fn value(&self, place: usize) -> ValueRef<'a> {
        match self.arguments {
            Arguments::Context(context) if place < context.len() => context.get_raw(place),
            Arguments::Context(_) => ValueRef::Null,
            Arguments::Values(values) => values.get(place).map_or(ValueRef::Null, ValueRef::from),
        }
    }

    pub(crate) fn is_null(&self, place: usize) -> bool {
        matches!(self.value(place), ValueRef::Null)
    }

    pub(crate) fn any_null(&self) -> bool {
        (0..self.count()).any(|place| self.is_null(place))
    }

    pub(crate) fn int(&self, place: usize) -> Result<i64, SqlError> {
        int(self.value(place))
    }

    pub(crate) fn int32(&self, place: usize) -> Result<i32, SqlError> {
        i32::try_from(self.int(place)?).map_err(|_| out_of_range("integer"))
    }

    pub(crate) fn bool(&self, place: usize) -> Result<bool, SqlError> {
        Ok(self.int(place)? != 0)
    }

    pub(crate) fn float(&self, place: usize) -> Result<f64, SqlError> {
        float(self.value(place))
    }

    pub(crate) fn text(&self, place: usize) -> Result<&'a str, SqlError> {
        text(self.value(place))
    }

    pub(crate) fn bytes(&self, place: usize) -> Result<&'a [u8], SqlError> {
        bytes(self.value(place))
    }

    /// A type, by its OID.
    pub(crate) fn ty(&self, place: usize) -> Result<Type, SqlError> {
        let oid = u32::try_from(self.int(place)?).unwrap_or(0);
        Type::from_oid(oid).ok_or_else(|| internal("an argument names no type"))
    }

    /// What was made of an argument, kept by SQLite as long as the argument stays the same. `beside` is what else
    /// it was made of.
    pub(crate) fn kept_for<T: Send + Sync + 'static>(
        &self,
        place: i32,
        beside: &str,
        make: impl FnOnce() -> Result<T, SqlError>,
    ) -> Result<Arc<T>, SqlError> {
        let Arguments::Context(context) = self.arguments else { return Ok(Arc::new(make()?)) };
        let lost = |_| internal("what was kept for a function has another type");
        if let Some(kept) = context.get_aux::<(String, Arc<T>)>(place).map_err(lost)?
            && kept.0 == beside
        {
            return Ok(kept.1.clone());
        }
        let made = Arc::new(make()?);
        context.set_aux(place, (beside.to_owned(), made.clone())).map_err(lost)?;
        Ok(made)
    }
}

/// An integer.
pub(crate) fn int(value: ValueRef<'_>) -> Result<i64, SqlError> {
    match value {
        ValueRef::Integer(value) => Ok(value),
        other => Err(unexpected("an integer", other)),
    }
}

/// A floating-point number; SQLite keeps whole ones as integers here and there.
pub(crate) fn float(value: ValueRef<'_>) -> Result<f64, SqlError> {
    match value {
        ValueRef::Real(value) => Ok(value),
        #[expect(clippy::cast_precision_loss, reason = "as CAST does")]
        ValueRef::Integer(value) => Ok(value as f64),
        other => Err(unexpected("a floating-point number", other)),
    }
}

/// A text.
pub(crate) fn text(value: ValueRef<'_>) -> Result<&str, SqlError> {
    match value {
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| {
            SqlError::new(
                SqlState::CHARACTER_NOT_IN_REPERTOIRE,
                "invalid byte sequence for encoding \"UTF8\"",
            )
        }),
        other => Err(unexpected("a text", other)),
    }
}

/// Bytes.
pub(crate) fn bytes(value: ValueRef<'_>) -> Result<&[u8], SqlError> {
    match value {
        ValueRef::Blob(bytes) => Ok(bytes),
        other => Err(unexpected("bytes", other)),
    }
}

fn unexpected(wanted: &str, got: ValueRef<'_>) -> SqlError {
    internal(format!("a function got {} where {wanted} belongs", got.data_type()))
}

/// A defect of the translation, not of the statement.
pub(crate) fn internal(message: impl Into<String>) -> SqlError {
    SqlError::new(SqlState::INTERNAL_ERROR, message)
}

/// `integer out of range`.
pub(crate) fn out_of_range(name: &str) -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"))
}

/// A value would be larger than [`LARGEST`].
pub(crate) fn too_large() -> SqlError {
    SqlError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

/// Refuses a length beyond [`LARGEST`].
pub(crate) fn bounded(length: usize) -> Result<usize, SqlError> {
    if length > LARGEST { Err(too_large()) } else { Ok(length) }
}
