//! Texts and bytes: what PostgreSQL's string functions do, by characters where they say so.
//!
//! Case and classes of characters are Unicode's, the order is that of the bytes: as in PostgreSQL's `C.UTF-8`.

use crate::base::rules::{Function, Operator};
use crate::base::types::Type;

use crate::functions::call::Scalar;
use crate::functions::shape::{
    ANY, BPCHAR, BYTEA, ELEMENT, INT4, INT8, NAME, TEXT, function, operator, stable, variadic,
};

pub(crate) mod base64;
pub(crate) mod build;
pub(crate) mod bytes;
pub(crate) mod case;
pub(crate) mod code;
pub(crate) mod cut;
pub(crate) mod format;
pub(crate) mod quote;

/// What SQLite calls.
pub(crate) const SCALARS: &[&[Scalar]] = &[
    build::SCALARS,
    bytes::SCALARS,
    case::SCALARS,
    code::SCALARS,
    cut::SCALARS,
    format::SCALARS,
    quote::SCALARS,
];

/// What PostgreSQL has between texts, but comparisons and patterns.
pub(crate) const OPERATORS: &[Operator] = &[
    operator("||", Type::TEXT, Type::TEXT, Type::TEXT, "({l} || {r})"),
    operator("||", Type::BYTEA, Type::BYTEA, Type::BYTEA, "CAST({l} || {r} AS BLOB)"),
    operator("^@", Type::TEXT, Type::TEXT, Type::BOOL, "fl_starts_with({l}, {r})"),
];

const TEXT_TEXT_TEXT: &[crate::base::rules::Pattern] = &[TEXT, TEXT, TEXT];

/// What PostgreSQL has.
pub(crate) const FUNCTIONS: &[Function] = &[
    function("length", &[TEXT], Type::INT4, "length({1})"),
    function("length", &[BPCHAR], Type::INT4, "length({1})"),
    function("length", &[BYTEA], Type::INT4, "length({1})"),
    function("char_length", &[TEXT], Type::INT4, "length({1})"),
    function("char_length", &[BPCHAR], Type::INT4, "length({1})"),
    function("character_length", &[TEXT], Type::INT4, "length({1})"),
    function("character_length", &[BPCHAR], Type::INT4, "length({1})"),
    function("octet_length", &[TEXT], Type::INT4, "octet_length({1})"),
    function("octet_length", &[BPCHAR], Type::INT4, "octet_length({1})"),
    function("octet_length", &[BYTEA], Type::INT4, "octet_length({1})"),
    function("bit_length", &[TEXT], Type::INT4, "(8 * octet_length({1}))"),
    function("bit_length", &[BYTEA], Type::INT4, "(8 * octet_length({1}))"),
    function("upper", &[TEXT], Type::TEXT, "fl_upper({1})"),
    function("lower", &[TEXT], Type::TEXT, "fl_lower({1})"),
    function("initcap", &[TEXT], Type::TEXT, "fl_initcap({1})"),
    function("substr", &[TEXT, INT4], Type::TEXT, "fl_substr({*})"),
    function("substr", &[TEXT, INT4, INT4], Type::TEXT, "fl_substr({*})"),
    function("substr", &[BYTEA, INT4], Type::BYTEA, "fl_substr({*})"),
    function("substr", &[BYTEA, INT4, INT4], Type::BYTEA, "fl_substr({*})"),
    function("substring", &[TEXT, INT4], Type::TEXT, "fl_substr({*})"),
    function("substring", &[TEXT, INT4, INT4], Type::TEXT, "fl_substr({*})"),
    function("substring", &[BYTEA, INT4], Type::BYTEA, "fl_substr({*})"),
    function("substring", &[BYTEA, INT4, INT4], Type::BYTEA, "fl_substr({*})"),
    function("position", &[TEXT, TEXT], Type::INT4, "instr({1}, {2})"),
    function("position", &[BYTEA, BYTEA], Type::INT4, "instr({1}, {2})"),
    function("strpos", &[TEXT, TEXT], Type::INT4, "instr({1}, {2})"),
    function("left", &[TEXT, INT4], Type::TEXT, "fl_left({1}, {2})"),
    function("right", &[TEXT, INT4], Type::TEXT, "fl_right({1}, {2})"),
    function("lpad", &[TEXT, INT4], Type::TEXT, "fl_lpad({1}, {2}, ' ')"),
    function("lpad", &[TEXT, INT4, TEXT], Type::TEXT, "fl_lpad({1}, {2}, {3})"),
    function("rpad", &[TEXT, INT4], Type::TEXT, "fl_rpad({1}, {2}, ' ')"),
    function("rpad", &[TEXT, INT4, TEXT], Type::TEXT, "fl_rpad({1}, {2}, {3})"),
    function("ltrim", &[TEXT], Type::TEXT, "ltrim({1}, ' ')"),
    function("ltrim", &[TEXT, TEXT], Type::TEXT, "ltrim({1}, {2})"),
    function("ltrim", &[BYTEA, BYTEA], Type::BYTEA, "fl_bytea_ltrim({1}, {2})"),
    function("rtrim", &[TEXT], Type::TEXT, "rtrim({1}, ' ')"),
    function("rtrim", &[TEXT, TEXT], Type::TEXT, "rtrim({1}, {2})"),
    function("rtrim", &[BYTEA, BYTEA], Type::BYTEA, "fl_bytea_rtrim({1}, {2})"),
    function("btrim", &[TEXT], Type::TEXT, "trim({1}, ' ')"),
    function("btrim", &[TEXT, TEXT], Type::TEXT, "trim({1}, {2})"),
    function("btrim", &[BYTEA, BYTEA], Type::BYTEA, "fl_bytea_ltrim(fl_bytea_rtrim({1}, {2}), {2})"),
    function("replace", TEXT_TEXT_TEXT, Type::TEXT, "replace({1}, {2}, {3})"),
    function("translate", TEXT_TEXT_TEXT, Type::TEXT, "fl_translate({1}, {2}, {3})"),
    function("reverse", &[TEXT], Type::TEXT, "fl_reverse({1})"),
    function("repeat", &[TEXT, INT4], Type::TEXT, "fl_repeat({1}, {2})"),
    function("split_part", &[TEXT, TEXT, INT4], Type::TEXT, "fl_split_part({1}, {2}, {3})"),
    function("ascii", &[TEXT], Type::INT4, "fl_ascii({1})"),
    function("chr", &[INT4], Type::TEXT, "fl_chr({1})"),
    function("to_hex", &[INT4], Type::TEXT, "fl_to_hex({1} & 4294967295)"),
    function("to_hex", &[INT8], Type::TEXT, "fl_to_hex({1})"),
    function("starts_with", &[TEXT, TEXT], Type::BOOL, "fl_starts_with({1}, {2})"),
    function("overlay", &[TEXT, TEXT, INT4], Type::TEXT, "fl_overlay({*})"),
    function("overlay", &[TEXT, TEXT, INT4, INT4], Type::TEXT, "fl_overlay({*})"),
    function("overlay", &[BYTEA, BYTEA, INT4], Type::BYTEA, "fl_overlay({*})"),
    function("overlay", &[BYTEA, BYTEA, INT4, INT4], Type::BYTEA, "fl_overlay({*})"),
    function("unistr", &[TEXT], Type::TEXT, "fl_unistr({1})"),
    variadic(stable(function("concat", &[], Type::TEXT, "fl_concat({t*})")), ANY),
    variadic(stable(function("concat_ws", &[TEXT], Type::TEXT, "fl_concat_ws({1}, {t2*})")), ANY),
    variadic(stable(function("format", &[TEXT], Type::TEXT, "fl_format({1}, {t2*})")), ANY),
    function("quote_ident", &[TEXT], Type::TEXT, "fl_quote_ident({1})"),
    function("quote_literal", &[TEXT], Type::TEXT, "fl_quote_literal(25, {1})"),
    stable(function("quote_literal", &[ELEMENT], Type::TEXT, "fl_quote_literal({t1}, {1})")),
    function("quote_nullable", &[TEXT], Type::TEXT, "coalesce(fl_quote_literal(25, {1}), 'NULL')"),
    stable(function(
        "quote_nullable",
        &[ELEMENT],
        Type::TEXT,
        "coalesce(fl_quote_literal({t1}, {1}), 'NULL')",
    )),
    function("parse_ident", &[TEXT], Type::Array(crate::base::Element::Text), "fl_parse_ident({1}, 1)"),
    function(
        "parse_ident",
        &[TEXT, crate::functions::shape::BOOL],
        Type::Array(crate::base::Element::Text),
        "fl_parse_ident({1}, {2})",
    ),
    function("md5", &[TEXT], Type::TEXT, "fl_md5({1})"),
    function("md5", &[BYTEA], Type::TEXT, "fl_md5({1})"),
    function("sha224", &[BYTEA], Type::BYTEA, "fl_sha224({1})"),
    function("sha256", &[BYTEA], Type::BYTEA, "fl_sha256({1})"),
    function("sha384", &[BYTEA], Type::BYTEA, "fl_sha384({1})"),
    function("sha512", &[BYTEA], Type::BYTEA, "fl_sha512({1})"),
    function("encode", &[BYTEA, TEXT], Type::TEXT, "fl_encode({1}, {2})"),
    function("decode", &[TEXT, TEXT], Type::BYTEA, "fl_decode({1}, {2})"),
    stable(function("convert_from", &[BYTEA, NAME], Type::TEXT, "fl_convert_from({1}, {2})")),
    stable(function("convert_to", &[TEXT, NAME], Type::BYTEA, "fl_convert_to({1}, {2})")),
    function("get_byte", &[BYTEA, INT4], Type::INT4, "fl_get_byte({1}, {2})"),
    function("set_byte", &[BYTEA, INT4, INT4], Type::BYTEA, "fl_set_byte({1}, {2}, {3})"),
    function("get_bit", &[BYTEA, INT8], Type::INT4, "fl_get_bit({1}, {2})"),
    function("set_bit", &[BYTEA, INT8, INT4], Type::BYTEA, "fl_set_bit({1}, {2}, {3})"),
    function("bit_count", &[BYTEA], Type::INT8, "fl_bit_count({1})"),
    function(
        "string_to_array",
        &[TEXT, TEXT],
        Type::Array(crate::base::Element::Text),
        "fl_string_to_array({1}, {2}, NULL)",
    ),
    function(
        "string_to_array",
        TEXT_TEXT_TEXT,
        Type::Array(crate::base::Element::Text),
        "fl_string_to_array({1}, {2}, {3})",
    ),
];
