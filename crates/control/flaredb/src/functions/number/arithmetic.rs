//! Operators of arithmetic and bits.

use crate::base::rules::Operator;
use crate::base::types::Type;

use crate::functions::shape::{operator, prefix};

/// The integers, narrowest first.
const INTEGERS: [Type; 3] = [Type::INT2, Type::INT4, Type::INT8];

/// Between integers of any width: what it is in the width of the result. The sum, difference and product of
/// narrower ones cannot leave 64 bits, so SQLite computes them and only their range is checked.
const BETWEEN: &[(&str, [&str; 3])] = &[
    ("+", ["fl_int2({l} + {r})", "fl_int4({l} + {r})", "fl_int8_add({l}, {r})"]),
    ("-", ["fl_int2({l} - {r})", "fl_int4({l} - {r})", "fl_int8_sub({l}, {r})"]),
    ("*", ["fl_int2({l} * {r})", "fl_int4({l} * {r})", "fl_int8_mul({l}, {r})"]),
    ("/", ["fl_int2(fl_int_div({l}, {r}))", "fl_int4(fl_int_div({l}, {r}))", "fl_int_div({l}, {r})"]),
];

/// Between integers of the same width.
const SAME: &[(&str, [&str; 3])] = &[
    ("%", ["fl_int_mod({l}, {r})"; 3]),
    ("&", ["({l} & {r})"; 3]),
    ("|", ["({l} | {r})"; 3]),
    ("#", ["fl_int_xor({l}, {r})"; 3]),
];

/// Of an integer and an `int4`.
const SHIFTS: &[(&str, [&str; 3])] = &[
    ("<<", ["fl_int2_shl({l}, {r})", "fl_int4_shl({l}, {r})", "fl_int8_shl({l}, {r})"]),
    (">>", ["fl_int4_shr({l}, {r})", "fl_int4_shr({l}, {r})", "fl_int8_shr({l}, {r})"]),
];

/// Before an integer.
const BEFORE: &[(&str, [&str; 3])] = &[
    ("+", ["(+ {r})"; 3]),
    ("-", ["fl_int2(- {r})", "fl_int4(- {r})", "fl_int8_sub(0, {r})"]),
    ("@", ["fl_int2(fl_int_abs({r}))", "fl_int4(fl_int_abs({r}))", "fl_int_abs({r})"]),
    ("~", ["(~ {r})"; 3]),
];

/// Of numbers that are not whole.
const INEXACT: &[Operator] = &[
    operator("+", Type::FLOAT4, Type::FLOAT4, Type::FLOAT4, "fl_float4_add({l}, {r})"),
    operator("-", Type::FLOAT4, Type::FLOAT4, Type::FLOAT4, "fl_float4_sub({l}, {r})"),
    operator("*", Type::FLOAT4, Type::FLOAT4, Type::FLOAT4, "fl_float4_mul({l}, {r})"),
    operator("/", Type::FLOAT4, Type::FLOAT4, Type::FLOAT4, "fl_float4_div({l}, {r})"),
    operator("^", Type::FLOAT8, Type::FLOAT8, Type::FLOAT8, "fl_float8_pow({l}, {r})"),
    operator("+", Type::NUMERIC, Type::NUMERIC, Type::NUMERIC, "fl_numeric_add({l}, {r})"),
    operator("-", Type::NUMERIC, Type::NUMERIC, Type::NUMERIC, "fl_numeric_sub({l}, {r})"),
    operator("*", Type::NUMERIC, Type::NUMERIC, Type::NUMERIC, "fl_numeric_mul({l}, {r})"),
    operator("/", Type::NUMERIC, Type::NUMERIC, Type::NUMERIC, "fl_numeric_div({l}, {r})"),
    operator("%", Type::NUMERIC, Type::NUMERIC, Type::NUMERIC, "fl_numeric_mod({l}, {r})"),
    operator("^", Type::NUMERIC, Type::NUMERIC, Type::NUMERIC, "fl_numeric_pow({l}, {r})"),
    prefix("+", Type::FLOAT4, Type::FLOAT4, "(+ {r})"),
    prefix("+", Type::FLOAT8, Type::FLOAT8, "(+ {r})"),
    prefix("+", Type::NUMERIC, Type::NUMERIC, "(+ {r})"),
    prefix("-", Type::FLOAT4, Type::FLOAT4, "(- {r})"),
    prefix("-", Type::FLOAT8, Type::FLOAT8, "(- {r})"),
    prefix("-", Type::NUMERIC, Type::NUMERIC, "fl_numeric_neg({r})"),
    prefix("@", Type::FLOAT4, Type::FLOAT4, "abs({r})"),
    prefix("@", Type::FLOAT8, Type::FLOAT8, "abs({r})"),
    prefix("@", Type::NUMERIC, Type::NUMERIC, "fl_numeric_abs({r})"),
    prefix("|/", Type::FLOAT8, Type::FLOAT8, "fl_float8_sqrt({r})"),
    prefix("||/", Type::FLOAT8, Type::FLOAT8, "fl_float8_cbrt({r})"),
];

/// Of `float8` with either width.
const FLOATS: &[(&str, &str)] = &[
    ("+", "fl_float8_add({l}, {r})"),
    ("-", "fl_float8_sub({l}, {r})"),
    ("*", "fl_float8_mul({l}, {r})"),
    ("/", "fl_float8_div({l}, {r})"),
];

/// Every one.
pub(crate) fn operators() -> Vec<Operator> {
    let mut rows = INEXACT.to_vec();
    for (symbol, emit) in FLOATS {
        for (left, right) in
            [(Type::FLOAT8, Type::FLOAT8), (Type::FLOAT4, Type::FLOAT8), (Type::FLOAT8, Type::FLOAT4)]
        {
            rows.push(operator(symbol, left, right, Type::FLOAT8, emit));
        }
    }
    for (left_width, left) in INTEGERS.into_iter().enumerate() {
        for (right_width, right) in INTEGERS.into_iter().enumerate() {
            let width = left_width.max(right_width);
            rows.extend(
                BETWEEN
                    .iter()
                    .map(|(symbol, emits)| operator(symbol, left, right, INTEGERS[width], emits[width])),
            );
        }
        let own = left_width;
        rows.extend(SAME.iter().map(|(symbol, emits)| operator(symbol, left, left, left, emits[own])));
        rows.extend(
            SHIFTS.iter().map(|(symbol, emits)| operator(symbol, left, Type::INT4, left, emits[own])),
        );
        rows.extend(BEFORE.iter().map(|(symbol, emits)| prefix(symbol, left, left, emits[own])));
    }
    rows
}
