//! `numeric` to and from other numbers, and in PostgreSQL's binary form.

use super::{Decimal, Numeric, count_digits, overflow, ten_to};
use crate::base::error::{SqlError, SqlState};
use crate::functions::call::out_of_range;
use crate::functions::number::float::single;
use crate::value::float::{general, text_out_of_range};
use num_bigint::BigInt;

impl Numeric {
    /// The nearest whole number, halves away from zero. `name` is the type's for errors.
    pub(crate) fn to_int(&self, least: i64, most: i64, name: &str) -> Result<i64, SqlError> {
        let Self::Finite(value) = self else {
            let what = if matches!(self, Self::NaN) { "NaN" } else { "infinity" };
            let message = format!("cannot convert {what} to {name}");
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message));
        };
        let whole = i64::try_from(value.rounded(0).digits).ok();
        whole.filter(|whole| (least..=most).contains(whole)).ok_or_else(|| out_of_range(name))
    }

    /// The nearest floating-point number; NaN for NaN. Errors: 22003.
    pub(crate) fn to_float(&self) -> Result<f64, SqlError> {
        match self {
            Self::NaN => Ok(f64::NAN),
            Self::Infinity => Ok(f64::INFINITY),
            Self::NegativeInfinity => Ok(f64::NEG_INFINITY),
            Self::Finite(value) => {
                let text = value.to_string();
                let float: f64 = text.parse().unwrap_or(f64::INFINITY);
                if float.is_infinite() || float == 0.0 && !value.is_zero() {
                    return Err(text_out_of_range(&text, "double precision"));
                }
                Ok(float)
            }
        }
    }

    /// The nearest number of single precision.
    pub(crate) fn to_single(&self) -> Result<f64, SqlError> {
        match self {
            Self::Finite(value) => {
                let text = value.to_string();
                let float: f32 = text.parse().unwrap_or(f32::INFINITY);
                if float.is_infinite() || float == 0.0 && !value.is_zero() {
                    return Err(text_out_of_range(&text, "real"));
                }
                Ok(f64::from(float))
            }
            other => single(other.to_float()?),
        }
    }

    /// What so many significant digits of a floating-point number say.
    pub(crate) fn from_float(value: f64, digits: usize) -> Result<Self, SqlError> {
        if value.is_infinite() {
            return Ok(Self::infinity(value < 0.0));
        }
        if value.is_nan() {
            return Ok(Self::NaN);
        }
        Self::parse(&general(value, digits))
    }

    /// Groups of four digits, with a head.
    pub(crate) fn to_binary(&self, out: &mut Vec<u8>) {
        let Self::Finite(value) = self else {
            // PostgreSQL sends a scale of 32 with the infinities.
            let (sign, scale): (u16, u16) = match self {
                Self::Infinity => (0xD000, 32),
                Self::NegativeInfinity => (0xF000, 32),
                _ => (0xC000, 0),
            };
            out.extend([0; 4]);
            out.extend(sign.to_be_bytes());
            out.extend(scale.to_be_bytes());
            return;
        };
        let (groups, weight) = groups(value);
        let sign: u16 = if value.is_negative() { 0x4000 } else { 0 };
        for word in [groups.len() as u16, weight as i16 as u16, sign, value.scale as u16] {
            out.extend(word.to_be_bytes());
        }
        for group in groups {
            out.extend(group.to_be_bytes());
        }
    }

    /// Reads PostgreSQL's binary form. Errors: 22P03.
    pub(crate) fn from_binary(bytes: &[u8]) -> Result<Self, SqlError> {
        let wrong = || {
            SqlError::new(
                SqlState::INVALID_BINARY_REPRESENTATION,
                "invalid sign in external \"numeric\" value",
            )
        };
        let mut words = bytes.chunks_exact(2).map(|pair| match pair {
            [high, low] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        });
        let mut next = || words.next().ok_or_else(wrong);
        let (count, weight, sign, scale) = (next()?, next()? as i16, next()?, i64::from(next()?));
        let negative = match sign {
            0 => false,
            0x4000 => true,
            0xC000 => return Ok(Self::NaN),
            0xD000 => return Ok(Self::Infinity),
            0xF000 => return Ok(Self::NegativeInfinity),
            _ => return Err(wrong()),
        };
        let groups: Vec<u16> = words.collect();
        if groups.len() != usize::from(count) || groups.iter().any(|group| *group > 9999) || scale > 16_383 {
            return Err(SqlError::new(
                SqlState::INVALID_BINARY_REPRESENTATION,
                "invalid digit in external \"numeric\" value",
            ));
        }
        let text: String = groups.iter().map(|group| format!("{group:04}")).collect();
        let digits: BigInt =
            if text.is_empty() { BigInt::ZERO } else { text.parse().map_err(|_| wrong())? };
        let exact = Decimal {
            digits: if negative { -digits } else { digits },
            scale: (i64::from(count) - 1 - i64::from(weight)) * 4,
        };
        Ok(Self::Finite(Decimal::new(exact.at_scale(scale), scale).checked()?))
    }
}

/// Groups of four digits without zeros at either end, and the place of the first (0: before the point).
fn groups(value: &Decimal) -> (Vec<u16>, i64) {
    if value.is_zero() {
        return (Vec::new(), 0);
    }
    let padded = value.digits.magnitude() * ten_to((4 - value.scale % 4) % 4).magnitude();
    let behind = (value.scale + 3) / 4;
    let count = (count_digits(&padded) + 3) / 4;
    let text = format!("{:0>width$}", padded.to_string(), width = usize::try_from(count * 4).unwrap_or(0));
    let mut groups: Vec<u16> = text
        .as_bytes()
        .chunks(4)
        .map(|four| four.iter().fold(0, |all, byte| all * 10 + u16::from(byte - b'0')))
        .collect();
    while groups.last() == Some(&0) {
        groups.pop();
    }
    (groups, count - behind - 1)
}

/// Fits a value into `numeric(precision, scale)`. Errors: 22003, with PostgreSQL's detail.
pub(crate) fn fit(value: &Numeric, typmod: i32) -> Result<Numeric, SqlError> {
    let (precision, scale) = modifier(typmod);
    let refused = |detail: String| {
        Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(detail))
    };
    match value {
        Numeric::NaN => Ok(Numeric::NaN),
        Numeric::Infinity | Numeric::NegativeInfinity => refused(format!(
            "A field with precision {precision}, scale {scale} cannot hold an infinite value."
        )),
        Numeric::Finite(value) => {
            let rounded = value.rounded(scale);
            let most = precision - scale;
            if rounded.digits_before() > most && !rounded.is_zero() {
                let limit = if most == 0 { "1".to_owned() } else { format!("10^{most}") };
                return refused(format!(
                    "A field with precision {precision}, scale {scale} must round to an absolute value less than {limit}."
                ));
            }
            Ok(Numeric::Finite(rounded))
        }
    }
}

/// Precision and scale of a modifier.
pub(crate) fn modifier(typmod: i32) -> (i64, i64) {
    let typmod = i64::from(typmod) - 4;
    (typmod >> 16 & 0xffff, ((typmod & 0x7ff) ^ 1024) - 1024)
}

/// The product of the whole numbers up to this one.
pub(crate) fn factorial(of: i64) -> Result<Numeric, SqlError> {
    if of < 0 {
        return Err(SqlError::new(
            SqlState::NUMERIC_VALUE_OUT_OF_RANGE,
            "factorial of a negative number is undefined",
        ));
    }
    if of > 32_177 {
        return Err(overflow());
    }
    Ok(Numeric::finite((2..=of).fold(BigInt::from(1), |product, factor| product * factor), 0))
}
