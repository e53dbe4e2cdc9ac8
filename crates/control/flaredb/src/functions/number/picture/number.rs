//! A number made ready for its picture: rounded, and as long as there are places.

use super::Picture;
use super::digits::{Prepared, shown};
use crate::base::error::SqlError;
use crate::functions::call::{Answer, Call, bounded, text};
use crate::value::numeric::Numeric;
use crate::value::numeric::{Decimal, count_digits};

/// The letters of Roman numbers.
const ROMAN: &[(i64, &str)] = &[
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
];

fn picture_of(call: &Call<'_>) -> Result<Picture, SqlError> {
    let picture = Picture::read(call.text(1)?)?;
    bounded(picture.parts.len())?;
    Ok(picture)
}

/// A numeric, and a picture.
pub(crate) fn of_numeric(call: &Call<'_>) -> Answer {
    let (value, mut picture) = (Numeric::from_kept(text(call.value(0))?)?, picture_of(call)?);
    if picture.roman {
        return shown(
            picture,
            Prepared::roman(roman(value.to_int(i32::MIN.into(), i32::MAX.into(), "integer")?)),
        );
    }
    if picture.scientific {
        return Ok(scientific(&value, &picture).into());
    }
    let scaled = if picture.shift > 0 { value.mul(&power(picture.shift)?)? } else { value };
    picture.before += picture.shift;
    let rounded =
        scaled.map(|value| value.rounded(i64::try_from(picture.behind).unwrap_or(i64::MAX).min(1000)));
    let prepared = Prepared::plain(&rounded.to_string(), &picture);
    shown(picture, prepared)
}

fn power(shift: usize) -> Result<Numeric, SqlError> {
    let shift = i64::try_from(shift).unwrap_or(i64::MAX).min(131_000);
    Ok(Numeric::Finite(Decimal::new(crate::value::numeric::ten_to(shift), 0).checked()?))
}

/// A floating-point number, a picture, and how many digits the type has.
pub(crate) fn of_float(call: &Call<'_>) -> Answer {
    let (value, mut picture) = (call.float(0)?, picture_of(call)?);
    let most = usize::try_from(call.int(2)?).unwrap_or(15);
    if picture.roman {
        return shown(picture, Prepared::roman(roman(i64::from(value.round_ties_even() as i32))));
    }
    if picture.scientific {
        if !value.is_finite() {
            return Ok(hashes(&picture).into());
        }
        let digits = format!("{value:.*e}", picture.behind.min(1000));
        let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
        return Ok(with_exponent(mantissa, exponent.parse().unwrap_or(0)).into());
    }
    let power = i32::try_from(picture.shift).unwrap_or(i32::MAX);
    // The narrower type multiplies in its own precision.
    let scaled =
        if most == 6 { f64::from(value as f32 * 10_f32.powi(power)) } else { value * 10_f64.powi(power) };
    picture.before += picture.shift;
    let length = if scaled.is_finite() { format!("{:.0}", scaled.abs()).len() } else { "Infinity".len() };
    picture.behind = picture.behind.min(most.saturating_sub(length));
    let digits = match scaled {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        scaled => format!("{scaled:.*}", picture.behind),
    };
    let prepared = Prepared::plain(&digits, &picture);
    shown(picture, prepared)
}

/// Hash signs for what has no Roman number.
fn roman(mut value: i64) -> String {
    if !(1..=3999).contains(&value) {
        return "#".repeat(15);
    }
    let mut out = String::new();
    for (size, letters) in ROMAN {
        while value >= *size {
            out.push_str(letters);
            value -= size;
        }
    }
    out
}

/// What stands for a number without an exponent.
fn hashes(picture: &Picture) -> String {
    format!(" {}.{}", "#".repeat(picture.before), "#".repeat(picture.behind + 4))
}

fn with_exponent(mantissa: &str, exponent: i64) -> String {
    let blank = if mantissa.starts_with('-') { "" } else { " " };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{blank}{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// One digit before the point, which rounding may make two.
fn scientific(value: &Numeric, picture: &Picture) -> String {
    let Numeric::Finite(value) = value else { return hashes(picture) };
    let exponent = if value.is_zero() { 0 } else { count_digits(value.digits.magnitude()) - value.scale - 1 };
    let moved = Decimal { digits: value.digits.clone(), scale: value.scale + exponent };
    let mantissa = moved.rounded(i64::try_from(picture.behind).unwrap_or(i64::MAX).min(1000));
    with_exponent(&mantissa.to_string(), exponent)
}
