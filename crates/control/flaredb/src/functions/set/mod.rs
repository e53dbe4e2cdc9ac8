//! Functions that give rows.

use crate::base::rules::{Function, Gives, Pattern};
use crate::base::types::{Element, Type};

use crate::functions::shape::{
    ARRAY, BOOL, INT4, INT8, INTERVAL, JSON, JSONB, NUMERIC, TEXT, TIMESTAMP, TIMESTAMPTZ, giving, rows,
    stable,
};

pub(crate) mod json;
pub(crate) mod matches;
pub(crate) mod series;
pub(crate) mod table;
pub(crate) mod unnest;

/// What SQLite calls.
pub(crate) const SOURCES: &[&[table::Source]] =
    &[json::SOURCES, matches::SOURCES, series::SOURCES, unnest::SOURCES];

const TWO: &[Pattern] = &[TEXT, TEXT];
const THREE: &[Pattern] = &[TEXT, TEXT, TEXT];
const TEXTS: Type = Type::Array(Element::Text);

/// What PostgreSQL has. The first column is the value, the one behind it (`ordinality`) counts from 1; those that
/// give a record have the columns of [`columns`] first.
pub(crate) const FUNCTIONS: &[Function] = &[
    rows("generate_series", &[INT4, INT4], Type::INT4, "fl_series({1}, {2}, 1)"),
    rows("generate_series", &[INT4, INT4, INT4], Type::INT4, "fl_series({1}, {2}, {3})"),
    rows("generate_series", &[INT8, INT8], Type::INT8, "fl_series({1}, {2}, 1)"),
    rows("generate_series", &[INT8, INT8, INT8], Type::INT8, "fl_series({1}, {2}, {3})"),
    rows("generate_series", &[NUMERIC, NUMERIC], Type::NUMERIC, "fl_series_numeric({1}, {2}, '1')"),
    rows("generate_series", &[NUMERIC, NUMERIC, NUMERIC], Type::NUMERIC, "fl_series_numeric({1}, {2}, {3})"),
    rows("generate_series", &[TIMESTAMP, TIMESTAMP, INTERVAL], Type::TIMESTAMP, "fl_series_timestamp({*})"),
    stable(rows(
        "generate_series",
        &[TIMESTAMPTZ, TIMESTAMPTZ, INTERVAL],
        Type::TIMESTAMPTZ,
        "fl_series_timestamptz({*})",
    )),
    giving(rows("unnest", &[ARRAY], Type::VOID, "fl_unnest({t1}, {1})"), Gives::Element),
    rows("generate_subscripts", &[ARRAY, INT4], Type::INT4, "fl_subscripts({1}, {2}, 0)"),
    rows("generate_subscripts", &[ARRAY, INT4, BOOL], Type::INT4, "fl_subscripts({1}, {2}, {3})"),
    rows("regexp_split_to_table", TWO, Type::TEXT, "fl_unnest(1009, fl_regexp_split({1}, {2}, ''))"),
    rows("regexp_split_to_table", THREE, Type::TEXT, "fl_unnest(1009, fl_regexp_split({1}, {2}, {3}))"),
    rows("regexp_matches", TWO, TEXTS, "fl_regexp_matches({1}, {2}, '')"),
    rows("regexp_matches", THREE, TEXTS, "fl_regexp_matches({1}, {2}, {3})"),
    rows("string_to_table", TWO, Type::TEXT, "fl_unnest(1009, fl_string_to_array({1}, {2}, NULL))"),
    rows("string_to_table", THREE, Type::TEXT, "fl_unnest(1009, fl_string_to_array({1}, {2}, {3}))"),
    rows("json_array_elements", &[JSON], Type::JSON, "fl_json_elements({1})"),
    rows("json_array_elements_text", &[JSON], Type::TEXT, "fl_json_elements_text({1})"),
    rows("jsonb_array_elements", &[JSONB], Type::JSONB, "fl_jsonb_elements({1})"),
    rows("jsonb_array_elements_text", &[JSONB], Type::TEXT, "fl_jsonb_elements_text({1})"),
    rows("json_object_keys", &[JSON], Type::TEXT, "fl_json_keys({1})"),
    rows("jsonb_object_keys", &[JSONB], Type::TEXT, "fl_jsonb_keys({1})"),
    rows("json_each", &[JSON], Type::RECORD, "fl_json_each({1})"),
    rows("json_each_text", &[JSON], Type::RECORD, "fl_json_each_text({1})"),
    rows("jsonb_each", &[JSONB], Type::RECORD, "fl_jsonb_each({1})"),
    rows("jsonb_each_text", &[JSONB], Type::RECORD, "fl_jsonb_each_text({1})"),
];

/// The columns of a function that gives records; for all others the one that is called as the function is.
pub(crate) fn columns(function: &Function) -> &'static [(&'static str, Type)] {
    match function.name {
        "json_each" => &[("key", Type::TEXT), ("value", Type::JSON)],
        "jsonb_each" => &[("key", Type::TEXT), ("value", Type::JSONB)],
        "json_each_text" | "jsonb_each_text" => &[("key", Type::TEXT), ("value", Type::TEXT)],
        _ => &[],
    }
}
