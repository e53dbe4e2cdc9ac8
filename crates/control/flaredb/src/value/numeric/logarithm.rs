//! Exponentials and logarithms with as many digits as are asked for, in whole numbers of a unit of `10^-scale`.

use super::arithmetic::quotient;
use super::{Decimal, count_digits, ten_to};
use num_bigint::BigInt;

/// Digits that are computed beyond those that are wanted.
const SPARE: i64 = 12;

/// How often an argument is halved, or a root of it taken, before the series.
const HALVINGS: usize = 8;

/// `e^x`, rounded to a scale.
pub(crate) fn exp(x: &Decimal, scale: i64) -> Decimal {
    // First without the power of ten that is in it, so that the digits are needed behind the point only.
    let size = approximate(x) * std::f64::consts::LOG10_E;
    let tens = size.floor() as i64;
    let work = (scale + tens).max(0) + SPARE;
    let ln10 = ln_of_ten(work + count_digits(BigInt::from(tens).magnitude()) + 1);
    let exponent = ln10.digits * tens;
    let rest = x.at_scale(ln10.scale) - exponent;
    let part = Decimal::new(rest, ln10.scale).at_scale(work + SPARE) >> HALVINGS;
    let mut value = series_exp(&part, work + SPARE);
    for _ in 0..HALVINGS {
        value = &value * &value / ten_to(work + SPARE);
    }
    let value = Decimal { digits: value, scale: work + SPARE - tens };
    if value.scale < 0 { Decimal::new(value.at_scale(0), 0).rounded(scale) } else { value.rounded(scale) }
}

fn series_exp(x: &BigInt, scale: i64) -> BigInt {
    let one = ten_to(scale);
    let (mut sum, mut term, mut number) = (one.clone() + x, x.clone(), 1_u32);
    while term.bits() > 1 {
        number += 1;
        term = term * x / &one / number;
        sum += &term;
    }
    sum
}

/// The natural logarithm of a positive number, rounded to a scale.
pub(crate) fn ln(x: &Decimal, scale: i64) -> Decimal {
    let tens = x.digits_before() - 1;
    let near_one = tens == -1 && x.cut(1).at_scale(1) == BigInt::from(9);
    let tens = if near_one { 0 } else { tens };
    let work = scale.max(0) + SPARE + count_digits(BigInt::from(tens).magnitude());
    let mantissa = Decimal { digits: x.digits.clone(), scale: x.scale + tens }.at_scale(work + SPARE);
    let mut sum = series_ln(mantissa, work + SPARE);
    if tens != 0 {
        sum += ln_of_ten(work + SPARE).digits * tens;
    }
    Decimal::new(sum, work + SPARE).rounded(scale)
}

/// Of a number between 0.9 and 10.
fn series_ln(mut x: BigInt, scale: i64) -> BigInt {
    let one = ten_to(scale);
    for _ in 0..HALVINGS {
        x = (x * &one).sqrt();
    }
    let ratio = (&x - &one) * &one / (&x + &one);
    let square = &ratio * &ratio / &one;
    let (mut sum, mut power, mut number) = (ratio.clone(), ratio, 1_u32);
    while power.bits() > 1 {
        number += 2;
        power = power * &square / &one;
        sum += &power / number;
    }
    sum << (HALVINGS + 1)
}

fn ln_of_ten(scale: i64) -> Decimal {
    let sum = series_ln(ten_to(scale + SPARE + 1), scale + SPARE);
    Decimal::new(sum, scale + SPARE).rounded(scale)
}

/// As floating point, infinite where it is too large.
pub(crate) fn approximate(x: &Decimal) -> f64 {
    x.to_string().parse().unwrap_or(f64::INFINITY)
}

/// The logarithm of a number to a base, both positive, rounded to a scale; the base's logarithm is not zero.
pub(crate) fn ratio(
    number: &Decimal,
    number_scale: i64,
    base: &Decimal,
    base_scale: i64,
    scale: i64,
) -> Decimal {
    quotient(&ln(number, number_scale), &ln(base, base_scale), scale)
}
