//! Casts between types, and the contexts in which they happen by themselves (as in `pg_cast`).

use crate::base::rules::{Cast, CastContext};
use crate::base::types::{Element, Type};

pub(crate) mod input;
#[cfg(test)]
mod tests;
pub(crate) mod texts;

use CastContext::{Assignment, Explicit, Implicit};

const REGROLE: Type = Type::Scalar(Element::Regrole);
const REGNAMESPACE: Type = Type::Scalar(Element::Regnamespace);

const fn row(from: Type, to: Type, context: CastContext, emit: &'static str) -> Cast {
    Cast { from, to, context, emit }
}

/// Between numbers, and what else has a number.
const NUMBERS: &[Cast] = &[
    row(Type::INT2, Type::INT4, Implicit, "{1}"),
    row(Type::INT2, Type::INT8, Implicit, "{1}"),
    row(Type::INT4, Type::INT8, Implicit, "{1}"),
    row(Type::INT4, Type::INT2, Assignment, "fl_int2({1})"),
    row(Type::INT8, Type::INT2, Assignment, "fl_int2({1})"),
    row(Type::INT8, Type::INT4, Assignment, "fl_int4({1})"),
    row(Type::INT2, Type::FLOAT4, Implicit, "CAST({1} AS REAL)"),
    row(Type::INT4, Type::FLOAT4, Implicit, "fl_float4({1})"),
    row(Type::INT8, Type::FLOAT4, Implicit, "fl_float4({1})"),
    row(Type::INT2, Type::FLOAT8, Implicit, "CAST({1} AS REAL)"),
    row(Type::INT4, Type::FLOAT8, Implicit, "CAST({1} AS REAL)"),
    row(Type::INT8, Type::FLOAT8, Implicit, "CAST({1} AS REAL)"),
    row(Type::INT2, Type::NUMERIC, Implicit, "CAST({1} AS TEXT)"),
    row(Type::INT4, Type::NUMERIC, Implicit, "CAST({1} AS TEXT)"),
    row(Type::INT8, Type::NUMERIC, Implicit, "CAST({1} AS TEXT)"),
    row(Type::FLOAT4, Type::FLOAT8, Implicit, "{1}"),
    row(Type::FLOAT8, Type::FLOAT4, Assignment, "fl_float4({1})"),
    row(Type::FLOAT4, Type::INT2, Assignment, "fl_float_int2({1})"),
    row(Type::FLOAT4, Type::INT4, Assignment, "fl_float_int4({1})"),
    row(Type::FLOAT4, Type::INT8, Assignment, "fl_float_int8({1})"),
    row(Type::FLOAT8, Type::INT2, Assignment, "fl_float_int2({1})"),
    row(Type::FLOAT8, Type::INT4, Assignment, "fl_float_int4({1})"),
    row(Type::FLOAT8, Type::INT8, Assignment, "fl_float_int8({1})"),
    row(Type::FLOAT4, Type::NUMERIC, Assignment, "fl_float4_numeric({1})"),
    row(Type::FLOAT8, Type::NUMERIC, Assignment, "fl_float8_numeric({1})"),
    row(Type::NUMERIC, Type::INT2, Assignment, "fl_numeric_int2({1})"),
    row(Type::NUMERIC, Type::INT4, Assignment, "fl_numeric_int4({1})"),
    row(Type::NUMERIC, Type::INT8, Assignment, "fl_numeric_int8({1})"),
    row(Type::NUMERIC, Type::FLOAT4, Implicit, "fl_numeric_float4({1})"),
    row(Type::NUMERIC, Type::FLOAT8, Implicit, "fl_numeric_float8({1})"),
    row(Type::BOOL, Type::INT4, Explicit, "{1}"),
    row(Type::INT4, Type::BOOL, Explicit, "({1} <> 0)"),
    row(Type::CHAR, Type::INT4, Explicit, "fl_char_int4({1})"),
    row(Type::INT4, Type::CHAR, Explicit, "fl_int4_char({1})"),
];

/// Between types of time.
const TIMES: &[Cast] = &[
    row(Type::DATE, Type::TIMESTAMP, Implicit, "fl_date_timestamp({1})"),
    row(Type::DATE, Type::TIMESTAMPTZ, Implicit, "fl_date_timestamptz({1})"),
    row(Type::TIMESTAMP, Type::TIMESTAMPTZ, Implicit, "fl_timestamp_timestamptz({1})"),
    row(Type::TIMESTAMPTZ, Type::TIMESTAMP, Assignment, "fl_timestamptz_timestamp({1})"),
    row(Type::TIMESTAMP, Type::DATE, Assignment, "fl_timestamp_date({1})"),
    row(Type::TIMESTAMPTZ, Type::DATE, Assignment, "fl_timestamp_date(fl_timestamptz_timestamp({1}))"),
    row(Type::TIMESTAMP, Type::TIME, Assignment, "fl_timestamp_time({1})"),
    row(Type::TIMESTAMPTZ, Type::TIME, Assignment, "fl_timestamp_time(fl_timestamptz_timestamp({1}))"),
    row(Type::TIME, Type::INTERVAL, Implicit, "('0 0 ' || {1})"),
    row(Type::INTERVAL, Type::TIME, Assignment, "fl_interval_time({1})"),
];

/// Between the two kinds of JSON, and out of JSON.
const JSONS: &[Cast] = &[
    row(Type::JSON, Type::JSONB, Assignment, "fl_jsonb_in({1})"),
    row(Type::JSONB, Type::JSON, Assignment, "({1} COLLATE BINARY)"),
    row(Type::JSONB, Type::BOOL, Explicit, "fl_jsonb_bool({1})"),
    row(Type::JSONB, Type::NUMERIC, Explicit, "fl_jsonb_numeric({1}, 1700)"),
    row(Type::JSONB, Type::INT2, Explicit, "fl_numeric_int2(fl_jsonb_numeric({1}, 21))"),
    row(Type::JSONB, Type::INT4, Explicit, "fl_numeric_int4(fl_jsonb_numeric({1}, 23))"),
    row(Type::JSONB, Type::INT8, Explicit, "fl_numeric_int8(fl_jsonb_numeric({1}, 20))"),
    row(Type::JSONB, Type::FLOAT4, Explicit, "fl_numeric_float4(fl_jsonb_numeric({1}, 700))"),
    row(Type::JSONB, Type::FLOAT8, Explicit, "fl_numeric_float8(fl_jsonb_numeric({1}, 701))"),
];

/// Types that are the OID of something.
const OIDS: &[Type] = &[Type::REGCLASS, Type::REGTYPE, Type::REGPROC, REGNAMESPACE, REGROLE];

/// Every cast.
pub(crate) fn casts() -> Vec<Cast> {
    let mut all = [NUMBERS, TIMES, JSONS].concat();
    let oid = [Type::OID];
    for to in OIDS.iter().chain(&oid) {
        all.push(row(Type::INT8, *to, Implicit, "fl_oid({1})"));
        all.push(row(Type::INT4, *to, Implicit, "({1} & 4294967295)"));
        all.push(row(Type::INT2, *to, Implicit, "({1} & 4294967295)"));
        all.push(row(*to, Type::INT8, Assignment, "{1}"));
        all.push(row(*to, Type::INT4, Assignment, "(({1} << 32) >> 32)"));
    }
    for to in OIDS {
        all.push(row(Type::OID, *to, Implicit, "{1}"));
        all.push(row(*to, Type::OID, Implicit, "{1}"));
    }
    all.extend(texts::casts());
    all
}
