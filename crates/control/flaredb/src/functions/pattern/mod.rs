//! Patterns: LIKE, SIMILAR TO and regular expressions.

use crate::base::rules::{Function, Operator, Pattern};
use crate::base::types::{Element, Type};

use crate::functions::call::Scalar;
use crate::functions::shape::{BYTEA, INT4, TEXT, function, operator};

pub(crate) mod like;
pub(crate) mod regexp;
pub(crate) mod similar;

/// What SQLite calls.
pub(crate) const SCALARS: &[&[Scalar]] =
    &[like::SCALARS, regexp::SCALARS, regexp::replace::SCALARS, similar::SCALARS];

const TEXTS: Type = Type::Array(Element::Text);

/// What PostgreSQL has between a text and a pattern. `name` and `bpchar` come as text.
pub(crate) const OPERATORS: &[Operator] = &[
    operator("~~", Type::TEXT, Type::TEXT, Type::BOOL, r"fl_like({l}, {r}, '\')"),
    operator("!~~", Type::TEXT, Type::TEXT, Type::BOOL, r"(NOT fl_like({l}, {r}, '\'))"),
    operator("~~*", Type::TEXT, Type::TEXT, Type::BOOL, r"fl_ilike({l}, {r}, '\')"),
    operator("!~~*", Type::TEXT, Type::TEXT, Type::BOOL, r"(NOT fl_ilike({l}, {r}, '\'))"),
    operator("~~", Type::BYTEA, Type::BYTEA, Type::BOOL, "fl_bytea_like({l}, {r})"),
    operator("!~~", Type::BYTEA, Type::BYTEA, Type::BOOL, "(NOT fl_bytea_like({l}, {r}))"),
    operator("~", Type::TEXT, Type::TEXT, Type::BOOL, "fl_regexp({l}, {r}, '')"),
    operator("!~", Type::TEXT, Type::TEXT, Type::BOOL, "(NOT fl_regexp({l}, {r}, ''))"),
    operator("~*", Type::TEXT, Type::TEXT, Type::BOOL, "fl_regexp({l}, {r}, 'i')"),
    operator("!~*", Type::TEXT, Type::TEXT, Type::BOOL, "(NOT fl_regexp({l}, {r}, 'i'))"),
];

const TWO: &[Pattern] = &[TEXT, TEXT];
const THREE: &[Pattern] = &[TEXT, TEXT, TEXT];

/// What PostgreSQL has. `like(text, pattern, escape)` is ours, for LIKE with ESCAPE; so is `ilike`.
pub(crate) const FUNCTIONS: &[Function] = &[
    function("like", TWO, Type::BOOL, r"fl_like({1}, {2}, '\')"),
    function("like", THREE, Type::BOOL, "fl_like({1}, {2}, {3})"),
    function("like", &[BYTEA, BYTEA], Type::BOOL, "fl_bytea_like({1}, {2})"),
    function("notlike", TWO, Type::BOOL, r"(NOT fl_like({1}, {2}, '\'))"),
    function("ilike", THREE, Type::BOOL, "fl_ilike({1}, {2}, {3})"),
    function("like_escape", TWO, Type::TEXT, "fl_like_escape({1}, {2})"),
    function("similar_to_escape", &[TEXT], Type::TEXT, r"fl_similar({1}, '\')"),
    function("similar_to_escape", TWO, Type::TEXT, "fl_similar({1}, {2})"),
    function("substring", TWO, Type::TEXT, "fl_regexp_substring({1}, {2})"),
    function("substring", THREE, Type::TEXT, "fl_regexp_substring({1}, fl_similar({2}, {3}))"),
    function("regexp_like", TWO, Type::BOOL, "fl_regexp({1}, {2}, '')"),
    function("regexp_like", THREE, Type::BOOL, "fl_regexp_like({1}, {2}, {3})"),
    function("regexp_match", TWO, TEXTS, "fl_regexp_match({1}, {2}, '')"),
    function("regexp_match", THREE, TEXTS, "fl_regexp_match({1}, {2}, {3})"),
    function("regexp_count", TWO, Type::INT4, "fl_regexp_count({1}, {2}, 1, '')"),
    function("regexp_count", &[TEXT, TEXT, INT4], Type::INT4, "fl_regexp_count({1}, {2}, {3}, '')"),
    function("regexp_count", &[TEXT, TEXT, INT4, TEXT], Type::INT4, "fl_regexp_count({1}, {2}, {3}, {4})"),
    function("regexp_substr", TWO, Type::TEXT, "fl_regexp_substr({1}, {2}, 1, 1, '', 0)"),
    function("regexp_substr", &[TEXT, TEXT, INT4], Type::TEXT, "fl_regexp_substr({*}, 1, '', 0)"),
    function("regexp_substr", &[TEXT, TEXT, INT4, INT4], Type::TEXT, "fl_regexp_substr({*}, '', 0)"),
    function("regexp_substr", &[TEXT, TEXT, INT4, INT4, TEXT], Type::TEXT, "fl_regexp_substr({*}, 0)"),
    function("regexp_substr", &[TEXT, TEXT, INT4, INT4, TEXT, INT4], Type::TEXT, "fl_regexp_substr({*})"),
    function("regexp_instr", TWO, Type::INT4, "fl_regexp_instr({1}, {2}, 1, 1, 0, '', 0)"),
    function("regexp_instr", &[TEXT, TEXT, INT4], Type::INT4, "fl_regexp_instr({*}, 1, 0, '', 0)"),
    function("regexp_instr", &[TEXT, TEXT, INT4, INT4], Type::INT4, "fl_regexp_instr({*}, 0, '', 0)"),
    function("regexp_instr", &[TEXT, TEXT, INT4, INT4, INT4], Type::INT4, "fl_regexp_instr({*}, '', 0)"),
    function("regexp_instr", &[TEXT, TEXT, INT4, INT4, INT4, TEXT], Type::INT4, "fl_regexp_instr({*}, 0)"),
    function("regexp_instr", &[TEXT, TEXT, INT4, INT4, INT4, TEXT, INT4], Type::INT4, "fl_regexp_instr({*})"),
    function("regexp_replace", THREE, Type::TEXT, "fl_regexp_replace({1}, {2}, {3}, '')"),
    function(
        "regexp_replace",
        &[TEXT, TEXT, TEXT, TEXT],
        Type::TEXT,
        "fl_regexp_replace({1}, {2}, {3}, {4})",
    ),
    function("regexp_replace", &[TEXT, TEXT, TEXT, INT4], Type::TEXT, "fl_regexp_replace_nth({*}, 1, '')"),
    function("regexp_replace", &[TEXT, TEXT, TEXT, INT4, INT4], Type::TEXT, "fl_regexp_replace_nth({*}, '')"),
    function(
        "regexp_replace",
        &[TEXT, TEXT, TEXT, INT4, INT4, TEXT],
        Type::TEXT,
        "fl_regexp_replace_nth({*})",
    ),
    function("regexp_split_to_array", TWO, TEXTS, "fl_regexp_split({1}, {2}, '')"),
    function("regexp_split_to_array", THREE, TEXTS, "fl_regexp_split({1}, {2}, {3})"),
];
