//! Roots, powers, exponentials and logarithms, with the scales that PostgreSQL gives them.

use std::cmp::Ordering;

use super::arithmetic::{leading, quotient};
use super::logarithm::{approximate, exp, ln, ratio};
use super::{Decimal, MOST_SHOWN, Numeric, SIGNIFICANT, overflow, ten_to};
use crate::base::error::{SqlError, SqlState};
use crate::functions::number::integer::division_by_zero;

use Numeric::{Finite, Infinity, NaN, NegativeInfinity};

/// The logarithm of e to the base of 10, as PostgreSQL writes it.
#[expect(clippy::approx_constant, reason = "a digit more gives another scale now and then")]
const LOG10_E: f64 = 0.434_294_481_903_252;

/// Of a computed result: at least this, and what its arguments have.
fn shown(scale: i64, least: &[i64]) -> i64 {
    least.iter().copied().fold(scale, i64::max).clamp(0, MOST_SHOWN)
}

fn power_error(message: &str) -> SqlError {
    SqlError::new(SqlState::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

fn logarithm_error(is_zero: bool) -> SqlError {
    let of = if is_zero { "zero" } else { "a negative number" };
    SqlError::new(SqlState::INVALID_ARGUMENT_FOR_LOGARITHM, format!("cannot take logarithm of {of}"))
}

impl Numeric {
    pub(crate) fn sqrt(&self) -> Result<Self, SqlError> {
        match self {
            NaN | Infinity => Ok(self.clone()),
            _ if self.signum() < 0 => Err(power_error("cannot take square root of a negative number")),
            Finite(value) => {
                let (weight, _) = leading(value);
                // PostgreSQL's own division cuts towards zero.
                let scale = shown(SIGNIFICANT - ((weight + 1) * 4 / 2 - 1), &[value.scale]);
                let root = value.at_scale((scale + 1) * 2).sqrt();
                Ok(Finite(Decimal::new(root, scale + 1).rounded(scale)))
            }
            NegativeInfinity => Err(power_error("cannot take square root of a negative number")),
        }
    }

    pub(crate) fn exp(&self) -> Result<Self, SqlError> {
        let value = match self {
            NegativeInfinity => return Ok(Self::zero()),
            Finite(value) => value,
            other => return Ok(other.clone()),
        };
        let size = approximate(value);
        let weight = (size * LOG10_E).clamp(-2000.0, 2000.0);
        let scale = shown(SIGNIFICANT - weight as i64, &[value.scale]);
        if size.abs() >= 6000.0 {
            return if size > 0.0 { Err(overflow()) } else { Ok(Self::finite(0, scale)) };
        }
        Ok(Finite(exp(value, scale)))
    }

    pub(crate) fn ln(&self) -> Result<Self, SqlError> {
        match self {
            NaN | Infinity => Ok(self.clone()),
            Finite(value) if self.signum() > 0 => {
                Ok(Finite(ln(value, shown(SIGNIFICANT - ln_weight(value), &[value.scale]))))
            }
            _ => Err(logarithm_error(self.signum() == 0)),
        }
    }

    /// The logarithm of a number to this base.
    pub(crate) fn log(&self, number: &Self) -> Result<Self, SqlError> {
        if matches!(self, NaN) || matches!(number, NaN) {
            return Ok(NaN);
        }
        let infinite = !matches!((self, number), (Finite(_), Finite(_)));
        if infinite && (self.signum() < 0 || number.signum() < 0) {
            return Err(logarithm_error(false));
        }
        for value in [self, number] {
            if value.signum() <= 0 {
                return Err(logarithm_error(value.signum() == 0));
            }
        }
        match (self, number) {
            (Finite(base), Finite(number)) => {
                let (base_weight, number_weight) = (ln_weight(base), ln_weight(number));
                let weight = number_weight - base_weight;
                let scale = shown(SIGNIFICANT - weight, &[base.scale, number.scale]);
                let scaled = |own: i64| (scale + weight - own + 8).max(0);
                if base.cmp(&Decimal::new(1, 0)) == Ordering::Equal {
                    return Err(division_by_zero());
                }
                Ok(Finite(ratio(number, scaled(number_weight), base, scaled(base_weight), scale)))
            }
            (Finite(_), _) => Ok(Infinity),
            (_, Finite(_)) => Ok(Self::zero()),
            _ => Ok(NaN),
        }
    }

    pub(crate) fn pow(&self, exponent: &Self) -> Result<Self, SqlError> {
        let one = Decimal::new(1, 0);
        match (self, exponent) {
            (NaN, Finite(exponent)) if exponent.is_zero() => Ok(Self::finite(1, 0)),
            (Finite(base), NaN) if base.cmp(&one) == Ordering::Equal => Ok(Self::finite(1, 0)),
            (NaN, _) | (_, NaN) => Ok(NaN),
            (Finite(base), Finite(exponent)) => Ok(Finite(finite_pow(base, exponent)?)),
            _ => self.infinite_pow(exponent),
        }
    }

    /// Where one of both is infinite.
    fn infinite_pow(&self, exponent: &Self) -> Result<Self, SqlError> {
        let one = Self::finite(1, 0);
        if self.signum() == 0 && exponent.signum() < 0 {
            return Err(power_error("zero raised to a negative power is undefined"));
        }
        match (self, exponent) {
            (Finite(base), _) => {
                let size = base.abs().cmp(&Decimal::new(1, 0));
                Ok(match (size, exponent.signum() > 0) {
                    (Ordering::Equal, _) => one,
                    (Ordering::Greater, true) | (Ordering::Less, false) => Infinity,
                    _ => Self::zero(),
                })
            }
            (_, Finite(power)) if power.is_zero() => Ok(one),
            (Infinity, _) => Ok(if exponent.signum() > 0 { Infinity } else { Self::zero() }),
            (_, Finite(power)) => {
                let whole = power.cut(0);
                if whole.cmp(power) != Ordering::Equal {
                    return Err(power_error(COMPLEX));
                }
                Ok(match (exponent.signum() > 0, whole.digits.bit(0)) {
                    (false, _) => Self::zero(),
                    (true, odd) => Self::infinity(odd),
                })
            }
            _ => Ok(if exponent.signum() > 0 { Infinity } else { Self::zero() }),
        }
    }
}

const COMPLEX: &str = "a negative number raised to a non-integer power yields a complex result";

fn finite_pow(base: &Decimal, exponent: &Decimal) -> Result<Decimal, SqlError> {
    let whole = exponent.cut(0);
    let is_whole = whole.cmp(exponent) == Ordering::Equal;
    if base.is_zero() && exponent.is_negative() {
        return Err(power_error("zero raised to a negative power is undefined"));
    }
    if base.is_negative() && !is_whole {
        return Err(power_error(COMPLEX));
    }
    if is_whole && let Ok(power) = i32::try_from(&whole.digits) {
        return whole_pow(base, power);
    }
    if base.is_zero() {
        return Ok(Decimal::new(0, SIGNIFICANT));
    }
    let (magnitude, odd) = (base.abs(), base.is_negative() && whole.digits.bit(0));
    let result = positive_pow(&magnitude, exponent)?;
    Ok(if odd { Decimal::new(-result.digits, result.scale) } else { result })
}

/// By way of the logarithm, first roughly, for the scale.
fn positive_pow(base: &Decimal, exponent: &Decimal) -> Result<Decimal, SqlError> {
    let weight = ln_weight(base);
    let rough = (8 - weight).max(0);
    let product = |scale: i64| {
        let logarithm = ln(base, scale);
        Decimal::new(logarithm.digits * &exponent.digits, scale + exponent.scale).rounded(scale)
    };
    let size = approximate(&product(rough));
    if size.abs() > 6020.0 {
        return if size > 0.0 { Err(overflow()) } else { Ok(Decimal::new(0, MOST_SHOWN)) };
    }
    let before = (size * LOG10_E) as i64;
    let scale = shown(SIGNIFICANT - before, &[base.scale, exponent.scale]);
    let digits = (scale + before).max(0);
    exp(&product((digits - weight + 8).max(0)), scale).checked()
}

/// A whole power, by squaring, with no more digits than the result needs.
fn whole_pow(base: &Decimal, power: i32) -> Result<Decimal, SqlError> {
    let size = if base.is_zero() { 0.0 } else { f64::from(power) * log10(&base.abs()) };
    if size > f64::from((32_767 + 1) * 4) {
        return Err(overflow());
    }
    let scale = shown(SIGNIFICANT, &[base.scale]);
    if size + 1.0 < -(scale as f64) {
        return Ok(Decimal::new(0, scale));
    }
    match power {
        0 => return Ok(Decimal::new(ten_to(scale), scale)),
        1 => return Ok(base.rounded(scale)),
        -1 => return Ok(quotient(&Decimal::new(1, 0), base, scale)),
        _ if base.is_zero() => return Ok(Decimal::new(0, scale)),
        _ => {}
    }
    let digits = 1 + scale + size as i64 + f64::from(power).abs().ln() as i64 + 8;
    let raised = raised(base, power.unsigned_abs(), digits.max(1) + 8);
    let result = if power < 0 {
        quotient(&Decimal::new(1, 0), &raised, scale)
    } else if raised.scale < 0 {
        Decimal::new(raised.at_scale(0), 0).rounded(scale)
    } else {
        raised.rounded(scale)
    };
    result.checked()
}

/// To so many significant digits; the scale may be below zero.
fn raised(base: &Decimal, mut power: u32, digits: i64) -> Decimal {
    let shorter = |value: Decimal| {
        let more = super::count_digits(value.digits.magnitude()) - digits;
        if more <= 0 {
            value
        } else {
            Decimal { digits: value.digits / ten_to(more), scale: value.scale - more }
        }
    };
    let (mut result, mut square) = (Decimal::new(1, 0), base.clone());
    while power > 0 {
        if power & 1 == 1 {
            result = shorter(Decimal {
                digits: result.digits * &square.digits,
                scale: result.scale + square.scale,
            });
        }
        power >>= 1;
        if power > 0 {
            square = shorter(Decimal { digits: &square.digits * &square.digits, scale: square.scale * 2 });
        }
    }
    result
}

/// Roughly, of a positive number.
fn log10(value: &Decimal) -> f64 {
    let text = value.digits.magnitude().to_string();
    let head = text.get(..text.len().min(17)).unwrap_or(&text);
    let mantissa: f64 = head.parse().unwrap_or(1.0);
    mantissa.log10() + (text.len() - head.len()) as f64 - value.scale as f64
}

/// Roughly how many digits the logarithm has before the point; PostgreSQL's own estimate.
fn ln_weight(value: &Decimal) -> i64 {
    if value.is_negative() || value.is_zero() {
        return 0;
    }
    if *value >= Decimal::new(9, 1) && *value <= Decimal::new(11, 1) {
        let one = Decimal::new(1, 0).at_scale(value.scale);
        let (weight, first) = leading(&Decimal::new(&value.digits - one, value.scale).abs());
        return if first == 0 { 0 } else { weight * 4 + first.ilog10() as i64 };
    }
    let logarithm = log10(value) * std::f64::consts::LN_10;
    logarithm.abs().log10() as i64
}
