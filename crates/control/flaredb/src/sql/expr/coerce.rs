//! From a type to another: which casts happen by themselves, and what each is in SQLite.

use crate::base::rules::CastContext;
use crate::base::{ColumnType, Element, SqlError, SqlState, Type};

use super::literal;
use super::typed::{Form, Typed, filled};
use crate::sql::planner::Planner;
use crate::sql::types;

/// How a value of a type becomes one of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// It is kept alike.
    Same,
    /// SQLite's SQL, with `{1}`.
    Emit(String),
}

/// The cast between two known types in a context, if PostgreSQL has it.
pub(crate) fn path(from: Type, to: Type, context: CastContext) -> Option<Path> {
    if from == to {
        return Some(Path::Same);
    }
    if let Some(cast) = crate::functions::cast_between(from, to) {
        return (cast.context >= context).then(|| of_emit(cast.emit));
    }
    match (from, to) {
        (Type::Array(a), Type::Array(b)) => array_path(from, to, a, b, context),
        (Type::Int2Vector, Type::Array(Element::Int2)) | (Type::OidVector, Type::Array(Element::Oid)) => {
            Some(Path::Same)
        }
        _ => None,
    }
}

fn of_emit(emit: &str) -> Path {
    if emit == "{1}" { Path::Same } else { Path::Emit(emit.to_owned()) }
}

/// Element by element: those that are kept alike stay, others go by way of their text.
fn array_path(from: Type, to: Type, a: Element, b: Element, context: CastContext) -> Option<Path> {
    match path(Type::Scalar(a), Type::Scalar(b), context)? {
        Path::Same => Some(Path::Same),
        Path::Emit(_) => {
            let (from, to) = (from.oid(), to.oid());
            Some(Path::Emit(format!("fl_array_in({to}, fl_array_text({from}, {{1}}))")))
        }
    }
}

/// Whether a value of a type may stand where another is wanted.
pub(crate) fn can(from: Type, to: Type, context: CastContext) -> bool {
    from == Type::UNKNOWN || path(from, to, context).is_some()
}

impl Planner<'_> {
    /// As this type, if a cast of the context exists. A modifier is not applied.
    pub(crate) fn try_coerce(
        &mut self,
        value: Typed,
        to: Type,
        context: CastContext,
    ) -> Result<Option<Typed>, SqlError> {
        if value.ty.ty == to {
            return Ok(Some(value));
        }
        if value.is_unknown() {
            return self.decide(value, to).map(Some);
        }
        match path(value.ty.ty, to, context) {
            None => Ok(None),
            Some(Path::Same) => {
                let typmod = if same_string(value.ty.ty, to) { value.ty.typmod } else { -1 };
                let mut value = value;
                if !matches!(value.form, Form::Column(_)) {
                    value.form = Form::Other;
                }
                Ok(Some(value.as_type(ColumnType { ty: to, typmod })))
            }
            Some(Path::Emit(emit)) => {
                let (sql, not_null) = (filled(&emit, &value.sql), value.not_null);
                Ok(Some(value.rewritten(sql, to)?.never_null(not_null)))
            }
        }
    }

    /// Gives an undecided literal, parameter or NULL its type.
    pub(crate) fn decide(&mut self, value: Typed, to: Type) -> Result<Typed, SqlError> {
        match &value.form {
            Form::Null => Ok(Typed { ty: to.into(), ..value }),
            Form::Parameter(number) => {
                self.parameters.decide(*number, to, value.at)?;
                Ok(Typed { ty: to.into(), ..value })
            }
            Form::Literal(text) => {
                let constant = literal::constant(self, to, text).map_err(|error| error.at(value.at))?;
                Ok(Typed { sql: constant, ty: to.into(), form: Form::Other, not_null: true, ..value })
            }
            _ => Ok(value.as_type(to)),
        }
    }

    /// What is still undecided is a text.
    pub(crate) fn settled(&mut self, value: Typed) -> Result<Typed, SqlError> {
        if value.is_unknown() { self.decide(value, Type::TEXT) } else { Ok(value) }
    }

    /// As an argument of this type, which resolution has found to be possible.
    pub(crate) fn implicit(&mut self, value: Typed, to: Type) -> Result<Typed, SqlError> {
        let (from, at) = (value.ty.ty, value.at);
        match self.try_coerce(value, to, CastContext::Implicit)? {
            Some(value) => Ok(value),
            None => Err(cannot(from, to).at(at)),
        }
    }

    /// `CAST`, with the modifier.
    pub(crate) fn explicit(&mut self, value: Typed, to: ColumnType) -> Result<Typed, SqlError> {
        let (from, at) = (value.ty.ty, value.at);
        let Some(cast) = self.try_coerce(value, to.ty, CastContext::Explicit)? else {
            return Err(cannot(from, to.ty).at(at));
        };
        modified(cast, to, true)
    }

    /// As the value of a column. Errors as PostgreSQL's: 42804 with a hint.
    pub(crate) fn assigned(&mut self, value: Typed, to: ColumnType, column: &str) -> Result<Typed, SqlError> {
        let (from, at) = (value.ty.ty, value.at);
        let Some(cast) = self.try_coerce(value, to.ty, CastContext::Assignment)? else {
            let message = format!(
                "column \"{column}\" is of type {} but expression is of type {}",
                types::shown(to.ty),
                types::shown(from)
            );
            return Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.")
                .at(at));
        };
        modified(cast, to, false)
    }

    /// A condition: `WHERE` and its like want a boolean.
    pub(crate) fn condition(&mut self, value: Typed, clause: &str) -> Result<Typed, SqlError> {
        let (from, at) = (value.ty.ty, value.at);
        match self.try_coerce(value, Type::BOOL, CastContext::Implicit)? {
            Some(value) => Ok(value),
            None => {
                let message =
                    format!("argument of {clause} must be type boolean, not type {}", types::shown(from));
                Err(SqlError::new(SqlState::DATATYPE_MISMATCH, message).at(at))
            }
        }
    }
}

/// Whether a modifier of one says the same of the other.
fn same_string(from: Type, to: Type) -> bool {
    from == to
}

/// PostgreSQL's word for a cast that is not there.
pub(crate) fn cannot(from: Type, to: Type) -> SqlError {
    let message = format!("cannot cast type {} to {}", types::shown(from), types::shown(to));
    SqlError::new(SqlState::CANNOT_COERCE, message)
}

/// With the modifier of a type applied, unless it is known to hold already. `fl_typmod` is told the type's OID, the
/// modifier, and whether what is too long is cut silently, as an explicit cast does.
pub(crate) fn modified(value: Typed, to: ColumnType, explicit: bool) -> Result<Typed, SqlError> {
    if to.typmod < 0 || value.ty == to || value.form == Form::Null {
        return Ok(value.as_type(to));
    }
    let (not_null, explicit) = (value.not_null, i32::from(explicit));
    let sql = format!("fl_typmod({}, {}, {explicit}, {})", to.ty.oid(), to.typmod, value.sql);
    Ok(value.rewritten(sql, to)?.never_null(not_null))
}
