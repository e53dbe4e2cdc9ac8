//! Functions of floating-point numbers, by a library that gives the same bits on every machine.

use crate::base::error::{SqlError, SqlState};

use super::exponential::{exp, ln, log10, pow};
use super::float::{number, overflow, underflow};
use crate::functions::call::{Answer, Call, Scalar, strict};

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_float8_sqrt", 1, |call| one(call, sqrt)),
    strict("fl_float8_cbrt", 1, |call| one(call, |x| Ok(libm::cbrt(x)))),
    strict("fl_float8_pow", 2, |call| two(call, power)),
    strict("fl_ceil", 1, |call| one(call, |x| Ok(x.ceil()))),
    strict("fl_floor", 1, |call| one(call, |x| Ok(x.floor()))),
    strict("fl_round", 1, |call| one(call, |x| Ok(x.round_ties_even()))),
    strict("fl_trunc", 1, |call| one(call, |x| Ok(x.trunc()))),
    strict("fl_sign", 1, |call| one(call, |x| Ok(if x == 0.0 { 0.0 } else { x.signum() }))),
    strict("fl_exp", 1, |call| one(call, exponential)),
    strict("fl_ln", 1, |call| one(call, |x| logarithm(x, ln))),
    strict("fl_log10", 1, |call| one(call, |x| logarithm(x, log10))),
    strict("fl_sin", 1, |call| one(call, |x| finite(x, libm::sin))),
    strict("fl_cos", 1, |call| one(call, |x| finite(x, libm::cos))),
    strict("fl_tan", 1, |call| one(call, |x| finite(x, libm::tan))),
    strict("fl_cot", 1, |call| one(call, |x| finite(x, |x| 1.0 / libm::tan(x)))),
    strict("fl_asin", 1, |call| one(call, |x| within(x, libm::asin))),
    strict("fl_acos", 1, |call| one(call, |x| within(x, libm::acos))),
    strict("fl_atan", 1, |call| one(call, |x| Ok(libm::atan(x)))),
    strict("fl_atan2", 2, |call| two(call, |y, x| Ok(libm::atan2(y, x)))),
    strict("fl_sinh", 1, |call| one(call, |x| Ok(libm::sinh(x)))),
    strict("fl_cosh", 1, |call| one(call, |x| Ok(libm::cosh(x)))),
    strict("fl_tanh", 1, |call| one(call, |x| Ok(libm::tanh(x)))),
    strict("fl_asinh", 1, |call| one(call, |x| Ok(libm::asinh(x)))),
    strict("fl_acosh", 1, |call| one(call, |x| if x < 1.0 { Err(outside()) } else { Ok(libm::acosh(x)) })),
    strict("fl_atanh", 1, |call| one(call, |x| within(x, libm::atanh))),
    strict("fl_degrees", 1, |call| one(call, |x| kept(x, x / RADIAN))),
    strict("fl_radians", 1, |call| one(call, |x| Ok(x * RADIAN))),
    strict("fl_width_bucket", 4, width_bucket),
];

/// Of a degree.
pub(crate) const RADIAN: f64 = 0.017_453_292_519_943_295;

/// A function of one number.
pub(crate) fn one(call: &Call<'_>, compute: fn(f64) -> Result<f64, SqlError>) -> Answer {
    Ok(number(compute(call.float(0)?)?)?.into())
}

/// A function of two.
pub(crate) fn two(call: &Call<'_>, compute: fn(f64, f64) -> Result<f64, SqlError>) -> Answer {
    Ok(number(compute(call.float(0)?, call.float(1)?)?)?.into())
}

/// `input is out of range`.
pub(crate) fn outside() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

/// Of a number that is not infinite.
pub(crate) fn finite(x: f64, compute: fn(f64) -> f64) -> Result<f64, SqlError> {
    if x.is_infinite() { Err(outside()) } else { Ok(compute(x)) }
}

/// Of a number from -1 to 1.
pub(crate) fn within(x: f64, compute: fn(f64) -> f64) -> Result<f64, SqlError> {
    if (-1.0..=1.0).contains(&x) { Ok(compute(x)) } else { Err(outside()) }
}

/// A result that must not have become infinite.
fn kept(x: f64, result: f64) -> Result<f64, SqlError> {
    if result.is_infinite() && x.is_finite() { Err(overflow()) } else { Ok(result) }
}

fn no_power(message: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

fn sqrt(x: f64) -> Result<f64, SqlError> {
    if x < 0.0 { Err(no_power("cannot take square root of a negative number")) } else { Ok(x.sqrt()) }
}

fn power(base: f64, exponent: f64) -> Result<f64, SqlError> {
    if base == 0.0 && exponent < 0.0 {
        return Err(no_power("zero raised to a negative power is undefined"));
    }
    if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        return Err(no_power("a negative number raised to a non-integer power yields a complex result"));
    }
    let result = pow(base, exponent);
    if !base.is_finite() || !exponent.is_finite() {
        return Ok(result);
    }
    if result.is_infinite() {
        return Err(overflow());
    }
    if result == 0.0 && base != 0.0 { Err(underflow()) } else { Ok(result) }
}

fn exponential(x: f64) -> Result<f64, SqlError> {
    let result = exp(x);
    if x.is_infinite() {
        return Ok(result);
    }
    if result == 0.0 { Err(underflow()) } else { kept(x, result) }
}

fn logarithm(x: f64, compute: fn(f64) -> f64) -> Result<f64, SqlError> {
    let refused = |message| Err(SqlError::new(SqlState::INVALID_ARGUMENT_FOR_LOGARITHM, message));
    match x {
        0.0 => refused("cannot take logarithm of zero"),
        _ if x < 0.0 => refused("cannot take logarithm of a negative number"),
        _ => Ok(compute(x)),
    }
}

/// `invalid argument for width_bucket`.
pub(crate) fn bad_bucket(message: &str) -> SqlError {
    SqlError::new(SqlState(*b"2201G"), message)
}

fn width_bucket(call: &Call<'_>) -> Answer {
    let (value, low, high, count) = (call.float(0)?, call.float(1)?, call.float(2)?, call.int(3)?);
    if count <= 0 {
        return Err(bad_bucket("count must be greater than zero"));
    }
    if !low.is_finite() || !high.is_finite() {
        return Err(bad_bucket("lower and upper bounds must be finite"));
    }
    if low == high {
        return Err(bad_bucket("lower bound cannot equal upper bound"));
    }
    let (below, beyond) =
        if low < high { (value < low, value >= high) } else { (value > low, value <= high) };
    let bucket = match (below, beyond) {
        (true, _) => 0,
        (_, true) => count + 1,
        _ => {
            let span = high - low;
            // Halves, where the whole span is more than a number can be.
            let part = if span.is_infinite() {
                (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0)
            } else {
                (value - low) / span
            };
            ((count as f64 * part) as i64).min(count - 1) + 1
        }
    };
    if i32::try_from(bucket).is_err() {
        return Err(crate::functions::call::out_of_range("integer"));
    }
    Ok(bucket.into())
}

#[cfg(test)]
mod tests {
    use crate::functions::testing::check;

    #[test]
    fn functions_refuse_what_has_no_answer() {
        check(&[
            ("fl_float8_sqrt(2.25)", "1.5"),
            ("fl_float8_sqrt(-1.0)", "2201F: cannot take square root of a negative number"),
            ("fl_float8_pow(2.0, 10.0)", "1024.0"),
            ("fl_float8_pow(0.0, -1.0)", "2201F: zero raised to a negative power is undefined"),
            (
                "fl_float8_pow(-1.0, 0.5)",
                "2201F: a negative number raised to a non-integer power yields a complex result",
            ),
            ("fl_ln(0.0)", "2201E: cannot take logarithm of zero"),
            ("fl_log10(-1.0)", "2201E: cannot take logarithm of a negative number"),
            ("fl_log10(1000.0)", "3.0"),
            ("fl_round(2.5)", "2.0"),
            ("fl_exp(1000.0)", "22003: value out of range: overflow"),
            ("fl_asin(1.1)", "22003: input is out of range"),
            ("fl_sin(9e999)", "22003: input is out of range"),
            ("fl_degrees(fl_radians(90.0))", "90.0"),
            ("fl_width_bucket(5.0, 0.0, 10.0, 5)", "3"),
            ("fl_width_bucket(-1.0, 0.0, 10.0, 5)", "0"),
            ("fl_width_bucket(10.0, 0.0, 10.0, 5)", "6"),
            ("fl_width_bucket(5.0, 10.0, 0.0, 5)", "3"),
            ("fl_width_bucket(5.0, 0.0, 10.0, 0)", "2201G: count must be greater than zero"),
            ("fl_width_bucket(5.0, 1.0, 1.0, 1)", "2201G: lower bound cannot equal upper bound"),
        ]);
    }
}
