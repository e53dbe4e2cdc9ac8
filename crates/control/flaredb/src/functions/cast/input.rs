//! Casts as SQLite calls them: the types' own input and output, and modifiers.

use crate::base::error::{SqlError, SqlState};
use crate::base::types::{ColumnType, Element, Type};
use crate::functions::call::{Answer, Call, Scalar, evaluated, strict};
use crate::functions::output::{settings, text_of};
use crate::value::text::{byte_of, char_of, name_in};
use crate::value::time::Clock;
use crate::value::{fit, from_text, plain_from_text};
use rusqlite::types::Value;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_bool_in", 1, |call| plain_from_text(Element::Bool, call.text(0)?)),
    strict("fl_int2_in", 1, |call| plain_from_text(Element::Int2, call.text(0)?)),
    strict("fl_int4_in", 1, |call| plain_from_text(Element::Int4, call.text(0)?)),
    strict("fl_int8_in", 1, |call| plain_from_text(Element::Int8, call.text(0)?)),
    strict("fl_float4_in", 1, |call| plain_from_text(Element::Float4, call.text(0)?)),
    strict("fl_float8_in", 1, |call| plain_from_text(Element::Float8, call.text(0)?)),
    strict("fl_numeric_in", 1, |call| plain_from_text(Element::Numeric, call.text(0)?)),
    strict("fl_bytea_in", 1, |call| plain_from_text(Element::Bytea, call.text(0)?)),
    strict("fl_uuid_in", 1, |call| plain_from_text(Element::Uuid, call.text(0)?)),
    strict("fl_oid_in", 1, |call| plain_from_text(Element::Oid, call.text(0)?)),
    strict("fl_json_in", 1, |call| plain_from_text(Element::Json, call.text(0)?)),
    strict("fl_jsonb_in", 1, |call| plain_from_text(Element::Jsonb, call.text(0)?)),
    strict("fl_name", 1, |call| Ok(name_in(call.text(0)?).to_owned().into())),
    strict("fl_char_in", 1, |call| plain_from_text(Element::Char, call.text(0)?)),
    strict("fl_char_int4", 1, |call| Ok(i64::from(byte_of(call.text(0)?) as i8).into())),
    strict("fl_int4_char", 1, int_to_char),
    // PostgreSQL's cast of a boolean to text has words of its own.
    strict("fl_bool_text", 1, |call| Ok(if call.bool(0)? { "true" } else { "false" }.to_owned().into())),
    strict("fl_float4_text", 1, |call| shown(call, Type::FLOAT4)),
    strict("fl_float8_text", 1, |call| shown(call, Type::FLOAT8)),
    strict("fl_bytea_text", 1, |call| shown(call, Type::BYTEA)),
    evaluated("fl_array_text", 2, |call| {
        Ok(text_of(call.ty(0)?, call.value(1), call.evaluation())?.into_owned().into())
    }),
    evaluated("fl_array_in", 2, array_in),
    strict("fl_typmod", 4, modified),
];

fn shown(call: &Call<'_>, ty: Type) -> Answer {
    Ok(text_of(ty, call.value(0), call.evaluation())?.into_owned().into())
}

fn int_to_char(call: &Call<'_>) -> Answer {
    let refused = |_| SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "\"char\" out of range");
    let byte = i8::try_from(call.int(0)?).map_err(refused)?;
    Ok(char_of(byte as u8).into())
}

/// The OID of the array's type, and a text.
fn array_in(call: &Call<'_>) -> Answer {
    let zone = settings(call.evaluation()).time_zone;
    let now = call.evaluation().with(|inner| inner.now);
    from_text(call.ty(0)?, call.text(1)?, &Clock { now, zone: &zone })
}

/// The OID of a type, a modifier, whether what is too long is cut, and a value.
fn modified(call: &Call<'_>) -> Answer {
    let ty = ColumnType { ty: call.ty(0)?, typmod: call.int32(1)? };
    fit(ty, Value::try_from(call.value(3)).unwrap_or(Value::Null), call.bool(2)?)
}
