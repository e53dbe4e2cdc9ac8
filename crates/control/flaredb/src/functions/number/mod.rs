//! Numbers: integers that stay in their range, floating point without NaN, exact decimals.

use crate::base::rules::{Function, Operator, Pattern};
use crate::base::types::Type;

use crate::functions::call::Scalar;
use crate::functions::shape::{
    ANY, ELEMENT, FLOAT4, FLOAT8, INT2, INT4, INT8, NUMERIC, function, giving, variadic, volatile,
};

pub(crate) mod arithmetic;
pub(crate) mod chance;
pub(crate) mod degrees;
pub(crate) mod exponential;
pub(crate) mod float;
pub(crate) mod integer;
pub(crate) mod math;
pub(crate) mod numeric;
#[cfg(test)]
mod numeric_tests;
pub(crate) mod picture;

/// What SQLite calls.
pub(crate) const SCALARS: &[&[Scalar]] = &[
    chance::SCALARS,
    degrees::SCALARS,
    float::SCALARS,
    integer::SCALARS,
    math::SCALARS,
    numeric::SCALARS,
    picture::SCALARS,
];

const INT4_2: &[Pattern] = &[INT4, INT4];
const INT8_2: &[Pattern] = &[INT8, INT8];
const FLOAT8_2: &[Pattern] = &[FLOAT8, FLOAT8];
const NUMERIC_2: &[Pattern] = &[NUMERIC, NUMERIC];

/// A function of `float8` to itself.
const fn float(name: &'static str, emit: &'static str) -> Function {
    function(name, &[FLOAT8], Type::FLOAT8, emit)
}

/// A function of `numeric` to itself.
const fn exact(name: &'static str, emit: &'static str) -> Function {
    function(name, &[NUMERIC], Type::NUMERIC, emit)
}

/// What PostgreSQL has.
pub(crate) const FUNCTIONS: &[Function] = &[
    function("abs", &[INT2], Type::INT2, "fl_int2(fl_int_abs({1}))"),
    function("abs", &[INT4], Type::INT4, "fl_int4(fl_int_abs({1}))"),
    function("abs", &[INT8], Type::INT8, "fl_int_abs({1})"),
    function("abs", &[FLOAT4], Type::FLOAT4, "abs({1})"),
    float("abs", "abs({1})"),
    exact("abs", "fl_numeric_abs({1})"),
    float("ceil", "fl_ceil({1})"),
    exact("ceil", "fl_numeric_ceil({1})"),
    float("ceiling", "fl_ceil({1})"),
    exact("ceiling", "fl_numeric_ceil({1})"),
    float("floor", "fl_floor({1})"),
    exact("floor", "fl_numeric_floor({1})"),
    float("round", "fl_round({1})"),
    exact("round", "fl_numeric_round({1}, 0)"),
    function("round", &[NUMERIC, INT4], Type::NUMERIC, "fl_numeric_round({1}, {2})"),
    float("trunc", "fl_trunc({1})"),
    exact("trunc", "fl_numeric_trunc({1}, 0)"),
    function("trunc", &[NUMERIC, INT4], Type::NUMERIC, "fl_numeric_trunc({1}, {2})"),
    float("sign", "fl_sign({1})"),
    exact("sign", "fl_numeric_sign({1})"),
    float("sqrt", "fl_float8_sqrt({1})"),
    exact("sqrt", "fl_numeric_sqrt({1})"),
    float("cbrt", "fl_float8_cbrt({1})"),
    function("power", FLOAT8_2, Type::FLOAT8, "fl_float8_pow({1}, {2})"),
    function("power", NUMERIC_2, Type::NUMERIC, "fl_numeric_pow({1}, {2})"),
    function("pow", FLOAT8_2, Type::FLOAT8, "fl_float8_pow({1}, {2})"),
    function("pow", NUMERIC_2, Type::NUMERIC, "fl_numeric_pow({1}, {2})"),
    float("exp", "fl_exp({1})"),
    exact("exp", "fl_numeric_exp({1})"),
    float("ln", "fl_ln({1})"),
    exact("ln", "fl_numeric_ln({1})"),
    float("log", "fl_log10({1})"),
    exact("log", "fl_numeric_log('10', {1})"),
    function("log", NUMERIC_2, Type::NUMERIC, "fl_numeric_log({1}, {2})"),
    float("log10", "fl_log10({1})"),
    exact("log10", "fl_numeric_log('10', {1})"),
    function("mod", &[INT2, INT2], Type::INT2, "fl_int_mod({1}, {2})"),
    function("mod", INT4_2, Type::INT4, "fl_int_mod({1}, {2})"),
    function("mod", INT8_2, Type::INT8, "fl_int_mod({1}, {2})"),
    function("mod", NUMERIC_2, Type::NUMERIC, "fl_numeric_mod({1}, {2})"),
    function("div", NUMERIC_2, Type::NUMERIC, "fl_numeric_div_whole({1}, {2})"),
    function("gcd", INT4_2, Type::INT4, "fl_int4(fl_gcd({1}, {2}))"),
    function("gcd", INT8_2, Type::INT8, "fl_gcd({1}, {2})"),
    function("gcd", NUMERIC_2, Type::NUMERIC, "fl_numeric_gcd({1}, {2})"),
    function("lcm", INT4_2, Type::INT4, "fl_int4(fl_lcm({1}, {2}))"),
    function("lcm", INT8_2, Type::INT8, "fl_lcm({1}, {2})"),
    function("lcm", NUMERIC_2, Type::NUMERIC, "fl_numeric_lcm({1}, {2})"),
    function("pi", &[], Type::FLOAT8, "3.141592653589793"),
    float("sin", "fl_sin({1})"),
    float("cos", "fl_cos({1})"),
    float("tan", "fl_tan({1})"),
    float("cot", "fl_cot({1})"),
    float("asin", "fl_asin({1})"),
    float("acos", "fl_acos({1})"),
    float("atan", "fl_atan({1})"),
    function("atan2", FLOAT8_2, Type::FLOAT8, "fl_atan2({1}, {2})"),
    float("sind", "fl_sind({1})"),
    float("cosd", "fl_cosd({1})"),
    float("tand", "fl_tand({1})"),
    float("cotd", "fl_cotd({1})"),
    float("asind", "fl_asind({1})"),
    float("acosd", "fl_acosd({1})"),
    float("atand", "fl_atand({1})"),
    function("atan2d", FLOAT8_2, Type::FLOAT8, "fl_atan2d({1}, {2})"),
    float("sinh", "fl_sinh({1})"),
    float("cosh", "fl_cosh({1})"),
    float("tanh", "fl_tanh({1})"),
    float("asinh", "fl_asinh({1})"),
    float("acosh", "fl_acosh({1})"),
    float("atanh", "fl_atanh({1})"),
    float("degrees", "fl_degrees({1})"),
    float("radians", "fl_radians({1})"),
    volatile(function("random", &[], Type::FLOAT8, "fl_random()")),
    function("factorial", &[INT8], Type::NUMERIC, "fl_factorial({1})"),
    function("scale", &[NUMERIC], Type::INT4, "fl_numeric_scale({1})"),
    function("min_scale", &[NUMERIC], Type::INT4, "fl_numeric_min_scale({1})"),
    exact("trim_scale", "fl_numeric_trim_scale({1})"),
    function("width_bucket", &[FLOAT8, FLOAT8, FLOAT8, INT4], Type::INT4, "fl_width_bucket({*})"),
    function("width_bucket", &[NUMERIC, NUMERIC, NUMERIC, INT4], Type::INT4, "fl_numeric_width_bucket({*})"),
    variadic(function("num_nonnulls", &[], Type::INT4, "fl_num_nonnulls({*})"), ANY),
    variadic(function("num_nulls", &[], Type::INT4, "fl_num_nulls({*})"), ANY),
    variadic(
        giving(
            function("greatest", &[ELEMENT], Type::VOID, "fl_greatest({t1}, {*})"),
            crate::base::rules::Gives::Element,
        ),
        ELEMENT,
    ),
    variadic(
        giving(
            function("least", &[ELEMENT], Type::VOID, "fl_least({t1}, {*})"),
            crate::base::rules::Gives::Element,
        ),
        ELEMENT,
    ),
];

/// What PostgreSQL has between numbers, but comparisons.
pub(crate) fn operators() -> Vec<Operator> {
    arithmetic::operators()
}
