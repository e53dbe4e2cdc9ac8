//! Exact decimals: any number of digits, with a scale that is kept, and NaN and the infinities beside them.

use std::cmp::Ordering;
use std::fmt;

use crate::base::error::{SqlError, SqlState};
use num_bigint::{BigInt, BigUint, Sign};

pub(crate) mod arithmetic;
pub(crate) mod convert;
pub(crate) mod logarithm;
pub(crate) mod order;
pub(crate) mod parse;
pub(crate) mod power;

/// The most digits before the point.
const MOST_BEFORE: u64 = 131_072;
/// The most digits behind the point.
pub(crate) const MOST_BEHIND: i64 = 16_383;
/// The most digits behind the point that a computed result gets by itself.
pub(crate) const MOST_SHOWN: i64 = 1000;
/// Significant digits that a computed result has at least.
pub(crate) const SIGNIFICANT: i64 = 16;

/// A value of the type `numeric`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Numeric {
    Finite(Decimal),
    Infinity,
    NegativeInfinity,
    NaN,
}

/// A whole number divided by a power of ten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) digits: BigInt,
    /// Digits behind the point.
    pub(crate) scale: i64,
}

/// A power of ten.
pub(crate) fn ten_to(exponent: i64) -> BigInt {
    let exponent = u32::try_from(exponent).unwrap_or(0);
    match 10_u64.checked_pow(exponent) {
        Some(power) => BigInt::from(power),
        None => BigInt::from(10).pow(exponent),
    }
}

/// `value overflows numeric format`.
pub(crate) fn overflow() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

impl Decimal {
    pub(crate) fn new(digits: impl Into<BigInt>, scale: i64) -> Self {
        Self { digits: digits.into(), scale }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.digits.sign() == Sign::NoSign
    }

    pub(crate) fn is_negative(&self) -> bool {
        self.digits.sign() == Sign::Minus
    }

    pub(crate) fn abs(&self) -> Self {
        Self { digits: self.digits.magnitude().clone().into(), scale: self.scale }
    }

    /// The whole number that it is at this scale, cut towards zero.
    pub(crate) fn at_scale(&self, scale: i64) -> BigInt {
        match scale - self.scale {
            0 => self.digits.clone(),
            more if more > 0 => &self.digits * ten_to(more),
            less => &self.digits / ten_to(-less),
        }
    }

    /// With so many digits behind the point, halves away from zero. Below zero it rounds before the point.
    pub(crate) fn rounded(&self, scale: i64) -> Self {
        if scale >= self.scale {
            return Self { digits: self.at_scale(scale), scale };
        }
        let unit = ten_to(self.scale - scale);
        let half = &unit / 2;
        let away = if self.is_negative() { &self.digits - half } else { &self.digits + half };
        Self { digits: away / unit, scale }.not_below_zero()
    }

    /// With so many digits behind the point, the rest cut off.
    pub(crate) fn cut(&self, scale: i64) -> Self {
        Self { digits: self.at_scale(scale), scale }.not_below_zero()
    }

    /// With a scale of at least zero.
    fn not_below_zero(self) -> Self {
        if self.scale < 0 { Self { digits: self.at_scale(0), scale: 0 } } else { self }
    }

    /// How many digits stand before the point: at most one more than there are; zero and less for fractions.
    pub(crate) fn digits_before(&self) -> i64 {
        if self.is_zero() { 0 } else { count_digits(self.digits.magnitude()) - self.scale }
    }

    /// Refuses what PostgreSQL's format cannot hold.
    pub(crate) fn checked(self) -> Result<Self, SqlError> {
        // Three bits are less than a digit: most need no more than this.
        if self.digits.bits() / 3 > MOST_BEFORE && self.digits_before() > MOST_BEFORE as i64 {
            return Err(overflow());
        }
        Ok(self)
    }

    /// Without zeros at the end of its fraction.
    pub(crate) fn trimmed(&self) -> Self {
        let scale = self.least_scale();
        Self { digits: self.at_scale(scale), scale }
    }

    /// How many digits behind the point it needs.
    pub(crate) fn least_scale(&self) -> i64 {
        if self.is_zero() {
            return 0;
        }
        let text = self.digits.magnitude().to_string();
        let zeros = text.bytes().rev().take_while(|byte| *byte == b'0').count() as i64;
        (self.scale - zeros).max(0)
    }
}

/// How many decimal digits a whole number has.
pub(crate) fn count_digits(value: &BigUint) -> i64 {
    match u64::try_from(value) {
        Ok(value) => value.checked_ilog10().map_or(1, |log| i64::from(log) + 1),
        Err(_) => {
            // Within one of the truth, which a comparison decides.
            let near = (value.bits() as f64 * std::f64::consts::LOG10_2) as i64;
            if *value >= *ten_to(near).magnitude() { near + 1 } else { near }
        }
    }
}

impl Numeric {
    pub(crate) fn finite(digits: impl Into<BigInt>, scale: i64) -> Self {
        Self::Finite(Decimal::new(digits, scale))
    }

    pub(crate) fn zero() -> Self {
        Self::finite(0, 0)
    }

    pub(crate) fn infinity(negative: bool) -> Self {
        if negative { Self::NegativeInfinity } else { Self::Infinity }
    }

    /// -1, 0 or 1; of NaN, 0.
    pub(crate) fn signum(&self) -> i32 {
        match self {
            Self::NaN => 0,
            Self::Infinity => 1,
            Self::NegativeInfinity => -1,
            Self::Finite(value) if value.is_negative() => -1,
            Self::Finite(value) => i32::from(!value.is_zero()),
        }
    }

    /// As it is kept.
    pub(crate) fn kept(&self) -> rusqlite::types::Value {
        rusqlite::types::Value::Text(self.to_string())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_negative() {
            f.write_str("-")?;
        }
        let text = self.digits.magnitude().to_string();
        let scale = usize::try_from(self.scale).unwrap_or(0);
        if scale == 0 {
            return f.write_str(&text);
        }
        match text.len().checked_sub(scale) {
            Some(0) | None => write!(f, "0.{text:0>scale$}"),
            Some(before) => {
                let (whole, fraction) = text.split_at(before);
                write!(f, "{whole}.{fraction}")
            }
        }
    }
}

impl fmt::Display for Numeric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finite(value) => value.fmt(f),
            Self::Infinity => f.write_str("Infinity"),
            Self::NegativeInfinity => f.write_str("-Infinity"),
            Self::NaN => f.write_str("NaN"),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    /// By value; equal values of different scale are equal here, though not by `==`.
    fn cmp(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        self.at_scale(scale).cmp(&other.at_scale(scale))
    }
}
