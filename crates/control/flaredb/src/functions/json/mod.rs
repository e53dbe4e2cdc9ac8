//! JSON: its operators and functions. Paths of SQL/JSON (`jsonb_path_…`, `@?`, `@@`) are refused.

use crate::base::rules::{Function, Operator, Pattern};
use crate::base::types::{Element, Type};

use crate::functions::call::Scalar;
use crate::functions::shape::{
    ANY, BOOL, INT4, JSON, JSONB, TEXT, TEXTS, function, operator, stable, variadic,
};

pub(crate) mod build;
pub(crate) mod change;
pub(crate) mod layout;
pub(crate) mod read;
pub(crate) mod search;
#[cfg(test)]
mod tests;

/// What SQLite calls.
pub(crate) const SCALARS: &[&[Scalar]] =
    &[build::SCALARS, change::SCALARS, layout::SCALARS, read::SCALARS, search::SCALARS];

const TEXT_ARRAY: Type = Type::Array(Element::Text);

/// What PostgreSQL has between JSON and others, but comparisons.
pub(crate) const OPERATORS: &[Operator] = &[
    operator("->", Type::JSON, Type::TEXT, Type::JSON, "fl_json_field({l}, {r})"),
    operator("->", Type::JSON, Type::INT4, Type::JSON, "fl_json_item({l}, {r})"),
    operator("->>", Type::JSON, Type::TEXT, Type::TEXT, "fl_json_field_text({l}, {r})"),
    operator("->>", Type::JSON, Type::INT4, Type::TEXT, "fl_json_item_text({l}, {r})"),
    operator("#>", Type::JSON, TEXT_ARRAY, Type::JSON, "fl_json_path({l}, {r})"),
    operator("#>>", Type::JSON, TEXT_ARRAY, Type::TEXT, "fl_json_path_text({l}, {r})"),
    operator("->", Type::JSONB, Type::TEXT, Type::JSONB, "fl_jsonb_field({l}, {r})"),
    operator("->", Type::JSONB, Type::INT4, Type::JSONB, "fl_jsonb_item({l}, {r})"),
    operator("->>", Type::JSONB, Type::TEXT, Type::TEXT, "fl_jsonb_field_text({l}, {r})"),
    operator("->>", Type::JSONB, Type::INT4, Type::TEXT, "fl_jsonb_item_text({l}, {r})"),
    operator("#>", Type::JSONB, TEXT_ARRAY, Type::JSONB, "fl_jsonb_path({l}, {r})"),
    operator("#>>", Type::JSONB, TEXT_ARRAY, Type::TEXT, "fl_jsonb_path_text({l}, {r})"),
    operator("@>", Type::JSONB, Type::JSONB, Type::BOOL, "fl_jsonb_contains({l}, {r})"),
    operator("<@", Type::JSONB, Type::JSONB, Type::BOOL, "fl_jsonb_contains({r}, {l})"),
    operator("?", Type::JSONB, Type::TEXT, Type::BOOL, "fl_jsonb_exists({l}, {r})"),
    operator("?|", Type::JSONB, TEXT_ARRAY, Type::BOOL, "fl_jsonb_exists_any({l}, {r})"),
    operator("?&", Type::JSONB, TEXT_ARRAY, Type::BOOL, "fl_jsonb_exists_all({l}, {r})"),
    operator("||", Type::JSONB, Type::JSONB, Type::JSONB, "fl_jsonb_concat({l}, {r})"),
    operator("-", Type::JSONB, Type::TEXT, Type::JSONB, "fl_jsonb_without({l}, {r})"),
    operator("-", Type::JSONB, Type::INT4, Type::JSONB, "fl_jsonb_without_item({l}, {r})"),
    operator("-", Type::JSONB, TEXT_ARRAY, Type::JSONB, "fl_jsonb_without_all({l}, {r})"),
    operator("#-", Type::JSONB, TEXT_ARRAY, Type::JSONB, "fl_jsonb_without_path({l}, {r})"),
];

const fn of(name: &'static str, arguments: &'static [Pattern], result: Type, emit: &'static str) -> Function {
    function(name, arguments, result, emit)
}

const fn built(name: &'static str, result: Type, emit: &'static str) -> Function {
    variadic(stable(function(name, &[], result, emit)), ANY)
}

/// What PostgreSQL has.
pub(crate) const FUNCTIONS: &[Function] = &[
    stable(of("to_json", &[ANY], Type::JSON, "fl_to_json({t1}, {1})")),
    stable(of("to_jsonb", &[ANY], Type::JSONB, "fl_to_jsonb({t1}, {1})")),
    stable(of("row_to_json", &[ANY], Type::JSON, "fl_to_json({t1}, {1})")),
    stable(of("array_to_json", &[ANY], Type::JSON, "fl_to_json({t1}, {1})")),
    built("json_build_object", Type::JSON, "fl_json_build_object({t*})"),
    built("json_build_array", Type::JSON, "fl_json_build_array({t*})"),
    built("jsonb_build_object", Type::JSONB, "fl_jsonb_build_object({t*})"),
    built("jsonb_build_array", Type::JSONB, "fl_jsonb_build_array({t*})"),
    of("json_object", &[TEXTS], Type::JSON, "fl_json_object({1})"),
    of("json_object", &[TEXTS, TEXTS], Type::JSON, "fl_json_object({1}, {2})"),
    of("jsonb_object", &[TEXTS], Type::JSONB, "fl_jsonb_in(fl_json_object({1}))"),
    of("jsonb_object", &[TEXTS, TEXTS], Type::JSONB, "fl_jsonb_in(fl_json_object({1}, {2}))"),
    of("json_array_length", &[JSON], Type::INT4, "fl_json_array_length({1})"),
    of("jsonb_array_length", &[JSONB], Type::INT4, "fl_json_array_length({1})"),
    of("json_typeof", &[JSON], Type::TEXT, "fl_json_typeof({1})"),
    of("jsonb_typeof", &[JSONB], Type::TEXT, "fl_json_typeof({1})"),
    of("json_strip_nulls", &[JSON], Type::JSON, "fl_json_strip_nulls({1})"),
    of("jsonb_strip_nulls", &[JSONB], Type::JSONB, "fl_jsonb_strip_nulls({1})"),
    of("jsonb_pretty", &[JSONB], Type::TEXT, "fl_jsonb_pretty({1})"),
    of("jsonb_set", &[JSONB, TEXTS, JSONB], Type::JSONB, "fl_jsonb_set({*}, 1)"),
    of("jsonb_set", &[JSONB, TEXTS, JSONB, BOOL], Type::JSONB, "fl_jsonb_set({*})"),
    of("jsonb_set_lax", &[JSONB, TEXTS, JSONB], Type::JSONB, "fl_jsonb_set_lax({*}, 1, 'use_json_null')"),
    of("jsonb_set_lax", &[JSONB, TEXTS, JSONB, BOOL], Type::JSONB, "fl_jsonb_set_lax({*}, 'use_json_null')"),
    of("jsonb_set_lax", &[JSONB, TEXTS, JSONB, BOOL, TEXT], Type::JSONB, "fl_jsonb_set_lax({*})"),
    of("jsonb_insert", &[JSONB, TEXTS, JSONB], Type::JSONB, "fl_jsonb_insert({*}, 0)"),
    of("jsonb_insert", &[JSONB, TEXTS, JSONB, BOOL], Type::JSONB, "fl_jsonb_insert({*})"),
    variadic(of("json_extract_path", &[JSON], Type::JSON, "fl_json_path_of({*})"), TEXT),
    variadic(of("json_extract_path_text", &[JSON], Type::TEXT, "fl_json_path_text_of({*})"), TEXT),
    variadic(of("jsonb_extract_path", &[JSONB], Type::JSONB, "fl_jsonb_path_of({*})"), TEXT),
    variadic(of("jsonb_extract_path_text", &[JSONB], Type::TEXT, "fl_jsonb_path_text_of({*})"), TEXT),
    of("jsonb_contains", &[JSONB, JSONB], Type::BOOL, "fl_jsonb_contains({1}, {2})"),
    of("jsonb_exists", &[JSONB, TEXT], Type::BOOL, "fl_jsonb_exists({1}, {2})"),
    of("jsonb_exists_any", &[JSONB, TEXTS], Type::BOOL, "fl_jsonb_exists_any({1}, {2})"),
    of("jsonb_exists_all", &[JSONB, TEXTS], Type::BOOL, "fl_jsonb_exists_all({1}, {2})"),
    of("jsonb_delete", &[JSONB, TEXT], Type::JSONB, "fl_jsonb_without({1}, {2})"),
    of("jsonb_delete_path", &[JSONB, TEXTS], Type::JSONB, "fl_jsonb_without_path({1}, {2})"),
    of("jsonb_array_element", &[JSONB, INT4], Type::JSONB, "fl_jsonb_item({1}, {2})"),
];
