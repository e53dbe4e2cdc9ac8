//! Exact decimals as SQLite calls them.

use std::cmp::Ordering;

use crate::base::error::{SqlError, SqlState};
use crate::functions::call::{Answer, Call, Scalar, out_of_range, strict, text};
use crate::functions::number::float::number;
use crate::value::numeric::Numeric;
use crate::value::numeric::arithmetic::quotient;
use crate::value::numeric::convert::factorial;
use crate::value::numeric::{Decimal, MOST_BEHIND};
use rusqlite::types::Value;

/// What SQLite calls.
pub(crate) const SCALARS: &[Scalar] = &[
    strict("fl_numeric_abs", 1, |call| one(call, |a| Ok(if a.signum() < 0 { a.neg() } else { a.clone() }))),
    strict("fl_numeric_neg", 1, |call| one(call, |a| Ok(a.neg()))),
    strict("fl_numeric_ceil", 1, |call| one(call, |a| Ok(a.ceil()))),
    strict("fl_numeric_floor", 1, |call| one(call, |a| Ok(a.floor()))),
    strict("fl_numeric_sign", 1, |call| one(call, |a| Ok(sign(a)))),
    strict("fl_numeric_sqrt", 1, |call| one(call, Numeric::sqrt)),
    strict("fl_numeric_exp", 1, |call| one(call, Numeric::exp)),
    strict("fl_numeric_ln", 1, |call| one(call, Numeric::ln)),
    strict("fl_numeric_trim_scale", 1, |call| one(call, |a| Ok(a.map(Decimal::trimmed)))),
    strict("fl_numeric_add", 2, |call| two(call, Numeric::add)),
    strict("fl_numeric_sub", 2, |call| two(call, Numeric::sub)),
    strict("fl_numeric_mul", 2, |call| two(call, Numeric::mul)),
    strict("fl_numeric_div", 2, |call| two(call, Numeric::div)),
    strict("fl_numeric_div_whole", 2, |call| two(call, Numeric::div_whole)),
    strict("fl_numeric_mod", 2, |call| two(call, Numeric::rem)),
    strict("fl_numeric_pow", 2, |call| two(call, Numeric::pow)),
    strict("fl_numeric_log", 2, |call| two(call, Numeric::log)),
    strict("fl_numeric_gcd", 2, |call| two(call, |a, b| Ok(gcd(a, b)))),
    strict("fl_numeric_lcm", 2, |call| two(call, lcm)),
    strict("fl_numeric_round", 2, |call| scaled(call, Decimal::rounded)),
    strict("fl_numeric_trunc", 2, |call| scaled(call, Decimal::cut)),
    strict("fl_numeric_scale", 1, |call| scale(call, |value| value.scale)),
    strict("fl_numeric_min_scale", 1, |call| scale(call, Decimal::least_scale)),
    strict("fl_numeric_width_bucket", 4, width_bucket),
    strict("fl_factorial", 1, |call| Ok(factorial(call.int(0)?)?.kept())),
    strict("fl_numeric_int2", 1, |call| whole(call, i16::MIN.into(), i16::MAX.into(), "smallint")),
    strict("fl_numeric_int4", 1, |call| whole(call, i32::MIN.into(), i32::MAX.into(), "integer")),
    strict("fl_numeric_int8", 1, |call| whole(call, i64::MIN, i64::MAX, "bigint")),
    strict("fl_numeric_float4", 1, |call| Ok(number(argument(call, 0)?.to_single()?)?.into())),
    strict("fl_numeric_float8", 1, |call| Ok(number(argument(call, 0)?.to_float()?)?.into())),
    strict("fl_float4_numeric", 1, |call| Ok(Numeric::from_float(call.float(0)?, 6)?.kept())),
    strict("fl_float8_numeric", 1, |call| Ok(Numeric::from_float(call.float(0)?, 15)?.kept())),
];

/// An argument, as it is kept.
pub(crate) fn argument(call: &Call<'_>, place: usize) -> Result<Numeric, SqlError> {
    Numeric::from_kept(text(call.value(place))?)
}

fn one(call: &Call<'_>, compute: fn(&Numeric) -> Result<Numeric, SqlError>) -> Answer {
    Ok(compute(&argument(call, 0)?)?.kept())
}

fn two(call: &Call<'_>, compute: fn(&Numeric, &Numeric) -> Result<Numeric, SqlError>) -> Answer {
    Ok(compute(&argument(call, 0)?, &argument(call, 1)?)?.kept())
}

fn sign(value: &Numeric) -> Numeric {
    if *value == Numeric::NaN { Numeric::NaN } else { Numeric::finite(value.signum(), 0) }
}

fn scaled(call: &Call<'_>, change: fn(&Decimal, i64) -> Decimal) -> Answer {
    let scale = call.int(1)?.clamp(-140_000, MOST_BEHIND);
    match argument(call, 0)? {
        Numeric::Finite(value) => Ok(Numeric::Finite(change(&value, scale).checked()?).kept()),
        other => Ok(other.kept()),
    }
}

/// NULL of what is not finite.
fn scale(call: &Call<'_>, of: fn(&Decimal) -> i64) -> Answer {
    match argument(call, 0)? {
        Numeric::Finite(value) => Ok(of(&value).into()),
        _ => Ok(Value::Null),
    }
}

fn whole(call: &Call<'_>, least: i64, most: i64, name: &str) -> Answer {
    Ok(argument(call, 0)?.to_int(least, most, name)?.into())
}

fn gcd(left: &Numeric, right: &Numeric) -> Numeric {
    let (Numeric::Finite(left), Numeric::Finite(right)) = (left, right) else { return Numeric::NaN };
    let scale = left.scale.max(right.scale);
    Numeric::Finite(common(left, right, scale))
}

fn common(left: &Decimal, right: &Decimal, scale: i64) -> Decimal {
    let (mut a, mut b) = (left.abs().at_scale(scale), right.abs().at_scale(scale));
    while b.bits() > 0 {
        (a, b) = (b.clone(), a % b);
    }
    Decimal::new(a, scale)
}

fn lcm(left: &Numeric, right: &Numeric) -> Result<Numeric, SqlError> {
    let (Numeric::Finite(left), Numeric::Finite(right)) = (left, right) else { return Ok(Numeric::NaN) };
    let scale = left.scale.max(right.scale);
    if left.is_zero() || right.is_zero() {
        return Ok(Numeric::finite(0, scale));
    }
    let common = common(left, right, scale);
    let multiple = left.abs().at_scale(scale) / common.digits * right.abs().at_scale(scale);
    Ok(Numeric::Finite(Decimal::new(multiple, scale).checked()?))
}

fn bucket_error(message: &str) -> SqlError {
    SqlError::new(SqlState(*b"2201G"), message)
}

/// Which of `count` equal parts between two bounds a value lies in: 0 below, `count + 1` above.
fn width_bucket(call: &Call<'_>) -> Answer {
    let (value, low, high) = (argument(call, 0)?, argument(call, 1)?, argument(call, 2)?);
    let count = call.int(3)?;
    if count <= 0 {
        return Err(bucket_error("count must be greater than zero"));
    }
    if [&value, &low, &high].contains(&&Numeric::NaN) {
        return Err(bucket_error("operand, lower bound, and upper bound cannot be NaN"));
    }
    let (Numeric::Finite(from), Numeric::Finite(to)) = (&low, &high) else {
        return Err(bucket_error("lower and upper bounds must be finite"));
    };
    let up = match from.cmp(to) {
        Ordering::Equal => return Err(bucket_error("lower bound cannot equal upper bound")),
        order => order == Ordering::Less,
    };
    let (below, beyond) =
        if up { (Ordering::Less, Ordering::Less) } else { (Ordering::Greater, Ordering::Greater) };
    let bucket = if value.compare(&low) == below {
        0
    } else if value.compare(&high) != beyond {
        count + 1
    } else {
        inside(&value, from, to, count)?
    };
    i32::try_from(bucket).map_err(|_| out_of_range("integer"))?;
    Ok(bucket.into())
}

fn inside(value: &Numeric, from: &Decimal, to: &Decimal, count: i64) -> Result<i64, SqlError> {
    let Numeric::Finite(value) = value else { return Ok(0) };
    let scale = value.scale.max(from.scale).max(to.scale);
    let (value, from, to) = (value.at_scale(scale), from.at_scale(scale), to.at_scale(scale));
    let (above, below) = ((value - &from) * count, to - from);
    // Both have the same sign, so what is cut off is below.
    let part = quotient(&Decimal::new(&above - (&above % &below), 0), &Decimal::new(below, 0), 0);
    Ok(i64::try_from(part.digits).unwrap_or(i64::MAX - 1) + 1)
}
