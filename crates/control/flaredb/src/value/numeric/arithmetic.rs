//! Sums, products, quotients, with the scale that PostgreSQL gives each.

use num_bigint::{BigInt, Sign};

use super::{MOST_SCALE, Numeric, power_of_ten};
use crate::base::{SqlError, SqlState};

/// Significant digits of a quotient, at least.
const SIGNIFICANT: i64 = 16;
/// Its scale, at most.
const MOST_DISPLAY: i64 = 1000;
/// Decimal digits in one of PostgreSQL's own, by which it counts a quotient's.
const GROUP: i64 = 4;

/// Both with the same scale.
fn aligned(a: &BigInt, a_scale: u32, b: &BigInt, b_scale: u32) -> (BigInt, BigInt, u32) {
    let scale = a_scale.max(b_scale);
    (a * power_of_ten(scale - a_scale), b * power_of_ten(scale - b_scale), scale)
}

/// The sum.
pub(crate) fn add(a: &Numeric, b: &Numeric) -> Result<Numeric, SqlError> {
    use Numeric::{Finite, Infinity, NaN, NegativeInfinity};
    match (a, b) {
        (Finite(a, a_scale), Finite(b, b_scale)) => {
            let (a, b, scale) = aligned(a, *a_scale, b, *b_scale);
            Finite(a + b, scale).checked()
        }
        (NaN, _) | (_, NaN) | (Infinity, NegativeInfinity) | (NegativeInfinity, Infinity) => Ok(NaN),
        (Finite(..), other) | (other, _) => Ok(other.clone()),
    }
}

/// The same with another sign.
pub(crate) fn negate(a: &Numeric) -> Numeric {
    match a {
        Numeric::NaN => Numeric::NaN,
        Numeric::Infinity => Numeric::NegativeInfinity,
        Numeric::NegativeInfinity => Numeric::Infinity,
        Numeric::Finite(value, scale) => Numeric::Finite(-value, *scale),
    }
}

/// The difference.
pub(crate) fn subtract(a: &Numeric, b: &Numeric) -> Result<Numeric, SqlError> {
    add(a, &negate(b))
}

/// The product.
pub(crate) fn multiply(a: &Numeric, b: &Numeric) -> Result<Numeric, SqlError> {
    use std::cmp::Ordering;
    if let (Numeric::Finite(a, a_scale), Numeric::Finite(b, b_scale)) = (a, b) {
        let product = Numeric::Finite(a * b, a_scale + b_scale);
        let most = u32::try_from(MOST_SCALE).unwrap_or(u32::MAX);
        return if a_scale + b_scale > most {
            round(&product, i32::try_from(most).unwrap_or(0))
        } else {
            product.checked()
        };
    }
    if matches!(a, Numeric::NaN) || matches!(b, Numeric::NaN) {
        return Ok(Numeric::NaN);
    }
    Ok(match (a.sign(), b.sign()) {
        (Ordering::Equal, _) | (_, Ordering::Equal) => Numeric::NaN,
        (a, b) if a == b => Numeric::Infinity,
        _ => Numeric::NegativeInfinity,
    })
}

/// Where the first digit stands, in groups of four as PostgreSQL has them, and that group's value.
fn first_group(value: &BigInt, scale: u32) -> (i64, i64) {
    let digits = value.magnitude().to_string();
    let whole = i64::try_from(digits.len()).unwrap_or(i64::MAX) - i64::from(scale);
    let weight = (whole - 1).div_euclid(GROUP);
    let in_group = usize::try_from((whole - 1).rem_euclid(GROUP) + 1).unwrap_or(1);
    let mut group: String = digits.chars().take(in_group).collect();
    while group.len() < in_group {
        group.push('0');
    }
    (weight, group.parse().unwrap_or(0))
}

/// The scale that PostgreSQL gives a quotient: at least 16 significant digits, and both operands' scales.
fn quotient_scale(a: &BigInt, a_scale: u32, b: &BigInt, b_scale: u32) -> u32 {
    let (a_weight, a_first) = if a.sign() == Sign::NoSign { (0, 0) } else { first_group(a, a_scale) };
    let (b_weight, b_first) = first_group(b, b_scale);
    let mut weight = a_weight - b_weight;
    if a_first <= b_first {
        weight -= 1;
    }
    let scale = (SIGNIFICANT - weight * GROUP).max(i64::from(a_scale)).max(i64::from(b_scale));
    u32::try_from(scale.clamp(0, MOST_DISPLAY)).unwrap_or(0)
}

fn by_zero() -> SqlError {
    SqlError::new(SqlState::DIVISION_BY_ZERO, "division by zero")
}

/// The quotient, rounded half away from zero.
pub(crate) fn divide(a: &Numeric, b: &Numeric) -> Result<Numeric, SqlError> {
    if let Some(special) = special_quotient(a, b)? {
        return Ok(special);
    }
    let (Numeric::Finite(a, a_scale), Numeric::Finite(b, b_scale)) = (a, b) else { return Ok(Numeric::NaN) };
    let scale = quotient_scale(a, *a_scale, b, *b_scale);
    let shift = i64::from(scale) + 1 + i64::from(*b_scale) - i64::from(*a_scale);
    let (top, bottom) = if shift >= 0 {
        (a * power_of_ten(u32::try_from(shift).unwrap_or(0)), b.clone())
    } else {
        (a.clone(), b * power_of_ten(u32::try_from(-shift).unwrap_or(0)))
    };
    // One digit more than is wanted: what is behind that one cannot turn a half.
    round(&Numeric::Finite(top / bottom, scale + 1), i32::try_from(scale).unwrap_or(0))
}

/// The whole quotient, cut towards zero.
pub(crate) fn divide_whole(a: &Numeric, b: &Numeric) -> Result<Numeric, SqlError> {
    if let Some(special) = special_quotient(a, b)? {
        return Ok(special);
    }
    let (Numeric::Finite(a, a_scale), Numeric::Finite(b, b_scale)) = (a, b) else { return Ok(Numeric::NaN) };
    let (a, b, _) = aligned(a, *a_scale, b, *b_scale);
    Numeric::Finite(a / b, 0).checked()
}

/// What is left of the whole quotient, with the sign of the first.
pub(crate) fn remainder(a: &Numeric, b: &Numeric) -> Result<Numeric, SqlError> {
    match (a, b) {
        (Numeric::NaN, _) | (_, Numeric::NaN) => Ok(Numeric::NaN),
        (_, Numeric::Finite(b, _)) if b.sign() == Sign::NoSign => Err(by_zero()),
        (Numeric::Finite(a, a_scale), Numeric::Finite(b, b_scale)) => {
            let (a, b, scale) = aligned(a, *a_scale, b, *b_scale);
            Ok(Numeric::Finite(a % b, scale))
        }
        (Numeric::Finite(..), _) => Ok(a.clone()),
        _ => Ok(Numeric::NaN),
    }
}

/// Quotients that are no arithmetic.
fn special_quotient(a: &Numeric, b: &Numeric) -> Result<Option<Numeric>, SqlError> {
    use Numeric::{Finite, Infinity, NaN, NegativeInfinity};
    Ok(match (a, b) {
        (NaN, _) | (_, NaN) => Some(NaN),
        (_, Finite(b, _)) if b.sign() == Sign::NoSign => return Err(by_zero()),
        (Finite(..), Finite(..)) => None,
        (Finite(..), _) => Some(Finite(BigInt::from(0), 0)),
        (_, Finite(b, _)) => {
            let positive = matches!(a, Infinity) == (b.sign() == Sign::Plus);
            Some(if positive { Infinity } else { NegativeInfinity })
        }
        _ => Some(NaN),
    })
}

/// To so many digits behind the point (or before it, if negative), half away from zero.
pub(crate) fn round(a: &Numeric, places: i32) -> Result<Numeric, SqlError> {
    cut(a, places, true)
}

/// The same, towards zero.
pub(crate) fn truncate(a: &Numeric, places: i32) -> Result<Numeric, SqlError> {
    cut(a, places, false)
}

fn cut(a: &Numeric, places: i32, nearest: bool) -> Result<Numeric, SqlError> {
    let Numeric::Finite(value, scale) = a else { return Ok(a.clone()) };
    let most = i32::try_from(MOST_SCALE).unwrap_or(i32::MAX);
    let places = places.clamp(-131_072, most);
    let shown = u32::try_from(places.max(0)).unwrap_or(0);
    let drop = i64::from(*scale) - i64::from(places);
    if drop <= 0 {
        let more = u32::try_from(-drop).unwrap_or(0);
        return Numeric::Finite(value * power_of_ten(more), shown).checked();
    }
    let unit = power_of_ten(u32::try_from(drop).unwrap_or(0));
    let mut kept = value / &unit;
    if nearest {
        let rest = value - &kept * &unit;
        if rest.magnitude() * 2_u32 >= *unit.magnitude() {
            kept += if value.sign() == Sign::Minus { -1 } else { 1 };
        }
    }
    if places < 0 {
        kept *= power_of_ten(places.unsigned_abs());
    }
    Numeric::Finite(kept, shown).checked()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Numeric {
        Numeric::read(text).unwrap()
    }

    #[test]
    fn results_have_postgresqls_scale() {
        for (a, b, sum, product, quotient) in [
            ("1", "3", "4", "3", "0.33333333333333333333"),
            ("10", "4", "14", "40", "2.5000000000000000"),
            ("1.50", "2", "3.50", "3.00", "0.75000000000000000000"),
            ("7", "0.5", "7.5", "3.5", "14.0000000000000000"),
            ("-1", "8", "7", "-8", "-0.12500000000000000000"),
            ("100000", "3", "100003", "300000", "33333.333333333333"),
            ("0", "3", "3", "0", "0.00000000000000000000"),
        ] {
            assert_eq!(add(&of(a), &of(b)).unwrap().to_string(), sum, "{a} + {b}");
            assert_eq!(multiply(&of(a), &of(b)).unwrap().to_string(), product, "{a} * {b}");
            assert_eq!(divide(&of(a), &of(b)).unwrap().to_string(), quotient, "{a} / {b}");
        }
        assert!(divide(&of("1"), &of("0")).is_err());
    }

    #[test]
    fn halves_go_away_from_zero() {
        for (text, places, expected) in [
            ("2.5", 0, "3"),
            ("-2.5", 0, "-3"),
            ("1.245", 2, "1.25"),
            ("1250", -2, "1300"),
            ("1.2", 3, "1.200"),
        ] {
            assert_eq!(round(&of(text), places).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(truncate(&of("-1.29"), 1).unwrap().to_string(), "-1.2");
        assert_eq!(remainder(&of("-7"), &of("3")).unwrap().to_string(), "-1");
    }
}
