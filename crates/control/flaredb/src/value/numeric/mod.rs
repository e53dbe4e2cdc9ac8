//! `numeric`: exact decimals of any length, kept as their text.

mod arithmetic;
mod binary;

use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

use crate::base::{SqlError, SqlState};

use super::invalid;

pub(crate) use self::arithmetic::{
    add, divide, divide_whole, multiply, remainder, round, subtract, truncate,
};
pub(super) use self::binary::{from_binary, to_binary};

/// Digits before and behind the point that PostgreSQL allows.
const MOST_WHOLE: usize = 131_072;
const MOST_SCALE: usize = 16_383;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Numeric {
    NaN,
    Infinity,
    NegativeInfinity,
    /// The unscaled value, and how many of its digits are behind the point.
    Finite(BigInt, u32),
}

/// Text to the form that is kept. Errors: 22P02, 22003.
pub(crate) fn parse(text: &str) -> Result<String, SqlError> {
    let trimmed = text.trim();
    if is_kept(trimmed) {
        return Ok(trimmed.to_owned());
    }
    Ok(Numeric::read(text)?.to_string())
}

/// Whether it is written as it is kept: the usual case, which needs no arithmetic.
fn is_kept(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let zero = digits.bytes().all(|byte| byte == b'0' || byte == b'.');
    plain(whole)
        && plain(fraction)
        && (whole == "0" || !whole.starts_with('0'))
        && !(zero && text.starts_with('-'))
        && text.len() < 1000
}

impl Numeric {
    /// From a text as PostgreSQL reads it.
    pub(crate) fn read(text: &str) -> Result<Self, SqlError> {
        let digits = text.trim();
        match digits.to_ascii_lowercase().as_str() {
            "nan" => return Ok(Self::NaN),
            "inf" | "infinity" | "+inf" | "+infinity" => return Ok(Self::Infinity),
            "-inf" | "-infinity" => return Ok(Self::NegativeInfinity),
            _ => {}
        }
        let (mantissa, exponent) = match digits.find(['e', 'E']) {
            Some(place) => {
                let exponent = digits[place + 1..].parse::<i64>().map_err(|_| invalid("numeric", text))?;
                (&digits[..place], exponent)
            }
            None => (digits, 0),
        };
        let unsigned = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !all || whole.len() + fraction.len() == 0 {
            return Err(invalid("numeric", text));
        }
        let scale = i64::try_from(fraction.len()).unwrap_or(i64::MAX).saturating_sub(exponent);
        if exponent.unsigned_abs() > (MOST_WHOLE as u64) || scale > MOST_SCALE as i64 {
            return Err(overflow());
        }
        let mut value: BigInt = format!("{whole}{fraction}").parse().map_err(|_| invalid("numeric", text))?;
        if mantissa.starts_with('-') {
            value = -value;
        }
        let scale = if scale < 0 {
            value *= power_of_ten(u32::try_from(-scale).unwrap_or(0));
            0
        } else {
            u32::try_from(scale).unwrap_or(0)
        };
        Self::Finite(value, scale).checked()
    }

    /// From the form that is kept.
    pub(crate) fn kept(text: &str) -> Result<Self, SqlError> {
        Self::read(text)
    }

    /// Refuses what is longer than PostgreSQL allows.
    pub(crate) fn checked(self) -> Result<Self, SqlError> {
        if let Self::Finite(value, scale) = &self {
            let digits = value.magnitude().bits() * 30103 / 100_000;
            if digits > (MOST_WHOLE as u64) + u64::from(*scale) {
                return Err(overflow());
            }
        }
        Ok(self)
    }

    /// Less than, equal to or greater than zero. NaN is greater than everything.
    pub(crate) fn sign(&self) -> Ordering {
        match self {
            Self::NaN | Self::Infinity => Ordering::Greater,
            Self::NegativeInfinity => Ordering::Less,
            Self::Finite(value, _) => match value.sign() {
                Sign::Minus => Ordering::Less,
                Sign::NoSign => Ordering::Equal,
                Sign::Plus => Ordering::Greater,
            },
        }
    }

    /// The nearest double; too large ones are infinite.
    pub(crate) fn to_f64(&self) -> f64 {
        match self {
            Self::NaN => f64::NAN,
            Self::Infinity => f64::INFINITY,
            Self::NegativeInfinity => f64::NEG_INFINITY,
            finite @ Self::Finite(..) => finite.to_string().parse().unwrap_or(f64::NAN),
        }
    }
}

/// The order of values: NaN is the greatest and equal to itself.
impl Ord for Numeric {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |value: &Self| match value {
            Self::NegativeInfinity => 0,
            Self::Finite(..) => 1,
            Self::Infinity => 2,
            Self::NaN => 3,
        };
        match (self, other) {
            (Self::Finite(a, a_scale), Self::Finite(b, b_scale)) => match a_scale.cmp(b_scale) {
                Ordering::Equal => a.cmp(b),
                Ordering::Less => (a * power_of_ten(b_scale - a_scale)).cmp(b),
                Ordering::Greater => a.cmp(&(b * power_of_ten(a_scale - b_scale))),
            },
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

impl PartialOrd for Numeric {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NaN => f.write_str("NaN"),
            Self::Infinity => f.write_str("Infinity"),
            Self::NegativeInfinity => f.write_str("-Infinity"),
            Self::Finite(value, 0) => write!(f, "{value}"),
            Self::Finite(value, scale) => {
                let digits = value.magnitude().to_string();
                let scale = *scale as usize;
                let digits = format!("{digits:0>width$}", width = scale + 1);
                let (whole, fraction) = digits.split_at(digits.len() - scale);
                let sign = if value.sign() == Sign::Minus { "-" } else { "" };
                write!(f, "{sign}{whole}.{fraction}")
            }
        }
    }
}

/// The order of two kept ones: most often digits of the same length, which compare as they stand.
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole(a) && whole(b) {
        return a.len().cmp(&b.len()).then_with(|| a.cmp(b));
    }
    match (Numeric::kept(a), Numeric::kept(b)) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

/// Within a precision and scale. Errors: 22003.
pub(crate) fn fit(text: &str, precision: i32, scale: i32) -> Result<String, SqlError> {
    let value = Numeric::kept(text)?;
    if value == Numeric::NaN {
        return Ok(text.to_owned());
    }
    let rounded = round(&value, scale)?;
    let most = precision - scale;
    let fits = match &rounded {
        Numeric::Finite(value, digits) => {
            let whole = value.magnitude().to_string().len();
            let whole = if rounded.sign() == Ordering::Equal { 0 } else { whole };
            i32::try_from(whole).unwrap_or(i32::MAX) - i32::try_from(*digits).unwrap_or(0) <= most
        }
        _ => false,
    };
    if fits {
        return Ok(rounded.to_string());
    }
    let less = if most == 0 { "1".to_owned() } else { format!("10^{most}") };
    let detail = match value {
        Numeric::Finite(..) => format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than {less}."
        ),
        _ => format!("A field with precision {precision}, scale {scale} cannot hold an infinite value."),
    };
    Err(SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(detail))
}

/// `value overflows numeric format`.
pub(crate) fn overflow() -> SqlError {
    SqlError::new(SqlState::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

/// 10 to this power.
pub(crate) fn power_of_ten(exponent: u32) -> BigInt {
    BigInt::from(10).pow(exponent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_with_their_scale() {
        for (text, kept) in [
            ("1.50", "1.50"),
            ("-0.0", "0.0"),
            (".5", "0.5"),
            ("007", "7"),
            ("1e3", "1000"),
            ("1.5e-3", "0.0015"),
            ("NaN", "NaN"),
            ("-inf", "-Infinity"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(kept), "{text}");
        }
        for text in ["", "1.2.3", "1e", "x", "1e200000"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_have_an_order() {
        let ordered = ["-Infinity", "-12.5", "-12", "0", "0.10", "9", "10", "10.01", "Infinity", "NaN"];
        for pair in ordered.windows(2) {
            assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(compare("1.0", "1.00"), Ordering::Equal);
    }

    #[test]
    fn a_field_takes_what_fits() {
        assert_eq!(fit("12.345", 5, 2).as_deref(), Ok("12.35"));
        assert_eq!(fit("-0.005", 2, 2).as_deref(), Ok("-0.01"));
        assert_eq!(fit("1234", 3, -1).as_deref(), Ok("1230"));
        assert!(fit("999.995", 5, 2).is_err());
    }
}
