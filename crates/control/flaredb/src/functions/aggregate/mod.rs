//! Aggregates. All but those of SQLite's own can also take rows out again, so that they serve as window functions.

use crate::base::rules::Function;
use crate::base::rules::Gives;
use crate::base::types::Type;

use rusqlite::Connection;

use crate::functions::shape::{
    ANY, BOOL, BPCHAR, BYTEA, DATE, ELEMENT, FLOAT4, FLOAT8, INT2, INT4, INT8, INTERVAL, NUMERIC, TEXT, TIME,
    TIMESTAMP, TIMESTAMPTZ, aggregate, giving, stable,
};

pub(crate) mod bits;
pub(crate) mod collected;
pub(crate) mod exact;
pub(crate) mod floats;
pub(crate) mod intervals;
pub(crate) mod joined;
pub(crate) mod ordered;
pub(crate) mod pairs;
pub(crate) mod state;
#[cfg(test)]
mod tests;

/// Gives a connection every aggregate.
pub(crate) fn register(
    connection: &Connection,
    evaluation: &crate::base::Evaluation,
) -> rusqlite::Result<()> {
    state::register(connection, evaluation, bits::ENTRIES)?;
    state::register(connection, evaluation, collected::ENTRIES)?;
    state::register(connection, evaluation, collected::OBJECTS)?;
    state::register(connection, evaluation, exact::SUMS)?;
    state::register(connection, evaluation, exact::SPREADS)?;
    state::register(connection, evaluation, floats::SUMS)?;
    state::register(connection, evaluation, floats::SPREADS)?;
    state::register(connection, evaluation, intervals::ENTRIES)?;
    state::register(connection, evaluation, ordered::ENTRIES)?;
    state::register(connection, evaluation, pairs::ENTRIES)?;
    state::register(connection, evaluation, joined::ENTRIES)
}

const OID: crate::base::rules::Pattern = crate::base::rules::Pattern::Exact(Type::OID);
const TWO_FLOATS: &[crate::base::rules::Pattern] = &[FLOAT8, FLOAT8];

/// What PostgreSQL has.
pub(crate) const FUNCTIONS: &[Function] = &[
    aggregate("count", &[], Type::INT8, "count(*)"),
    aggregate("count", &[ANY], Type::INT8, "count({1})"),
    aggregate("sum", &[INT2], Type::INT8, "sum({1})"),
    aggregate("sum", &[INT4], Type::INT8, "sum({1})"),
    aggregate("sum", &[INT8], Type::NUMERIC, "fl_sum_int8({1})"),
    aggregate("sum", &[FLOAT4], Type::FLOAT4, "fl_sum_float4({1})"),
    aggregate("sum", &[FLOAT8], Type::FLOAT8, "fl_sum_float8({1})"),
    aggregate("sum", &[NUMERIC], Type::NUMERIC, "fl_sum_numeric({1})"),
    aggregate("sum", &[INTERVAL], Type::INTERVAL, "fl_sum_interval({1})"),
    aggregate("avg", &[INT2], Type::NUMERIC, "fl_avg_int8({1})"),
    aggregate("avg", &[INT4], Type::NUMERIC, "fl_avg_int8({1})"),
    aggregate("avg", &[INT8], Type::NUMERIC, "fl_avg_int8({1})"),
    aggregate("avg", &[FLOAT4], Type::FLOAT8, "fl_avg_float8({1})"),
    aggregate("avg", &[FLOAT8], Type::FLOAT8, "fl_avg_float8({1})"),
    aggregate("avg", &[NUMERIC], Type::NUMERIC, "fl_avg_numeric({1})"),
    aggregate("avg", &[INTERVAL], Type::INTERVAL, "fl_avg_interval({1})"),
    aggregate("min", &[INT2], Type::INT2, "min({1})"),
    aggregate("min", &[INT4], Type::INT4, "min({1})"),
    aggregate("min", &[INT8], Type::INT8, "min({1})"),
    aggregate("min", &[FLOAT4], Type::FLOAT4, "min({1})"),
    aggregate("min", &[FLOAT8], Type::FLOAT8, "min({1})"),
    aggregate("min", &[NUMERIC], Type::NUMERIC, "min({1} COLLATE pg_numeric)"),
    aggregate("min", &[TEXT], Type::TEXT, "min({1} COLLATE BINARY)"),
    aggregate("min", &[BPCHAR], Type::BPCHAR, "min({1} COLLATE BINARY)"),
    aggregate("min", &[TIMESTAMPTZ], Type::TIMESTAMPTZ, "min({1})"),
    aggregate("min", &[TIMESTAMP], Type::TIMESTAMP, "min({1})"),
    aggregate("min", &[DATE], Type::DATE, "min({1})"),
    aggregate("min", &[TIME], Type::TIME, "min({1})"),
    aggregate("min", &[INTERVAL], Type::INTERVAL, "min({1} COLLATE pg_interval)"),
    aggregate("min", &[OID], Type::OID, "min({1})"),
    aggregate("max", &[INT2], Type::INT2, "max({1})"),
    aggregate("max", &[INT4], Type::INT4, "max({1})"),
    aggregate("max", &[INT8], Type::INT8, "max({1})"),
    aggregate("max", &[FLOAT4], Type::FLOAT4, "max({1})"),
    aggregate("max", &[FLOAT8], Type::FLOAT8, "max({1})"),
    aggregate("max", &[NUMERIC], Type::NUMERIC, "max({1} COLLATE pg_numeric)"),
    aggregate("max", &[TEXT], Type::TEXT, "max({1} COLLATE BINARY)"),
    aggregate("max", &[BPCHAR], Type::BPCHAR, "max({1} COLLATE BINARY)"),
    aggregate("max", &[TIMESTAMPTZ], Type::TIMESTAMPTZ, "max({1})"),
    aggregate("max", &[TIMESTAMP], Type::TIMESTAMP, "max({1})"),
    aggregate("max", &[DATE], Type::DATE, "max({1})"),
    aggregate("max", &[TIME], Type::TIME, "max({1})"),
    aggregate("max", &[INTERVAL], Type::INTERVAL, "max({1} COLLATE pg_interval)"),
    aggregate("max", &[OID], Type::OID, "max({1})"),
    aggregate("bool_and", &[BOOL], Type::BOOL, "min({1})"),
    aggregate("every", &[BOOL], Type::BOOL, "min({1})"),
    aggregate("bool_or", &[BOOL], Type::BOOL, "max({1})"),
    aggregate("bit_and", &[INT2], Type::INT2, "fl_bit_and({1})"),
    aggregate("bit_and", &[INT4], Type::INT4, "fl_bit_and({1})"),
    aggregate("bit_and", &[INT8], Type::INT8, "fl_bit_and({1})"),
    aggregate("bit_or", &[INT2], Type::INT2, "fl_bit_or({1})"),
    aggregate("bit_or", &[INT4], Type::INT4, "fl_bit_or({1})"),
    aggregate("bit_or", &[INT8], Type::INT8, "fl_bit_or({1})"),
    aggregate("bit_xor", &[INT2], Type::INT2, "fl_bit_xor({1})"),
    aggregate("bit_xor", &[INT4], Type::INT4, "fl_bit_xor({1})"),
    aggregate("bit_xor", &[INT8], Type::INT8, "fl_bit_xor({1})"),
    aggregate("string_agg", &[TEXT, TEXT], Type::TEXT, "fl_string_agg({1}, {2})"),
    aggregate("string_agg", &[BYTEA, BYTEA], Type::BYTEA, "fl_string_agg({1}, {2})"),
    giving(aggregate("array_agg", &[ELEMENT], Type::VOID, "fl_array_agg({1})"), Gives::Array),
    stable(aggregate("json_agg", &[ANY], Type::JSON, "fl_json_agg(fl_to_json_item({t1}, {1}))")),
    stable(aggregate("jsonb_agg", &[ANY], Type::JSONB, "fl_jsonb_agg(fl_to_jsonb({t1}, {1}))")),
    stable(aggregate(
        "json_object_agg",
        &[ANY, ANY],
        Type::JSON,
        "fl_json_object_agg(fl_json_key({t1}, {1}), fl_to_json({t2}, {2}))",
    )),
    stable(aggregate(
        "jsonb_object_agg",
        &[ANY, ANY],
        Type::JSONB,
        "fl_jsonb_object_agg(fl_json_key({t1}, {1}), fl_to_jsonb({t2}, {2}))",
    )),
    aggregate("var_pop", &[INT2], Type::NUMERIC, "fl_var_pop({1})"),
    aggregate("var_pop", &[INT4], Type::NUMERIC, "fl_var_pop({1})"),
    aggregate("var_pop", &[INT8], Type::NUMERIC, "fl_var_pop({1})"),
    aggregate("var_pop", &[NUMERIC], Type::NUMERIC, "fl_var_pop({1})"),
    aggregate("var_pop", &[FLOAT4], Type::FLOAT8, "fl_var_pop_float8({1})"),
    aggregate("var_pop", &[FLOAT8], Type::FLOAT8, "fl_var_pop_float8({1})"),
    aggregate("var_samp", &[INT2], Type::NUMERIC, "fl_var_samp({1})"),
    aggregate("var_samp", &[INT4], Type::NUMERIC, "fl_var_samp({1})"),
    aggregate("var_samp", &[INT8], Type::NUMERIC, "fl_var_samp({1})"),
    aggregate("var_samp", &[NUMERIC], Type::NUMERIC, "fl_var_samp({1})"),
    aggregate("var_samp", &[FLOAT4], Type::FLOAT8, "fl_var_samp_float8({1})"),
    aggregate("var_samp", &[FLOAT8], Type::FLOAT8, "fl_var_samp_float8({1})"),
    aggregate("variance", &[INT2], Type::NUMERIC, "fl_var_samp({1})"),
    aggregate("variance", &[INT4], Type::NUMERIC, "fl_var_samp({1})"),
    aggregate("variance", &[INT8], Type::NUMERIC, "fl_var_samp({1})"),
    aggregate("variance", &[NUMERIC], Type::NUMERIC, "fl_var_samp({1})"),
    aggregate("variance", &[FLOAT4], Type::FLOAT8, "fl_var_samp_float8({1})"),
    aggregate("variance", &[FLOAT8], Type::FLOAT8, "fl_var_samp_float8({1})"),
    aggregate("stddev_pop", &[INT2], Type::NUMERIC, "fl_stddev_pop({1})"),
    aggregate("stddev_pop", &[INT4], Type::NUMERIC, "fl_stddev_pop({1})"),
    aggregate("stddev_pop", &[INT8], Type::NUMERIC, "fl_stddev_pop({1})"),
    aggregate("stddev_pop", &[NUMERIC], Type::NUMERIC, "fl_stddev_pop({1})"),
    aggregate("stddev_pop", &[FLOAT4], Type::FLOAT8, "fl_stddev_pop_float8({1})"),
    aggregate("stddev_pop", &[FLOAT8], Type::FLOAT8, "fl_stddev_pop_float8({1})"),
    aggregate("stddev_samp", &[INT2], Type::NUMERIC, "fl_stddev_samp({1})"),
    aggregate("stddev_samp", &[INT4], Type::NUMERIC, "fl_stddev_samp({1})"),
    aggregate("stddev_samp", &[INT8], Type::NUMERIC, "fl_stddev_samp({1})"),
    aggregate("stddev_samp", &[NUMERIC], Type::NUMERIC, "fl_stddev_samp({1})"),
    aggregate("stddev_samp", &[FLOAT4], Type::FLOAT8, "fl_stddev_samp_float8({1})"),
    aggregate("stddev_samp", &[FLOAT8], Type::FLOAT8, "fl_stddev_samp_float8({1})"),
    aggregate("stddev", &[INT2], Type::NUMERIC, "fl_stddev_samp({1})"),
    aggregate("stddev", &[INT4], Type::NUMERIC, "fl_stddev_samp({1})"),
    aggregate("stddev", &[INT8], Type::NUMERIC, "fl_stddev_samp({1})"),
    aggregate("stddev", &[NUMERIC], Type::NUMERIC, "fl_stddev_samp({1})"),
    aggregate("stddev", &[FLOAT4], Type::FLOAT8, "fl_stddev_samp_float8({1})"),
    aggregate("stddev", &[FLOAT8], Type::FLOAT8, "fl_stddev_samp_float8({1})"),
    aggregate("corr", TWO_FLOATS, Type::FLOAT8, "fl_corr({1}, {2})"),
    aggregate("covar_pop", TWO_FLOATS, Type::FLOAT8, "fl_covar_pop({1}, {2})"),
    aggregate("covar_samp", TWO_FLOATS, Type::FLOAT8, "fl_covar_samp({1}, {2})"),
    aggregate("regr_avgx", TWO_FLOATS, Type::FLOAT8, "fl_regr_avgx({1}, {2})"),
    aggregate("regr_avgy", TWO_FLOATS, Type::FLOAT8, "fl_regr_avgy({1}, {2})"),
    aggregate("regr_count", TWO_FLOATS, Type::INT8, "fl_regr_count({1}, {2})"),
    aggregate("regr_intercept", TWO_FLOATS, Type::FLOAT8, "fl_regr_intercept({1}, {2})"),
    aggregate("regr_r2", TWO_FLOATS, Type::FLOAT8, "fl_regr_r2({1}, {2})"),
    aggregate("regr_slope", TWO_FLOATS, Type::FLOAT8, "fl_regr_slope({1}, {2})"),
    aggregate("regr_sxx", TWO_FLOATS, Type::FLOAT8, "fl_regr_sxx({1}, {2})"),
    aggregate("regr_sxy", TWO_FLOATS, Type::FLOAT8, "fl_regr_sxy({1}, {2})"),
    aggregate("regr_syy", TWO_FLOATS, Type::FLOAT8, "fl_regr_syy({1}, {2})"),
    aggregate("percentile_cont", TWO_FLOATS, Type::FLOAT8, "fl_percentile_cont({1}, {2})"),
    giving(
        aggregate("percentile_disc", &[FLOAT8, ELEMENT], Type::VOID, "fl_percentile_disc({1}, {2})"),
        Gives::Element,
    ),
    giving(aggregate("mode", &[ELEMENT], Type::VOID, "fl_mode({1})"), Gives::Element),
];
