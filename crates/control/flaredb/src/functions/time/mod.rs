//! Dates, times and intervals.

use crate::base::rules::{Function, Operator, Pattern};
use crate::base::types::Type;

use crate::functions::call::Scalar;
use crate::functions::shape::{
    DATE, FLOAT4, FLOAT8, INT4, INT8, INTERVAL, NUMERIC, TEXT, TIME, TIMESTAMP, TIMESTAMPTZ, function,
    operator, prefix, stable, volatile,
};

pub(crate) mod arithmetic;
pub(crate) mod convert;
pub(crate) mod field;
pub(crate) mod io;
pub(crate) mod make;
pub(crate) mod parts;
pub(crate) mod picture;
pub(crate) mod series;
pub(crate) mod sums;
#[cfg(test)]
mod tests;
pub(crate) mod trunc;
pub(crate) mod value;

/// What SQLite calls.
pub(crate) const SCALARS: &[&[Scalar]] = &[
    arithmetic::SCALARS,
    convert::SCALARS,
    field::SCALARS,
    io::SCALARS,
    make::SCALARS,
    picture::PAINTED,
    picture::READ,
    trunc::SCALARS,
];

/// What PostgreSQL has between times, but comparisons.
pub(crate) const OPERATORS: &[Operator] = &[
    operator("+", Type::DATE, Type::INT4, Type::DATE, "fl_date_add({l}, {r})"),
    operator("+", Type::INT4, Type::DATE, Type::DATE, "fl_date_add({r}, {l})"),
    operator("+", Type::DATE, Type::TIME, Type::TIMESTAMP, "fl_date_time({l}, {r})"),
    operator("+", Type::TIME, Type::DATE, Type::TIMESTAMP, "fl_date_time({r}, {l})"),
    operator(
        "+",
        Type::DATE,
        Type::INTERVAL,
        Type::TIMESTAMP,
        "fl_timestamp_add(fl_date_timestamp({l}), {r})",
    ),
    operator(
        "+",
        Type::INTERVAL,
        Type::DATE,
        Type::TIMESTAMP,
        "fl_timestamp_add(fl_date_timestamp({r}), {l})",
    ),
    operator("-", Type::DATE, Type::INT4, Type::DATE, "fl_date_sub({l}, {r})"),
    operator("-", Type::DATE, Type::DATE, Type::INT4, "fl_date_diff({l}, {r})"),
    operator(
        "-",
        Type::DATE,
        Type::INTERVAL,
        Type::TIMESTAMP,
        "fl_timestamp_sub(fl_date_timestamp({l}), {r})",
    ),
    operator("+", Type::TIME, Type::INTERVAL, Type::TIME, "fl_time_add({l}, {r})"),
    operator("+", Type::INTERVAL, Type::TIME, Type::TIME, "fl_time_add({r}, {l})"),
    operator("-", Type::TIME, Type::INTERVAL, Type::TIME, "fl_time_sub({l}, {r})"),
    operator("-", Type::TIME, Type::TIME, Type::INTERVAL, "('0 0 ' || ({l} - {r}))"),
    operator("+", Type::TIMESTAMP, Type::INTERVAL, Type::TIMESTAMP, "fl_timestamp_add({l}, {r})"),
    operator("+", Type::INTERVAL, Type::TIMESTAMP, Type::TIMESTAMP, "fl_timestamp_add({r}, {l})"),
    operator("-", Type::TIMESTAMP, Type::INTERVAL, Type::TIMESTAMP, "fl_timestamp_sub({l}, {r})"),
    operator("-", Type::TIMESTAMP, Type::TIMESTAMP, Type::INTERVAL, "fl_timestamp_diff({l}, {r})"),
    operator("+", Type::TIMESTAMPTZ, Type::INTERVAL, Type::TIMESTAMPTZ, "fl_timestamptz_add({l}, {r})"),
    operator("+", Type::INTERVAL, Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, "fl_timestamptz_add({r}, {l})"),
    operator("-", Type::TIMESTAMPTZ, Type::INTERVAL, Type::TIMESTAMPTZ, "fl_timestamptz_sub({l}, {r})"),
    operator("-", Type::TIMESTAMPTZ, Type::TIMESTAMPTZ, Type::INTERVAL, "fl_timestamp_diff({l}, {r})"),
    operator("+", Type::INTERVAL, Type::INTERVAL, Type::INTERVAL, "fl_interval_add({l}, {r})"),
    operator("-", Type::INTERVAL, Type::INTERVAL, Type::INTERVAL, "fl_interval_sub({l}, {r})"),
    operator("*", Type::INTERVAL, Type::FLOAT8, Type::INTERVAL, "fl_interval_mul({l}, {r})"),
    operator("*", Type::FLOAT8, Type::INTERVAL, Type::INTERVAL, "fl_interval_mul({r}, {l})"),
    operator("/", Type::INTERVAL, Type::FLOAT8, Type::INTERVAL, "fl_interval_div({l}, {r})"),
    prefix("-", Type::INTERVAL, Type::INTERVAL, "fl_interval_neg({r})"),
];

const INT4_3: &[Pattern] = &[INT4, INT4, INT4];
const MOMENT: &[Pattern] = &[INT4, INT4, INT4, INT4, INT4, FLOAT8];
const MOMENT_ZONE: &[Pattern] = &[INT4, INT4, INT4, INT4, INT4, FLOAT8, TEXT];

const fn now(name: &'static str, emit: &'static str, result: Type) -> Function {
    stable(function(name, &[], result, emit))
}

const fn of(name: &'static str, arguments: &'static [Pattern], result: Type, emit: &'static str) -> Function {
    function(name, arguments, result, emit)
}

/// What PostgreSQL has. The zone comes with the evaluation.
pub(crate) const FUNCTIONS: &[Function] = &[
    now("now", "fl_now()", Type::TIMESTAMPTZ),
    now("transaction_timestamp", "fl_now()", Type::TIMESTAMPTZ),
    now("statement_timestamp", "fl_now()", Type::TIMESTAMPTZ),
    volatile(function("clock_timestamp", &[], Type::TIMESTAMPTZ, "fl_now()")),
    volatile(function("timeofday", &[], Type::TEXT, "fl_timeofday()")),
    now("current_timestamp", "fl_now()", Type::TIMESTAMPTZ),
    now("localtimestamp", "fl_timestamptz_timestamp(fl_now())", Type::TIMESTAMP),
    now("current_date", "fl_timestamp_date(fl_timestamptz_timestamp(fl_now()))", Type::DATE),
    now("localtime", "fl_timestamp_time(fl_timestamptz_timestamp(fl_now()))", Type::TIME),
    of("age", &[TIMESTAMP, TIMESTAMP], Type::INTERVAL, "fl_age({1}, {2})"),
    stable(of("age", &[TIMESTAMP], Type::INTERVAL, "fl_age_now({1})")),
    of(
        "age",
        &[TIMESTAMPTZ, TIMESTAMPTZ],
        Type::INTERVAL,
        "fl_age(fl_timestamptz_timestamp({1}), fl_timestamptz_timestamp({2}))",
    ),
    stable(of("age", &[TIMESTAMPTZ], Type::INTERVAL, "fl_age_now(fl_timestamptz_timestamp({1}))")),
    of("date_trunc", &[TEXT, TIMESTAMP], Type::TIMESTAMP, "fl_timestamp_trunc({1}, {2})"),
    of("date_trunc", &[TEXT, INTERVAL], Type::INTERVAL, "fl_interval_trunc({1}, {2})"),
    stable(of("date_trunc", &[TEXT, TIMESTAMPTZ], Type::TIMESTAMPTZ, "fl_timestamptz_trunc({1}, {2})")),
    stable(of("date_trunc", &[TEXT, TIMESTAMPTZ, TEXT], Type::TIMESTAMPTZ, "fl_timestamptz_trunc({*})")),
    of("date_part", &[TEXT, TIMESTAMP], Type::FLOAT8, "fl_date_part({1}, 1114, {2})"),
    stable(of("date_part", &[TEXT, TIMESTAMPTZ], Type::FLOAT8, "fl_date_part_zone({1}, 1184, {2})")),
    of("date_part", &[TEXT, DATE], Type::FLOAT8, "fl_date_part({1}, 1082, {2})"),
    of("date_part", &[TEXT, TIME], Type::FLOAT8, "fl_date_part({1}, 1083, {2})"),
    of("date_part", &[TEXT, INTERVAL], Type::FLOAT8, "fl_date_part({1}, 1186, {2})"),
    of("extract", &[TEXT, TIMESTAMP], Type::NUMERIC, "fl_extract({1}, 1114, {2})"),
    stable(of("extract", &[TEXT, TIMESTAMPTZ], Type::NUMERIC, "fl_extract_zone({1}, 1184, {2})")),
    of("extract", &[TEXT, DATE], Type::NUMERIC, "fl_extract({1}, 1082, {2})"),
    of("extract", &[TEXT, TIME], Type::NUMERIC, "fl_extract({1}, 1083, {2})"),
    of("extract", &[TEXT, INTERVAL], Type::NUMERIC, "fl_extract({1}, 1186, {2})"),
    stable(of("to_char", &[TIMESTAMPTZ, TEXT], Type::TEXT, "fl_to_char_zone({1}, {2})")),
    stable(of("to_char", &[TIMESTAMP, TEXT], Type::TEXT, "fl_to_char_timestamp({1}, {2})")),
    stable(of("to_char", &[INTERVAL, TEXT], Type::TEXT, "fl_to_char_interval({1}, {2})")),
    stable(of("to_char", &[INT4, TEXT], Type::TEXT, "fl_to_char_number(CAST({1} AS TEXT), {2})")),
    stable(of("to_char", &[INT8, TEXT], Type::TEXT, "fl_to_char_number(CAST({1} AS TEXT), {2})")),
    stable(of("to_char", &[NUMERIC, TEXT], Type::TEXT, "fl_to_char_number({1}, {2})")),
    stable(of("to_char", &[FLOAT4, TEXT], Type::TEXT, "fl_to_char_float({1}, {2}, 6)")),
    stable(of("to_char", &[FLOAT8, TEXT], Type::TEXT, "fl_to_char_float({1}, {2}, 15)")),
    of("to_timestamp", &[FLOAT8], Type::TIMESTAMPTZ, "fl_epoch_timestamptz({1})"),
    stable(of("to_timestamp", &[TEXT, TEXT], Type::TIMESTAMPTZ, "fl_to_timestamp({1}, {2})")),
    stable(of("to_date", &[TEXT, TEXT], Type::DATE, "fl_to_date({1}, {2})")),
    stable(of("to_number", &[TEXT, TEXT], Type::NUMERIC, "fl_to_number({1}, {2})")),
    of("make_date", INT4_3, Type::DATE, "fl_make_date({*})"),
    of("make_time", &[INT4, INT4, FLOAT8], Type::TIME, "fl_make_time({*})"),
    of("make_timestamp", MOMENT, Type::TIMESTAMP, "fl_make_timestamp({*})"),
    stable(of(
        "make_timestamptz",
        MOMENT,
        Type::TIMESTAMPTZ,
        "fl_timestamp_timestamptz(fl_make_timestamp({*}))",
    )),
    stable(of("make_timestamptz", MOMENT_ZONE, Type::TIMESTAMPTZ, "fl_make_timestamptz({*})")),
    Function {
        optional: 7,
        ..of(
            "make_interval",
            &[INT4, INT4, INT4, INT4, INT4, INT4, FLOAT8],
            Type::INTERVAL,
            "fl_make_interval({*})",
        )
    },
    of("justify_days", &[INTERVAL], Type::INTERVAL, "fl_justify_days({1})"),
    of("justify_hours", &[INTERVAL], Type::INTERVAL, "fl_justify_hours({1})"),
    of("justify_interval", &[INTERVAL], Type::INTERVAL, "fl_justify_interval({1})"),
    of("timezone", &[TEXT, TIMESTAMP], Type::TIMESTAMPTZ, "fl_zone_to_moment({1}, {2})"),
    of("timezone", &[TEXT, TIMESTAMPTZ], Type::TIMESTAMP, "fl_zone_to_local({1}, {2})"),
    of("timezone", &[INTERVAL, TIMESTAMP], Type::TIMESTAMPTZ, "fl_offset_to_moment({1}, {2})"),
    of("timezone", &[INTERVAL, TIMESTAMPTZ], Type::TIMESTAMP, "fl_offset_to_local({1}, {2})"),
    of("isfinite", &[DATE], Type::BOOL, "({1} NOT IN (-2147483648, 2147483647))"),
    of("isfinite", &[TIMESTAMP], Type::BOOL, "fl_isfinite({1})"),
    of("isfinite", &[TIMESTAMPTZ], Type::BOOL, "fl_isfinite({1})"),
    of("isfinite", &[INTERVAL], Type::BOOL, "({1} IS NOT NULL OR NULL)"),
    of("date_bin", &[INTERVAL, TIMESTAMP, TIMESTAMP], Type::TIMESTAMP, "fl_date_bin({*})"),
    of("date_bin", &[INTERVAL, TIMESTAMPTZ, TIMESTAMPTZ], Type::TIMESTAMPTZ, "fl_date_bin({*})"),
    of("overlaps", &[TIME, TIME, TIME, TIME], Type::BOOL, "fl_overlaps({*})"),
    of(
        "overlaps",
        &[TIME, INTERVAL, TIME, INTERVAL],
        Type::BOOL,
        "fl_overlaps({1}, fl_time_add({1}, {2}), {3}, fl_time_add({3}, {4}))",
    ),
    of("overlaps", &[TIMESTAMP, TIMESTAMP, TIMESTAMP, TIMESTAMP], Type::BOOL, "fl_overlaps({*})"),
    of(
        "overlaps",
        &[TIMESTAMP, INTERVAL, TIMESTAMP, INTERVAL],
        Type::BOOL,
        "fl_overlaps({1}, fl_timestamp_add({1}, {2}), {3}, fl_timestamp_add({3}, {4}))",
    ),
    of(
        "overlaps",
        &[TIMESTAMP, INTERVAL, TIMESTAMP, TIMESTAMP],
        Type::BOOL,
        "fl_overlaps({1}, fl_timestamp_add({1}, {2}), {3}, {4})",
    ),
    of(
        "overlaps",
        &[TIMESTAMP, TIMESTAMP, TIMESTAMP, INTERVAL],
        Type::BOOL,
        "fl_overlaps({1}, {2}, {3}, fl_timestamp_add({3}, {4}))",
    ),
    of("overlaps", &[TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ, TIMESTAMPTZ], Type::BOOL, "fl_overlaps({*})"),
    stable(of(
        "overlaps",
        &[TIMESTAMPTZ, INTERVAL, TIMESTAMPTZ, INTERVAL],
        Type::BOOL,
        "fl_overlaps({1}, fl_timestamptz_add({1}, {2}), {3}, fl_timestamptz_add({3}, {4}))",
    )),
];
