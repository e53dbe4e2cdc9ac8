//! Constants: numbers as PostgreSQL types them, strings as the type that context gives them.

use crate::base::{ColumnType, Element, SqlError, SqlState, Type};
use sqlparser::ast::{DateTimeField, Expr, Interval, IntervalFields, TypedString, Value, ValueWithSpan};

use super::typed::{Form, Typed, filled};
use crate::sql::names::{Name, literal};
use crate::sql::parse::position;
use crate::sql::planner::Planner;
use crate::sql::types;

/// A text as a constant of a type, in SQLite's SQL. Errors as the type's input gives them.
pub(crate) fn constant(planner: &mut Planner<'_>, ty: Type, text: &str) -> Result<String, SqlError> {
    match ty {
        Type::TEXT | Type::VARCHAR | Type::UNKNOWN => Ok(literal(text)),
        Type::BPCHAR => Ok(literal(text.trim_end_matches(' '))),
        Type::REGCLASS => planner.regclass(text),
        Type::REGTYPE => planner.regtype(text),
        Type::Scalar(Element::Regnamespace) => planner.regnamespace(text),
        Type::Scalar(Element::Regrole) => planner.regrole(text),
        _ => match crate::functions::cast_between(Type::TEXT, ty) {
            Some(cast) => Ok(filled(cast.emit, &literal(text))),
            None => Err(SqlError::unsupported(format!("a constant of the type {}", types::shown(ty)))),
        },
    }
}

/// An integer in SQLite's SQL.
pub(crate) fn integer(value: i64) -> String {
    match value {
        // Its digits alone would be out of range.
        i64::MIN => "(-9223372036854775807 - 1)".to_owned(),
        _ if value < 0 => format!("({value})"),
        _ => value.to_string(),
    }
}

/// The type of a number as PostgreSQL types it, and its SQL.
pub(crate) fn number(digits: &str, negative: bool, at: u32) -> Result<Typed, SqlError> {
    let signed = if negative { format!("-{digits}") } else { digits.to_owned() };
    if digits.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(value) = signed.parse::<i64>()
    {
        let ty = if i32::try_from(value).is_ok() { Type::INT4 } else { Type::INT8 };
        return Ok(Typed::plain(integer(value), ty, Form::Integer(value), at).never_null(true));
    }
    let sql = match plain_decimal(digits) {
        Some(plain) if negative && plain.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0') => {
            literal(&format!("-{plain}"))
        }
        Some(plain) => literal(&plain),
        None => format!("fl_numeric_in({})", literal(&signed)),
    };
    Ok(Typed::plain(sql, Type::NUMERIC, Form::Other, at).never_null(true))
}

/// Digits with at most one point, as a numeric is kept: no leading zeros, one before the point.
fn plain_decimal(digits: &str) -> Option<String> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") })
}

/// The text of a string constant of any form.
pub(crate) fn string(value: &Value) -> Option<&str> {
    match value {
        Value::SingleQuotedString(text)
        | Value::EscapedStringLiteral(text)
        | Value::UnicodeStringLiteral(text)
        | Value::NationalStringLiteral(text) => Some(text),
        Value::DollarQuotedString(text) => Some(&text.value),
        _ => None,
    }
}

impl Planner<'_> {
    /// A constant or a parameter.
    pub(crate) fn value(&mut self, value: &ValueWithSpan) -> Result<Typed, SqlError> {
        let at = position(value.span);
        if let Some(text) = string(&value.value) {
            let form = Form::Literal(text.to_owned());
            return Ok(Typed::plain(literal(text), Type::UNKNOWN, form, at).never_null(true));
        }
        match &value.value {
            Value::Number(digits, false) => number(digits, false, at),
            Value::Boolean(truth) => {
                let sql = if *truth { "1" } else { "0" };
                Ok(Typed::plain(sql, Type::BOOL, Form::Other, at).never_null(true))
            }
            Value::Null => Ok(Typed::plain("NULL", Type::UNKNOWN, Form::Null, at)),
            Value::Placeholder(name) => self.parameter(name, at),
            Value::HexStringLiteral(_)
            | Value::SingleQuotedByteStringLiteral(_)
            | Value::DoubleQuotedByteStringLiteral(_) => Err(SqlError::unsupported("a bit string").at(at)),
            other => {
                let message = format!("syntax error at or near \"{other}\"");
                Err(SqlError::new(SqlState::SYNTAX_ERROR, message).at(at))
            }
        }
    }

    fn parameter(&mut self, name: &str, at: u32) -> Result<Typed, SqlError> {
        let number: u32 = name.strip_prefix('$').and_then(|digits| digits.parse().ok()).unwrap_or(0);
        let known = self.parameters.get(number).map_err(|error| error.at(at))?;
        let ty = known.unwrap_or(Type::UNKNOWN);
        Ok(Typed::plain(format!("?{number}"), ty, Form::Parameter(number), at))
    }

    /// `date '…'`.
    pub(crate) fn typed_string(&mut self, typed: &TypedString) -> Result<Typed, SqlError> {
        let at = position(typed.value.span);
        let Some(text) = string(&typed.value.value) else {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                format!("syntax error at or near \"{typed}\""),
            )
            .at(at));
        };
        let ty = types::of(&typed.data_type)
            .map_err(|error| if error.position.is_some() { error } else { error.at(at) })?;
        self.string_as(text, ty, at)
    }

    fn string_as(&mut self, text: &str, ty: ColumnType, at: u32) -> Result<Typed, SqlError> {
        let form = Form::Literal(text.to_owned());
        let value = Typed::plain(literal(text), Type::UNKNOWN, form, at).never_null(true);
        self.explicit(value, ty)
    }

    /// `interval '…' day to second(3)`.
    pub(crate) fn interval(&mut self, interval: &Interval) -> Result<Typed, SqlError> {
        let Expr::Value(value) = &*interval.value else {
            return Err(super::no_syntax(&interval.value));
        };
        let at = position(value.span);
        let Some(text) = string(&value.value) else { return Err(super::no_syntax(&interval.value)) };
        let fields = fields(interval)?;
        let precision = interval.fractional_seconds_precision.or(interval.leading_precision);
        let ty = types::of(&sqlparser::ast::DataType::Interval { fields, precision })?;
        self.string_as(text, ty, at)
    }

    /// What a name in a string means as a relation.
    pub(crate) fn regclass(&mut self, text: &str) -> Result<String, SqlError> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            return Ok(text.to_owned());
        }
        let name = written_name(text)?;
        if let Some(relation) = self.find(&name) {
            return Ok(relation.oid.to_string());
        }
        match crate::sql::systems::find(&name) {
            Some(system) => Ok(system.oid.to_string()),
            None => Err(crate::sql::planner::no_relation(&Name { at: 0, ..name })),
        }
    }

    fn regtype(&mut self, text: &str) -> Result<String, SqlError> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
            return Ok(text.to_owned());
        }
        let ty = crate::sql::parse::parse_type(text).and_then(|ty| types::of(&ty));
        ty.map(|ty| ty.ty.oid().to_string()).map_err(|mut error| {
            error.position = None;
            error
        })
    }

    fn regnamespace(&mut self, text: &str) -> Result<String, SqlError> {
        let name = written_name(text)?.name;
        match name.as_str() {
            "pg_catalog" => return Ok("11".to_owned()),
            "information_schema" => return Ok("13183".to_owned()),
            _ => {}
        }
        match self.catalog.schemas.get(&name) {
            Some(schema) => Ok(schema.oid.to_string()),
            None => Err(crate::sql::planner::no_schema(&name)),
        }
    }

    fn regrole(&mut self, text: &str) -> Result<String, SqlError> {
        let name = written_name(text)?.name;
        match self.catalog.roles.get(&name) {
            Some(role) => Ok(role.oid.to_string()),
            None => Err(SqlError::new(SqlState::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))),
        }
    }
}

/// `Schema."Name"` in a string, folded.
pub(crate) fn written_name(text: &str) -> Result<Name, SqlError> {
    let invalid = || SqlError::new(SqlState::INVALID_NAME, "invalid name syntax");
    let mut parts: Vec<String> = Vec::new();
    let mut rest = text.trim();
    loop {
        let part;
        if let Some(quoted) = rest.strip_prefix('"') {
            let end = quoted.find('"').ok_or_else(invalid)?;
            part = quoted[..end].to_owned();
            rest = quoted[end + 1..].trim_start();
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            part = rest[..end].trim_end().to_ascii_lowercase();
            rest = &rest[end..];
        }
        if part.is_empty() {
            return Err(invalid());
        }
        parts.push(part);
        match rest.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => break,
            None => return Err(invalid()),
        }
    }
    let name = parts.pop().ok_or_else(invalid)?;
    Ok(Name { schema: parts.pop(), name, at: 0 })
}

fn fields(interval: &Interval) -> Result<Option<IntervalFields>, SqlError> {
    use DateTimeField as F;
    use IntervalFields as I;
    Ok(Some(match (&interval.leading_field, &interval.last_field) {
        (None, None) => return Ok(None),
        (Some(F::Year), None) => I::Year,
        (Some(F::Month), None) => I::Month,
        (Some(F::Day), None) => I::Day,
        (Some(F::Hour), None) => I::Hour,
        (Some(F::Minute), None) => I::Minute,
        (Some(F::Second), None) => I::Second,
        (Some(F::Year), Some(F::Month)) => I::YearToMonth,
        (Some(F::Day), Some(F::Hour)) => I::DayToHour,
        (Some(F::Day), Some(F::Minute)) => I::DayToMinute,
        (Some(F::Day), Some(F::Second)) => I::DayToSecond,
        (Some(F::Hour), Some(F::Minute)) => I::HourToMinute,
        (Some(F::Hour), Some(F::Second)) => I::HourToSecond,
        (Some(F::Minute), Some(F::Second)) => I::MinuteToSecond,
        _ => {
            return Err(SqlError::new(
                SqlState::SYNTAX_ERROR,
                format!("syntax error at or near \"{interval}\""),
            ));
        }
    }))
}
