//! Sums, products, quotients, with the scales that PostgreSQL gives them.

use std::cmp::Ordering;

use super::{Decimal, MOST_BEHIND, MOST_SHOWN, Numeric, SIGNIFICANT, count_digits, ten_to};
use crate::base::error::SqlError;
use crate::functions::number::integer::division_by_zero;
use num_bigint::BigInt;

use Numeric::{Finite, Infinity, NaN, NegativeInfinity};

impl Numeric {
    pub(crate) fn neg(&self) -> Self {
        match self {
            NaN => NaN,
            Infinity => NegativeInfinity,
            NegativeInfinity => Infinity,
            Finite(value) => Self::finite(-&value.digits, value.scale),
        }
    }

    pub(crate) fn add(&self, other: &Self) -> Result<Self, SqlError> {
        match (self, other) {
            (Finite(left), Finite(right)) => {
                let scale = left.scale.max(right.scale);
                let sum = if left.scale == right.scale {
                    &left.digits + &right.digits
                } else {
                    left.at_scale(scale) + right.at_scale(scale)
                };
                Ok(Finite(Decimal::new(sum, scale).checked()?))
            }
            (NaN, _) | (_, NaN) | (Infinity, NegativeInfinity) | (NegativeInfinity, Infinity) => Ok(NaN),
            (Finite(_), infinite) | (infinite, _) => Ok(infinite.clone()),
        }
    }

    pub(crate) fn sub(&self, other: &Self) -> Result<Self, SqlError> {
        self.add(&other.neg())
    }

    pub(crate) fn mul(&self, other: &Self) -> Result<Self, SqlError> {
        match (self, other) {
            (Finite(left), Finite(right)) => {
                let product = Decimal::new(&left.digits * &right.digits, left.scale + right.scale);
                let scale = product.scale.min(MOST_BEHIND);
                Ok(Finite(product.rounded(scale).checked()?))
            }
            (NaN, _) | (_, NaN) => Ok(NaN),
            _ => Ok(match self.signum() * other.signum() {
                0 => NaN,
                sign => Self::infinity(sign < 0),
            }),
        }
    }

    pub(crate) fn div(&self, other: &Self) -> Result<Self, SqlError> {
        match (self, other) {
            (Finite(_), Finite(right)) if right.is_zero() => Err(division_by_zero()),
            (Finite(left), Finite(right)) => {
                let scale = quotient_scale(left, right);
                Ok(Finite(quotient(left, right, scale).checked()?))
            }
            _ => self.special_quotient(other),
        }
    }

    /// Where one of both is not finite.
    fn special_quotient(&self, other: &Self) -> Result<Self, SqlError> {
        match (self, other) {
            (NaN, _) | (_, NaN) => Ok(NaN),
            (Finite(_), _) => Ok(Self::zero()),
            (_, Finite(right)) if right.is_zero() => Err(division_by_zero()),
            (_, Finite(_)) => Ok(Self::infinity(self.signum() * other.signum() < 0)),
            _ => Ok(NaN),
        }
    }

    /// The quotient without its fraction.
    pub(crate) fn div_whole(&self, other: &Self) -> Result<Self, SqlError> {
        match (self, other) {
            (Finite(_), Finite(right)) if right.is_zero() => Err(division_by_zero()),
            (Finite(left), Finite(right)) => {
                let scale = left.scale.max(right.scale);
                Ok(Finite(Decimal::new(left.at_scale(scale) / right.at_scale(scale), 0).checked()?))
            }
            _ => self.special_quotient(other),
        }
    }

    pub(crate) fn rem(&self, other: &Self) -> Result<Self, SqlError> {
        match (self, other) {
            (NaN, _) | (_, NaN) => Ok(NaN),
            (_, Finite(right)) if right.is_zero() => Err(division_by_zero()),
            (Finite(left), Finite(right)) => {
                let scale = left.scale.max(right.scale);
                Ok(Self::finite(left.at_scale(scale) % right.at_scale(scale), scale))
            }
            (Finite(_), _) => Ok(self.clone()),
            _ => Ok(NaN),
        }
    }

    /// By value; NaN is above all.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        let rank = |value: &Self| match value {
            NegativeInfinity => -1,
            Finite(_) => 0,
            Infinity => 1,
            NaN => 2,
        };
        match (self, other) {
            (Finite(left), Finite(right)) => left.cmp(right),
            _ => rank(self).cmp(&rank(other)),
        }
    }

    /// The same, with another function of its finite value.
    pub(crate) fn map(&self, change: impl FnOnce(&Decimal) -> Decimal) -> Self {
        match self {
            Finite(value) => Finite(change(value)),
            other => other.clone(),
        }
    }

    pub(crate) fn floor(&self) -> Self {
        self.map(|value| step(value, false))
    }

    pub(crate) fn ceil(&self) -> Self {
        self.map(|value| step(value, true))
    }
}

/// The whole number at or beyond a value.
fn step(value: &Decimal, up: bool) -> Decimal {
    let whole = value.cut(0);
    match whole.cmp(value) {
        Ordering::Less if up => Decimal::new(whole.digits + 1, 0),
        Ordering::Greater if !up => Decimal::new(whole.digits - 1, 0),
        _ => whole,
    }
}

/// The quotient at a scale, halves away from zero. The divisor is not zero.
pub(crate) fn quotient(left: &Decimal, right: &Decimal, scale: i64) -> Decimal {
    let shift = scale + right.scale - left.scale;
    let (mut above, mut below) = (left.digits.clone(), right.digits.clone());
    if shift >= 0 {
        above *= ten_to(shift);
    } else {
        below *= ten_to(-shift);
    }
    let half: BigInt = BigInt::from(below.magnitude().clone()) / 2;
    let odd = below.bit(0);
    let (whole, rest) = (&above / &below, &above % &below);
    let rest = BigInt::from(rest.magnitude().clone());
    let up = if odd { rest > half } else { rest >= half };
    let negative = (above.sign() == num_bigint::Sign::Minus) != (below.sign() == num_bigint::Sign::Minus);
    let digits = match (up, negative) {
        (false, _) => whole,
        (true, false) => whole + 1,
        (true, true) => whole - 1,
    };
    Decimal::new(digits, scale)
}

/// How many digits behind the point a quotient shows: PostgreSQL counts in groups of four digits.
pub(crate) fn quotient_scale(left: &Decimal, right: &Decimal) -> i64 {
    let ((left_weight, left_first), (right_weight, right_first)) = (leading(left), leading(right));
    let weight = left_weight - right_weight - i64::from(left_first <= right_first);
    let scale = SIGNIFICANT - weight * 4;
    scale.max(left.scale).max(right.scale).clamp(0, MOST_SHOWN)
}

/// The place of the first group of four digits that is not zero (0: the one before the point), and its value.
pub(crate) fn leading(value: &Decimal) -> (i64, i64) {
    if value.is_zero() {
        return (0, 0);
    }
    let magnitude = value.digits.magnitude();
    let count = count_digits(magnitude);
    let place = count - 1 - value.scale;
    let (weight, used) = (place.div_euclid(4), place.rem_euclid(4) + 1);
    let first = if count >= used {
        BigInt::from(magnitude.clone()) / ten_to(count - used)
    } else {
        BigInt::from(magnitude.clone()) * ten_to(used - count)
    };
    (weight, i64::try_from(first).unwrap_or(0))
}
