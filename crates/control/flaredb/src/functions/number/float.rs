//! Floating point: what leaves its range is refused, and so is NaN, which SQLite would make NULL.

use crate::base::error::{SqlError, SqlState};
use rusqlite::types::ValueRef;

use super::integer::division_by_zero;
use crate::functions::call::{Answer, Call, Scalar, out_of_range, strict};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_float4", 1, |call| Ok(narrowed(call)?.into())),
    strict("fl_float8_add", 2, |call| pair(call, |a, b| sum(a, b, a + b))),
    strict("fl_float8_sub", 2, |call| pair(call, |a, b| sum(a, b, a - b))),
    strict("fl_float8_mul", 2, |call| pair(call, |a, b| product(a, b, a * b))),
    strict("fl_float8_div", 2, |call| pair(call, |a, b| quotient(a, b, a / b))),
    strict("fl_float4_add", 2, |call| pair(call, |a, b| sum(a, b, f64::from(a as f32 + b as f32)))),
    strict("fl_float4_sub", 2, |call| pair(call, |a, b| sum(a, b, f64::from(a as f32 - b as f32)))),
    strict("fl_float4_mul", 2, |call| pair(call, |a, b| product(a, b, f64::from(a as f32 * b as f32)))),
    strict("fl_float4_div", 2, |call| pair(call, |a, b| quotient(a, b, f64::from(a as f32 / b as f32)))),
    strict("fl_float_int2", 1, |call| whole(call, f64::from(i16::MIN), f64::from(i16::MAX), "smallint")),
    strict("fl_float_int4", 1, |call| whole(call, f64::from(i32::MIN), f64::from(i32::MAX), "integer")),
    // The largest float below the end of the range, which itself is none.
    strict("fl_float_int8", 1, |call| whole(call, i64::MIN as f64, 9_223_372_036_854_774_784.0, "bigint")),
];

fn pair(call: &Call<'_>, compute: fn(f64, f64) -> Result<f64, SqlError>) -> Answer {
    Ok(number(compute(call.float(0)?, call.float(1)?)?)?.into())
}

/// Refuses NaN.
pub(crate) fn number(value: f64) -> Result<f64, SqlError> {
    if value.is_nan() { Err(SqlError::unsupported("NaN of a floating-point type")) } else { Ok(value) }
}

/// `value out of range: overflow`.
pub(crate) fn overflow() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

/// `value out of range: underflow`.
pub(crate) fn underflow() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

fn sum(a: f64, b: f64, sum: f64) -> Result<f64, SqlError> {
    if sum.is_infinite() && a.is_finite() && b.is_finite() { Err(overflow()) } else { Ok(sum) }
}

fn product(a: f64, b: f64, product: f64) -> Result<f64, SqlError> {
    if product.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(overflow());
    }
    if product == 0.0 && a != 0.0 && b != 0.0 { Err(underflow()) } else { Ok(product) }
}

fn quotient(a: f64, b: f64, quotient: f64) -> Result<f64, SqlError> {
    if b == 0.0 {
        return Err(division_by_zero());
    }
    if quotient.is_infinite() && a.is_finite() {
        return Err(overflow());
    }
    if quotient == 0.0 && a != 0.0 && b.is_finite() { Err(underflow()) } else { Ok(quotient) }
}

/// In single precision. A whole number is rounded once, not by way of double precision.
fn narrowed(call: &Call<'_>) -> Result<f64, SqlError> {
    if let ValueRef::Integer(value) = call.value(0) {
        return Ok(f64::from(value as f32));
    }
    single(call.float(0)?)
}

/// A number in single precision.
pub(crate) fn single(value: f64) -> Result<f64, SqlError> {
    let narrow = f64::from(value as f32);
    if narrow.is_infinite() && value.is_finite() {
        return Err(overflow());
    }
    if narrow == 0.0 && value != 0.0 { Err(underflow()) } else { Ok(narrow) }
}

/// To the nearest whole number, and between two of them to the even one.
fn whole(call: &Call<'_>, from: f64, to: f64, name: &str) -> Answer {
    let rounded = call.float(0)?.round_ties_even();
    if rounded >= from && rounded <= to { Ok((rounded as i64).into()) } else { Err(out_of_range(name)) }
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn infinity_is_a_number_and_nan_is_none() {
        check(&[
            ("fl_float8_add(1e308, 1e308)", "22003: value out of range: overflow"),
            ("fl_float8_add(9e999, 1.0)", "inf"),
            ("fl_float8_sub(9e999, 9e999)", "0A000: NaN of a floating-point type is not supported"),
            ("fl_float8_mul(1e-300, 1e-300)", "22003: value out of range: underflow"),
            ("fl_float8_div(1.0, 0.0)", "22012: division by zero"),
            ("fl_float4_add(fl_float4(0.1), fl_float4(0.2))", "0.30000001192092896"),
            ("fl_float4(1e39)", "22003: value out of range: overflow"),
            ("fl_float4(1e-50)", "22003: value out of range: underflow"),
            ("fl_float4(16777217)", "16777216.0"),
            ("fl_float_int4(2.5)", "2"),
            ("fl_float_int4(-0.5)", "0"),
            ("fl_float_int2(32767.5)", "22003: smallint out of range"),
            ("fl_float_int8(9223372036854774784.0)", "9223372036854774784"),
            ("fl_float_int8(9223372036854775807.0)", "22003: bigint out of range"),
        ]);
    }
}
